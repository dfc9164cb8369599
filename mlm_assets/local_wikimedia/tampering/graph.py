"""The triples of a world as something to tamper with: read, changed by subject, and written again.

Terms are kept as N-Triples writes them, so that what is left alone stays as it was. A change that changes nothing is
not counted: a tampering that finds nothing must be noticed.
"""

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Final
from urllib.parse import unquote

from mlm_assets.local_wikimedia.model import Page
from mlm_assets.local_wikimedia.titles import article_path

Term = str
Pair = tuple[Term, Term]

_WD: Final = "http://www.wikidata.org/entity/"
_LINE: Final = re.compile(r"^(\S+)\s+(\S+)\s+(.*\S)\s*\.\s*$")
_POINT: Final = re.compile(r"Point\(([-0-9.eE+]+) ([-0-9.eE+]+)\)")
_ARTICLE: Final = re.compile(r"^<https://([a-z]+)\.wikipedia\.org/wiki/(.+)>$")
_STATEMENT_OF: Final = re.compile(r"^<http://www\.wikidata\.org/entity/statement/(Q\d+)-")
_LINES_PER_CHUNK: Final = 20_000
_VALUE: Final = "<http://www.wikidata.org/prop/statement/value/P625>"
_SHOWN: Final = "<http://www.wikidata.org/prop/statement/P625>"
_STATEMENT: Final = "<http://www.wikidata.org/prop/P625>"
_LATITUDE, _LONGITUDE, _GLOBE = (
    f"<http://wikiba.se/ontology#geo{name}>" for name in ("Latitude", "Longitude", "Globe")
)
ABOUT: Final = "<http://schema.org/about>"
IN_WIKI: Final = "<http://schema.org/isPartOf>"
LABEL: Final = "<http://www.w3.org/2000/01/rdf-schema#label>"
VERSION: Final = "<http://schema.org/version>"
MODIFIED: Final = "<http://schema.org/dateModified>"


def wd(qid: str) -> Term:
    """Return the term of an item."""
    return f"<{_WD}{qid}>"


def wdt(prop: str) -> Term:
    """Return the term of a direct property."""
    return f"<http://www.wikidata.org/prop/direct/{prop}>"


def double(value: float) -> Term:
    """Return a number as the value nodes have it."""
    return f'"{value}"^^<http://www.w3.org/2001/XMLSchema#double>'


def number_in(term: Term) -> float:
    """Return the number in a literal."""
    return float(term.split('"')[1])


def article_iri(lang: str, title: str) -> Term:
    """Return the term of an article."""
    return f"<https://{lang}.wikipedia.org/wiki/{article_path(title)}>"


def article_in(term: Term) -> tuple[str, str] | None:
    """Return language and title of the article that a term names, if it does."""
    found = _ARTICLE.match(term)
    return (found[1], unquote(found[2]).replace("_", " ")) if found else None


def item_of_statement(term: Term) -> Term | None:
    """Return the item whose statement a term names, if it names one."""
    found = _STATEMENT_OF.match(term)
    return wd(found[1]) if found else None


