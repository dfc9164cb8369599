"""How sure a figure is: bootstrap over items, and paired tests of two models on the same items.

Both work by weights: an outcome (`retrieval.Retrieved`, `location.Located`) gives its figures for many weightings of
its items at once, so that no resample is ever drawn item by item. What the figures are does not belong here.
"""

from functools import lru_cache
from typing import Final, Protocol, Self

import numpy as np

from mlm_assets.ml.material import Floats

RESAMPLES: Final = 500
LEVEL: Final = 0.95
_TAILS: Final = ((1 - LEVEL) / 2, (1 + LEVEL) / 2)
_PLACES: Final = 6

Figures = dict[str, float | None]


class Outcome(Protocol):
    """What a model achieved on `n` items."""

    @property
    def n(self) -> int:
        """Number of items."""
        ...

    def figures(self, weights: Floats) -> dict[str, Floats]:
        """Return each figure (w,) for `weights` (w, n), whole numbers: how often each item counts."""
        ...

    def joined(self, other: Self) -> Self:
        """Return the outcome on the items of both, `2 n` of them."""
        ...


def measured(outcome: Outcome, seed: int, resamples: int = RESAMPLES, names: tuple[str, ...] | None = None) -> Figures:
    """Return each figure (or those in `names`) as `name`, its 95 % interval as `name_low` and `name_high`, and `n`.

    The interval is the percentile bootstrap over items. In retrieval the queries are resampled and the galleries stay,
    for an item drawn twice would be its own rival. Fewer than two items have no interval.
    """
    found: Figures = {}
    plain = outcome.figures(np.ones((1, outcome.n), np.float32))
    drawn = outcome.figures(resample_weights(outcome.n, resamples, seed)) if outcome.n > 1 else {}
    for name, value in plain.items():
        if names is not None and name not in names:
            continue
        low, high = np.quantile(drawn[name], _TAILS) if drawn else (np.nan, np.nan)
        found |= {name: plain_number(value[0]), f"{name}_low": plain_number(low), f"{name}_high": plain_number(high)}
    return {**found, "n": outcome.n}


def compared(one: Outcome, other: Outcome, seed: int, resamples: int = RESAMPLES) -> dict[str, dict[str, float | None]]:
    """Return for each figure what `other` has more than `one`, on the same items in the same order.

    `difference` with the ends of its 95 % interval from a paired bootstrap (both models see the same resample), and
    `p`: two-sided, from a permutation test that swaps the models' results item by item at random.

    Raises:
        ValueError: the outcomes have different numbers of items.
    """
    if one.n != other.n:
        raise ValueError(f"{one.n} and {other.n} items cannot be compared in pairs.")
    every = np.ones((1, one.n), np.float32)
    drawn = resample_weights(one.n, resamples, seed)
    swapped = (np.random.default_rng([seed, one.n, 1]).random((resamples, one.n)) < 0.5).astype(np.float32)
    both = one.joined(other)
    first = both.figures(np.concatenate([1 - swapped, swapped], axis=1))
    second = both.figures(np.concatenate([swapped, 1 - swapped], axis=1))
    before, after = one.figures(every), other.figures(every)
    before_drawn, after_drawn = one.figures(drawn), other.figures(drawn)
    found = {}
    for name, value in before.items():
        difference = float(after[name][0] - value[0])
        low, high = np.quantile(after_drawn[name] - before_drawn[name], _TAILS)
        # Rounding must not make a swap that changes nothing look smaller than what was seen.
        as_far = np.abs(second[name] - first[name]) >= abs(difference) * (1 - 1e-6)
        found[name] = {
            "single": plain_number(value[0]),
            "multitask": plain_number(after[name][0]),
            "difference": plain_number(difference),
            "difference_low": plain_number(low),
            "difference_high": plain_number(high),
            "p": plain_number((1 + as_far.sum()) / (1 + resamples)),
        }
    return found


@lru_cache(maxsize=2)
def resample_weights(n: int, resamples: int, seed: int) -> Floats:
    """Return how often each of `n` items is drawn in each resample: (resamples, n) float32, rows sum to `n`.

    The last ones are kept, for models are compared on the same resamples. The array is not writeable.
    """
    rng = np.random.default_rng([seed, n])
    weights = np.empty((resamples, n), np.float32)
    for row in weights:
        row[:] = np.bincount(rng.integers(0, n, n, dtype=np.int64), minlength=n)
    weights.flags.writeable = False
    return weights


def weighted_medians(values: Floats, weights: Floats) -> Floats:
    """Return the median (w,) of `values` (n,), each as often as `weights` (w, n) says; NaN where that is never."""
    order = np.argsort(values)
    if not len(order):
        return np.full(len(weights), np.nan)
    rising = np.append(values[order], np.nan)
    below = np.cumsum(weights[:, order], axis=1, dtype=np.float32)  # exact: whole numbers under 2**24
    total = below[:, -1]
    lower = (below <= np.floor((total - 1) / 2)[:, None]).sum(axis=1)
    upper = (below <= np.floor(total / 2)[:, None]).sum(axis=1)
    medians: Floats = (rising[lower] + rising[upper]) / 2
    return np.where(total > 0, medians, np.nan)


def weighted_means(values: Floats, weights: Floats) -> Floats:
    """Return the mean (w,) of `values` (n,) under `weights` (w, n); NaN where these are nought."""
    sums = weights @ np.asarray(values, np.float32)
    total = weights.sum(axis=1, dtype=np.float64)
    with np.errstate(invalid="ignore"):
        means: Floats = np.divide(sums, total, dtype=np.float64)
    return means


def plain_number(value: float | None) -> float | None:
    """Return a number as JSON knows it, to six places; None for what is none."""
    return None if value is None or not np.isfinite(value) else round(float(value), _PLACES)
