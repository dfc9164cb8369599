"""The sensor on a real instance: runs that fail, checks that block, ticks and schedules as the daemon records them."""

import io
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._core.definitions.run_request import InstigatorType
from dagster._core.remote_origin import (
    InProcessCodeLocationOrigin,
    RemoteInstigatorOrigin,
    RemoteRepositoryOrigin,
)
from dagster._core.scheduler.instigation import (
    InstigatorState,
    InstigatorStatus,
    ScheduleInstigatorData,
    SensorInstigatorData,
    TickData,
    TickStatus,
)
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin
from dagster._daemon.types import DaemonHeartbeat
from dagster_shared.error import SerializableErrorInfo
from rich.console import Console

from mlm_assets.alerts import problems
from mlm_assets.alerts.ledger import LEDGER_FILE, locked, read_ledger
from mlm_assets.automation.instance import keep_settings, make_home
from mlm_assets.automation.observed import observe
from mlm_assets.automation.sensors import alerts_sensor
from mlm_assets.commands import alerts as command
from mlm_assets.commands.status import status
from mlm_assets.errors import Refused
from mlm_assets.resources.alerts import AlertResource
from mlm_assets.resources.services import LakeResource
from tests.unit.alerts.alert_worlds import World, failed

RELEASE = "2026-12"
_ORIGIN = RemoteRepositoryOrigin(
    InProcessCodeLocationOrigin(LoadableTargetOrigin(python_file="platform.py"), location_name="platform"), "platform"
)


class Outcome(dg.Config):
    """What the asset is to do."""

    is_broken: bool = False
    is_blocked: bool = False


@dg.asset(
    key="images",
    partitions_def=dg.StaticPartitionsDefinition(["00", "01"]),
    owners=["team:media"],
    check_specs=[dg.AssetCheckSpec("accepted", asset="images", blocking=True)],
)
def images(config: Outcome) -> dg.MaterializeResult:
    if config.is_broken:
        raise RuntimeError("the disk is full") from ValueError("no room in /data")
    check = dg.AssetCheckResult(check_name="accepted", passed=not config.is_blocked)
    return dg.MaterializeResult(check_results=[check])


@dg.sensor(name="automation", target=images)
def automation(_: Any) -> dg.SkipReason:
    return dg.SkipReason("nothing")


JOB = dg.define_asset_job("refresh_images", [images], executor_def=dg.in_process_executor)
MONTHLY = dg.ScheduleDefinition("monthly_refresh", cron_schedule="0 3 1 * *", job=JOB, execution_timezone="UTC")
DEFS = dg.Definitions(assets=[images], jobs=[JOB], sensors=[automation, alerts_sensor], schedules=[MONTHLY],
                      resources={"alerting": AlertResource(lake=LakeResource())})  # fmt: skip


