"""How many settlements each EU country may bring into `mlm_irle_gr` (paper, section 3.4).

The paper takes 24,000 settlements in proportion to population; a country with fewer stays short. Who goes in
first is decided by `identifiers.quota_rank`; counting and choosing belongs to the SQL of the datasets.
"""

import csv
from fractions import Fraction
from importlib.resources import files
from typing import Final

EU_COUNTRIES: Final = (
    *("AT", "BE", "BG", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GB", "GR", "HR"),
    *("HU", "IE", "IT", "LT", "LU", "LV", "MT", "NL", "PL", "PT", "RO", "SE", "SI", "SK"),
)
"""ISO 3166 alpha-2 codes of the 28 member states of January 2020, in alphabetical order."""

# Territories that ISO lists by themselves, whose inhabitants are in the population of the member state.
_PARTS: Final = {"AX": "FI", "GF": "FR", "GP": "FR", "MQ": "FR", "RE": "FR", "YT": "FR"}


def country_quotas(total: int) -> dict[str, int]:
    """Return how many of `total` settlements each EU country may bring, in proportion to its population.

    The quotas add up to `total`. They follow the divisor method with standard rounding (Webster,
    Sainte-Laguë): every country gets its population divided by one common divisor, rounded to the nearest
    whole number. Of 24,000 Romania gets 907, as in the paper; the method of the largest remainder would give
    it 908.

    Raises:
        ValueError: `total` is negative.
    """
    if total < 0:
        raise ValueError(f"{total} settlements cannot be shared out; the total must not be negative.")
    populations = eu_populations()
    everybody = sum(populations.values())
    quotas = {country: round(Fraction(total * people, everybody)) for country, people in populations.items()}
    while sum(quotas.values()) < total:
        quotas[max(quotas, key=lambda country: Fraction(populations[country], 2 * quotas[country] + 1))] += 1
    while sum(quotas.values()) > total:
        awarded = [country for country in quotas if quotas[country]]
        quotas[min(awarded, key=lambda country: Fraction(populations[country], 2 * quotas[country] - 1))] -= 1
    return quotas


def eu_country_of(country_code: str) -> str | None:
    """Return the EU country whose quota a settlement with this ISO code counts towards; None outside the EU.

    Wikidata says FR of a village in Réunion where a gazetteer says RE; both count as FR.
    """
    member = _PARTS.get(country_code, country_code)
    return member if member in EU_COUNTRIES else None


def eu_populations() -> dict[str, int]:
    """Return the population of each EU country on 1 January 2019; `eu_population.csv` names its source."""
    text = (files("mlm_assets.geo") / "eu_population.csv").read_text(encoding="utf-8")
    rows = csv.DictReader(line for line in text.splitlines() if not line.startswith("#"))
    return {row["country_code"]: int(row["population"]) for row in rows}
