"""Tamperings with whole items: classes, countries, sitelinks, items that vanish or multiply, worlds of last year."""

from typing import Final

from mlm_assets.local_wikimedia.generator.taxonomy import ROOT_QID
from mlm_assets.local_wikimedia.model import Page
from mlm_assets.local_wikimedia.tampering.base import Tampering, View, hits
from mlm_assets.local_wikimedia.tampering.graph import (
    ABOUT,
    LABEL,
    Graph,
    Pair,
    Term,
    article_in,
    article_iri,
    wd,
    wdt,
)

_VILLAGE, _TOWN, _HAMLET = "Q532", "Q3957", "Q5084"
_ITALY, _SPAIN, _PORTUGAL, _POLAND = "Q38", "Q29", "Q45", "Q36"
_YEAR: Final = 12
_FIRST_COPY: Final = 1_900_000_000
_FIRST_IMPORT: Final = 1_950_000_000
_PARENT, _INSTANCE, _COUNTRY = wdt("P279"), wdt("P31"), wdt("P17")


def _lose_edge(graph: Graph) -> None:
    graph.drop([wd(_VILLAGE)] if wd(_VILLAGE) in graph.of else [], _PARENT)


def _lose_several(graph: Graph) -> None:
    below = [subject for subject, pairs in graph.of.items() if (_PARENT, wd(ROOT_QID)) in pairs]
    lost = [subject for subject in below if hits(0.35, "base_class_children_lost", subject)]
    graph.rewrite(lost, lambda _, name, value: None if (name, value) == (_PARENT, wd(ROOT_QID)) else (name, value))


def _generalise(graph: Graph) -> None:
    chosen = [item for item in graph.items() if hits(0.3, "classes_generalised", item)]
    graph.drop(chosen, _INSTANCE)
    for item in chosen:
        graph.of.setdefault(item, []).append((_INSTANCE, wd(ROOT_QID)))


def _lose_class_labels(graph: Graph) -> None:
    classes = [subject for subject, pairs in graph.of.items() if any(name == _PARENT for name, _ in pairs)]
    graph.drop(classes, LABEL)


def _swap_class_labels(graph: Graph) -> None:
    pair = [wd(_VILLAGE), wd(_TOWN)]
    labels = [[value for name, value in graph.of.get(subject, ()) if name == LABEL] for subject in pair]
    if not all(labels):
        return
    for subject, other in zip(pair, reversed(labels), strict=True):
        graph.drop([subject], LABEL)
        graph.of.setdefault(subject, []).extend((LABEL, label) for label in other)


def _remove_country(graph: Graph) -> None:
    for item in graph.items(country_qid=_ITALY):
        graph.remove(item)


def _retag_country(graph: Graph) -> None:
    def neighbour(_: Term, value: Term) -> Term:
        return wd(_PORTUGAL) if value == wd(_SPAIN) else value

    graph.replace(graph.items(country_qid=_SPAIN), _COUNTRY, neighbour)


def _lose_countries(graph: Graph) -> None:
    graph.drop(graph.items(), _COUNTRY)


def _delete_items(graph: Graph) -> None:
    for item in graph.items():
        if hits(0.2, "items_deleted", item):
            graph.remove(item)


def _double_items(graph: Graph) -> None:
    doubled = [item for item in graph.items() if hits(0.25, "items_doubled", item)]
    for number, item in enumerate(doubled):
        articles = graph.articles(item)
        copied = graph.copy(item, f"Q{_FIRST_COPY + number}")
        for article in articles:
            graph.link(article, copied)


def _import_hamlets(graph: Graph) -> None:
    """Copy 40 % of a country's items as hamlets with names and articles of their own, a few kilometres away."""
    models = [item for item in graph.items(country_qid=_POLAND) if hits(0.4, "hamlets_imported", item)]
    for number, model in enumerate(models):
        copied = graph.copy(model, f"Q{_FIRST_IMPORT + number}")
        graph.rewrite([copied], _as_hamlet)
        graph.of.setdefault(copied, []).append((_INSTANCE, wd(_HAMLET)))
        graph.move([copied], lambda _, lat, lon: (round(lat * 0.999, 6), round(lon + 0.03, 6)))
        title = f"Hamlet {number + 1} (Poland)"
        graph.link(article_iri("en", title), copied)
        text = f"Hamlet {number + 1} is a hamlet in Poland. It lies in the fields and has a chapel and a bus stop."
        graph.pages["en", title] = Page(
            "en", title, f"Q{_FIRST_IMPORT + number}", text, 10**13 + number, 1_900_000_000 + number,
            "2026-12-01T00:00:00Z",
        )  # fmt: skip


