"""The schedule that refreshes each month of the support window once: the one place that goes by the clock.

A tick stands for the month that it falls in. It starts the job `monthly_refresh` (`refreshing`), or is skipped with a
reason that the UI shows.
"""

from datetime import UTC, datetime
from typing import Any, Final

import dagster as dg
from dagster import DagsterInstance, DagsterRunStatus, RunsFilter
from dagster._core.scheduler.instigation import InstigatorStatus, InstigatorType
from dagster._core.storage.dagster_run import FINISHED_STATUSES
from dagster._utils.schedules import is_valid_cron_schedule

from mlm_assets.automation.instance import dead_runs, end_dead_runs
from mlm_assets.automation.refreshing import JOB_NAME, monthly_refresh, run_request
from mlm_assets.automation.run_lock import holder
from mlm_assets.automation.support import CATCH_UP, Support, month_of, support_of
from mlm_assets.errors import Refused
from mlm_assets.resources.services import RELEASE_TAG, LakeResource
from mlm_assets.settings import Settings, load_settings

SCHEDULE_NAME: Final = JOB_NAME
_GOING_ON: Final = [status for status in DagsterRunStatus if status not in FINISHED_STATUSES]
_SERVICES: Final = ("sparql_url", "wikipedia_url", "commons_url")


def skip_reason(settings: Settings, support: Support, busy: str | None, now: str) -> str | None:
    """Return why a tick at the moment of `support` does nothing, None where it refreshes its month.

    `busy` is who refreshes already, as a phrase; `now` is the month that it is by the clock.
    """
    month, first, last = support.this_month, support.months[0].release, support.months[-1].release
    if support.phase == "before":
        return f"{month} lies before the support window, which begins with {first}."
    if support.phase == "after":
        return f"{month} lies after the support window, which ended with {last}."
    this = next(one for one in support.months if one.release == month)
    if this.is_refreshed:
        after = f" Next: {support.next_release}, {support.next_at:%Y-%m-%d %H:%M} UTC." if support.next_at else ""
        return f"{month} was refreshed {this.refreshed_at[:16]}.{after}{_missing(support)}"
    if month < now:
        return f"{month} has gone by: {CATCH_UP.format(release=month)}."
    if busy is not None:
        return f"{busy} is at work; {month} waits for another tick, or for `mlm run --release {month}`."
    return _lacks_contact(settings)


def _lacks_contact(settings: Settings) -> str | None:
    try:
        for name in _SERVICES:
            settings.require_contact(getattr(settings, name))
    except Refused as error:
        return str(error)
    return None


def _missing(support: Support) -> str:
    if not support.missing:
        return ""
    return f" Missing: {', '.join(support.missing)}; {CATCH_UP.format(release=support.missing[0])}."


def busy_with(instance: DagsterInstance, settings: Settings) -> str | None:
    """Return who refreshes in this home now, as a phrase; None where nobody does. Only looks."""
    dead = {run.run_id for run, _ in dead_runs(instance)}
    for run in instance.get_runs(RunsFilter(job_name=JOB_NAME, statuses=_GOING_ON)):
        if run.run_id not in dead:
            return f"The refresh of {run.tags.get(RELEASE_TAG, 'another month')} (run {run.run_id[:8]})"
    return holder(settings.home)


def is_running(instance: DagsterInstance, settings: Settings) -> bool:
    """Tell whether the schedule is started: by somebody, else by default."""
    for state in instance.all_instigator_state(instigator_type=InstigatorType.SCHEDULE):
        if state.instigator_name == SCHEDULE_NAME and state.status != InstigatorStatus.DECLARED_IN_CODE:
            return state.status == InstigatorStatus.RUNNING
    return default_status(settings) == dg.DefaultScheduleStatus.RUNNING


def default_status(settings: Settings) -> dg.DefaultScheduleStatus:
    """Return whether the schedule runs before anybody started or stopped it.

    It does where somebody named a contact: that is the one setting that the real services cannot be asked without, and
    that a rehearsal on a generated world does not need. A demonstration does not start to refresh by itself.
    """
    is_set_up = bool((settings.contact or "").strip())
    return dg.DefaultScheduleStatus.RUNNING if is_set_up else dg.DefaultScheduleStatus.STOPPED


def refresh_schedule(settings: Settings) -> dg.ScheduleDefinition:
    """Return the schedule of a home.

    Raises:
        Refused: its cron line is none.
    """
    if not is_valid_cron_schedule(settings.refresh_cron):
        raise Refused(
            f"MLM_REFRESH_CRON {settings.refresh_cron!r} is no cron line; write minute, hour, day of the month, month "
            "and weekday, as in 0 3 2-9 * *."
        )

    @dg.schedule(
        name=SCHEDULE_NAME,
        job=monthly_refresh,
        cron_schedule=settings.refresh_cron,
        execution_timezone="UTC",
        default_status=default_status(settings),
        description=f"Refreshes each month of the support window ({settings.support_start} and the 35 after it) once. "
        "A tick outside the window, or of a month that is done, is skipped with the reason.",
        metadata={"support_window": f"{settings.support_start} and the 35 months after it", "time_zone": "UTC"},
    )
    def schedule(context: dg.ScheduleEvaluationContext, lake: LakeResource) -> Any:
        return tick(context.instance, lake, context.scheduled_execution_time, datetime.now(UTC))

    return schedule


def tick(
    instance: DagsterInstance, lake: LakeResource, due_at: datetime, now: datetime
) -> dg.RunRequest | dg.SkipReason:
    """Return what the tick that was due at `due_at` does at the moment `now`: refresh its month, or nothing, with the
    reason. A daemon that was down makes up for a tick when it is back, perhaps in another month."""
    settings = lake.settings()
    support = support_of(settings, lake.open(), due_at)
    end_dead_runs(instance)  # One that was killed is at work no more.
    why = skip_reason(settings, support, busy_with(instance, settings), month_of(now))
    return dg.SkipReason(why) if why else run_request(support.this_month)


MONTHLY_REFRESH: Final = refresh_schedule(load_settings())
