"""`mlm status`: what the home holds, what is missing or stale, and whether anything needs a hand.

Made for the system's own cron too (`--exit-code`): a daemon that is dead cannot report itself.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from rich.console import Console
from rich.table import Table

from mlm_assets.alerts import problems as alerts_problems
from mlm_assets.alerts.problems import Look, Problem
from mlm_assets.alerts.text import count, some
from mlm_assets.assets import stage
from mlm_assets.automation.instance import require_home
from mlm_assets.errors import MlmError, Refused
from mlm_assets.lineage.words import on_one_line
from mlm_assets.resources.lake import Lake
from mlm_assets.settings import Settings, use_home
from mlm_assets.tables import REFRESHED, TABLES


def status(settings: Settings) -> dict[str, Any]:
    """Return per table how many partitions are accepted and current, the releases, and what needs a hand.

    `problems` need one; `warnings` are worth a look.

    Raises:
        Refused: the folder is no home.
        MlmError: Dagster's database, the ledger of alerts or an audit cannot be read.
    """
    require_home(settings)
    import mlm_assets.definitions  # noqa: F401 (fills the code versions that tell what is current)
    from mlm_assets.automation.support import support_of
    from mlm_assets.commands.alerts import undelivered
    from mlm_assets.resources.lake import open_lake
    from mlm_assets.resources.takedowns import all_takedowns

    lake = open_lake(settings)
    tables = _tables(settings, lake)
    schedule, runs, daemons, seen = _instance(settings, lake)
    rejected = _rejected(lake, seen)
    waiting = undelivered(settings)
    urgent = [one for one in seen.problems if _needs_a_hand(one)]
    return {
        "home": str(settings.home),
        "tables": tables,
        "support": {**support_of(settings, lake, datetime.now(UTC)).as_json(), **schedule},
        "runs": runs,
        "daemons": daemons,
        "rejected": rejected,
        "undelivered": waiting,
        "takedowns": [{"target": one.target, "sentence": one.sentence} for one in all_takedowns(lake)],
        "overdue": [one.key.table for one in seen.problems if one.key.kind == "overdue"],
        "incidents": [_as_json(one) for one in seen.problems],
        "problems": [
            *_table_problems(tables),
            *(_line(one) for one in urgent),
            *_daemon_problems(daemons),
            *_alert_problems(settings, waiting),
        ],
        "warnings": [_line(one) for one in seen.problems if one not in urgent],
    }


def show(said: dict[str, Any], console: Console) -> None:
    """Print what `status` found, as text."""
    table = Table(title=said["home"], title_justify="left")
    for column in ("group", "table", "partitions", "current", "rows", "owed", "release"):
        table.add_column(column, justify="left" if column in ("group", "table", "release") else "right")
    for row in said["tables"]:
        table.add_row(
            row["group"], row["table"], f"{row['accepted']} / {row['partitions']}", str(row["current"]),
            f"{row['rows']:,}", str(row["unavailable"] or ""), row["releases"][-1] if row["releases"] else "",
        )  # fmt: skip
    console.print(table)
    _show_support(said["support"], console)
    console.print("runs: " + (", ".join(f"{name.lower()} {n}" for name, n in said["runs"].items()) or "none"))
    console.print("daemon: " + _daemon_words(said["daemons"]))
    for one in said["rejected"]:
        console.print(f"rejected: {one['table']} {one['partition']} {one['version']} ({some(one['checks'])})")
    for one in said["takedowns"]:
        console.print(f"{on_one_line(one['target'])}: {on_one_line(one['sentence'])}")
    for warning in said["warnings"]:
        console.print(f"  {warning}")
    for problem in said["problems"]:
        console.print(f"! {problem}")


def _show_support(about: Mapping[str, Any], console: Console) -> None:
    from mlm_assets.automation.support import lines

    first, *rest = lines(about)
    console.print(first)
    for line in rest:
        console.print(f"  {line}")
    console.print("  schedule: " + ("running" if about["schedule"] else "stopped; `mlm ui` says how to start it"))
    if about["busy"]:
        console.print(f"  at work: {about['busy']}")


def _tables(settings: Settings, lake: Lake) -> list[dict[str, Any]]:
    from mlm_assets.assets.refresh import partitions_of

    tables = []
    for name, table in TABLES.items():
        accepted = lake.accepted_all(name)
        n_current = sum(stage.is_current(lake, settings, name, one.partition, None) for one in accepted)
        tables.append(
            {
                "table": name,
                "group": table.group,
                "partitions": len(partitions_of(name)) if name in REFRESHED else len(accepted),
                "accepted": len(accepted),
                "current": n_current,
                "rows": sum(one.n_rows for one in accepted),
                "unavailable": sum(one.n_unavailable for one in accepted),
                "releases": sorted({one.release for one in accepted}),
            }
        )
    return tables


def _instance(settings: Settings, lake: Lake) -> tuple[dict[str, Any], dict[str, int], list[dict[str, Any]], Look]:
    """Return how the schedule stands, the status of the last 200 runs, how the daemons fare, and what is wrong.

    Only looks, changes no run.
    """
    from dagster import DagsterInstance
    from sqlalchemy.exc import SQLAlchemyError

    from mlm_assets.automation.observed import observe
    from mlm_assets.automation.schedules import busy_with, is_running

    use_home(settings.home)
    try:
        with DagsterInstance.get() as instance:
            runs = dict(Counter(run.status.value for run in instance.get_runs(limit=200)))
            schedule = {"schedule": is_running(instance, settings), "busy": busy_with(instance, settings)}
            return schedule, runs, _daemons(instance), alerts_problems.look(settings, lake, observe(instance, settings))
    except SQLAlchemyError as error:
        raise MlmError(f"Dagster's database in {settings.home} cannot be read: {error.args[0]}") from error


def _daemons(instance: Any) -> list[dict[str, Any]]:
    """Return the daemons that have ever run here: whether their heart beats, and when it did last."""
    found = []
    for name, one in instance.get_daemon_statuses().items():
        if one.last_heartbeat is not None:
            at = datetime.fromtimestamp(one.last_heartbeat.timestamp, UTC)
            found.append({"daemon": name, "healthy": bool(one.healthy), "at": at.isoformat(timespec="seconds")})
    return found


def _rejected(lake: Lake, seen: Look) -> list[dict[str, Any]]:
    """Return the versions that wait for an approval, or for a better version."""
    return [
        {
            "table": audit["table"],
            "partition": audit["partition"],
            "version": audit["version"],
            "release": audit["release"],
            "checks": [said["check"] for said in audit["checks"] if alerts_problems.blocks(said)],
        }
        for audit in seen.audits
        if any(alerts_problems.blocks(said) for said in audit["checks"])
        and alerts_problems.is_rejected(audit, lake.accepted(audit["table"], audit["partition"]))
    ]


def _needs_a_hand(problem: Problem) -> bool:
    """Tell a problem from a warning: checks that only warn are worth a look, the rest needs a hand."""
    return problem.severity == "error" or problem.key.kind != "check"


def _as_json(problem: Problem) -> dict[str, Any]:
    return {
        **problem.key._asdict(), "severity": problem.severity, "sentence": problem.sentence, "cause": problem.cause,
        "partitions": list(problem.partitions), "todo": list(problem.todo),
    }  # fmt: skip


def _line(problem: Problem) -> str:
    name = f"{problem.key.table} · {problem.key.check}" if problem.key.check else problem.key.table
    where = f" ({some(problem.partitions, 3)})" if problem.partitions else ""
    cause = f" Cause: {problem.cause}." if problem.cause else ""
    todo = f" To do: {'; '.join(problem.todo[:2])}" if problem.todo else ""
    return f"{problem.key.release} {name}{where}: {problem.sentence}{cause}{todo}".strip()


def _table_problems(tables: Sequence[dict[str, Any]]) -> list[str]:
    problems = []
    for row in tables:
        if row["accepted"] < row["partitions"]:
            problems.append(
                f"{row['table']}: {row['partitions'] - row['accepted']} partitions have no accepted version"
            )
        if row["unavailable"]:
            problems.append(
                f"{row['table']}: {row['unavailable']} rows could not be had from a service; run again to ask for them"
            )
    return problems


def _daemon_words(daemons: Sequence[dict[str, Any]]) -> str:
    if not daemons:
        return "none has run here yet"
    return "alive" if all(one["healthy"] for one in daemons) else "stopped"


def _daemon_problems(daemons: Sequence[dict[str, Any]]) -> list[str]:
    dead = [one for one in daemons if not one["healthy"]]
    if not dead:
        return []
    last = max(one["at"] for one in dead)
    return [
        f"the daemon is stopped ({some([one['daemon'].lower() for one in dead])}; last sign of life {last}): "
        "nothing runs or is told by itself; start it with `mlm ui`"
    ]


def _alert_problems(settings: Settings, waiting: Sequence[dict[str, Any]]) -> list[str]:
    from mlm_assets.alerts.delivery import route_problem
    from mlm_assets.alerts.routes import load_routes

    try:
        problems = [wrong for way in load_routes(settings) if (wrong := route_problem(way))]
    except Refused as error:
        problems = [str(error)]
    if waiting:
        first = waiting[0]
        problems.append(
            f"{count(len(waiting), 'alert')} not delivered (route {first['route']}, address {first['address']}: "
            f"{first['error'] or 'not tried yet'}); see `mlm alerts`"
        )
    return problems
