"""A world seen through tamperings: everything that a service asks of it passes them on its way out."""

import hashlib
import mimetypes
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any, Final

from mlm_assets.errors import Refused
from mlm_assets.local_wikimedia.model import AnswerEditor, Ask, MediaFile, Page, World
from mlm_assets.local_wikimedia.tampering.base import Picture, Tampering
from mlm_assets.local_wikimedia.tampering.edits import edited_items, moment_of, revision_after, said_by, stamp
from mlm_assets.local_wikimedia.tampering.graph import Graph, Term

UNDONE: Final = "undone:"
"""Before the name of a kind: what it edits was edited back."""


class TamperedWorld(World):
    """`base` with `kinds`, applied in their order. The graph is tampered with when the world is made.

    What the kinds of `undone` would edit is as it was, under new revisions: somebody has set it right.
    """

    def __init__(self, base: World, kinds: Sequence[Tampering], undone: Sequence[Tampering] = ()) -> None:
        self._kinds, self._undone = kinds, undone
        self.month = base.month
        months = [kind.months_late for kind in kinds if kind.months_late]
        self._said = base.describe()
        self.base = _earlier(base, max(months)) if months else base
        self._added: dict[tuple[str, str], Page] = {}
        self._pictures: dict[str, Picture | None] = {}
        self._chunks = self._tampered_chunks()

    def _tampered_chunks(self) -> list[bytes] | None:
        """Return the graph after tampering, None where it is that of the base; keep the pages that were added.

        Raises:
            Refused: a kind finds nothing to tamper with.
        """
        months = [kind.months_late_graph for kind in self._kinds if kind.months_late_graph]
        source = _earlier(self.base, max(months)) if months else self.base
        if not any(kind.graph for kind in (*self._kinds, *self._undone)):
            return list(source.triples()) if months else None
        graph = Graph(source.triples())
        undone = {item for kind in self._undone for item in _edit(Graph(source.triples()), kind)}
        edited = {item for kind in self._kinds for item in _edit(graph, kind)}
        for items, is_undone in ((undone - edited, True), (edited, False)):
            stamp(graph, [item for item in items if item in graph.of], self.month, is_undone=is_undone)
        self._added = graph.pages
        return list(graph.chunks())

    def describe(self) -> dict[str, Any]:
        """Return what the base says of itself, but for its candidates, which may be others now; and the kinds."""
        said = {key: value for key, value in self._said.items() if key != "candidates"}
        undone = [f"{UNDONE}{kind.name}" for kind in self._undone]
        return {**said, "tampering": [*(kind.name for kind in self._kinds), *undone]}

    def at(self, month: int, rate: float | None = None) -> World:
        """Return the base in another month, untampered."""
        return self.base.at(month, rate)

    def triples(self) -> Iterator[bytes]:
        """Yield the graph."""
        return self.base.triples() if self._chunks is None else iter(self._chunks)

    def page_titles(self) -> Iterator[tuple[str, str]]:
        """Yield the keys of all pages, those that tampering hides included."""
        yield from self._added
        yield from self.base.page_titles()

    def page(self, lang: str, title: str) -> Page | None:
        """Return a page after tampering."""
        page = self._added.get((lang, title))
        if page is not None:
            return page
        page = self.base.page(lang, title)
        for kind in self._kinds:
            page = self._edited(kind, page)
        if page is not None and any(self._edited(kind, page) != page for kind in self._undone):
            page = self._stamped(page, is_undone=True)
        return page

    def _edited(self, kind: Tampering, page: Page | None) -> Page | None:
        """Return a page as a kind leaves it; a wiki that holds another text has another revision of it."""
        if page is None or kind.page is None:
            return page
        found = kind.page(self, page)
        return self._stamped(found) if kind.is_edit and found is not None and found != page else found

    def _stamped(self, page: Page, *, is_undone: bool = False) -> Page:
        revision = revision_after(page.lastrevid, self.month, is_undone=is_undone)
        return replace(page, lastrevid=revision, touched=max(page.touched, moment_of(self.month)))

    def file_names(self) -> Iterator[str]:
        """Yield the names of all files, those that tampering hides included."""
        return self.base.file_names()

    def file(self, name: str) -> MediaFile | None:
        """Return a file after tampering; hash and size are those of the picture that is served."""
        file = self.base.file(name)
        if file is None or file.redirect_to:
            return file
        picture = self._picture(name)
        if picture is not None:
            file = replace(
                file,
                width_px=picture.width_px,
                height_px=picture.height_px,
                size_bytes=len(picture.body),
                sha1=hashlib.sha1(picture.body, usedforsecurity=False).hexdigest(),
            )
        for kind in self._kinds:
            if file is not None and kind.file is not None:
                file = kind.file(self, file)
        return file

    def body(self, name: str) -> bytes | None:
        """Return the bytes of a file after tampering."""
        picture = self._picture(name)
        return self.base.body(name) if picture is None else picture.body

    def _picture(self, name: str) -> Picture | None:
        """Return what stands in the place of a file; the last kind that has something wins."""
        if name not in self._pictures:
            found = None
            for kind in self._kinds:
                if kind.picture is not None:
                    found = kind.picture(self, name, _type_of(name)) or found
            self._pictures[name] = found
        return self._pictures[name]

    def answer_editor(self) -> AnswerEditor | None:
        """Return what changes results of the query service, if a kind does."""
        editors = [kind.answer for kind in self._kinds if kind.answer is not None]

        def edit(document: dict[str, Any], ask: Ask) -> None:
            for editor in editors:
                editor(document, ask)

        return edit if editors else None

    @cached_property
    def _articles(self) -> dict[str, list[str]]:
        """The titles of articles with a text by language, in their order."""
        found: dict[str, list[str]] = {}
        for lang, title in self.base.page_titles():
            page = self.base.page(lang, title)
            if page is not None and page.extract:
                found.setdefault(lang, []).append(title)
        return {lang: sorted(titles) for lang, titles in found.items()}

    @cached_property
    def _places(self) -> dict[tuple[str, str], int]:
        return {(lang, title): place for lang, titles in self._articles.items() for place, title in enumerate(titles)}

    @cached_property
    def _by_item(self) -> dict[tuple[str, str], Page]:
        pages = (self.base.page(lang, title) for lang, titles in self._articles.items() for title in titles)
        return {(page.qid, page.lang): page for page in pages if page is not None and page.qid}

    @cached_property
    def _next_files(self) -> dict[str, str]:
        by_type: dict[str, list[str]] = {}
        for name in sorted(self.base.file_names()):
            by_type.setdefault(_type_of(name), []).append(name)
        following: dict[str, str] = {}
        for names in by_type.values():
            following |= dict(zip(names, [*names[1:], *names[:1]], strict=True))
        return following

    def following(self, lang: str, title: str) -> Page | None:
        """Return the next article in the order of titles, the first after the last."""
        place = self._places.get((lang, title))
        titles = self._articles.get(lang, [])
        return None if place is None else self.base.page(lang, titles[(place + 1) % len(titles)])

    def translation(self, page: Page, lang: str) -> Page | None:
        """Return the article in another language about the same item."""
        return self._by_item.get((page.qid, lang)) if page.qid else None

    def next_file(self, name: str) -> str | None:
        """Return the next file of the same type in the order of names."""
        return self._next_files.get(name)


def _edit(graph: Graph, kind: Tampering) -> set[Term]:
    """Let a kind change a graph; return the items that it edits.

    Raises:
        Refused: it finds nothing to tamper with.
    """
    if kind.graph is None:
        return set()
    n_before, said = (graph.n_changes, len(graph.pages)), said_by(graph)
    kind.graph(graph)
    if (graph.n_changes, len(graph.pages)) == n_before:
        raise Refused(f"The tampering {kind.name} finds nothing to spoil in this world: {kind.description}.")
    return edited_items(said, said_by(graph)) if kind.is_edit else set()


def _type_of(name: str) -> str:
    return mimetypes.guess_type(name)[0] or ""


def _earlier(world: World, months: int) -> World:
    return world.at(max(0, world.month - months))
