"""Lead texts of the generated Wikipedias, written when somebody asks, the same for the same plan.

What a text says follows the plan, so that place can be learnt from it: region, country, landscape, climate by
latitude, distance and direction from the region's seat.
"""

import math
from collections.abc import Callable, Iterator
from typing import Final

from mlm_assets.local_wikimedia.generator import vocabulary as words
from mlm_assets.local_wikimedia.generator.articles import ArticlePlan
from mlm_assets.local_wikimedia.generator.randomness import stable_number
from mlm_assets.local_wikimedia.generator.settlements import Settlement
from mlm_assets.local_wikimedia.generator.vocabulary import article, noun

_KM_PER_DEG: Final = 111.2


def climate_of(lat_deg: float) -> str:
    """Return the climate at a latitude, one of the keys of `vocabulary.CLIMATES`."""
    distance = abs(lat_deg)
    if distance >= 60:
        return "polar"
    if distance >= 46:
        return "temperate"
    return "warm" if distance >= 24 else "tropical"


def _from_seat(plan: Settlement) -> tuple[int, str]:
    """Return distance in km and direction as seen from the seat of the region, on a flat map."""
    north = (plan.lat_deg - plan.region.lat_deg) * _KM_PER_DEG
    east = (plan.lon_deg - plan.region.lon_deg + 180) % 360 - 180
    east *= _KM_PER_DEG * math.cos(math.radians(plan.lat_deg))
    along, across = ("north" if north >= 0 else "south"), ("east" if east >= 0 else "west")
    return round(math.hypot(north, east)), along if abs(north) >= abs(east) else across


def _number(value: int, lang: str) -> str:
    return f"{value:,}".replace(",", words.THOUSANDS[lang])


def _is_a(plan: Settlement, lang: str, name: str) -> str:
    phrase = words.KINDS[plan.kind][lang]
    sentence = words.IS_A[lang].format(
        name=name,
        a=article(phrase),
        kind=noun(phrase),
        region=plan.region.name,
        country=plan.region.country.names[lang],
    )
    return sentence.replace("  ", " ")


def _population(plan: Settlement, lang: str, _name: str) -> str:
    population = plan.population
    return "" if population is None else words.POPULATION[lang].format(population=_number(population, lang))


def _landscape(plan: Settlement, lang: str, _name: str) -> str:
    return words.LANDSCAPE[lang].format(
        landscape=words.LANDSCAPES[plan.landscape][lang], trade=words.TRADES[plan.landscape][lang]
    )


def _climate(plan: Settlement, lang: str, _name: str) -> str:
    return words.CLIMATE[lang].format(climate=words.CLIMATES[climate_of(plan.lat_deg)][lang])


def _distance(plan: Settlement, lang: str, _name: str) -> str:
    km, direction = _from_seat(plan)
    return words.DISTANCE[lang].format(km=km, direction=words.DIRECTIONS[direction][lang], seat=plan.region.seat)


def _first_mention(plan: Settlement, lang: str, _name: str) -> str:
    year = 900 + stable_number(plan.qid, "first mention", below=900)
    return words.FIRST_MENTION[lang].format(year=year)


_SENTENCES: Final[tuple[Callable[[Settlement, str, str], str], ...]] = (
    _is_a, _landscape, _population, _distance, _climate, _first_mention,
)  # fmt: skip


def _chronicle(lang: str, n_sentences: int) -> Iterator[str]:
    """Yield what makes a long lead long: one sentence per year."""
    for year in range(1800, 1800 + n_sentences):
        yield words.CHRONICLE[lang].format(year=year)


def _rewritten(sentences: list[str], plan: Settlement, page: ArticlePlan) -> list[str]:
    """Return the sentences as the editions after the first left them; the first sentence stays.

    An edit puts another sentence in the place of one, adds one, or takes one away, so that texts keep their length.
    """
    for edition in range(1, page.edition + 1):
        name = plan.qid, page.lang, edition
        way = stable_number("way", *name, below=10)
        where = 1 + stable_number("where", *name, below=max(1, len(sentences) - 1))
        number = stable_number("year", *name, below=900)
        template = words.CHRONICLE if stable_number("template", *name, below=2) else words.FIRST_MENTION
        fresh = template[page.lang].format(year=1100 + number)
        if way < 2 and len(sentences) > 2:
            del sentences[where]
        elif way < 4 or len(sentences) < 2:
            sentences.insert(where, fresh)
        else:
            sentences[where] = fresh
    return sentences


def lead_text(plan: Settlement, page: ArticlePlan) -> str:
    """Return the lead of an article as plain text; paragraphs are separated by one line end.

    `plan` is the item as it was when the article was begun: whoever edits the item does not edit the article.
    """
    if page.fate == "empty":
        return ""
    name = page.final_title.partition(" (")[0]
    first = [sentence(plan, page.lang, name) for sentence in _SENTENCES[: page.n_sentences]]
    text = " ".join(_rewritten([sentence for sentence in first if sentence], plan, page))
    extra = page.n_sentences - len(_SENTENCES)
    return text if extra <= 0 else text + "\n" + " ".join(_chronicle(page.lang, extra))
