"""`mlm quarantine`: see the rows that were set aside, ask for them again, or take them in."""

import getpass
import json
from dataclasses import asdict

from rich.console import Console
from rich.table import Table

from mlm_assets.resources import quarantine
from mlm_assets.resources.lake import open_lake
from mlm_assets.resources.quarantine import Entry
from mlm_assets.settings import Settings


def entries(settings: Settings, table: str | None = None, *, everything: bool = False) -> list[Entry]:
    """Return the rows that are set aside, of one table or all; with `everything` those too that were dealt with."""
    found = quarantine.all_entries(open_lake(settings))
    return [
        entry
        for entry in found
        if (table is None or entry.table == table) and (everything or entry.state in quarantine.OPEN)
    ]


def entry(settings: Settings, start: str) -> Entry:
    """Return one row that was set aside.

    Raises:
        Refused: no entry, or more than one, begins with `start`.
    """
    return quarantine.find(open_lake(settings), start)


def retry(settings: Settings, start: str | None, console: Console) -> list[Entry]:
    """Forget the answers that brought rows (all that are set aside where `start` is None); the next run asks again.

    Raises:
        Refused: see `resources.quarantine`.
    """
    lake = open_lake(settings)
    found = [quarantine.find(lake, start)] if start else entries(settings)
    retried = []
    for one in found:
        after, forgotten = quarantine.retry(lake, one, getpass.getuser())
        how = "its answer was forgotten" if forgotten else "no stored answer brought it"
        console.print(f"{one.id} {one.table} {one.partition}: {how}; `mlm run` makes the partition again")
        retried.append(after)
    return retried


def release(settings: Settings, start: str, reason: str, by: str | None) -> Entry:
    """Say that a row is right after all; the next run takes it in.

    Raises:
        Refused: see `resources.quarantine`.
    """
    lake = open_lake(settings)
    return quarantine.release(lake, quarantine.find(lake, start), by or getpass.getuser(), reason)


def show_list(found: list[Entry], console: Console) -> None:
    """Print rows that were set aside, one a line."""
    if not found:
        console.print("Nothing is set aside.")
        return
    table = Table(title=f"{len(found)} rows set aside", title_justify="left")
    for column in ("id", "table", "partition", "key", "rule", "state", "release"):
        table.add_column(column, overflow="fold")
    for one in found:
        key = " ".join(str(value) for value in one.key.values())
        table.add_row(one.id, one.table, one.partition, key, one.rule, one.state, one.release)
    console.print(table)


def show_one(one: Entry, console: Console) -> None:
    """Print one row with everything that is known of it."""
    console.print(json.dumps(asdict(one), indent=1, ensure_ascii=False, default=str))
