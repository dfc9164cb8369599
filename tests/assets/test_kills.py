"""`kill -9` in the middle of a run, at three stages; then the same command again."""

import os
import signal
import time
from pathlib import Path

import pytest

from tests.assets.conftest import BOUNDS, RELEASE, Home, requests_so_far, tree
from tests.commands import done, start_mlm

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    "stage",
    [
        pytest.param("refresh_entities 01", marks=pytest.mark.long),
        pytest.param("refresh_summaries es|00", marks=pytest.mark.long),
        pytest.param("build_datasets 2026-12", marks=pytest.mark.long),
    ],
)
def test_a_killed_run_goes_on_where_it_stopped(finished: Home, tmp_path: Path, stage: str) -> None:
    home = tmp_path / "home"
    command = ("run", "--home", home, "--endpoint", finished.base, "--release", RELEASE, "--shards", "2", *BOUNDS)
    asked_before = requests_so_far(finished.base)
    process = start_mlm(*command)
    assert process.stdout is not None
    seen = []
    for line in process.stdout:
        seen.append(line.strip())
        if line.strip() == stage:
            break
    assert stage in seen, seen
    time.sleep(0.3)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    asked_by_killed = _difference(requests_so_far(finished.base), asked_before)

    began = time.monotonic()
    printed = done(*command)
    assert time.monotonic() - began < 120, "the next run must not wait for a slot of the dead one"
    assert tree(home / "datasets") == tree(finished.path / "datasets")
    assert not [line for line in seen if line != stage and line.startswith("refresh") and f"  {line}\n" in printed]
    # Together they asked what an undisturbed run asks, and twice only what was under way (two files at most).
    together = _difference(requests_so_far(finished.base), asked_before)
    undisturbed = finished.summary["requests"]
    assert sum(asked_by_killed.values()) > 0
    for service, n in together.items():
        assert n <= undisturbed[service] + 2, (service, together, undisturbed)


def _difference(after: dict[str, int], before: dict[str, int]) -> dict[str, int]:
    return {service: after[service] - before[service] for service in after}
