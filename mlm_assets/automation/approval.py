"""An approval as Dagster sees it: the job behind the UI's button, and the events that let everything downstream follow.

What an approval is, and who wins when two come at once, is in `resources.approvals`.
"""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import dagster as dg
from dagster import DagsterInstance

from mlm_assets.assets.reporting import (
    asset_key,
    materialisation_metadata,
    newest_materialisation,
    newest_target,
    record_event,
)
from mlm_assets.checks.verdicts import ACCEPTED_CHECK
from mlm_assets.errors import LakeConflict
from mlm_assets.release.layout import write_dataset
from mlm_assets.resources import approvals
from mlm_assets.resources.lake import Accepted, Lake, Version
from mlm_assets.resources.services import LakeResource
from mlm_assets.tables import TABLES, VARIANTS

_DATA_VERSION = "dagster/data_version"


class Approval(dg.Config):
    """Which rejected version is let through, and why; kept with the release."""

    table: str
    partition: str = "*"
    """Partition, or a pattern such as "fr|*"; all of the table's that wait by default."""
    reason: str
    by: str


@dg.op(description="Let readers have versions that checks rejected; who, when, why and the figures are kept.")
def approve_rejected(context: dg.OpExecutionContext, config: Approval, lake: LakeResource) -> list[dict[str, Any]]:
    """Approve what the configuration names, and tell Dagster, so that automation goes on from it.

    Raises:
        Refused: see `resources.approvals.approve`.
        LakeConflict: the same; what an approval that was killed did not tell Dagster is told before.
    """
    home = lake.open()
    try:
        accepted = approvals.approve(
            home, config.table, config.partition, by=config.by, reason=config.reason,
            prepare=lambda version, _: _write_files(home, version),
        )  # fmt: skip
    except LakeConflict:
        _report(context, home, approvals.approved(home, config.table, config.partition))
        raise
    _report(context, home, accepted)
    return [asdict(one) for one in accepted]


@dg.job(
    name="approve_version",
    description="Approve a rejected version: fill in table, partition (or a pattern), reason and your name.",
    executor_def=dg.in_process_executor,
)
def approve_version() -> None:
    """Approve a rejected version from the UI."""
    approve_rejected()


def _report(context: dg.OpExecutionContext, lake: Lake, accepted: Sequence[Accepted]) -> None:
    """Report approved versions that Dagster does not know yet as materialised, and their verdict as passed."""
    for one in accepted:
        if _is_known(context.instance, one):
            continue
        approval = dict(one.approval or {})
        sentence = f"Approved by {approval['by']} at {approval['at']}: {approval['reason']}"
        failed = "; ".join(f"{check['check']}: {check['sentence']}" for check in approval["failed"])
        shown = materialisation_metadata(lake, one, is_accepted=True, before=None, duration_s=0.0)
        said = {"approval": sentence, "had_failed": failed}
        key, partition = asset_key(one.table), _partition(one)
        tags = {_DATA_VERSION: one.version, "mlm/release": one.release}
        # In this order, and written at once: the verdict is one on the materialisation before it.
        record_event(context, dg.AssetMaterialization(key, sentence, {**shown, **said}, partition, tags))
        target = newest_target(context.instance, key, partition)
        whole = f"{sentence} (had failed: {failed})"
        record_event(
            context,
            dg.AssetCheckEvaluation(
                key, ACCEPTED_CHECK, True, said, target, description=whole, blocking=True, partition=partition
            ),
        )
        context.log.info(f"{one.table} {one.partition}: readers see version {one.version} now. {sentence}")


def _write_files(lake: Lake, version: Version) -> None:
    """Make the files that researchers find beside a dataset; other tables have none of their own."""
    if version.table in VARIANTS:
        write_dataset(lake, version.partition, version.table, lake.read(version), lambda _: None)


def _is_known(instance: DagsterInstance, accepted: Accepted) -> bool:
    newest = newest_materialisation(instance, asset_key(accepted.table), _partition(accepted))
    materialisation = newest.asset_materialization if newest else None
    return materialisation is not None and (materialisation.tags or {}).get(_DATA_VERSION) == accepted.version


def _partition(version: Version) -> str | None:
    return version.partition if TABLES[version.table].partitioned_by else None
