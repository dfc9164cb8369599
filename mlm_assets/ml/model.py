"""IR+LE, the multitask model of the paper (section 5): one network, three tasks by a switch.

Images, summaries and classes each pass a branch; summaries and classes are fused; images and fused texts meet in one
embedding (retrieval) and share one head over geo-cells (location estimation). The branches of the paper are LSTMs that
see sequences of length one. From a zero state such an LSTM never uses its forget gate nor its recurrent weights: it is
three gates of a linear map, and is kept as that (`ThreeGates`). Losses and training do not belong here.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from mlm_assets.ml.recipe import ModelRecipe, Recipe, Task


@dataclass(frozen=True)
class Outputs:
    """What the network says of a batch; None for what its task leaves out.

    Shapes: vectors (views, embedding), unit length; logits (views, n_cells). Texts have as many rows as text views.
    """

    image_vectors: Tensor | None
    text_vectors: Tensor | None
    image_logits: Tensor | None
    text_logits: Tensor | None


class ThreeGates(nn.Module):
    """An LSTM applied to one step from a zero state: h = sigmoid(o) * tanh(sigmoid(i) * tanh(g)), gates linear in x.

    With zero state the forget gate multiplies nothing and the recurrent weights meet zeros: for 3072 to 1024 it has
    9.4 M parameters where `nn.LSTM` has 16.8 M, and the same output.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        """Map (n, inputs) to (n, outputs)."""
        super().__init__()
        self.gates = nn.Linear(inputs, 3 * outputs)

    @classmethod
    def of(cls, lstm: nn.LSTM) -> "ThreeGates":
        """Return the gates of a one-layer, one-directional `nn.LSTM`, with its weights."""
        size = lstm.hidden_size
        made = cls(lstm.input_size, size)
        kept = torch.cat([torch.arange(size), torch.arange(2 * size, 4 * size)])  # torch orders them i, f, g, o
        with torch.no_grad():
            made.gates.weight.copy_(torch.as_tensor(lstm.weight_ih_l0)[kept])
            made.gates.bias.copy_((torch.as_tensor(lstm.bias_ih_l0) + torch.as_tensor(lstm.bias_hh_l0))[kept])
        return made

    def forward(self, x: Tensor) -> Tensor:
        """Return the hidden state after the one step."""
        i, g, o = self.gates(x).chunk(3, dim=-1)
        hidden: Tensor = torch.sigmoid(o) * torch.tanh(torch.sigmoid(i) * torch.tanh(g))
        return hidden


class Unit(nn.Module):
    """Scales rows to unit length."""

    def forward(self, x: Tensor) -> Tensor:
        """Return `x` with rows of length one, computed in float32."""
        return functional.normalize(x.float(), dim=-1)


def branch(recipe: ModelRecipe, inputs: int, first: nn.Module) -> nn.Sequential:
    """Return a branch: features (n, inputs) to unit vectors (n, embedding)."""
    layers: list[nn.Module] = [nn.LayerNorm(inputs)] if recipe.input_norm else []
    if recipe.branches == "gated":
        layers += [
            first, nn.ReLU(), nn.Dropout(recipe.dropout), nn.Linear(recipe.embedding, recipe.embedding), nn.Tanh(),
        ]  # fmt: skip
    else:
        layers += [
            nn.Linear(inputs, recipe.hidden), nn.GELU(), nn.Dropout(recipe.dropout),
            nn.Linear(recipe.hidden, recipe.embedding),
        ]  # fmt: skip
    return nn.Sequential(*layers, Unit())


