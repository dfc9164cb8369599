"""`mlm` as its user runs it: a process of its own, with a home and an environment of its own."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any


def environment(**more: str) -> dict[str, str]:
    """Return the environment without any setting of ours but the given ones."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("MLM_", "DAGSTER_"))}
    # Test processes run side by side: one that took every core for a training would slow the others down, and itself.
    ours = {"MLM_LOCK_DIR": os.environ["MLM_LOCK_DIR"], "COLUMNS": "160", "OMP_NUM_THREADS": "1"}
    return {**kept, **ours, **more}


def mlm(*arguments: str | Path, **more: str) -> "subprocess.CompletedProcess[str]":
    """Run `mlm` to its end and return what it printed."""
    command = [sys.executable, "-m", "mlm_assets", *(str(argument) for argument in arguments)]
    return subprocess.run(command, env=environment(**more), capture_output=True, text=True, check=False, timeout=900)


def start_mlm(*arguments: str | Path, **more: str) -> "subprocess.Popen[str]":
    """Start `mlm` in a process group of its own, so that it can be killed with all that it started."""
    command = [sys.executable, "-m", "mlm_assets", *(str(argument) for argument in arguments)]
    return subprocess.Popen(
        command, env=environment(**more), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        start_new_session=True,
    )  # fmt: skip


def done(*arguments: str | Path, **more: str) -> str:
    """Run `mlm`, which must end with 0, and return its standard output."""
    result = mlm(*arguments, **more)
    assert result.returncode == 0, f"mlm {arguments} ended with {result.returncode}:\n{result.stdout}\n{result.stderr}"
    return result.stdout


def summary(home: Path) -> dict[str, Any]:
    """Return the run summary of a home."""
    return dict(json.loads((home / "run_summary.json").read_text("utf-8")))
