"""The plan of every candidate: where it lies, its names, articles and files, and what is wrong with it.

A plan is pure data and depends on the seed and its own number, except for two things decided over the whole world:
which case it is (`cases.py`, so that shares are exact) and titles (unique per language). Rendering is done elsewhere.
"""

import math
import random
from dataclasses import dataclass, field
from typing import Final, Literal

from mlm_assets.local_wikimedia.generator.articles import ArticlePlan, plan_articles, plan_elsewhere
from mlm_assets.local_wikimedia.generator.cases import Case, cases_of_world
from mlm_assets.local_wikimedia.generator.countries import Country, countries
from mlm_assets.local_wikimedia.generator.images import ImagePlan, Subject, plan_images
from mlm_assets.local_wikimedia.generator.names import (
    TitleRegister,
    capitalised,
    names_per_language,
    plain_name,
)
from mlm_assets.local_wikimedia.generator.randomness import generator, stable_number
from mlm_assets.local_wikimedia.generator.taxonomy import LAKE_QID, OUTSIDE, ROOT_QID, Taxonomy
from mlm_assets.local_wikimedia.generator.vocabulary import LANDSCAPES, LANGUAGES

FIRST_QID: Final = 910_000_000
_FIRST_BYSTANDER_QID: Final = 890_000_000
_KIND_WEIGHTS: Final = {
    "village": 42, "town": 18, "hamlet": 12, "city": 6, "big city": 2, "capital": 0.5, "ghost town": 1.5,
    "port town": 3, "mining town": 3, "spa town": 2, "market town": 3, "fishing village": 3, "ski resort": 2,
    "planned city": 2,
}  # fmt: skip
_POPULATIONS: Final = {"hamlet": (10, 200), "village": (80, 4_000), "big city": (120_000, 3_000_000),
                       "city": (20_000, 150_000), "capital": (90_000, 4_000_000)}  # fmt: skip
_MARGIN_DEG: Final = 89.0


@dataclass(frozen=True, slots=True)
class Region:
    """Part of a country around one centre."""

    number: int
    country: Country
    lat_deg: float
    lon_deg: float
    name: str
    seat: str
    landscape: str


@dataclass(frozen=True, slots=True)
class Position:
    """One P625 statement; `globe` is a QID, `lat_deg` None stands for "unknown value"."""

    lat_deg: float | None
    lon_deg: float | None
    globe: str = "Q2"
    rank: Literal["normal", "preferred", "deprecated"] = "normal"


@dataclass(slots=True)
class Settlement:
    """The plan of one item; `classes` are its P31, in the taxonomy or beside it."""

    number: int
    qid: str
    case: Case
    region: Region
    kind: str
    landscape: str
    lat_deg: float
    lon_deg: float
    population: int | None
    names: dict[str, str]
    classes: list[str]
    positions: list[Position]
    country_qids: list[str]
    articles: list[ArticlePlan] = field(default_factory=list)
    elsewhere: list[tuple[str, str]] = field(default_factory=list)
    images: list[ImagePlan] = field(default_factory=list)
    revision: int = 0
    modified_at: str = ""


def make_regions(seed: int) -> list[Region]:
    """Return one region per centre of every country."""
    regions: list[Region] = []
    landscapes = list(LANDSCAPES)
    for country in countries():
        for lat, lon in country.centres:
            rng = generator(seed, "region", country.iso, lat, lon)
            name, seat = plain_name(rng, country.sounds), plain_name(rng, country.sounds)
            regions.append(Region(len(regions), country, lat, lon, name, seat, rng.choice(landscapes)))
    return regions


def _region_weights(regions: list[Region]) -> list[float]:
    """Weigh a region by its country, and the first centre of a country twice: density must vary."""
    return [
        region.country.weight / (len(region.country.centres) + 1) * (2 if _is_first(region) else 1)
        for region in regions
    ]


def _is_first(region: Region) -> bool:
    return (region.lat_deg, region.lon_deg) == region.country.centres[0]


def _scatter(rng: random.Random, region: Region) -> tuple[float, float]:
    """Return a point around the centre, in degrees: dense in the middle, thin outside, never beyond the poles."""
    spread = region.country.spread_deg * (0.25 if rng.random() < 0.3 else 1.0)
    lat = max(-_MARGIN_DEG, min(_MARGIN_DEG, region.lat_deg + rng.gauss(0, spread)))
    lon = region.lon_deg + rng.gauss(0, spread) / max(0.2, math.cos(math.radians(lat)))
    return round(lat, 6), round((lon + 180.0) % 360.0 - 180.0, 6)


def _population(rng: random.Random, kind: str) -> int | None:
    if rng.random() < 0.12:
        return None
    low, high = _POPULATIONS.get(kind, (800, 25_000))
    return int(math.exp(rng.uniform(math.log(low), math.log(high))))


def _classes(rng: random.Random, taxonomy: Taxonomy, kind: str, region: Region, landscape: str) -> list[str]:
    """Return the one to three classes below the root, and now and then one beside it."""
    iso = region.country.iso
    options = [taxonomy.kinds[kind]]
    if narrow := taxonomy.by_country.get((kind, iso)):
        options.append(narrow)
    if narrower := taxonomy.by_landscape.get((kind, iso, landscape)):
        options.append(narrower)
    usable = [plan.qid for plan in options if plan.qid != taxonomy.childless_qid]
    chosen = [ROOT_QID] if rng.random() < 0.01 else [usable[-1] if rng.random() < 0.55 else usable[0]]
    draw = rng.random()
    if draw < 0.2:
        chosen.append(rng.choice(usable))
    elif draw < 0.3:
        chosen.append(taxonomy.kinds[rng.choice(("market town", "mining town", "port town"))].qid)
    if rng.random() < 0.03:
        chosen.append(ROOT_QID)
    if rng.random() < 0.12:
        chosen.append(rng.choice([qid for qid in OUTSIDE if qid != LAKE_QID]))
    return list(dict.fromkeys(chosen))


