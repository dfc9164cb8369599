"""Geo-cells: the S2 quad-tree of the paper (section 3.4), over millions of points in a few seconds.

The paper starts from the S2 cells of level 2, removes those with fewer than T_min settlements, splits a cell
with more than T_max into its four children, down to level 10, and at the end removes the leaves with fewer
than T_min.

The hot step, from a point to its S2 leaf cell, is done with numpy; `s2sphere` stays the reference. A point so
close to the edge of a leaf cell that the last bit of a sine could move it is given to `s2sphere` itself, so
that the answer is the same on every processor. Which table a cell is written to is the business of `assets`.
"""

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
import s2sphere
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
IdArray = NDArray[np.uint64]

MAX_S2_LEVEL: Final = 30
REMOVED: Final = -1
"""In `Cells.assignment`: the point's cell was removed."""

_CHUNK: Final = 1 << 16  # points whose intermediate arrays stay in the processor's cache
_LEAVES_PER_FACE: Final = 1 << MAX_S2_LEVEL
# An error of 4 units in the last place of a sine moves a point by less than 1e-5 leaf cells (1e-7 m).
_EDGE_WIDTH: Final = 2.0**-14
# Unit vectors are summed as whole numbers: such a sum does not depend on the order. 2**-36 of the radius is
# 0.1 mm.
_VECTOR_SCALE: Final = 2.0**36
MAX_POINTS: Final = 1 << 26
"""More points than this could overflow the sums."""
_MEAN_DECIMALS: Final = 7

# Per face (x, y, z, -x, -y, -z): which component becomes u and v, and its sign, before division by the major
# one.
_U_AXIS: Final = np.array([1, 0, 0, 2, 2, 1])
_U_SIGN: Final = np.array([1.0, -1.0, -1.0, 1.0, 1.0, -1.0])
_V_AXIS: Final = np.array([2, 2, 1, 1, 0, 0])
_V_SIGN: Final = np.array([1.0, 1.0, -1.0, 1.0, -1.0, -1.0])


@dataclass(frozen=True)
class Cell:
    """A kept leaf of the quad-tree; `class_id` is its rank among the kept leaves in the order of S2 ids."""

    token: str
    level: int
    count: int
    mean_lat_deg: float
    mean_lon_deg: float
    class_id: int


@dataclass(frozen=True)
class RemovedCell:
    """A cell with fewer than T_min points: the evidence for `cell_removed`."""

    token: str
    level: int
    count: int


@dataclass(frozen=True, eq=False)
class Cells:
    """The quad-tree over n points.

    Attributes:
        cells: the kept leaves, in the order of S2 ids.
        assignment: (n,) the class id of each point, or `REMOVED`.
        removed: the removed cells, in the order of S2 ids.
        removed_assignment: (n,) for each point the place of its cell in `removed`, or -1 where its cell was
            kept.
    """

    cells: list[Cell]
    assignment: IntArray
    removed: list[RemovedCell]
    removed_assignment: IntArray


def leaf_ids(lat_deg: ArrayLike, lon_deg: ArrayLike) -> IdArray:
    """Return the S2 leaf cell (level 30) of each point, as `s2sphere.CellId.from_lat_lng` numbers it.

    Args:
        lat_deg: (n,) latitudes in degrees, -90 to 90.
        lon_deg: (n,) longitudes in degrees, -180 to 180.

    Raises:
        ValueError: the arrays differ in shape, or a coordinate is no number or out of range.
    """
    lat, lon = _checked(lat_deg, lon_deg)
    ids = np.empty(len(lat), dtype=np.uint64)
    for start in range(0, len(lat), _CHUNK):
        chunk = slice(start, start + _CHUNK)
        ids[chunk] = _leaf_ids_of_chunk(lat[chunk], lon[chunk])
    return ids


