"""Four runs at once on one machine: together they are as polite as one, and none of them notices the others."""

import json
import urllib.request
from pathlib import Path
from typing import Final

import pytest

from mlm_assets.local_wikimedia.process import running_server
from tests.assets.conftest import BOUNDS, RELEASE, SEED, tree
from tests.commands import start_mlm, summary

pytestmark = pytest.mark.slow

N_RUNS: Final = 4
PARALLEL: Final = {"sparql": 1, "action_api": 2, "files": 2}
RATE_PER_S: Final = {"sparql": 4, "action_api": 8, "files": 10}
"""So low that one run alone would keep to them only because it is told to, and four have to wait for each other."""


def test_four_runs_at_once_keep_the_limits_of_one(tmp_path: Path) -> None:
    limits = {"MLM_LOCK_DIR": str(tmp_path / "locks")}
    for service, n in PARALLEL.items():
        limits |= {
            f"MLM_{service.upper()}_PARALLEL": str(n),
            f"MLM_{service.upper()}_RATE_PER_S": str(RATE_PER_S[service]),
        }
    homes = [tmp_path / f"home{number}" for number in range(N_RUNS)]
    with running_server(generate=25, seed=SEED) as base:
        world = ("--endpoint", base, "--release", RELEASE, "--shards", "1", *BOUNDS)
        runs = [start_mlm("run", "--home", home, *world, **limits) for home in homes]
        try:
            printed = [run.communicate(timeout=300)[0] for run in runs]
        finally:
            for run in runs:
                run.kill()
        with urllib.request.urlopen(f"{base}/_stats") as answer:
            stats = json.load(answer)
    assert [run.returncode for run in runs] == [0] * N_RUNS, printed

    seen = {name: stats[name] for name in ("requests", "max_parallel", "peak_rate_per_s")}
    for service, n in PARALLEL.items():
        assert stats["max_parallel"][service] <= n, seen
        assert stats["peak_rate_per_s"][service] <= RATE_PER_S[service], seen
        # Each asked for itself, and they did meet: there was more than a second's worth of requests for everyone.
        assert stats["requests"][service] == sum(summary(home)["requests"][service] for home in homes), seen
        assert stats["requests"][service] > N_RUNS * RATE_PER_S[service] / 2, seen
    first, *others = [tree(home / "datasets") for home in homes]
    assert len(first) > len(("mlm", "mlm_v2", "mlm_irle", "mlm_irle_gr"))
    assert others == [first] * (N_RUNS - 1)
