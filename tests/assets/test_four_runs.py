"""Four runs at once against one Wikimedia: together they keep the limits of one."""

import json
import urllib.request
from pathlib import Path

import pytest

from mlm_assets.local_wikimedia.process import running_server
from tests.assets.conftest import tree
from tests.commands import start_mlm

pytestmark = pytest.mark.slow

RATES = {"sparql": 5.0, "action_api": 3.0, "files": 20.0}
PARALLEL = {"sparql": 1, "action_api": 1, "files": 2}


@pytest.mark.long
def test_no_host_sees_more_than_its_limits(tmp_path: Path) -> None:
    limits = {f"MLM_{service.upper()}_RATE_PER_S": str(rate) for service, rate in RATES.items()}
    limits |= {f"MLM_{service.upper()}_PARALLEL": str(n) for service, n in PARALLEL.items()}
    with running_server(generate=25, seed=4) as base:
        world = ("--endpoint", base, "--release", "2026-12", "--shards", "1", "--t-min", "2", "--t-max", "10")
        homes = [tmp_path / f"home{number}" for number in range(4)]
        runs = [start_mlm("run", "--home", home, *world, **limits) for home in homes]
        printed = [run.communicate()[0] for run in runs]
        assert [run.returncode for run in runs] == [0, 0, 0, 0], printed
        with urllib.request.urlopen(f"{base}/_stats") as answer:
            stats = json.load(answer)
    for service, rate in RATES.items():
        assert stats["requests"][service] > 4
        assert stats["max_parallel"][service] <= PARALLEL[service], stats
        assert stats["peak_rate_per_s"][service] <= rate, stats
    datasets = [tree(home / "datasets") for home in homes]
    assert datasets[0]
    assert all(other == datasets[0] for other in datasets)
