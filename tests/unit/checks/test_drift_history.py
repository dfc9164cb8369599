"""Levels against accepted releases: what is used of a history, sudden changes, slow erosion, approved jumps."""

import random
from collections.abc import Sequence

import pytest

from mlm_assets.bands import FEWEST_RELEASES
from mlm_assets.checks import drift_history as past
from mlm_assets.checks.profile import Profile, as_json, from_json
from mlm_assets.releases import release_window

RELEASES = release_window("2026-12")


def profile(month: int, n: int, **items: int) -> Profile:
    figures = {"settlements.rows": {"": n}, "settlements.country": items}
    return Profile("settlements", "00", RELEASES[month], f"v{month}", n, figures)


def course(levels: Sequence[int]) -> list[Profile]:
    return [profile(month, n) for month, n in enumerate(levels)]


def test_only_earlier_releases_count_and_each_once() -> None:
    current = profile(8, 1000)
    history = [profile(9, 1), *course([1000] * 8), profile(3, 900), current]
    used = past.usable(history, current)
    assert [one.release for one in used] == list(RELEASES[:8])
    assert used[3].n_rows == 900, "of a release that was made again, what was accepted last"


def test_a_history_shorter_than_six_says_nothing() -> None:
    assert not past.departures(course([10_000] * (FEWEST_RELEASES - 1)), profile(5, 100))
    assert past.departures(course([10_000] * FEWEST_RELEASES), profile(6, 100))


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("n", [150, 2000, 250_000])
def test_growth_with_churn_and_shocks_is_no_news(seed: int, n: int) -> None:
    """36 months: 1 % growth, noise, a class of 3 % away for a month, now and then 4 % merged, 5 % re-tagged."""
    rng = random.Random(seed)
    levels = [n]
    for month in range(1, 36):
        shock = {9: 0.97, 10: 1 / 0.97, 17: 0.96, 25: 0.95}.get(month, 1.0)
        levels.append(round(levels[-1] * (1 + rng.gauss(0.01, 0.005)) * shock))
    profiles = [profile(month, level, FR=level // 3) for month, level in enumerate(levels)]
    for month in range(1, 36):
        assert not past.departures(profiles[:month], profiles[month]), month


def test_a_sudden_drop_is_told_from_an_ordinary_month() -> None:
    rng = random.Random(2)
    levels = [round(50_000 * 1.01**month * (1 + rng.gauss(0, 0.003))) for month in range(12)]
    (found,) = past.departures(course(levels), profile(12, round(0.91 * levels[-1])))
    assert (found.measure, found.level) == ("change", "WARN")
    worse = past.departures(course(levels), profile(12, round(0.7 * levels[-1])))
    assert {one.level for one in worse} == {"ERROR"}


def test_slow_erosion_is_found_though_no_month_drops() -> None:
    """2 % fewer each month: below every monthly band, found within the year."""
    levels = [round(40_000 * 1.01**month) for month in range(12)]
    for _ in range(12):
        levels.append(round(levels[-1] * 0.98))
    found_at = next(
        month for month in range(12, 24) if past.departures(course(levels[:month]), profile(month, levels[month]))
    )
    assert 15 <= found_at <= 21
    (found,) = past.departures(course(levels[:found_at]), profile(found_at, levels[found_at]))
    assert found.measure == "erosion"


def test_what_was_approved_is_not_held_against_the_months_after() -> None:
    """A loss of 40 % that a maintainer approved: the months after it are judged from there."""
    levels = [20_000] * 10 + [12_000]
    for month in range(11, 24):
        assert not past.departures(course(levels), profile(month, 12_050))
        levels.append(12_050)


def test_small_groups_have_no_history() -> None:
    history = [profile(month, 5000, AD=40) for month in range(8)]
    assert not past.departures(history, profile(8, 5000, AD=3))
    large = [profile(month, 5000, FR=1500) for month in range(8)]
    assert [one.item for one in past.departures(large, profile(8, 5000, FR=300))] == ["FR", "FR"]


def test_a_profile_is_plain_data() -> None:
    one = profile(0, 7, FR=3)
    assert from_json(as_json(one)) == one
