"""The few figures that are looked at after every epoch, and the one that decides which epoch is kept.

Quick and without intervals; the benchmark proper is in `evaluation`.
"""

import numpy as np

from mlm_assets.ml.material import Floats, Integers, Material
from mlm_assets.ml.predictions import Predictions


def validation_figures(material: Material, said: Predictions) -> dict[str, float | None]:
    """Return median ranks, shares of located items, and `score`: the mean of what the task is judged by.

    Retrieval is judged by the mean reciprocal rank of both directions over the validation items, location by the share
    of items whose cell is right from the image and from the text. One view each: the first image, the first text.
    """
    first_image = np.searchsorted(said.image_items, np.arange(len(said.items)))
    first_text = np.searchsorted(said.text_items, np.arange(len(said.items)))
    figures: dict[str, float | None] = {}
    scores = []
    if said.image_vectors is not None and said.text_vectors is not None:
        similarity = said.image_vectors[first_image] @ said.text_vectors[first_text].T
        ranks = {"image_to_text": _ranks(similarity), "text_to_image": _ranks(similarity.T)}
        figures |= {f"median_rank_{direction}": float(np.median(one)) for direction, one in ranks.items()}
        scores.append(float(np.mean([(1 / one).mean() for one in ranks.values()])))
    if said.image_log_probs is not None and said.text_log_probs is not None:
        cells = material.cells[said.items]
        image, text = _share(said.image_log_probs[first_image], cells), _share(said.text_log_probs[first_text], cells)
        figures |= {"located_image": image, "located_text": text}
        scores.append((image + text) / 2)
    return {**figures, "score": float(np.mean(scores))}


def _ranks(similarity: Floats) -> Floats:
    """Return the rank of each row's own column; ties and NaN count against it: constant vectors win nothing."""
    own = np.diagonal(similarity)[:, None]
    ranks: Floats = (~(similarity < own)).sum(axis=1).astype(np.float64)
    return ranks


def _share(log_probs: Floats, cells: Integers) -> float:
    return float((log_probs.argmax(axis=1) == cells).mean())