class Graph:
    """Triples by subject. `pages` are articles that a tampering adds; `n_changes` counts what it changed."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self.of: dict[Term, list[Pair]] = {}
        self.pages: dict[tuple[str, str], Page] = {}
        self.n_changes = 0
        for chunk in chunks:
            for line in chunk.decode().splitlines():
                if found := _LINE.match(line):
                    self.of.setdefault(found[1], []).append((found[2], found[3]))
        self._links: dict[Term, list[Term]] | None = None

    def chunks(self) -> Iterator[bytes]:
        """Yield the triples as N-Triples, in chunks of whole lines."""
        lines: list[str] = []
        for subject, pairs in self.of.items():
            lines += [f"{subject} {predicate} {value} ." for predicate, value in pairs]
            if len(lines) >= _LINES_PER_CHUNK:
                yield ("\n".join(lines) + "\n").encode()
                lines.clear()
        if lines:
            yield ("\n".join(lines) + "\n").encode()

    def values(self, subject: Term, predicate: Term) -> list[Term]:
        """Return the values of a property of a subject."""
        return [value for name, value in self.of.get(subject, ()) if name == predicate]

    def items(self, country_qid: str = "", class_qid: str = "") -> list[Term]:
        """Return the items that are instances of anything, in a country or of a class where one is named."""
        instance_of, country = wdt("P31"), wdt("P17")
        return [
            subject
            for subject, pairs in self.of.items()
            if any(name == instance_of and (not class_qid or value == wd(class_qid)) for name, value in pairs)
            and (not country_qid or (country, wd(country_qid)) in pairs)
        ]

    def articles(self, item: Term, lang: str = "") -> list[Term]:
        """Return the articles about an item, in one language or in any."""
        if self._links is None:
            self._links = {}
            for subject, pairs in self.of.items():
                for name, value in pairs:
                    if name == ABOUT:
                        self._links.setdefault(value, []).append(subject)
        found = [article for article in self._links.get(item, ()) if article in self.of]
        return [article for article in found if not lang or article.startswith(f"<https://{lang}.wikipedia.org/")]

    def rewrite(self, subjects: Iterable[Term], change: Callable[[Term, Term, Term], Pair | None]) -> None:
        """Give every triple of `subjects` to `change`, which returns property and value, or None to drop it."""
        for subject in list(subjects):
            before = self.of[subject]
            after = [pair for name, value in before if (pair := change(subject, name, value)) is not None]
            self.n_changes += before != after
            if after:
                self.of[subject] = after
            else:
                del self.of[subject]
        self._links = None

    def drop(self, subjects: Iterable[Term], predicate: Term) -> None:
        """Drop a property of `subjects`."""
        self.rewrite(subjects, lambda _, name, value: None if name == predicate else (name, value))

    def replace(self, subjects: Iterable[Term], predicate: Term, change: Callable[[Term, Term], Term]) -> None:
        """Give a property of `subjects` other values; `change` takes subject and value."""
        self.rewrite(
            subjects, lambda subject, name, value: (name, change(subject, value) if name == predicate else value)
        )

    def remove(self, item: Term) -> None:
        """Take an item away, with its statements and the links to it."""
        for part in (*self.values(item, _STATEMENT), *self.articles(item), item):
            self.of.pop(part, None)
        self.n_changes += 1

    def move(self, items: Iterable[Term], change: Callable[[Term, float, float], tuple[float, float]]) -> None:
        """Give the known positions of `items` other latitudes and longitudes, wherever they are written."""
        for item in list(items):
            self._reposition(item, lambda lat, lon, item=item: change(item, lat, lon), "")  # type: ignore[misc]

    def set_globe(self, items: Iterable[Term], globe_qid: str) -> None:
        """Move the positions of `items` to another globe."""
        for item in list(items):
            self._reposition(item, lambda lat, lon: (lat, lon), globe_qid)

    def _reposition(self, item: Term, change: Callable[[float, float], tuple[float, float]], globe_qid: str) -> None:
        def literal(value: Term) -> Term:
            found = _POINT.search(value)
            if found is None:
                return value
            lat, lon = change(float(found[2]), float(found[1]))
            prefix = f"<{_WD}{globe_qid}> " if globe_qid and "> Point" not in value else ""
            return f"{value[: found.start()]}{prefix}Point({lon} {lat}){value[found.end() :]}"

        for statement in self.values(item, _STATEMENT):
            if statement in self.of:
                self.replace([statement], _SHOWN, lambda _, value: literal(value))
                self.replace([statement], _VALUE, lambda _, node: self._moved_node(node, change, globe_qid))
        self.replace([item], wdt("P625"), lambda _, value: literal(value))

    def _moved_node(self, node: Term, change: Callable[[float, float], tuple[float, float]], globe_qid: str) -> Term:
        """Return a new value node; the old one may belong to other items, too."""
        said = dict(self.of.get(node, ()))
        if _LATITUDE not in said or _LONGITUDE not in said:
            return node
        lat, lon = change(number_in(said[_LATITUDE]), number_in(said[_LONGITUDE]))
        said |= {_LATITUDE: double(lat), _LONGITUDE: double(lon)}
        if globe_qid:
            said[_GLOBE] = wd(globe_qid)
        if said == dict(self.of[node]):
            return node
        digest = hashlib.md5(repr(sorted(said.items())).encode(), usedforsecurity=False).hexdigest()
        moved = f"<http://www.wikidata.org/value/{digest}>"
        self.of[moved] = list(said.items())
        return moved

    def copy(self, item: Term, qid: str) -> Term:
        """Add a copy of an item under another QID, with statements of its own and without sitelinks; return it."""
        copied, old = wd(qid), item.removeprefix(f"<{_WD}").removesuffix(">")
        pairs = []
        for name, value in self.of[item]:
            kept = value
            if name == _STATEMENT and value in self.of:
                kept = value.replace(f"statement/{old}-", f"statement/{qid}-")
                self.of[kept] = list(self.of[value])
            pairs.append((name, kept))
        self.of[copied] = pairs
        self.n_changes += 1
        return copied

    def link(self, article: Term, item: Term) -> None:
        """Let an article be about an item, beside those that it is about already."""
        lang = article.partition("://")[2].partition(".")[0]
        pairs = self.of.setdefault(article, [(IN_WIKI, f"<https://{lang}.wikipedia.org/>")])
        pairs.append((ABOUT, item))
        self._links = None
        self.n_changes += 1
