"""Small recipes, materials and batches that the tests of models are made of."""

import dataclasses
from typing import Any

import numpy as np
import torch

from mlm_assets.ml.cells import CellGeometry
from mlm_assets.ml.device import Device
from mlm_assets.ml.losses import Objective
from mlm_assets.ml.material import TRAIN, Material, Ragged
from mlm_assets.ml.model import Irle, Outputs, shape_of
from mlm_assets.ml.recipe import Recipe, Task, load_recipe
from mlm_assets.ml.sampling import Batch, Sampler
from mlm_assets.ml.synthetic import synthetic_material
from mlm_assets.ml.training import Epoch

CPU = Device("cpu", "float32")
TIMES = ("duration_s", "items_per_s")


def small(name: str, **sections: dict[str, object]) -> Recipe:
    """Return a shipped recipe with a small network; as it is in everything that `sections` does not change."""
    shape: dict[str, object] = {"embedding": 32, "hidden": 32, **sections.pop("model", {})}
    training: dict[str, object] = {"batch": 16, "epochs": 6, "learning_rate": 2e-3, **sections.pop("training", {})}
    return load_recipe(name).changed(model=shape, training=training, **sections)


def world(n: int = 80, *, seed: int = 1, **more: Any) -> Material:
    """Return a small material; of 80 items 64 are for training."""
    sizes = {"n_cells": 5, "image_dimension": 24, "text_dimension": 16, **more}
    return synthetic_material(n, seed=seed, **sizes)


def numbered(material: Material) -> Material:
    """Return the material with each vector's row number as its first value: a batch tells what it was made of."""

    def marked(vectors: Ragged) -> Ragged:
        matrix = np.array(vectors.matrix)
        assert len(matrix) <= 2048, "float16 counts to 2048"
        matrix[:, 0] = np.arange(len(matrix))
        return dataclasses.replace(vectors, matrix=matrix)

    parts = {name: marked(getattr(material, name)) for name in ("images", "texts", "classes")}
    return dataclasses.replace(material, **parts)


def sampler_of(material: Material, recipe: Recipe, seed: int = 1) -> Sampler:
    """Return the sampler of the training items."""
    return Sampler(material, material.items(TRAIN), recipe, CPU.torch, seed=seed)


def parts_of(material: Material, recipe: Recipe, task: Task, seed: int = 1) -> tuple[Irle, Objective, Batch]:
    """Return a fresh network, its objective, and the first batch."""
    torch.manual_seed(seed)
    model = Irle(recipe, task, **shape_of(material))
    objective = Objective(recipe, task, CellGeometry(material, recipe.loss.hierarchy, CPU.torch))
    return model, objective, next(sampler_of(material, recipe, seed).epoch(0, recipe.training.batch))


def outputs_of(model: Irle, batch: Batch) -> Outputs:
    """Return what the network says of a batch."""
    outputs: Outputs = model(batch.images, batch.texts, batch.classes, batch.class_index)
    return outputs


def same_weights(one: torch.nn.Module, other: torch.nn.Module) -> bool:
    """Tell whether two networks have the same weights, bit for bit."""
    left, right = one.state_dict(), other.state_dict()
    return left.keys() == right.keys() and all(torch.equal(left[name], right[name]) for name in left)


def timeless(history: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the figures of epochs without those that a clock decides."""
    return [{name: value for name, value in row.items() if name not in TIMES} for row in history]


class Reports:
    """Remembers the epochs that a training reports."""

    def __init__(self) -> None:
        self.epochs: list[Epoch] = []

    def __call__(self, epoch: Epoch) -> None:
        self.epochs.append(epoch)

    @property
    def numbers(self) -> list[int]:
        """Numbers of the epochs, in the order they came."""
        return [epoch.number for epoch in self.epochs]
