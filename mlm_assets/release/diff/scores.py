"""Scores of two releases side by side: whether a change is larger than the intervals of both allow.

Each release is measured on its own test items. A change counts only where the two 95 % intervals do not overlap, which
is stricter than a test of the difference would be.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

SECTIONS: Final = ("retrieval", "location")
"""The paper's two tables; what else a benchmark holds is not compared."""
_LOWER_IS_BETTER: Final = ("medR", "median_km", "mean_km")
_COLUMNS: Final = ("section", "model", "direction", "figure")

Row = Mapping[str, Any]


def score_changes(before: Mapping[str, Iterable[Row]], after: Mapping[str, Iterable[Row]]) -> dict[str, Any]:
    """Return per variant that has scores the figures of both sides, and a verdict.

    The verdict is `better` or `worse` where the intervals do not overlap, `within_intervals` where they do, `new`,
    `gone`, and `unknown` where a side has no interval.
    """
    variants = sorted({*before, *after})
    return {variant: _compared(before.get(variant, ()), after.get(variant, ())) for variant in variants}


def _compared(before: Iterable[Row], after: Iterable[Row]) -> list[dict[str, Any]]:
    then, now = _by_place(before), _by_place(after)
    found = []
    for place in sorted({**then, **now}, key=lambda key: (SECTIONS.index(key[0]), *key[1:])):
        old, new = then.get(place), now.get(place)
        found.append(
            {
                **dict(zip(_COLUMNS, place, strict=True)),
                "before": _figures(old),
                "after": _figures(new),
                "verdict": _verdict(place[-1], old, new),
            }
        )
    return found


def _by_place(rows: Iterable[Row]) -> dict[tuple[str, ...], Row]:
    return {
        tuple(row[name] for name in _COLUMNS): row for row in rows if row["section"] in SECTIONS and not row["group"]
    }


def _figures(row: Row | None) -> dict[str, Any] | None:
    return None if row is None else {name: row[name] for name in ("value", "low", "high", "n")}


def _verdict(figure: str, old: Row | None, new: Row | None) -> str:
    if old is None or new is None:
        return "new" if old is None else "gone"
    if any(row[name] is None for row in (old, new) for name in ("value", "low", "high")):
        return "unknown"
    if new["low"] <= old["high"] and old["low"] <= new["high"]:
        return "within_intervals"
    is_higher = new["low"] > old["high"]
    return "better" if is_higher != (figure in _LOWER_IS_BETTER) else "worse"
