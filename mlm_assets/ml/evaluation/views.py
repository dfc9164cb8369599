"""Which views of a settlement are measured: the protocol's one image and one text, one language, or all of them pooled.

A choice is made from `Predictions`, which hold every view, so that a model speaks once and is measured in many ways.
Ranks and scores do not belong here.
"""

from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from mlm_assets.errors import Refused
from mlm_assets.identifiers import salted_fraction
from mlm_assets.ml.material import Floats, Integers, Material
from mlm_assets.ml.predictions import Predictions

_TEXT_SALT: Final = "mlm/protocol-text/1"


@dataclass(frozen=True)
class Views:
    """One image and one text of each item.

    Shapes: `items` (n,) numbers in the material; vectors (n, d) float32, None for a model without retrieval; log
    probabilities (n, n_cells) float32, None for one without location estimation.
    """

    items: Integers
    image_vectors: Floats | None
    text_vectors: Floats | None
    image_log_probs: Floats | None
    text_log_probs: Floats | None

    def only(self, positions: Integers) -> "Views":
        """Return the same for some of the items, by position (n_kept,)."""
        return Views(
            self.items[positions],
            *(
                None if part is None else part[positions]
                for part in (self.image_vectors, self.text_vectors, self.image_log_probs, self.text_log_probs)
            ),
        )

    def with_texts_of(self, order: Integers) -> "Views":
        """Return the items with the text of another: item i gets that of item `order[i]`."""
        other = self.only(order)
        return replace(self, text_vectors=other.text_vectors, text_log_probs=other.text_log_probs)

    def with_images_of(self, order: Integers) -> "Views":
        """Return the items with the image of another: item i gets that of item `order[i]`."""
        other = self.only(order)
        return replace(self, image_vectors=other.image_vectors, image_log_probs=other.image_log_probs)


def protocol_views(material: Material, predictions: Predictions, *, by_counter: bool = False) -> Views:
    """Return the paper's views: an item's first image, and its text in a language chosen by a hash of its QID.

    The original let a counter over all items choose the language, so that a result hung on the order of the file;
    `by_counter` does so. Items without an image or without a text are left out.

    Raises:
        Refused: a vector or a log probability is NaN, or a vector infinite.
    """
    _check_numbers(predictions)
    n = len(predictions.items)
    image_rows, n_images = _first_of(predictions.image_items, n)
    codes = np.argsort(np.argsort(np.asarray(material.languages)))[predictions.text_langs]
    by_language = np.lexsort((codes, predictions.text_items))
    starts, n_texts = _first_of(predictions.text_items[by_language], n)
    has_both = np.flatnonzero((n_images > 0) & (n_texts > 0))
    if by_counter:
        number = np.arange(n) % np.maximum(n_texts, 1)
    else:
        qids = material.qids[predictions.items]
        fractions = np.array([salted_fraction(_TEXT_SALT, str(qid)) for qid in qids], np.float64)
        number = (fractions * n_texts).astype(np.int64)
    chosen = (starts + number)[has_both]
    return _chosen(predictions, has_both, image_rows[has_both], by_language[chosen])


def language_views(predictions: Predictions, language: int) -> Views:
    """Return the first image and the first text in one language, for the items that have a text in it."""
    n = len(predictions.items)
    image_rows, n_images = _first_of(predictions.image_items, n)
    in_language = np.flatnonzero(predictions.text_langs == language)
    text_rows, n_texts = _first_of(predictions.text_items[in_language], n)
    has_both = np.flatnonzero((n_images > 0) & (n_texts > 0))
    return _chosen(predictions, has_both, image_rows[has_both], in_language[text_rows[has_both]])


