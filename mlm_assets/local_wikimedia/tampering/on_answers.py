"""Tamperings with results of the query service, on their way out: rows missing, values in the wrong row.

Which query is answered is known by its variables. Only results in JSON are tampered with.
"""

from collections.abc import Callable
from typing import Any, Final

from mlm_assets.local_wikimedia.model import Ask
from mlm_assets.local_wikimedia.tampering.base import Tampering, hits

_KEPT_ROWS: Final = 0.7
_LOST_ITEMS: Final = 0.35
_INSTANCES: Final = "SELECT DISTINCT ?item WHERE {{ ?item <http://www.wikidata.org/prop/direct/P31> <{class_iri}> }}"


def _variables(document: dict[str, Any]) -> set[str]:
    return set(document.get("head", {}).get("vars", ()))


def _rows(document: dict[str, Any]) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = document["results"]["bindings"]
    return rows


def _are_facts(document: dict[str, Any]) -> bool:
    return {"item", "property", "value"} <= _variables(document)


def _shift(document: dict[str, Any], belongs: Callable[[dict[str, Any]], str | None]) -> None:
    """Give the rows of each group the values of the row after them; the last one gets the first."""
    groups: dict[str, list[dict[str, Any]]] = {}
    for row in _rows(document):
        group = belongs(row)
        if group is not None:
            groups.setdefault(group, []).append(row)
    for rows in groups.values():
        values = [row["value"] for row in rows]
        for row, value in zip(rows, [*values[1:], *values[:1]], strict=True):
            row["value"] = value


def _shift_labels(document: dict[str, Any], _: Ask) -> None:
    def language(row: dict[str, Any]) -> str | None:
        return str(row["value"].get("xml:lang")) if row["property"]["value"] == "label" else None

    if _are_facts(document):
        _shift(document, language)


def _shift_populations(document: dict[str, Any], _: Ask) -> None:
    if _are_facts(document):
        _shift(document, lambda row: "" if row["property"]["value"] == "P1082" else None)


def _cut_facts(document: dict[str, Any], _: Ask) -> None:
    if _are_facts(document):
        rows = _rows(document)
        del rows[int(len(rows) * _KEPT_ROWS) :]


def _is_listed(item: str) -> bool:
    return not hits(_LOST_ITEMS, "listing_truncated", item)


def _cut_listing(document: dict[str, Any], ask: Ask) -> None:
    """Leave items out of the listing of instances, and out of the counts that it is held against."""
    variables, rows = _variables(document), _rows(document)
    if variables >= {"item", "class"} and "property" not in variables:
        rows[:] = [row for row in rows if _is_listed(row["item"]["value"])]
    elif variables == {"class", "n"}:
        for row in rows:
            found = ask(_INSTANCES.format(class_iri=row["class"]["value"]))
            row["n"]["value"] = str(sum(_is_listed(instance["item"]) for instance in found))


ANSWERS: Final = (
    Tampering("labels_shifted", "in the answers about facts, each label stands in the row of the one before", True,
              "answers", answer=_shift_labels),
    Tampering("populations_shifted", "in the answers about facts, each population stands in the row before", True,
              "answers", answer=_shift_populations),
    Tampering("facts_truncated", "the last 30 % of rows are missing from the answers about facts", True, "answers",
              answer=_cut_facts),
    Tampering("listing_truncated", "35 % of items are missing from the listing of instances, and from its counts",
              True, "answers", answer=_cut_listing),
)  # fmt: skip
"""The kinds of this module."""
