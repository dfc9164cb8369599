"""Tamperings with single values of items: populations, labels, revisions, times, images."""

import re
from typing import Final

from mlm_assets.local_wikimedia.tampering.base import Tampering, hits
from mlm_assets.local_wikimedia.tampering.graph import LABEL, MODIFIED, VERSION, Graph, Term, number_in, wdt

_DECIMAL: Final = "http://www.w3.org/2001/XMLSchema#decimal"
_YEAR: Final = re.compile(r'^"(\d{4})-')
_FRANCE: Final = "Q142"
_POPULATION, _IMAGE = wdt("P1082"), wdt("P18")
_ITEM: Final = len("<http://www.wikidata.org/entity/")


def _divide_populations(graph: Graph) -> None:
    def thousandth(_: Term, value: Term) -> Term:
        return f'"{max(1, round(number_in(value) / 1_000))}"^^<{_DECIMAL}>'

    graph.replace(graph.items(), _POPULATION, thousandth)


def _lose_populations(graph: Graph) -> None:
    graph.drop([item for item in graph.items() if hits(0.6, "populations_lost", item)], _POPULATION)


def _name_by_qid(graph: Graph) -> None:
    def label(item: Term, value: Term) -> Term:
        return f'"{item[_ITEM:-1]}"@en' if value.endswith('"@en') else value

    graph.replace(graph.items(), LABEL, label)


def _mangle_labels(graph: Graph) -> None:
    def mangled(_: Term, value: Term) -> Term:
        text, quote, tag = value.rpartition('"')
        read = "".join(sign for sign in text.encode().decode("latin-1") if sign.isprintable())
        return f"{read}{quote}{tag}"

    graph.replace(graph.items(), LABEL, mangled)


def _lose_revisions(graph: Graph) -> None:
    graph.drop(graph.items(), VERSION)


def _edit_in_future(graph: Graph) -> None:
    def later(_: Term, value: Term) -> Term:
        return _YEAR.sub(lambda found: f'"{int(found[1]) + 10}-', value)

    graph.replace([item for item in graph.items() if hits(0.4, "modified_in_future", item)], MODIFIED, later)


def _drop_images(graph: Graph) -> None:
    graph.drop([item for item in graph.items() if hits(0.35, "images_dropped", item)], _IMAGE)


def _one_image(graph: Graph) -> None:
    items = [item for item in graph.items(country_qid=_FRANCE) if graph.values(item, _IMAGE)]
    chosen = [item for item in items if hits(0.5, "one_image_for_country", item)]
    graph.replace(chosen, _IMAGE, lambda _item, _value: graph.values(items[0], _IMAGE)[0])


VALUES: Final = (
    Tampering("populations_in_thousands", "populations are a thousand times too small", True, "world",
              graph=_divide_populations),
    Tampering("populations_lost", "60 % of populations are gone", False, "world", graph=_lose_populations),
    Tampering("english_labels_lost", "the English label of every item is its QID", True, "world", lang="en",
              graph=_name_by_qid),
    Tampering("labels_mojibake", "labels are UTF-8 read as Latin-1", True, "world", graph=_mangle_labels),
    Tampering("revisions_missing", "no item has a revision", False, "world", graph=_lose_revisions),
    Tampering("modified_in_future", "40 % of items were modified ten years later than they were", False, "world",
              graph=_edit_in_future),
    Tampering("images_dropped", "35 % of items have lost their P18", True, "world", graph=_drop_images),
    Tampering("one_image_for_country", "half of the items of France have the same picture under P18", True, "world",
              country_qid=_FRANCE, graph=_one_image),
)  # fmt: skip
"""The kinds of this module."""
