"""Every query that Wikidata is asked, as text: portable SPARQL 1.1, so that the public query service (Blazegraph),
QLever and Oxigraph answer alike.

Rules that hold for each of them, found by trying:
- every prefix is declared; no label service, no hints, no `SERVICE`;
- `VALUES` stands inside each branch of a UNION: outside, engines evaluate the branches for everything first;
- an OPTIONAL or EXISTS holds a single triple; several triples take a hundred times as long;
- a coordinate's value node is in the row: `wdt:` names the best rank only, the node its latitude, longitude and globe.
  They are joined by the literal, which both carry;
- nothing is sorted or paged: `ORDER BY` with an offset sorts everything again for each page.

QIDs come in through `values` alone, which lets nothing else through. Each query knows what it is asked for, so that
requests can be counted by purpose. How answers are read belongs to `wikidata`.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from mlm_assets.errors import Refused
from mlm_assets.identifiers import parse_qid
from mlm_assets.tables import EARTH, IMAGE_PROPERTIES, LABEL_LANGUAGES, LANGUAGES

PREFIXES: Final = """\
PREFIX wd: <http://www.wikidata.org/entity/>
PREFIX wdt: <http://www.wikidata.org/prop/direct/>
PREFIX p: <http://www.wikidata.org/prop/>
PREFIX ps: <http://www.wikidata.org/prop/statement/>
PREFIX psv: <http://www.wikidata.org/prop/statement/value/>
PREFIX wikibase: <http://wikiba.se/ontology#>
PREFIX schema: <http://schema.org/>
PREFIX rdfs: <http://www.w3.org/2000/01/rdf-schema#>
"""


class Query(str):
    """The text of a query, and what it is asked for."""

    purpose: str

    def __new__(cls, purpose: str, text: str) -> "Query":
        """Return the query `text`, to be counted as `purpose`."""
        query = super().__new__(cls, text)
        query.purpose = purpose
        return query


_ONE_HOP: Final = """\
SELECT ?child ?parent WHERE {{ VALUES ?parent {{ {qids} }} ?child wdt:P279 ?parent . }}
"""

_LABELS: Final = """\
SELECT ?item ?label WHERE {{
  VALUES ?item {{ {qids} }} ?item rdfs:label ?label . FILTER(LANG(?label) IN ({languages}))
}}
"""

_COUNTS: Final = """\
SELECT ?class (COUNT(DISTINCT ?item) AS ?n) WHERE {{
  VALUES ?class {{ {qids} }} ?item wdt:P31 ?class .
}} GROUP BY ?class
"""

_LISTING: Final = """\
SELECT ?item ?class ?revision WHERE {{
  VALUES ?class {{ {qids} }} ?item wdt:P31 ?class .{ending}
  OPTIONAL {{ ?item schema:version ?revision . }}
}}
"""

_ENDING: Final = ' FILTER(STRENDS(STR(?item), "{digits}"))'

_FACT_BRANCHES: Final = (
    """?item wdt:P31 ?value . BIND("P31" AS ?property)
    OPTIONAL {{ ?value rdfs:label ?label . FILTER(LANG(?label) = "en") }}""",
    """?item wdt:P625 ?value ; p:P625 ?statement . BIND("P625" AS ?property)
    ?statement ps:P625 ?value ; psv:P625 ?node .
    ?node wikibase:geoLatitude ?lat ; wikibase:geoLongitude ?lon ; wikibase:geoGlobe ?globe .""",
    *(f'?item wdt:{name} ?value . BIND("{name}" AS ?property)' for name in IMAGE_PROPERTIES),
    """?item wdt:P17 ?value . BIND("P17" AS ?property)
    OPTIONAL {{ ?value wdt:P297 ?code . }}""",
    '?item wdt:P1082 ?value . BIND("P1082" AS ?property)',
    '?item rdfs:label ?value . BIND("label" AS ?property) FILTER(LANG(?value) IN ({languages}))',
    """?value schema:about ?item ; schema:isPartOf ?site . BIND("sitelink" AS ?property)
    FILTER(?site IN ({sites}))""",
    '?item schema:version ?value . BIND("version" AS ?property)',
    '?item schema:dateModified ?value . BIND("modified" AS ?property)',
)

_NAMES: Final = """\
SELECT ?item ?what ?value WHERE {{
  {{ VALUES ?item {{ {qids} }} ?item rdfs:label ?value . BIND("label" AS ?what) FILTER(LANG(?value) = "en") }}
  UNION
  {{ VALUES ?item {{ {qids} }} ?item wdt:P297 ?value . BIND("code" AS ?what) }}
}}
"""

_FATES: Final = """\
PREFIX owl: <http://www.w3.org/2002/07/owl#>
SELECT ?item ?what ?value WHERE {{
  {{ VALUES ?item {{ {qids} }} ?item owl:sameAs ?value . BIND("sameAs" AS ?what) }}
  UNION
  {{ VALUES ?item {{ {qids} }} ?item wdt:P31 ?value . BIND("P31" AS ?what) }}
  UNION
  {{ VALUES ?item {{ {qids} }} ?item schema:version ?value . BIND("version" AS ?what) }}
}}
"""

_USABLE: Final = """\
SELECT ?what (COUNT(DISTINCT ?item) AS ?n) WHERE {{
  {{ VALUES ?class {{ {qids} }} ?item wdt:P31 ?class .{ending} BIND("instances" AS ?what) }}
  UNION
  {{ {{ SELECT DISTINCT ?item WHERE {{
      VALUES ?class {{ {qids} }} ?item wdt:P31 ?class .{ending} FILTER({has_image}) }} }}
    ?item p:P625 ?statement . ?statement psv:P625 ?node . ?node wikibase:geoGlobe wd:{earth} .
    ?article schema:about ?item ; schema:isPartOf ?site . FILTER(?site IN ({sites})) BIND("usable" AS ?what) }}
}} GROUP BY ?what
"""


def values(qids: Iterable[str]) -> str:
    """Return QIDs as the contents of a VALUES block.

    Raises:
        Refused: one of them is no QID.
    """
    return " ".join(f"wd:{parse_qid(qid)}" for qid in qids)


def one_hop(qids: Iterable[str]) -> Query:
    """Ask for the direct subclasses (P279) of classes: `child`, `parent`."""
    return Query("classes", PREFIXES + _ONE_HOP.format(qids=values(qids)))


def labels(qids: Iterable[str], languages: Iterable[str]) -> Query:
    """Ask for labels: `item`, `label` with its language."""
    return Query("labels", PREFIXES + _LABELS.format(qids=values(qids), languages=_texts(languages)))


def counts(class_qids: Iterable[str]) -> Query:
    """Ask how many items are instances of each class: `class`, `n`; a class without instances has no row."""
    return Query("counts", PREFIXES + _COUNTS.format(qids=values(class_qids)))


def listing(class_qids: Iterable[str], ending: str = "") -> Query:
    """Ask for the instances of classes: `item`, `class`, `revision`; only QIDs that end with the digits `ending`."""
    return Query("listing", PREFIXES + _LISTING.format(qids=values(class_qids), ending=_ending(ending)))


def facts(qids: Sequence[str]) -> Query:
    """Ask for all facts about items, one row a value: `item`, `property`, `value`, and what belongs to that value."""
    items = f"VALUES ?item {{ {values(qids)} }}"
    filled = [branch.format(languages=_texts(LABEL_LANGUAGES), sites=_sites()) for branch in _FACT_BRANCHES]
    branches = "\n  UNION\n".join(f"  {{ {items} {branch} }}" for branch in filled)
    variables = "?item ?property ?value ?label ?code ?lat ?lon ?globe ?statement"
    return Query("facts", f"{PREFIXES}SELECT {variables} WHERE {{\n{branches}\n}}\n")


def names(qids: Sequence[str]) -> Query:
    """Ask for what facts say of other items, the English labels and ISO codes of `qids`: `item`, `what`, `value`."""
    return Query("names", PREFIXES + _NAMES.format(qids=values(qids)))


def fates(qids: Sequence[str]) -> Query:
    """Ask what became of items: `item`, `what` (sameAs, P31, version), `value`."""
    return Query("departures", PREFIXES + _FATES.format(qids=values(qids)))


def usable(class_qids: Iterable[str], ending: str = "") -> Query:
    """Ask how many instances of the classes there are, and how many meet the constraints on facts: `what`, `n`."""
    has_image = " || ".join(f"EXISTS {{ ?item wdt:{name} ?file }}" for name in IMAGE_PROPERTIES)
    text = _USABLE.format(
        qids=values(class_qids), ending=_ending(ending), earth=EARTH, has_image=has_image, sites=_sites()
    )
    return Query("usable", PREFIXES + text)


def _texts(languages: Iterable[str]) -> str:
    chosen = list(languages)
    if unknown := [language for language in chosen if not language.isalpha()]:
        raise Refused(f"{unknown[0]!r} is not a language code.")
    return ", ".join(f'"{language}"' for language in chosen)


def _sites() -> str:
    return ", ".join(f"<https://{language}.wikipedia.org/>" for language in LANGUAGES)


def _ending(digits: str) -> str:
    if digits and not (digits.isascii() and digits.isdigit()):
        raise Refused(f"{digits!r} is not the ending of a QID.")
    return _ENDING.format(digits=digits) if digits else ""
