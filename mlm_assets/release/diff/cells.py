"""Geo-cells of two releases, compared by S2 token: kept, split, merged, removed, added.

The number of a cell (`class_id`) is valid within a release, its token for ever. A token is the id of the cell in
hexadecimal without the zeros at its end; the lowest bit of the id says how far the cell reaches.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from mlm_assets.tables import VARIANTS

_SHOWN: Final = 40

Row = Mapping[str, Any]


def cell_changes(before: Iterable[Row], after: Iterable[Row]) -> dict[str, Any]:
    """Return per variant how many cells are kept, split, merged, removed and added, and the tokens of those.

    A cell is split where cells within it are new, merged where it lies in a new one, else removed. `renumbered` counts
    kept cells that have another number now.
    """
    then, now = _per_variant(before), _per_variant(after)
    return {variant: _changes(then.get(variant, {}), now.get(variant, {})) for variant in VARIANTS}


def cell_range(token: str) -> tuple[int, int]:
    """Return the first and last id of the leaf cells that a cell holds.

    >>> cell_range("47a9")[0] < int("47a84".ljust(16, "0"), 16) < cell_range("47a9")[1]
    True
    """
    cell = int(token.ljust(16, "0"), 16)
    reach = (cell & -cell) - 1
    return cell - reach, cell + reach


def _per_variant(rows: Iterable[Row]) -> dict[str, dict[str, Row]]:
    found: dict[str, dict[str, Row]] = {}
    for row in rows:
        found.setdefault(row["variant"], {})[row["cell_token"]] = row
    return found


def _changes(then: Mapping[str, Row], now: Mapping[str, Row]) -> dict[str, Any]:
    lost = sorted(token for token in then if token not in now)
    won = sorted(token for token in now if token not in then)
    kept = [token for token in then if token in now]
    # Cells of one release never overlap, so that each has at most one that holds it on the other side.
    parts = _held_by(won, lost)
    wholes = _held_by(lost, won)
    split = sorted(set(parts.values()))
    merged = sorted(wholes)
    removed = [token for token in lost if token not in set(split) and token not in wholes]
    added = [token for token in won if token not in parts and token not in set(wholes.values())]
    return {
        "before": len(then),
        "after": len(now),
        "kept": len(kept),
        "split": len(split),
        "split_into": len(parts),
        "merged": len(merged),
        "merged_into": len(set(wholes.values())),
        "removed": len(removed),
        "added": len(added),
        "renumbered": sum(then[token]["class_id"] != now[token]["class_id"] for token in kept),
        "settlements_in_removed": sum(int(then[token]["n_settlements"] or 0) for token in removed),
        "tokens": {
            "split": [
                {"token": token, "into": sorted(part for part in parts if parts[part] == token)}
                for token in split[:_SHOWN]
            ],
            "merged": [{"token": token, "into": wholes[token]} for token in merged[:_SHOWN]],
            "removed": removed[:_SHOWN],
            "added": added[:_SHOWN],
        },
    }


def _held_by(small: Iterable[str], large: Iterable[str]) -> dict[str, str]:
    """Return for each of the `small` cells that lies in one of the `large` ones: in which."""
    from bisect import bisect_right

    holders = sorted((cell_range(token), token) for token in large)
    starts = [reach[0] for reach, _ in holders]
    found = {}
    for token in small:
        low, high = cell_range(token)
        place = bisect_right(starts, low) - 1
        if place >= 0 and holders[place][0][1] >= high:
            found[token] = holders[place][1]
    return found
