"""Approvals: a maintainer lets readers have a version that a check had rejected.

The pointer moves by compare-and-swap against the version that the audit saw, so that nobody approves over news that
he has not read; and one approval at a time, so that of two maintainers one is told. Who, when, why and the figures
are part of the pointer. What Dagster is told of it is in `automation.approval`.
"""

import fnmatch
from collections.abc import Callable, Mapping
from typing import Any

from mlm_assets.errors import LakeConflict, Refused
from mlm_assets.resources.lake import Accepted, Lake, Version, utc_now
from mlm_assets.tables import TABLES

_KEPT = ("check", "severity", "sentence", "figures", "cause", "rows_path")
Prepare = Callable[[Version, str], None]
"""Makes what readers find beside a table (its files), for (version, release)."""


def rejected(lake: Lake, name: str, pattern: str = "*") -> list[dict[str, Any]]:
    """Return the newest audits of the partitions of a table that match `pattern` and whose version is not readable.

    Raises:
        Refused: there is no such table.
    """
    if name not in TABLES:
        raise Refused(f"There is no table {name!r}. Tables: {', '.join(TABLES)}.")
    return [
        audit
        for audit in lake.audits(name)
        if fnmatch.fnmatchcase(audit["partition"], pattern) and not lake.is_readable(audit)
    ]


def approve(
    lake: Lake, name: str, pattern: str, *, by: str, reason: str, prepare: Prepare | None = None
) -> list[Accepted]:
    """Accept the rejected versions of a table in the partitions that match `pattern`, and what was drafted with them.

    Returns what readers see now, in the order in which it was accepted.

    Raises:
        Refused: no reason or no name is given, or nothing waits there for an approval.
        LakeConflict: somebody else approved it, or another version was accepted since the audit.
    """
    if not reason.strip() or not by.strip():
        raise Refused("An approval needs a reason and a name (--reason, --by): they are kept with the release.")
    with lake.lock("approvals"):
        waiting = rejected(lake, name, pattern)
        if not waiting:
            raise _nothing_waits(lake, name, pattern)
        return [one for audit in waiting for one in _approve(lake, audit, by.strip(), reason.strip(), prepare)]


def approved(lake: Lake, name: str, pattern: str = "*") -> list[Accepted]:
    """Return what readers see by approval in the partitions of a table that match `pattern`."""
    seen = lake.accepted_all(name) if name in TABLES else []
    return [one for one in seen if one.approval is not None and fnmatch.fnmatchcase(one.partition, pattern)]


def _approve(lake: Lake, audit: Mapping[str, Any], by: str, reason: str, prepare: Prepare | None) -> list[Accepted]:
    accepted = []
    for table, partition, version in audit["together"]:
        said = lake.audit_of(table, partition)
        if said is None or said["version"] != version:
            raise LakeConflict(
                f"{table} {partition}: it was audited again since, with another version. Look at it, and approve again."
            )
        if lake.is_readable(said):  # an approval that was killed half-way did this part
            continue
        accepted.append(_accept(lake, said, by, reason, prepare))
    return accepted


def _accept(lake: Lake, audit: Mapping[str, Any], by: str, reason: str, prepare: Prepare | None) -> Accepted:
    name, partition = audit["table"], audit["partition"]
    current = lake.accepted(name, partition)
    if (current.version if current else None) != audit["before"]:
        raise LakeConflict(
            f"{name} {partition}: readers see another version than when this one was audited. Materialise it again."
        )
    version = Version(name, partition, audit["version"], audit["n_rows"])
    if prepare is not None:
        prepare(version, audit["release"])
    failed = [check for check in audit["checks"] if not check["passed"]]
    kept = [
        {key: check[key] for key in ("check", "severity", "sentence", "figures", "cause", "rows_path")}
        for check in failed
    ]
    return lake.accept(
        version,
        release=audit["release"],
        inputs=audit["inputs"],
        code_version=audit["code_version"],
        n_unavailable=audit["n_unavailable"],
        run_id=audit["run_id"],
        approval={"by": by, "at": utc_now(), "reason": reason, "failed": kept},
        expected=current,
    )


def _nothing_waits(lake: Lake, name: str, pattern: str) -> Refused | LakeConflict:
    """Return why there is nothing to approve: somebody did it already, or nothing was rejected."""
    before = approved(lake, name, pattern)
    where = f"{name} {pattern}".strip() if pattern != "*" else name
    if before:
        approval = dict(before[-1].approval or {})
        return LakeConflict(
            f"{where} was approved already, by {approval['by']} at {approval['at']}: {approval['reason']}"
        )
    return Refused(f"Nothing waits for an approval in {where}: {_how_it_stands(lake, name, pattern)}")


def _how_it_stands(lake: Lake, name: str, pattern: str) -> str:
    if any(fnmatch.fnmatchcase(one.partition, pattern) for one in lake.accepted_all(name)):
        return "readers see the newest version."
    known = ", ".join(repr(audit["partition"]) for audit in lake.audits(name)) or "none"
    return f"no partition of that name was ever audited (those that were: {known})."
