"""What is wrong now, computed from the state of the home: nothing here remembers what was wrong before.

A problem is one check of one table (or one job, sensor, schedule) of one release, with all partitions it concerns, so
that forty failing partitions are one problem. Who is told of it, and how often, is `ledger` and `delivery`.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal, NamedTuple

from mlm_assets.alerts.records import AcceptedVersion, Lake, Observed, RunRecord
from mlm_assets.alerts.text import clean, command, count, when
from mlm_assets.settings import Settings
from mlm_assets.tables import TABLES

Severity = Literal["warning", "error"]
RANK: Final = {"warning": 1, "error": 2}
KINDS: Final = {
    "check": "a check failed, warned or crashed",
    "run": "a run failed, and no check says why",
    "tick": "the newest tick of a sensor or schedule failed",
    "late": "a schedule did not run when it should have",
    "overdue": "a table was accepted longer ago than it may",
    "delivery": "an alert could not be delivered",
    "route": "a route for alerts is not usable",
}
_RUNS_FOR: Final = timedelta(days=90)
_READERS: Final = 5


class Key(NamedTuple):
    """What makes two looks see the same problem. `table` names a job, sensor, schedule or route for other kinds."""

    release: str
    kind: str
    table: str
    check: str


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong, in words that are safe to send. `subjects` are what routes choose by."""

    key: Key
    severity: Severity
    sentence: str
    partitions: tuple[str, ...] = ()
    cause: str = ""
    figures: Mapping[str, Any] = field(default_factory=dict)
    worst: str = ""
    """The worst figure over all partitions: the largest, by amount, of the first figure that is a number."""
    readers: tuple[str, ...] = ()
    """What readers see meanwhile."""
    todo: tuple[str, ...] = ()
    subjects: tuple[str, ...] = ()


@dataclass(frozen=True)
class Look:
    """Everything that one look at the home saw: the problems, and the audits they were read from."""

    problems: tuple[Problem, ...]
    audits: tuple[Mapping[str, Any], ...]


def look(settings: Settings, lake: Lake, observed: Observed) -> Look:
    """Return what is wrong now."""
    audits = tuple(audit for name in TABLES for audit in lake.audits(name))
    found = [
        *failed_checks(lake, audits, observed),
        *failed_runs(lake, observed),
        *failed_ticks(observed),
        *late_schedules(settings, observed),
        *overdue_tables(settings, lake, observed),
    ]
    return Look(tuple(found), audits)


# -- checks --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Failure:
    audit: Mapping[str, Any]
    said: Mapping[str, Any]
    accepted: AcceptedVersion | None

    @property
    def severity(self) -> Severity:
        return "error" if blocks(self.said) else "warning"

    @property
    def amount(self) -> tuple[str, float] | None:
        """The first figure that is a number, with its name."""
        for name, value in self.said.get("figures", {}).items():
            if isinstance(value, (int, float)) and not isinstance(value, bool):
                return str(name), float(value)
        return None


def blocks(said: Mapping[str, Any]) -> bool:
    """Tell whether what a check said keeps a version from readers."""
    severe = bool(said.get("blocking", True)) and said.get("severity", "ERROR") == "ERROR"
    return not said["passed"] and (bool(said.get("crashed")) or severe)


def is_rejected(audit: Mapping[str, Any], accepted: AcceptedVersion | None) -> bool:
    """Tell whether a version was kept from readers by its own checks."""
    is_readable = accepted is not None and accepted.version == audit["version"]
    return not is_readable and any(blocks(said) for said in audit["checks"])


def failed_checks(lake: Lake, audits: Iterable[Mapping[str, Any]], observed: Observed) -> Iterator[Problem]:
    """Yield a problem per release, table and check that failed, but for versions that a maintainer has approved."""
    groups: dict[Key, list[_Failure]] = defaultdict(list)
    for audit in audits:
        # What an approval covers was told when it was approved.
        failed = [
            said
            for said in audit["checks"]
            if not said["passed"] and said["check"] != "accepted" and not said.get("excused")
        ]
        accepted = lake.accepted(audit["table"], audit["partition"]) if failed else None
        if accepted is not None and accepted.version == audit["version"] and accepted.approval:
            continue  # whoever approved it has seen all that its checks said
        for said in failed:
            key = Key(str(audit["release"]), "check", audit["table"], said["check"])
            groups[key].append(_Failure(audit, said, accepted))
    for key, failures in groups.items():
        yield _check_problem(key, failures, observed)


