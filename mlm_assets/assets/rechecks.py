"""The checks of every table as Dagster runs them by themselves: the newest version, audited again.

An asset audits what it writes and reports it (`stage`), so that no step of its own is needed for that. This is the
button "Execute checks" of the UI, for whoever changed a band or doubts a verdict; it fetches nothing and moves no
pointer. Where the checks run in one run with their asset ("Materialize" in the UI), they report what it has found.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import dagster as dg

from mlm_assets.assets import audit
from mlm_assets.assets.audit import Audit, Subject
from mlm_assets.assets.datasets import quota_rows
from mlm_assets.checks.verdicts import Verdict
from mlm_assets.errors import MlmError
from mlm_assets.resources.lake import Lake, Version, utc_now
from mlm_assets.resources.services import LakeResource
from mlm_assets.tables import TABLES


def recheck(name: str) -> dg.AssetChecksDefinition:
    """Return the step that runs the checks of table `name` on its newest version."""

    @dg.multi_asset_check(
        name=f"check_{name.replace('/', '__')}",
        specs=audit.check_specs(name),
        can_subset=True,
        description=f"Run the checks of {name} on its newest version again; nothing is fetched, and no pointer moves.",
    )
    def again(context: dg.AssetCheckExecutionContext, lake: LakeResource) -> Iterator[dg.AssetCheckResult]:
        opened = lake.open()
        if TABLES[name].partitioned_by and not context.has_partition_key:
            raise MlmError(f"The checks of {name} look at one partition at a time. Launch them with a partition.")
        partition = context.partition_key if context.has_partition_key else ""
        said = opened.audit_of(name, partition)
        if said is None:
            raise MlmError(f"{name} {partition}: there is no version to check yet. Materialise it first.")
        if said["run_id"] != context.run.run_id:
            said = audit_again(opened, said, lake.settings().shards, context.run.run_id)
        version = Version(name, partition, said["version"], said["n_rows"])
        found = Audit(version, tuple(verdict_of(name, check) for check in said["checks"]))
        whole = accepted_again(opened, said, found)
        wanted = {key.name for key in context.selected_asset_check_keys}
        for verdict in (*found.verdicts, whole):
            if verdict.check in wanted:
                yield audit.check_result(opened, version, verdict)

    return again


rechecks = [recheck(name) for name in TABLES]


def audit_again(lake: Lake, said: Mapping[str, Any], n_shards: int, run_id: str) -> dict[str, Any]:
    """Audit the version of a kept audit again, from the same inputs, and keep what is found."""
    name, partition = said["table"], said["partition"]
    views, parameters = views_of(lake, name, said["inputs"])
    together = [lake.version(table, where, version) for table, where, version in said["together"]]
    views |= {one.table: [one] for one in together}
    declared = {check.name for check in audit.declared_checks(name)}
    subject = Subject(
        Version(name, partition, said["version"], said["n_rows"]),
        said["release"],
        next((one for one in lake.history(name, partition) if one.version == said["before"]), None),
        views,
        {**parameters, "partition": partition, "release": said["release"], "shards": n_shards},
        said["inputs"],
        # What an asset found while it was made cannot be found again: it stands.
        tuple(verdict_of(name, check) for check in said["checks"] if check["check"] not in declared),
    )
    found = audit.audit(lake, subject)
    kept = audit.record(
        found,
        subject,
        run_id=run_id,
        at=utc_now(),
        inputs=said["inputs"],
        code_version=said["code_version"],
        n_unavailable=said["n_unavailable"],
        together=together,
    )
    kept = {**kept, "before": said["before"]}
    lake.write_audit(kept)
    return kept


def views_of(lake: Lake, name: str, inputs: Mapping[str, str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what the checks of a version read besides it, and the parameters, from what it was made of."""
    views: dict[str, Any] = {}
    parameters: dict[str, Any] = {}
    for key, value in inputs.items():
        table, _, partition = key.rpartition("/")
        if table in TABLES:
            views.setdefault(table, []).append(lake.version(table, partition, value))
        elif key.startswith("setting:"):
            parameters[key.removeprefix("setting:")] = _typed(value)
    if name != "refresh" and "refresh" in views:
        for row in lake.read(views["refresh"][0]).to_pylist():
            if row["kind"] == "parameter":
                parameters[row["name"]] = _typed(row["value"])
            elif f"{row['name']}/{row['partition']}" not in inputs:
                views.setdefault(row["name"], []).append(
                    Version(row["name"], row["partition"], row["value"], row["n_rows"])
                )
        views["quotas"] = quota_rows(int(parameters["quota_total"]))
    return views, parameters


def accepted_again(lake: Lake, said: Mapping[str, Any], found: Audit) -> Verdict:
    """Return the verdict on a version as a whole, as it stands now: readers may see it by approval."""
    accepted = lake.accepted(said["table"], said["partition"])
    if accepted is None or accepted.version != said["version"]:
        return audit.accepted_verdict(found, accepted)
    approval = dict(accepted.approval or {})
    how = f"by approval of {approval['by']}: {approval['reason']}" if approval else f"since {accepted.accepted_at}"
    return Verdict(said["table"], audit.ACCEPTED.name, True, f"Readers see it, {how}.")


def verdict_of(table: str, said: Mapping[str, Any]) -> Verdict:
    """Return a verdict as a kept audit has it."""
    return Verdict(
        table, said["check"], said["passed"], said["sentence"], said["severity"], said["blocking"],
        said["figures"], tuple(said["sample"]), said["rows_path"], said["cause"], said["crashed"],
        said.get("excused"),
    )  # fmt: skip


def _typed(value: str) -> Any:
    return int(value) if str(value).isdecimal() else value