def build_cells(
    lat_deg: ArrayLike,
    lon_deg: ArrayLike,
    *,
    t_min: int,
    t_max: int,
    min_level: int = 2,
    max_level: int = 10,
) -> Cells:
    """Build the quad-tree of the paper over points on Earth. The order of the points has no effect.

    Args:
        lat_deg: (n,) latitudes in degrees, -90 to 90.
        lon_deg: (n,) longitudes in degrees, -180 to 180.
        t_min: a cell with fewer points is removed, before the first split and at the end.
        t_max: a cell with more points is split, unless it is of `max_level`.
        min_level: level of the cells to start from.
        max_level: level that is not split any more; its cells may hold more than `t_max` points.

    Raises:
        ValueError: the bounds contradict each other, or a coordinate is no number or out of range.
    """
    _check_bounds(t_min, t_max, min_level, max_level)
    lat, lon = _checked(lat_deg, lon_deg)
    ids = leaf_ids(lat, lon)
    order = np.argsort(ids)
    leaves = _split(ids[order], t_min, t_max, min_level, max_level)
    is_kept = leaves.counts >= t_min
    kept, removed = leaves.take(is_kept), leaves.take(~is_kept)
    return Cells(
        cells=_describe(kept, *_mean_coordinates(lat[order], lon[order], kept)),
        assignment=_ranks_of_points(kept, order),
        removed=[
            RemovedCell(cell_token(int(cell)), int(level), int(count))
            for cell, level, count in zip(removed.ids, removed.levels, removed.counts, strict=True)
        ],
        removed_assignment=_ranks_of_points(removed, order),
    )


def cell_token(cell_id: int) -> str:
    """Return the token of an S2 cell id: its hexadecimal digits without the zeros at the end."""
    return f"{cell_id:016x}".rstrip("0") or "X"


@dataclass(frozen=True, eq=False)
class _Leaves:
    """Cells over the sorted points, in the order of S2 ids: cell k holds the points starts[k] to ends[k]."""

    ids: IdArray
    levels: IntArray
    starts: IntArray
    ends: IntArray

    @property
    def counts(self) -> IntArray:
        return self.ends - self.starts

    def take(self, mask: NDArray[np.bool_]) -> "_Leaves":
        return _Leaves(self.ids[mask], self.levels[mask], self.starts[mask], self.ends[mask])


def _split(sorted_ids: IdArray, t_min: int, t_max: int, min_level: int, max_level: int) -> _Leaves:
    """Return every leaf, those with too few points included: at no level is a cell with few points split."""
    found: list[_Leaves] = []
    starts, ends = np.array([0], dtype=np.int64), np.array([len(sorted_ids)], dtype=np.int64)
    for level in range(min_level, max_level + 1):
        cells = _subdivide(sorted_ids, starts, ends, level)
        # T_max >= T_min, hence a cell below T_min is a leaf here, and falls out before the first split as at
        # the end.
        is_leaf = (cells.counts <= t_max) if level < max_level else np.ones(len(cells.ids), dtype=np.bool_)
        found.append(cells.take(is_leaf))
        open_cells = cells.take(~is_leaf)
        starts, ends = open_cells.starts, open_cells.ends
    by_id = np.argsort(np.concatenate([cells.ids for cells in found]))
    return _Leaves(
        ids=np.concatenate([cells.ids for cells in found])[by_id],
        levels=np.concatenate([cells.levels for cells in found])[by_id],
        starts=np.concatenate([cells.starts for cells in found])[by_id],
        ends=np.concatenate([cells.ends for cells in found])[by_id],
    )


