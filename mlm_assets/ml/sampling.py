"""From material to batches: which views of which settlements a step sees, gathered from the matrices by row.

All choices of an epoch (order, views, negatives) are drawn at once from a generator seeded by (seed, epoch), so that
an epoch is the same whether or not the one before it was run in the same process. Vectors stay float16 until they are
on the device. Where the matrices fit on the device they are kept there, and an epoch copies only row numbers.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from torch import Tensor

from mlm_assets.ml.cells import unit_points
from mlm_assets.ml.losses import Targets
from mlm_assets.ml.material import Integers, Material, Ragged
from mlm_assets.ml.recipe import Recipe

RESIDENT_SHARE: Final = 0.5
"""Share of the device's free memory that the matrices may take to be kept there."""


@dataclass(frozen=True)
class Batch:
    """Features of b settlements: images (b, d_image), texts (v, d_text), classes (u, d_class), and what is right.

    Many settlements of a batch share a class, so that each distinct class vector stands once; text `i` has the class
    vector `classes[class_index[i]]`.
    """

    images: Tensor
    texts: Tensor
    classes: Tensor
    class_index: Tensor
    targets: Targets


@dataclass(frozen=True)
class _Draw:
    """The choices of one epoch, for n items: rows of matrices and who is paired with whom."""

    order: Integers
    image_rows: Integers
    image_owners: Integers
    text_rows: Integers
    """(n, texts): -1 where a settlement has fewer texts than the recipe asks for."""
    class_rows: Integers
    has_class: Integers


class Rows:
    """A matrix of float16 vectors of which rows are taken: on the device where it fits, else from the memory map."""

    def __init__(self, vectors: Ragged, device: torch.device, is_resident: bool) -> None:
        """Open the matrix; it is read whole only if it is to be resident."""
        self._matrix = vectors.matrix
        self._device = device
        self._resident = torch.from_numpy(np.ascontiguousarray(vectors.matrix)).to(device) if is_resident else None

    def take(self, rows: Integers) -> Tensor:
        """Return rows (n, dimension) as float32 on the device."""
        if self._resident is not None:
            return self._resident.index_select(0, torch.from_numpy(rows).to(self._device)).float()
        return torch.from_numpy(self._matrix[rows]).to(self._device, non_blocking=True).float()


class Sampler:
    """Batches of some items of a material, epoch by epoch."""

    def __init__(
        self,
        material: Material,
        items: Integers,
        recipe: Recipe,
        device: torch.device,
        *,
        seed: int = 1,
        may_keep: bool = True,
    ) -> None:
        """Prepare to sample `items` (numbers in the material); `may_keep` the matrices on the device, if they fit."""
        self.material, self.items, self.recipe, self.device, self.seed = material, items, recipe, device, seed
        resident = may_keep and fits(material, device)
        self._images = Rows(material.images, device, resident)
        self._texts = Rows(material.texts, device, resident)
        self._classes = Rows(material.classes, device, resident)
        self._cells = torch.from_numpy(material.cells.astype(np.int64)).to(device)
        self._points = unit_points(torch.from_numpy(material.lat_deg), torch.from_numpy(material.lon_deg)).to(device)
        self.mean_class = mean_class(material).to(device)

    def n_batches(self, batch: int, world: int = 1) -> int:
        """Return the number of batches of an epoch."""
        return len(_bounds(len(self.items), batch, world))

    def epoch(self, number: int, batch: int, *, rank: int = 0, world: int = 1) -> Iterator[Batch]:
        """Yield the batches of an epoch; of `world` processes each gets its part of every batch.

        A last batch of one settlement is left out: it has no negatives.
        """
        rng = np.random.default_rng((self.seed, number))
        draw = self._draw(rng)
        for start, end in _bounds(len(draw.order), batch, world):
            yield self.batch(draw, np.arange(start + rank, end, world))

    def batch(self, draw: _Draw, positions: Integers) -> Batch:
        """Return the batch of some positions of a draw."""
        items = draw.order[positions]
        owners, views = np.nonzero(draw.text_rows[positions] >= 0)
        class_rows, has_class = draw.class_rows[positions][owners, views], draw.has_class[positions][owners, views]
        classes, class_index = self._class_features(items, owners, class_rows, has_class)
        return Batch(
            self._images.take(draw.image_rows[positions]),
            self._texts.take(draw.text_rows[positions][owners, views]),
            classes,
            class_index,
            self._targets(items, draw.image_owners[positions], owners),
        )

    def _targets(self, items: Integers, image_owners: Integers, owners: Integers) -> Targets:
        own, whose = torch.from_numpy(items).to(self.device), torch.from_numpy(image_owners).to(self.device)
        of_text = torch.from_numpy(owners).to(self.device)
        # Where an image is another settlement's, it is located where that one lies; the original kept the wrong label.
        located = own if self.recipe.faults.negatives_reach_location else whose
        return Targets(
            pairs=torch.where(own == whose, 1.0, -1.0),
            image_cells=self._cells[located],
            text_cells=self._cells[own][of_text],
            image_points=self._points[located],
            text_points=self._points[own][of_text],
            owners=of_text,
        )

    def _class_features(
        self, items: Integers, owners: Integers, rows: Integers, has_class: Integers
    ) -> tuple[Tensor, Tensor]:
        """Return distinct class vectors (u, d_class), the mean class last, and which one each text has (v,)."""
        if self.recipe.views.classes == "one":
            distinct, places = np.unique(rows, return_inverse=True)
            features = self._classes.take(distinct)
        else:
            features, places = self.mean_classes(items), np.asarray(owners)
        places = np.where(has_class.astype(bool), places, len(features))
        return torch.cat([features, self.mean_class[None]]), torch.from_numpy(places).to(self.device)

    def mean_classes(self, items: Integers) -> Tensor:
        """Return the mean class features (n, d_class) of items."""
        classes = self.material.classes
        part = classes.take(items)
        owners = torch.from_numpy(np.repeat(np.arange(len(items)), part.counts)).to(self.device)
        sums = torch.zeros(len(items), classes.dimension, device=self.device)
        sums.index_add_(0, owners, self._classes.take(part.rows))
        return sums / torch.from_numpy(part.counts).to(self.device)[:, None]

    def _draw(self, rng: np.random.Generator) -> _Draw:
        order = self.items[rng.permutation(len(self.items))]
        image_owners = order.copy()
        if self.recipe.loss.retrieval == "cosine_embedding" and len(order) > 1:
            image_owners = _others(rng, order, self.recipe.loss.negatives)
        text_rows = _several(rng, self.material.texts, order, self.recipe.views.texts)
        shape = text_rows.shape
        repeated = np.repeat(order, shape[1])
        has_class = rng.random(shape) >= self.recipe.views.class_dropout
        return _Draw(
            order,
            _one(rng, self.material.images, image_owners),
            image_owners,
            text_rows,
            _one(rng, self.material.classes, repeated).reshape(shape),
            has_class.astype(np.int8),
        )


