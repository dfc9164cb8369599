"""What alerts need to know of the world around them, as plain records: Dagster's instance, and the lake.

The adapter that fills the records from an instance is `automation.observed`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal, Protocol

Outcome = Literal["success", "failure", "canceled", "going_on"]


@dataclass(frozen=True)
class RunRecord:
    """One run. `tables` are those that it was to fill, where that is known; times are in UTC."""

    run_id: str
    job: str
    partition: str
    release: str
    outcome: Outcome
    created_at: datetime
    ended_at: datetime | None = None
    tables: tuple[str, ...] = ()
    error: str = ""
    is_blocked_by_check: bool = False
    """Whether it failed because a blocking check did, which is told as that check."""


@dataclass(frozen=True)
class TickRecord:
    """The newest finished tick of a sensor or schedule that is running."""

    name: str
    kind: Literal["sensor", "schedule"]
    has_failed: bool
    at: datetime
    error: str = ""


@dataclass(frozen=True)
class ScheduleRecord:
    """A running schedule: when it was last due (by its cron), when it ran last, and since when it is running."""

    name: str
    cron: str
    due_at: datetime
    last_tick_at: datetime | None
    running_since: datetime | None = None


@dataclass(frozen=True)
class Observed:
    """What Dagster's instance held at the moment `now`. `owners` are those of the assets, by table."""

    now: datetime
    runs: Sequence[RunRecord] = ()
    ticks: Sequence[TickRecord] = ()
    schedules: Sequence[ScheduleRecord] = ()
    owners: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def is_busy(self, release: str, settle_s: float) -> bool:
        """Tell whether a run of `release` is going on, or ended less than `settle_s` ago: the next may follow at once.

        Problems of the platform (release "") wait for nobody.
        """
        if not release:
            return False
        settled = self.now - timedelta(seconds=settle_s)
        return any(
            run.outcome == "going_on" or (run.ended_at is not None and run.ended_at > settled)
            for run in self.runs
            if run.release == release
        )


class AcceptedVersion(Protocol):
    """What is read of the version that readers see (`resources.lake.Accepted`)."""

    @property
    def table(self) -> str:
        """Name of the table."""

    @property
    def partition(self) -> str:
        """Partition, empty where there is none."""

    @property
    def version(self) -> str:
        """Hash of its bytes."""

    @property
    def n_rows(self) -> int:
        """How many rows it has."""

    @property
    def release(self) -> str:
        """Release that it was made for."""

    @property
    def accepted_at(self) -> str:
        """When readers got it, ISO 8601 UTC; empty where that is not known."""

    @property
    def approval(self) -> Mapping[str, Any] | None:
        """Who let readers have it against its checks: `by`, `at`, `reason`."""


class Lake(Protocol):
    """What is asked of the lake (`resources.lake.Lake`)."""

    root: str
    is_local: bool
    fs: Any

    def audits(self, name: str) -> list[dict[str, Any]]:
        """Return the newest audits of all partitions of a table."""

    def audit_of(self, name: str, partition: str = "") -> dict[str, Any] | None:
        """Return the newest audit of a table partition."""

    def accepted(self, name: str, partition: str = "") -> Any:
        """Return the version that readers see, None where there is none."""

    def accepted_all(self, name: str) -> Sequence[Any]:
        """Return the versions that readers see, of all partitions."""

    def read(self, version: Any, equals: Mapping[str, str] | None = None) -> Any:
        """Return the rows of a version as a pyarrow table."""

    def list_names(self, path: str) -> list[str]:
        """Return the names below a folder."""

    def read_bytes(self, path: str) -> bytes:
        """Return the bytes of a file."""

    def full_path(self, path: str) -> str:
        """Return the path as the file system names it."""
