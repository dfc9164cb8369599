"""The country of a settlement, and how it is known: what Wikidata says, else the nearest populated place.

Looking up the nearest place is the business of `geo.countries`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from mlm_assets.geo.countries import country_of

CountrySource = Literal["wikidata_p17", "reverse_geocoding"]


@dataclass(frozen=True)
class Residence:
    """A country (ISO 3166-1 alpha-2) and where it is known from."""

    code: str
    source: CountrySource


def resolve_countries(codes: Sequence[Sequence[str]], lat_deg: ArrayLike, lon_deg: ArrayLike) -> list[Residence]:
    """Return the country of each of n settlements.

    One country in Wikidata is taken as it is. Of several (a border town, a country that was) the one that the
    coordinates speak for is taken, else the first in alphabetical order. None: the coordinates decide alone.

    Args:
        codes: n lists of ISO codes, those of the countries (P17) that Wikidata gives.
        lat_deg: (n,) latitudes in degrees.
        lon_deg: (n,) longitudes in degrees.

    Raises:
        ValueError: the lists differ in length, or a coordinate is no number or out of range.
    """
    lat, lon = np.asarray(lat_deg, dtype=np.float64), np.asarray(lon_deg, dtype=np.float64)
    if not len(codes) == len(lat) == len(lon):
        raise ValueError(f"{len(codes)} lists of codes do not go with {len(lat)} latitudes and {len(lon)} longitudes.")
    open_places = [place for place, known in enumerate(codes) if len(set(known)) != 1]
    nearest = dict(zip(open_places, country_of(lat[open_places], lon[open_places]), strict=True))
    return [_choose(sorted(set(known)), nearest.get(place)) for place, known in enumerate(codes)]


def _choose(known: list[str], nearest: str | None) -> Residence:
    if not known:
        return Residence(str(nearest), "reverse_geocoding")
    return Residence(nearest if nearest in known else known[0], "wikidata_p17")
