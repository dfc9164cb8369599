"""Which articles a candidate has, in which languages, and what becomes of whoever asks for them.

The text itself is written in `texts.py` when somebody asks. Shares follow what is seen in practice: a mean of about
3.5 languages, English and the country's own language first.
"""

import random
from dataclasses import dataclass
from typing import Final, Literal

from mlm_assets.local_wikimedia.generator.cases import Case
from mlm_assets.local_wikimedia.generator.names import TitleRegister
from mlm_assets.local_wikimedia.generator.vocabulary import LANGUAGES

Fate = Literal["there", "missing", "redirect", "chain", "section", "empty"]

_WEIGHTS: Final = {
    "en": 7.0,
    "de": 3,
    "fr": 3,
    "it": 2.5,
    "es": 2,
    "pl": 2,
    "ro": 1,
    "nl": 2,
    "hu": 1,
    "pt": 1.5,
}
_NATIVE_FACTOR: Final = 6.0
_NUMBER_WEIGHTS: Final = (17, 18, 21, 17, 11, 6, 4, 3, 2, 1)
_FATES: Final[dict[Fate, float]] = {
    "there": 0.94, "missing": 0.018, "redirect": 0.02, "chain": 0.006, "section": 0.004, "empty": 0.012,
}  # fmt: skip
_WITHOUT: Final = ("no_article", "article_elsewhere", "no_image_and_no_article", "nothing")
_LONG_SHARE: Final = 0.02


@dataclass(frozen=True, slots=True)
class ArticlePlan:
    """One article in one of the ten languages.

    `title` is where the sitelink points; `way` are the titles that redirects pass through on their way to the text
    (empty unless redirected); `n_sentences` beyond ten make a long lead. The rest is history: `about` is the item whose
    story the text tells, where that is not the item that links here; `edition` counts rewritings; `born` and `edited`
    are the months in which the article was written and last changed (0: before history).
    """

    lang: str
    title: str
    fate: Fate
    way: tuple[str, ...]
    n_sentences: int
    about: str = ""
    edition: int = 0
    born: int = 0
    edited: int = 0

    @property
    def final_title(self) -> str:
        """Where the text stands."""
        return self.way[-1] if self.way else self.title


def _languages(rng: random.Random, native: str | None) -> list[str]:
    """Return one to ten languages in the order of the list, without repetition, by weight."""
    count = rng.choices(range(1, 11), _NUMBER_WEIGHTS)[0]
    weights = {lang: weight * (_NATIVE_FACTOR if lang == native else 1) for lang, weight in _WEIGHTS.items()}
    keys = {lang: rng.random() ** (1 / weight) for lang, weight in weights.items()}
    chosen = set(sorted(keys, key=lambda lang: -keys[lang])[:count])
    return [lang for lang in LANGUAGES if lang in chosen]


def _fate(rng: random.Random, case: Case) -> Fate:
    if case == "all_articles_gone":
        return rng.choice(("missing", "empty"))
    return rng.choices(list(_FATES), list(_FATES.values()))[0]


def _way(fate: Fate, lang: str, name: str, region: str, titles: TitleRegister) -> tuple[str, ...]:
    if fate in ("redirect", "section"):
        return (titles.claim(lang, name, region),)
    if fate == "chain":
        return (titles.claim(lang, name, region), titles.claim(lang, name, region))
    return ()


def _n_sentences(rng: random.Random) -> int:
    return rng.randint(60, 90) if rng.random() < _LONG_SHARE else rng.randint(2, 6)


def plan_articles(
    rng: random.Random,
    case: Case,
    names: dict[str, str],
    native: str | None,
    region: str,
    titles: TitleRegister,
) -> list[ArticlePlan]:
    """Return the articles of one candidate in the ten languages, in their order."""
    if case in _WITHOUT:
        return []
    plans = []
    for lang in _languages(rng, native):
        fate = _fate(rng, case)
        title = titles.claim(lang, names[lang], region)
        plans.append(ArticlePlan(lang, title, fate, _way(fate, lang, names[lang], region, titles), _n_sentences(rng)))
    return plans


def plan_elsewhere(rng: random.Random, case: Case, name: str) -> list[tuple[str, str]]:
    """Return (host, title) of pages in other wikis: other languages, and projects that are no encyclopedia."""
    others = [("sv.wikipedia.org", name), ("ja.wikipedia.org", name), ("simple.wikipedia.org", name)]
    if case == "article_elsewhere":
        return others[: rng.randint(1, 3)]
    if case == "nothing":
        return []
    pages = [other for other in others if rng.random() < 0.05]
    if rng.random() < 0.04:
        pages.append(("en.wikivoyage.org", name))
    if rng.random() < 0.06:
        pages.append(("commons.wikimedia.org", f"Category:{name}"))
    return pages