def _as_hamlet(_: Term, name: Term, value: Term) -> Pair | None:
    if name == _INSTANCE:
        return None
    return (name, value.replace('"@', ' Mały"@')) if name == LABEL else (name, value)


def _unlink(graph: Graph, lang: str, share: float, name: str) -> None:
    for subject in list(graph.of):
        article = article_in(subject)
        if article is not None and article[0] == lang and hits(share, name, *article):
            graph.rewrite([subject], lambda _subject, _name, _value: None)


def _lose_some_french(graph: Graph) -> None:
    _unlink(graph, "fr", 0.4, "articles_vanish_some")


def _lose_german(graph: Graph) -> None:
    _unlink(graph, "de", 1.0, "articles_vanish_all")


def _is_some_french(_: View, page: Page) -> Page | None:
    return None if page.lang == "fr" and hits(0.4, "articles_vanish_some", "fr", page.title) else page


def _is_german(_: View, page: Page) -> Page | None:
    return None if page.lang == "de" else page


def _shift_sitelinks(graph: Graph) -> None:
    """Let each English article be about the item of the next one."""
    articles = [subject for subject in graph.of if (found := article_in(subject)) and found[0] == "en"]
    items = [graph.values(article, ABOUT)[:1] for article in articles]
    following = dict(zip(articles, [*items[1:], *items[:1]], strict=True))
    graph.replace(articles, ABOUT, lambda article, value: (following[article] or [value])[0])


def _mangle(term: Term) -> Term:
    """Return an article with its title as it looks when UTF-8 is read as Latin-1."""
    found = article_in(term)
    if found is None or found[1].isascii():
        return term
    # What Latin-1 calls control characters cannot stand in a title; those readings drop them.
    title = "".join(sign for sign in found[1].encode().decode("latin-1") if sign.isprintable())
    return article_iri(found[0], title)


def _mangle_titles(graph: Graph) -> None:
    graph.n_changes += sum(_mangle(subject) != subject for subject in graph.of)
    graph.of = {_mangle(subject): pairs for subject, pairs in graph.of.items()}


ITEMS: Final = (
    Tampering("class_edge_lost", "village (Q532) is no subclass of anything; what hangs on it alone is out of reach",
              True, "world", class_qid=_VILLAGE, graph=_lose_edge),
    Tampering("base_class_children_lost", "35 % of the direct subclasses of human settlement are cut off",
              True, "world", class_qid=ROOT_QID, graph=_lose_several),
    Tampering("classes_generalised", "30 % of items are instances of human settlement and nothing else",
              True, "world", class_qid=ROOT_QID, graph=_generalise),
    Tampering("class_labels_lost", "no class has a label", True, "world", graph=_lose_class_labels),
    Tampering("class_labels_swapped", "village and town have each other's labels",
              True, "world", class_qid=_VILLAGE, graph=_swap_class_labels),
    Tampering("country_vanishes", "all items of Italy are gone", True, "world", country_qid=_ITALY,
              graph=_remove_country),
    Tampering("country_retagged", "the items of Spain lie in Portugal by P17", True, "world", country_qid=_SPAIN,
              graph=_retag_country),
    Tampering("countries_lost", "no item has a country", True, "world", graph=_lose_countries),
    Tampering("articles_vanish_some", "40 % of French articles are gone, with their sitelinks", True, "world",
              lang="fr", graph=_lose_some_french, page=_is_some_french),
    Tampering("articles_vanish_all", "all German articles are gone, with their sitelinks", True, "world", lang="de",
              graph=_lose_german, page=_is_german),
    Tampering("sitelinks_shifted", "each English article is linked to the item of the next", True, "world", lang="en",
              graph=_shift_sitelinks),
    Tampering("titles_mojibake", "titles in sitelinks are UTF-8 read as Latin-1", True, "world", graph=_mangle_titles),
    Tampering("items_deleted", "20 % of items are deleted", True, "world", graph=_delete_items),
    Tampering("items_doubled", "25 % of items exist twice, with the same place and articles", True, "world",
              graph=_double_items),
    Tampering("hamlets_imported", "a bot imports hamlets into Poland: 40 % more items there, with article and picture",
              False, "world", country_qid=_POLAND, class_qid=_HAMLET, graph=_import_hamlets),
    Tampering("stale_world", "everything is as it was twelve months ago (month 0, if younger)", True, "world",
              months_late=_YEAR),
    Tampering("stale_graph", "the query service is twelve months behind (month 0, if younger), the wikis are not",
              True, "world", months_late_graph=_YEAR),
)  # fmt: skip
"""The kinds of this module."""
