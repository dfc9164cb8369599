"""The audit of a drafted version: every check that its table declares, what each says, and how it is kept and shown.

A check is declared once (`checks.constraints`, `checks.drift`, the asset's own rules) and becomes one Dagster check,
partitioned like its asset. Beside them stands `accepted`, the verdict on the version as a whole: it alone decides for
readers and for automation, because a maintainer can approve what a check has rejected. What a check means does not
belong here, nor the moving of pointers (`stage`).
"""

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Final

import dagster as dg

from mlm_assets.assets.excuses import excused, is_by_approval
from mlm_assets.assets.reporting import asset_key, markdown_rows, newest_target
from mlm_assets.checks import constraints, drift
from mlm_assets.checks.profile import Sides, profile_of
from mlm_assets.checks.verdicts import ACCEPTED_CHECK, Check, Verdict, crashed
from mlm_assets.lineage.counts import trace_command
from mlm_assets.partitions import RELEASES, SHARDS, SHARDS_BY_LANGUAGE
from mlm_assets.resources.lake import Accepted, Lake, Version
from mlm_assets.tables import TABLES

ACCEPTED: Final = Check(
    ACCEPTED_CHECK,
    "Readers see the newest version: nothing that blocks has failed, or a maintainer approved it.",
)
_PARTITIONS: Final[dict[tuple[str, ...], dg.PartitionsDefinition[str] | None]] = {
    (): None,
    ("shard",): SHARDS,
    ("lang", "shard"): SHARDS_BY_LANGUAGE,
    ("release",): RELEASES,
}
# Partitioned checks are what one partition's verdict needs; Dagster calls them a preview at every load.
warnings.filterwarnings("ignore", category=dg.PreviewWarning)

Views = Mapping[str, Any]
"""What a check may read besides the version itself: versions of tables, or rows, by the name of their view."""


@dataclass(frozen=True)
class Subject:
    """A drafted version and all that its audit needs to know."""

    version: Version
    release: str
    before: Accepted | None
    views: Views
    parameters: Mapping[str, Any]
    inputs: Mapping[str, str]
    """Version of each `table/partition` that it was made from."""
    rules: tuple[Verdict, ...] = ()
    """Verdicts of the asset's own rules, which it comes to by itself."""


@dataclass(frozen=True)
class Audit:
    """What the checks said of a version."""

    version: Version
    verdicts: tuple[Verdict, ...] = field(default=())

    @property
    def blocking(self) -> tuple[Verdict, ...]:
        """The verdicts that keep the version from readers."""
        return tuple(verdict for verdict in self.verdicts if verdict.blocks)


def declared_checks(name: str) -> tuple[Check, ...]:
    """Return the checks of table `name`, without the rules of its asset."""
    return (*constraints.declared(TABLES[name]), *drift.declared(name), ACCEPTED)


OWN_CHECKS: dict[str, tuple[Check, ...]] = {}
"""The checks that the asset of a table judges itself, filled by `stage.described`."""


def check_specs(name: str) -> list[dg.AssetCheckSpec]:
    """Return the Dagster checks of table `name`: those it declares, and its asset's own."""
    return [
        dg.AssetCheckSpec(
            check.name,
            asset=asset_key(name),
            description=check.description,
            blocking=check.is_blocking,
            partitions_def=_PARTITIONS[TABLES[name].partitioned_by],
        )
        for check in (*declared_checks(name), *OWN_CHECKS.get(name, ()))
    ]


def audit(lake: Lake, subject: Subject) -> Audit:
    """Ask every check of the table; one that crashes vouches for nothing, and so blocks."""
    table, version = TABLES[subject.version.table], subject.version
    sound = _judged(
        table.name,
        constraints.declared(table),
        lambda: constraints.audit(lake, version, subject.views, subject.parameters, reference_of(lake, subject)),
    )
    drifted = _judged(table.name, drift.declared(table.name), lambda: _drift(lake, subject))
    verdicts = excused(lake, version, subject.before, subject.inputs, subject.release, sound, drifted)
    return Audit(version, (*verdicts, *subject.rules))