def _subdivide(sorted_ids: IdArray, starts: IntArray, ends: IntArray, level: int) -> _Leaves:
    """Return the cells of `level` that hold the points of the given ranges."""
    ancestors = _ancestors(sorted_ids, level)
    edges = np.concatenate([[0], np.flatnonzero(ancestors[1:] != ancestors[:-1]) + 1, [len(ancestors)]])
    # A cell lies wholly inside or outside a range, for the ranges are cells of the level above, or
    # everything.
    parent = np.searchsorted(starts, edges[:-1], side="right") - 1
    is_open = (parent >= 0) & (edges[:-1] < ends[parent]) if len(starts) else np.zeros(len(edges) - 1, dtype=np.bool_)
    begin, end = edges[:-1][is_open].astype(np.int64), edges[1:][is_open].astype(np.int64)
    return _Leaves(ancestors[begin], np.full(len(begin), level, dtype=np.int64), begin, end)


def _ancestors(ids: IdArray, level: int) -> IdArray:
    lowest_bit = np.uint64(1 << (2 * (MAX_S2_LEVEL - level)))
    return (ids & ~(lowest_bit * np.uint64(2) - np.uint64(1))) | lowest_bit


def _ranks_of_points(cells: _Leaves, order: IntArray) -> IntArray:
    """Return (n,) the place in `cells` of each point's cell, in the caller's order; -1 if it is in none."""
    in_sorted_order = np.full(len(order), REMOVED, dtype=np.int64)
    for rank, (start, end) in enumerate(zip(cells.starts.tolist(), cells.ends.tolist(), strict=True)):
        in_sorted_order[start:end] = rank
    ranks = np.empty_like(in_sorted_order)
    ranks[order] = in_sorted_order
    return ranks


def _mean_coordinates(lat: FloatArray, lon: FloatArray, cells: _Leaves) -> tuple[list[float], list[float]]:
    """Return the cells' mean latitudes and longitudes in degrees, by the mean of the points' unit vectors."""
    sums = [_range_sums(component, cells) for component in _unit_vectors(lat, lon)]
    lats, lons = [], []
    for x, y, z in zip(*sums, strict=True):
        lats.append(round(math.degrees(math.atan2(z, math.hypot(x, y))), _MEAN_DECIMALS) + 0.0)
        lons.append(round(math.degrees(math.atan2(y, x)), _MEAN_DECIMALS) + 0.0)
    return lats, lons


def _range_sums(values: FloatArray, cells: _Leaves) -> list[int]:
    sums = np.zeros(len(values) + 1, dtype=np.int64)
    np.cumsum(np.rint(values * _VECTOR_SCALE).astype(np.int64), out=sums[1:])
    total: list[int] = (sums[cells.ends] - sums[cells.starts]).tolist()
    return total


def _describe(kept: _Leaves, lats: list[float], lons: list[float]) -> list[Cell]:
    rows = zip(kept.ids.tolist(), kept.levels.tolist(), kept.counts.tolist(), lats, lons, strict=True)
    return [
        Cell(cell_token(cell), level, count, lat, lon, class_id)
        for class_id, (cell, level, count, lat, lon) in enumerate(rows)
    ]


def _check_bounds(t_min: int, t_max: int, min_level: int, max_level: int) -> None:
    if t_min < 1:
        raise ValueError(f"t_min is {t_min}, but a cell needs at least one settlement.")
    if t_min > t_max:
        raise ValueError(f"t_min ({t_min}) is larger than t_max ({t_max}); every split cell would be removed.")
    if not 0 <= min_level <= max_level <= MAX_S2_LEVEL:
        raise ValueError(
            f"Levels {min_level} to {max_level} are no range of S2 levels; they go from 0 to {MAX_S2_LEVEL}."
        )


def _checked(lat_deg: ArrayLike, lon_deg: ArrayLike) -> tuple[FloatArray, FloatArray]:
    lat = np.ascontiguousarray(lat_deg, dtype=np.float64)
    lon = np.ascontiguousarray(lon_deg, dtype=np.float64)
    if lat.ndim != 1 or lat.shape != lon.shape:
        raise ValueError(f"Latitudes {lat.shape} and longitudes {lon.shape} must be two lists of the same length.")
    if len(lat) > MAX_POINTS:
        raise ValueError(f"{len(lat)} points are more than the {MAX_POINTS} that one quad-tree can take.")
    _check_range("latitude", lat, 90.0)
    _check_range("longitude", lon, 180.0)
    return lat, lon


