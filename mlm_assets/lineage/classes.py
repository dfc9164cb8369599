"""Ways through the class list: from a class up to the base class, and the edge that a class was lost or won by."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Row = Mapping[str, Any]
Classes = Mapping[str, Row]
"""Rows of `settlement_classes` by class."""


@dataclass(frozen=True)
class Edge:
    """An edge P279 of the class list: `child` is a subclass of `parent`."""

    child: str
    parent: str
    is_too_deep: bool = False
    """Whether the edge may still be there, but the parent lies so deep that its subclasses are beyond the hops."""


def class_path(class_qid: str, classes: Classes) -> list[dict[str, str]]:
    """Return one shortest way from a class up to the base class, each with its English label."""
    path = []
    current: str | None = class_qid
    while current is not None and current in classes:
        row = classes[current]
        path.append({"qid": current, "label": label_of(current, classes)})
        nearer = [parent for parent in row["parent_qids"] if classes[parent]["hop"] < row["hop"]]
        current = nearer[0] if nearer else None
    return path


def label_of(class_qid: str, classes: Classes) -> str:
    """Return the English label of a class, its QID where it has none."""
    row = classes.get(class_qid)
    return str(dict(row["labels"]).get("en", class_qid)) if row is not None else class_qid


def lost_edge(class_qid: str, before: Classes, after: Classes, hops: int) -> Edge | None:
    """Return the edge of `before` by whose loss a class is not in the list `after`; None where it was in neither.

    Exchange the two lists for the edge by which a class came in. The edge is the one nearest to the base class: what
    lies below it was lost with it.
    """
    path = class_path(class_qid, before)
    for child, parent in zip(reversed(path[:-1]), reversed(path[1:]), strict=True):
        if child["qid"] not in after:
            is_too_deep = parent["qid"] in after and int(after[parent["qid"]]["hop"]) >= hops
            return Edge(child["qid"], parent["qid"], is_too_deep)
    return None