def _judged(name: str, checks: Sequence[Check], judge: Callable[[], Sequence[Verdict]]) -> list[Verdict]:
    """Return the verdicts on `checks`; where judging fails as a whole, each of them has crashed."""
    if not checks:
        return []
    try:
        return list(judge())
    except Exception as error:  # whatever it is: it is shown, and it blocks
        return [crashed(name, check, error) for check in checks]


def _drift(lake: Lake, subject: Subject) -> Sequence[Verdict]:
    """Judge a version against the last accepted one of an earlier release, else against the one before it."""
    version = subject.version
    earlier, reference = earlier_than(lake, version, subject.release), reference_of(lake, subject)
    current = Sides(version.table, version.partition, subject.release, _versions(subject.views, version))
    history = [profile_of(lake, _sides_of(lake, one)) for one in earlier]
    verdicts = drift.judge(lake, current, _sides_of(lake, reference) if reference else None, history)
    if not any(one.blocks for one in verdicts):
        return verdicts
    # Looked for only where something blocks, and from the newest: each answer reads the pointers of all inputs.
    ordinary = next((one for one in reversed(earlier) if not is_by_approval(lake, one)), None)
    if ordinary is None or ordinary == reference:
        return verdicts
    before_it = drift.judge(lake, current, _sides_of(lake, ordinary), history)
    return [_back(*pair, ordinary.release) for pair in zip(verdicts, before_it, strict=True)]


def reference_of(lake: Lake, subject: Subject) -> Accepted | None:
    """Return what a version is held against: the last accepted one of an earlier release, else the one before it."""
    earlier = earlier_than(lake, subject.version, subject.release)
    return earlier[-1] if earlier else subject.before


def earlier_than(lake: Lake, version: Version, release: str) -> list[Accepted]:
    """Return the versions accepted last for each release before `release`, oldest first.

    Of a shard they are in its history; of a table by release each is another partition.
    """
    is_by_release = "release" in TABLES[version.table].partitioned_by
    course = lake.accepted_all(version.table) if is_by_release else lake.history(version.table, version.partition)
    return sorted((one for one in course if one.release < release), key=lambda one: one.release)


def _back(verdict: Verdict, before: Verdict, release: str) -> Verdict:
    """Return a verdict as passed where what it blames only takes back a change that somebody had approved."""
    if not verdict.blocks or verdict.has_crashed or not before.passed:
        return verdict
    return replace(before, sentence=f"As it was in {release}, before a change that was approved. {before.sentence}")


def _versions(views: Views, version: Version) -> dict[str, Sequence[Version]]:
    found = {name: tuple(rows) for name, rows in views.items() if isinstance(rows, (list, tuple))}
    return {**found, version.table: (version,)}


def _sides_of(lake: Lake, accepted: Accepted) -> Sides:
    """Return an accepted version with what it was made from, and what was accepted beside it for its release."""
    versions: dict[str, list[Version]] = {}
    for key, value in accepted.inputs.items():
        name, _, partition = key.rpartition("/")
        if name in TABLES:
            versions.setdefault(name, []).append(Version(name, partition, value, 0))
    for name in drift.context_of(accepted.table):
        if name not in versions:
            versions[name] = _beside(lake, name, accepted)
    return Sides(accepted.table, accepted.partition, accepted.release, {**versions, accepted.table: (accepted,)})


def _beside(lake: Lake, name: str, accepted: Accepted) -> list[Version]:
    """Return the version of table `name` that was accepted for the release of `accepted`, of the same partition."""
    is_alike = TABLES[name].partitioned_by == TABLES[accepted.table].partitioned_by
    # Of a table by release, the partition is the release, so that its history is the one version.
    history = lake.history(name, accepted.partition if is_alike else "")
    return [one for one in history if one.release == accepted.release]


# -- how it is kept and shown ------------------------------------------------------------------------------------------


def accepted_verdict(found: Audit, before: Accepted | None) -> Verdict:
    """Return the verdict on a version as a whole."""
    version = found.version
    if not found.blocking:
        n_warned = sum(not verdict.passed for verdict in found.verdicts)
        warned = f", {n_warned} warned" if n_warned else ""
        return Verdict(version.table, ACCEPTED.name, True, f"{len(found.verdicts)} checks{warned}; readers see it.")
    readers = f"Readers keep version {before.version} of {before.release}" if before else "Readers have no version yet"
    names = ", ".join(verdict.check for verdict in found.blocking)
    return Verdict(
        version.table,
        ACCEPTED.name,
        False,
        f"Blocked by {names}. {readers}. If the new version is right after all: {approve_command(version)}",
        figures={"blocked_by": names, "version": version.version},
        cause=next((verdict.cause for verdict in found.blocking if verdict.cause), None),
    )


