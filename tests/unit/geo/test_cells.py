"""The quad-tree against a naive one written with s2sphere alone."""

import math
import time
from collections import defaultdict

import numpy as np
import pytest
import s2sphere
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mlm_assets.geo import cells as cells_module
from mlm_assets.geo.cells import REMOVED, Cells, build_cells, cell_token, leaf_ids

# Where faces and cells of S2 meet: poles, date line, equator, and the meridians and parallels of 45 degrees.
ROUND_LATS = (-90.0, -60.0, -45.0, -0.0, 0.0, 30.0, 35.264389682754654, 45.0, 60.0, 90.0)
ROUND_LONS = (-180.0, -135.0, -90.0, -45.0, -0.0, 0.0, 22.5, 45.0, 90.0, 135.0, 180.0)

latitudes = st.one_of(st.floats(-90, 90), st.sampled_from(ROUND_LATS))
longitudes = st.one_of(st.floats(-180, 180), st.sampled_from(ROUND_LONS))
# Few different places, so that cells fill up and deep levels are reached.
clustered = st.tuples(
    st.sampled_from([(48.2, 16.4), (-33.9, 151.2), (0.0, 45.0), (89.9, 0.0), (-17.0, 180.0)]),
    st.floats(-0.5, 0.5),
    st.floats(-0.5, 0.5),
).map(lambda p: (max(-90.0, min(90.0, p[0][0] + p[1])), max(-180.0, min(180.0, p[0][1] + p[2]))))
points = st.lists(st.one_of(clustered, st.tuples(latitudes, longitudes)), max_size=80)
bounds = st.tuples(st.integers(1, 5), st.integers(0, 8)).map(lambda b: (b[0], b[0] + b[1]))


def s2_leaf(lat: float, lon: float) -> s2sphere.CellId:
    return s2sphere.CellId.from_lat_lng(s2sphere.LatLng.from_degrees(lat, lon))


def naive_quad_tree(
    points: list[tuple[float, float]], t_min: int, t_max: int, min_level: int = 2, max_level: int = 10
) -> dict[str, list[int]]:
    """The paper's sentences, one after the other: cell token -> members, in the order of S2 ids."""
    cells: dict[s2sphere.CellId, list[int]] = defaultdict(list)
    for k, (lat, lon) in enumerate(points):
        cells[s2_leaf(lat, lon).parent(min_level)].append(k)
    work = {cell: members for cell, members in cells.items() if len(members) >= t_min}
    leaves: dict[s2sphere.CellId, list[int]] = {}
    while work:
        cell, members = work.popitem()
        if len(members) <= t_max or cell.level() == max_level:
            leaves[cell] = members
            continue
        for k in members:
            work.setdefault(s2_leaf(*points[k]).parent(cell.level() + 1), []).append(k)
    return {cell.to_token(): leaves[cell] for cell in sorted(leaves) if len(leaves[cell]) >= t_min}


def build(points: list[tuple[float, float]], t_min: int, t_max: int, **levels: int) -> Cells:
    lat = np.array([p[0] for p in points], dtype=float)
    lon = np.array([p[1] for p in points], dtype=float)
    return build_cells(lat, lon, t_min=t_min, t_max=t_max, **levels)


def members_by_token(cells: Cells) -> dict[str, list[int]]:
    return {cell.token: np.flatnonzero(cells.assignment == cell.class_id).tolist() for cell in cells.cells}


@given(latitudes, longitudes)
@settings(max_examples=1500, deadline=None)
def test_leaf_ids_are_those_of_s2sphere(lat: float, lon: float) -> None:
    assert int(leaf_ids([lat], [lon])[0]) == s2_leaf(lat, lon).id()


def test_leaf_ids_on_every_corner_of_the_grid() -> None:
    grid = [(lat, lon) for lat in ROUND_LATS for lon in ROUND_LONS]
    nudged = [
        (math.nextafter(lat, 0), math.nextafter(lon, side)) for lat, lon in grid for side in (-math.inf, math.inf)
    ]
    places = [(lat, lon) for lat, lon in grid + nudged if abs(lon) <= 180]
    ids = leaf_ids([p[0] for p in places], [p[1] for p in places])
    assert ids.tolist() == [s2_leaf(*p).id() for p in places]