def _country_qids(rng: random.Random, region: Region) -> list[str]:
    draw = rng.random()
    if draw < 0.04:
        return []
    if draw < 0.06:
        return [region.country.qid, rng.choice(countries()).qid]
    return [region.country.qid]


def _positions(rng: random.Random, case: Case, lat: float, lon: float) -> list[Position]:
    """Return the P625 statements that the case asks for."""
    here = Position(lat, lon)
    aside = Position(round(lat + rng.uniform(0.02, 0.3), 6), lon)
    wrong = Position(round(-lat, 6), lon, rank="deprecated")
    unknown = Position(None, None)
    away = (round(rng.uniform(-60, 60), 4), round(rng.uniform(-170, 170), 4))
    special: dict[str, list[Position]] = {
        "no_coordinates": [],
        "deprecated_coordinates": [wrong],
        "unknown_coordinates": [unknown],
        "on_the_moon": [Position(*away, globe="Q405")],
        "on_mars": [Position(*away, globe="Q111")],
        "earth_and_moon": [Position(*away, globe="Q405"), here],
        "several_coordinates": [here, aside],
        "preferred_coordinates": [aside, Position(lat, lon, rank="preferred")],
        "deprecated_beside": [wrong, here],
        "nothing": [],
    }
    return special.get(case, [here])


class SettlementPlanner:
    """Makes plans one after the other; `titles` keeps those given away."""

    def __init__(self, seed: int, taxonomy: Taxonomy) -> None:
        self._seed = seed
        self._taxonomy = taxonomy
        self.titles = TitleRegister()
        self.regions = make_regions(seed)
        self._weights = _region_weights(self.regions)
        self._kinds = list(_KIND_WEIGHTS)
        self._kind_weights = list(_KIND_WEIGHTS.values())

    def plan(self, number: int, qid: str, case: Case) -> Settlement:
        """Return the plan of one candidate."""
        rng = generator(self._seed, "settlement", qid)
        region = rng.choices(self.regions, self._weights)[0]
        lat, lon = _scatter(rng, region)
        kind = rng.choices(self._kinds, self._kind_weights)[0]
        landscape = region.landscape if rng.random() < 0.75 else rng.choice(list(LANDSCAPES))
        settlement = Settlement(
            number=number,
            qid=qid,
            case=case,
            region=region,
            kind=kind,
            landscape=landscape,
            lat_deg=lat,
            lon_deg=lon,
            population=_population(rng, kind),
            names=names_per_language(rng, region.country.sounds, number),
            classes=_classes(rng, self._taxonomy, kind, region, landscape),
            positions=_positions(rng, case, lat, lon),
            country_qids=_country_qids(rng, region),
            revision=1_000_000_000 + stable_number(self._seed, qid, "revision", below=1_000_000_000),
            modified_at=_moment(rng),
        )
        english = settlement.names["en"]
        settlement.articles = plan_articles(
            rng, case, settlement.names, region.country.native, region.name, self.titles
        )
        settlement.elsewhere = plan_elsewhere(rng, case, english)
        settlement.images = plan_images(rng, subject_of(settlement), case)
        _lose_names(rng, settlement)
        return settlement


def subject_of(settlement: Settlement) -> Subject:
    """Return what the pictures of a candidate show."""
    region = settlement.region
    return Subject(
        number=settlement.number,
        name=settlement.names.get("en", settlement.qid),
        region=region.name,
        region_number=region.number,
        iso=region.country.iso,
        lat_deg=settlement.lat_deg,
        lon_deg=settlement.lon_deg,
        region_lat_deg=region.lat_deg,
        region_lon_deg=region.lon_deg,
    )


def _moment(rng: random.Random) -> str:
    return (
        f"2026-{rng.randint(1, 11):02d}-{rng.randint(1, 28):02d}"
        f"T{rng.randint(0, 23):02d}:{rng.randint(0, 59):02d}:{rng.randint(0, 59):02d}Z"
    )


def _lose_names(rng: random.Random, settlement: Settlement) -> None:
    """Keep labels where there is an article, and about half of the others; English is missing now and then."""
    with_article = {article.lang for article in settlement.articles}
    kept = {lang for lang in LANGUAGES if lang in with_article or rng.random() < 0.5}
    kept = kept - {"en"} if rng.random() < 0.03 else kept | {"en"}
    settlement.names = {lang: capitalised(settlement.names[lang]) for lang in LANGUAGES if lang in kept}


def make_settlements(seed: int, n_candidates: int, planner: SettlementPlanner) -> list[Settlement]:
    """Return exactly `n_candidates` plans, each an instance of at least one class of hops 0 to 3."""
    rng = generator(seed, "numbering")
    cases = cases_of_world(seed, n_candidates)
    return [
        planner.plan(number, f"Q{FIRST_QID + 7 * number + rng.randrange(7)}", case) for number, case in enumerate(cases)
    ]


def make_bystanders(n_candidates: int, planner: SettlementPlanner, taxonomy: Taxonomy) -> list[Settlement]:
    """Return items that look like settlements and are none: instances of the fourth hop, and lakes."""
    bystanders = []
    for number in range(max(6, n_candidates // 100)):
        plan = planner.plan(n_candidates + number, f"Q{_FIRST_BYSTANDER_QID + 3 * number}", "sound")
        beyond = taxonomy.beyond[number % len(taxonomy.beyond)]
        plan.classes = [LAKE_QID] if number % 3 == 2 else [beyond.qid]
        bystanders.append(plan)
    return bystanders
