"""What a change is, and what brought it: the words that `compare` and `causes` share."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Kind = Literal["new", "gone", "changed"]
CauseKind = Literal[
    "item_edit",  # the item was edited: revisions and the address of the difference
    "article_edit",
    "file_edit",
    "other_item",  # a class or a country was edited, not the entity
    "class_list",  # a class came into the list or left it, by an edge
    "quota",
    "cells",
    "code",
    "setting",
    "quarantine",  # a row was set aside
    "service",  # nobody edited anything; a service answered otherwise
    "follows",  # from another change of the same entity
]


@dataclass(frozen=True)
class Cause:
    """Why something changed; `address` leads to the edit, `figures` are what the sentence was made of."""

    kind: CauseKind
    sentence: str
    address: str | None = None
    figures: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Change:
    """One difference between two releases: in which table, of what (`name` says which), from what to what.

    `what` is a stable name: candidate, class, fact, verdict, label, place, country, population, article,
    article_title, article_text, article_status, image, image_file, image_status, image_credit, membership, cell, split.
    """

    table: str
    what: str
    kind: Kind
    name: str
    before: Any
    after: Any
    sentence: str
    causes: tuple[Cause, ...] = ()
    diff: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Return the change as plain data."""
        return asdict(self)


def distinct(causes: Sequence[Cause]) -> tuple[Cause, ...]:
    """Return causes, each once, in their order."""
    return tuple({(cause.kind, cause.sentence): cause for cause in causes}.values())


def kind_of(before: Any, after: Any) -> Kind:
    """Return whether something is new, gone, or changed."""
    if before is None:
        return "new"
    return "gone" if after is None else "changed"
