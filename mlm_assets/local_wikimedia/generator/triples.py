"""The generated world as Wikidata's query service holds it: N-Triples of classes, countries and items.

Shape: `wdt:` for the best rank; for coordinates also the full statement (`p:`, `ps:`, `psv:`, rank, value node with
latitude, longitude and globe); sitelinks as articles `schema:about` the item; labels, `schema:version`,
`schema:dateModified`. See the RDF dump format of Wikibase.
"""

import hashlib
from collections.abc import Iterator
from typing import Final
from urllib.parse import quote

from mlm_assets.local_wikimedia.generator.countries import Country, countries
from mlm_assets.local_wikimedia.generator.settlements import Position, Settlement
from mlm_assets.local_wikimedia.generator.taxonomy import OUTSIDE, ClassPlan, Taxonomy
from mlm_assets.local_wikimedia.titles import article_path

_WD: Final = "http://www.wikidata.org/entity/"
_WDT: Final = "http://www.wikidata.org/prop/direct/"
_XSD: Final = "http://www.w3.org/2001/XMLSchema#"
_LABEL: Final = "<http://www.w3.org/2000/01/rdf-schema#label>"
_TYPE: Final = "<http://www.w3.org/1999/02/22-rdf-syntax-ns#type>"
_WIKIBASE: Final = "http://wikiba.se/ontology#"
_WKT: Final = "http://www.opengis.net/ont/geosparql#wktLiteral"
_FILE_PATH: Final = "http://commons.wikimedia.org/wiki/Special:FilePath/"


def _text(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def _typed(value: object, datatype: str) -> str:
    return f'"{value}"^^<{_XSD}{datatype}>'


def _labels(subject: str, labels: dict[str, str]) -> Iterator[str]:
    for lang, label in labels.items():
        yield f"{subject} {_LABEL} {_text(label)}@{lang} ."


def _direct(subject: str, prop: str, *qids: str) -> Iterator[str]:
    for qid in qids:
        yield f"{subject} <{_WDT}{prop}> <{_WD}{qid}> ."


def class_triples(plan: ClassPlan) -> Iterator[str]:
    """Yield the lines of one class."""
    subject = f"<{_WD}{plan.qid}>"
    yield from _direct(subject, "P279", *plan.parents)
    yield from _labels(subject, plan.labels)


def country_triples(country: Country) -> Iterator[str]:
    """Yield the lines of one country: labels and its ISO code (P297)."""
    subject = f"<{_WD}{country.qid}>"
    yield from _labels(subject, country.names)
    yield f"{subject} <{_WDT}P297> {_text(country.iso)} ."


def _point(position: Position) -> str:
    globe = "" if position.globe == "Q2" else f"<{_WD}{position.globe}> "
    return f'"{globe}Point({position.lon_deg} {position.lat_deg})"^^<{_WKT}>'


def _position_triples(qid: str, number: int, position: Position, is_best: bool) -> Iterator[str]:
    subject = f"<{_WD}{qid}>"
    digest = hashlib.md5(f"{qid}/{number}".encode(), usedforsecurity=False).hexdigest()
    statement = f"<{_WD}statement/{qid}-{digest[:8]}-{digest[8:12]}-{digest[12:16]}>"
    known = position.lat_deg is not None
    value = _point(position) if known else f"<http://www.wikidata.org/.well-known/genid/{digest}>"
    yield f"{subject} <http://www.wikidata.org/prop/P625> {statement} ."
    yield f"{statement} <http://www.wikidata.org/prop/statement/P625> {value} ."
    yield f"{statement} <{_WIKIBASE}rank> <{_WIKIBASE}{position.rank.capitalize()}Rank> ."
    if is_best:
        yield f"{statement} {_TYPE} <{_WIKIBASE}BestRank> ."
        yield f"{subject} <{_WDT}P625> {value} ."
    if known:
        # Equal values share one node, as in the real service.
        shared = hashlib.md5(value.encode(), usedforsecurity=False).hexdigest()
        node = f"<http://www.wikidata.org/value/{shared}>"
        yield f"{statement} <http://www.wikidata.org/prop/statement/value/P625> {node} ."
        yield f"{node} <{_WIKIBASE}geoLatitude> {_typed(position.lat_deg, 'double')} ."
        yield f"{node} <{_WIKIBASE}geoLongitude> {_typed(position.lon_deg, 'double')} ."
        yield f"{node} <{_WIKIBASE}geoGlobe> <{_WD}{position.globe}> ."


def _coordinates(plan: Settlement) -> Iterator[str]:
    ranks = {position.rank for position in plan.positions}
    best = "preferred" if "preferred" in ranks else "normal"
    for number, position in enumerate(plan.positions):
        yield from _position_triples(plan.qid, number, position, position.rank == best)


def _sitelinks(plan: Settlement) -> Iterator[str]:
    item = f"<{_WD}{plan.qid}>"
    pages = [(f"{article.lang}.wikipedia.org", article.title) for article in plan.articles]
    for host, title in [*pages, *plan.elsewhere]:
        page = f"<https://{host}/wiki/{article_path(title)}>"
        yield f"{page} <http://schema.org/about> {item} ."
        yield f"{page} <http://schema.org/isPartOf> <https://{host}/> ."


def settlement_triples(plan: Settlement) -> Iterator[str]:
    """Yield the lines of one item."""
    subject = f"<{_WD}{plan.qid}>"
    yield f"{subject} <http://schema.org/version> {_typed(plan.revision, 'integer')} ."
    yield f"{subject} <http://schema.org/dateModified> {_typed(plan.modified_at, 'dateTime')} ."
    yield from _labels(subject, plan.names)
    yield from _direct(subject, "P31", *plan.classes)
    yield from _direct(subject, "P17", *plan.country_qids)
    if plan.population is not None:
        yield f"{subject} <{_WDT}P1082> {_typed(plan.population, 'decimal')} ."
    yield from _coordinates(plan)
    for image in plan.images:
        yield f"{subject} <{_WDT}{image.prop}> <{_FILE_PATH}{quote(image.stated_name, safe='')}> ."
    yield from _sitelinks(plan)


def redirect_triples(merged: dict[str, str]) -> Iterator[str]:
    """Yield one line for every item that was merged: it is the same as its survivor, and nothing else is said of it."""
    for loser, survivor in merged.items():
        yield f"<{_WD}{loser}> <http://www.w3.org/2002/07/owl#sameAs> <{_WD}{survivor}> ."


def world_triples(taxonomy: Taxonomy, settlements: list[Settlement]) -> Iterator[str]:
    """Yield every line of the world, without line ends, in a fixed order."""
    for plan in taxonomy.classes:
        yield from class_triples(plan)
    for qid, label in OUTSIDE.items():
        yield from _labels(f"<{_WD}{qid}>", {"en": label})
    for country in countries():
        yield from country_triples(country)
    for settlement in settlements:
        yield from settlement_triples(settlement)
