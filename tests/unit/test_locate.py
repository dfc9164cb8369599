"""Stored cells hold the same points as when they were built."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from mlm_assets.geo.cells import build_cells
from mlm_assets.geo.locate import locate
from mlm_assets.geo.residence import Residence, resolve_countries


@given(st.integers(0, 2**32 - 1), st.integers(1, 6))
def test_every_point_is_found_in_the_cell_it_was_assigned_to(seed: int, t_min: int) -> None:
    rng = np.random.default_rng(seed)
    lat, lon = rng.normal(48, 8, 200).clip(-90, 90), rng.normal(10, 20, 200)
    cells = build_cells(lat, lon, t_min=t_min, t_max=20)
    assert np.array_equal(locate([cell.token for cell in cells.cells], lat, lon), cells.assignment)
    shuffled = [cell.token for cell in reversed(cells.cells)]
    again = locate(shuffled, lat, lon)
    assert np.array_equal(np.where(again < 0, -1, len(shuffled) - 1 - again), cells.assignment)


def test_without_cells_nothing_is_inside() -> None:
    assert locate([], [1.0, 2.0], [3.0, 4.0]).tolist() == [-1, -1]


def test_countries_come_from_wikidata_unless_it_is_silent() -> None:
    # Strasbourg (FR, beside DE), Berlin, and a point in Berlin that Wikidata says lies in a country far away.
    lat, lon = [48.58, 52.52, 52.52, 52.52], [7.75, 13.4, 13.4, 13.4]
    found = resolve_countries([["DE", "FR"], [], ["PL"], ["US", "CA"]], lat, lon)
    assert found == [
        Residence("FR", "wikidata_p17"),
        Residence("DE", "reverse_geocoding"),
        Residence("PL", "wikidata_p17"),
        Residence("CA", "wikidata_p17"),
    ]
