"""Group datasets: who belongs to which variant, the four frozen variants, and their figures beside the paper's."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import dagster as dg

from mlm_assets.assets.manifest import Manifest
from mlm_assets.assets.published import published_figures
from mlm_assets.assets.reporting import counts_table, picture
from mlm_assets.assets.stage import Draft, Stage, described
from mlm_assets.automation.conditions import FOLLOW_THE_REFRESH
from mlm_assets.identifiers import quota_rank, split_of
from mlm_assets.partitions import RELEASES
from mlm_assets.release.layout import write_dataset
from mlm_assets.resources.lake import Lake, Version
from mlm_assets.resources.services import LakeResource
from mlm_assets.tables import DATASETS, EXCLUSION_REASONS, IRLE_VARIANTS, TABLES, VARIANT_LANGUAGES, VARIANTS


@dg.asset(
    **described("eligible", {"duckdb", "sql"}),
    partitions_def=RELEASES,
    deps=["refresh"],
    automation_condition=FOLLOW_THE_REFRESH,
)
def eligible(context: dg.AssetExecutionContext, lake: LakeResource) -> Iterator[dg.MaterializeResult]:
    """Judge each settlement for each variant by its texts, pictures, country and quota."""
    stage = Stage(context, lake)
    manifest = Manifest(stage)
    inputs = {name: manifest.versions(name) for name in ("settlements", "summaries", "images")}
    quotas = quota_rows(int(manifest.parameter("quota_total")))
    stage.provide("quotas", quotas)
    qids = stage.lake.transform("settlement_qids", {"settlements": inputs["settlements"]})["qid"].to_pylist()
    rows = stage.lake.transform(
        "eligible",
        {
            **inputs,
            "variants": _variant_rows(),
            "quotas": quotas,
            "queue": _table(qid=qids, quota_rank=[quota_rank(qid) for qid in qids]),
        },
    )
    yield from stage.publish_one("eligible", rows, metadata={"per_reason": _reasons(rows)})


@dg.asset(
    **described("members", {"duckdb", "sql"}),
    partitions_def=RELEASES,
    deps=["refresh", "eligible", "geo_cells"],
    automation_condition=FOLLOW_THE_REFRESH,
)
def members(context: dg.AssetExecutionContext, lake: LakeResource) -> Iterator[dg.MaterializeResult]:
    """Say for each settlement and variant: in, or the one reason why not; with its cell and its split."""
    stage = Stage(context, lake)
    judged = stage.version("eligible", stage.partition)
    cells = stage.lake.read(stage.version("geo_cells", stage.partition))
    eligible_rows = stage.lake.read(judged)
    qids = sorted(set(eligible_rows["qid"].to_pylist()))
    rows = stage.lake.transform(
        "members",
        {
            "eligible": [judged],
            "located": located_rows(eligible_rows, cells),
            "splits": _table(qid=qids, split=[split_of(qid) for qid in qids]),
            "variants": _table(variant=list(VARIANTS), needs_cell=[variant in IRLE_VARIANTS for variant in VARIANTS]),
        },
    )
    Manifest(stage).versions("settlements")  # what the sum of in and out is held against
    yield from stage.publish_one("members", rows, metadata={"per_reason": _reasons(rows)})


def dataset_asset(variant: str, description: str) -> dg.AssetsDefinition:
    """Return the asset that freezes one variant."""

    @dg.asset(
        name=variant,
        **described(variant, {"duckdb", "sql", "json"}),
        partitions_def=RELEASES,
        deps=["refresh", "members"],
        automation_condition=FOLLOW_THE_REFRESH,
    )
    def frozen(context: dg.AssetExecutionContext, lake: LakeResource) -> Iterator[dg.MaterializeResult]:
        stage = Stage(context, lake)
        manifest = Manifest(stage)
        inputs = {name: manifest.versions(name) for name in ("settlements", "summaries", "images")}
        rows = stage.lake.transform(
            "dataset",
            {"members": [stage.version("members", stage.partition)], **inputs},
            {
                "variant": variant,
                "languages": list(VARIANT_LANGUAGES[variant]),
                "has_svg": variant not in IRLE_VARIANTS,
            },
        )
        stage.provide("quotas", quota_rows(int(manifest.parameter("quota_total"))))

        def with_folder(draft: Draft) -> dict[str, Any]:
            folder = write_dataset(
                stage.lake, stage.partition, variant, stage.lake.read(draft.version), context.log.info
            )
            return {"dataset": dg.MetadataValue.path(stage.lake.full_path(folder))}

        yield from stage.publish_one(variant, rows, metadata=_dataset_metadata(rows, variant), prepare=with_folder)

    frozen.__doc__ = description
    return frozen


frozen_datasets = [dataset_asset(table.name, table.description) for table in DATASETS]


@dg.asset(
    **described("dataset_statistics", {"duckdb", "sql"}),
    partitions_def=RELEASES,
    deps=["geo_cells", *VARIANTS],
    automation_condition=FOLLOW_THE_REFRESH,
)
def dataset_statistics(context: dg.AssetExecutionContext, lake: LakeResource) -> Iterator[dg.MaterializeResult]:
    """Count each variant, and set the figures beside Table 2 and Figure 2 of the paper."""
    stage = Stage(context, lake)
    inputs = {name: [stage.version(name, stage.partition)] for name in (*VARIANTS, "geo_cells")}
    rows = statistics_rows(stage.lake, inputs)
    yield from stage.publish_one("dataset_statistics", rows, metadata=_statistics_metadata(rows))


def statistics_rows(lake: Lake, inputs: Mapping[str, Sequence[Version]]) -> Any:
    """Return the rows of `dataset_statistics`, counted in versions of the four variants and of `geo_cells`."""
    countries = lake.transform("dataset_countries", inputs)["country_code"].to_pylist()
    return lake.transform(
        "dataset_statistics",
        {**inputs, "continents": _continent_rows(countries), "published": published_figures()},
    )


def located_rows(eligible_rows: Any, cells: Any) -> Any:
    """Return (variant, qid, cell_token, class_id) of the eligible settlements that lie in a kept cell."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    from mlm_assets.geo.locate import locate

    parts = []
    for variant in VARIANTS:
        mine = eligible_rows.filter(
            pc.and_(pc.equal(eligible_rows["variant"], variant), pc.is_null(eligible_rows["reason"]))
        )
        kept = cells.filter(pc.equal(cells["variant"], variant))
        index = locate(kept["cell_token"].to_pylist(), mine["lat_deg"].to_numpy(), mine["lon_deg"].to_numpy())
        inside = np.flatnonzero(index >= 0)
        parts.append(
            pa.table(
                {
                    "variant": pa.array([variant] * len(inside), pa.string()),
                    "qid": mine["qid"].take(pa.array(inside)),
                    "cell_token": kept["cell_token"].take(pa.array(index[inside])),
                    "class_id": kept["class_id"].take(pa.array(index[inside])),
                }
            )
        )
    return pa.concat_tables(parts)


