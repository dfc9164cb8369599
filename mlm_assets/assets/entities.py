"""Group entities: candidates, what Wikidata says of them, and who of them is a settlement (paper, 3.3.2)."""

from collections.abc import Iterator
from typing import Any

import dagster as dg

from mlm_assets.assets.reporting import Progress, counts_table, picture
from mlm_assets.assets.stage import FetchConfig, Stage, described, described_spec
from mlm_assets.assets.taxonomy import WIKIDATA_POOL
from mlm_assets.identifiers import shard_of
from mlm_assets.partitions import SHARDS
from mlm_assets.resources.services import LakeResource, WikidataResource
from mlm_assets.tables import EARTH, IMAGE_PROPERTIES, LABEL_LANGUAGES, LANGUAGES, REJECTION_REASONS


@dg.asset(**described("candidates", {"sparql", "wikidata"}), pool=WIKIDATA_POOL, deps=["settlement_classes"])
def candidates(
    context: dg.AssetExecutionContext, config: FetchConfig, lake: LakeResource, wikidata: WikidataResource
) -> Iterator[dg.MaterializeResult]:
    """List the instances of every class, and sort them into shards."""
    stage = Stage(context, lake)
    client = wikidata.client(stage.transport(wikidata, config))
    classes = stage.lake.read(stage.version("settlement_classes"))["class_qid"].to_pylist()
    counts = client.count_instances(classes)
    progress = Progress(context.log.info, "instances listed", sum(counts.values()))
    class_qids: dict[str, set[str]] = {}
    revisions: dict[str, int | None] = {}
    for batch in client.instances(counts, lambda done, _: progress.reach(done)):
        for row in batch.rows:
            class_qids.setdefault(row.qid, set()).add(row.class_qid)
            revisions[row.qid] = row.revision
    rows = _candidate_rows(class_qids, revisions, stage.setting("shards"))
    largest = dict(sorted(counts.items(), key=lambda item: -item[1])[:10])
    yield from stage.publish_one("candidates", rows, metadata={"largest_classes": counts_table("class", largest)})


@dg.asset(
    **described("facts", {"sparql", "wikidata"}),
    pool=WIKIDATA_POOL,
    partitions_def=SHARDS,
    deps=["candidates"],
)
def facts(
    context: dg.AssetExecutionContext, config: FetchConfig, lake: LakeResource, wikidata: WikidataResource
) -> Iterator[dg.MaterializeResult]:
    """Ask what Wikidata says of the candidates of this shard, a few hundred at a time."""
    stage = Stage(context, lake)
    client = wikidata.client(stage.transport(wikidata, config))
    qids = _shard_candidates(stage)["qid"].to_pylist()
    progress = Progress(context.log.info, f"facts of shard {stage.partition}", len(qids))
    records: list[dict[str, Any]] = []
    n_quarantined = 0
    for start in range(0, len(qids), stage.settings.facts_batch):
        batch = client.facts(qids[start : start + stage.settings.facts_batch])
        records += [fact._asdict() for fact in batch.rows]
        records += [{"qid": qid, "property": "quarantined", "value": reason} for qid, reason in batch.quarantined]
        n_quarantined += len(batch.quarantined)
        progress.advance(stage.settings.facts_batch)
    rows = rows_of("facts", records)
    yield from stage.publish_one(
        "facts", rows, n_unavailable=n_quarantined, metadata={"per_property": _per_value(rows, "property")}
    )


@dg.multi_asset(
    specs=[
        described_spec(
            "settlements",
            {"duckdb", "sql"},
            ["facts", "settlement_classes"],
        ),
        described_spec("rejections", {"duckdb", "sql"}, ["facts", "settlement_classes"]),
    ],
    partitions_def=SHARDS,
)
def settlements_and_rejections(context: dg.AssetExecutionContext, lake: LakeResource) -> Iterator[dg.MaterializeResult]:
    """Decide for each candidate of this shard, on facts alone, whether it is a settlement, and if not, why."""
    stage = Stage(context, lake)
    candidate_rows = _shard_candidates(stage)
    verdicts = stage.lake.transform(
        "verdicts",
        {
            "candidates": candidate_rows,
            "facts": [stage.version("facts", stage.partition)],
            "settlement_classes": [stage.version("settlement_classes")],
        },
        {
            "shard": stage.partition,
            "earth": EARTH,
            "languages": list(LANGUAGES),
            "label_languages": list(LABEL_LANGUAGES),
            "image_properties": list(IMAGE_PROPERTIES),
        },
    )
    accepted = stage.lake.transform("settlements", {"verdicts": verdicts, "countries": country_rows(verdicts)})
    rejected = stage.lake.transform("rejections", {"verdicts": verdicts})
    yield from stage.publish(
        stage.draft(
            "settlements",
            accepted,
            metadata={"map": _map(accepted), "per_country": _per_value(accepted, "country_code")},
        ),
        stage.draft("rejections", rejected, metadata={"per_reason": _per_value(rejected, "reason", REJECTION_REASONS)}),
    )


def rows_of(name: str, records: list[dict[str, Any]]) -> Any:
    """Return records as a pyarrow table with the registry's columns; what a record lacks is null."""
    import pyarrow as pa

    from mlm_assets.resources.lake import arrow_schema

    return pa.Table.from_pylist(records, schema=arrow_schema(name))


def country_rows(verdicts: Any) -> Any:
    """Return (qid, country_code, country_source) of the verdicts that are settlements."""
    import pyarrow as pa
    import pyarrow.compute as pc

    from mlm_assets.geo.residence import resolve_countries

    accepted = verdicts.filter(pc.equal(pc.list_value_length(verdicts["failed"]), 0))
    resolved = resolve_countries(
        accepted["country_codes"].to_pylist(),
        accepted["lat_deg"].to_numpy(),
        accepted["lon_deg"].to_numpy(),
    )
    return pa.table(
        {
            "qid": accepted["qid"],
            "country_code": pa.array([country.code for country in resolved], pa.string()),
            "country_source": pa.array([country.source for country in resolved], pa.string()),
        }
    )


def _candidate_rows(class_qids: dict[str, set[str]], revisions: dict[str, int | None], n_shards: int) -> Any:
    import pyarrow as pa

    qids = list(class_qids)
    return pa.table(
        {
            "qid": pa.array(qids, pa.string()),
            "shard": pa.array([shard_of(qid, n_shards) for qid in qids], pa.string()),
            "class_qids": pa.array(
                [sorted(class_qids[qid], key=lambda one: int(one[1:])) for qid in qids], pa.list_(pa.string())
            ),
            "revision": pa.array([revisions[qid] for qid in qids], pa.int64()),
        }
    )


def _shard_candidates(stage: Stage) -> Any:
    return stage.lake.read(stage.version("candidates"), {"shard": stage.partition})


def _per_value(rows: Any, column: str, meanings: Any = None) -> Any:
    import pyarrow.compute as pc

    counts = {str(pair["values"]): pair["counts"] for pair in pc.value_counts(rows[column]).to_pylist()}
    return counts_table(column, counts, meanings)


def _map(settlements: Any) -> Any:
    from mlm_assets.geo.plots import map_png

    title = "Settlements of the shard"
    return picture(map_png(settlements["lat_deg"].to_numpy(), settlements["lon_deg"].to_numpy(), title), title)
