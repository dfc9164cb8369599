"""The digest: one message after each refresh, with its counts beside the last release, and what the checks said."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from mlm_assets.alerts.messages import plain
from mlm_assets.alerts.problems import accepted_at, blocks
from mlm_assets.alerts.records import AcceptedVersion, Lake, Observed
from mlm_assets.alerts.text import clean, count, some
from mlm_assets.settings import Settings
from mlm_assets.tables import TABLES, VARIANTS

SEVERITY: Final = "digest"
_NEWS_FOR: Final = timedelta(days=7)
_LAST_TABLE: Final = "dataset_statistics"
_SET_ASIDE: Final = ("set_aside", "retried")


@dataclass(frozen=True)
class Digest:
    """What is told of one refresh. `version` is that of the release's `refresh`."""

    release: str
    version: str
    title: str
    body: str


def due(
    settings: Settings,
    lake: Lake,
    observed: Observed,
    audits: Sequence[Mapping[str, Any]],
    told: Mapping[str, str],
    finished: str,
) -> Digest | None:
    """Return the digest of the newest release, if its refresh was accepted lately and has not been told.

    It waits for the datasets that follow from the refresh, unless the runs of `finished` are known to be over; but no
    longer than `alert_hold_s`, because they may be blocked.
    """
    refreshes = sorted(lake.accepted_all("refresh"), key=lambda one: str(one.partition))
    if not refreshes:
        return None
    newest, before = refreshes[-1], refreshes[-2] if len(refreshes) > 1 else None
    at = accepted_at(newest)
    if told.get(newest.partition) == newest.version or at is None or at < observed.now - _NEWS_FOR:
        return None
    last = accepted_at(lake.accepted(_LAST_TABLE, newest.partition))
    is_whole = newest.partition == finished or (last is not None and last >= at)
    if not is_whole and observed.now < at + timedelta(seconds=settings.alert_hold_s):
        return None
    parts = [_counts(lake, newest, before), _checks(audits, newest.partition), _approvals(lake, newest.partition)]
    parts.append(_quarantined(lake))
    title, body = plain(settings, newest.partition, "the refresh is done", parts)
    return Digest(newest.partition, newest.version, title, body)


def _counts(lake: Lake, newest: AcceptedVersion, before: AcceptedVersion | None) -> str:
    now, then = _rows(lake, newest), _rows(lake, before) if before is not None else {}
    lines = [f"Rows, against {before.partition}:" if before is not None else "Rows (the first release):"]
    for name, n in now.items():
        lines.append(f"  {name} {n:,}{_change(n, then.get(name)) if before is not None else ''}")
    return "\n".join(lines)


def _rows(lake: Lake, refresh: AcceptedVersion) -> dict[str, int]:
    """Return rows by table: those that the refresh pins, then those of the datasets made from it."""
    counts: dict[str, int] = {}
    for row in lake.read(refresh).to_pylist():
        if row["kind"] == "table":
            counts[row["name"]] = counts.get(row["name"], 0) + int(row["n_rows"] or 0)
    for variant in VARIANTS:
        accepted = lake.accepted(variant, refresh.partition)
        if accepted is not None:
            counts[variant] = accepted.n_rows
    return counts


def _change(n: int, before: int | None) -> str:
    if before is None:
        return " (new)"
    share = f", {(n - before) / before:+.1%}" if before else ""
    return f" ({n - before:+,}{share})"


def _checks(audits: Sequence[Mapping[str, Any]], release: str) -> str:
    said = [(audit["table"], one) for audit in audits if str(audit["release"]) == release for one in audit["checks"]]
    failed = [f"{table} · {one['check']}" for table, one in said if blocks(one)]
    warned = [f"{table} · {one['check']}" for table, one in said if not one["passed"] and not blocks(one)]
    n_passed = sum(bool(one["passed"]) for _, one in said)
    lines = [f"Checks: {n_passed:,} passed, {len(failed):,} failed, {len(warned):,} warned"]
    lines += [f"  failed: {some(list(dict.fromkeys(failed)), 8)}"] if failed else []
    lines += [f"  warned: {some(list(dict.fromkeys(warned)), 8)}"] if warned else []
    return "\n".join(lines)


def _approvals(lake: Lake, release: str) -> str:
    lines = [
        f"  {one.table} {one.partition} by {clean(one.approval.get('by', ''), 80)}: "
        f"{clean(one.approval.get('reason', ''), 160)}"
        for name in TABLES
        for one in lake.accepted_all(name)
        if one.approval and one.release == release
    ]
    more = [f"  and {len(lines) - 10} more"] if len(lines) > 10 else []
    return "\n".join([f"Approvals: {len(lines)}", *lines[:10], *more])


def _quarantined(lake: Lake) -> str:
    """Return how many rows are set aside: one JSON file each, `quarantine/<table>/<partition>/<id>.json`."""
    tables: dict[str, int] = {}
    for table in lake.list_names("quarantine"):
        for partition in lake.list_names(f"quarantine/{table}"):
            folder = f"quarantine/{table}/{partition}"
            entries = (json.loads(lake.read_bytes(f"{folder}/{name}")) for name in lake.list_names(folder))
            n_open = sum(entry["state"] in _SET_ASIDE for entry in entries)
            tables[table] = tables.get(table, 0) + n_open
    listed = ", ".join(f"{name} {n:,}" for name, n in sorted(tables.items()) if n)
    return f"Quarantined: {count(sum(tables.values()), 'row')}" + (f" ({listed})" if listed else "")
