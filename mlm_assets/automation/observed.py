"""What Dagster's instance holds, as the plain records that alerts work on (`alerts.records`).

Only looks. Details of a run (its error, whether a check blocked it) are read for runs alone that failed and that no
later run of the same kind made up for.
"""

import re
from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from dagster import DagsterEventType, DagsterInstance, DagsterRun, DagsterRunStatus, RunsFilter
from dagster._core.scheduler.instigation import (
    InstigatorState,
    InstigatorStatus,
    InstigatorTick,
    InstigatorType,
    ScheduleInstigatorData,
    TickStatus,
)
from dagster._core.storage.dagster_run import FINISHED_STATUSES, RunRecord
from dagster._utils.schedules import get_latest_completed_cron_tick

from mlm_assets.alerts import records
from mlm_assets.errors import BlockedByCheck, Refused
from mlm_assets.releases import release_window
from mlm_assets.resources.services import RELEASE_TAG, run_release
from mlm_assets.settings import Settings

_PARTITION_TAG: Final = "dagster/partition"
_RUNS_FOR: Final = timedelta(days=90)
_OUTCOMES: Final[dict[DagsterRunStatus, records.Outcome]] = {
    DagsterRunStatus.SUCCESS: "success",
    DagsterRunStatus.FAILURE: "failure",
    DagsterRunStatus.CANCELED: "canceled",
}
_GOING_ON: Final = [status for status in DagsterRunStatus if status not in FINISHED_STATUSES]
_TICKS: Final = 3


def observe(
    instance: DagsterInstance, settings: Settings, *, repository: Any = None, now: datetime | None = None
) -> records.Observed:
    """Return what the instance holds. `repository` are the loaded definitions; those of the package by default."""
    moment = now or datetime.now(UTC)
    definitions = repository if repository is not None else _own_repository()
    ticks, schedules = observe_ticks(instance, definitions, moment)
    return records.Observed(
        moment, _runs(instance, settings, definitions, moment), ticks, schedules, owners_of(definitions)
    )


def change_of(instance: DagsterInstance, repository: Any, now: datetime) -> list[Any]:
    """Return plain data that changes when a run, or how sensors and schedules fare, has changed."""
    newest = instance.get_run_records(limit=1, order_by="update_timestamp")
    runs = [(one.dagster_run.run_id, one.dagster_run.status.value, one.update_timestamp) for one in newest]
    ticks, schedules = observe_ticks(instance, repository, now)
    return [
        [[run_id, status, str(at)] for run_id, status, at in runs],
        [[tick.name, tick.has_failed] for tick in ticks],
        [[one.name, str(one.due_at), str(one.last_tick_at)] for one in schedules],
    ]


def _own_repository() -> Any:
    from mlm_assets.definitions import defs

    return defs.get_repository_def()


def owners_of(repository: Any) -> dict[str, tuple[str, ...]]:
    """Return the owners of each asset, by table."""
    graph = repository.asset_graph
    return {key.to_user_string(): tuple(graph.get(key).owners) for key in graph.materializable_asset_keys}


# -- runs ------------------------------------------------------------------------------------------------------------


def _runs(instance: DagsterInstance, settings: Settings, repository: Any, now: datetime) -> list[records.RunRecord]:
    failed = instance.get_run_records(RunsFilter(statuses=[DagsterRunStatus.FAILURE], created_after=now - _RUNS_FOR))
    found = [*failed, *_later_successes(instance, failed)]
    found += instance.get_run_records(RunsFilter(statuses=_GOING_ON))
    found += instance.get_run_records(RunsFilter(updated_after=now - timedelta(seconds=settings.alert_settle_s)))
    by_id = {record.dagster_run.run_id: record for record in found}
    tables = _tables_of_jobs(repository)
    plain = [_plain(record, settings, tables) for record in by_id.values()]
    return list(_with_details(instance, plain))


def _later_successes(instance: DagsterInstance, failed: Sequence[RunRecord]) -> list[RunRecord]:
    """Return the successful runs of the jobs that failed, since they did for the first time."""
    first: dict[str, datetime] = {}
    for record in failed:
        job = record.dagster_run.job_name
        first[job] = min(first.get(job, record.create_timestamp), record.create_timestamp)
    found: list[RunRecord] = []
    for job, since in first.items():
        filters = RunsFilter(job_name=job, statuses=[DagsterRunStatus.SUCCESS], created_after=_utc(since))
        found += instance.get_run_records(filters)
    return found


def _tables_of_jobs(repository: Any) -> dict[str, tuple[str, ...]]:
    return {
        job.name: tuple(sorted(key.to_user_string() for key in job.asset_layer.selected_asset_keys))
        for job in repository.get_all_jobs()
        if not job.name.startswith("__")
    }


def _plain(record: RunRecord, settings: Settings, of_jobs: dict[str, tuple[str, ...]]) -> records.RunRecord:
    # Imported here: it loads the partitions of the home, which is not known yet where a command begins.
    from mlm_assets.automation.refreshing import JOB_NAME as REFRESH_JOB

    run = record.dagster_run
    partition = run.tags.get(_PARTITION_TAG, "")
    selected = tuple(sorted(key.to_user_string() for key in run.asset_selection or ()))
    if run.job_name == REFRESH_JOB:
        # It has no asset of its own, but an end: the manifest of its month, by whoever it is made.
        partition, selected = run.tags.get(RELEASE_TAG, ""), ("refresh",)
    return records.RunRecord(
        run.run_id,
        run.job_name,
        partition,
        _release_of(run, partition, settings),
        _OUTCOMES.get(run.status, "going_on"),
        _utc(record.create_timestamp),
        datetime.fromtimestamp(record.end_time, UTC) if record.end_time else None,
        selected or of_jobs.get(run.job_name, ()),
    )


