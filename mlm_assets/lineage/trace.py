"""From a check result or a count to its rows, their versions and files, and the requests that brought them.

Three steps: which rows are meant (`_subject`), what they were made from (`records.chain`), and where each of the rows
shown was fetched (`origins`). A check's failing rows are those of the newest audit, whether its version was accepted or
not. How it is printed belongs to `commands.trace`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from mlm_assets.errors import Refused
from mlm_assets.lineage import records, rows
from mlm_assets.lineage.counts import counted_in
from mlm_assets.lineage.origins import Origins
from mlm_assets.resources.lake import Accepted, Lake, Version
from mlm_assets.tables import TABLES

DEFAULT_LIMIT: Final = 5


@dataclass(frozen=True)
class TraceRequest:
    """What to trace: a table partition (None: all, of a release table the newest), its rows, or a check's."""

    table: str
    partition: str | None = None
    check: str | None = None
    where: Mapping[str, str] = field(default_factory=dict)
    release: str | None = None
    limit: int = DEFAULT_LIMIT


@dataclass(frozen=True)
class _Subject:
    """The versions that are traced, their inputs where an audit says them, and the files and sample of the rows."""

    versions: list[Version]
    inputs: list[Mapping[str, str] | None]
    paths: list[str]
    checks: list[dict[str, Any]] = field(default_factory=list)
    sample: list[dict[str, Any]] | None = None


def trace(lake: Lake, request: TraceRequest, n_shards: int) -> dict[str, Any]:
    """Return rows, versions, code, requests and revisions behind a check result or a count, as plain data.

    Raises:
        Refused: a table, partition, release, check or column that there is not, or a value that is none of its type.
        MlmError: a file is not there any more.
    """
    records.require_table(request.table)
    if request.limit < 0:
        raise Refused("--limit takes the number of rows to show, 0 or more.")
    with rows.together(lake):
        return _traced(lake, request, n_shards)


def _traced(lake: Lake, request: TraceRequest, n_shards: int) -> dict[str, Any]:
    subject = _of_check(lake, request) if request.check else _of_versions(lake, request)
    found = _rows(lake, request, subject)
    nodes = records.chain(lake, list(zip(subject.versions, subject.inputs, strict=True)), _release(request, subject))
    return {
        "table": request.table,
        "partition": request.partition,
        "checks": subject.checks,
        "rows": {
            "n": found.n_rows,
            "where": dict(request.where),
            "files": [lake.full_path(path) for path in subject.paths],
            "sample": found.sample,
        },
        "counted_in": _counted(lake, request.table, subject.versions, found.sample),
        "origins": Origins(lake, nodes, n_shards).of(request.table, found.sample),
        "chain": [node.as_json(lake) for node in nodes],
    }


def _release(request: TraceRequest, subject: _Subject) -> str | None:
    """Return the release that is asked about; None where that is what readers see now."""
    if "release" in TABLES[request.table].partitioned_by:
        return subject.versions[0].partition
    return request.release


def _rows(lake: Lake, request: TraceRequest, subject: _Subject) -> rows.Found:
    if subject.sample is not None and not subject.paths:
        return rows.Found(len(subject.sample), subject.sample[: request.limit])
    return rows.find(lake, subject.paths, request.where, request.limit)


def _of_versions(lake: Lake, request: TraceRequest) -> _Subject:
    versions = _versions(lake, request)
    return _Subject(versions, [None] * len(versions), [version.path for version in versions])


def _versions(lake: Lake, request: TraceRequest) -> list[Version]:
    """Return the accepted versions that are meant: of one partition or all; of a release table the newest."""
    table, is_release_table = request.table, "release" in TABLES[request.table].partitioned_by
    release = request.release
    if is_release_table and release is not None and request.partition not in (None, release):
        raise Refused(f"{table} {request.partition} belongs to that release; --release {release} contradicts it.")
    if release is not None:
        found = records.pinned_versions(lake, release, table)
    else:
        found = list[Version](lake.accepted_all(table))
        found = found[-1:] if is_release_table and request.partition is None else found
    if request.partition is None:
        if found:
            return found
        raise Refused(f"{table} has no accepted version{f' in {release}' if release else ''} yet.")
    chosen = [version for version in found if version.partition == request.partition]
    return chosen or _no_partition(table, request.partition, [version.partition for version in found])


