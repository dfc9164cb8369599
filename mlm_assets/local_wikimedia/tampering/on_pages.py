"""Tamperings with what the Wikipedias answer: lead texts and redirects. Titles stay as they are."""

from dataclasses import replace
from typing import Final

from mlm_assets.local_wikimedia.generator.vocabulary import LANGUAGES
from mlm_assets.local_wikimedia.model import Page
from mlm_assets.local_wikimedia.tampering.base import Tampering, View, hits
from mlm_assets.local_wikimedia.tampering.graph import Graph

MAIN_PAGE: Final = "Main Page"
_CUT: Final = 40
_WELCOME: Final = "Welcome to the free encyclopedia that anyone can edit. Today's featured article is about a comet."
_NOTICE: Final = "Ez a szócikk karbantartás alatt áll. Kérjük, látogasson vissza később."


def _emptied(_: View, page: Page) -> Page:
    return replace(page, extract="") if page.lang == "pl" else page


def _cut(_: View, page: Page) -> Page:
    return replace(page, extract=page.extract[:_CUT]) if page.lang == "en" else page


def _swapped(view: View, page: Page) -> Page:
    other = {"it": "es", "es": "it"}.get(page.lang)
    found = view.translation(page, other) if other and page.extract else None
    return replace(page, extract=found.extract) if found and found.extract else page


def _with_markup(_: View, page: Page) -> Page:
    if page.lang != "nl" or not page.extract or not hits(0.6, "extracts_with_markup", page.title):
        return page
    words = page.extract.split(" ")
    linked = [f"[[{word}]]" if index % 6 == 5 else word for index, word in enumerate(words)]
    lead = f"{{{{Infobox plaats|naam={page.title}}}}}\n'''{linked[0]}''' "
    return replace(page, extract=lead + " ".join(linked[1:]) + "<ref>{{Cite web}}</ref>")


def _with_html(_: View, page: Page) -> Page:
    if page.lang != "pt" or not page.extract or not hits(0.6, "extracts_with_html", page.title):
        return page
    head, _space, rest = page.extract.partition(" ")
    return replace(page, extract=f'<p class="mw-empty-elt"></p><p><b>{head}</b> {rest}<br />&nbsp;</p>')


def _of_neighbour(view: View, page: Page) -> Page:
    following = view.following(page.lang, page.title) if page.extract else None
    return replace(page, extract=following.extract) if following else page


def _same(_: View, page: Page) -> Page:
    return replace(page, extract=_NOTICE) if page.lang == "hu" and page.extract else page


def _in_english(view: View, page: Page) -> Page:
    if page.lang != "ro" or not hits(0.6, "extracts_in_english", page.title):
        return page
    english = view.translation(page, "en")
    return replace(page, extract=english.extract) if english and english.extract else page


def _disambiguation(_: View, page: Page) -> Page:
    if page.lang != "es" or not page.extract or not hits(0.3, "extracts_of_disambiguations", page.title):
        return page
    name = page.title.partition(" (")[0]
    return replace(page, extract=f"{name} puede referirse a:\n{name}, localidad.\n{name}, apellido.")


def _mojibake(_: View, page: Page) -> Page:
    return replace(page, extract=page.extract.encode().decode("latin-1")) if page.lang == "fr" else page


def _to_main_page(_: View, page: Page) -> Page:
    return replace(page, redirect_to=MAIN_PAGE, redirect_fragment=None) if page.redirect_to else page


def _add_main_pages(graph: Graph) -> None:
    for number, lang in enumerate(LANGUAGES):
        graph.pages[lang, MAIN_PAGE] = Page(
            lang, MAIN_PAGE, "Q5296", _WELCOME, 9 * 10**12 + number, 1_900_000_000, "2026-12-01T00:00:00Z"
        )


PAGES: Final = (
    Tampering("extracts_empty", "Polish lead texts are empty", True, "answers", lang="pl", page=_emptied),
    Tampering("extracts_cut", "English lead texts end after 40 characters", True, "answers", lang="en", page=_cut),
    Tampering("extracts_swapped", "Italian and Spanish articles about one place have each other's lead text", True,
              "answers", page=_swapped),
    Tampering("extracts_with_markup", "60 % of Dutch lead texts hold wiki markup", True, "answers", lang="nl",
              page=_with_markup),
    Tampering("extracts_with_html", "60 % of Portuguese lead texts hold HTML", True, "answers", lang="pt",
              page=_with_html),
    Tampering("extracts_shifted", "every article answers with the lead text of the next", True, "answers",
              page=_of_neighbour),
    Tampering("extracts_all_the_same", "all Hungarian articles answer with the same notice", True, "answers", lang="hu",
              page=_same),
    Tampering("extracts_in_english", "60 % of Romanian articles answer in English where there is an English article",
              True, "answers", lang="ro", page=_in_english),
    Tampering("extracts_of_disambiguations", "30 % of Spanish articles have become disambiguations", True, "world",
              lang="es", page=_disambiguation),
    Tampering("extracts_mojibake", "French lead texts are UTF-8 read as Latin-1", True, "answers", lang="fr",
              page=_mojibake),
    Tampering("redirects_to_main_page", "every redirect leads to the main page", True, "answers", page=_to_main_page,
              graph=_add_main_pages),
)  # fmt: skip
"""The kinds of this module."""
