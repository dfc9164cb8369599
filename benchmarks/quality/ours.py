"""Kinds of faults that no service can serve: they happen on our side, in the lake, the settings, the code, the disk.

Sizes are those of real accidents, and were set without regard to any check.
"""

import hashlib
import math
import shutil
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from benchmarks.quality.home import release_of
from benchmarks.quality.kinds import (
    Kind,
    Record,
    Seed,
    Seeding,
    doubled,
    each,
    edited,
    in_environment,
    lost,
    on_draft,
    on_write,
    replaced,
    rows_like,
    shifted,
    swapped,
)
from mlm_assets.local_wikimedia.tampering.base import hits

_YEAR: Final = 12
_FIRST_SHARD, _OTHER_SHARD = "00", "01"
_BY_SHARD: Final = ("facts", "settlements", "rejections", "summaries", "images")
_MODELLED: Final = "mlm_irle"


def _of_shard(shard: str) -> Callable[[str], bool]:
    return lambda partition: partition.rpartition("|")[2] == shard


# -- shards, answers, partitions ---------------------------------------------------------------------------------------


def _double_a_shard(seeding: Seeding) -> None:
    """Write the settlements of the first shard into the other one, beside its own."""

    def both(rows: Any, partition: str) -> Any:
        if partition != _OTHER_SHARD:
            return rows
        more = seeding.accepted_rows("settlements", _FIRST_SHARD)
        return rows_like([*rows.to_pylist(), *more], "settlements")

    on_draft(seeding, "settlements", both)


def _take_another_shard(seeding: Seeding) -> None:
    def other(rows: Any, partition: str) -> Any:
        return rows if partition != _OTHER_SHARD else rows_like(seeding.accepted_rows("images", _FIRST_SHARD), "images")

    on_draft(seeding, "images", other)


def _freeze_a_shard(seeding: Seeding) -> None:
    """Let everything of a shard be what it was, under the name of this release."""
    for table in _BY_SHARD:

        def old(rows: Any, partition: str, table: str = table) -> Any:
            if not _of_shard(_OTHER_SHARD)(partition):
                return rows
            return rows_like(seeding.accepted_rows(table, partition), table)

        on_draft(seeding, table, old)


def _skip_a_shard(seeding: Seeding) -> None:
    seeding.skip = lambda table, partition: table in _BY_SHARD and _of_shard(_OTHER_SHARD)(partition)


def _skip_hungarian(seeding: Seeding) -> None:
    seeding.skip = lambda table, partition: table == "summaries" and partition.startswith("hu|")


def _answers_of(months_ago: int) -> Seed:
    def replay(seeding: Seeding) -> None:
        root = seeding.home.root / "raw"
        earlier = release_of(max(0, seeding.month - months_ago))
        shutil.rmtree(root / seeding.release, ignore_errors=True)
        shutil.copytree(root / earlier, root / seeding.release)

    return replay


def _other_language(is_said: bool) -> Seed:
    """Return a seed that writes the French lead texts where the German ones belong; `is_said` leaves their language."""

    def seed(seeding: Seeding) -> None:
        french: dict[str, Any] = {}

        def swap(rows: Any, partition: str) -> Any:
            lang, _, shard = partition.partition("|")
            if lang != "de":
                return rows
            french[shard] = seeding.accepted_rows("summaries", f"fr|{shard}")
            records = french[shard] if is_said else [{**row, "lang": "de"} for row in french[shard]]
            return rows_like(records, "summaries")

        on_draft(seeding, "summaries", swap)

    return seed


# -- rows --------------------------------------------------------------------------------------------------------------


def _nan(row: Record) -> Record:
    return {**row, "lat_deg": math.nan, "lon_deg": math.nan}


def _radians(row: Record) -> Record:
    if row["lat_deg"] is None:
        return row
    return {**row, "lat_deg": math.radians(row["lat_deg"]), "lon_deg": math.radians(row["lon_deg"])}


def _texted(change: Callable[[str], str]) -> Callable[[Record], Record]:
    """Return a change of a lead text, with the hash that goes with it."""

    def changed(row: Record) -> Record:
        if row["text"] is None:
            return row
        text = change(row["text"])
        return {**row, "text": text, "text_sha256": hashlib.sha256(text.encode()).hexdigest()}

    return changed


