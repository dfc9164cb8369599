"""Group datasets: which versions of a release a maintainer let through against a check, and why."""

import json
from collections.abc import Iterator
from typing import Any

import dagster as dg

from mlm_assets.assets.entities import rows_of
from mlm_assets.assets.manifest import Manifest
from mlm_assets.assets.stage import Stage, described
from mlm_assets.automation.conditions import FOLLOW_THE_REFRESH
from mlm_assets.partitions import RELEASES
from mlm_assets.resources.lake import Accepted, Lake, Version
from mlm_assets.resources.services import LakeResource
from mlm_assets.tables import REFRESHED, VARIANTS

_OF_THE_RELEASE = ("refresh", "eligible", "geo_cells", "members", *VARIANTS, "dataset_statistics")


@dg.asset(
    **described("approvals", {"python"}),
    partitions_def=RELEASES,
    deps=list(_OF_THE_RELEASE),
    automation_condition=FOLLOW_THE_REFRESH,
)
def approvals(context: dg.AssetExecutionContext, lake: LakeResource) -> Iterator[dg.MaterializeResult]:
    """List what this release holds by approval: who approved it, when, why, and what the checks had said."""
    stage = Stage(context, lake)
    manifest = Manifest(stage)
    pinned = [approved_as(stage.lake, version) for name in REFRESHED for version in manifest.versions(name)]
    own = [stage.version(name, stage.partition) for name in _OF_THE_RELEASE]
    found = [version for version in (*pinned, *own) if version is not None and version.approval is not None]
    yield from stage.publish_one("approvals", rows_of("approvals", [_row(version) for version in found]))


def approved_as(lake: Lake, version: Version) -> Accepted | None:
    """Return the acceptance of a version, None where its partition has none of it (any more)."""
    history = lake.history(version.table, version.partition)
    return next((one for one in history if one.version == version.version), None)


def _row(accepted: Accepted) -> dict[str, Any]:
    approval = dict(accepted.approval or {})
    failed = approval.get("failed", [])
    return {
        "table_name": accepted.table,
        "partition": accepted.partition,
        "version": accepted.version,
        "approved_by": approval.get("by"),
        "approved_at": approval.get("at"),
        "reason": approval.get("reason"),
        "failed_checks": [one["check"] for one in failed],
        "figures": json.dumps(
            {one["check"]: {"sentence": one["sentence"], "figures": one["figures"]} for one in failed},
            ensure_ascii=False,
        ),
    }
