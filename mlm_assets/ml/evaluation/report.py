"""The benchmark of a release: every figure of every model on the test items, as one object ready for JSON.

The paper's two tables (`retrieval`, `location`) come first, with `chance` and `gallery` of the same shape; the rest are
additions of ours. How a report is shown is the business of `tables` and `drawings`; where it is stored, that of assets.
"""

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import numpy as np

from mlm_assets.errors import Refused
from mlm_assets.ml.evaluation.breakdown import broken_down, groups
from mlm_assets.ml.evaluation.guards import Predictor, guard, verdicts
from mlm_assets.ml.evaluation.intervals import LEVEL, RESAMPLES, Outcome, compared, measured
from mlm_assets.ml.evaluation.leakage import Leaks, find_leaks, leak_report
from mlm_assets.ml.evaluation.location import Located
from mlm_assets.ml.evaluation.options import Options
from mlm_assets.ml.evaluation.paper import paper_figures
from mlm_assets.ml.evaluation.retrieval import Retrieved, chance_retrieval, full_retrieval, summed_over_languages
from mlm_assets.ml.evaluation.scoring import Scorer
from mlm_assets.ml.evaluation.splits import blocks
from mlm_assets.ml.evaluation.tables import markdown_tables, rows
from mlm_assets.ml.evaluation.views import Views, language_views, pooled_views, protocol_views, views_per_language
from mlm_assets.ml.material import TEST, TRAIN, Integers, Material
from mlm_assets.ml.predictions import Predictions

__all__ = ["evaluate", "markdown_tables", "rows"]

PAPER_SECTIONS: Final = ("retrieval", "location", "chance", "gallery")
_PLAIN: Final = Options()
_ADDITIONS: Final = ("full_gallery", "per_language", "pooled_views", "without_leaks", "breakdown")
_STEPS: Final = 5  # per model


def evaluate(
    material: Material,
    predictions: Mapping[str, Predictions],
    *,
    seed: int,
    blocked: tuple[Material, Predictions] | None = None,
    predict: Mapping[str, Predictor] | None = None,
    resamples: int = RESAMPLES,
    options: Options = _PLAIN,
    progress: Callable[[str], Any] | None = None,
) -> dict[str, Any]:
    """Return the report on models by name.

    Args:
        material: all splits; training items give chance, middles of cells, and leaks.
        predictions: of each model on test items; models are compared in pairs where their items are the same.
        seed: of galleries, resamples, shuffles.
        blocked: the material in another split (`splits.blocked_split`) and what a model trained on it says of its test
            items.
        predict: by model, what it says of the same items of another material; makes the guards stronger.
        resamples: how many an interval takes.
        options: faults of the original protocol, for the two tables of the paper.
        progress: told what is begun, one sentence a step.

    Raises:
        Refused: there are no test items, or vectors are not finite.
    """
    scorer = Scorer(material, seed, resamples)
    tell = _counter(progress, _STEPS * len(predictions) + 2 + (blocked is not None))
    report: dict[str, Any] = {"about": _about(scorer, predictions), **{section: {} for section in PAPER_SECTIONS}}
    report["paper"] = paper_figures(material.variant)
    tell("leakage between splits")
    gallery = np.unique(np.concatenate([np.asarray(said.items) for said in predictions.values()]))
    leaks = find_leaks(material, gallery, seed)
    models = {
        model: _evaluate_model(scorer, said, leaks, options, partial(tell, model))
        for model, said in predictions.items()
    }
    for section in PAPER_SECTIONS:
        report[section] = {model: one.scores[section] for model, one in models.items() if one.scores[section]}
    for section in _ADDITIONS:
        report[section] = {model: one.additions[section] for model, one in models.items() if one.additions[section]}
    report["leakage"] = leak_report(material, leaks)
    guarded = {}
    for model, said in predictions.items():
        tell(model, "with texts and images shuffled")
        guarded[model] = guard(material, said, seed=seed, predict=(predict or {}).get(model))
    report["guards"] = {"verdicts": verdicts(guarded), "models": guarded}
    tell("paired tests")
    report["paired"] = _paired(scorer, predictions, models)
    report["blocked"] = None
    if blocked is not None:
        tell("the spatially blocked split")
        report["blocked"] = _blocked(scorer, *blocked)
    return report


@dataclass(frozen=True)
class _Measured:
    """What was found of one model: its outcomes by the protocol and in the full gallery, and its parts of a report."""

    outcomes: dict[str, Retrieved | Located]
    full: dict[str, Retrieved]
    scores: dict[str, Any]
    additions: dict[str, Any]


