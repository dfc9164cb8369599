"""Group quality: the suites of all tables and their newest results, as pages that open without a server."""

import dagster as dg

from mlm_assets.assets.stage import OWNERS
from mlm_assets.automation.conditions import FOLLOW_THE_REFRESH
from mlm_assets.partitions import RELEASES
from mlm_assets.resources.services import LakeResource

FOLDER = "data_docs"


@dg.asset(
    description="Data Docs of Great Expectations: each table's suite, and what its checks said of the newest versions.",
    group_name="quality",
    owners=OWNERS,
    kinds={"html"},
    partitions_def=RELEASES,
    deps=["approvals"],
    automation_condition=FOLLOW_THE_REFRESH,
)
def data_docs(context: dg.AssetExecutionContext, lake: LakeResource) -> dg.MaterializeResult:
    """Render the pages of all tables, for whoever looks at this release."""
    from mlm_assets.checks.data_docs import render_data_docs

    index = render_data_docs(lake.open(), lake.settings().home / FOLDER)
    context.log.info(f"Data Docs: {index}")
    return dg.MaterializeResult(metadata={"pages": dg.MetadataValue.path(str(index))})
