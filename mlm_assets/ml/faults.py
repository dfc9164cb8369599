"""The faults of the published pipeline that lie in its data, done to a material on purpose (design, section 9).

Each is off unless a recipe turns it on. Those that lie in training or evaluation are where training and evaluation
are; those that lie in the texts that were encoded (`first_characters`, `english_encoder`) are in the encoder's name.
"""

import dataclasses

import numpy as np

from mlm_assets.errors import Refused
from mlm_assets.ml.material import TEST, TRAIN, VALIDATION, Integers, Material, untrainable
from mlm_assets.ml.recipe import Faults


def with_faults(material: Material, faults: Faults, seed: int) -> Material:
    """Return the material as the published pipeline would have had it; the same one where no fault is on.

    Raises:
        Refused: nothing that can be trained on is left.
    """
    if faults.swapped_de_fr:
        material = _swapped(material)
    if faults.limit_per_class:
        material = material.subset(_first_of_classes(material, faults.limit_per_class))
    if faults.cells_removed_at:
        material = _without_small_cells(material, faults.cells_removed_at)
    if faults.class_ids_as_answered:
        order = np.random.default_rng((seed, 2)).permutation(material.n_cells)
        material = _renumbered(material, order)
    if faults.unseeded_splits:
        material = dataclasses.replace(material, splits=_drawn_splits(len(material), seed))
    why = untrainable(material)
    if why is not None:
        raise Refused(f"The recipe's faults leave nothing to train on: {why}.")
    return material


def _swapped(material: Material) -> Material:
    if not {"de", "fr"} <= set(material.languages):
        return material
    new = np.arange(len(material.languages), dtype=material.text_langs.dtype)
    de, fr = material.languages.index("de"), material.languages.index("fr")
    new[[de, fr]] = new[[fr, de]]
    return dataclasses.replace(material, text_langs=new[material.text_langs])


def _first_of_classes(material: Material, limit: int) -> Integers:
    """Return the items that are among the first `limit` of one of their classes at least."""
    owners = np.repeat(np.arange(len(material)), material.classes.counts)
    order = np.lexsort((owners, material.classes.rows))
    rows, items = material.classes.rows[order], owners[order]
    _, starts, counts = np.unique(rows, return_index=True, return_counts=True)
    place = np.arange(len(rows)) - np.repeat(starts, counts)
    found: Integers = np.unique(items[place < limit])
    return found


def _without_small_cells(material: Material, size: int) -> Material:
    counts = np.bincount(material.cells, minlength=material.n_cells)
    kept = np.flatnonzero(counts > size)
    part = material.subset(np.flatnonzero(np.isin(material.cells, kept)))
    number = np.full(material.n_cells, -1, np.int32)
    number[kept] = np.arange(len(kept))
    tokens = tuple(material.cell_tokens[cell] for cell in kept)
    return dataclasses.replace(part, cells=number[part.cells], cell_tokens=tokens)


def _renumbered(material: Material, order: Integers) -> Material:
    tokens = [""] * material.n_cells
    for old, new in enumerate(order):
        tokens[new] = material.cell_tokens[old]
    return dataclasses.replace(material, cells=order[material.cells].astype(np.int32), cell_tokens=tuple(tokens))


def _drawn_splits(n: int, seed: int) -> Integers:
    order = np.random.default_rng((seed, 3)).permutation(n)
    splits = np.full(n, TRAIN, np.int8)
    splits[order[: n // 10]], splits[order[n // 10 : 2 * (n // 10)]] = TEST, VALIDATION
    return splits