def _evaluate_model(
    scorer: Scorer, said: Predictions, leaks: Leaks, options: Options, tell: Callable[[str], None]
) -> _Measured:
    tell("the protocol of the paper")
    views = protocol_views(scorer.material, said, by_counter=options.language_by_counter)
    if not len(views.items):
        raise Refused("No item of the predictions has both an image and a text; there is nothing to measure.")
    outcomes = scorer.outcomes(views)
    scores = scorer.scores(views.items, outcomes)
    if options.recall_summed_over_languages and _retrieves(views):
        summed = summed_over_languages(views_per_language(scorer.material, said, views), scorer.seed)
        scores["retrieval"] = {name: measured(one, scorer.seed, scorer.resamples) for name, one in summed.items()}
    clean = np.flatnonzero(~np.isin(views.items, leaks.items[leaks.is_leaking]))
    additions: dict[str, Any] = {"without_leaks": _section(scorer, views.only(clean))}
    tell("the full gallery")
    full = full_retrieval(views) if _retrieves(views) else {}
    additions["full_gallery"] = _full_gallery(scorer, full) if full else None
    everywhere = {name: one for name, one in outcomes.items() if isinstance(one, Located)} | full
    additions["breakdown"] = broken_down(groups(scorer.material, views.items), everywhere, scorer.seed)
    del views  # as large as the predictions
    tell("every language apart")
    additions["per_language"] = _per_language(scorer, said)
    tell("all views pooled")
    additions["pooled_views"] = _section(scorer, pooled_views(said))
    return _Measured(outcomes, full, scores, additions)


def _retrieves(views: Views) -> bool:
    return views.image_vectors is not None and views.text_vectors is not None


def _section(scorer: Scorer, views: Views) -> dict[str, Any] | None:
    """Return the four parts of a report for a choice of views; None where it holds no item."""
    return scorer.scores(views.items, scorer.outcomes(views)) if len(views.items) else None


def _full_gallery(scorer: Scorer, full: dict[str, Retrieved]) -> dict[str, Any]:
    size = next(iter(full.values())).gallery
    return {
        "retrieval": {name: measured(one, scorer.seed, scorer.resamples) for name, one in full.items()},
        "chance": {name: dict(chance_retrieval(size, size)) for name in full},
        "gallery": {name: {"items": size, "protocol_size": size, "draws": 1} for name in full},
    }


def _per_language(scorer: Scorer, said: Predictions) -> dict[str, Any]:
    found = {}
    for number, language in enumerate(scorer.material.languages):
        views = language_views(said, number)
        if not len(views.items):
            continue
        outcomes = scorer.outcomes(views)
        outcomes.pop("image", None)  # an image has no language
        found[language] = scorer.scores(views.items, outcomes)
    return found


def _paired(
    scorer: Scorer, predictions: Mapping[str, Predictions], models: Mapping[str, _Measured]
) -> list[dict[str, Any]]:
    """Return the comparison of each single-task model with each multitask one, by direction."""
    multitask = [model for model, one in models.items() if one.scores["retrieval"] and one.scores["location"]]
    found = []
    for single, multi in itertools.product(models, multitask):
        if single in multitask or not np.array_equal(predictions[single].items, predictions[multi].items):
            continue
        for section, name in (("protocol", "outcomes"), ("full_gallery", "full")):
            ours: dict[str, Outcome] = getattr(models[single], name)
            theirs: dict[str, Outcome] = getattr(models[multi], name)
            for direction, one in ours.items():
                figures = compared(one, theirs[direction], scorer.seed, scorer.resamples)
                about = {"single": single, "multitask": multi, "section": section, "direction": direction, "n": one.n}
                found.append({**about, "figures": figures})
    return found


def _blocked(scorer: Scorer, material: Material, said: Predictions) -> dict[str, Any] | None:
    other = Scorer(material, scorer.seed, scorer.resamples)
    tokens, block_of = blocks(material)
    of_test = block_of[said.items]
    section = _section(other, protocol_views(material, said))
    return section and {
        **section,
        "blocks": len(tokens),
        "test_blocks": len(np.unique(of_test)),
        "train_items": int((material.splits == TRAIN).sum()),
        "note": "Items in cells without training items cannot be right by cell; kilometres and retrieval tell more.",
    }


def _about(scorer: Scorer, predictions: Mapping[str, Predictions]) -> dict[str, Any]:
    material = scorer.material
    if not predictions or not any(len(said.items) for said in predictions.values()):
        raise Refused(f"There are no predictions of test items of {material.variant}; there is nothing to measure.")
    items: Integers = material.items(TEST)
    return {
        **{name: getattr(material, name) for name in ("release", "variant", "image_encoder", "text_encoder")},
        "languages": list(material.languages),
        "models": list(predictions),
        "settlements": len(material),
        "test_items": len(items),
        "cells": material.n_cells,
        "seed": scorer.seed,
        "resamples": scorer.resamples,
        "interval": LEVEL,
    }


def _counter(progress: Callable[[str], Any] | None, total: int) -> Callable[..., None]:
    numbers = itertools.count(1)

    def tell(*what: str) -> None:
        if progress is not None:
            progress(f"benchmark {next(numbers)} of {total}: {', '.join(what)}")

    return tell