def _check_range(name: str, values: FloatArray, bound: float) -> None:
    is_bad = ~(np.abs(values) <= bound)  # a NaN is bad too
    if is_bad.any():
        first = int(np.argmax(is_bad))
        raise ValueError(
            f"{int(is_bad.sum())} of {len(values)} points have no {name} between -{bound:g} and {bound:g} "
            f"degrees; the first is point {first}: {values[first]}."
        )


def _unit_vectors(lat: FloatArray, lon: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    phi, theta = np.radians(lat), np.radians(lon)
    cos_phi = np.cos(phi)
    return np.cos(theta) * cos_phi, np.sin(theta) * cos_phi, np.sin(phi)


def _leaf_ids_of_chunk(lat: FloatArray, lon: FloatArray) -> IdArray:
    xyz = np.stack(_unit_vectors(lat, lon))
    face = _faces(xyz)
    point = np.arange(len(lat))
    major = xyz[face % 3, point]
    s = _LEAVES_PER_FACE * _uv_to_st(_U_SIGN[face] * xyz[_U_AXIS[face], point] / major)
    t = _LEAVES_PER_FACE * _uv_to_st(_V_SIGN[face] * xyz[_V_AXIS[face], point] / major)
    ids = _hilbert_ids(face, _to_index(s), _to_index(t))
    # An edge between two faces is an edge of leaf cells too, hence ties between faces are among these points.
    for k in np.flatnonzero(_is_near_edge(s) | _is_near_edge(t)).tolist():
        ids[k] = s2sphere.CellId.from_lat_lng(s2sphere.LatLng.from_degrees(float(lat[k]), float(lon[k]))).id()
    return ids


def _faces(xyz: FloatArray) -> IntArray:
    x, y, z = np.abs(xyz)
    axis = np.where(x > y, np.where(x > z, 0, 2), np.where(y > z, 1, 2))
    is_negative = xyz[axis, np.arange(xyz.shape[1])] < 0
    return np.asarray(axis + 3 * is_negative, dtype=np.int64)


def _uv_to_st(u: FloatArray) -> FloatArray:
    """Return S2's quadratic projection of u in [-1, 1] to s in [0, 1]."""
    root = 0.5 * np.sqrt(1.0 + 3.0 * np.abs(u))
    return np.where(u >= 0, root, 1.0 - root)


def _to_index(s: FloatArray) -> IntArray:
    return np.clip(np.floor(s), 0, _LEAVES_PER_FACE - 1).astype(np.int64)


def _is_near_edge(s: FloatArray) -> NDArray[np.bool_]:
    return np.asarray(np.abs(s - np.rint(s)) < _EDGE_WIDTH, dtype=np.bool_)


def _hilbert_ids(face: IntArray, i: IntArray, j: IntArray) -> IdArray:
    """Return the cell ids: face, position on the Hilbert curve (4 bits of i and j at a time), closing 1."""
    lookup = _hilbert_lookup()
    position = face.astype(np.uint64)
    orientation = face & 1
    for shift in range(28, -1, -4):
        entry = lookup[(((i >> shift) & 15) << 6) | (((j >> shift) & 15) << 2) | orientation]
        # The first step has only 2 bits of i and of j left, and so brings 4 bits of position.
        position = (position << np.uint64(8 if shift < 28 else 4)) | (entry >> 2).astype(np.uint64)
        orientation = entry & 3
    return (position << np.uint64(1)) | np.uint64(1)


@lru_cache(maxsize=1)
def _hilbert_lookup() -> IntArray:
    """Return s2sphere's table: 4 bits of i, 4 of j, 2 of orientation -> 8 of position, 2 of orientation."""
    return np.array(s2sphere.sphere.LOOKUP_POS, dtype=np.int64)
