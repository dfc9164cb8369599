"""Who a model works for: figures per class, per country and per number of images (paper, section 6.2.1).

Retrieval is judged in the full gallery, where every item has a rank.
"""

from typing import Any, Final

import numpy as np

from mlm_assets.ml.evaluation.intervals import Figures, measured
from mlm_assets.ml.evaluation.location import Located
from mlm_assets.ml.evaluation.retrieval import Retrieved
from mlm_assets.ml.material import Integers, Material, entries_of

SMALLEST: Final = 5
"""Groups with fewer items are measured together, as `other`."""
OTHER: Final = "other"
SHOWN: Final = ("medR", "R@10", "f1", "median_km")
_RESAMPLES: Final = 200
_IMAGE_BINS: Final = {"1": (1, 1), "2": (2, 2), "3-4": (3, 4), "5+": (5, np.inf)}


def groups(material: Material, items: Integers) -> dict[str, dict[str, Integers]]:
    """Return the positions in `items` of each group, by `class`, `country` and `n_images`.

    A settlement with several classes is in several groups. Groups under five items are merged into `other`, but for
    numbers of images, which stay as they are.
    """
    rows = material.classes.rows[entries_of(material.classes.offsets, items)]
    owners = np.repeat(np.arange(len(items)), material.classes.counts[items])
    countries = np.where(material.countries[items] == "", "unknown", material.countries[items])
    n_images = material.images.counts[items]
    by_images = {
        name: np.flatnonzero((n_images >= low) & (n_images <= high)) for name, (low, high) in _IMAGE_BINS.items()
    }
    return {
        "class": _grouped(material.classes.keys[rows], owners),
        "country": _grouped(countries, np.arange(len(items))),
        "n_images": {name: positions for name, positions in by_images.items() if len(positions)},
    }


def broken_down(
    by_dimension: dict[str, dict[str, Integers]], outcomes: dict[str, Retrieved | Located], seed: int
) -> dict[str, dict[str, dict[str, Figures]]]:
    """Return `[dimension][group][direction]`: the figures with intervals, and `n`.

    `outcomes` are by direction; those of retrieval in one gallery that holds all items.
    """
    found: dict[str, dict[str, dict[str, Figures]]] = {}
    for dimension, members in by_dimension.items():
        found[dimension] = {
            name: {
                direction: measured(outcome.only(positions), seed, _RESAMPLES, SHOWN)
                for direction, outcome in outcomes.items()
            }
            for name, positions in members.items()
        }
    return found


def _grouped(names: np.ndarray[Any, Any], owners: Integers) -> dict[str, Integers]:
    known, codes = np.unique(names, return_inverse=True)
    order = np.argsort(codes, kind="stable")
    parts = np.split(owners[order], np.cumsum(np.bincount(codes, minlength=len(known)))[:-1])
    members = {str(name): np.unique(part) for name, part in zip(known, parts, strict=True)}
    large = {name: part for name, part in members.items() if len(part) >= SMALLEST}
    small = [part for name, part in members.items() if name not in large]
    return {**large, OTHER: np.unique(np.concatenate(small))} if small else large
