"""The monthly refresh: what a tick does when, who may refresh, and what the home says of its support window."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dagster as dg
import pyarrow as pa
import pytest
from dagster._core.definitions.run_request import InstigatorType
from dagster._core.events import EngineEventData
from dagster._core.remote_origin import InProcessCodeLocationOrigin, RemoteInstigatorOrigin, RemoteRepositoryOrigin
from dagster._core.scheduler.instigation import InstigatorState, InstigatorStatus, ScheduleInstigatorData
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin
from rich.console import Console

from mlm_assets.automation.headless import error_of, legs
from mlm_assets.automation.instance import keep_settings, make_home, set_pools
from mlm_assets.automation.refreshing import (
    JOB_NAME,
    REFRESH_RUN_TAG,
    check_in_time,
    monthly_refresh,
    run_request,
)
from mlm_assets.automation.run_lock import holder, only_run
from mlm_assets.automation.schedules import MONTHLY_REFRESH, default_status, is_running, refresh_schedule, tick
from mlm_assets.automation.sensors import dead_runs_sensor, support_window_sensor
from mlm_assets.automation.support import as_markdown, support_of
from mlm_assets.commands.status import show, status
from mlm_assets.definitions import defs
from mlm_assets.errors import Refused, ServiceUnavailable
from mlm_assets.resources.lake import Lake
from mlm_assets.resources.services import RELEASE_TAG, LakeResource
from mlm_assets.resources.source import WORLD_FILE
from mlm_assets.settings import Settings, load_settings
from mlm_assets.tables import BENCHMARKS, VARIANTS
from tests.commands import mlm

FIRST, SECOND, LAST = "2026-12", "2027-01", "2029-11"
DUE = datetime(2026, 12, 2, 3, 0, tzinfo=UTC)
LOCAL = {
    "sparql_url": "http://127.0.0.1:9/sparql",
    "wikipedia_url": "http://127.0.0.1:9/{lang}/api.php",
    "commons_url": "http://127.0.0.1:9/commons/api.php",
}


@dataclass
class Place:
    """A home with its instance and lake, in which nothing has happened."""

    home: Path
    instance: dg.DagsterInstance

    @property
    def settings(self) -> Settings:
        """The settings as they stand in the home."""
        return load_settings(self.home)

    @property
    def lake(self) -> Lake:
        """The lake of the home."""
        return LakeResource(home=str(self.home)).open()

    def set(self, **kept: Any) -> None:
        """Change settings of the home."""
        keep_settings(self.settings, kept)

    def tick(self, due_at: datetime = DUE, now: datetime | None = None) -> dg.RunRequest | str:
        """Let the schedule tick at a moment; return the run that it asks for, or why it asks for none."""
        said = tick(self.instance, LakeResource(home=str(self.home)), due_at, now or due_at)
        if isinstance(said, dg.RunRequest):
            return said
        assert said.skip_message
        return said.skip_message

    def accept(self, *names: str, release: str = FIRST, partition: str | None = None) -> None:
        """Have a table of a release accepted; it has no rows."""
        lake = self.lake
        for name in names:
            at = release if partition is None else partition
            version = lake.write(name, at, _no_rows(name))
            lake.accept(version, release=release, inputs={}, expected=lake.accepted(name, at))

    def publish(self, release: str, *numbers: int) -> None:
        """Have versions of a release published, as far as folders tell."""
        for number in numbers:
            folder = self.home / "releases" / release / f"v{number}"
            folder.mkdir(parents=True)
            (folder / "manifest.json").write_text("{}", "utf-8")

    @contextmanager
    def running(self, release: str) -> Iterator[dg.DagsterRun]:
        """Have a refresh at work until the end of the block."""
        run = self.instance.create_run_for_job(
            monthly_refresh, run_config=run_request(release).run_config, tags={RELEASE_TAG: release},
            status=dg.DagsterRunStatus.STARTED,
        )  # fmt: skip
        yield run
        self.instance.report_run_canceled(run)


def _no_rows(name: str) -> pa.Table:
    from mlm_assets.resources.lake import arrow_schema

    return arrow_schema(name).empty_table()


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    home = tmp_path / "home"
    make_home(home)
    monkeypatch.setenv("MLM_HOME", str(home))
    monkeypatch.setenv("DAGSTER_HOME", str(home))
    keep_settings(load_settings(home), LOCAL)
    with dg.DagsterInstance.get() as instance:
        yield Place(home, instance)


# -- what a tick does ------------------------------------------------------------------------------------------------


def test_a_tick_starts_the_refresh_of_its_month(place: Place) -> None:
    asked = place.tick()
    assert isinstance(asked, dg.RunRequest)
    assert asked.run_config == {"ops": {"refresh_the_month": {"config": {"release": FIRST}}}}
    assert asked.tags[RELEASE_TAG] == FIRST
    assert MONTHLY_REFRESH.job_name == JOB_NAME


@pytest.mark.parametrize(
    ("moment", "words"),
    [
        (
            datetime(2026, 11, 30, 23, 59, tzinfo=UTC),
            "2026-11 lies before the support window, which begins with 2026-12",
        ),
        (datetime(2029, 12, 2, 3, tzinfo=UTC), "2029-12 lies after the support window, which ended with 2029-11"),
    ],
)
def test_outside_the_window_a_tick_is_skipped_with_the_reason(place: Place, moment: datetime, words: str) -> None:
    assert words in str(place.tick(moment))


@pytest.mark.parametrize("moment", [datetime(2026, 12, 1, tzinfo=UTC), datetime(2029, 11, 30, 23, 59, tzinfo=UTC)])
def test_the_first_and_the_last_minute_of_the_window_belong_to_it(place: Place, moment: datetime) -> None:
    asked = place.tick(moment)
    assert isinstance(asked, dg.RunRequest)
    assert asked.tags[RELEASE_TAG] == f"{moment:%Y-%m}"


def test_the_schedule_goes_by_the_clock(place: Place) -> None:
    now = datetime.now(UTC)
    place.set(support_start=f"{now:%Y-%m}")
    context = dg.build_schedule_context(
        place.instance, scheduled_execution_time=now, repository_def=defs.get_repository_def(),
        resources={"lake": LakeResource(home=str(place.home))},
    )  # fmt: skip
    with context:
        said = MONTHLY_REFRESH.evaluate_tick(context)
    [asked] = said.run_requests or []
    assert asked.tags[RELEASE_TAG] == f"{now:%Y-%m}"


def test_a_tick_that_is_made_up_for_in_its_month_refreshes_it_and_in_another_does_not(place: Place) -> None:
    assert isinstance(place.tick(DUE, datetime(2026, 12, 31, 23, tzinfo=UTC)), dg.RunRequest)
    said = str(place.tick(DUE, datetime(2027, 1, 1, tzinfo=UTC)))
    assert "2026-12 has gone by" in said
    assert "`mlm run --release 2026-12` makes it from today's Wikidata" in said


def test_months_are_those_of_utc(place: Place) -> None:
    # In Kiritimati it is January already.
    asked = place.tick(datetime.fromisoformat("2027-01-01T10:00:00+14:00"))
    assert isinstance(asked, dg.RunRequest)
    assert asked.tags[RELEASE_TAG] == FIRST


def test_a_window_that_starts_elsewhere_is_kept_to(place: Place) -> None:
    place.set(support_start="2027-03")
    assert "begins with 2027-03" in str(place.tick())
    assert isinstance(place.tick(datetime(2030, 2, 2, tzinfo=UTC)), dg.RunRequest)
    assert "ended with 2030-02" in str(place.tick(datetime(2030, 3, 2, tzinfo=UTC)))


def test_a_month_that_is_done_is_left_alone_and_the_next_is_named(place: Place) -> None:
    place.accept("refresh")
    said = str(place.tick())
    assert f"{FIRST} was refreshed" in said
    assert "Next: 2027-01, 2027-01-02 03:00 UTC" in said
    assert isinstance(place.tick(datetime(2027, 1, 2, 3, tzinfo=UTC)), dg.RunRequest)


def test_a_month_that_was_begun_goes_on(place: Place) -> None:
    place.accept("facts", partition="00")
    assert isinstance(place.tick(datetime(2026, 12, 20, tzinfo=UTC)), dg.RunRequest)


def test_a_month_that_was_missed_is_named_and_not_fetched_under_another_name(place: Place) -> None:
    place.accept("refresh")
    place.accept("refresh", release="2027-03")
    said = str(place.tick(datetime(2027, 3, 2, 4, tzinfo=UTC)))
    assert "Missing: 2027-01, 2027-02" in said
    assert "`mlm run --release 2027-01` makes it from today's Wikidata" in said


def test_while_a_refresh_runs_a_tick_names_it(place: Place) -> None:
    with place.running(FIRST) as run:
        said = str(place.tick(datetime(2027, 1, 2, 3, tzinfo=UTC)))
        assert f"The refresh of {FIRST} (run {run.run_id[:8]}) is at work" in said
    assert isinstance(place.tick(datetime(2027, 1, 2, 3, tzinfo=UTC)), dg.RunRequest)


def test_while_mlm_run_is_at_work_a_tick_names_it(place: Place) -> None:
    with only_run(place.home, "mlm run --release 2026-12 --to datasets"):
        said = str(place.tick())
    assert "mlm run --release 2026-12 --to datasets (process " in said
    assert "is at work" in said
    assert isinstance(place.tick(), dg.RunRequest)


def test_a_refresh_whose_process_is_gone_holds_nobody_up(place: Place) -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    with place.running(FIRST) as run:
        place.instance.report_engine_event(
            "Started", run, EngineEventData({"pid": dg.MetadataValue.text(str(gone.pid))})
        )
        assert isinstance(place.tick(), dg.RunRequest)
        assert place.instance.get_run_by_id(run.run_id).status == dg.DagsterRunStatus.FAILURE  # type: ignore[union-attr]


def test_the_sensor_ends_dead_runs_and_leaves_the_living(place: Place) -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    alive = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        with place.running(FIRST) as dead, place.running(SECOND) as living:
            for run, process in ((dead, gone), (living, alive)):
                place.instance.report_engine_event(
                    "Started", run, EngineEventData({"pid": dg.MetadataValue.text(str(process.pid))})
                )
            with dg.build_sensor_context(place.instance) as context:
                said = dead_runs_sensor(context)
            assert dead.run_id in str(said.skip_message)  # type: ignore[union-attr]
            failed = place.instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.FAILURE]))
            assert [one.run_id for one in failed] == [dead.run_id]
    finally:
        alive.kill()
        alive.wait()


def test_the_real_services_are_not_asked_without_a_contact(place: Place) -> None:
    place.set(sparql_url="https://query.wikidata.org/sparql")
    assert "Set MLM_CONTACT" in str(place.tick())
    place.set(contact="maintainers@example.org")
    assert isinstance(place.tick(), dg.RunRequest)


# -- whether it is started -------------------------------------------------------------------------------------------


def test_it_comes_by_itself_where_a_contact_is_named_and_waits_to_be_started_elsewhere(place: Place) -> None:
    assert default_status(place.settings) == dg.DefaultScheduleStatus.STOPPED
    assert not is_running(place.instance, place.settings)
    place.set(contact="maintainers@example.org")
    assert default_status(place.settings) == dg.DefaultScheduleStatus.RUNNING
    assert is_running(place.instance, place.settings)


def test_who_starts_or_stops_it_has_the_last_word(place: Place) -> None:
    origin = RemoteRepositoryOrigin(
        InProcessCodeLocationOrigin(LoadableTargetOrigin(python_file="platform.py"), location_name="platform"),
        "platform",
    )
    state = InstigatorState(
        RemoteInstigatorOrigin(origin, JOB_NAME), InstigatorType.SCHEDULE, InstigatorStatus.RUNNING,
        ScheduleInstigatorData("0 3 2 * *"),
    )  # fmt: skip
    place.instance.add_instigator_state(state)
    assert is_running(place.instance, place.settings)
    place.set(contact="maintainers@example.org")
    place.instance.update_instigator_state(state.with_status(InstigatorStatus.STOPPED))
    assert not is_running(place.instance, place.settings)


def test_a_cron_line_that_is_none_is_refused() -> None:
    for line in ("every month", "61 3 2 * *", "0 3 2 *"):
        with pytest.raises(Refused, match=r"MLM_REFRESH_CRON"):
            refresh_schedule(load_settings(refresh_cron=line))


def test_the_cron_line_and_the_zone_are_those_of_the_settings() -> None:
    made = refresh_schedule(load_settings(refresh_cron="30 4 * * 1"))
    assert (made.cron_schedule, made.execution_timezone) == ("30 4 * * 1", "UTC")


# -- one at a time ---------------------------------------------------------------------------------------------------


def test_two_walks_of_a_home_are_refused_and_the_first_is_named(tmp_path: Path) -> None:
    assert holder(tmp_path) is None
    named = r"the refresh of 2026-12 \(run 0123abcd\) \(process \d+, since 20.*at work"
    with only_run(tmp_path, "the refresh of 2026-12 (run 0123abcd)"):
        with pytest.raises(Refused, match=named), only_run(tmp_path, "mlm run"):
            raise AssertionError("the second got in")
        assert "the refresh of 2026-12" in str(holder(tmp_path))
    assert holder(tmp_path) is None
    with only_run(tmp_path, "mlm run"):
        pass


def test_a_walk_that_was_killed_holds_nobody_up(tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from mlm_assets.automation.run_lock import only_run\n"
        "with only_run(Path(sys.argv[1]), 'mlm run --release 2026-12'): print('in', flush=True); time.sleep(60)"
    )
    process = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "in\n"
        with pytest.raises(Refused, match=f"mlm run --release 2026-12 .process {process.pid}"), only_run(tmp_path, "b"):
            raise AssertionError("the second got in")
    finally:
        process.kill()
        process.wait()
    assert holder(tmp_path) is None, "its note is still there, and is not believed"
    with only_run(tmp_path, "mlm run"):
        pass


def refresh(place: Place, **settings: Any) -> dg.ExecuteInProcessResult:
    """Run the job for the first month, in a home whose services are away."""
    place.set(max_attempts=1, refresh_retry_s=0.01, **settings)
    return defs.resolve_job_def(JOB_NAME).execute_in_process(
        instance=place.instance, run_config=run_request(FIRST).run_config, tags={RELEASE_TAG: FIRST},
        raise_on_error=False,
    )  # fmt: skip


def n_retries(result: dg.ExecuteInProcessResult) -> int:
    return sum(event.event_type == dg.DagsterEventType.STEP_UP_FOR_RETRY for event in result.all_events)


def test_a_service_that_is_away_is_asked_again_after_a_pause_and_then_named(place: Place) -> None:
    result = refresh(place, refresh_retries=2)
    assert not result.success
    assert n_retries(result) == 2
    assert "list_candidates" in error_of(result).args[0]
    assert isinstance(error_of(result), ServiceUnavailable)
    steps = place.instance.get_runs(dg.RunsFilter(job_name="list_candidates"))
    assert len(steps) == 3
    assert {run.tags[REFRESH_RUN_TAG] for run in steps} == {result.run_id}
    assert {run.tags["dagster/max_retries"] for run in steps} == {"0"}, "the daemon does not start steps again"
    assert holder(place.home) is None


def test_a_refresh_beside_mlm_run_is_refused_and_not_tried_again(place: Place) -> None:
    with only_run(place.home, "mlm run --release 2026-12"):
        result = refresh(place)
    assert isinstance(error_of(result), Refused)
    assert "mlm run --release 2026-12 (process" in error_of(result).args[0]
    assert n_retries(result) == 0
    assert not place.instance.get_runs(dg.RunsFilter(job_name="list_candidates"))


def test_a_run_of_the_schedule_that_comes_in_another_month_fetches_nothing(place: Place) -> None:
    lake, late = Lake(place.settings.home), datetime(2027, 1, 1, tzinfo=UTC)
    scheduled = {"dagster/schedule_name": JOB_NAME}
    with pytest.raises(Refused, match="mlm run --release 2026-12"):
        check_in_time(scheduled, lake, "2026-12", late)
    check_in_time(scheduled, lake, "2026-12", datetime(2026, 12, 31, 23, 59, tzinfo=UTC))
    check_in_time({}, lake, "2026-12", late)  # somebody asked for it by hand


def test_a_refresh_from_another_source_is_refused(place: Place) -> None:
    (place.settings.home / WORLD_FILE).write_text('{"source": "query.wikidata.org"}')
    place.set(sparql_url="https://qlever.example.org/api/wikidata")
    result = refresh(place)
    assert isinstance(error_of(result), Refused)
    assert "another source (query.wikidata.org)" in error_of(result).args[0]


def test_a_refresh_of_no_month_of_the_window_is_refused(place: Place) -> None:
    place.set(support_start="2027-06")
    result = refresh(place)
    assert isinstance(error_of(result), Refused)
    assert "is no release" in error_of(result).args[0]


def test_a_second_run_waits_in_the_pool_for_the_first(place: Place) -> None:
    set_pools(place.instance)
    [node] = monthly_refresh.graph.node_dict.values()
    assert place.instance.event_log_storage.get_concurrency_info(node.definition.pool).slot_count == 1


def test_a_release_of_datasets_alone_leaves_out_features_and_models() -> None:
    every, alone = legs(FIRST, "release"), legs(FIRST, "release", without_models=True)
    assert {leg.target for leg in every} - {leg.target for leg in alone} == {"features", "models"}
    assert [leg.tables for leg in alone[-3:]] == [("attribution",), ("release_diff",), ("release_files",)]


def test_without_models_goes_with_a_release_only(tmp_path: Path) -> None:
    said = mlm("run", "--home", tmp_path / "home", "--generate", "10", "--without-models", "--to", "models")
    assert said.returncode == 2
    assert "--without-models goes with --to release" in said.stderr
    assert not (tmp_path / "home").exists()


# -- what is said of the window --------------------------------------------------------------------------------------


def test_the_window_says_how_far_each_month_is(place: Place) -> None:
    place.accept("refresh", *VARIANTS, "release_files")
    place.publish(FIRST, 1, 2)
    place.accept("refresh", *VARIANTS, *(table.name for table in BENCHMARKS), "release_files", release=SECOND)
    place.accept("refresh", *VARIANTS, *(table.name for table in BENCHMARKS), release="2027-02")
    place.accept("refresh", *VARIANTS, release="2027-03")
    place.accept("refresh", release="2027-04")
    place.accept("facts", release="2027-05", partition="00")
    said = support_of(place.settings, place.lake, datetime(2027, 6, 10, tzinfo=UTC))
    words = {one.release: one.words for one in said.months if one.words}
    assert {name: words[name] for name in words if name != "2027-05"} == {
        FIRST: "published v2", SECOND: "drafted", "2027-02": "trained", "2027-03": "datasets", "2027-04": "refreshed",
    }  # fmt: skip
    assert words["2027-05"].startswith("begun (1 of ")
    assert said.missing == ("2027-05",)
    assert (said.next_release, said.next_at) == ("2027-07", datetime(2027, 7, 2, 3, tzinfo=UTC))
    shown = as_markdown(said)
    assert "| 2027-01 | drafted |" in shown
    assert "| 2027-06 | to come |" in shown, "its tick has gone by, its month has not"
    assert "| 2027-07 | next |" in shown


@pytest.mark.parametrize(
    ("now", "phase", "following"),
    [
        (datetime(2026, 11, 21, tzinfo=UTC), "before", FIRST),
        (datetime(2026, 12, 9, 3, 0, tzinfo=UTC), "within", FIRST),
        (datetime(2026, 12, 9, 3, 1, tzinfo=UTC), "within", SECOND),
        (datetime(2029, 11, 9, 3, 0, tzinfo=UTC), "within", LAST),
        (datetime(2029, 11, 10, tzinfo=UTC), "within", ""),
        (datetime(2029, 12, 1, tzinfo=UTC), "after", ""),
    ],
)
def test_what_is_next_is_the_first_tick_that_finds_something_to_do(
    place: Place, now: datetime, phase: str, following: str
) -> None:
    said = support_of(place.settings, place.lake, now)
    assert (said.phase, said.next_release) == (phase, following)


def test_the_status_says_the_same_as_text_and_as_json(place: Place) -> None:
    place.accept("refresh", *VARIANTS)
    with place.running(SECOND) as run:
        said = status(place.settings)
    assert said["support"]["releases"][0]["release"] == FIRST
    assert said["support"]["releases"][0]["state"] == "datasets"
    assert said["support"]["schedule"] is False
    assert run.run_id[:8] in said["support"]["busy"]
    console = Console(record=True, width=200)
    show(said, console)
    text = console.export_text()
    assert f"support: {FIRST} … {LAST}, 1 of 36 releases refreshed" in text
    assert f"done: {FIRST} datasets" in text
    assert "schedule: stopped" in text
    assert f"at work: The refresh of {SECOND}" in text


def test_the_ui_shows_the_window_and_reports_it_when_it_changed(place: Place) -> None:
    def look(cursor: str | None) -> dg.SensorResult:
        lake = LakeResource(home=str(place.home))
        with dg.build_sensor_context(place.instance, cursor=cursor, resources={"lake": lake}) as context:
            said = support_window_sensor(context)
        assert isinstance(said, dg.SensorResult)
        return said

    first = look(None)
    [event] = first.asset_events
    assert event.asset_key == dg.AssetKey("support_window")
    assert "| 2026-12 |" in str(event.metadata["window"].value)
    again = look(first.cursor)
    assert not again.asset_events
    place.accept("refresh")
    [event] = look(again.cursor).asset_events
    assert event.metadata["refreshed"].value == 1
    assert dg.AssetKey("support_window") in {spec.key for spec in defs.resolve_all_asset_specs()}
