"""For every check of the registry, one fault that it must see: a change of the rows of a sound version."""

from collections.abc import Callable
from typing import Any

import s2sphere

from mlm_assets.tables import TABLES, Column, Table
from tests.unit.checks.world import Rows

Breaker = Callable[[Rows], Rows]
Row = dict[str, Any]
Choice = Callable[[Row], bool]

NO_SUCH = "no such value"


def change(choice: Choice | None = None, **changes: Any) -> Breaker:
    """Change the first row that is chosen; a change that can be called is given the row."""

    def broken(rows: Rows) -> Rows:
        row = next(row for row in rows if choice is None or choice(row))
        row.update({name: value(row) if callable(value) else value for name, value in changes.items()})
        return rows

    return broken


def drop(choice: Choice | None = None) -> Breaker:
    """Lose the first row that is chosen."""

    def broken(rows: Rows) -> Rows:
        rows.remove(next(row for row in rows if choice is None or choice(row)))
        return rows

    return broken


def repeat(**changes: Any) -> Breaker:
    """Add a copy of the first row, changed."""
    return lambda rows: [*rows, change(**changes)([dict(rows[0])])[0]]


def is_(**values: Any) -> Choice:
    return lambda row: all(row[name] == value for name, value in values.items())


def has(*names: str) -> Choice:
    return lambda row: all(row[name] is not None for name in names)


def more(name: str, by: float = 1) -> Callable[[Row], Any]:
    return lambda row: row[name] + by


def another_split(row: Row) -> str:
    return "test" if row["split"] == "train" else "train"


def elements(name: str, /, **changes: Any) -> Callable[[Row], Any]:
    """Return the list of structs `name` of a row with its first element changed."""
    return lambda row: [{**row[name][0], **changes}, *row[name][1:]]


def parent_token(row: Row) -> str:
    token: str = s2sphere.CellId.from_token(row["cell_token"]).parent().to_token()
    return token


_DATASET: dict[str, Breaker] = {
    "has_a_summary": change(summaries=[]),
    "has_an_image": change(images=[]),
    "has_a_class": change(class_qids=[]),
    "languages_are_the_variants": change(summaries=elements("summaries", lang="xx")),
    "summaries_have_texts": change(summaries=elements("summaries", text=" ")),
    "image_names_are_unique": change(images=elements("images", name="Q5_0.jpg")),
    "images_have_paths": change(images=elements("images", path=None)),
    "rows_are_the_members": drop(),
    "has_a_cell": change(cell_token=None),
    "no_svg": change(is_(qid="Q101"), images=elements("images", file="Flag 0.svg")),
    "quotas_are_kept": change(is_(country_code="DE"), country_code="US"),
}
_FEATURES: dict[str, Breaker] = {
    "places_are_distinct": change(is_(block_row=1), block_row=0),
    "encoders_have_one_dimension": change(dimension=5),
}
_MODEL: dict[str, Breaker] = {
    "one_epoch_is_best": change(is_best=True),
    "epochs_count_from_1": change(is_(epoch=2), epoch=9),
    "losses_are_finite": change(loss=float("nan")),
    "weights_are_one": change(weights_sha256="0" * 64),
}
_BENCHMARK: dict[str, Breaker] = {
    "intervals_are_in_order": change(low=0.9, high=0.1),
    "value_lies_in_its_interval": change(is_(section="location"), value=0.99),
    "shares_are_shares": change(is_(section="location"), value=1.2),
    "ranks_count_from_1": change(is_(section="retrieval", figure="medR"), value=0.5),
    "figures_are_finite": change(value=float("inf")),
}
_MODELS = {name for name in TABLES if name.endswith("_model")}
_BENCHMARKS = {name for name in TABLES if name.endswith("/benchmark")}
_DATASETS = {"mlm", "mlm_v2", "mlm_irle", "mlm_irle_gr"}

