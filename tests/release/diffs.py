"""Two releases made by hand, with one of each kind of change between them, and the changes counted by hand."""

from collections.abc import Callable, Mapping
from typing import Any

import pyarrow as pa
import s2sphere

from mlm_assets.release.diff.sides import Side
from mlm_assets.resources.lake import arrow_schema
from mlm_assets.tables import TRAINED_VARIANTS, VARIANTS
from tests.release.sample import attribution_of, picture, record

BASE, RELEASE = "2026-12", "2027-01"
Row = dict[str, Any]
NUMBERS = range(16)
"""Settlements of the base: Q64, Q71, Q78, ... (7 apart)."""
SECRET = "Zq7Geheim"


def qid(number: int) -> str:
    return f"Q{number * 7 + 64}"


def edited(row: Row) -> Row | None:
    """Return a row of the base as it is in the release, None where it is gone."""
    edit = _EDITS.get(row["qid"])
    return edit(row) if edit else row


def _image(index: int, **changes: Any) -> Callable[[Row], Row]:
    def edit(row: Row) -> Row:
        images = [dict(one) for one in row["images"]]
        images[index] |= changes
        return {**row, "images": images}

    return edit


def _text(row: Row) -> Row:
    first = {**row["summaries"][0], "text": "Ort 6 in en: kleiner als 你好.\nZweite Zeile, 6.", "revision": 2000}
    return {**row, "summaries": [first, *row["summaries"][1:]], "revision": 9000}


def _redrawn(row: Row) -> Row:
    """Have another picture, of somebody else, under the name of the first."""
    return _image(0, file_sha1="0" * 40, path=f"images/00/{'0' * 40}-1.jpg", author="Neue Hand")(row)


def _shrunk(row: Row) -> Row:
    """Lose the second picture; the file of the third has another name now, with the same bytes."""
    first, _, third = row["images"]
    return {**row, "images": [first, {**third, "file": "Neuer Name.jpg"}]}


def _more_french(row: Row) -> Row:
    french = {**row["summaries"][0], "lang": "fr", "title": "Lieu", "text": "Un lieu."}
    numbered = _image(1, name=f"{row['qid']}_3.jpg")(row)
    return {**numbered, "summaries": [*row["summaries"], french]}


_EDITS: dict[str, Callable[[Row], Row | None]] = {
    qid(0): lambda row: None,
    qid(1): lambda row: {**row, "label": "Anders <b>& neu</b>"},
    qid(2): lambda row: {**row, "lat_deg": row["lat_deg"] + 1},
    qid(3): lambda row: {**row, "lat_deg": row["lat_deg"] + 0.001},
    qid(4): lambda row: {**row, "class_qids": ["Q486972"], "class_labels": ["human settlement"]},
    qid(5): lambda row: {**row, "country_code": "FR"},
    qid(6): _text,
    qid(7): lambda row: {**_redrawn(row), "summaries": row["summaries"][:1]},
    qid(8): _shrunk,
    qid(10): _more_french,
    qid(11): lambda row: {**row, "population": 5},
}  # fmt: skip
"""9 is withheld, 15 is not withheld any more, 12, 13 and 14 are the same; 16 and 17 are new."""


def base_rows(variant: str) -> list[Row]:
    return [record(number, variant) for number in NUMBERS]


def new_rows(variant: str) -> list[Row]:
    kept = [row for one in base_rows(variant) if (row := edited(one)) is not None]
    if variant == "mlm_irle_gr":
        return [row for row in kept if row["qid"] != qid(1)]
    return [*kept, *(record(number, variant) for number in (16, 17) if variant in ("mlm", "mlm_v2"))]


def table(variant: str, rows: list[Row]) -> pa.Table:
    return pa.Table.from_pylist(rows, schema=arrow_schema(variant))


def _withheld(attribution: pa.Table, name: str) -> pa.Table:
    rows = attribution.to_pylist()
    for row in rows:
        if row["name"] == name:
            row["withheld"] = "face"
    return pa.Table.from_pylist(rows, schema=attribution.schema)


