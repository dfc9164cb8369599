"""A guard against a benchmark that flatters: with texts, then images, shuffled, nothing may be left.

What chance is, is not taken from theory here but from the model's own scores: the true counterparts (or cells) are
dealt out anew 999 times, and the figure must not be better than the best of them. So a gallery that favours some items,
ties, and the distribution of labels are all accounted for.

With a `Predictor` the shuffled material goes through the model again; only that can catch a model that knows
settlements by something else than what it is shown. Without one the predictions change hands, which tests the
measuring alone.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

import numpy as np

from mlm_assets.ml.evaluation.intervals import plain_number
from mlm_assets.ml.evaluation.location import Located, located
from mlm_assets.ml.evaluation.ranking import Ranks, rank_table
from mlm_assets.ml.evaluation.retrieval import DIRECTIONS, PROTOCOL_SIZE, RECALL_AT, protocol_draws
from mlm_assets.ml.evaluation.views import Views, protocol_views
from mlm_assets.ml.material import Floats, Integers, Material, entries_of
from mlm_assets.ml.predictions import Predictions

Predictor = Callable[[Material], Predictions]
"""What a model says of the same items of another material."""

SHUFFLES: Final = ("texts", "images")
DEALS: Final = 999
FEWEST: Final = 8
"""With fewer items even a perfect score is within what chance can do."""


def guard(
    material: Material, predictions: Predictions, *, seed: int, predict: Predictor | None = None
) -> dict[str, Any]:
    """Return whether scores fall to chance when texts, then images, are shuffled between settlements.

    Per shuffle and direction each figure has `value` (shuffled), `original`, `chance` (the mean of 999 random deals),
    `low` and `high` (their extremes), `p` (the share of deals at least as good) and `passed`: not better than the best
    deal, which an honest model fails once in a thousand. `passed` of the whole is None with fewer than eight items.
    Retrieval is measured in one gallery of the protocol.
    """
    views = protocol_views(material, predictions)
    order = derangement(len(views.items), seed)
    about: dict[str, Any] = {"mode": "predicted again" if predict else "predictions exchanged", "n": len(views.items)}
    if order is None or len(views.items) < FEWEST:
        return {**about, "passed": None, "reason": f"{len(views.items)} items are too few to tell"}
    found: dict[str, Any] = {}
    for shuffle in SHUFFLES:
        if predict is not None:
            shuffled = protocol_views(material, predict(shuffled_material(material, views.items, shuffle, order)))
        else:
            shuffled = views.with_texts_of(order) if shuffle == "texts" else views.with_images_of(order)
        found[shuffle] = _judged(material, views, shuffled, shuffle, seed)
    passed = [figure["passed"] for one in found.values() for figures in one.values() for figure in figures.values()]
    return {**about, "passed": all(passed), **found}


def verdicts(guarded: Mapping[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the verdict on every figure of every model: `what` was measured, and whether chance `holds`."""
    return [
        {"what": f"{model}, {shuffle} shuffled, {direction}, {figure}", "holds": one["passed"]}
        for model, found in guarded.items()
        for shuffle in SHUFFLES
        for direction, figures in found.get(shuffle, {}).items()
        for figure, one in figures.items()
    ]


def derangement(n: int, seed: int) -> Integers | None:
    """Return an order of `n` that leaves none in its place (one cycle through all); None where there is none."""
    if n < 2:
        return None
    cycle = np.random.default_rng([seed, n, 2]).permutation(n)
    order = np.empty(n, np.int64)
    order[cycle] = np.roll(cycle, 1)
    return order


def shuffled_material(material: Material, items: Integers, shuffle: str, order: Integers) -> Material:
    """Return the material where item `items[i]` has the texts (or images) of `items[order[i]]`.

    Classes go with the texts: models fuse the two, and a class says much about the place.
    """
    source = np.arange(len(material))
    source[items] = items[order]
    if shuffle == "images":
        return replace(material, images=material.images.take(source))
    langs = material.text_langs[entries_of(material.texts.offsets, source)]
    return replace(material, texts=material.texts.take(source), text_langs=langs, classes=material.classes.take(source))