def test_another_processor_with_other_last_bits_gives_the_same_cells(monkeypatch: pytest.MonkeyPatch) -> None:
    exact = cells_module._unit_vectors
    random = np.random.default_rng(4)

    def sloppy(lat: np.ndarray, lon: np.ndarray) -> tuple[np.ndarray, ...]:
        return tuple(part + random.integers(-2, 3, part.shape) * np.spacing(part) for part in exact(lat, lon))

    monkeypatch.setattr(cells_module, "_unit_vectors", sloppy)
    places = [(lat, lon) for lat in ROUND_LATS for lon in ROUND_LONS]
    ids = leaf_ids([p[0] for p in places], [p[1] for p in places])
    assert ids.tolist() == [s2_leaf(*p).id() for p in places]


def test_leaf_ids_of_many_random_points() -> None:
    random = np.random.default_rng(20260)
    lat = np.degrees(np.arcsin(random.uniform(-1, 1, 70_000)))  # more than one chunk
    lon = random.uniform(-180, 180, 70_000)
    ids = leaf_ids(lat, lon)
    some = random.choice(70_000, 3_000, replace=False)
    assert ids[some].tolist() == [s2_leaf(float(lat[k]), float(lon[k])).id() for k in some]


@given(latitudes, longitudes, st.integers(0, 30))
def test_tokens_are_those_of_s2sphere(lat: float, lon: float, level: int) -> None:
    cell = s2_leaf(lat, lon).parent(level)
    assert cell_token(cell.id()) == cell.to_token()


@given(points, bounds)
@example([(48.2, 16.4)] * 3, (3, 3))
@example([(48.2, 16.4)] * 3, (4, 4))
@settings(max_examples=300, deadline=None)
def test_same_cells_as_the_naive_tree(points: list[tuple[float, float]], bounds: tuple[int, int]) -> None:
    cells = build(points, *bounds)
    assert members_by_token(cells) == naive_quad_tree(points, *bounds)
    assert [cell.class_id for cell in cells.cells] == list(range(len(cells.cells)))


@given(points, bounds)
@settings(max_examples=200, deadline=None)
def test_every_point_is_in_one_cell_or_in_one_removed_cell(
    points: list[tuple[float, float]], bounds: tuple[int, int]
) -> None:
    t_min, t_max = bounds
    cells = build(points, t_min, t_max)
    assert ((cells.assignment >= 0) ^ (cells.removed_assignment >= 0)).all()
    for cell in cells.cells:
        assert cell.count == int((cells.assignment == cell.class_id).sum()) >= t_min
        assert cell.count <= t_max or cell.level == 10
    for place, removed in enumerate(cells.removed):
        assert removed.count == int((cells.removed_assignment == place).sum()) < t_min
    tokens = [cell.token for cell in cells.cells] + [removed.token for removed in cells.removed]
    leaves = [s2sphere.CellId.from_token(token) for token in tokens]
    assert all(leaf.is_valid() for leaf in leaves)
    assert not any(a.intersects(b) for k, a in enumerate(leaves) for b in leaves[k + 1 :])
    for (lat, lon), class_id in zip(points, cells.assignment.tolist(), strict=True):
        if class_id != REMOVED:
            assert s2sphere.CellId.from_token(cells.cells[class_id].token).contains(s2_leaf(lat, lon))


@given(points, bounds, st.randoms(use_true_random=False))
@settings(max_examples=200, deadline=None)
def test_order_of_the_points_has_no_effect(points, bounds, random) -> None:  # type: ignore[no-untyped-def]
    order = list(range(len(points)))
    random.shuffle(order)
    straight = build(points, *bounds)
    shuffled = build([points[k] for k in order], *bounds)
    assert shuffled.cells == straight.cells
    assert shuffled.removed == straight.removed
    assert shuffled.assignment.tolist() == straight.assignment[order].tolist()


