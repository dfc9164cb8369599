"""The job `monthly_refresh`: the walk of `mlm run --to refresh` inside one run of the daemon.

One op walks the shards one after the other in its own process, each as a Dagster run of its own, as `mlm run` does
(`headless`): 0.2 s a partition instead of the 8 s of a process. It ends when the manifest of the month is accepted;
what follows (datasets, models, the draft) is asked for by the automation conditions. When the job is started is in
`schedules`; a run of the schedule that comes too late, in another month, fetches nothing.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

import dagster as dg
from dagster._core.storage.tags import SCHEDULE_NAME_TAG

from mlm_assets.automation.headless import Leg, Step, Walk, legs, pinned_settings
from mlm_assets.automation.instance import REFRESH_POOL, end_dead_runs
from mlm_assets.automation.run_lock import only_run
from mlm_assets.automation.summary import sum_up
from mlm_assets.automation.support import CATCH_UP, month_of
from mlm_assets.errors import Refused, ServiceUnavailable
from mlm_assets.releases import check_release
from mlm_assets.resources.lake import Lake
from mlm_assets.resources.services import FULL_TAG, RELEASE_TAG, LakeResource
from mlm_assets.resources.source import UNKNOWN, check_source, source_of
from mlm_assets.settings import Settings, load_settings

JOB_NAME: Final = "monthly_refresh"
REFRESH_RUN_TAG: Final = "mlm/refresh_run"
"""On each run of the walk: the run of `monthly_refresh` that it is a step of."""


class MonthToRefresh(dg.Config):
    """Which release is brought up to date."""

    release: str
    """Month of the support window (YYYY-MM)."""
    full: bool = False
    """Ask for everything, and take nothing over from earlier releases."""


@dg.op(
    pool=REFRESH_POOL,
    description="Bring classes, candidates and all shards up to date, and pin them as the manifest of the release.",
)
def refresh_the_month(context: dg.OpExecutionContext, config: MonthToRefresh, lake: LakeResource) -> None:
    """Walk everything up to the accepted manifest of a release; what is current already is left alone.

    Raises:
        Refused: the release is no month of the window, its month has gone by before the run of the schedule began, or
            `mlm run` is at work in this home; or the home was made from another source than the settings name.
        BlockedByCheck: a check blocked a shard; nothing is tried again before somebody looked.
        MlmError: a step failed for another reason.
        RetryRequested: a service is away; the step is run again after a pause, and goes on where it stopped.
    """
    release = check_release(config.release, lake.settings())
    check_in_time(context.run.tags, lake.open(), release, datetime.now(UTC))
    end_dead_runs(context.instance)
    what = f"the refresh of {release} (run {context.run.run_id[:8]})"
    with only_run(lake.settings().home, what), _environment_of(release, lake) as settings:
        source = source_of(settings)
        if source != UNKNOWN:  # one that is away is met by the walk, and asked again later
            check_source(settings.home, source)
        home = lake.open()
        home.clear_temporary()
        is_full = config.full or context.run.tags.get(FULL_TAG) == "true"
        tags = {REFRESH_RUN_TAG: context.run.run_id, **({FULL_TAG: "true"} if is_full else {})}
        walk = Walk(settings, home, context.instance, release, "fetch", tags)
        progress = Progress(legs(release, "refresh"))
        try:
            for step in walk.steps(progress.legs, lambda _: None):
                for line in progress.lines(step):
                    context.log.info(line)
        except ServiceUnavailable as error:
            if context.retry_number >= settings.refresh_retries:
                raise
            pause_s = settings.refresh_retry_s * 2**context.retry_number
            context.log.warning(f"{error} Tried again in {pause_s:,.0f} s; what is done stays done.")
            raise dg.RetryRequested(max_retries=settings.refresh_retries, seconds_to_wait=pause_s) from error
        finally:
            summary = sum_up(settings, home, "fetch")
    context.add_output_metadata({"release": release, **progress.figures(), **_requests(summary)})


@dg.job(
    name=JOB_NAME,
    description="Bring a month's refresh up to date, as its schedule does; everything after the manifest follows by "
    "itself. Started by hand it needs the release in its configuration.",
    executor_def=dg.in_process_executor,
)
def monthly_refresh() -> None:
    """Refresh one month."""
    refresh_the_month()


def run_request(release: str) -> dg.RunRequest:
    """Return the request for a run of the job that refreshes `release`."""
    op = {"config": {"release": release}}
    return dg.RunRequest(run_config={"ops": {refresh_the_month.name: op}}, tags={RELEASE_TAG: release})


def check_in_time(tags: Mapping[str, str], lake: Lake, release: str, now: datetime) -> None:
    """Check that a run of the schedule still fetches its own month; one that was begun then may go on.

    Raises:
        Refused: it waited in the queue, or was started again after a breakdown, until the month had gone by.
    """
    begun = lake.accepted("candidates")
    is_begun = begun is not None and begun.release == release
    if SCHEDULE_NAME_TAG in tags and release < month_of(now) and not is_begun:
        raise Refused(f"{release} has gone by before its refresh began: {CATCH_UP.format(release=release)}.")


@dataclass
class Progress:
    """How far a walk is, in words: one line per step that was made, one per leg that was current already."""

    legs: Sequence[Leg]
    n_done: int = 0
    n_current: int = 0
    _left_alone: dict[str, int] = field(default_factory=dict)

    @property
    def n_steps(self) -> int:
        """Number of steps of the whole walk."""
        return sum(len(leg.partitions) for leg in self.legs)

    def lines(self, step: Step) -> Iterator[str]:
        """Take note of a step, and yield what to say of it."""
        self.n_done += 1
        self.n_current += step.was_current
        leg, where = step.leg, f"step {self.n_done} of {self.n_steps}"
        if step.was_current:
            self._left_alone[leg.job] = self._left_alone.get(leg.job, 0) + 1
        else:
            yield f"{where}: {leg.job} {step.partition}".strip() + (" is blocked" if step.blocked else " is done")
        if step.partition == leg.partitions[-1] and (n := self._left_alone.get(leg.job)):
            yield f"{where}: {n} of {len(leg.partitions)} steps of {leg.job} were up to date already"

    def figures(self) -> dict[str, int]:
        """Return what the run shows of itself."""
        return {"steps": self.n_steps, "steps_up_to_date_already": self.n_current}


@contextmanager
def _environment_of(release: str, lake: LakeResource) -> Iterator[Settings]:
    """Let the assets of the walk read the settings that a release was made with before, where it was."""
    said: dict[str, Any] = {**pinned_settings(lake.open(), release), "release": release}
    wanted = {f"MLM_{name.upper()}": str(value) for name, value in said.items()}
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    try:
        yield load_settings(lake.settings().home, **said)
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _requests(summary: Mapping[str, Any]) -> dict[str, int]:
    return {f"requests_{service}": n for service, n in summary["requests"].items()}
