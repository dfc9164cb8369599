"""What a world consists of: triples, pages and files. The protocols read worlds through these types alone."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any


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
    """Everything that the three services tell of. Methods may be called from several threads."""

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
