"""The countries of the generated world: real codes, names and centres, from `countries.csv`.

Holds geography only. Which settlements lie there is decided in `settlements.py`, how they are called in `names.py`.
"""

import csv
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from mlm_assets.local_wikimedia.generator.vocabulary import LANGUAGES


@dataclass(frozen=True, slots=True)
class Country:
    """One country; `centres` are (latitude, longitude) in degrees, `spread_deg` how far settlements scatter."""

    iso: str
    qid: str
    native: str | None
    weight: float
    spread_deg: float
    sounds: str
    centres: tuple[tuple[float, float], ...]
    names: dict[str, str]


def _country(row: dict[str, str]) -> Country:
    pairs = (point.split() for point in row["centres"].split(";"))
    return Country(
        iso=row["iso"],
        qid=row["qid"],
        native=row["native"] or None,
        weight=float(row["weight"]),
        spread_deg=float(row["spread_deg"]),
        sounds=row["sounds"],
        centres=tuple((float(lat), float(lon)) for lat, lon in pairs),
        names={lang: row[lang] for lang in LANGUAGES},
    )


@cache
def countries() -> tuple[Country, ...]:
    """Return all countries in the order of the file; the 28 EU members of 2020 are among them."""
    text = files(__package__).joinpath("countries.csv").read_text("utf-8")
    return tuple(_country(row) for row in csv.DictReader(text.splitlines()))
