"""Sets aside the few rows of a fetched table that break a rule, before the rest is written (`checks.aside`)."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

from mlm_assets.checks.aside import FETCHED, Broken, broken_rows, without
from mlm_assets.checks.verdicts import Check, Verdict
from mlm_assets.resources import quarantine
from mlm_assets.resources.lake import Lake, utc_now
from mlm_assets.resources.quarantine import Entry
from mlm_assets.tables import TABLES

NOTHING_ASIDE: Final = Check(
    "nothing_is_set_aside", "No row broke a rule and was set aside (`mlm quarantine list`).", is_blocking=False
)


def checks_of(name: str) -> tuple[Check, ...]:
    """Return the check that tells of set-aside rows, for tables that are fetched."""
    return (NOTHING_ASIDE,) if name in FETCHED else ()


def set_aside(
    lake: Lake, name: str, partition: str, rows: Any, release: str, run_id: str
) -> tuple[Any, tuple[Verdict, ...]]:
    """Return `rows` without those that are set aside, which are kept in the quarantine, and the verdict on it.

    A row that a maintainer released stays in. Entries whose row was not met again are resolved.
    """
    if name not in FETCHED:
        return rows, ()
    known = {entry.id: entry for entry in quarantine.entries_of(lake, name, partition)}
    met = [(one, _entry(name, partition, one, release, run_id)) for one in broken_rows(TABLES[name], rows)]
    released = {entry.id for entry in known.values() if entry.state == "released"}
    aside = [(one, entry) for one, entry in met if entry.id not in released]
    quarantine.keep(lake, _changed(known, [entry for _, entry in met]))
    return without(TABLES[name], rows, [one for one, _ in aside]), (_verdict(name, [entry for _, entry in aside]),)


def _entry(name: str, partition: str, broken: Broken, release: str, run_id: str) -> Entry:
    return Entry(
        quarantine.entry_id(name, partition, broken.check, broken.row),
        name,
        partition,
        {column: broken.row[column] for column in TABLES[name].key},
        broken.check,
        broken.sentence,
        broken.row,
        broken.row.get("answer_key"),
        release,
        run_id,
        utc_now(),
    )


def _changed(known: dict[str, Entry], met: Sequence[Entry]) -> list[Entry]:
    """Return the entries to write: those that are new, met again, due, or not met any more."""
    changed = [entry for entry in met if entry.id not in known]
    found = {entry.id: entry for entry in met}
    for before in known.values():
        entry = replace(before, is_due=False)
        if before.state in quarantine.OPEN and before.id not in found:
            entry = replace(entry, state="resolved", note=f"not met again at {utc_now()}")
        elif before.state != "released" and before.id in found:
            entry = _met_again(entry, found[before.id])
        if entry != before:
            changed.append(entry)
    return changed


def _met_again(entry: Entry, now: Entry) -> Entry:
    """Return an entry that is set aside again, with the answer that brought its row this time."""
    if entry.state != "set_aside":
        entry = replace(entry, state="set_aside", note=f"met again at {utc_now()}")
    if (entry.release, entry.answer_key) != (now.release, now.answer_key):
        entry = replace(entry, row=now.row, answer_key=now.answer_key, release=now.release, run_id=now.run_id)
    return entry


def _verdict(name: str, entries: Sequence[Entry]) -> Verdict:
    n = len(entries)
    sentence = "Nothing is set aside." if not n else f"{n} rows were set aside; see `mlm quarantine list`."
    sample = tuple({"id": one.id, "rule": one.rule, **one.key} for one in entries[:5])
    return Verdict(name, NOTHING_ASIDE.name, not n, sentence, "WARN", False, {"set_aside": n}, sample)
