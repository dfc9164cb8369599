"""Large changes that are nobody's fault: bots, campaigns, waves of mergers, vandals, and editors of classes.

A few happen within the first 36 months; which month, which kind and where are drawn from the seed. Two are undone in
the month after: vandalism, and a class that was hung elsewhere.
"""

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final, Literal, NamedTuple, get_args

from mlm_assets.local_wikimedia.generator.countries import Country, countries
from mlm_assets.local_wikimedia.generator.images import plan_photo
from mlm_assets.local_wikimedia.generator.randomness import generator
from mlm_assets.local_wikimedia.generator.settlements import Position, Settlement
from mlm_assets.local_wikimedia.generator.taxonomy import ROOT_QID, Taxonomy
from mlm_assets.local_wikimedia.generator.vocabulary import LANGUAGES
from mlm_assets.local_wikimedia.history.dice import Dice
from mlm_assets.local_wikimedia.history.items import create_article, merge_items, nearest
from mlm_assets.local_wikimedia.history.state import State

ShockKind = Literal["retagging", "mergers", "reparenting", "vandalism", "stubs", "photographs"]
SHOCK_KINDS: Final[tuple[ShockKind, ...]] = get_args(ShockKind)
WINDOW: Final = 36
_FEWEST, _MOST = 4, 6
_FIRST: Final = 2
_LARGE_COUNTRIES: Final = 8
_RETAGGED, _MERGED, _VANDALISED, _STUBS, _PHOTOGRAPHS = 0.05, 0.04, 0.005, 0.06, 0.06
_LARGEST_CLASS: Final = 0.025
"""Share of instances in month 0, so that it stays below 3 % while the world grows."""
_FELT_CLASSES: Final = 6
_HOPS: Final = 3
_OUT_OF_THE_TREE: Final = "Q570116"
_NONSENSE: Final = ("asdfgh", "LOLOLOL", "max was here", "xxxxxx", "poop", "hi mom")


class Shock(NamedTuple):
    """One shock: its month, what it is, and what it hits. `undone` is the month in which it is taken back, if it is."""

    month: int
    kind: ShockKind
    country_qid: str = ""
    lang: str = ""
    class_qid: str = ""
    undone: int | None = None


def schedule(seed: int, items: Sequence[Settlement], taxonomy: Taxonomy) -> list[Shock]:
    """Return the shocks of the 36 months, decided by the seed and the world of month 0."""
    dice = Dice(seed, 0)
    kinds = dice.some(SHOCK_KINDS, _FEWEST + dice.below(_MOST - _FEWEST + 1, "how many"), "kinds")
    slot = (WINDOW - _FIRST) // len(kinds)
    shocks = []
    for number, kind in enumerate(kinds):
        # The last month of a slot stays free, so that one shock is over before the next one comes.
        month = _FIRST + number * slot + dice.below(slot - 1, "month", number)
        shock = _aimed(dice, Shock(month, kind), items, taxonomy)
        if shock is not None:
            shocks.append(shock)
    return shocks


def _aimed(dice: Dice, shock: Shock, items: Sequence[Settlement], taxonomy: Taxonomy) -> Shock | None:
    """Return the shock with what it hits; None where the world has nothing to hit."""
    if shock.kind == "reparenting":
        small = _small_classes(items, taxonomy)
        return shock._replace(class_qid=dice.one_of(small, "class"), undone=shock.month + 1) if small else None
    if shock.kind == "stubs":
        return shock._replace(lang=dice.one_of(LANGUAGES, "language"))
    if shock.kind == "vandalism":
        return shock._replace(undone=shock.month + 1) if items else None
    counted = Counter(item.country_qids[0] for item in items if len(item.country_qids) == 1)
    large = [qid for qid, _ in counted.most_common(_LARGE_COUNTRIES)]
    return shock._replace(country_qid=dice.one_of(large, "country", shock.kind)) if large else None