def fits(material: Material, device: torch.device) -> bool:
    """Tell whether the matrices may be kept on the device; on a processor memory maps do as well."""
    if device.type != "cuda":
        return False
    free, _ = torch.cuda.mem_get_info(device)
    needed = sum(vectors.matrix.nbytes for vectors in (material.images, material.texts, material.classes))
    return needed <= RESIDENT_SHARE * free


def mean_class(material: Material) -> Tensor:
    """Return the mean class vector (d_class,) over the classes, float32."""
    return torch.from_numpy(np.asarray(material.classes.matrix, np.float32).mean(axis=0))


def _one(rng: np.random.Generator, vectors: Ragged, items: Integers) -> Integers:
    """Return one row at random for each item."""
    counts, starts = np.diff(vectors.offsets)[items], vectors.offsets[items]
    rows: Integers = vectors.rows[starts + (rng.random(len(items)) * counts).astype(np.int64)]
    return rows


def _several(rng: np.random.Generator, vectors: Ragged, items: Integers, k: int) -> Integers:
    """Return up to `k` different rows at random for each item, (n, k), -1 where there are no more."""
    counts, starts = np.diff(vectors.offsets)[items], vectors.offsets[items]
    if k == 1:
        return _one(rng, vectors, items)[:, None]
    # A random order of up to `width` entries per item: the smallest k random numbers win.
    width = max(k, int(counts.max(initial=1)))
    lots = rng.random((len(items), width))
    lots[np.arange(width)[None, :] >= counts[:, None]] = 2.0
    chosen = np.argsort(lots, axis=1, kind="stable")[:, :k]
    there = np.take_along_axis(lots, chosen, axis=1) < 2.0
    rows = vectors.rows[np.where(there, starts[:, None] + chosen, 0)]
    return np.where(there, rows, -1)


def _others(rng: np.random.Generator, order: Integers, share: float) -> Integers:
    """Return the items with a share of them replaced by another one at random, never by themselves."""
    n = len(order)
    is_negative = rng.random(n) < share
    shifted = (np.arange(n) + 1 + (rng.random(n) * (n - 1)).astype(np.int64)) % n
    return np.where(is_negative, order[shifted], order)


def _bounds(n: int, batch: int, world: int) -> list[tuple[int, int]]:
    """Return start and end of the batches of n items; with several processes every batch divides by their number."""
    if world > 1:
        batch, n = max(world, batch - batch % world), n - n % world
    bounds = [(start, min(start + batch, n)) for start in range(0, n, batch)]
    return [(start, end) for start, end in bounds if end - start > 1]
