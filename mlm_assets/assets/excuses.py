"""What a maintainer has said already: verdicts that his approval covers do not block a second time.

Three ways in which a failed check is excused, and shown as a warning that says so:

- the version itself was approved, and is made again (its inputs changed, its bytes did not);
- it is made from a version that was approved for this release against a drop or drift, and what it blames is the same:
  the same language, country, class, property or reason (French lost two fifths, and somebody let that through, so that
  French losing two fifths further down is no news), or nearly all of its entities are those of the approved verdict;
  so is everything that follows from a manifest with other parameters, once that was approved;
- every row that breaks it was released from the quarantine.

What blames something else blocks as ever.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from mlm_assets.checks.aside import FETCHED
from mlm_assets.checks.drift import PARAMETERS
from mlm_assets.checks.verdicts import Verdict
from mlm_assets.resources import quarantine
from mlm_assets.resources.lake import Accepted, Lake, Version
from mlm_assets.tables import LANGUAGES, REJECTION_REASONS, TABLES

_NAMED: Final = re.compile(r"\b(?:[A-Z]{2}|[QP][0-9]+|[a-z]+(?:_[a-z]+)*)\b")
_NEARLY_ALL: Final = 0.8
_WORDS: Final = frozenset({*LANGUAGES, *REJECTION_REASONS})


def excused(
    lake: Lake, version: Version, before: Accepted | None, inputs: Mapping[str, str], release: str,
    constraints: Sequence[Verdict], drift: Sequence[Verdict],
) -> list[Verdict]:  # fmt: skip
    """Return the verdicts on a version, those that are excused as warnings; `inputs` is what it was made from."""
    approval = approval_of(version, before)
    upstream = list(approvals_upstream(lake, inputs, release)) if any(one.blocks for one in drift) else []
    found = [_released(lake, version, verdict) for verdict in constraints]
    found += [_follows(lake, version, verdict, upstream) for verdict in drift]
    return [_approved(verdict, approval) for verdict in found]


def approval_of(version: Version, before: Accepted | None) -> Mapping[str, Any] | None:
    """Return the approval by which readers see this very version already."""
    return before.approval if before is not None and before.version == version.version else None


def is_by_approval(lake: Lake, accepted: Accepted) -> bool:
    """Tell whether readers saw a version, or what it was made from, by an approval for its release."""
    return accepted.approval is not None or any(approvals_upstream(lake, accepted.inputs, accepted.release))


def approvals_upstream(lake: Lake, inputs: Mapping[str, str], release: str) -> Iterator[Accepted]:
    """Yield the approved versions of this release among `inputs`, and all that they were made from."""
    waiting, seen = list(inputs.items()), set(inputs)
    while waiting:
        key, value = waiting.pop()
        name, _, partition = key.rpartition("/")
        if name not in TABLES:
            continue
        accepted = lake.accepted_for(release, name, partition)
        if accepted is None or accepted.version != value:
            continue
        if accepted.approval is not None:
            yield accepted
        waiting += [(deeper, version) for deeper, version in accepted.inputs.items() if deeper not in seen]
        seen |= set(accepted.inputs)


def causes_of(figures: Mapping[str, Any], partition: str) -> frozenset[str]:
    """Return what a failed check blames: languages (of its partition too), countries, classes, properties, reasons."""
    named = set(_NAMED.findall(str(figures.get("cause_value", ""))))
    causes = {word for word in named if word in _WORDS or not word[0].islower()}
    lang, bar, _ = partition.partition("|")
    return frozenset(causes | ({lang} if bar else set()))


def _approved(verdict: Verdict, approval: Mapping[str, Any] | None) -> Verdict:
    if approval is None or not verdict.blocks:
        return verdict
    if verdict.check not in {one["check"] for one in approval["failed"]}:
        return verdict
    return _excuse(verdict, f"Approved by {approval['by']}: {approval['reason']}")


def _follows(lake: Lake, version: Version, verdict: Verdict, upstream: Sequence[Accepted]) -> Verdict:
    """Return a verdict on drift as a warning where what it blames was approved further up."""
    if not verdict.blocks or verdict.has_crashed:
        return verdict
    mine = causes_of(verdict.figures, version.partition)
    for one in upstream:
        approval = dict(one.approval or {})
        blamed = frozenset().union(*(causes_of(check["figures"], one.partition) for check in approval["failed"]))
        common = _parameters(approval) or ", ".join(sorted(mine & blamed)) or _same_entities(lake, verdict, approval)
        if common:
            said = f"approved by {approval['by']}: {approval['reason']}"
            return _excuse(verdict, f"Follows ({common}) from {one.table} {one.partition}, {said}")
    return verdict


def _parameters(approval: Mapping[str, Any]) -> str:
    """Say so where what was approved is a release with other parameters: no figure of the one before is a yardstick."""
    return "other parameters" if PARAMETERS in {check["check"] for check in approval["failed"]} else ""


def _same_entities(lake: Lake, verdict: Verdict, approval: Mapping[str, Any]) -> str:
    """Say so where nearly all entities of a verdict are among those of the approved ones; empty where they are not."""
    theirs = [check["rows_path"] for check in approval["failed"] if check.get("rows_path")]
    if verdict.rows_path is None or not theirs:
        return ""
    files = ", ".join("'" + lake.address(path).replace("'", "''") + "'" for path in theirs)
    mine = "'" + lake.address(verdict.rows_path).replace("'", "''") + "'"
    with lake.connect() as connection:
        connection.execute(f"CREATE VIEW mine AS SELECT * FROM read_parquet({mine})")  # noqa: S608 (our own path)
        several = f"read_parquet([{files}], union_by_name => true)"
        connection.execute(f"CREATE VIEW theirs AS SELECT * FROM {several}")  # noqa: S608 (our own paths)
        columns = [{row[0] for row in connection.execute(f"DESCRIBE {view}").fetchall()} for view in ("mine", "theirs")]
        if not all("qid" in names for names in columns):
            return ""
        statement = """
            SELECT count(*), count(*) FILTER (qid IN (SELECT qid FROM theirs))
            FROM (SELECT DISTINCT qid FROM mine)
        """
        n, n_common = connection.execute(statement).fetchall()[0]
    return f"{n_common} of its {n} entities" if n and n_common >= _NEARLY_ALL * n else ""


def _released(lake: Lake, version: Version, verdict: Verdict) -> Verdict:
    if not verdict.blocks or verdict.has_crashed or verdict.rows_path is None or version.table not in FETCHED:
        return verdict
    entries = quarantine.entries_of(lake, version.table, version.partition)
    released = [entry for entry in entries if entry.state == "released" and entry.rule == verdict.check]
    keys = TABLES[version.table].key
    if not released or verdict.figures.get("n_failing", 0) > len(released):
        return verdict
    known = {tuple(entry.key[key] for key in keys) for entry in released}
    failing = lake.read_rows(verdict.rows_path).select(list(keys)).to_pylist()
    if any(tuple(row[key] for key in keys) not in known for row in failing):
        return verdict
    return _excuse(verdict, f"All {len(failing)} rows were released from the quarantine: {released[0].note}")


def _excuse(verdict: Verdict, why: str) -> Verdict:
    return replace(verdict, severity="WARN", sentence=f"{verdict.sentence} {why}.", has_crashed=False, excuse=why)