class LocationHead(nn.Module):
    """The head over geo-cells that image and text share.

    Unit vectors of a thousand dimensions have tiny entries; `scale` brings them to the size that linear layers expect
    (entries of about one). The paper's head goes without.
    """

    def __init__(self, recipe: ModelRecipe, n_cells: int) -> None:
        """Map (n, embedding) to (n, n_cells)."""
        super().__init__()
        self.scale = 1.0 if recipe.branches == "gated" else recipe.embedding**0.5
        self.layers = nn.Sequential(
            nn.Linear(recipe.embedding, recipe.embedding), nn.ReLU(), nn.Dropout(recipe.dropout),
            nn.Linear(recipe.embedding, n_cells),
        )  # fmt: skip

    def forward(self, vectors: Tensor) -> Tensor:
        """Return the logits of the cells."""
        logits: Tensor = self.layers(vectors * self.scale)
        return logits


class Irle(nn.Module):
    """The network for a task: `ir` has no location head, `le` gives no retrieval vectors, `mtl` has both."""

    mean_class: Tensor

    def __init__(
        self,
        recipe: Recipe,
        task: Task,
        *,
        image_dimension: int,
        text_dimension: int,
        class_dimension: int,
        n_cells: int,
    ) -> None:
        """Build it with fresh weights from torch's random generator."""
        super().__init__()
        shape = recipe.model
        self.task = task
        self.image = branch(shape, image_dimension, nn.Linear(image_dimension, shape.embedding))
        self.summary = branch(shape, text_dimension, ThreeGates(text_dimension, shape.embedding))
        self.classes = branch(shape, class_dimension, ThreeGates(class_dimension, shape.embedding))
        self.fusion = nn.Linear(2 * shape.embedding, shape.embedding)
        self.unit: nn.Module = nn.Identity() if recipe.faults.dot_product_unnormalised else Unit()
        self.location = LocationHead(shape, n_cells) if task != "ir" else None
        # A text of which no class is known (`mlm predict --text`, class dropout) is given the mean class.
        self.register_buffer("mean_class", torch.zeros(class_dimension))

    def embed_images(self, images: Tensor) -> Tensor:
        """Return unit vectors (n, embedding) of image features (n, image_dimension)."""
        vectors: Tensor = self.image(images)
        return vectors

    def embed_texts(self, texts: Tensor, classes: Tensor, class_index: Tensor | None = None) -> Tensor:
        """Return vectors (n, embedding) of text features (n, text_dimension) fused with class features.

        `classes` (n, class_dimension), or (u, class_dimension) with `class_index` (n,) saying which each text has.
        """
        fused = self.fusion(torch.cat([self.summary(texts), self._embed_classes(classes, class_index)], dim=-1))
        vectors: Tensor = self.unit(fused)
        return vectors

    def _embed_classes(self, classes: Tensor, index: Tensor | None) -> Tensor:
        """Return unit vectors of classes; what comes before dropout, most of the work, is done once per class."""
        if index is None:
            embedded: Tensor = self.classes(classes)
            return embedded
        dropout = next(number for number, layer in enumerate(self.classes) if isinstance(layer, nn.Dropout))
        per_text: Tensor = self.classes[dropout:](self.classes[:dropout](classes)[index])
        return per_text

    def forward(self, images: Tensor, texts: Tensor, classes: Tensor, class_index: Tensor | None = None) -> Outputs:
        """Return what the task asks for, of (b, d_image), (v, d_text), and class features as `embed_texts` takes."""
        image_vectors, text_vectors = self.embed_images(images), self.embed_texts(texts, classes, class_index)
        image_logits = self.location(image_vectors) if self.location is not None else None
        text_logits = self.location(text_vectors) if self.location is not None else None
        if self.task == "le":
            return Outputs(None, None, image_logits, text_logits)
        return Outputs(image_vectors, text_vectors, image_logits, text_logits)


def n_parameters(module: nn.Module) -> int:
    """Return the number of trained parameters."""
    return sum(parameter.numel() for parameter in module.parameters())


def shape_of(material: Any) -> dict[str, int]:
    """Return the arguments of `Irle` that a material decides."""
    return {
        "image_dimension": material.images.dimension,
        "text_dimension": material.texts.dimension,
        "class_dimension": material.classes.dimension,
        "n_cells": material.n_cells,
    }
