"""What a tampering is: its name, what it says of itself, and the places at which it takes hold."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol

from mlm_assets.local_wikimedia.faults import fraction
from mlm_assets.local_wikimedia.model import AnswerEditor, MediaFile, Page, World
from mlm_assets.local_wikimedia.tampering.graph import Graph


class Picture(NamedTuple):
    """The bytes of a file in the type that it has, with their size in pixels."""

    body: bytes
    width_px: int
    height_px: int


class View(Protocol):
    """What a tampering may look up in the world under it."""

    @property
    def base(self) -> World:
        """The world as it is."""

    def following(self, lang: str, title: str) -> Page | None:
        """Return the next article of a Wikipedia in the order of titles, the first after the last."""

    def translation(self, page: Page, lang: str) -> Page | None:
        """Return the article in another language about the item of `page`."""

    def next_file(self, name: str) -> str | None:
        """Return the next file of the same type in the order of names."""


@dataclass(frozen=True, slots=True)
class Tampering:
    """One kind of silent fault.

    `is_wrong` tells that a dataset made from these answers would be wrong, so that it should be blocked; otherwise a
    warning is enough. `where` is "world" where the services hold something else, "answers" where they hold the right
    thing and answer another. `lang`, `country_qid` and `class_qid` name what alone is hit, if it is one thing. The
    rest are the places where it takes hold: the graph when it is loaded, a page or a file when it is looked up (None:
    it is not there), a picture instead of a file's own (None: its own), a SPARQL results document before it is sent,
    and the age in months of the world served, or of its graph alone.
    """

    name: str
    description: str
    is_wrong: bool
    where: Literal["world", "answers"]
    lang: str = ""
    country_qid: str = ""
    class_qid: str = ""
    graph: Callable[[Graph], None] | None = None
    page: Callable[[View, Page], Page | None] | None = None
    file: Callable[[View, MediaFile], MediaFile | None] | None = None
    picture: Callable[[View, str, str], Picture | None] | None = None
    answer: AnswerEditor | None = None
    months_late: int = 0
    months_late_graph: int = 0

    @property
    def is_edit(self) -> bool:
        """Whether somebody edited what the services hold, so that all of it has a new revision."""
        return self.where == "world"


def hits(share: float, *name: object) -> bool:
    """Tell whether something is among the `share` that is hit; depends on its name alone."""
    return fraction("tampering", *name) < share
