"""The rank of the true counterpart in a gallery, for every item, in both directions.

`full_ranks` counts what scores better than the true counterpart, block by block, and never holds the whole matrix of
similarities; `plain_ranks` sorts every row of it and is the reference for tests and for the benchmark of speed. What
is measured by ranks does not belong here (`retrieval`).
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from mlm_assets.ml.material import Floats, Integers

ROUNDING: Final = 5e-7
"""Two scores of unit vectors closer than this are tied: float32 cannot tell them apart."""

_BLOCK_ROWS: Final = 2048
_BLOCK_COLUMNS: Final = 8192  # a block of scores takes 64 MiB
_STRIP: Final = 128  # rows that are counted at once; fewer than 256, for columns are counted in bytes


@dataclass(frozen=True)
class Ranks:
    """Of each query: how many of the gallery score better than its true counterpart, and how many others as well.

    Ties are broken fairly: a figure is what it would be on average if tied entries stood in random order. So constant
    vectors get the ranks of chance and no better. Shapes: `better`, `ties` (n,).
    """

    better: Integers
    ties: Integers
    gallery: int

    @property
    def expected(self) -> Floats:
        """Rank from 1, (n,) float64; with ties the mean over their orders."""
        ranks: Floats = 1.0 + self.better + self.ties / 2.0
        return ranks

    def recall(self, k: int) -> Floats:
        """Probability (n,) that the true counterpart is among the first `k`: 0 or 1 where there are no ties."""
        share: Floats = np.clip((k - self.better) / (self.ties + 1.0), 0.0, 1.0)
        return share

    def only(self, positions: Integers) -> "Ranks":
        """Return the ranks of some queries; the gallery stays."""
        return Ranks(self.better[positions], self.ties[positions], self.gallery)


def full_ranks(a: Floats, b: Floats) -> tuple[Ranks, Ranks]:
    """Return the ranks of `b[i]` among all of `b` for the query `a[i]`, and of `a[i]` among all of `a` for `b[i]`.

    Both directions are counted in the same blocks of one product: half the multiplications, no sorting, and 64 MiB
    whatever the size of the gallery.

    Args:
        a: (n, d) vectors of unit length; without it, the product itself is the score (never normalised here).
        b: (n, d) their counterparts.

    Raises:
        ValueError: the shapes differ.
    """
    a, b = _checked(a, b)
    n = len(a)
    true = _true_scores(a, b)
    slack_a, slack_b = _slack(a, b), _slack(b, a)
    rows, columns = np.zeros((2, n), np.int64), np.zeros((2, n), np.int64)
    for top in range(0, n, _BLOCK_ROWS):
        for left in range(0, n, _BLOCK_COLUMNS):
            block = a[top : top + _BLOCK_ROWS] @ b[left : left + _BLOCK_COLUMNS].T
            down, across = slice(top, top + len(block)), slice(left, left + block.shape[1])
            for number, sign in enumerate((1, -1)):
                row_bar = (true[down] + sign * slack_a[down])[:, None]
                column_bar = true[across] + sign * slack_b[across]
                _count(block, row_bar, column_bar, rows[number, down], columns[number, across])
    # The true counterpart itself is within the slack of its own score, and not a tie.
    return tuple(Ranks(better, at_least - better - 1, n) for better, at_least in (rows, columns))  # type: ignore[return-value]


def plain_ranks(a: Floats, b: Floats) -> tuple[Ranks, Ranks]:
    """Return the same as `full_ranks`, by sorting each row of the full matrix of similarities, one direction at a time.

    Needs n x n float32 numbers of memory.

    Raises:
        ValueError: the shapes differ.
    """
    a, b = _checked(a, b)
    return _plain_direction(a, b), _plain_direction(b, a)


def rank_table(scores: Floats) -> tuple[Integers, Integers]:
    """Return for every entry of `scores` (m, m) how many in its row are better, and how many others are tied with it.

    For small matrices, where the ranks of all pairings are asked for.
    """
    order = np.argsort(-scores, axis=1)
    falling = np.take_along_axis(scores, order, axis=1)
    place = np.broadcast_to(np.arange(scores.shape[1]), scores.shape)
    slack = ROUNDING * max(float(np.abs(scores).max(initial=0.0)), 1.0)
    is_new = np.diff(falling, axis=1, prepend=np.inf) < -slack
    first = np.maximum.accumulate(np.where(is_new, place, 0), axis=1)
    ends = np.concatenate([is_new[:, 1:], np.ones((len(scores), 1), np.bool_)], axis=1)
    last = np.minimum.accumulate(np.where(ends, place, scores.shape[1])[:, ::-1], axis=1)[:, ::-1]
    better, ties = np.empty_like(order), np.empty_like(order)
    np.put_along_axis(better, order, first, axis=1)
    np.put_along_axis(ties, order, last - first, axis=1)
    return better, ties


def _checked(a: Floats, b: Floats) -> tuple[Floats, Floats]:
    if a.ndim != 2 or a.shape != b.shape:
        raise ValueError(f"Vectors of shape {a.shape} and {b.shape} are no counterparts of each other.")
    return np.ascontiguousarray(a, np.float32), np.ascontiguousarray(b, np.float32)


def _true_scores(a: Floats, b: Floats) -> Floats:
    """Return the diagonal of `a @ b.T`, by the same product as all other scores, so that it rounds as they do."""
    found = np.empty(len(a), np.float32)
    for start in range(0, len(a), _STRIP):
        part = slice(start, start + _STRIP)
        found[part] = np.diagonal(a[part] @ b[part].T)
    return found


def _slack(queries: Floats, gallery: Floats) -> Floats:
    """Return what float32 cannot tell apart in the scores of each query, (n,)."""
    longest = np.linalg.norm(gallery, axis=1).max(initial=0.0)
    slack: Floats = (ROUNDING * longest * np.linalg.norm(queries, axis=1)).astype(np.float32)
    # Never nought: scores of noughts are tied with each other too.
    return np.maximum(slack, np.finfo(np.float32).tiny)


def _count(block: Floats, row_bar: Floats, column_bar: Floats, rows: Integers, columns: Integers) -> None:
    """Add to `rows` and `columns` how many scores of a block lie above the bar of their row, or column."""
    for start in range(0, len(block), _STRIP):
        strip = block[start : start + _STRIP]
        bits = np.packbits(strip > row_bar[start : start + _STRIP], axis=1)
        rows[start : start + _STRIP] += np.bitwise_count(bits).sum(axis=1, dtype=np.int64)
        columns += np.add.reduce(strip > column_bar, axis=0, dtype=np.uint8)


def _plain_direction(queries: Floats, gallery: Floats) -> Ranks:
    scores = queries @ gallery.T
    slack = _slack(queries, gallery)
    true = np.diagonal(scores)
    better, at_least = np.empty((2, len(scores)), np.int64)
    for number, row in enumerate(scores):
        rising = row[np.argsort(row)]
        better[number] = len(row) - np.searchsorted(rising, true[number] + slack[number], side="right")
        at_least[number] = len(row) - np.searchsorted(rising, true[number] - slack[number], side="right")
    return Ranks(better, at_least - better - 1, len(scores))
