"""sql/verdicts.sql: who is a settlement, and why not; each rule by a candidate that breaks it alone."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from mlm_assets.resources.lake import Lake, arrow_schema
from mlm_assets.tables import EARTH, IMAGE_PROPERTIES, LABEL_LANGUAGES, LANGUAGES

MOON = "Q405"
Fact = dict[str, Any]


def place(lat: float, lon: float, globe: str = EARTH, statement: str = "s") -> Fact:
    return {
        "property": "P625", "value": f"Point({lon} {lat})", "lat_deg": lat, "lon_deg": lon, "globe_qid": globe,
        "statement": statement,
    }  # fmt: skip


CLASS = {"property": "P31", "value": "Q515", "label": "city"}
IMAGE = {"property": "P18", "value": "A.jpg"}
ARTICLE = {"property": "sitelink", "value": "Town", "lang": "de"}
PLACE = place(50.0, 8.0)


def verdict(tmp_path: Path, *facts: Fact) -> Fact:
    lake = Lake(tmp_path)
    rows = [{"qid": "Q1", "answer_key": "k", **fact} for fact in facts]
    stored = lake.write("facts", "00", pa.Table.from_pylist(rows, schema=arrow_schema("facts")))
    candidate = {"qid": "Q1", "shard": "00", "class_qids": ["Q515"], "revision": 1}
    known = {"class_qid": "Q515", "hop": 1, "parent_qids": [], "labels": []}
    return lake.transform(
        "verdicts",
        {
            "candidates": pa.Table.from_pylist([candidate], schema=arrow_schema("candidates")),
            "facts": [stored],
            "settlement_classes": pa.Table.from_pylist([known], schema=arrow_schema("settlement_classes")),
        },
        {
            "shard": "00",
            "earth": EARTH,
            "languages": list(LANGUAGES),
            "label_languages": list(LABEL_LANGUAGES),
            "image_properties": list(IMAGE_PROPERTIES),
        },
    ).to_pylist()[0]


@pytest.mark.parametrize(
    ("facts", "failed"),
    [
        ([CLASS, PLACE, IMAGE, ARTICLE], []),
        ([], ["no_facts", "no_settlement_class", "no_coordinates", "no_image", "no_article"]),
        ([{**CLASS, "value": "Q23442"}, PLACE, IMAGE, ARTICLE], ["no_settlement_class"]),
        ([CLASS, IMAGE, ARTICLE], ["no_coordinates"]),
        ([CLASS, place(1, 2, MOON), IMAGE, ARTICLE], ["not_on_earth"]),
        ([CLASS, place(1, 2, MOON), PLACE, IMAGE, ARTICLE], []),
        ([CLASS, place(95, 2), IMAGE, ARTICLE], ["invalid_coordinates"]),
        ([CLASS, place(5, 182), IMAGE, ARTICLE], ["invalid_coordinates"]),
        ([CLASS, {**PLACE, "lat_deg": None}, IMAGE, ARTICLE], ["invalid_coordinates"]),
        ([CLASS, {**PLACE, "globe_qid": None}, IMAGE, ARTICLE], ["not_on_earth"]),
        ([CLASS, PLACE, ARTICLE], ["no_image"]),
        ([CLASS, PLACE, IMAGE, {**ARTICLE, "lang": None, "value": "x"}], ["no_article"]),
        ([CLASS, PLACE], ["no_image", "no_article"]),
        (
            [{"property": "quarantined", "value": "timeout"}],
            ["quarantined", "no_settlement_class", "no_coordinates", "no_image", "no_article"],
        ),
    ],
)
def test_each_rule(tmp_path: Path, facts: list[Fact], failed: list[str]) -> None:
    assert verdict(tmp_path, *facts)["failed"] == failed


def test_of_two_coordinates_the_statement_id_decides(tmp_path: Path) -> None:
    found = verdict(tmp_path, CLASS, IMAGE, ARTICLE, place(1, 1, statement="b"), place(2, 2, statement="a"))
    assert (found["statement"], found["lat_deg"], found["n_coordinates"]) == ("a", 2.0, 2)


def test_the_same_place_in_two_statements_counts_once(tmp_path: Path) -> None:
    twice = [place(1, 1, statement="b"), place(1, 1, statement="c"), place(9, 9, statement="a")]
    found = verdict(tmp_path, CLASS, IMAGE, ARTICLE, *twice)
    assert (found["statement"], found["n_coordinates"]) == ("a", 2)


def test_of_three_coordinates_the_outlier_loses(tmp_path: Path) -> None:
    far, near, middle = place(-40, 100, statement="a"), place(50, 8, statement="c"), place(50.01, 8.0, statement="b")
    found = verdict(tmp_path, CLASS, IMAGE, ARTICLE, far, near, middle)
    assert found["statement"] in {"b", "c"}


def test_a_moon_crater_beside_a_town_is_not_counted(tmp_path: Path) -> None:
    found = verdict(tmp_path, CLASS, IMAGE, ARTICLE, place(0, 0, MOON, "a"), place(2, 2, statement="b"))
    assert (found["statement"], found["n_coordinates"]) == ("b", 1)
    assert json.loads(found["evidence"])["globe_qids"] == [EARTH, MOON]


def test_a_file_named_twice_counts_once_and_files_keep_the_order_of_the_properties(tmp_path: Path) -> None:
    files = [("P94", "B.svg"), ("P41", "A.jpg"), ("P18", "Z.jpg"), ("P18", "A.jpg")]
    found = verdict(tmp_path, CLASS, PLACE, ARTICLE, *[{"property": p, "value": f} for p, f in files])
    assert [(image["property"], image["file"]) for image in found["images"]] == [
        ("P18", "A.jpg"), ("P18", "Z.jpg"), ("P94", "B.svg"),
    ]  # fmt: skip


def test_class_labels_are_distinct_sorted_and_of_all_classes(tmp_path: Path) -> None:
    more = [
        {"property": "P31", "value": qid, "label": label}
        for qid, label in (("Q9", "city"), ("Q10", "abbey"), ("Q8", None))
    ]
    found = verdict(tmp_path, CLASS, *more, PLACE, IMAGE, ARTICLE)
    assert found["class_labels"] == ["abbey", "city"]
    assert found["class_qids"] == ["Q8", "Q9", "Q10", "Q515"]


@pytest.mark.parametrize(
    ("labels", "label"),
    [({"fr": "F", "de": "D"}, "D"), ({"de": "D", "en": "E"}, "E"), ({"de": "D", "mul": "M"}, "M"), ({}, "Q1")],
)
def test_the_label_falls_back_through_the_languages(tmp_path: Path, labels: dict[str, str], label: str) -> None:
    rows = [{"property": "label", "lang": lang, "value": value} for lang, value in labels.items()]
    assert verdict(tmp_path, CLASS, PLACE, IMAGE, ARTICLE, *rows)["label"] == label


def test_population_revision_and_countries(tmp_path: Path) -> None:
    facts = [
        {"property": "P1082", "value": "12000"}, {"property": "P1082", "value": "1.3e4"},
        {"property": "version", "value": "77"}, {"property": "modified", "value": "2026-01-01T00:00:00Z"},
        {"property": "P17", "value": "Q183", "country_code": "DE"}, {"property": "P17", "value": "Q16957"},
        {"property": "P17", "value": "Q142", "country_code": "FR"},
    ]  # fmt: skip
    found = verdict(tmp_path, CLASS, PLACE, IMAGE, ARTICLE, *facts)
    assert (found["population"], found["revision"], found["country_codes"]) == (13000, 77, ["DE", "FR"])