@dataclass
class Platform:
    """A home, an instance, and the file that alerts arrive in."""

    world: World
    instance: dg.DagsterInstance
    inbox: Path
    cursor: str | None = None

    def run(self, partition: str = "00", **config: bool) -> None:
        """Materialise one partition."""
        DEFS.resolve_job_def("refresh_images").execute_in_process(
            instance=self.instance, partition_key=partition, raise_on_error=False,
            run_config={"ops": {"images": {"config": config}}}, tags={"mlm/release": RELEASE},
        )  # fmt: skip

    def tick(self) -> str:
        """Let the sensor look once; return what it says."""
        home = str(self.world.settings.home)
        built = dg.build_sensor_context(
            self.instance, cursor=self.cursor, repository_def=DEFS.get_repository_def(),
            resources={"alerting": AlertResource(lake=LakeResource(home=home))},
        )  # fmt: skip
        with built as context:
            result = alerts_sensor(context)
        assert isinstance(result, dg.SensorResult)
        assert isinstance(result.skip_reason, dg.SkipReason)
        self.cursor = result.cursor
        return str(result.skip_reason.skip_message)

    def came(self) -> list[str]:
        """Return the titles of what has arrived."""
        text = self.inbox.read_text("utf-8") if self.inbox.exists() else ""
        return [line for line in text.splitlines() if line.startswith("MLM")]

    def record(
        self, name: str, kind: InstigatorType, status: TickStatus, at: datetime, error: str = "",
        state: InstigatorStatus = InstigatorStatus.RUNNING, since: datetime | None = None,
    ) -> None:  # fmt: skip
        """Record a tick as the daemon does."""
        data: Any = SensorInstigatorData()
        if kind == InstigatorType.SCHEDULE:
            data = ScheduleInstigatorData("0 3 1 * *", since.timestamp() if since else None)
        one = InstigatorState(RemoteInstigatorOrigin(_ORIGIN, name), kind, state, data)
        if self.instance.get_instigator_state(one.instigator_origin_id, one.selector_id) is None:
            self.instance.add_instigator_state(one)
        said = SerializableErrorInfo(error, [], "Error") if error else None
        self.instance.create_tick(
            TickData(
                one.instigator_origin_id,
                name,
                kind,
                status,
                at.timestamp(),
                error=said,
                selector_id=one.selector_id,
                run_ids=[] if status == TickStatus.SUCCESS else None,
                skip_reason="nothing" if status == TickStatus.SKIPPED else None,
            )
        )


@pytest.fixture(scope="module")
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.instance_for_test() as instance:
        yield instance


@pytest.fixture
def platform(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, instance: dg.DagsterInstance) -> Platform:
    inbox = tmp_path / "inbox.txt"
    monkeypatch.setenv("MLM_ALERT_URLS", inbox.as_uri())
    monkeypatch.setenv("MLM_ALERT_SETTLE_S", "0")
    instance.wipe()
    instance.wipe_all_schedules()
    return Platform(World(tmp_path / "home"), instance, inbox)


def test_a_run_that_fails_is_told_once_and_its_repair_too(platform: Platform) -> None:
    platform.run("00", is_broken=True)
    platform.run("01", is_broken=True)
    assert "1 message delivered" in platform.tick()
    assert platform.came() == [f"MLM {RELEASE}: refresh_images failed"]
    text = platform.inbox.read_text("utf-8")
    assert "no room in /data" in text
    assert "2 partitions: 0" in text
    platform.run("00")
    platform.tick()
    assert len(platform.came()) == 1
    platform.run("01")
    platform.tick()
    assert platform.came()[1:] == [f"MLM {RELEASE}: refresh_images well again"]


def test_a_run_that_a_check_blocked_is_told_as_that_check_and_not_again_as_a_run(platform: Platform) -> None:
    platform.run("00", is_blocked=True)
    platform.world.block("00", "images")
    platform.tick()
    assert platform.came() == [f"MLM {RELEASE}: images blocked: French (fr) explains 100 % of the loss"]
    assert "refresh_images" not in platform.inbox.read_text("utf-8")
    platform.run("00", is_blocked=True)
    platform.world.block("00", "images")
    platform.tick()
    assert len(platform.came()) == 1


def test_a_look_at_what_has_not_changed_opens_no_ledger(platform: Platform) -> None:
    platform.run("00")
    platform.tick()
    with locked(platform.world.settings.home):
        assert platform.tick().startswith("Nothing changed.")
    platform.world.block("00", "images")
    with locked(platform.world.settings.home):
        assert "another process" in platform.tick()
    platform.tick()
    assert len(platform.came()) == 1


