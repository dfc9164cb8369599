"""Material whose vectors can be compared across modalities as they are, and models that look at it, or cheat."""

from dataclasses import replace

import numpy as np

from mlm_assets.ml.evaluation.views import unit
from mlm_assets.ml.material import TEST, Floats, Integers, Material, Ragged
from mlm_assets.ml.predictions import Predictions
from mlm_assets.ml.synthetic import synthetic_material

DIMENSION = 48


def world(n: int, *, noise: float = 0.05, n_cells: int = 8, seed: int = 1) -> Material:
    """Return settlements whose images and texts are the same vector plus noise, near the vector of their cell."""
    material = synthetic_material(n, n_cells=n_cells, image_dimension=DIMENSION, text_dimension=DIMENSION, seed=seed)
    rng = np.random.default_rng(seed)
    own = 0.3 * rng.standard_normal((n, DIMENSION)) + cell_vectors(material)[material.cells]
    return replace(
        material, images=_seen(material.images, own, noise, rng), texts=_seen(material.texts, own, noise, rng)
    )


def _seen(vectors: Ragged, own: Floats, noise: float, rng: np.random.Generator) -> Ragged:
    owners = np.repeat(np.arange(len(own)), vectors.counts)
    matrix = np.asarray(vectors.matrix, np.float32).copy()
    matrix[vectors.rows] = own[owners] + noise * rng.standard_normal((len(owners), DIMENSION))
    return replace(vectors, matrix=matrix.astype(np.float16))


def cell_vectors(material: Material) -> Floats:
    return np.random.default_rng(7).standard_normal((material.n_cells, DIMENSION)).astype(np.float32)


def honest(material: Material, *, retrieves: bool = True, locates: bool = True) -> Predictions:
    """Return what a model says that only looks at the vectors that it is shown."""
    sides = [_of_side(material, vectors, retrieves, locates) for vectors in (material.images, material.texts)]
    return _predictions(material, sides)


def _of_side(
    material: Material, vectors: Ragged, retrieves: bool, locates: bool
) -> tuple[Integers, Floats | None, Floats | None]:
    items = material.items(TEST)
    rows = np.concatenate([vectors.of(int(item)) for item in items])
    shown = unit(np.asarray(vectors.matrix[rows], np.float32))
    log_probs = log_softmax(10 * shown @ unit(cell_vectors(material)).T)
    owners = np.repeat(np.arange(len(items)), vectors.counts[items])
    return owners, shown if retrieves else None, log_probs if locates else None


def cheating(material: Material) -> Predictions:
    """Return what a model says that knows a settlement by its number, whatever it is shown."""
    items = material.items(TEST)
    known = unit(np.random.default_rng(3).standard_normal((len(material), DIMENSION)))
    log_probs = log_softmax(9.0 * np.eye(material.n_cells, dtype=np.float32)[material.cells])
    sides = []
    for vectors in (material.images, material.texts):
        owners = np.repeat(np.arange(len(items)), vectors.counts[items])
        sides.append((owners, known[items][owners], log_probs[items][owners]))
    return _predictions(material, sides)


def constant(material: Material) -> Predictions:
    """Return what a model says that says the same of everything."""
    said = honest(material)
    return replace(
        said,
        image_vectors=np.full_like(said.image_vectors, DIMENSION**-0.5),
        text_vectors=np.full_like(said.text_vectors, DIMENSION**-0.5),
        image_log_probs=np.full_like(said.image_log_probs, -np.log(material.n_cells)),
        text_log_probs=np.full_like(said.text_log_probs, -np.log(material.n_cells)),
    )


def blind(material: Material, seed: int = 5) -> Predictions:
    """Return what an untrained model says: vectors and probabilities at random."""
    said, rng = honest(material), np.random.default_rng(seed)
    return replace(
        said,
        image_vectors=unit(rng.standard_normal(said.image_vectors.shape)),
        text_vectors=unit(rng.standard_normal(said.text_vectors.shape)),
        image_log_probs=log_softmax(rng.standard_normal(said.image_log_probs.shape)),
        text_log_probs=log_softmax(rng.standard_normal(said.text_log_probs.shape)),
    )


def log_softmax(scores: Floats) -> Floats:
    scores = np.asarray(scores, np.float32)
    return scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))


def _predictions(material: Material, sides: list[tuple[Integers, Floats | None, Floats | None]]) -> Predictions:
    items = material.items(TEST)
    (image_items, *image), (text_items, *text) = sides
    return Predictions(items, image_items, *image, text_items, material.subset(items).text_langs.astype(int), *text)