def _no_partition(table: str, partition: str, present: Sequence[str]) -> list[Version]:
    if present == [""]:
        raise Refused(f"{table} is not partitioned; leave {partition!r} out.")
    there = f"There are: {', '.join(present)}." if present else "It has none yet."
    raise Refused(f"{table} has no accepted partition {partition!r}. {there}")


def _of_check(lake: Lake, request: TraceRequest) -> _Subject:
    """Return the failing rows of a check, by the newest audits of the table."""
    audits = _audits(lake, request)
    name = str(request.check)
    judged = [(audit, one) for audit in audits for one in audit["checks"] if one["check"] == name]
    if not judged:
        known = sorted({one["check"] for audit in audits for one in audit["checks"]})
        raise Refused(f"{request.table} has no check {name!r}. Its newest audits have: {', '.join(known)}.")
    failed = [(audit, one) for audit, one in judged if not one["passed"]]
    versions = [_audited(audit) for audit, _ in failed or judged]
    paths = [one["rows_path"] for _, one in failed if one.get("rows_path")]
    sample = [dict(row) for _, one in failed if not one.get("rows_path") for row in one.get("sample") or ()]
    return _Subject(
        versions,
        [audit.get("inputs") for audit, _ in failed or judged],
        paths,
        [_said(lake, audit, one) for audit, one in failed or judged],
        sample,
    )


def _audits(lake: Lake, request: TraceRequest) -> list[dict[str, Any]]:
    if request.partition is None:
        found = lake.audits(request.table)
    else:
        newest = lake.audit_of(request.table, request.partition)
        found = [newest] if newest is not None else []
    where = f"{request.table} {request.partition or ''}".strip()
    if not found:
        raise Refused(f"No audit of {where} is kept; materialise it, and its checks run.")
    kept = [audit for audit in found if request.release in (None, audit["release"])]
    if not kept:
        there = ", ".join(sorted({audit["release"] for audit in found}))
        raise Refused(
            f"The newest audit of {where} is of release {there}, not of {request.release}; older ones are not kept."
        )
    return kept


def _audited(audit: Mapping[str, Any]) -> Version:
    return Version(audit["table"], audit["partition"], audit["version"], int(audit["n_rows"]))


def _said(lake: Lake, audit: Mapping[str, Any], check: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a check said of which version, and whether readers see that version."""
    accepted: Accepted | None = lake.accepted(audit["table"], audit["partition"])
    kept = ("check", "passed", "severity", "blocking", "crashed", "sentence", "cause", "figures", "rows_path")
    return {
        "partition": audit["partition"],
        "version": audit["version"],
        "release": audit["release"],
        "run_id": audit["run_id"],
        "at": audit["at"],
        "is_readable": accepted is not None and accepted.version == audit["version"],
        **{name: check.get(name) for name in kept},
    }


def _counted(
    lake: Lake, table: str, versions: Sequence[Version], sample: Sequence[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """Return for each row that is a count: what it counts, how many rows that is, and the command that shows them."""
    if len(versions) != 1:
        return []
    found = []
    for row in sample:
        counted = counted_in(table, versions[0].partition, row)
        if counted is None:
            continue
        release = counted.release or versions[0].partition
        counted_versions = [
            version
            for version in records.pinned_versions(lake, release, counted.table)
            if version.partition == counted.partition
        ]
        n_rows = rows.find(lake, [one.path for one in counted_versions], counted.where, 0).n_rows
        found.append(
            {
                "row": {name: row[name] for name in TABLES[table].key},
                "table": counted.table,
                "partition": counted.partition,
                "where": dict(counted.where),
                "what": counted.what,
                "n_rows": n_rows,
                "command": counted.command,
            }
        )
    return found