def test_the_sensor_comes_back_when_a_retry_is_due(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLM_ALERT_URLS", (platform.inbox / "no" / "folder").as_uri())
    platform.world.block("00", "images")
    assert "1 delivery failed or waiting" in platform.tick()
    assert platform.tick().startswith("Nothing changed.")
    cursor = json.loads(platform.cursor or "")
    cursor["again_at"] = datetime.now(UTC).isoformat()
    platform.cursor = json.dumps(cursor)
    ledger = platform.world.settings.home / LEDGER_FILE
    said = json.loads(ledger.read_text())
    said["messages"][0]["deliveries"][0]["next_at"] = datetime.now(UTC).isoformat()
    ledger.write_text(json.dumps(said))
    platform.tick()
    assert read_ledger(platform.world.settings.home).undelivered()[0][1].attempts == 2


def test_a_bad_target_or_file_of_routes_fails_no_tick(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLM_ALERT_URLS", "nonsense://s3cr3t")
    platform.world.block("00", "images")
    assert "1 delivery failed" in platform.tick()
    (platform.world.settings.home / "alerts.toml").write_text("[[route]")
    said = platform.tick()
    assert "no TOML" in said
    assert "s3cr3t" not in said + (platform.cursor or "")


def test_a_damaged_ledger_fails_the_tick(platform: Platform) -> None:
    platform.world.block("00", "images")
    ledger = platform.world.settings.home / LEDGER_FILE
    ledger.parent.mkdir()
    ledger.write_text("{")
    with pytest.raises(Exception, match="ledger"):
        platform.tick()


def kinds(platform: Platform, now: datetime) -> list[tuple[str, str]]:
    observed = observe(platform.instance, platform.world.settings, repository=DEFS.get_repository_def(), now=now)
    found = problems.look(platform.world.settings, platform.world.lake, observed).problems
    return [(one.key.kind, one.key.table) for one in found]


def test_ticks_are_read_as_the_daemon_records_them(platform: Platform) -> None:
    now = datetime(2026, 12, 1, 8, tzinfo=UTC)
    platform.record("automation", InstigatorType.SENSOR, TickStatus.FAILURE, now, "boom")
    platform.record("automation", InstigatorType.SENSOR, TickStatus.STARTED, now + timedelta(seconds=30))
    platform.record("renamed", InstigatorType.SENSOR, TickStatus.FAILURE, now, "gone")
    platform.record("alerts", InstigatorType.SENSOR, TickStatus.FAILURE, now, "x", state=InstigatorStatus.STOPPED)
    assert kinds(platform, now) == [("tick", "automation")]
    platform.record("automation", InstigatorType.SENSOR, TickStatus.SKIPPED, now + timedelta(seconds=60))
    assert kinds(platform, now) == []


def test_a_schedule_that_did_not_run_is_seen_by_its_cron(platform: Platform) -> None:
    month = timedelta(days=30)
    now = datetime(2026, 12, 1, 8, tzinfo=UTC)
    due = datetime(2026, 12, 1, 3, tzinfo=UTC)
    platform.record("monthly_refresh", InstigatorType.SCHEDULE, TickStatus.SUCCESS, due - month, since=due - 3 * month)
    assert kinds(platform, now) == [("late", "monthly_refresh")]
    assert kinds(platform, due + timedelta(minutes=59)) == []
    platform.record("monthly_refresh", InstigatorType.SCHEDULE, TickStatus.SUCCESS, due)
    assert kinds(platform, now) == []


def test_runs_and_owners_are_read_as_they_are(platform: Platform) -> None:
    platform.run("00", is_broken=True)
    platform.run("01")
    settings = platform.world.settings
    observed = observe(platform.instance, settings, repository=DEFS.get_repository_def())
    (failed,) = [run for run in observed.runs if run.outcome == "failure"]
    assert (failed.job, failed.partition, failed.release, failed.tables) == (
        "refresh_images", "00", RELEASE, ("images",),
    )  # fmt: skip
    assert failed.ended_at is not None
    assert observed.owners == {"images": ("team:media",)}
    assert not observed.is_busy(RELEASE, 0.0)
    later = replace(observed, now=observed.now)
    assert later.is_busy(RELEASE, 3600.0)
    run = DEFS.resolve_job_def("refresh_images")
    platform.instance.create_run_for_job(run, tags={"mlm/release": RELEASE}, status=dg.DagsterRunStatus.STARTED)
    assert observe(platform.instance, settings, repository=DEFS.get_repository_def()).is_busy(RELEASE, 0.0)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """A home as `mlm run` makes it, in which nothing has run."""
    for name in ("MLM_HOME", "DAGSTER_HOME"):
        monkeypatch.setenv(name, str(tmp_path / "home"))
    world = World(tmp_path / "home")
    make_home(world.settings.home)
    keep_settings(world.settings, {})
    return world


def test_status_names_what_waits_for_a_maintainer(home: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLM_ALERT_URLS", "nonsense://s3cr3t")
    home.block("00", "images")
    home.audit("images", "01", "v", failed("picture_size", severity="WARN"))
    home.accept("images", "01", "v", at=datetime.now(UTC) - timedelta(days=70))
    home.accept("images", "00", "good", release="2026-11", at=datetime.now(UTC))
    command.send(home.settings)
    said = status(home.settings)
    (rejected,) = said["rejected"]
    assert (rejected["table"], rejected["partition"], rejected["checks"]) == ("images", "00", ["rows_by_language"])
    assert said["overdue"] == ["images"]
    assert len(said["undelivered"]) == 2
    assert [line for line in said["warnings"] if "picture_size" in line]
    problems_said = "\n".join(said["problems"])
    for words in ("mlm approve images 00", "accepted 70 days ago", "does not understand address 1", "not delivered"):
        assert words in problems_said, words
    assert "s3cr3t" not in json.dumps(said)


@pytest.mark.parametrize(("age_s", "is_dead"), [(0, False), (7200, True)])
def test_status_sees_a_daemon_whose_heart_stopped(home: World, age_s: float, is_dead: bool) -> None:
    assert status(home.settings)["daemons"] == []
    with dg.DagsterInstance.get() as instance:
        for name in instance.get_required_daemon_types():
            instance.add_daemon_heartbeat(DaemonHeartbeat(time.time() - age_s, name, "id", []))
    said = status(home.settings)
    assert any("the daemon is stopped" in line for line in said["problems"]) == is_dead


def test_the_command_lists_and_tests_routes_without_their_addresses(
    home: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with pytest.raises(Refused, match="MLM_ALERT_URLS"):
        command.test(home.settings)
    monkeypatch.setenv("MLM_ALERT_URLS", f"{(tmp_path / 'in.txt').as_uri()} nonsense://s3cr3t")
    results = command.test(home.settings)
    assert [one["error"] for one in results] == ["", "apprise does not understand this address"]
    assert "This is a test" in (tmp_path / "in.txt").read_text()
    home.block("00", "images")
    assert "delivered" in str(command.send(home.settings))
    said = command.list_alerts(home.settings)
    shown = io.StringIO()
    command.show(said, Console(file=shown, width=200))
    command.show_test(results, Console(file=shown, width=200))
    assert "images · rows_by_language" in shown.getvalue()
    assert "undelivered to route MLM_ALERT_URLS, address 2" in shown.getvalue()
    assert "s3cr3t" not in shown.getvalue() + json.dumps(said)


def test_the_end_of_a_run_tells_at_once(home: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MLM_ALERT_URLS", (tmp_path / "in.txt").as_uri())
    home.block("00", "images")
    with dg.DagsterInstance.get() as instance:
        DEFS.resolve_job_def("refresh_images").execute_in_process(
            instance=instance, partition_key="00", tags={"mlm/release": RELEASE},
            run_config={"ops": {"images": {"config": {"is_blocked": True}}}}, raise_on_error=False,
        )  # fmt: skip
        done = command.tell(home.settings, home.lake, instance, RELEASE)
    assert done.sent == (f"MLM {RELEASE}: images blocked: French (fr) explains 100 % of the loss",)


def test_the_sensor_runs_from_the_start() -> None:
    assert alerts_sensor.default_status == dg.DefaultSensorStatus.RUNNING