def _table(**columns: list[Any]) -> Any:
    import pyarrow as pa

    return pa.table(columns)


def _variant_rows() -> Any:
    import pyarrow as pa

    return pa.table(
        {
            "variant": list(VARIANTS),
            "languages": pa.array([list(VARIANT_LANGUAGES[variant]) for variant in VARIANTS], pa.list_(pa.string())),
            "has_svg": [variant not in IRLE_VARIANTS for variant in VARIANTS],
            "is_eu_only": [variant == "mlm_irle_gr" for variant in VARIANTS],
        }
    )


def quota_rows(total: int) -> Any:
    """Return per ISO code that belongs to the EU of 2020: whose quota it counts towards, and how large that is."""
    from mlm_assets.geo.countries import country_codes
    from mlm_assets.geo.quotas import country_quotas, eu_country_of

    quotas = country_quotas(total)
    members = {code: member for code in country_codes() if (member := eu_country_of(code)) is not None}
    return _table(
        country_code=list(members),
        eu_country=list(members.values()),
        wanted=[quotas[eu] for eu in members.values()],
    )


def _continent_rows(country_codes: list[str]) -> Any:
    import pyarrow as pa

    from mlm_assets.geo.countries import continent_of

    return pa.table(
        {
            "country_code": pa.array(country_codes, pa.string()),
            "continent": pa.array([continent_of(code) for code in country_codes], pa.string()),
        }
    )


def _reasons(rows: Any) -> Any:
    counts: dict[str, int] = {}
    for record in rows.select(["variant", "reason"]).to_pylist():
        key = f"{record['variant']}: {record['reason'] or 'in'}"
        counts[key] = counts.get(key, 0) + 1
    meanings = {f"{variant}: {reason}": text for variant in VARIANTS for reason, text in EXCLUSION_REASONS.items()}
    return counts_table("variant: reason", counts, meanings)


def _dataset_metadata(rows: Any, variant: str) -> dict[str, Any]:
    import pyarrow.compute as pc

    from mlm_assets.geo.plots import histogram_png, map_png

    images = pc.list_value_length(rows["images"]).to_numpy()
    texts = pc.list_value_length(rows["summaries"]).to_numpy()
    lengths = pc.utf8_length(pc.struct_field(pc.list_flatten(rows["summaries"]), "text")).to_numpy()
    title = f"{variant}: settlements"
    splits = {split: rows["split"].to_pylist().count(split) for split in ("train", "validation", "test")}
    return {
        "images": int(images.sum()),
        "summaries": int(texts.sum()),
        "splits": counts_table("split", splits),
        "map": picture(map_png(rows["lat_deg"].to_numpy(), rows["lon_deg"].to_numpy(), title), title),
        "images_per_settlement": picture(histogram_png(images, "Images per settlement", "images"), "images"),
        "summary_lengths": picture(histogram_png(lengths, "Length of summaries", "characters", log=True), "lengths"),
    }


def _statistics_metadata(rows: Any) -> dict[str, Any]:
    from mlm_assets.geo.plots import bars_png

    figures = TABLES["dataset_statistics"].column("figure").allowed
    records = sorted(
        rows.to_pylist(),
        key=lambda row: (VARIANTS.index(row["variant"]), figures.index(row["figure"]), -row["n"], row["item"]),
    )
    lines = ["| variant | figure | this release | paper |", "| --- | --- | ---: | ---: |"]
    for row in records:
        if row["item"] == "":
            paper = f"{row['n_paper']:,}" if row["n_paper"] is not None else ""
            lines.append(f"| {row['variant']} | {row['figure']} | {row['n']:,} | {paper} |")
    shown: dict[str, Any] = {"table_2": dg.MetadataValue.md("\n".join(lines))}
    for variant in VARIANTS:
        continents = {
            row["item"]: row["n"]
            for row in records
            if row["variant"] == variant and row["figure"] == "entities_per_continent"
        }
        if continents:
            title = f"{variant}: settlements per continent"
            shown[f"figure_2_{variant}"] = picture(bars_png(list(continents), list(continents.values()), title), title)
    return shown
