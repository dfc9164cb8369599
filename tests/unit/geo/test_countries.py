"""Countries by the nearest populated place, and continents; on real places where the sample is at hand."""

import gzip
import json
import os
from pathlib import Path

import numpy as np
import pytest

from mlm_assets.geo.countries import CONTINENTS, UNKNOWN_CONTINENT, continent_of, country_of
from mlm_assets.geo.quotas import EU_COUNTRIES

SHARED = Path(os.environ.get("MLM_SHARED", Path(__file__).resolve().parents[4] / "shared"))
PLACES = SHARED / "realplaces" / "places.jsonl.gz"


def test_capitals() -> None:
    capitals = {
        "DE": (52.52, 13.41),
        "RO": (44.43, 26.10),
        "GB": (51.51, -0.13),
        "GR": (37.98, 23.73),
        "NA": (-22.56, 17.07),
        "FJ": (-18.14, 178.44),
        "XK": (42.66, 21.17),
        "BR": (-15.79, -47.88),
    }
    lats, lons = zip(*capitals.values(), strict=True)
    assert country_of(lats, lons) == list(capitals)


def test_far_south_is_antarctica() -> None:
    assert country_of([-77.85, -90.0, -54.8], [166.67, 0.0, -68.3]) == ["AQ", "AQ", "AR"]


def test_distance_is_measured_on_the_sphere() -> None:
    # Across the date line: 0.2 degrees from Taveuni in Fiji, 359 degrees of longitude away as numbers.
    assert country_of([-16.8, -16.8], [179.95, -179.95]) == ["FJ", "FJ"]
    # Any longitude is the same place at the pole.
    assert len(set(country_of([90.0, 90.0, 90.0], [-170.0, 0.0, 90.0]))) == 1


def test_order_and_batch_have_no_effect() -> None:
    random = np.random.default_rng(3)
    lat, lon = random.uniform(-80, 80, 200), random.uniform(-180, 180, 200)
    together = country_of(lat, lon)
    assert together == [country_of([a], [b])[0] for a, b in zip(lat, lon, strict=True)]
    assert together[::-1] == country_of(lat[::-1], lon[::-1])


def test_no_points_no_countries() -> None:
    assert country_of([], []) == []


@pytest.mark.parametrize(
    ("lat", "lon"), [([float("nan")], [0.0]), ([91.0], [0.0]), ([0.0], [float("inf")]), ([0.0], [])]
)
def test_bad_coordinates_are_refused(lat: list[float], lon: list[float]) -> None:
    with pytest.raises(ValueError, match="atitude"):
        country_of(lat, lon)


def test_every_eu_country_is_in_europe_but_cyprus_too() -> None:
    assert {code: continent_of(code) for code in EU_COUNTRIES if continent_of(code) != "Europe"} in ({}, {"CY": "Asia"})


@pytest.mark.parametrize(
    ("code", "continent"),
    [
        ("GR", "Europe"),
        ("GB", "Europe"),
        ("NA", "Africa"),
        ("US", "North America"),
        ("BR", "South America"),
        ("AU", "Oceania"),
        ("AQ", "Antarctica"),
        ("JP", "Asia"),
        ("XK", "Europe"),
        ("", UNKNOWN_CONTINENT),
        ("QQ", UNKNOWN_CONTINENT),
        ("de", UNKNOWN_CONTINENT),
    ],
)
def test_continents(code: str, continent: str) -> None:
    assert continent_of(code) == continent


def test_every_country_of_the_gazetteer_has_a_continent() -> None:
    random = np.random.default_rng(5)
    codes = set(country_of(random.uniform(-90, 90, 20_000), random.uniform(-180, 180, 20_000)))
    assert len(codes) > 150
    assert {continent_of(code) for code in codes} == set(CONTINENTS)


@pytest.mark.realworld
def test_real_places_are_in_the_right_country() -> None:
    if not PLACES.exists():
        pytest.skip(f"the real places are not at {PLACES}; set MLM_SHARED to the folder that holds realplaces/")
    with gzip.open(PLACES, "rt", encoding="utf-8") as file:
        places = [json.loads(line) for line in file]
    found = country_of([float(p["lat"]) for p in places], [float(p["lon"]) for p in places])
    n_right = sum(code == place["country"] for code, place in zip(found, places, strict=True))
    assert n_right / len(places) > 0.99  # 99.51 % when this was written; the rest lies near borders or in HK and TW