def test_exactly_t_min_is_kept_and_one_fewer_is_removed() -> None:
    assert [cell.count for cell in build([(48.2, 16.4)] * 20, 20, 500).cells] == [20]
    cells = build([(48.2, 16.4)] * 19, 20, 500)
    assert cells.cells == []
    assert cells.assignment.tolist() == [REMOVED] * 19
    assert [(cell.level, cell.count) for cell in cells.removed] == [(2, 19)]


def test_exactly_t_max_is_not_split_and_one_more_is() -> None:
    assert [cell.level for cell in build([(48.2, 16.4)] * 500, 20, 500).cells] == [2]
    assert [(cell.level, cell.count) for cell in build([(48.2, 16.4)] * 501, 20, 500).cells] == [(10, 501)]


def test_a_leaf_of_a_split_cell_is_removed_at_the_end() -> None:
    vienna, graz = (48.2, 16.4), (47.07, 15.44)
    cells = build([vienna] * 6 + [graz], 2, 6)
    assert [cell.count for cell in cells.cells] == [6]
    assert [cell.count for cell in cells.removed] == [1]
    assert cells.assignment.tolist() == [0] * 6 + [REMOVED]
    assert cells.removed[0].level > 2


def test_mean_coordinate_across_the_date_line_is_on_the_sphere() -> None:
    cells = build([(10.0, 179.0), (10.0, -179.0)], 1, 9, min_level=0, max_level=0)
    (cell,) = cells.cells
    assert abs(cell.mean_lon_deg) == 180.0
    assert cell.mean_lat_deg == pytest.approx(10.0015, abs=1e-4)  # the great circle bulges towards the pole


def test_mean_coordinate_of_near_points_is_their_mean() -> None:
    cells = build([(48.2, 16.4), (48.2002, 16.4004)], 1, 9)
    assert cells.cells[0].mean_lat_deg == pytest.approx(48.2001, abs=1e-6)
    assert cells.cells[0].mean_lon_deg == pytest.approx(16.4002, abs=1e-6)


def test_nothing_in_nothing_out() -> None:
    cells = build([], 20, 500)
    assert cells.cells == []
    assert cells.removed == []
    assert cells.assignment.shape == (0,)


@pytest.mark.parametrize(
    ("lat", "lon", "sentence"),
    [
        ([math.nan], [0.0], "latitude"),
        ([0.0], [math.nan], "longitude"),
        ([0.0, 90.0001], [0.0, 0.0], "point 1: 90.0001"),
        ([0.0], [-180.5], "longitude"),
        ([math.inf], [0.0], "latitude"),
        ([0.0, 1.0], [0.0], "same length"),
    ],
)
def test_bad_coordinates_are_refused(lat: list[float], lon: list[float], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        build_cells(lat, lon, t_min=1, t_max=2)


@pytest.mark.parametrize(
    ("bounds", "sentence"),
    [
        ({"t_min": 5, "t_max": 4}, "larger than t_max"),
        ({"t_min": 0, "t_max": 4}, "at least one"),
        ({"t_min": 1, "t_max": 4, "min_level": 5, "max_level": 4}, "no range of S2 levels"),
        ({"t_min": 1, "t_max": 4, "max_level": 31}, "no range of S2 levels"),
    ],
)
def test_bad_bounds_are_refused(bounds: dict[str, int], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        build_cells([0.0], [0.0], **bounds)


def test_a_quarter_of_a_million_points_take_moments() -> None:
    random = np.random.default_rng(7)
    lat = np.degrees(np.arcsin(random.uniform(-1, 1, 250_000)))
    lon = random.uniform(-180, 180, 250_000)
    started = time.perf_counter()
    build_cells(lat, lon, t_min=20, t_max=500)
    assert time.perf_counter() - started < 5  # 0.1 s on an ordinary core; one s2sphere call a point takes 10 s
