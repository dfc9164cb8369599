"""What is minimised: retrieval, location estimation, and the learned weights between them.

Each loss takes the outputs of a whole batch and its targets, and says nothing of how they were sampled or optimised.
"""

import math
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional

from mlm_assets.ml.cells import CellGeometry
from mlm_assets.ml.model import Outputs
from mlm_assets.ml.recipe import LossRecipe, Recipe, Task

LARGEST_SCALE: Final = 100.0
"""Similarities are multiplied by this at most (a temperature of 0.01), as CLIP bounds it."""


@dataclass(frozen=True)
class Targets:
    """What is right for a batch of b settlements with v text views.

    Shapes: `pairs` (b,) +1 where the image is the settlement's own, -1 where it is another's; `image_cells` (b,) and
    `text_cells` (v,) numbers of cells; `image_points` (b, 3) and `text_points` (v, 3) true places on the unit sphere;
    `owners` (v,) which settlement of the batch a text belongs to.
    """

    pairs: Tensor
    image_cells: Tensor
    text_cells: Tensor
    image_points: Tensor
    text_points: Tensor
    owners: Tensor


@dataclass(frozen=True)
class Losses:
    """The losses of a batch; None for a task that is not trained. `total` is what is minimised."""

    total: Tensor
    retrieval: Tensor | None
    location: Tensor | None


class Objective(nn.Module):
    """The loss of a recipe for a task, with its own trained parameters (temperature, task weights)."""

    def __init__(self, recipe: Recipe, task: Task, geometry: CellGeometry) -> None:
        """Build it; `geometry` belongs to the material that is trained on."""
        super().__init__()
        self.recipe, self.task, self.geometry = recipe.loss, task, geometry
        if task != "le" and recipe.loss.retrieval == "contrastive":
            self.log_scale = nn.Parameter(torch.tensor(math.log(min(1 / recipe.loss.temperature, LARGEST_SCALE))))
        if task == "mtl" and recipe.loss.task_weights == "learned":
            self.log_variances = nn.Parameter(torch.zeros(2), requires_grad=not recipe.faults.task_weights_frozen)

    def forward(self, outputs: Outputs, targets: Targets) -> Losses:
        """Return the losses of a batch, in float32 whatever the precision of the network."""
        with torch.autocast(targets.owners.device.type, enabled=False):
            retrieval = self.retrieval_loss(outputs, targets) if self.task != "le" else None
            location = self.location_loss(outputs, targets) if self.task != "ir" else None
            return self._total(retrieval, location)

    def keep_in_bounds(self) -> None:
        """Bring the temperature back into its bounds; after a step, because a clamp in the loss has no gradient."""
        if hasattr(self, "log_scale"):
            with torch.no_grad():
                self.log_scale.clamp_(max=math.log(LARGEST_SCALE))

    def _total(self, retrieval: Tensor | None, location: Tensor | None) -> Losses:
        if retrieval is None or location is None:
            one = retrieval if retrieval is not None else location
            assert one is not None
            return Losses(one, retrieval, location)
        return Losses(self._weighted(retrieval, location), retrieval, location)

    def task_weights(self) -> tuple[float, float] | None:
        """Return the weights of retrieval and location as they stand, None where they are not learned."""
        if not hasattr(self, "log_variances"):
            return None
        retrieval, location = self.log_variances.detach().neg().exp().tolist()
        return retrieval / 2, location

    def _weighted(self, retrieval: Tensor, location: Tensor) -> Tensor:
        if not hasattr(self, "log_variances"):
            return retrieval + location
        # Kendall et al. 2018, as in the paper: 1 / (2 s^2) for retrieval, 1 / s^2 for classification, plus log s each.
        losses = torch.stack([retrieval / 2, location])
        return (self.log_variances.neg().exp() * losses + self.log_variances / 2).mean()

    def retrieval_loss(self, outputs: Outputs, targets: Targets) -> Tensor:
        """Return the loss of image and text vectors."""
        assert outputs.image_vectors is not None and outputs.text_vectors is not None
        images, texts = outputs.image_vectors.float(), outputs.text_vectors.float()
        if self.recipe.retrieval == "cosine_embedding":
            pairs = targets.pairs[targets.owners]
            return functional.cosine_embedding_loss(images[targets.owners], texts, pairs, margin=self.recipe.margin)
        return contrastive_loss(images, texts, targets.owners, self.log_scale.exp())

    def location_loss(self, outputs: Outputs, targets: Targets) -> Tensor:
        """Return the sum of the losses of locating images and texts."""
        assert outputs.image_logits is not None and outputs.text_logits is not None
        image = self._locate(outputs.image_logits.float(), targets.image_cells, targets.image_points)
        return image + self._locate(outputs.text_logits.float(), targets.text_cells, targets.text_points)

    def _locate(self, logits: Tensor, cells: Tensor, points: Tensor) -> Tensor:
        logs = functional.log_softmax(logits, dim=-1)
        loss = -(soft_labels(self.recipe, self.geometry, cells, points) * logs).sum(dim=-1).mean()
        levels = list(zip(self.geometry.parents, self.geometry.n_coarse, strict=True))
        for parents, n_coarse in levels:
            coarse = coarse_log_probs(logs, parents, n_coarse)
            loss = loss + functional.nll_loss(coarse, parents[cells]) / len(levels)
        return loss


def contrastive_loss(images: Tensor, texts: Tensor, owners: Tensor, scale: Tensor) -> Tensor:
    """Return the symmetric contrastive loss (InfoNCE) with all texts of a settlement as positives of its image.

    `images` (b, d), `texts` (v, d), `owners` (v,) into images; every other image or text of the batch is a negative.
    Several texts of one settlement are positives of one another too, each held against one image's competitors.
    """
    logits = scale * images @ texts.T
    own = owners[None, :] == torch.arange(len(images), device=images.device)[:, None]
    to_image = functional.cross_entropy(logits.T, owners)
    # Of an image's own texts each is held against the texts of others, not against its sisters.
    others = logits.masked_fill(own, float("-inf")).logsumexp(dim=1)
    own_logits = logits[owners, torch.arange(len(texts), device=texts.device)]
    to_text = (torch.logaddexp(own_logits, others[owners]) - own_logits).mean()
    return (to_image + to_text) / 2


def soft_labels(recipe: LossRecipe, geometry: CellGeometry, cells: Tensor, points: Tensor) -> Tensor:
    """Return target distributions (n, n_cells): one-hot, or falling off with distance from the true place.

    With `label_km` half of the mass stays on the true cell; the other half is spread over all cells by exp(-d / scale),
    d the distance from the place to a cell's middle, as Haas et al. (2023, PIGEON) smooth labels by haversine distance.
    """
    hot = functional.one_hot(cells, len(geometry.middles)).float()
    if recipe.label_km == 0:
        return hot
    return 0.5 * hot + 0.5 * torch.softmax(-geometry.distances_km(points) / recipe.label_km, dim=-1)


def coarse_log_probs(logs: Tensor, parents: Tensor, n_coarse: int) -> Tensor:
    """Return log probabilities (n, n_coarse) of coarse cells: those of the cells below them, summed."""
    peak = logs.amax(dim=-1, keepdim=True)
    sums = torch.zeros(len(logs), n_coarse, device=logs.device).index_add_(1, parents, (logs - peak).exp())
    return sums.clamp_min(1e-30).log() + peak
