"""The button "Execute checks": the newest version is audited again, from what it was made of; no pointer moves."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from mlm_assets.assets import audit
from mlm_assets.definitions import defs
from mlm_assets.resources.lake import Lake
from mlm_assets.resources.services import LakeResource
from tests.assets.conftest import RELEASE, Home

_JOB = defs.resolve_implicit_global_asset_job_def()


@pytest.fixture
def home(finished: Home, tmp_path: Path) -> Path:
    """A copy of a finished home, whose audits a test may change."""
    return Path(shutil.copytree(finished.path, tmp_path / "home"))


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as one:
        yield one


def recheck(home: Path, instance: dg.DagsterInstance, name: str, partition: str | None) -> tuple[Any, dict[str, Any]]:
    """Run the checks of a table alone; return the run, and what each check said."""
    keys = {spec.key for spec in audit.check_specs(name)}
    job = _JOB.get_subset(asset_check_selection=keys)
    result = job.execute_in_process(
        instance=instance,
        resources={"lake": LakeResource(home=str(home))},
        tags={"dagster/partition": partition} if partition else {},
        raise_on_error=False,
    )
    said = {one.check_name: one for one in result.get_asset_check_evaluations()}
    return result, said


@pytest.mark.parametrize(
    ("name", "partition"),
    [
        ("candidates", None), ("settlements", "00"), ("rejections", "01"), ("summaries", "fr|01"), ("refresh", RELEASE),
        ("geo_cells", RELEASE), ("members", RELEASE), ("mlm_irle_gr", RELEASE),
    ],
)  # fmt: skip
def test_a_finished_version_passes_again(
    home: Path, instance: dg.DagsterInstance, name: str, partition: str | None
) -> None:
    before = Lake(home).accepted(name, partition or "")
    result, said = recheck(home, instance, name, partition)
    assert result.success
    declared = {check.name for check in (*audit.declared_checks(name), *audit.OWN_CHECKS[name])}
    assert set(said) == declared
    assert [check for check, one in said.items() if not one.passed] == []
    assert all(one.partition == partition for one in said.values())
    assert Lake(home).accepted(name, partition or "") == before
    kept = Lake(home).audit_of(name, partition or "")
    assert kept is not None
    assert kept["run_id"] == result.run_id


def test_what_has_become_wrong_is_found(home: Path, instance: dg.DagsterInstance) -> None:
    pictures = sorted((home / "images").rglob("*.jpg"))
    for picture in pictures:
        picture.write_bytes(b"no picture")
    result, said = recheck(home, instance, "images", "00")
    assert not result.success
    assert not said["pictures_are_stored"].passed
    assert said["accepted"].passed, "readers see it still: a recheck moves no pointer"


def test_a_partition_is_asked_for(home: Path, instance: dg.DagsterInstance) -> None:
    result, _ = recheck(home, instance, "facts", None)
    failed = [event.step_failure_data.error for event in result.all_events if event.is_step_failure]
    assert "with a partition" in str(failed)
