"""The few statistics that drop and drift checks rest on: exact, small, and the same for 15 rows and for 250,000.

Formulas are derived in `docs/drift.md`. What a change means, and which band it may not leave, belongs to `bands` and
`checks.drift`; no table is known here.
"""

import math
from collections.abc import Mapping, Sequence
from functools import lru_cache
from statistics import median
from typing import Final

POWER: Final = 0.95
"""Chance with which the stated smallest drop is found."""
_MAD_TO_SD: Final = 1.4826  # of a normal distribution
_FEWEST_EXPECTED: Final = 5.0  # the rule of thumb for chi-squared


def binomial_tail(n: int, share: float, k: int) -> float:
    """Return P(X >= k) for X binomial with `n` trials of probability `share`."""
    if k <= 0:
        return 1.0
    if k > n:
        return 0.0
    from scipy.special import betainc

    return float(betainc(k, n - k + 1, share))


@lru_cache(maxsize=65536)
def critical_count(n: int, band: float, normal: float, alpha: float) -> int:
    """Return the smallest number of changed rows, of `n`, that is larger than the band and than chance explains.

    Larger than the band: k / n > `band`. Larger than chance: P(X >= k) < `alpha` for X binomial with `normal`.
    `n` + 1 where no number is: so few rows cannot show it.
    """
    low, high = math.floor(band * n + 1e-9) + 1, n + 1
    while low < high:
        middle = (low + high) // 2
        if binomial_tail(n, normal, middle) < alpha:
            high = middle
        else:
            low = middle + 1
    return low


@lru_cache(maxsize=65536)
def smallest_detectable(n: int, band: float, normal: float, alpha: float, power: float = POWER) -> float | None:
    """Return the smallest true share of changed rows, of `n`, that is found with `power`; None where none is."""
    k = critical_count(n, band, normal, alpha)
    if k > n:
        return None
    from scipy.special import betaincinv

    return float(betaincinv(k, n - k + 1, power))


def stability_index(before: Mapping[str, int], after: Mapping[str, int], alpha: float) -> tuple[float, float]:
    """Return the population stability index of two tables of counts, and what two samples of one source can give.

    PSI = sum of (q - p) ln(q / p). Of two independent samples of n and m from one source, PSI / (1/n + 1/m) is about
    chi-squared with (bins - 1) degrees of freedom; the second figure is its upper `alpha` point. Bins that are too
    thin for that are merged into one; half a row is added to each bin, so that an empty one gives no infinity.
    """
    from scipy.special import chdtri

    n, m = sum(before.values()), sum(after.values())
    if not n or not m:
        return 0.0, 0.0
    bins = _thick_bins(before, after)
    if len(bins) < 2:
        return 0.0, 0.0
    index = 0.0
    for old, new in bins:
        p, q = (old + 0.5) / (n + 0.5 * len(bins)), (new + 0.5) / (m + 0.5 * len(bins))
        index += (q - p) * math.log(q / p)
    return index, float(chdtri(len(bins) - 1, alpha)) * (1 / n + 1 / m)


def _thick_bins(before: Mapping[str, int], after: Mapping[str, int]) -> list[tuple[int, int]]:
    """Return (before, after) of each bin, those with too few expected rows on either side together in one.

    A bin that was full and is empty now stays: what is expected is the pooled share.
    """
    n, m = sum(before.values()), sum(after.values())
    pairs = [(before.get(name, 0), after.get(name, 0)) for name in sorted({*before, *after})]
    enough = _FEWEST_EXPECTED * (n + m) / min(n, m)
    thick = [pair for pair in pairs if sum(pair) >= enough]
    thin = [pair for pair in pairs if sum(pair) < enough]
    if thin:
        thick.append((sum(old for old, _ in thin), sum(new for _, new in thin)))
    return thick


def robust_deviation(value: float, history: Sequence[float], floor: float) -> float:
    """Return by how many robust standard deviations `value` lies above (or, negative, below) the median of `history`.

    The deviation is 1.4826 times the median absolute deviation (MAD), but at least `floor`, so that a calm history
    does not make news of everything. Half of the history may be anything without moving it.
    """
    middle = median(history)
    mad = median(abs(one - middle) for one in history)
    return (value - middle) / max(_MAD_TO_SD * mad, floor)