def _ascii(text: str) -> str:
    return unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()


def _without(condition: Callable[[Record], bool]) -> Callable[[list[Record]], list[Record]]:
    return lambda rows: [row for row in rows if not condition(row)]


def _lose_when_written(seeding: Seeding) -> None:
    on_write(seeding, "settlements", lambda rows, _: rows_like(lost(0.2, "written")(rows.to_pylist()), "settlements"))


def _unavailable(row: Record) -> Record:
    kept = ("qid", "image_index", "property", "file", "is_svg")
    return {**dict.fromkeys(row), **{name: row[name] for name in kept}, "status": "unavailable"}


def _not_a_member(row: Record) -> Record:
    if row["variant"] != "mlm_v2" or not row["is_member"]:
        return row
    return {**row, "is_member": False, "reason": "no_summary", "cell_token": None, "class_id": None}


def _english_only(row: Record) -> Record:
    english = [text for text in row["summaries"] if text["lang"] == "en"]
    return {**row, "summaries": english or row["summaries"]}


def _next_paths(rows: list[Record]) -> list[Record]:
    """Give each settlement of a dataset the picture of the next one, under its own name."""
    following = [*rows[1:], *rows[:1]]
    return [
        {**row, "images": [{**image, "path": other["images"][0]["path"]} for image in row["images"]]}
        for row, other in zip(rows, following, strict=True)
    ]


def _count_twice(rows: list[Record]) -> list[Record]:
    return [{**row, "n": 2 * row["n"]} if row["figure"] == "images" else row for row in rows]


def _fuller_cells(rows: list[Record]) -> list[Record]:
    return [{**row, "n_settlements": row["n_settlements"] + 5} for row in rows]


def _walk_deeper() -> Any:
    from mlm_assets.assets.taxonomy import walk_down

    return lambda base, n_hops, subclasses: walk_down(base, n_hops + 1, subclasses)


def _deeper(seeding: Seeding) -> None:
    replaced("mlm_assets.assets.taxonomy.walk_down", _walk_deeper())(seeding)


def _let_drawings_in(seeding: Seeding) -> None:
    """Forget which variants are those for location estimation."""
    replaced("mlm_assets.assets.datasets.IRLE_VARIANTS", ())(seeding)


# -- the disk ----------------------------------------------------------------------------------------------------------


def _pictures(seeding: Seeding, share: float, name: str) -> list[Path]:
    """Return a share of the pictures that readers see, always the same ones."""
    rows = [row for shard in (_FIRST_SHARD, _OTHER_SHARD) for row in seeding.accepted_rows("images", shard)]
    paths = sorted({row["path"] for row in rows if row["path"]})
    return [seeding.home.root / path for path in paths if hits(share, name, path)]


def _put(path: Path, data: bytes) -> None:
    """Replace a file; other homes share the old one by hard links, and keep it."""
    path.unlink()
    path.write_bytes(data)