def _release_of(run: DagsterRun, partition: str, settings: Settings) -> str:
    """Return the release that a run works for: its partition, its tag, else the one that is open."""
    if partition in release_window(settings.support_start):
        return partition
    with suppress(Refused):
        return run_release(run.tags, settings)
    return ""


def _with_details(instance: DagsterInstance, runs: Sequence[records.RunRecord]) -> Iterable[records.RunRecord]:
    newest: dict[tuple[str, str, tuple[str, ...]], records.RunRecord] = {}
    for run in sorted(runs, key=lambda run: run.created_at):
        if run.outcome in ("success", "failure"):
            newest[run.job, run.partition, run.tables] = run
    for run in runs:
        is_newest = newest.get((run.job, run.partition, run.tables)) is run
        yield _detailed(instance, run) if run.outcome == "failure" and is_newest else run


def _detailed(instance: DagsterInstance, run: records.RunRecord) -> records.RunRecord:
    from dataclasses import replace

    return replace(run, error=_error(instance, run.run_id), is_blocked_by_check=_is_blocked(instance, run.run_id))


def _is_blocked(instance: DagsterInstance, run_id: str) -> bool:
    """Tell whether a blocking check failed in a run, or in a step of the walk that it was."""
    for event in _events(instance, run_id, DagsterEventType.STEP_FAILURE):
        error = event.step_failure_data.error
        while error is not None:
            if error.cls_name == BlockedByCheck.__name__:
                return True
            error = error.cause
    for event in _events(instance, run_id, DagsterEventType.ASSET_CHECK_EVALUATION):
        said = event.asset_check_evaluation_data
        if said.blocking and not said.passed and said.severity.value == "ERROR":
            return True
    return False


def _error(instance: DagsterInstance, run_id: str) -> str:
    """Return the sentence of the innermost error of a run's first failed step, else of the run's own failure."""
    for event in _events(instance, run_id, DagsterEventType.STEP_FAILURE):
        error = event.step_failure_data.error
        while error is not None and error.cause is not None:
            error = error.cause
        if error is not None:
            return _sentence(error.message)
    return next((event.message or "" for event in _events(instance, run_id, DagsterEventType.RUN_FAILURE)), "")


def _events(instance: DagsterInstance, run_id: str, kind: DagsterEventType) -> list[Any]:
    found = instance.get_records_for_run(run_id, of_type=kind).records
    return [one.event_log_entry.dagster_event for one in found if one.event_log_entry.dagster_event is not None]


def _sentence(message: str) -> str:
    """Return an error's message without the path of its class in front."""
    return re.sub(r"^[\w.]+: ", "", message.strip())


# -- sensors and schedules -------------------------------------------------------------------------------------------


def observe_ticks(
    instance: DagsterInstance, repository: Any, now: datetime
) -> tuple[list[records.TickRecord], list[records.ScheduleRecord]]:
    """Return the newest finished tick of each sensor and schedule that is running and still defined."""
    known = {one.name: one for one in (*repository.sensor_defs, *repository.schedule_defs)}
    ticks, schedules = [], []
    for state in instance.all_instigator_state():
        if state.status == InstigatorStatus.STOPPED or state.instigator_name not in known:
            continue
        recent = instance.get_ticks(state.instigator_origin_id, state.selector_id, limit=_TICKS)
        finished = next((tick for tick in recent if tick.status != TickStatus.STARTED), None)
        if finished is not None:
            ticks.append(_tick(state, finished))
        if isinstance(state.instigator_data, ScheduleInstigatorData):
            definition = known[state.instigator_name]
            schedules.append(_schedule(state.instigator_data, definition, recent, now))
    return ticks, schedules


def _tick(state: InstigatorState, tick: InstigatorTick) -> records.TickRecord:
    error = tick.error.message if tick.error is not None else ""
    return records.TickRecord(
        state.instigator_name,
        "schedule" if state.instigator_type == InstigatorType.SCHEDULE else "sensor",
        tick.status == TickStatus.FAILURE,
        datetime.fromtimestamp(tick.timestamp, UTC),
        _sentence(error),
    )


def _schedule(
    data: ScheduleInstigatorData, definition: Any, recent: Sequence[InstigatorTick], now: datetime
) -> records.ScheduleRecord:
    crons = [definition.cron_schedule] if isinstance(definition.cron_schedule, str) else definition.cron_schedule
    zone = definition.execution_timezone
    due = max(get_latest_completed_cron_tick(cron, now, zone) for cron in crons)
    return records.ScheduleRecord(
        definition.name,
        ", ".join(crons),
        due.astimezone(UTC),
        datetime.fromtimestamp(recent[0].timestamp, UTC) if recent else None,
        datetime.fromtimestamp(data.start_timestamp, UTC) if data.start_timestamp else None,
    )


def _utc(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