BY_TABLE: dict[str, dict[str, Breaker]] = {
    "settlement_classes": {
        "base_class_is_at_hop_0": change(is_(class_qid="Q515"), hop=0),
        "hops_are_within_the_setting": change(is_(hop=2), hop=4),
        "parent_is_one_hop_nearer": change(is_(hop=2), parent_qids=["Q486972"]),
        "parents_are_in_the_list": change(is_(hop=2), parent_qids=["Q515", "Q5"]),
        "label_languages_are_known": change(labels=[("xx", "a place")]),
    },
    "candidates": {
        "has_a_class": change(class_qids=[]),
        "classes_are_in_the_list": change(class_qids=["Q515", "Q5"]),
        "shard_is_that_of_the_qid": change(shard="01"),
    },
    "changed_facts": {
        "names_have_no_shard": change(is_(property="code_of"), shard="00"),
        "asked_items_are_candidates": change(is_(property="asked"), qid="Q999"),
        "facts_are_of_asked_items": drop(is_(property="asked")),
    },
    "departures": {
        "merged_items_have_a_target": change(is_(fate="merged"), target_qid=None),
        "no_candidate_departed": change(is_(fate="deleted"), qid="Q201"),
        "departed_by_now": change(release="2029-11"),
    },
    "facts": {
        "qid_is_a_candidate_of_the_shard": change(qid="Q999"),
        "coordinates_are_complete": change(is_(property="P625"), lat_deg=None),
        "coordinates_have_a_globe": change(is_(property="P625"), globe_qid=None),
        "only_coordinates_have_a_place": change(is_(property="P31"), lat_deg=1.0),
        "languages_go_with_texts": change(is_(property="sitelink"), lang="mul"),
        "classes_and_countries_are_items": change(is_(property="P17"), value="Germany"),
        "versions_are_numbers": change(is_(property="version"), value="seven"),
        "edits_have_a_time": change(is_(property="modified"), value="yesterday"),
        "values_are_not_empty": change(value=""),
    },
    "settlements": {
        "has_an_image": change(images=[]),
        "has_an_article": change(sitelinks=[]),
        "has_a_class": change(class_qids=[]),
        "has_a_class_of_the_list": change(class_qids=["Q5"]),
        "coordinates_are_on_earth": change(lat_deg=more("lat_deg")),
        "article_languages_are_known": change(sitelinks=[("en", "Title"), ("xx", "Title")]),
        "image_properties_are_known": change(images=elements("images", property="P4291")),
        "image_files_are_distinct": change(images=lambda row: row["images"] * 2),
        "population_is_not_negative": change(population=-1),
        "qid_is_a_candidate_of_the_shard": change(qid="Q999"),
        "is_not_rejected": change(qid="Q201"),
        "shard_adds_up": drop(),
    },
    "rejections": {
        "reason_is_the_first_failed": change(is_(qid="Q201"), reason="no_article"),
        "failed_are_known_and_in_order": change(failed=lambda row: row["failed"][::-1]),
        "evidence_is_json": change(evidence="{"),
        "qid_is_a_candidate_of_the_shard": change(qid="Q999"),
    },
    "summaries": {
        "lang_is_the_partitions": change(lang="de"),
        "rows_are_articles_of_settlements": change(requested_title="Another title"),
        "no_article_is_lost": drop(),
        "ok_means_a_text": change(text=" "),
        "hash_is_that_of_the_text": change(text="Another text"),
        "texts_can_be_cited": change(licence=None),
    },
    "images": {
        "rows_are_files_of_settlements": change(file="Another file.jpg"),
        "no_file_is_lost": drop(),
        "index_counts_from_0": change(is_(image_index=1), image_index=2),
        "ok_means_a_picture": change(status="missing"),
        "path_is_that_of_the_file": change(file_sha1="0" * 40),
        "svg_agrees_with_the_media_type": change(is_(is_svg=False), is_svg=True),
        "one_path_is_one_picture": repeat(picture_sha256="0" * 64),
        "pictures_can_be_cited": change(licence=None),
        "pictures_are_stored": change(picture_sha256="0" * 64),
    },
    "refresh": {
        "every_partition_is_pinned": drop(is_(name="facts")),
        "versions_are_stored": change(is_(name="facts"), n_rows=more("n_rows")),
        "parameters_are_present": drop(is_(name="t_min")),
        "shards_add_up": change(is_(name="rejections"), n_rows=more("n_rows")),
    },
    "eligible": {
        "every_settlement_is_judged": drop(),
        "places_are_those_of_settlements": change(country_code="PL"),
        "what_goes_on_has_texts_and_pictures": change(is_(reason=None), n_images=0),
        "texts_are_counted": change(n_summaries=more("n_summaries")),
        "pictures_are_counted": change(n_images=more("n_images")),
        "quotas_are_kept": change(is_(reason="over_quota"), reason=None),
        "over_quota_means_full": change(is_(variant="mlm_irle_gr", country_code="RE"), reason="over_quota"),
    },
    "geo_cells": {
        "cells_are_not_too_small": change(n_settlements=2),
        "cells_are_not_too_large": change(n_settlements=11),
        "level_is_that_of_the_token": change(level=more("level")),
        "class_ids_follow_the_tokens": change(class_id=5),
        "cells_do_not_overlap": repeat(cell_token=parent_token, level=more("level", -1)),
        "no_more_than_are_eligible": change(n_settlements=99),
    },
    "members": {
        "variants_add_up": drop(),
        "in_means_no_reason": change(is_(is_member=True), is_member=False),
        "reasons_follow_eligible": change(is_(variant="mlm"), reason="cell_removed", is_member=False),
        "irle_members_have_a_cell": change(is_(variant="mlm_irle", is_member=True), cell_token=None),
        "cells_are_kept_ones": change(has("class_id"), class_id=more("class_id")),
        "cells_hold_what_they_count": change(has("cell_token"), cell_token=None, class_id=None),
        "split_is_that_of_the_qid": change(split=another_split),
        "split_is_one_in_all_variants": change(split=another_split),
        "split_never_changes": change(split=another_split),
    },
    "dataset_statistics": {
        "parts_add_up": change(is_(figure="train"), n=more("n")),
        "totals_are_those_of_the_datasets": change(is_(figure="images"), n=more("n")),
    },
    "approvals": {
        "reason_is_given": change(reason=" "),
        "figures_are_json": change(figures="{"),
    },
    "release_files": {
        "paths_stay_inside": change(path="json/../../other.json"),
    },
    "attribution": {
        "texts_have_languages_and_pictures_files": change(is_(kind="image"), lang="en"),
        "texts_are_published": change(is_(kind="text"), withheld="face"),
        "no_markup": change(is_(kind="image"), author="<b>Ann</b>"),
    },
    "image_features": {**_FEATURES, "pictures_are_those_of_images": change(picture="0" * 40 + "-1")},
    "text_features": {
        **_FEATURES,
        "texts_are_those_of_summaries": change(text_sha256="0" * 64),
        "every_text_has_a_vector": drop(),
    },
    "class_features": {
        **_FEATURES,
        "hash_is_that_of_the_label": change(label="town"),
        "every_label_has_a_vector": drop(is_(label="city")),
    },
    **dict.fromkeys(_DATASETS, _DATASET),
    **dict.fromkeys(_MODELS, _MODEL),
    **dict.fromkeys(_BENCHMARKS, _BENCHMARK),
}


def breakers(table: Table) -> dict[str, Breaker]:
    """Return a fault for each check of a table, by its name; that of the file's columns is made otherwise."""
    found: dict[str, Breaker] = {"key_is_unique": repeat()}
    for column in table.columns:
        found |= _of_column(column)
    return found | BY_TABLE.get(table.name, {})


def _of_column(column: Column) -> dict[str, Breaker]:
    found: dict[str, Breaker] = {}
    if not column.nullable:
        found[f"{column.name}_is_not_null"] = change(**{column.name: None})
    if column.allowed:
        found[f"{column.name}_is_known"] = change(**{column.name: NO_SUCH})
    if column.pattern:
        found[f"{column.name}_is_well_formed"] = change(**{column.name: NO_SUCH})
    if column.each:
        found[f"{column.name}_are_well_formed"] = change(**{column.name: [NO_SUCH]})
    if column.minimum is not None:
        found[f"{column.name}_is_in_range"] = change(**{column.name: column.minimum - 1})
    elif column.maximum is not None:
        found[f"{column.name}_is_in_range"] = change(**{column.name: column.maximum + 1})
    return found
