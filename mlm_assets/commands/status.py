"""`mlm status`: what the home holds, what is missing or stale, and whether anything needs a hand.

Made for the system's own cron too (`--exit-code`): a daemon that is dead cannot report itself.
"""

from typing import Any

from rich.console import Console
from rich.table import Table

from mlm_assets.assets import stage
from mlm_assets.automation.instance import is_home
from mlm_assets.errors import MlmError, Refused
from mlm_assets.settings import Settings, use_home
from mlm_assets.tables import REFRESHED, TABLES


def status(settings: Settings) -> dict[str, Any]:
    """Return per table how many partitions are accepted and current, the releases, and runs that need a hand.

    Raises:
        Refused: the folder is no home.
    """
    if not is_home(settings.home):
        raise Refused(f"{settings.home} is no home of mlm yet. Make one with `mlm run`.")
    import mlm_assets.definitions  # noqa: F401 (fills the code versions that tell what is current)
    from mlm_assets.assets.refresh import partitions_of
    from mlm_assets.resources.lake import open_lake

    lake = open_lake(settings)
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
    runs = _runs(settings)
    return {
        "home": str(settings.home),
        "tables": tables,
        "runs": runs,
        "problems": _problems(tables, runs),
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
    console.print("runs: " + (", ".join(f"{name.lower()} {n}" for name, n in said["runs"].items()) or "none"))
    for problem in said["problems"]:
        console.print(f"! {problem}")


def _runs(settings: Settings) -> dict[str, int]:
    """Return how many of the last 200 runs have which status; only looks, and changes no run."""
    from collections import Counter

    from dagster import DagsterInstance
    from sqlalchemy.exc import SQLAlchemyError

    use_home(settings.home)
    try:
        with DagsterInstance.get() as instance:
            return dict(Counter(run.status.value for run in instance.get_runs(limit=200)))
    except SQLAlchemyError as error:
        raise MlmError(f"Dagster's database in {settings.home} cannot be read: {error.args[0]}") from error


def _problems(tables: list[dict[str, Any]], runs: dict[str, int]) -> list[str]:
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
    if runs.get("FAILURE"):
        problems.append(f"{runs['FAILURE']} of the last 200 runs failed; see the UI")
    return problems
