"""Another split of the same material, by place: whole S2 cells go to one split, so that few test items have near
neighbours in training (only those at the edge of a cell).

A split by QID lets a model find a settlement by the next village. This one asks for places that were never seen. The
split of releases is made elsewhere (`identifiers.split_of`).
"""

from dataclasses import replace
from typing import Final

import numpy as np

from mlm_assets.errors import Refused
from mlm_assets.geo.cells import MAX_S2_LEVEL, leaf_ids
from mlm_assets.identifiers import salted_fraction
from mlm_assets.ml.material import TEST, TRAIN, VALIDATION, Integers, Material

LEVEL: Final = 5
"""S2 cells of this level are some 250 km wide."""


def blocked_split(material: Material, level: int = LEVEL, seed: int = 0) -> Material:
    """Return the material with other splits: all settlements of an S2 cell of `level` in the same one.

    A hash of the seed and the cell's token decides: train 80, validation 10, test 10 % of the cells, and roughly of the
    settlements. Where a split would be empty and there are three cells at least, the cells with the greatest hashes go
    to test, then to validation, and the one with the least to train. With fewer cells a split stays empty
    (`material.untrainable` says so).

    Geo-cells are kept. Many of those in test blocks then have no training items, so F1 has a low ceiling by
    construction: look at kilometres and at retrieval.

    Raises:
        Refused: the level is none of S2.
    """
    if not 0 <= level <= MAX_S2_LEVEL:
        raise Refused(f"There is no S2 level {level}; they go from 0 to {MAX_S2_LEVEL}, and 5 is about 250 km wide.")
    tokens, block_of = blocks(material, level)
    fractions = np.array([salted_fraction(f"mlm/blocked/{level}/{seed}", token) for token in tokens])
    splits = np.select([fractions < 0.8, fractions < 0.9], [TRAIN, VALIDATION], TEST).astype(np.int8)
    if len(tokens) >= 3:
        _fill_empty(splits, np.argsort(fractions, kind="stable"))
    return replace(material, splits=splits[block_of])


def blocks(material: Material, level: int = LEVEL) -> tuple[list[str], Integers]:
    """Return the tokens of the S2 cells of `level` that hold settlements, and (n,) the number of each one's cell."""
    import s2sphere

    leaves = leaf_ids(material.lat_deg, material.lon_deg)
    # An id is 3 bits of face, two bits per level, and a closing bit: its beginning is the cell that holds it.
    prefixes = leaves >> np.uint64(2 * (MAX_S2_LEVEL - level) + 1)
    _, first, block_of = np.unique(prefixes, return_index=True, return_inverse=True)
    tokens = [s2sphere.CellId(int(leaf)).parent(level).to_token() for leaf in leaves[first]]
    return tokens, block_of.astype(np.int64)


def _fill_empty(splits: Integers, by_fraction: Integers) -> None:
    """Give each empty split a cell, in place: the ends of the order by hash, as if the borders had lain closer."""
    for split, place in ((TEST, -1), (TRAIN, 0), (VALIDATION, -2)):
        if not (splits == split).any():
            splits[by_fraction[place]] = split
