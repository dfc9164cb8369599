"""Group entities: candidates, what Wikidata says of them, and who of them is a settlement (paper, 3.3.2)."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import dagster as dg

from mlm_assets.assets.changes import asked_in, carried_facts, names_in, unchanged_items
from mlm_assets.assets.reporting import Progress, counts_table, picture
from mlm_assets.assets.stage import FetchConfig, Stage, described, described_spec
from mlm_assets.assets.taxonomy import WIKIDATA_POOL
from mlm_assets.identifiers import shard_of
from mlm_assets.partitions import SHARDS
from mlm_assets.resources.services import LakeResource, WikidataResource
from mlm_assets.resources.takedowns import items_taken_down
from mlm_assets.resources.wikidata import Wikidata
from mlm_assets.tables import ASKED, EARTH, IMAGE_PROPERTIES, LABEL_LANGUAGES, LANGUAGES, REJECTION_REASONS


@dg.asset(**described("candidates", {"sparql", "wikidata"}), pool=WIKIDATA_POOL, deps=["settlement_classes"])
def candidates(
    context: dg.AssetExecutionContext, config: FetchConfig, lake: LakeResource, wikidata: WikidataResource
) -> Iterator[dg.MaterializeResult]:
    """List the instances of every class, and sort them into shards; what was taken down is no candidate any more."""
    stage = Stage(context, lake)
    client = wikidata.client(stage.transport(wikidata, config))
    classes = stage.lake.read(stage.version("settlement_classes"))["class_qid"].to_pylist()
    counts = client.count_instances(classes)
    progress = Progress(context.log.info, "instances listed", sum(counts.values()))
    taken_down = items_taken_down(stage.lake)
    class_qids: dict[str, set[str]] = {}
    revisions: dict[str, int | None] = {}
    for batch in client.instances(counts, lambda done, _: progress.reach(done)):
        for row in (row for row in batch.rows if row.qid not in taken_down):
            class_qids.setdefault(row.qid, set()).add(row.class_qid)
            revisions[row.qid] = row.revision
    rows = _candidate_rows(class_qids, revisions, stage.setting("shards"))
    largest = dict(sorted(counts.items(), key=lambda item: -item[1])[:10])
    yield from stage.publish_one("candidates", rows, metadata={"largest_classes": counts_table("class", largest)})


@dg.asset(
    **described("facts", {"sparql", "wikidata"}),
    pool=WIKIDATA_POOL,
    partitions_def=SHARDS,
    deps=["candidates", "changed_facts"],
)
def facts(
    context: dg.AssetExecutionContext, config: FetchConfig, lake: LakeResource, wikidata: WikidataResource
) -> Iterator[dg.MaterializeResult]:
    """Take over what the release before knows of unchanged candidates of this shard, and ask Wikidata for the others.

    Changed items of a shard with few of them were asked for already (`changed_facts`); a few hundred others at a time.
    """
    stage = Stage(context, lake)
    listed = _revisions(_shard_candidates(stage))
    changed = _changed_facts(stage)
    ready = asked_in(changed, listed)
    carried = _taken_over(stage, config, changed, ready)
    known = set(carried["qid"].to_pylist()) | ready
    wanted = [qid for qid in listed if qid not in known]
    records = _asked(stage, wikidata.client(stage.transport(wikidata, config)), wanted, context.log.info)
    rows = _together(changed, ready, carried, rows_of("facts", records))
    n_quarantined = _per_value_counts(rows, "property").get("quarantined", 0)
    yield from stage.publish_one(
        "facts",
        rows,
        n_unavailable=n_quarantined,
        metadata={
            "per_property": _per_value(rows, "property"),
            "taken_over": len(known) - len(ready),
            "asked_together": len(ready),
            "asked": len(wanted),
        },
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


def _changed_facts(stage: Stage) -> Any:
    """Return what `changed_facts` has for this shard, and the labels and codes, which are for all."""
    import pyarrow.compute as pc

    rows = stage.lake.read(stage.version("changed_facts"))
    return rows.filter(pc.or_kleene(pc.is_null(rows["shard"]), pc.equal(rows["shard"], stage.partition)))


def _taken_over(stage: Stage, config: FetchConfig, changed: Any, ready: set[str]) -> Any:
    """Return the facts of unchanged candidates of the shard as an earlier release has them; none without a basis."""
    basis = stage.basis(config, "facts", as_in=stage.version("changed_facts"))
    bases = {stage.partition: basis} if basis is not None else {}
    unchanged = unchanged_items(stage.lake, _shard_candidates(stage), bases)["qid"].to_pylist()
    qids = [qid for qid in unchanged if qid not in ready]
    return carried_facts(stage.lake, list(bases.values()), qids, names_in(changed))


def _asked(stage: Stage, client: Wikidata, qids: Sequence[str], say: Callable[[str], Any]) -> list[dict[str, Any]]:
    """Return the facts of `qids` as records, those that the service cannot answer for as quarantined."""
    progress = Progress(say, f"facts of shard {stage.partition}", len(qids))
    records: list[dict[str, Any]] = []
    for start in range(0, len(qids), stage.settings.facts_batch):
        batch = client.facts(qids[start : start + stage.settings.facts_batch])
        records += [fact._asdict() for fact in batch.rows]
        records += [{"qid": qid, "property": "quarantined", "value": reason} for qid, reason in batch.quarantined]
        progress.advance(stage.settings.facts_batch)
    return records


def _together(changed: Any, ready: set[str], carried: Any, asked: Any) -> Any:
    """Return all facts of a shard: of items that were asked for across shards, taken over, and asked for here."""
    import pyarrow as pa
    import pyarrow.compute as pc

    is_fact = pc.and_(pc.is_in(changed["qid"], pa.array(list(ready), pa.string())), pc.is_valid(changed["shard"]))
    ours = changed.filter(pc.and_(is_fact, pc.not_equal(changed["property"], ASKED)))
    tables = [rows.select(asked.column_names).cast(asked.schema) for rows in (ours, carried)]
    return pa.concat_tables([*tables, asked])


def _revisions(candidates: Any) -> dict[str, int | None]:
    """Return the listed revision of each candidate."""
    return dict(zip(candidates["qid"].to_pylist(), candidates["revision"].to_pylist(), strict=True))


def _shard_candidates(stage: Stage) -> Any:
    return stage.lake.read(stage.version("candidates"), {"shard": stage.partition})


def _per_value(rows: Any, column: str, meanings: Any = None) -> Any:
    return counts_table(column, _per_value_counts(rows, column), meanings)


def _per_value_counts(rows: Any, column: str) -> dict[str, int]:
    import pyarrow.compute as pc

    return {str(pair["values"]): pair["counts"] for pair in pc.value_counts(rows[column]).to_pylist()}


def _map(settlements: Any) -> Any:
    from mlm_assets.geo.plots import map_png

    title = "Settlements of the shard"
    return picture(map_png(settlements["lat_deg"].to_numpy(), settlements["lon_deg"].to_numpy(), title), title)
