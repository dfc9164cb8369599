"""Group refresh: the support window as the UI shows it. No run makes it; a sensor reports it (`automation.sensors`)."""

from typing import Final

import dagster as dg

from mlm_assets.assets.stage import OWNERS

SUPPORT_WINDOW: Final = dg.AssetSpec(
    "support_window",
    description="The 36 releases of the support window: which are refreshed, trained, drafted and published, which are "
    "missing, and when the next one comes. The sensor of the same name keeps it; there is nothing to materialise.",
    group_name="refresh",
    owners=OWNERS,
    kinds={"markdown"},
    deps=["refresh"],
)