def _check_problem(key: Key, failures: Sequence[_Failure], observed: Observed) -> Problem:
    # The gravest first; of those one that names a cause, for it is what is told.
    ordered = sorted(failures, key=lambda one: (-RANK[one.severity], not one.said.get("cause")))
    first = ordered[0]
    severe = [one for one in ordered if one.severity == first.severity]
    causes = dict.fromkeys(clean(one.said["cause"]) for one in severe if one.said.get("cause"))
    return Problem(
        key,
        first.severity,
        clean(first.said.get("sentence", "")),
        tuple(str(one.audit["partition"]) for one in ordered if one.audit["partition"]),
        clean("; ".join(list(causes)[:3])),
        {
            str(name): _plain(value)
            for name, value in first.said.get("figures", {}).items()
            if not isinstance(value, (Mapping, list, tuple))  # tables of groups are for the page of the check
        },
        _worst(severe),
        _what_readers_see(severe),
        _todo(severe),
        subjects_of(key.table, observed),
    )


def _plain(value: Any) -> Any:
    return value if value is None or isinstance(value, (bool, int, float)) else clean(value, 200)


def _worst(failures: Sequence[_Failure]) -> str:
    amounts = [(one.amount, str(one.audit["partition"])) for one in failures if one.amount is not None]
    if len(amounts) < 2:
        return ""
    (name, value), partition = max(amounts, key=lambda one: abs(one[0][1]) if one[0] else 0.0)
    return f"{clean(name, 40)} {value:,.6g} in {partition}"


def _what_readers_see(failures: Sequence[_Failure]) -> tuple[str, ...]:
    if failures[0].severity == "warning":
        return ()
    seen: dict[str, list[str]] = defaultdict(list)
    for one in failures:
        seen[last_good(one.accepted)].append(str(one.audit["partition"]))
    lines = [f"{words}{_where(partitions, len(failures))}" for words, partitions in seen.items()]
    more = [f"and {count(len(lines) - _READERS, 'other version')}"] if len(lines) > _READERS else []
    return (*lines[:_READERS], *more)


def last_good(accepted: AcceptedVersion | None) -> str:
    """Return which version readers see."""
    if accepted is None:
        return "nothing: no version was ever accepted"
    since = f", accepted {accepted.accepted_at[:10]}" if accepted.accepted_at else ""
    return f"version {accepted.version} of {accepted.release}{since}, {count(accepted.n_rows, 'row')}"


def _where(partitions: Sequence[str], n_all: int) -> str:
    named = [partition for partition in partitions if partition]
    return f" ({', '.join(named[:3])}{', …' if len(named) > 3 else ''})" if named and n_all > 1 else ""


def _todo(failures: Sequence[_Failure]) -> tuple[str, ...]:
    first = failures[0]
    table, partition = first.audit["table"], str(first.audit["partition"])
    lines = [command("mlm", "trace", table, partition, "--check", first.said["check"])]
    if first.severity == "error":
        lines.append(command("mlm", "approve", table, partition, "--reason", "..."))
    if len(failures) > 1:
        lines.append(f"and so for the other {count(len(failures) - 1, 'partition')}")
    return tuple(lines)


def subjects_of(table: str, observed: Observed) -> tuple[str, ...]:
    """Return what a route may choose a table by: its name, its group, its owners."""
    group = (TABLES[table].group,) if table in TABLES else ()
    return (table, *group, *observed.owners.get(table, ()))


def _subjects_of_platform(name: str, observed: Observed) -> tuple[str, ...]:
    """What concerns the platform itself concerns every owner."""
    return (name, "platform", *dict.fromkeys(owner for owners in observed.owners.values() for owner in owners))


# -- runs, sensors, schedules ----------------------------------------------------------------------------------------


def failed_runs(lake: Lake, observed: Observed) -> Iterator[Problem]:
    """Yield a problem per release and job whose newest run of a partition failed, and no check says why."""
    groups: dict[Key, list[RunRecord]] = defaultdict(list)
    for run in unexplained(lake, observed):
        groups[Key(run.release, "run", run.job, "")].append(run)
    for key, runs in groups.items():
        newest = max(runs, key=lambda run: run.created_at)
        subjects = dict.fromkeys(one for run in runs for table in run.tables for one in subjects_of(table, observed))
        yield Problem(
            key,
            "error",
            clean(newest.error or "it gave no reason; see the UI"),
            tuple(_place(run) for run in runs if _place(run)),
            figures={"run": newest.run_id},
            readers=("what was accepted before; a run that fails moves no pointer",),
            todo=("mend the reason, then materialise it again (`mlm run`, or in the UI)",),
            subjects=(key.table, *(subjects or _subjects_of_platform(key.table, observed))),
        )


