"""In which kept geo-cell a point lies: the question that `members` asks of stored cells.

Building the cells is the business of `geo.cells`.
"""

from collections.abc import Sequence

import numpy as np
import s2sphere
from numpy.typing import ArrayLike

from mlm_assets.geo.cells import REMOVED, IntArray, leaf_ids


def locate(tokens: Sequence[str], lat_deg: ArrayLike, lon_deg: ArrayLike) -> IntArray:
    """Return (n,) for each point the place in `tokens` of the cell that holds it, or -1 where none does.

    Args:
        tokens: S2 tokens of cells that do not overlap, as those of one quad-tree do not.
        lat_deg: (n,) latitudes in degrees, -90 to 90.
        lon_deg: (n,) longitudes in degrees, -180 to 180.

    Raises:
        ValueError: a coordinate is no number or out of range.
    """
    ids = leaf_ids(lat_deg, lon_deg)
    if not tokens:
        return np.full(len(ids), REMOVED, dtype=np.int64)
    cells = [s2sphere.CellId.from_token(token) for token in tokens]
    first = np.array([cell.range_min().id() for cell in cells], dtype=np.uint64)
    last = np.array([cell.range_max().id() for cell in cells], dtype=np.uint64)
    order = np.argsort(first)
    # The last cell that begins at or before the point is the only one that can hold it.
    place = np.searchsorted(first[order], ids, side="right") - 1
    candidate = order[np.maximum(place, 0)]
    is_inside = (place >= 0) & (ids <= last[candidate])
    return np.where(is_inside, candidate, REMOVED).astype(np.int64)
