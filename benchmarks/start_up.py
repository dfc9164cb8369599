"""How long the code location takes to load, in a fresh interpreter."""

import subprocess
import sys
import tempfile
import time
from typing import Any

_LOAD = "from mlm_assets.definitions import defs; defs.get_repository_def().load_all_definitions()"
_HEAVY = "import sys; import mlm_assets.definitions; print(*(m for m in {heavy} if m in sys.modules))"
_NOT_AT_START = ("torch", "transformers", "great_expectations", "pandas", "matplotlib", "scipy", "duckdb", "pyarrow")


def measure_start_up() -> dict[str, Any]:
    """Return the median of three loads in seconds, and which heavy libraries were imported by it."""
    seconds = sorted(_time(_LOAD) for _ in range(3))
    heavy = _run(_HEAVY.format(heavy=_NOT_AT_START)).split()
    return {"seconds": round(seconds[1], 2), "heavy_imports": heavy}


def _time(code: str) -> float:
    began = time.perf_counter()
    _run(code)
    return time.perf_counter() - began


def _run(code: str) -> str:
    with tempfile.TemporaryDirectory() as home:
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", code],
            env={"MLM_HOME": home, "DAGSTER_HOME": home, "PATH": "/usr/bin:/bin"},
            check=True,
            capture_output=True,
            text=True,
        )
    return done.stdout
