"""From a trained model to what it says: predictions for a gallery, vectors for a query."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mlm_assets.errors import Refused
from mlm_assets.ml.checkpoint import load_tensors
from mlm_assets.ml.device import Device
from mlm_assets.ml.material import Floats, Integers, Material
from mlm_assets.ml.model import Irle, shape_of
from mlm_assets.ml.predictions import Predictions
from mlm_assets.ml.recipe import Recipe, parse_recipe
from mlm_assets.ml.sampling import Sampler

_VIEWS_AT_ONCE = 2048


@dataclass(frozen=True)
class Trained:
    """A finished model with what it was made from (`about`: recipe, task, encoders, dimensions, cells, seed)."""

    model: Irle
    about: dict[str, Any]

    @property
    def recipe(self) -> Recipe:
        """The recipe that it was trained by."""
        return parse_recipe(self.about["recipe"], "of the model")


def load_trained(path: Path) -> Trained:
    """Return the model of a `model.safetensors`.

    Raises:
        Refused: it is no checkpoint, or not one of ours.
    """
    tensors, about = load_tensors(path)
    if not {"recipe", "task", "shape"} <= set(about):
        raise Refused(f"{path} says nothing of the model that it belongs to; it was not written by `mlm train`.")
    model = Irle(parse_recipe(about["recipe"], str(path)), about["task"], **about["shape"])
    try:
        model.load_state_dict(tensors)
    except RuntimeError as error:
        raise Refused(f"{path} does not hold the weights that its own description asks for.") from error
    return Trained(model.eval(), about)


def check_fits(trained: Trained, material: Material) -> None:
    """Check that a model may be used on a material.

    Raises:
        Refused: other encoders, dimensions, or cells.
    """
    about = trained.about
    for modality in ("image", "text"):
        encoder = getattr(material, f"{modality}_encoder")
        if about[f"{modality}_encoder"] != encoder:
            raise Refused(
                f"The model was trained on {modality} features of {about[f'{modality}_encoder']}, "
                f"these are of {encoder}. "
                "Train it again, or set the encoder that it was trained on."
            )
    shape = shape_of(material)
    if about["shape"] != shape:
        wrong = ", ".join(
            f"{name} {about['shape'][name]} and {n}" for name, n in shape.items() if about["shape"][name] != n
        )
        raise Refused(f"The model does not fit the features: {wrong}. Train it again on this release.")
    if trained.about["task"] != "ir" and tuple(about["cell_tokens"]) != material.cell_tokens:
        raise Refused("The model was trained on other geo-cells than this release has. Train it again on this release.")


def predict(model: Irle, material: Material, items: Integers, recipe: Recipe, device: Device) -> Predictions:
    """Return what a model says of all views of `items` (numbers in the material, in the order given).

    Texts are fused with the mean of their settlement's class vectors, or with its first class where the recipe trains
    with one class at a time.
    """
    model = model.to(device.torch).eval()
    with torch.inference_mode(), device.autocast():
        return _predictions(model, material.subset(items), items, recipe, device)


def _predictions(model: Irle, part: Material, items: Integers, recipe: Recipe, device: Device) -> Predictions:
    # A gallery is looked at once: its matrices are not worth a place on the device beside those that are trained on.
    sampler = Sampler(part, np.arange(len(part)), recipe, device.torch, may_keep=False)
    image_items = np.repeat(np.arange(len(part)), part.images.counts)
    text_items = np.repeat(np.arange(len(part)), part.texts.counts)
    images = [
        _said(model, model.embed_images(_features(part.images.matrix, part.images.rows[chunk], device)))
        for chunk in _chunks(len(image_items))
    ]
    texts = [
        _said(
            model,
            model.embed_texts(
                _features(part.texts.matrix, part.texts.rows[chunk], device),
                class_features(sampler, part, text_items[chunk], recipe),
            ),
        )
        for chunk in _chunks(len(text_items))
    ]
    image_vectors, image_logs = _joined(images, model.task)
    text_vectors, text_logs = _joined(texts, model.task)
    return Predictions(
        items,
        image_items,
        image_vectors,
        image_logs,
        text_items,
        part.text_langs.astype(np.int64),
        text_vectors,
        text_logs,
    )


def class_features(sampler: Sampler, part: Material, items: Integers, recipe: Recipe) -> Tensor:
    """Return the class features (n, d_class) that texts of `items` are fused with outside training."""
    if recipe.views.classes == "mean":
        return sampler.mean_classes(items)
    rows = part.classes.rows[part.classes.offsets[items]]
    return torch.from_numpy(np.asarray(part.classes.matrix[rows], np.float32)).to(sampler.device)


def _features(matrix: Floats, rows: Integers, device: Device) -> Tensor:
    return torch.from_numpy(np.asarray(matrix[rows], np.float32)).to(device.torch)


def _said(model: Irle, vectors: Tensor) -> tuple[Floats, Floats | None]:
    logs = torch.log_softmax(model.location(vectors).float(), dim=-1) if model.location is not None else None
    return vectors.float().cpu().numpy(), logs.cpu().numpy() if logs is not None else None


def _joined(parts: list[tuple[Floats, Floats | None]], task: str) -> tuple[Floats | None, Floats | None]:
    vectors = np.concatenate([part[0] for part in parts]) if task != "le" else None
    logs = np.concatenate([part[1] for part in parts if part[1] is not None]) if task != "ir" else None
    return vectors, logs


def _chunks(n: int) -> Iterator[slice]:
    for start in range(0, n, _VIEWS_AT_ONCE):
        yield slice(start, start + _VIEWS_AT_ONCE)