def cells(tokens: Mapping[str, int]) -> pa.Table:
    """Return cells of mlm_irle by token, with their number; each has 30 settlements."""
    empty = dict.fromkeys(arrow_schema("geo_cells").names)
    rows = []
    for token, number in tokens.items():
        middle = s2sphere.CellId.from_token(token).to_lat_lng()
        rows.append({
            **empty, "variant": "mlm_irle", "cell_token": token, "class_id": number, "n_settlements": 30,
            "mean_lat_deg": middle.lat().degrees, "mean_lon_deg": middle.lng().degrees,
        })  # fmt: skip
    return pa.Table.from_pylist(rows, schema=arrow_schema("geo_cells"))


def children(token: str) -> list[str]:
    return [child.to_token() for child in s2sphere.CellId.from_token(token).children()]


SPLIT, MERGED, REMOVED, KEPT, ADDED = "47a9", "4799", "1001", "5201", "0c01"
CELLS_BEFORE = {SPLIT: 0, children(MERGED)[0]: 1, children(MERGED)[3]: 2, REMOVED: 3, KEPT: 4}
CELLS_AFTER = {children(SPLIT)[0]: 0, children(SPLIT)[1]: 1, children(SPLIT)[2]: 2, MERGED: 3, KEPT: 5, ADDED: 6}


def score(figure: str, value: float | None, low: float | None, high: float | None, **more: Any) -> Row:
    place = {"section": "retrieval", "model": "mtl_model", "direction": "image_to_text", "group": ""}
    return {**place, "figure": figure, "value": value, "low": low, "high": high, "n": 500, "paper": None, **more}


def scores(*rows: Row) -> dict[str, pa.Table]:
    return {
        variant: pa.Table.from_pylist(list(rows), schema=arrow_schema(f"{variant}/benchmark"))
        for variant in TRAINED_VARIANTS[:1]
    }


def side(release: str, rows: Callable[[str], list[Row]], **more: Any) -> Side:
    """Return a side whose rights are those of its rows."""
    variants = {variant: table(variant, rows(variant)) for variant in VARIANTS}
    given = {"geo_cells": cells({}), "attribution": attribution_of(variants["mlm_v2"]), "picture": picture, **more}
    return Side(release, variants, **given)


def before() -> Side:
    rights = _withheld(attribution_of(table("mlm_v2", base_rows("mlm_v2"))), f"{qid(15)}_0.jpg")
    return side(
        BASE, base_rows, attribution=rights, geo_cells=cells(CELLS_BEFORE), parameters={"t_min": "20", "hops": "3"},
        scores=scores(score("medR", 19.5, 18.0, 21.0), score("R@1", 0.2, 0.1, 0.3), score("R@5", 0.5, 0.4, 0.6)),
    )  # fmt: skip


def after(**more: Any) -> Side:
    rights = _withheld(attribution_of(table("mlm_v2", new_rows("mlm_v2"))), f"{qid(9)}_0.jpg")
    members = [
        {"variant": "mlm_irle_gr", "qid": qid(1), "is_member": False, "reason": "over_quota", "split": "train"},
        {"variant": "mlm_irle_gr", "qid": qid(2), "is_member": True, "reason": None, "split": "train"},
    ]
    departed = {"qid": qid(0), "fate": "merged", "target_qid": qid(1), "release": RELEASE}
    approval = {
        "table_name": "summaries", "partition": "fr|01", "version": "v", "approved_by": "Ada",
        "approved_at": "2027-01-03T00:00:00+00:00", "reason": "the wiki was *cleaned* up.",
        "failed_checks": ["gone"], "figures": "{}",
    }  # fmt: skip
    given = {
        "attribution": rights, "geo_cells": cells(CELLS_AFTER), "parameters": {"t_min": "25", "hops": "3"},
        "scores": scores(score("medR", 12.0, 10.0, 14.0), score("R@1", 0.25, 0.15, 0.35), score("R@5", 0.2, 0.1, 0.3)),
        "members": pa.Table.from_pylist(members, schema=arrow_schema("members")),
        "departures": pa.Table.from_pylist([departed], schema=arrow_schema("departures")),
        "approvals": [approval], **more,
    }  # fmt: skip
    return side(RELEASE, new_rows, **given)