def tree(taxonomy: Taxonomy, without: str = "") -> frozenset[str]:
    """Return the classes up to three hops below the root, but for what hangs on `without` alone."""
    children: dict[str, list[str]] = {}
    for plan in taxonomy.classes:
        for parent in plan.parents if plan.qid != without else ():
            children.setdefault(parent, []).append(plan.qid)
    found, edge = {ROOT_QID}, {ROOT_QID}
    for _ in range(_HOPS):
        edge = {child for parent in edge for child in children.get(parent, ())} - found
        found |= edge
    return frozenset(found)


def _small_classes(items: Sequence[Settlement], taxonomy: Taxonomy) -> list[str]:
    """Return the classes whose loss would be felt most among those with few instances: six at most."""
    whole = tree(taxonomy)
    classes = [set(item.classes) & whole for item in items]
    used = set().union(*classes) if classes else set()
    lost: dict[str, int] = {}
    for plan in taxonomy.classes:
        if plan.qid == ROOT_QID or plan.qid not in used:
            continue
        left = tree(taxonomy, plan.qid)
        n_instances = sum(plan.qid in own or not own & left for own in classes)
        n_lost = sum(not own & left for own in classes)
        if n_lost > 0 and n_instances <= _LARGEST_CLASS * len(items):
            lost[plan.qid] = n_lost
    return sorted(lost, key=lambda qid: (-lost[qid], qid))[:_FELT_CLASSES]


def undo(state: State) -> None:
    """Take back what last month's vandals and editors of classes did."""
    for qid, before in sorted(state.vandalised.items()):
        if qid in state.items:
            state.edit(qid, **before)
            state.tell("vandalism_undone", qid, detail=next(iter(before)))
    for qid, parents in state.reparented.items():
        _set_parents(state, qid, parents)
        state.tell("class_restored", qid, detail=" ".join(parents))
    state.vandalised, state.reparented = {}, {}


def strike(state: State, shock: Shock) -> None:
    """Let a shock happen."""
    _STRIKES[shock.kind](state, shock)


def _share(share: float, total: int) -> int:
    return min(total, max(1, round(share * total)))


def _of_country(state: State, country_qid: str) -> list[str]:
    return [qid for qid, item in state.items.items() if item.country_qids == [country_qid]]


def _neighbour(country: Country) -> Country:
    """Return the country whose first centre is nearest."""
    lat, lon = country.centres[0]
    others = [other for other in countries() if other.qid != country.qid]
    return min(others, key=lambda other: math.dist((lat, lon), other.centres[0]))


def _retag(state: State, shock: Shock) -> None:
    """Move 5 % of a country to its neighbour, or give them the country's own, narrower class."""
    country = next(country for country in countries() if country.qid == shock.country_qid)
    own = _of_country(state, shock.country_qid)
    wanted = _share(_RETAGGED, len(own))
    narrow = {qid: narrower for qid in own if (narrower := _narrower(state, state.items[qid], country.iso))}
    if len(narrow) >= wanted and state.dice.below(2, "retagging"):
        for qid in state.dice.some(narrow, wanted, "retagged"):
            before, after = narrow[qid]
            classes = [after if other == before else other for other in state.items[qid].classes]
            state.edit(qid, classes=list(dict.fromkeys(classes)))
            state.tell("class_changed", qid, detail=after)
        return
    neighbour = _neighbour(country).qid
    for qid in state.dice.some(own, wanted, "retagged"):
        state.edit(qid, country_qids=[neighbour])
        state.tell("country", qid, detail=neighbour)


def _narrower(state: State, item: Settlement, iso: str) -> tuple[str, str] | None:
    """Return a class of the item and the country's own class below it, if there is one."""
    for kind, plan in state.taxonomy.kinds.items():
        narrow = state.taxonomy.by_country.get((kind, iso))
        if narrow and plan.qid in item.classes and narrow.qid != state.taxonomy.childless_qid:
            return plan.qid, narrow.qid
    return None


