"""Group media: lead texts of the articles and pictures of the settlements (paper, 3.3.2)."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

import dagster as dg

from mlm_assets.assets.articles import TOLERATED, gather_articles
from mlm_assets.assets.entities import rows_of
from mlm_assets.assets.gathering import FAILED_FOR_GOOD, gather_images
from mlm_assets.assets.reporting import Progress, counts_table
from mlm_assets.assets.stage import FetchConfig, Stage, described
from mlm_assets.partitions import SHARDS, SHARDS_BY_LANGUAGE
from mlm_assets.resources.services import MODE_TAG, CommonsResource, LakeResource, WikipediaResource
from mlm_assets.tables import IMAGE_STATUS, SUMMARY_STATUS

WIKIPEDIA_POOL = "wikipedia"
COMMONS_POOL = "commons"
RECHECK_RULE: Final = "taken_over_texts_are_still_true"
_RECHECK: Final = "Lead texts that were taken over unasked are what Wikipedia says today, of a sample asked again."
_LIMITS: Final = ("max_file_bytes", "max_file_pixels", "thumb_width_px")
"""Settings that decide whether a file can be had; where one changes, failed files are tried again."""


@dg.asset(
    **described("summaries", {"wikipedia"}, rules={RECHECK_RULE: _RECHECK}),
    pool=WIKIPEDIA_POOL,
    partitions_def=SHARDS_BY_LANGUAGE,
    deps=[
        dg.AssetDep("settlements", partition_mapping=dg.MultiToSingleDimensionPartitionMapping("shard")),
    ],
)
def summaries(
    context: dg.AssetExecutionContext, config: FetchConfig, lake: LakeResource, wikipedia: WikipediaResource
) -> Iterator[dg.MaterializeResult]:
    """Take over the lead texts of unchanged articles of one shard, and ask one Wikipedia for the others."""
    stage = Stage(context, lake)
    lang, shard = stage.partition.split("|")
    titles = _titles(stage.lake.read(stage.version("settlements", shard)), lang)
    basis = stage.basis(config, "summaries")
    held = {row["requested_title"]: row for row in stage.lake.read(basis).to_pylist()} if basis is not None else {}
    wanted = sorted(set(titles.values()))
    articles = gather_articles(
        wikipedia.client(stage.transport(wikipedia, config)),
        lang,
        wanted,
        held,
        stage.settings,
        ("summaries", stage.release, stage.partition),
        Progress(context.log.info, f"summaries {lang} of shard {shard}", len(wanted)).advance,
    )
    rows = rows_of(
        "summaries",
        [{"qid": qid, "requested_title": title, **articles.records[title]} for qid, title in titles.items()],
    )
    per_status = _count(record["status"] for record in rows.select(["status"]).to_pylist())
    yield from stage.publish_one(
        "summaries",
        rows,
        rules=[articles.recheck.rule(RECHECK_RULE, "articles", TOLERATED)],
        n_unavailable=per_status.get("unavailable", 0),
        metadata={
            "per_status": counts_table("status", per_status, SUMMARY_STATUS),
            "taken_over": articles.n_taken_over,
            "asked": articles.n_asked,
            "rechecked": articles.recheck.n_asked,
            "differing": len(articles.recheck.differing),
        },
    )


@dg.asset(**described("images", {"commons"}, "2"), pool=COMMONS_POOL, partitions_def=SHARDS, deps=["settlements"])
def images(
    context: dg.AssetExecutionContext, config: FetchConfig, lake: LakeResource, commons: CommonsResource
) -> Iterator[dg.MaterializeResult]:
    """Fetch a thumbnail of each file of this shard's settlements, and store it padded to 256 x 256."""
    stage = Stage(context, lake)
    wanted = stage.lake.read(stage.version("settlements", stage.partition))
    files = sorted({image["file"] for listed in wanted["images"].to_pylist() for image in listed})
    progress = Progress(context.log.info, f"files of shard {stage.partition}", len(files))
    gathered = gather_images(
        files,
        commons.client(stage.transport(commons, config)),
        stage.lake,
        stage.settings,
        is_replay=context.run.tags.get(MODE_TAG) == "replay",
        progress=progress.advance,
        failed=_failed_for_good(stage, config),
    )
    rows = rows_of("images", _image_records(wanted.select(["qid", "images"]).to_pylist(), gathered))
    per_status = _count(record["status"] for record in rows.select(["status"]).to_pylist())
    yield from stage.publish_one(
        "images",
        rows,
        n_unavailable=per_status.get("unavailable", 0),
        metadata={"files": len(files), "per_status": counts_table("status", per_status, IMAGE_STATUS)},
    )


def _failed_for_good(stage: Stage, config: FetchConfig) -> dict[str, str]:
    """Return the status of files, by SHA-1, that an earlier release could not have, under the limits of today."""
    limits = {f"setting:{name}": str(stage.setting(name)) for name in _LIMITS}
    basis = stage.basis(config, "images")
    if basis is None or any(basis.inputs.get(name) != value for name, value in limits.items()):
        return {}
    rows = stage.lake.read(basis).select(["file_sha1", "status"]).to_pylist()
    return {row["file_sha1"]: row["status"] for row in rows if row["file_sha1"] and row["status"] in FAILED_FOR_GOOD}


def _titles(settlements: Any, lang: str) -> dict[str, str]:
    """Return the article title in `lang` of each settlement that has one."""
    pairs = zip(settlements["qid"].to_pylist(), settlements["sitelinks"].to_pylist(), strict=True)
    return {qid: title for qid, links in pairs for key, title in links if key == lang}


def _image_records(settlements: Sequence[dict[str, Any]], gathered: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """Return one record per file of each settlement, numbered in the order of the settlement's list."""
    return [
        {
            "qid": row["qid"],
            "image_index": index,
            "property": image["property"],
            "file": image["file"],
            **gathered[image["file"]],
        }
        for row in settlements
        for index, image in enumerate(row["images"])
    ]


def _count(values: Any) -> dict[str, int]:
    counts: dict[str, int] = {}
    for value in values:
        counts[value] = counts.get(value, 0) + 1
    return counts