def _place(run: RunRecord) -> str:
    return run.partition or (run.tables[0] if len(run.tables) == 1 else "")


def unexplained(lake: Lake, observed: Observed) -> list[RunRecord]:
    """Return the newest finished run of each job, partition and tables, where it failed and nothing made up for it."""
    newest: dict[tuple[str, str, tuple[str, ...]], RunRecord] = {}
    for run in sorted(observed.runs, key=lambda run: run.created_at):
        if run.outcome in ("success", "failure"):
            newest[run.job, run.partition, tuple(sorted(run.tables))] = run
    return [
        run
        for run in newest.values()
        if run.outcome == "failure"
        and not run.is_blocked_by_check
        and run.created_at >= observed.now - _RUNS_FOR
        and not _was_made_up_for(lake, run)
    ]


def _was_made_up_for(lake: Lake, run: RunRecord) -> bool:
    """Tell whether all that the run was to fill was accepted since, by whatever job."""
    tables = [table for table in run.tables if table in TABLES]
    ended = run.ended_at or run.created_at
    return bool(tables) and all(
        (moment := accepted_at(lake.accepted(table, run.partition))) is not None and moment > ended for table in tables
    )


def accepted_at(accepted: AcceptedVersion | None) -> datetime | None:
    """Return when a version was accepted, None where that is not known."""
    if accepted is None or not accepted.accepted_at:
        return None
    moment = datetime.fromisoformat(accepted.accepted_at)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def failed_ticks(observed: Observed) -> Iterator[Problem]:
    """Yield a problem per sensor or schedule whose newest tick failed."""
    for tick in observed.ticks:
        if tick.has_failed:
            yield Problem(
                Key("", "tick", tick.name, ""),
                "error",
                clean(f"The newest tick of the {tick.kind} {tick.name} ({when(tick.at)}) failed: {tick.error}"),
                todo=(f"see the ticks of {tick.name} in the UI (Automation)",),
                subjects=_subjects_of_platform(tick.name, observed),
            )


def late_schedules(settings: Settings, observed: Observed) -> Iterator[Problem]:
    """Yield a problem per running schedule that was due, and did not run within the tolerance."""
    tolerance = timedelta(seconds=settings.alert_late_s)
    for schedule in observed.schedules:
        ran = schedule.last_tick_at is not None and schedule.last_tick_at >= schedule.due_at
        started_later = schedule.running_since is not None and schedule.running_since > schedule.due_at
        is_new = schedule.last_tick_at is None and schedule.running_since is None
        if ran or started_later or is_new or schedule.due_at + tolerance > observed.now:
            continue
        last = when(schedule.last_tick_at) if schedule.last_tick_at else "never"
        yield Problem(
            Key("", "late", schedule.name, ""),
            "error",
            f"The schedule {schedule.name} ({schedule.cron}) was due {when(schedule.due_at)} and did not run; "
            f"it ran last: {last}.",
            todo=("look whether the daemon is alive (`mlm status`)", "start the schedule's job by hand"),
            subjects=_subjects_of_platform(schedule.name, observed),
        )


# -- freshness -------------------------------------------------------------------------------------------------------


def overdue_tables(settings: Settings, lake: Lake, observed: Observed) -> Iterator[Problem]:
    """Yield a problem per table that a refresh brings up to date and that was accepted too long ago."""
    for name, table in TABLES.items():
        if "release" in table.partitioned_by:
            continue
        ages = [
            ((observed.now - moment).total_seconds() / 86400, one)
            for one in lake.accepted_all(name)
            if (moment := accepted_at(one)) is not None
        ]
        late = sorted((pair for pair in ages if pair[0] > settings.overdue_warn_days), key=lambda pair: -pair[0])
        if late:
            yield _overdue(settings, name, late, observed)


def _overdue(
    settings: Settings, name: str, late: Sequence[tuple[float, AcceptedVersion]], observed: Observed
) -> Problem:
    age, oldest = late[0]
    return Problem(
        Key("", "overdue", name, ""),
        "error" if age > settings.overdue_error_days else "warning",
        f"{name} was accepted {age:.0f} days ago ({oldest.accepted_at[:10]}); "
        f"a refresh is expected within {settings.overdue_warn_days:g} days.",
        tuple(one.partition for _, one in late if one.partition),
        figures={"age_days": round(age, 1)},
        readers=(last_good(oldest),),
        todo=("mlm run", "look whether the schedule and the daemon are alive (`mlm status`)"),
        subjects=subjects_of(name, observed),
    )