def _merge(state: State, shock: Shock) -> None:
    """Merge 4 % of a country, each into the item nearest to it."""
    own = _of_country(state, shock.country_qid)
    losers = state.dice.some(own, _share(_MERGED, len(own)), "merged")
    for loser in losers if len(own) > len(losers) else []:
        left = [state.items[qid] for qid in own if qid not in losers]
        merge_items(state, loser, nearest(state.items[loser], left).qid)


def _reparent(state: State, shock: Shock) -> None:
    plan = next(plan for plan in state.taxonomy.classes if plan.qid == shock.class_qid)
    state.reparented[plan.qid] = plan.parents
    _set_parents(state, plan.qid, [_OUT_OF_THE_TREE])
    state.tell("class_reparented", plan.qid, detail=_OUT_OF_THE_TREE)


def _set_parents(state: State, qid: str, parents: list[str]) -> None:
    classes = [replace(plan, parents=parents) if plan.qid == qid else plan for plan in state.taxonomy.classes]
    state.taxonomy = replace(state.taxonomy, classes=classes)


def _vandalise(state: State, shock: Shock) -> None:
    """Spoil the labels or the coordinates of 0.5 % of all items."""
    spoil_labels = bool(state.dice.below(2, "vandalism"))
    able = [qid for qid, item in state.items.items() if (item.names if spoil_labels else _known(item))]
    for qid in state.dice.some(able, _share(_VANDALISED, len(state.items)), "vandalised"):
        item = state.items[qid]
        if spoil_labels:
            lang = "en" if "en" in item.names else next(iter(item.names))
            state.vandalised[qid] = {"names": item.names}
            state.edit(qid, names=item.names | {lang: state.dice.one_of(_NONSENSE, "nonsense", qid)})
        else:
            state.vandalised[qid] = {"positions": item.positions}
            state.edit(qid, positions=[_elsewhere(state.dice, qid, position) for position in item.positions])
        state.tell("vandalised", qid, detail="names" if spoil_labels else "positions")


def _known(item: Settlement) -> bool:
    return any(position.lat_deg is not None for position in item.positions)


def _elsewhere(dice: Dice, qid: str, position: Position) -> Position:
    if position.lat_deg is None:
        return position
    lat, lon = dice.between(-60, 60, "latitude", qid), dice.between(-170, 170, "longitude", qid)
    return replace(position, lat_deg=round(lat, 6), lon_deg=round(lon, 6))


def _write_stubs(state: State, shock: Shock) -> None:
    """Let a bot write about 6 % more articles of two sentences in one language."""
    without = [qid for qid, item in state.items.items() if shock.lang not in {page.lang for page in item.articles}]
    n_articles = len(state.items) - len(without)
    for qid in state.dice.some(without, _share(_STUBS, n_articles), "stub"):
        create_article(state, qid, shock.lang, n_sentences=2)


def _photograph(state: State, shock: Shock) -> None:
    """Add about 6 % more images to the items of a country, with a photograph each."""
    own = _of_country(state, shock.country_qid)
    n_images = sum(len(state.items[qid].images) for qid in own)
    for qid in state.dice.some(own, _share(_PHOTOGRAPHS, n_images), "photograph"):
        rng = generator(state.seed, "campaign", state.month, qid)
        image = plan_photo(rng, state.subject(qid), 1_000 + state.month)
        state.edit(qid, images=[*state.items[qid].images, image])
        state.upload(image)
        state.tell("image_added", qid, title=image.stated_name, detail=image.prop)


_STRIKES: Final[dict[ShockKind, Callable[[State, Shock], None]]] = {
    "retagging": _retag,
    "mergers": _merge,
    "reparenting": _reparent,
    "vandalism": _vandalise,
    "stubs": _write_stubs,
    "photographs": _photograph,
}