def _truncate(seeding: Seeding) -> None:
    for path in _pictures(seeding, 0.2, "truncated"):
        _put(path, path.read_bytes()[: path.stat().st_size // 2])


def _exchange(seeding: Seeding) -> None:
    chosen = _pictures(seeding, 0.2, "exchanged")
    bodies = [path.read_bytes() for path in chosen]
    for path, body in zip(chosen, [*bodies[1:], *bodies[:1]], strict=True):
        _put(path, body)


def _remove(seeding: Seeding) -> None:
    for path in _pictures(seeding, 0.2, "removed"):
        path.unlink()


def _before_leg(table: str, act: Seed) -> Seed:
    """Return a seed that happens just before the leg that begins with `table`."""

    def seed(seeding: Seeding) -> None:
        seeding.before = lambda first: act(seeding) if first == table else None

    return seed


# -- models ------------------------------------------------------------------------------------------------------------


def _scores(at: float) -> list[Record]:
    """Return a benchmark in which every score is this share of what a good model has."""
    return [
        {
            "section": section, "model": "mtl_model", "direction": "image_to_text", "group": "", "figure": figure,
            "value": value * at, "low": value * at * 0.9, "high": value * at * 1.1, "n": 200, "paper": None,
        }
        for section, figure, value in (("retrieval", "R@1", 0.4), ("retrieval", "R@10", 0.8), ("location", "f1", 0.6))
    ]  # fmt: skip


def _epochs(loss: float, score: float) -> list[Record]:
    return [
        {
            "epoch": epoch, "is_best": epoch == 3, "loss": loss / epoch, "retrieval_loss": loss / epoch,
            "location_loss": loss / epoch, "retrieval_weight": 1.0, "location_weight": 1.0, "learning_rate": 1e-3,
            "median_rank_image_to_text": 4.0, "median_rank_text_to_image": 4.0, "located_image": score,
            "located_text": score, "score": score, "weights_sha256": "0" * 64,
        }
        for epoch in (1, 2, 3)
    ]  # fmt: skip


def _published(table: str, earlier: list[Record], now: list[Record]) -> Seed:
    """Return a seed that publishes rows of a model's table for the release before and for this one."""

    def seed(seeding: Seeding) -> None:
        _publish(seeding, table, release_of(seeding.month - 1), earlier)
        seeding.afterwards = lambda: _publish(seeding, table, seeding.release, now)

    return seed


def _publish(seeding: Seeding, table: str, release: str, records: list[Record]) -> None:
    stage = seeding.home.stage(table, release)
    stage.version(_MODELLED, release)
    for _ in stage.publish_one(table, rows_like(records, table)):
        pass


OURS: Final = (
    Kind("shard_doubled", "the settlements of one shard are written into the other one, too", True, _double_a_shard),
    Kind("shard_taken_for_another", "a shard has the images of the other one", True, _take_another_shard),
    Kind("shard_frozen", "a shard is what it was a month ago, under the name of this release", False, _freeze_a_shard),
    Kind("shard_not_refreshed", "a shard is not refreshed for this release", False, _skip_a_shard),
    Kind("language_not_refreshed", "Hungarian is not refreshed for this release", False, _skip_hungarian, lang="hu"),
    Kind("answers_of_last_month", "the stored answers of last month are taken for this one's", False, _answers_of(1)),
    Kind("answers_of_last_year", "the stored answers of last year are taken for this one's", True, _answers_of(_YEAR)),
    Kind("other_language_accepted", "German has the version of French", True, _other_language(is_said=True),
         lang="de"),
    Kind("other_language_renamed", "German has the rows of French, and calls them German", True,
         _other_language(is_said=False), lang="de"),
    Kind("language_dropped", "Hungarian is missing in the list of languages that facts are asked for", True,
         edited("facts", _without(lambda row: row["property"] == "sitelink" and row["lang"] == "hu")), lang="hu"),
    Kind("property_dropped", "P18 is missing in the list of properties that facts are asked for", True,
         edited("facts", _without(lambda row: row["property"] == "P18"))),
    Kind("facts_columns_swapped", "latitude and longitude are exchanged in facts", True,
         edited("facts", swapped("lat_deg", "lon_deg"))),
    Kind("settlements_columns_swapped", "latitude and longitude are exchanged in settlements", True,
         edited("settlements", swapped("lat_deg", "lon_deg"))),
    Kind("summaries_columns_swapped", "title and text are exchanged in summaries", True,
         edited("summaries", swapped("title", "text"))),
    Kind("sizes_swapped", "width and height are exchanged in images", True,
         edited("images", swapped("width_px", "height_px"))),
    Kind("credits_swapped", "licence and author are exchanged in images", True,
         edited("images", swapped("licence", "author"))),
    Kind("facts_in_radians", "coordinates are radians in facts", True, edited("facts", each(_radians))),
    Kind("coordinates_nan", "coordinates of 10 % of settlements are no numbers", True,
         edited("settlements", each(_nan, 0.1, "nan"))),
    Kind("facts_doubled", "20 % of candidates have their facts twice", True, edited("facts", doubled(0.2, "facts"))),
    Kind("settlements_doubled", "30 % of settlements stand there twice", True,
         edited("settlements", doubled(0.3, "settlements"))),
    Kind("settlements_lost_when_written", "20 % of settlements are lost on their way to the disk", True,
         _lose_when_written),
    Kind("labels_empty", "30 % of settlements have an empty label", True,
         edited("settlements", each(lambda row: {**row, "label": ""}, 0.3, "label"))),
    Kind("classes_joined_wrongly", "each settlement has the classes of the next", True,
         edited("settlements", shifted("class_qids", "class_labels"))),
    Kind("countries_joined_wrongly", "each settlement has the country of the next", True,
         edited("settlements", shifted("country_code"))),
    Kind("country_codes_in_lower_case", "country codes are in lower case", True,
         edited("settlements", each(lambda row: {**row, "country_code": (row["country_code"] or "").lower()}))),
    Kind("populations_in_hundreds", "populations are a hundred times too large in settlements", True,
         edited("settlements", each(lambda row: {**row, "population": row["population"] and row["population"] * 100}))),
    Kind("texts_shortened", "lead texts end after 200 characters", True,
         edited("summaries", each(_texted(lambda text: text[:200])))),
    Kind("texts_in_ascii", "Polish lead texts have lost their accents", True,
         edited("summaries", each(_texted(_ascii)), lambda where: where.startswith("pl|")), lang="pl"),
    Kind("text_hashes_shifted", "each lead text has the hash of the next", True,
         edited("summaries", shifted("text_sha256"))),
    Kind("pictures_joined_wrongly", "each image has the picture of the next", True,
         edited("images", shifted("path", "picture_sha256"))),
    Kind("images_unavailable", "Commons gives not one image, and says so", True, edited("images", each(_unavailable))),
    Kind("walk_too_deep", "the walk over classes goes one hop further than it is told", True, _deeper),
    Kind("hops_raised", "the setting hops is 4 instead of 3", False, in_environment(MLM_HOPS="4")),
    Kind("hops_lowered", "the setting hops is 1 instead of 3", True, in_environment(MLM_HOPS="1")),
    Kind("t_min_raised", "the setting t_min is 8 instead of 3", False, in_environment(MLM_T_MIN="8")),
    Kind("t_max_lowered", "the setting t_max is 15 instead of 30", False, in_environment(MLM_T_MAX="15")),
    Kind("quota_lowered", "the setting quota_total is 30 instead of 100", False, in_environment(MLM_QUOTA_TOTAL="30")),
    Kind("split_salt_changed", "the salt that decides the splits is another one", True,
         replaced("mlm_assets.identifiers._SPLIT_SALT", "mlm/split/2")),
    Kind("quota_salt_changed", "the salt that decides the queue for quotas is another one", True,
         replaced("mlm_assets.identifiers._QUOTA_SALT", "mlm/quota/2")),
    Kind("drawings_let_in", "no variant leaves drawings out, and none needs a geo-cell", True, _let_drawings_in),
    Kind("cells_counted_wrongly", "each geo-cell counts five settlements more than it has", True,
         edited("geo_cells", _fuller_cells)),
    Kind("members_lost", "20 % of the members of mlm_v2 are taken for none, for want of a text", True,
         edited("members", each(_not_a_member, 0.2, "members"))),
    Kind("dataset_rows_lost", "20 % of the members are missing in mlm", True, edited("mlm", lost(0.2, "mlm"))),
    Kind("dataset_in_english", "mlm_v2 has only its English texts", True, edited("mlm_v2", each(_english_only))),
    Kind("dataset_pictures_mixed", "each settlement of mlm has the picture of the next, under its own name", True,
         edited("mlm", _next_paths)),
    Kind("statistics_wrong", "the statistics count each image twice", True, edited("dataset_statistics", _count_twice)),
    Kind("pictures_truncated", "20 % of the stored pictures are cut in half", True, _truncate),
    Kind("pictures_exchanged", "20 % of the stored pictures have changed places", True, _exchange),
    Kind("pictures_truncated_late", "the same, between images and datasets", True, _before_leg("refresh", _truncate)),
    Kind("pictures_removed_late", "20 % of the stored pictures are gone between images and datasets", True,
         _before_leg("refresh", _remove)),
    Kind("scores_dropped", "a benchmark finds the scores of a model that was trained on shuffled labels", True,
         _published(f"{_MODELLED}/benchmark", _scores(1.0), _scores(0.05))),
    Kind("losses_not_numbers", "the losses of a training are no numbers", True,
         _published(f"{_MODELLED}/mtl_model", _epochs(3.0, 0.5), _epochs(math.nan, 0.5))),
)  # fmt: skip
"""The kinds of this module."""