def views_per_language(material: Material, predictions: Predictions, views: Views) -> list[Views]:
    """Return `views` once per language, with the texts in it where an item has one, for the same items throughout."""
    found = []
    for language in range(len(material.languages)):
        own = language_views(predictions, language)
        here = np.flatnonzero(np.isin(views.items, own.items))
        place = np.argsort(own.items)[np.searchsorted(np.sort(own.items), views.items[here])]
        replaced = views.only(np.arange(len(views.items)))
        for ours, theirs in (
            (replaced.text_vectors, own.text_vectors),
            (replaced.text_log_probs, own.text_log_probs),
        ):
            if ours is not None and theirs is not None:
                ours[here] = theirs[place]
        if len(here):
            found.append(replaced)
    return found


def pooled_views(predictions: Predictions) -> Views:
    """Return all views of an item as one: the mean of its unit vectors, at unit length, and of its log probabilities.

    A mean of log probabilities is one up to a constant per item, which no figure depends on.
    """
    n = len(predictions.items)
    n_images = np.bincount(predictions.image_items, minlength=n)
    n_texts = np.bincount(predictions.text_items, minlength=n)
    kept = np.flatnonzero((n_images > 0) & (n_texts > 0))
    return Views(
        predictions.items[kept],
        _pooled_vectors(predictions.image_vectors, predictions.image_items, n, kept),
        _pooled_vectors(predictions.text_vectors, predictions.text_items, n, kept),
        _pooled(predictions.image_log_probs, predictions.image_items, n, kept),
        _pooled(predictions.text_log_probs, predictions.text_items, n, kept),
    )


def _check_numbers(predictions: Predictions) -> None:
    for name in ("image_vectors", "text_vectors", "image_log_probs", "text_log_probs"):
        values: Floats | None = getattr(predictions, name)
        if values is None:
            continue
        # minus infinity is a probability of nought; in a vector it is a fault
        of_row = (
            values.max(axis=1, initial=0.0) if name.endswith("log_probs") else np.abs(values).max(axis=1, initial=0.0)
        )
        wrong = np.flatnonzero(~np.isfinite(of_row))
        if len(wrong):
            raise Refused(
                f"The {name.replace('_', ' ')} hold values that are not finite (row {wrong[0]}); nothing can be ranked "
                "by them. Look at the model's training curve, and train it again."
            )


def _first_of(items: Integers, n: int) -> tuple[Integers, Integers]:
    """Return where each of `n` items begins in an ascending list of positions, and how often it is listed."""
    counts = np.bincount(items, minlength=n).astype(np.int64)
    return np.concatenate([[0], np.cumsum(counts)[:-1]]).astype(np.int64), counts


def _chosen(predictions: Predictions, positions: Integers, image_rows: Integers, text_rows: Integers) -> Views:
    def rows_of(values: Floats | None, rows: Integers) -> Floats | None:
        return None if values is None else values[rows]

    return Views(
        predictions.items[positions],
        rows_of(predictions.image_vectors, image_rows),
        rows_of(predictions.text_vectors, text_rows),
        rows_of(predictions.image_log_probs, image_rows),
        rows_of(predictions.text_log_probs, text_rows),
    )


def _pooled(values: Floats | None, items: Integers, n: int, kept: Integers) -> Floats | None:
    if values is None:
        return None
    starts, counts = _first_of(items, n)
    sums = np.add.reduceat(values, starts[counts > 0], axis=0) if len(kept) else values[:0]
    every = np.cumsum(counts > 0) - 1
    pooled: Floats = sums[every[kept]] / counts[kept, None].astype(np.float32)
    return pooled


def _pooled_vectors(vectors: Floats | None, items: Integers, n: int, kept: Integers) -> Floats | None:
    means = _pooled(None if vectors is None else unit(vectors), items, n, kept)
    return None if means is None else unit(means)


def unit(vectors: Floats) -> Floats:
    """Return vectors (n, d) at unit length, float32; a vector of noughts stays one."""
    vectors = np.asarray(vectors, np.float32)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    scaled: Floats = vectors / np.where(lengths > 0, lengths, 1.0)
    return scaled
