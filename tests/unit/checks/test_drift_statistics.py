"""The statistics of drift checks: exact tails, stated power by simulation, PSI under no change, robust deviations."""

import math
import random
from pathlib import Path
from statistics import median

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlm_assets.bands import ALPHA, BANDS
from mlm_assets.checks.statistics import (
    POWER,
    binomial_tail,
    critical_count,
    robust_deviation,
    smallest_detectable,
    stability_index,
)

COUNTS = st.integers(1, 5000)
SHARES = st.floats(0.001, 0.5)


@settings(deadline=None)
@given(n=st.integers(1, 60), share=SHARES, k=st.integers(0, 61))
def test_the_tail_is_the_sum_of_the_probabilities(n: int, share: float, k: int) -> None:
    exact = sum(math.comb(n, i) * share**i * (1 - share) ** (n - i) for i in range(k, n + 1))
    assert binomial_tail(n, share, k) == pytest.approx(exact, rel=1e-9, abs=1e-15)


@settings(deadline=None)
@given(n=COUNTS, band=SHARES, normal=SHARES)
def test_the_critical_count_is_the_smallest_beyond_band_and_chance(n: int, band: float, normal: float) -> None:
    k = critical_count(n, band, normal, ALPHA)
    if k <= n:
        assert k / n > band
        assert binomial_tail(n, normal, k) < ALPHA
    before = k - 1
    assert before / n <= band + 1e-9 or binomial_tail(n, normal, before) >= ALPHA


@pytest.mark.parametrize("n", [12, 45, 90, 300, 2000, 250_000])
@pytest.mark.parametrize("name", ["gone", "coverage_lost", "moved", "backwards"])
def test_the_stated_smallest_drop_is_found_with_the_stated_power(n: int, name: str) -> None:
    """Losses are drawn at the stated share; found in 95 % of 20,000 months, and less at four fifths."""
    for limits in (BANDS[name].total, BANDS[name].group):
        for band in (limits.warn, limits.block):
            share = smallest_detectable(n, band, limits.normal, ALPHA)
            if share is None:
                assert critical_count(n, band, limits.normal, ALPHA) == n + 1
                continue
            assert _found(n, share, band, limits.normal) == pytest.approx(POWER, abs=0.006)
            assert _found(n, 0.8 * share, band, limits.normal) < 0.9


def _found(n: int, share: float, band: float, normal: float) -> float:
    """Return the share of simulated months in which a loss of this share leaves the band."""
    lost = np.random.default_rng(n).binomial(n, share, size=20_000)
    return float(np.mean(lost >= critical_count(n, band, normal, ALPHA)))


@given(n=COUNTS, band=SHARES, normal=SHARES)
@settings(max_examples=50, deadline=None)
def test_more_rows_never_make_a_smaller_drop_invisible(n: int, band: float, normal: float) -> None:
    few, many = (smallest_detectable(size, band, normal, ALPHA) for size in (n, 20 * n))
    if few is not None:
        assert many is not None
        assert many <= few + 1e-9


@pytest.mark.parametrize("band", BANDS.values(), ids=BANDS)
def test_normal_churn_does_not_leave_a_band_at_any_size(band: object) -> None:
    """At exactly the churn that is assumed to be normal, a band is left less often than `ALPHA`."""
    for limits in (BANDS[band.name].total, BANDS[band.name].group):  # type: ignore[attr-defined]
        assert 0 < limits.normal < limits.warn < limits.block < 1 or band.name == "resplit"  # type: ignore[attr-defined]
        for n in (5, 15, 50, 200, 1000, 20_000):
            assert binomial_tail(n, limits.normal, critical_count(n, limits.warn, limits.normal, ALPHA)) < ALPHA


@pytest.mark.parametrize(("n", "m"), [(60, 60), (500, 480), (20_000, 21_000)])
def test_chance_alone_does_not_shift_a_distribution(n: int, m: int) -> None:
    """Two samples of one source: PSI exceeds its upper 1 % point in about 1 % of draws, not more than twice that."""
    rng = np.random.default_rng(3)
    shares = [0.4, 0.3, 0.15, 0.1, 0.03, 0.02]
    beyond = 0
    for _ in range(1000):
        before, after = rng.multinomial(n, shares), rng.multinomial(m, shares)
        index, chance = stability_index(_bins(before), _bins(after), 0.01)
        beyond += index > chance
    assert beyond <= 20


def test_another_distribution_is_told_from_chance() -> None:
    index, chance = stability_index({"a": 300, "b": 100, "c": 100}, {"a": 100, "b": 100, "c": 300}, ALPHA)
    assert index > 0.5
    assert index > chance
    few, chance_of_few = stability_index({"a": 6, "b": 2, "c": 2}, {"a": 2, "b": 2, "c": 6}, ALPHA)
    assert few <= chance_of_few, "ten rows show nothing"
    assert stability_index({}, {"a": 1}, ALPHA) == (0.0, 0.0)


def _bins(counts: "np.ndarray[tuple[int], np.dtype[np.int64]]") -> dict[str, int]:
    return {str(number): int(n) for number, n in enumerate(counts)}


def test_a_few_wild_months_do_not_widen_the_course() -> None:
    """Median and MAD are moved by less than half of the history; mean and deviation would swallow a drop of 20 %."""
    rng = random.Random(1)
    calm = [0.01 + rng.gauss(0, 0.012) for _ in range(12)]
    wild = [*calm, -0.4, 0.5, -0.6]
    assert robust_deviation(-0.2, calm, 0.01) < -8
    assert robust_deviation(-0.2, wild, 0.01) < -8
    assert abs(robust_deviation(median(calm), calm, 0.01)) < 1e-9


def test_a_calm_history_does_not_make_news_of_everything() -> None:
    assert abs(robust_deviation(0.03, [0.0] * 12, 0.01)) == pytest.approx(3.0)


def test_the_page_shows_the_bands_as_they_are() -> None:
    page = (Path(__file__).parents[3] / "docs" / "drift.md").read_text("utf-8")
    for band in BANDS.values():
        total, group = band.total, band.group
        shown = [f"{100 * one.warn:.3g} / {100 * one.block:.3g}, {100 * one.normal:.3g}" for one in (total, group)]
        assert f"| `{band.name}` | {band.what} | {shown[0]} | {shown[1]} | {band.why} |" in page, band.name
