"""Group geo: the adaptive quad-tree of S2 cells that location estimation classifies into (paper, 3.4)."""

from collections.abc import Iterator
from typing import Any

import dagster as dg

from mlm_assets.assets.manifest import Manifest
from mlm_assets.assets.reporting import counts_table, picture
from mlm_assets.assets.stage import Stage, described
from mlm_assets.automation.conditions import FOLLOW_THE_REFRESH
from mlm_assets.partitions import RELEASES
from mlm_assets.resources.services import LakeResource
from mlm_assets.tables import VARIANTS


@dg.asset(
    **described("geo_cells", {"s2", "python"}),
    partitions_def=RELEASES,
    deps=["refresh", "eligible"],
    automation_condition=FOLLOW_THE_REFRESH,
)
def geo_cells(context: dg.AssetExecutionContext, lake: LakeResource) -> Iterator[dg.MaterializeResult]:
    """Cut the quad-tree of each variant over the settlements that are eligible for it."""
    from mlm_assets.geo.plots import histogram_png

    stage = Stage(context, lake)
    manifest = Manifest(stage)
    bounds = {"t_min": int(manifest.parameter("t_min")), "t_max": int(manifest.parameter("t_max"))}
    eligible = stage.lake.read(stage.version("eligible", stage.partition))
    rows = cell_rows(eligible, **bounds)
    per_variant = {variant: rows["variant"].to_pylist().count(variant) for variant in VARIANTS}
    yield from stage.publish_one(
        "geo_cells",
        rows,
        metadata={
            **bounds,
            "cells_per_variant": counts_table("variant", per_variant),
            "sizes": picture(
                histogram_png(rows["n_settlements"].to_numpy(), "Settlements per cell", "settlements"),
                "cell sizes",
            ),
        },
    )


def cell_rows(eligible: Any, t_min: int, t_max: int) -> Any:
    """Return the kept cells of every variant as rows of `geo_cells`."""
    import pyarrow as pa
    import pyarrow.compute as pc

    from mlm_assets.geo.cells import build_cells

    records: list[dict[str, Any]] = []
    for variant in VARIANTS:
        mine = eligible.filter(pc.and_(pc.equal(eligible["variant"], variant), pc.is_null(eligible["reason"])))
        tree = build_cells(mine["lat_deg"].to_numpy(), mine["lon_deg"].to_numpy(), t_min=t_min, t_max=t_max)
        records += [
            {
                "variant": variant,
                "cell_token": cell.token,
                "class_id": cell.class_id,
                "level": cell.level,
                "n_settlements": cell.count,
                "mean_lat_deg": cell.mean_lat_deg,
                "mean_lon_deg": cell.mean_lon_deg,
            }
            for cell in tree.cells
        ]
    schema = pa.schema(
        [
            ("variant", pa.string()), ("cell_token", pa.string()), ("class_id", pa.int32()), ("level", pa.int32()),
            ("n_settlements", pa.int64()), ("mean_lat_deg", pa.float64()), ("mean_lon_deg", pa.float64()),
        ]
    )  # fmt: skip
    return pa.Table.from_pylist(records, schema=schema)
