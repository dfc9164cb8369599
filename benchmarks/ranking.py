"""Ranks of a whole gallery both ways: `full_ranks` against sorting every row, the same ranks in less time."""

import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from mlm_assets.ml.evaluation.ranking import full_ranks, plain_ranks
from mlm_assets.ml.material import Floats

BAR = 0.25
_ROUNDS = 3


def measure_ranking(n: int = 22_000, d: int = 1_024) -> dict[str, Any]:
    """Return seconds of both over `n` pairs of unit vectors of `d`, the size of mlm_irle's test split, and the ratio.

    Our figure is the median of three rounds; the plain sort, which takes minutes, runs once.
    """
    rng = np.random.default_rng(1)
    a = _unit(rng.standard_normal((n, d), np.float32))
    b = _unit(a + 12.0 * _unit(rng.standard_normal((n, d), np.float32)))
    found = [_timed(lambda: full_ranks(a, b)) for _ in range(_ROUNDS)]
    expected, plain_s = _timed(lambda: plain_ranks(a, b))
    ours_s = statistics.median(seconds for _, seconds in found)
    n_unequal = sum(
        int(np.count_nonzero((one.better != other.better) | (one.ties != other.ties)))
        for one, other in zip(found[0][0], expected, strict=True)
    )
    ratio = ours_s / plain_s
    return {
        "gallery": n,
        "dimension": d,
        "median_rank": float(np.median(expected[0].expected)),
        "seconds": {"plain": round(plain_s, 2), "ours": [round(seconds, 2) for _, seconds in found]},
        "unequal_ranks": n_unequal,
        "ratio": round(ratio, 4),
        "bar": BAR,
        "is_met": ratio <= BAR and n_unequal == 0,
    }


def _timed(work: Callable[[], Any]) -> tuple[Any, float]:
    began = time.perf_counter()
    done = work()
    return done, time.perf_counter() - began


def _unit(rows: Floats) -> Floats:
    unit: Floats = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return unit
