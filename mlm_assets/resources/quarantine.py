"""Quarantine: rows that break a rule without breaking the whole are set aside, with what is needed to judge them.

One JSON file per row at `quarantine/<table>/<partition>/<id>.json`: the row itself, the rule it breaks, the run that
met it, and the key of the answer that brought it. States: `set_aside`; `released` (a maintainer said that the row is
right: it is taken in when its partition is made again); `retried` (its answer was forgotten, so that the next run asks
again); `resolved` (it was not met again). Which rows are looked at, and how many may be, is said by `checks.aside`.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

from mlm_assets.errors import Refused
from mlm_assets.resources.lake import Lake, file_partition, file_table, utc_now
from mlm_assets.tables import TABLES

ROOT: Final = "quarantine"
OPEN: Final = ("set_aside", "retried")


@dataclass(frozen=True)
class Entry:
    """One row that was set aside. `note` says who changed its state last, when, and why."""

    id: str
    table: str
    partition: str
    key: Mapping[str, Any]
    rule: str
    reason: str
    row: Mapping[str, Any]
    answer_key: str | None
    release: str
    run_id: str
    at: str
    state: str = "set_aside"
    note: str = ""
    is_due: bool = False
    """Whether its partition has to be made again, because a maintainer released it or wants it asked for again."""

    @property
    def path(self) -> str:
        """Path of its file in the lake."""
        return f"{ROOT}/{file_table(self.table)}/{file_partition(self.partition)}/{self.id}.json"


def entry_id(table: str, partition: str, rule: str, row: Mapping[str, Any]) -> str:
    """Return the identity of a set-aside row: the same row that breaks the same rule is the same entry.

    Which answer brought it does not matter: the row of an item that is asked for with others next month is the same.
    """
    what = {name: value for name, value in row.items() if name != "answer_key"}
    said = json.dumps([table, partition, rule, what], sort_keys=True, ensure_ascii=False, default=str)
    return hashlib.sha256(said.encode()).hexdigest()[:12]


def keep(lake: Lake, entries: Sequence[Entry]) -> None:
    """Write entries; each file is whole or not there."""
    for entry in entries:
        lake.write_bytes(entry.path, json.dumps(asdict(entry), indent=1, ensure_ascii=False, default=str).encode())


def entries_of(lake: Lake, table: str, partition: str) -> list[Entry]:
    """Return the entries of a table partition, by id."""
    folder = f"{ROOT}/{file_table(table)}/{file_partition(partition)}"
    return [Entry(**json.loads(lake.read_bytes(f"{folder}/{name}"))) for name in lake.list_names(folder)]


def all_entries(lake: Lake) -> Iterator[Entry]:
    """Yield every entry of the lake, by table and partition."""
    for table in TABLES:
        folder = f"{ROOT}/{file_table(table)}"
        for partition in lake.list_names(folder):
            for name in lake.list_names(f"{folder}/{partition}"):
                yield Entry(**json.loads(lake.read_bytes(f"{folder}/{partition}/{name}")))


def find(lake: Lake, start: str) -> Entry:
    """Return the entry whose id begins with `start`.

    Raises:
        Refused: there is none, or more than one.
    """
    found = [entry for entry in all_entries(lake) if entry.id.startswith(start)] if start else []
    if len(found) != 1:
        what = "No entry" if not found else f"{len(found)} entries"
        raise Refused(f"{what} of the quarantine begin with {start!r}. See them with `mlm quarantine list`.")
    return found[0]


def release(lake: Lake, entry: Entry, by: str, reason: str) -> Entry:
    """Say that a row is right after all: it is taken in when its partition is made again.

    Raises:
        Refused: no reason is given, or the row is not in quarantine any more.
    """
    if not reason.strip():
        raise Refused("A release from the quarantine needs a reason (--reason).")
    if entry.state not in OPEN:
        raise Refused(f"Entry {entry.id} is {entry.state} already ({entry.note or 'no note'}).")
    released = replace(entry, state="released", note=f"{by} at {utc_now()}: {reason.strip()}", is_due=True)
    keep(lake, [released])
    return released


def retry(lake: Lake, entry: Entry, by: str) -> tuple[Entry, bool]:
    """Forget the answer that brought a row, so that it is asked for again; return the entry, and whether there was one.

    Raises:
        Refused: the row is not in quarantine any more.
    """
    if entry.state not in OPEN:
        raise Refused(f"Entry {entry.id} is {entry.state} already ({entry.note or 'no note'}).")
    forgotten = entry.answer_key is not None and _forget(lake, entry.release, entry.answer_key)
    retried = replace(entry, state="retried", note=f"{by} at {utc_now()}", is_due=True)
    keep(lake, [retried])
    return retried, forgotten


def is_due(lake: Lake, table: str, partition: str) -> bool:
    """Tell whether a table partition has to be made again for the sake of rows in quarantine."""
    return any(entry.is_due for entry in entries_of(lake, table, partition))


def _forget(lake: Lake, release_name: str, answer_key: str) -> bool:
    """Remove the stored answer with this key, whichever service gave it."""
    folders = [f"raw/{release_name}/{service}" for service in lake.list_names(f"raw/{release_name}")]
    paths = [f"{folder}/{answer_key[:2]}/{answer_key}.gz" for folder in folders]
    found = [path for path in paths if lake.exists(path)]
    for path in found:
        lake.remove_tree(path)
    return bool(found)
