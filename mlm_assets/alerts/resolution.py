"""How a problem came to an end: repaired by a new version, approved by whom and why, carried on by a later release."""

from collections.abc import Mapping, Sequence
from typing import Any

from mlm_assets.alerts.ledger import Incident
from mlm_assets.alerts.problems import Problem
from mlm_assets.alerts.records import Lake
from mlm_assets.alerts.text import clean, some


def explain(lake: Lake, gone: Sequence[Incident], problems: Sequence[Problem]) -> None:
    """Write into each incident that has just gone how it ended."""
    still = {(one.key.kind, one.key.table, one.key.check) for one in problems}
    for incident in gone:
        key = incident.key
        if key.kind == "check":
            incident.is_carried_on = (key.kind, key.table, key.check) in still
            incident.resolution = _how_a_check_ended(lake, incident)
        else:
            incident.resolution = _ENDED.get(key.kind, "gone")


_ENDED = {
    "run": "a later run succeeded",
    "tick": "its newest tick succeeded",
    "late": "it has run",
    "overdue": "refreshed",
    "delivery": "everything was delivered",
    "route": "usable again",
}


def _how_a_check_ended(lake: Lake, incident: Incident) -> str:
    table = incident.key.table
    approvals: dict[str, list[str]] = {}
    repairs: dict[str, list[str]] = {}
    for partition in incident.seen_in or [""]:
        audit, accepted = lake.audit_of(table, partition), lake.accepted(table, partition)
        if audit is None or accepted is None:
            continue
        if accepted.version == audit["version"] and accepted.approval:
            approvals.setdefault(_approval(accepted.approval), []).append(partition)
        else:
            repairs.setdefault(f"version {accepted.version} of {accepted.release}", []).append(partition)
    said = [f"approved by {words}{_where(partitions)}" for words, partitions in approvals.items()]
    if repairs:
        versions = list(repairs)
        words = f"a new version ({versions[0]})" if len(versions) == 1 else f"{len(versions)} new versions"
        said.append(f"repaired by {words}{_where([p for several in repairs.values() for p in several])}")
    return "; ".join(said) or "its version is gone"


def _approval(approval: Mapping[str, Any]) -> str:
    return f"{clean(approval.get('by', 'nobody knows whom'), 80)}: {clean(approval.get('reason', ''), 200)}"


def _where(partitions: Sequence[str]) -> str:
    named = [partition for partition in partitions if partition]
    return f" ({some(named, 3)})" if named else ""
