"""Nearly equal vectors between two sets, none missed, without multiplying everything with everything at full length.

By Cauchy and Schwarz the product of two unit vectors is at most the product of their projections on a few directions,
plus the product of what is left of their lengths. Where that bound is under the threshold, no more is asked. What near
duplicates mean for a benchmark belongs to `leakage`.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from mlm_assets.ml.evaluation.views import unit
from mlm_assets.ml.material import Floats, Integers

_DIRECTIONS: Final = 64
_SAMPLE: Final = 4096
_ROWS, _COLUMNS = 1024, 8192  # a block of bounds takes 32 MiB
_PAIRS_AT_ONCE: Final = 4096
_MANY: Final = 0.005  # share of a block above which one product is cheaper than pair by pair
_ROUNDING: Final = 1e-5


@dataclass(frozen=True)
class Nearest:
    """For each of n vectors: the nearest of the others if it is near enough.

    Shapes: `other` (n,) its number, -1 where none is near; `cosine` (n,), 0 where none is near.
    """

    other: Integers
    cosine: Floats


def nearest_above(vectors: Floats, others: Floats, threshold: float, seed: int = 0) -> Nearest:
    """Return which of `vectors` (n, d) have one of `others` (m, d) at a cosine above `threshold`, and the nearest.

    Computed in float32 by blocks; beside the sketches of 65 numbers a vector, memory does not grow with the sets, which
    may be memory maps. A vector of noughts is near nothing.
    """
    other, cosine = np.full(len(vectors), -1, np.int64), np.zeros(len(vectors), np.float32)
    if not len(vectors) or not len(others):
        return Nearest(other, cosine)
    basis = _basis(others, seed)
    sketches, other_sketches = _sketches(vectors, basis), _sketches(others, basis)
    for top in range(0, len(vectors), _ROWS):
        rows = slice(top, top + _ROWS)
        for left in range(0, len(others), _COLUMNS):
            columns = slice(left, left + _COLUMNS)
            bound = sketches[rows] @ other_sketches[columns].T
            found = _exact(vectors[rows], others[columns], bound, threshold)
            _keep_nearer(other[rows], cosine[rows], *found, left)
    return Nearest(other, cosine)


def _basis(others: Floats, seed: int) -> Floats:
    """Return orthonormal directions (d, k) that hold much of the vectors' length: the range of a random product."""
    rng = np.random.default_rng(seed)
    dimension = others.shape[1]
    if dimension <= 2 * _DIRECTIONS:
        return np.eye(dimension, dtype=np.float32)
    chosen = np.sort(rng.choice(len(others), min(_SAMPLE, len(others)), replace=False))
    sample = unit(others[chosen])
    mixed = sample.T @ (sample @ rng.standard_normal((dimension, _DIRECTIONS), np.float32))
    basis: Floats = np.linalg.qr(mixed)[0]
    return basis


def _sketches(vectors: Floats, basis: Floats) -> Floats:
    """Return the projections of the unit vectors on the basis, and what is left of their lengths: (n, k + 1)."""
    sketches = np.empty((len(vectors), basis.shape[1] + 1), np.float32)
    for start in range(0, len(vectors), _COLUMNS):
        part = unit(vectors[start : start + _COLUMNS])
        inside = part @ basis
        squares = np.einsum("ij,ij->i", part, part) - np.einsum("ij,ij->i", inside, inside)
        sketches[start : start + _COLUMNS, :-1] = inside
        sketches[start : start + _COLUMNS, -1] = np.sqrt(np.maximum(squares, 0.0))
    return sketches


def _exact(rows: Floats, columns: Floats, bound: Floats, threshold: float) -> tuple[Integers, Integers, Floats]:
    """Return the pairs of a block above the threshold: row, column, cosine."""
    possible = np.flatnonzero(bound.max(axis=1) > threshold - _ROUNDING)
    a, b = np.nonzero(bound[possible] > threshold - _ROUNDING)
    a = possible[a]
    if len(a) > _MANY * bound.size:
        product = unit(rows) @ unit(columns).T
        a, b = np.nonzero(product > threshold)
        return a, b, product[a, b]
    cosines = np.empty(len(a), np.float32)
    for start in range(0, len(a), _PAIRS_AT_ONCE):
        part = slice(start, start + _PAIRS_AT_ONCE)
        cosines[part] = np.einsum("ij,ij->i", unit(rows[a[part]]), unit(columns[b[part]]))
    is_near = cosines > threshold
    return a[is_near], b[is_near], cosines[is_near]


def _keep_nearer(other: Integers, cosine: Floats, a: Integers, b: Integers, found: Floats, left: int) -> None:
    """Enter in `other` and `cosine`, in place, what is nearer than what was found before."""
    by_cosine = np.argsort(found, kind="stable")
    best_b, best = np.full(len(other), -1, np.int64), np.zeros(len(other), np.float32)
    best_b[a[by_cosine]], best[a[by_cosine]] = b[by_cosine], found[by_cosine]  # the last entry, the nearest, stays
    is_nearer = best > cosine
    other[is_nearer], cosine[is_nearer] = left + best_b[is_nearer], best[is_nearer]