def _judged(material: Material, views: Views, shuffled: Views, shuffle: str, seed: int) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if views.image_vectors is not None and views.text_vectors is not None:
        found |= _retrieval(views, shuffled, seed)
    source = shuffle.removesuffix("s")
    log_probs = f"{source}_log_probs"
    before, after = getattr(views, log_probs), getattr(shuffled, log_probs)
    if before is not None and after is not None:
        original, outcome = located(material, views.items, before), located(material, shuffled.items, after)
        found[source] = _location(original, outcome, seed)
    return found


def _retrieval(views: Views, shuffled: Views, seed: int) -> dict[str, Any]:
    gallery = protocol_draws(len(views.items), seed)[0][:PROTOCOL_SIZE]
    found = {}
    before, after = _scores(views, gallery), _scores(shuffled, gallery)
    for direction, original, scores in zip(DIRECTIONS, (before, before.T), (after, after.T), strict=True):
        own = np.arange(len(gallery))
        better, ties = rank_table(scores)
        rng = np.random.default_rng([seed, len(gallery), 3])
        dealt: dict[str, list[float]] = {}
        for _ in range(DEALS):
            deal = rng.permutation(len(gallery))
            for name, value in _rank_figures(better[own, deal], ties[own, deal]).items():
                dealt.setdefault(name, []).append(value)
        first_better, first_ties = rank_table(original)
        originals = _rank_figures(first_better[own, own], first_ties[own, own])
        values = _rank_figures(better[own, own], ties[own, own])
        found[direction] = {name: _verdict(name, values[name], originals[name], dealt[name]) for name in values}
    return found


def _scores(views: Views, gallery: Integers) -> Floats:
    part = views.only(gallery)
    scores: Floats = np.asarray(part.image_vectors) @ np.asarray(part.text_vectors).T
    return scores


def _rank_figures(better: Integers, ties: Integers) -> dict[str, float]:
    ranks = Ranks(better, ties, len(better))
    recalls = {f"R@{k}": float(ranks.recall(k).mean()) for k in RECALL_AT}
    return {"medR": float(np.median(ranks.expected)), **recalls}


def _location(original: Located, outcome: Located, seed: int) -> dict[str, Any]:
    rng = np.random.default_rng([seed, outcome.n, 4])
    gains = _f1_gains(outcome.truth, outcome.guess)
    dealt: dict[str, list[float]] = {"f1": [], "accuracy": []}
    for _ in range(DEALS):
        is_hit = outcome.guess == outcome.truth[rng.permutation(outcome.n)]
        dealt["f1"].append(float(gains[is_hit].sum()))
        dealt["accuracy"].append(float(is_hit.mean()))
    every = np.ones((1, outcome.n), np.float32)
    before, after = original.figures(every), outcome.figures(every)
    return {name: _verdict(name, float(after[name][0]), float(before[name][0]), dealt[name]) for name in dealt}


def _f1_gains(truth: Integers, guess: Integers) -> Floats:
    """Return what each guess adds to the weighted F1 if it is right, (n,).

    Dealing out labels anew changes neither how often a cell is true nor how often it is guessed, so F1 is a sum over
    right guesses.
    """
    n_true, n_guessed = np.bincount(truth, minlength=guess.max() + 1), np.bincount(guess, minlength=truth.max() + 1)
    gains: Floats = 2.0 * n_true[guess] / len(truth) / (n_true[guess] + n_guessed[guess])
    return gains


def _verdict(name: str, value: float, original: float, dealt: list[float]) -> dict[str, Any]:
    sign = -1.0 if name == "medR" else 1.0
    as_good = sign * np.asarray(dealt) >= sign * value - 1e-6
    return {
        "value": plain_number(value),
        "original": plain_number(original),
        "chance": plain_number(float(np.mean(dealt))),
        "low": plain_number(min(dealt)),
        "high": plain_number(max(dealt)),
        "p": plain_number((1 + as_good.sum()) / (1 + len(dealt))),
        "passed": bool(as_good.any()),
    }
