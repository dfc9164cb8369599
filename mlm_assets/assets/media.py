"""Group media: lead texts of the articles and pictures of the settlements (paper, 3.3.2)."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import dagster as dg

from mlm_assets.assets.entities import rows_of
from mlm_assets.assets.gathering import gather_images
from mlm_assets.assets.reporting import Progress, counts_table
from mlm_assets.assets.stage import FetchConfig, Stage, described
from mlm_assets.errors import RequestRejected, ServiceUnavailable
from mlm_assets.partitions import SHARDS, SHARDS_BY_LANGUAGE
from mlm_assets.resources.failures import HostDown
from mlm_assets.resources.services import MODE_TAG, CommonsResource, LakeResource, WikipediaResource
from mlm_assets.resources.wikipedia import Wikipedia
from mlm_assets.tables import IMAGE_STATUS, SUMMARY_STATUS

WIKIPEDIA_POOL = "wikipedia"
COMMONS_POOL = "commons"
TEXT_LICENCE = "CC BY-SA 4.0"
"""Licence of the text of all Wikipedias since June 2023 (Wikimedia Terms of Use, section 7)."""


@dg.asset(
    **described("summaries", {"wikipedia"}),
    pool=WIKIPEDIA_POOL,
    partitions_def=SHARDS_BY_LANGUAGE,
    deps=[
        dg.AssetDep("settlements", partition_mapping=dg.MultiToSingleDimensionPartitionMapping("shard")),
    ],
)
def summaries(
    context: dg.AssetExecutionContext, config: FetchConfig, lake: LakeResource, wikipedia: WikipediaResource
) -> Iterator[dg.MaterializeResult]:
    """Ask one Wikipedia for the lead texts of the settlements of one shard, twenty titles a request."""
    stage = Stage(context, lake)
    lang, shard = stage.partition.split("|")
    titles = _titles(stage.lake.read(stage.version("settlements", shard)), lang)
    client = wikipedia.client(stage.transport(wikipedia, config))
    progress = Progress(context.log.info, f"summaries {lang} of shard {shard}", len(titles))
    wanted = sorted(set(titles.values()))
    records = list(lead_text_records(client, lang, wanted, stage.settings.titles_batch, progress.advance))
    by_title = {record.pop("_title"): record for record in records}
    rows = rows_of(
        "summaries",
        [{"qid": qid, "requested_title": title, **by_title[title]} for qid, title in titles.items()],
    )
    per_status = _count(record["status"] for record in rows.select(["status"]).to_pylist())
    yield from stage.publish_one(
        "summaries",
        rows,
        n_unavailable=per_status.get("unavailable", 0),
        metadata={"per_status": counts_table("status", per_status, SUMMARY_STATUS)},
    )


@dg.asset(**described("images", {"commons"}), pool=COMMONS_POOL, partitions_def=SHARDS, deps=["settlements"])
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
    )
    rows = rows_of("images", _image_records(wanted.select(["qid", "images"]).to_pylist(), gathered))
    per_status = _count(record["status"] for record in rows.select(["status"]).to_pylist())
    yield from stage.publish_one(
        "images",
        rows,
        n_unavailable=per_status.get("unavailable", 0),
        metadata={"files": len(files), "per_status": counts_table("status", per_status, IMAGE_STATUS)},
    )


def lead_text_records(
    client: Wikipedia, lang: str, titles: Sequence[str], batch: int, progress: Callable[[int], None]
) -> Iterator[dict[str, Any]]:
    """Ask for lead texts, one request a batch, and yield the fields of `summaries` for each title.

    Titles of a request that the service does not answer are `unavailable`; they are asked for again by the next run.
    """
    for start in range(0, len(titles), batch):
        asked = titles[start : start + batch]
        try:
            yield from [_summary(lang, answer) for answer in client.lead_texts(lang, asked)]
        except HostDown:
            raise
        except (ServiceUnavailable, RequestRejected):
            yield from (_unavailable_summary(lang, title) for title in asked)
        progress(len(asked))


def _titles(settlements: Any, lang: str) -> dict[str, str]:
    """Return the article title in `lang` of each settlement that has one."""
    pairs = zip(settlements["qid"].to_pylist(), settlements["sitelinks"].to_pylist(), strict=True)
    return {qid: title for qid, links in pairs for key, title in links if key == lang}


def _summary(lang: str, answer: Any) -> dict[str, Any]:
    text = answer.text if answer.status == "ok" else None
    return {
        "_title": answer.requested_title,
        "lang": lang,
        "title": answer.title,
        "status": answer.status,
        "text": text,
        "text_sha256": hashlib.sha256(text.encode()).hexdigest() if text is not None else None,
        "revision": answer.revision,
        "is_redirect": answer.is_redirect,
        "licence": TEXT_LICENCE if text is not None else None,
        "answer_key": answer.answer_key,
    }


def _unavailable_summary(lang: str, title: str) -> dict[str, Any]:
    return {"_title": title, "lang": lang, "status": "unavailable", "is_redirect": False}


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
