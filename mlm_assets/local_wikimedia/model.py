"""What a world consists of: triples, pages and files. The protocols read worlds through these types alone."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from mlm_assets.errors import Refused

Ask = Callable[[str], list[Mapping[str, str]]]
"""Asks the graph of a world: rows of plain values by variable."""
AnswerEditor = Callable[[dict[str, Any], Ask], None]
"""Changes a SPARQL results document in JSON before it is sent."""


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a Wikipedia; `redirect_to` is set for a redirect, whose extract is empty."""

    lang: str
    title: str
    qid: str | None
    extract: str
    pageid: int
    lastrevid: int
    touched: str
    redirect_to: str | None = None
    redirect_fragment: str | None = None


@dataclass(frozen=True, slots=True)
class MediaFile:
    """One file of Commons, as its metadata describes it; hash and size are those of the true body."""

    name: str
    mime: str
    width_px: int
    height_px: int
    size_bytes: int
    sha1: str
    timestamp: str
    pageid: int
    extmetadata: dict[str, Any] = field(default_factory=dict)
    redirect_to: str | None = None


class World(ABC):
    """Everything that the three services tell of, `month` months after 2026-12. Methods may be called from threads."""

    month: int = 0

    @abstractmethod
    def describe(self) -> dict[str, Any]:
        """Return where the world comes from and how much it holds."""

    @abstractmethod
    def triples(self) -> Iterator[bytes]:
        """Yield the graph as N-Triples, in chunks of whole lines."""

    @abstractmethod
    def page(self, lang: str, title: str) -> Page | None:
        """Return the page with this normalised title, redirects included."""

    @abstractmethod
    def page_titles(self) -> Iterator[tuple[str, str]]:
        """Yield (language, title) of every page."""

    @abstractmethod
    def file(self, name: str) -> MediaFile | None:
        """Return the file with this normalised name, redirects included."""

    @abstractmethod
    def file_names(self) -> Iterator[str]:
        """Yield the normalised name of every file."""

    @abstractmethod
    def body(self, name: str) -> bytes | None:
        """Return the original bytes of a file; None where the world has none."""

    def at(self, month: int, rate: float | None = None) -> "World":
        """Return this world in another month; `rate` is the share that is edited a month, where it is to be another.

        Raises:
            Refused: this kind of world has no history.
        """
        if month != self.month or rate is not None:
            raise Refused(f"Only a generated world moves forward; this one has no month {month}.")
        return self

    def answer_editor(self) -> AnswerEditor | None:
        """Return what changes the answers of the query service; None where they are as the graph says."""
        return None
