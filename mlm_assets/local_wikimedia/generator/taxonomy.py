"""The class graph of the generated world: three hops below human settlement, and a fourth that is out of bounds.

It holds what real P279 graphs hold: classes with two parents, a cycle, a class that is its own parent, a parent
above the root, a class without instances, labels missing in some languages. Identifiers that are not surely
Wikidata's own lie above Q900000000.
"""

from dataclasses import dataclass, field
from typing import Final

from mlm_assets.local_wikimedia.generator.countries import Country, countries
from mlm_assets.local_wikimedia.generator.randomness import generator
from mlm_assets.local_wikimedia.generator.vocabulary import KINDS, LANDSCAPES, LANGUAGES, ROOT, noun

ROOT_QID: Final = "Q486972"
ABOVE_ROOT_QID: Final = "Q27096213"
_FIRST_QID: Final = 900_000_000
_KNOWN_QIDS: Final = {
    "village": "Q532", "town": "Q3957", "hamlet": "Q5084", "city": "Q515", "big city": "Q1549591",
    "capital": "Q5119", "ghost town": "Q74047",
}  # fmt: skip
_CYCLE_KIND: Final = "spa town"
_OWN_PARENT_KIND: Final = "planned city"
_SECOND_KIND: Final = {"port town": "town", "fishing village": "village", "mining town": "town"}

OUTSIDE: Final = {
    "Q56061": "administrative territorial entity", "Q570116": "tourist attraction",
    "Q9259": "UNESCO World Heritage Site", "Q23397": "lake",
}  # fmt: skip
"""Classes beside the taxonomy, with their English labels."""
LAKE_QID: Final = "Q23397"


@dataclass(slots=True)
class ClassPlan:
    """One class: `hop` is the shortest way up to the root; `landscape` and `country` narrow it down."""

    qid: str
    hop: int
    kind: str
    labels: dict[str, str]
    parents: list[str]
    country: str | None = None
    landscape: str | None = None


@dataclass(slots=True)
class Taxonomy:
    """All classes, and the tables by which a settlement finds its own."""

    classes: list[ClassPlan] = field(default_factory=list)
    kinds: dict[str, ClassPlan] = field(default_factory=dict)
    by_country: dict[tuple[str, str], ClassPlan] = field(default_factory=dict)
    by_landscape: dict[tuple[str, str, str], ClassPlan] = field(default_factory=dict)
    beyond: list[ClassPlan] = field(default_factory=list)
    childless_qid: str = ""

    def add(self, plan: ClassPlan) -> ClassPlan:
        """Add a class and return it."""
        self.classes.append(plan)
        return plan


def _qid(number: int) -> str:
    return f"Q{_FIRST_QID + number}"


def _in_country(kind: str, country: Country) -> dict[str, str]:
    labels = {lang: f"{noun(KINDS[kind][lang])} ({country.names[lang]})" for lang in LANGUAGES}
    return labels | {"en": f"{kind} in {country.names['en']}"}


def _in_landscape(kind: str, country: Country, landscape: str) -> dict[str, str]:
    words = LANDSCAPES[landscape]
    labels = {lang: f"{noun(KINDS[kind][lang])} ({country.names[lang]}, {words[lang]})" for lang in LANGUAGES}
    return labels | {"en": f"{landscape} {kind} in {country.names['en']}"}


def _add_kinds(taxonomy: Taxonomy) -> None:
    for number, (kind, phrases) in enumerate(KINDS.items()):
        labels = {lang: noun(phrase) for lang, phrase in phrases.items()}
        plan = ClassPlan(_KNOWN_QIDS.get(kind, _qid(number)), 1, kind, labels, [ROOT_QID])
        taxonomy.kinds[kind] = taxonomy.add(plan)


def _add_countries(taxonomy: Taxonomy) -> None:
    special = [kind for kind in KINDS if kind not in ("village", "town", "capital")]
    for number, country in enumerate(countries()):
        wanted = ["village", "town"] if number % 2 == 0 else ["village"]
        for offset, kind in enumerate([*wanted, special[number % len(special)]]):
            parents = [taxonomy.kinds[kind].qid]
            if kind in _SECOND_KIND:
                parents.append(taxonomy.kinds[_SECOND_KIND[kind]].qid)
            qid = _qid(1_000 + 10 * number + offset)
            plan = ClassPlan(qid, 2, kind, _in_country(kind, country), parents, country.iso)
            taxonomy.by_country[kind, country.iso] = taxonomy.add(plan)


def _add_landscapes(taxonomy: Taxonomy) -> None:
    landscapes = list(LANDSCAPES)
    for number, country in enumerate(countries()):
        village = taxonomy.by_country["village", country.iso]
        for offset in range(2):
            landscape = landscapes[(number * 3 + offset) % len(landscapes)]
            parents = [village.qid]
            town = taxonomy.by_country.get(("town", country.iso))
            if town and offset == 0:
                parents.append(town.qid)
            labels = _in_landscape("village", country, landscape)
            qid = _qid(2_000 + 10 * number + offset)
            plan = ClassPlan(qid, 3, "village", labels, parents, country.iso, landscape)
            taxonomy.by_landscape["village", country.iso, landscape] = taxonomy.add(plan)


def _add_beyond(taxonomy: Taxonomy) -> None:
    """Add the fourth hop: quarters of the classes of the third."""
    for number, parent in enumerate(list(taxonomy.by_landscape.values())[::9]):
        labels = {"en": f"quarter of a {parent.labels['en']}", "de": f"Ortsteil: {parent.labels['de']}"}
        plan = ClassPlan(_qid(3_000 + number), 4, parent.kind, labels, [parent.qid], parent.country, parent.landscape)
        taxonomy.beyond.append(taxonomy.add(plan))


def _add_oddities(taxonomy: Taxonomy) -> None:
    below = next(plan for (kind, _), plan in taxonomy.by_country.items() if kind == _CYCLE_KIND)
    taxonomy.kinds[_CYCLE_KIND].parents.append(below.qid)
    own = taxonomy.kinds[_OWN_PARENT_KIND]
    own.parents.append(own.qid)
    childless = next(plan for (kind, _), plan in taxonomy.by_country.items() if kind == "ghost town")
    taxonomy.childless_qid = childless.qid


def _lose_labels(taxonomy: Taxonomy, seed: int) -> None:
    """Take labels away: one language in five below the first hop, English from two classes."""
    rng = generator(seed, "class labels")
    for plan in taxonomy.classes:
        if plan.hop < 2:
            continue
        kept = {lang: label for lang, label in plan.labels.items() if lang == "en" or rng.random() > 0.2}
        plan.labels = kept
    for plan in list(taxonomy.by_country.values())[7:9]:
        plan.labels.pop("en", None)


def make_taxonomy(seed: int) -> Taxonomy:
    """Return the class graph; only missing labels depend on the seed."""
    taxonomy = Taxonomy()
    taxonomy.add(ClassPlan(ROOT_QID, 0, "", dict(ROOT), [ABOVE_ROOT_QID]))
    _add_kinds(taxonomy)
    _add_countries(taxonomy)
    _add_landscapes(taxonomy)
    _add_beyond(taxonomy)
    _add_oddities(taxonomy)
    _lose_labels(taxonomy, seed)
    return taxonomy
