"""Quotas of the EU variant."""

import heapq
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlm_assets.geo.quotas import EU_COUNTRIES, country_quotas, eu_country_of, eu_populations


def highest_averages(total: int) -> dict[str, int]:
    """Sainte-Laguë the slow way: one seat after the other."""
    populations = eu_populations()
    seats = dict.fromkeys(populations, 0)
    heap = [(-Fraction(people, 1), country) for country, people in populations.items()]
    heapq.heapify(heap)
    for _ in range(total):
        _, country = heapq.heappop(heap)
        seats[country] += 1
        heapq.heappush(heap, (-Fraction(populations[country], 2 * seats[country] + 1), country))
    return seats


def test_romania_gets_what_the_paper_says() -> None:
    quotas = country_quotas(24_000)
    assert quotas["RO"] == 907
    assert sum(quotas.values()) == 24_000


def test_every_quota_of_24000_is_within_one_of_the_exact_share() -> None:
    populations = eu_populations()
    everybody = sum(populations.values())
    for country, quota in country_quotas(24_000).items():
        assert abs(quota - 24_000 * populations[country] / everybody) < 1


@given(st.integers(0, 700))
@settings(max_examples=60, deadline=None)
def test_same_as_one_seat_after_the_other(total: int) -> None:
    assert country_quotas(total) == highest_averages(total)


def test_same_as_one_seat_after_the_other_for_24000() -> None:
    assert country_quotas(24_000) == highest_averages(24_000)


@given(st.integers(0, 10**7))
@settings(deadline=None)
def test_quotas_add_up(total: int) -> None:
    assert sum(country_quotas(total).values()) == total


@given(st.integers(0, 5000))
@settings(max_examples=50, deadline=None)
def test_no_country_loses_when_the_total_grows(total: int) -> None:
    fewer, more = country_quotas(total), country_quotas(total + 1)
    assert all(more[country] >= fewer[country] for country in EU_COUNTRIES)


def test_negative_total_is_refused() -> None:
    with pytest.raises(ValueError, match="negative"):
        country_quotas(-1)


def test_the_table_holds_the_28_countries_and_the_published_sum() -> None:
    populations = eu_populations()
    assert tuple(populations) == EU_COUNTRIES == tuple(sorted(EU_COUNTRIES))
    assert len(EU_COUNTRIES) == 28
    assert sum(populations.values()) == 513_471_676
    assert {"GR", "GB"} <= set(EU_COUNTRIES)
    assert {"EL", "UK", "CH", "NO"}.isdisjoint(EU_COUNTRIES)


@pytest.mark.parametrize(
    ("code", "member"), [("RO", "RO"), ("RE", "FR"), ("AX", "FI"), ("CH", None), ("GL", None), ("", None), ("ro", None)]
)
def test_parts_of_member_states_count_towards_them(code: str, member: str | None) -> None:
    assert eu_country_of(code) == member