def approve_command(version: Version) -> str:
    """Return the command that lets readers have a rejected version."""
    where = f" '{version.partition}'" if version.partition else ""
    return f"mlm approve {version.table}{where} --reason '...'"


def record(
    found: Audit,
    subject: Subject,
    *,
    run_id: str,
    at: str,
    inputs: Mapping[str, str],
    code_version: str,
    n_unavailable: int,
    together: Sequence[Version],
) -> dict[str, Any]:
    """Return an audit as the lake keeps it: all that an approval, an alert or a summary needs to know."""
    version = subject.version
    return {
        "table": version.table, "partition": version.partition, "version": version.version, "n_rows": version.n_rows,
        "release": subject.release, "run_id": run_id, "at": at,
        "before": subject.before.version if subject.before else None,
        "inputs": dict(sorted(inputs.items())), "code_version": code_version, "n_unavailable": n_unavailable,
        "together": [[one.table, one.partition, one.version] for one in together],
        "checks": [_said(verdict) for verdict in found.verdicts],
    }  # fmt: skip


def _said(verdict: Verdict) -> dict[str, Any]:
    said = asdict(verdict)
    return {
        "check": said["check"], "passed": said["passed"], "severity": said["severity"],
        "blocking": said["is_blocking"], "sentence": said["sentence"], "figures": dict(said["figures"]),
        "sample": list(said["sample"]), "rows_path": said["rows_path"], "cause": said["cause"],
        "crashed": said["has_crashed"], "excused": said["excuse"],
    }  # fmt: skip


def check_result(lake: Lake, version: Version, verdict: Verdict) -> dg.AssetCheckResult:
    """Return a verdict as Dagster shows it, with the way to the rows."""
    return dg.AssetCheckResult(asset_key=asset_key(version.table), **_shown(lake, version, verdict))


def evaluations(
    lake: Lake, instance: dg.DagsterInstance, version: Version, verdicts: Sequence[Verdict]
) -> list[dg.AssetCheckEvaluation]:
    """Return verdicts as Dagster's evaluations of the newest materialisation that it knows."""
    key, partition = asset_key(version.table), version.partition if TABLES[version.table].partitioned_by else None
    target = newest_target(instance, key, partition)
    return [
        dg.AssetCheckEvaluation(
            asset_key=key, partition=partition, blocking=verdict.is_blocking, target_materialization_data=target,
            **_shown(lake, version, verdict),
        )
        for verdict in verdicts
    ]  # fmt: skip


def _shown(lake: Lake, version: Version, verdict: Verdict) -> dict[str, Any]:
    metadata: dict[str, Any] = {name: _metadata_value(value) for name, value in verdict.figures.items()}
    if verdict.cause:
        metadata["cause"] = verdict.cause
    if verdict.sample:
        metadata["sample"] = dg.MetadataValue.md(markdown_rows([dict(row) for row in verdict.sample]))
    if verdict.rows_path:
        metadata["all_rows"] = dg.MetadataValue.path(lake.full_path(verdict.rows_path))
    if not verdict.passed and verdict.check != ACCEPTED.name:
        metadata["trace"] = trace_command(version.table, version.partition, check=verdict.check)
    return {
        "check_name": verdict.check,
        "passed": verdict.passed,
        "severity": dg.AssetCheckSeverity.ERROR if verdict.severity == "ERROR" else dg.AssetCheckSeverity.WARN,
        "description": verdict.sentence,
        "metadata": {**metadata, "version": version.version},
    }


def _metadata_value(value: Any) -> Any:
    """Return a figure as metadata: tables of groups as Markdown, the rest as it is."""
    if isinstance(value, (list, tuple)) and value and all(isinstance(row, Mapping) for row in value):
        return dg.MetadataValue.md(markdown_rows([dict(row) for row in value]))
    if value is None or isinstance(value, (Mapping, list, tuple)):
        return dg.MetadataValue.json(value)  # type: ignore[arg-type]
    return value
