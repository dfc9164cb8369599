"""What lies back and can be made again goes; what is published, young, unpublished or at work stays."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pyarrow as pa
import pytest

from mlm_assets.automation.housekeeping import first_kept, housekeeping, tidy_up
from mlm_assets.release.publication import Releases
from mlm_assets.resources.lake import Lake, arrow_schema
from mlm_assets.resources.services import RELEASE_TAG, LakeResource
from mlm_assets.settings import Settings

MONTHS = ("2026-12", "2027-01", "2027-02", "2027-03")


@dg.op
def work() -> None:
    """Do nothing."""


@dg.job(executor_def=dg.in_process_executor)
def a_job() -> None:
    """A run to have a log of."""
    work()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path, keep_months=2)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    lake = Lake(tmp_path)
    for release in MONTHS:
        version = lake.write("refresh", release, pa.Table.from_pylist([], schema=arrow_schema("refresh")))
        lake.accept(version, release=release, inputs={}, expected=None)
        lake.write_bytes(f"datasets/{release}/mlm/mlm.json", b"[]")
    return lake


@pytest.fixture
def instance(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dg.DagsterInstance]:
    log = {"module": "mlm_assets.automation.event_log", "class": "QuickSqliteEventLog"}
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    overrides = {"event_log_storage": {**log, "config": {"base_dir": "history/runs"}}, "telemetry": {"enabled": False}}
    with dg.DagsterInstance.local_temp(str(tmp_path), overrides) as instance:
        yield instance


def publish(home: Path, *releases: str) -> None:
    for release in releases:
        (Releases(home, release).folder / "v1").mkdir(parents=True)


def run(instance: dg.DagsterInstance, **tags: str) -> str:
    result = a_job.execute_in_process(instance=instance, tags=tags)
    return result.run_id


def logs(home: Path) -> set[str]:
    return {path.stem for path in (home / "history" / "runs").glob("*.db")} - {"index"}


def test_datasets_go_when_they_lie_back_and_are_published(
    lake: Lake, settings: Settings, instance: dg.DagsterInstance
) -> None:
    publish(settings.home, "2026-12", "2027-02", "2027-03")
    assert first_kept(lake, 2) == "2027-02"
    gone = tidy_up(instance, lake, settings, datetime.now(UTC))
    assert [(one.kind, one.path, one.size_bytes) for one in gone] == [("datasets", "datasets/2026-12", 2)]
    assert lake.list_names("datasets") == ["2027-01", "2027-02", "2027-03"], "2027-01 is published nowhere"
    assert (Releases(settings.home, "2026-12").folder / "v1").is_dir()
    assert tidy_up(instance, lake, settings, datetime.now(UTC)) == []


def test_nothing_goes_while_there_are_no_more_months_than_are_kept(
    lake: Lake, settings: Settings, instance: dg.DagsterInstance
) -> None:
    publish(settings.home, *MONTHS)
    run(instance, **{RELEASE_TAG: "2026-12"})
    patient = settings.model_copy(update={"keep_months": 4})
    assert first_kept(lake, 4) is None
    assert tidy_up(instance, lake, patient, datetime.now(UTC)) == []


def test_logs_go_with_their_months_and_what_was_recorded_of_the_runs_stays(
    lake: Lake, settings: Settings, instance: dg.DagsterInstance
) -> None:
    old, young = run(instance, **{RELEASE_TAG: "2026-12"}), run(instance, **{RELEASE_TAG: "2027-02"})
    by_partition, loose = run(instance, **{"dagster/partition": "2027-01"}), run(instance)
    instance.report_runless_asset_event(dg.AssetMaterialization("members", partition="2026-12"))
    now = datetime.now(UTC)
    gone = tidy_up(instance, lake, settings, now)
    assert {Path(one.path).stem for one in gone} == {old, by_partition}
    assert all(one.size_bytes > 0 for one in gone)
    assert {young, loose} <= logs(settings.home)
    assert not {old, by_partition} & logs(settings.home)
    assert instance.get_run_by_id(old) is not None
    assert instance.get_latest_materialization_event(dg.AssetKey("members")) is not None
    assert instance.all_logs(old) == [], "an empty log, and no error"
    # A run for no release goes by its age.
    later = tidy_up(instance, lake, settings, now + timedelta(days=63))
    assert loose in {Path(one.path).stem for one in later}
    assert young in logs(settings.home)


def test_a_run_that_is_at_work_keeps_its_log(lake: Lake, settings: Settings, instance: dg.DagsterInstance) -> None:
    tags = {RELEASE_TAG: "2026-12"}
    at_work = instance.create_run_for_job(a_job, tags=tags, status=dg.DagsterRunStatus.STARTED)
    instance.report_engine_event("at work", at_work)
    assert tidy_up(instance, lake, settings, datetime.now(UTC)) == []
    assert at_work.run_id in logs(settings.home)


def test_the_job_keeps_house_and_says_how_much_went(
    lake: Lake, settings: Settings, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLM_KEEP_MONTHS", "2")
    publish(settings.home, *MONTHS)
    old = run(instance, **{RELEASE_TAG: "2026-12"})
    result = housekeeping.execute_in_process(
        instance=instance, resources={"lake": LakeResource(home=str(settings.home))}
    )
    [said] = [event for event in result.all_node_events if event.event_type_value == "STEP_OUTPUT"]
    metadata = said.step_output_data.metadata
    assert {name: metadata[name].value for name in ("versions", "datasets", "log")} == {
        "versions": 0, "datasets": 2, "log": 1,
    }  # fmt: skip
    assert old not in logs(settings.home)
    assert lake.list_names("datasets") == ["2027-02", "2027-03"]
