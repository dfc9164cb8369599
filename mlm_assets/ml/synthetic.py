"""Material made up from a seed, with a relation between modalities and place that can be learnt.

For tests and measurements: any size and the paper's dimensions, without a dataset. Each cell has a direction in every
modality, each settlement one of its own; noise is added per vector. Real texts and pictures do not belong here.
"""

import numpy as np

from mlm_assets.ml.material import TEST, TRAIN, VALIDATION, Floats, Integers, Material, Ragged, ragged

LANGUAGES = ("en", "de", "fr")


def synthetic_material(
    n: int,
    *,
    n_cells: int = 12,
    image_dimension: int = 64,
    text_dimension: int = 48,
    noise: float = 0.3,
    images_per_item: float = 1.4,
    seed: int = 1,
    variant: str = "mlm_irle",
) -> Material:
    """Return `n` settlements in `n_cells` clusters on the sphere; splits 80, 10, 10 % in a fixed shuffle.

    Settlements have one to three images, one to three texts and one to two classes; `noise` is the standard deviation
    of a vector around what its settlement has in common (1.0 in length).
    """
    rng = np.random.default_rng(seed)
    cells = np.sort(rng.integers(0, n_cells, n)).astype(np.int32)
    cells[: min(n, n_cells)] = np.arange(min(n, n_cells))
    middles = np.stack([rng.uniform(-55, 65, n_cells), rng.uniform(-180, 180, n_cells)], axis=1)
    places = middles[cells] + rng.normal(0, 1.0, (n, 2))
    splits = np.full(n, TRAIN, np.int8)
    order = rng.permutation(n)
    splits[order[: max(1, n // 10)]] = TEST
    splits[order[max(1, n // 10) : 2 * max(1, n // 10)]] = VALIDATION
    images_each = 1 + rng.binomial(2, (images_per_item - 1) / 2, n)
    texts_each = rng.integers(1, len(LANGUAGES) + 1, n)
    latent = _rows(rng, n, 32)
    latent += 1.5 * _rows(rng, n_cells, 32)[cells]
    names = np.array([f"Q{number}" for number in range(1, n + 1)])
    n_classes = max(2, n // 40)
    class_of = [sorted({int(cell), int(extra)} & set(range(n_classes))) or [0] for cell, extra in
                zip(cells % n_classes, rng.integers(0, n_classes, n), strict=True)]  # fmt: skip
    return Material(
        "synthetic", variant, f"synthetic-{image_dimension}", f"synthetic-{text_dimension}", LANGUAGES,
        tuple(f"cell-{number}" for number in range(n_cells)),
        names, np.clip(places[:, 0], -89, 89), (places[:, 1] + 180) % 360 - 180, cells, splits,
        np.array([f"C{cell % 7}" for cell in cells]),
        _seen(rng, latent, images_each, image_dimension, noise, "image"),
        _seen(rng, latent, texts_each, text_dimension, noise, "text"),
        np.concatenate([np.sort(rng.permutation(len(LANGUAGES))[:k]) for k in texts_each]).astype(np.int8),
        ragged(_rows(rng, n_classes, text_dimension).astype(np.float16), class_of,
               [f"class-{number}" for number in range(n_classes)]),
    )  # fmt: skip


def _seen(rng: np.random.Generator, latent: Floats, each: Integers, dimension: int, noise: float, name: str) -> Ragged:
    """Return several noisy views of each latent row, through one random projection, in chunks to bound memory."""
    projection = rng.normal(0, 1, (latent.shape[1], dimension)).astype(np.float32) / np.sqrt(latent.shape[1])
    owner = np.repeat(np.arange(len(each)), each)
    matrix = np.empty((len(owner), dimension), np.float16)
    for start in range(0, len(owner), 16384):
        part = latent[owner[start : start + 16384]] @ projection
        matrix[start : start + 16384] = part + noise * rng.standard_normal(part.shape, np.float32)
    offsets = np.concatenate([[0], np.cumsum(each)])
    per_item = [range(offsets[number], offsets[number + 1]) for number in range(len(each))]
    return ragged(matrix, per_item, [f"{name}-{number}" for number in range(len(owner))])


def _rows(rng: np.random.Generator, n: int, dimension: int) -> Floats:
    rows = rng.standard_normal((n, dimension), np.float32)
    unit: Floats = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return unit
