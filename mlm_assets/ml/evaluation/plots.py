"""Plots of a report: recall beside chance, how far guesses are off, where on Earth, and every language.

The look is that of `geo.plots`; figures are made there and in `report`, not here.
"""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from mlm_assets.geo import plots as style
from mlm_assets.ml.evaluation.location import WITHIN_KM, Located, located
from mlm_assets.ml.evaluation.retrieval import RECALL_AT
from mlm_assets.ml.evaluation.tables import NAMES
from mlm_assets.ml.evaluation.views import protocol_views
from mlm_assets.ml.material import Integers, Material
from mlm_assets.ml.predictions import Predictions

_KM_STEPS: Final = (*WITHIN_KM, np.inf)
_KM_COLOURS: Final = ("#1a7f5a", "#66a182", "#c9c24f", "#edae49", "#d1495b", "#6a1b3d")
_LEAST_KM: Final = 0.1  # the left end of a logarithmic axis


def plots(report: Mapping[str, Any], material: Material, predictions: Mapping[str, Predictions]) -> dict[str, bytes]:
    """Return PNGs by name: `recall`, `error_distance`, `error_map`, `per_language_recall`, `per_language_f1`.

    Those that no model has figures for are left out. The map shows the last model with location, from text.
    """
    found: dict[str, bytes] = {}
    if report["retrieval"]:
        found["recall"] = _recall(report)
    guesses = _guesses(material, predictions)
    if guesses:
        found["error_distance"] = _error_distance(guesses)
        model = next(reversed([name for name, _ in guesses]))
        items, outcome = guesses[model, "text"]
        found["error_map"] = _error_map(material, items, outcome, model)
    for name, section, figure in (("recall", "retrieval", "R@10"), ("f1", "location", "f1")):
        drawn = _per_language(report, section, figure)
        if drawn:
            found[f"per_language_{name}"] = drawn
    return found


def _guesses(
    material: Material, predictions: Mapping[str, Predictions]
) -> dict[tuple[str, str], tuple[Integers, Located]]:
    found = {}
    for model, said in predictions.items():
        if said.image_log_probs is None or said.text_log_probs is None:
            continue
        views = protocol_views(material, said)
        for source, log_probs in (("image", views.image_log_probs), ("text", views.text_log_probs)):
            assert log_probs is not None
            found[model, source] = (views.items, located(material, views.items, log_probs))
    return found


def _recall(report: Mapping[str, Any]) -> bytes:
    labels, values, chances = [], [], []
    for model, directions in report["retrieval"].items():
        for direction, figures in directions.items():
            for k in RECALL_AT:
                labels.append(f"{NAMES.get(model, model)}, {direction.replace('_', ' ')}, R@{k}")
                values.append(figures[f"R@{k}"] or 0.0)
                chances.append(report["chance"][model][direction][f"R@{k}"])
    sizes = {
        part["protocol_size"] for by in report["gallery"].values() for part in by.values() if "protocol_size" in part
    }
    gallery = " and ".join(str(size) for size in sorted(sizes))
    return style.bars_png(labels, values, f"Recall in galleries of {gallery} items", chances, "chance")


def _error_distance(guesses: Mapping[tuple[str, str], tuple[Integers, Located]]) -> bytes:
    figure, axes = style._canvas((7.2, 4.2), "How far off: share of items within a distance")
    for number, ((model, source), (_, outcome)) in enumerate(guesses.items()):
        km = np.sort(np.maximum(outcome.error_km, _LEAST_KM))
        share = np.arange(1, len(km) + 1) / max(len(km), 1)
        axes.plot(
            km, share, drawstyle="steps-post", color=style._COLOURS[number % len(style._COLOURS)], linewidth=1.6,
            label=f"{NAMES.get(model, model)}, from {source}  (median {np.median(km):,.0f} km)",
        )  # fmt: skip
    axes.set_xscale("log")
    axes.set_ylim(0, 1)
    for km_step in WITHIN_KM:
        axes.axvline(km_step, color=style._GRID, linewidth=0.8, zorder=0)
    axes.set_xticks(WITHIN_KM, [f"{km_step:,}" for km_step in WITHIN_KM])
    axes.minorticks_off()
    axes.set_xlabel("km between the middle of the guessed cell and the settlement", color=style._INK)
    axes.legend(loc="upper left", frameon=False, fontsize=8, labelcolor=style._INK)
    return style._png(figure)


def _error_map(material: Material, items: Integers, outcome: Located, model: str) -> bytes:
    lat, lon = np.asarray(material.lat_deg[items], np.float64), np.asarray(material.lon_deg[items], np.float64)
    title = f"Error of {NAMES.get(model, model)} from text  ({len(items):,} test items)"
    figure, axes = style._canvas(style._MAP_INCHES, title)
    style._graticule(axes, lat, lon)
    step_of = np.searchsorted(WITHIN_KM, outcome.error_km)
    for step in range(len(_KM_STEPS)):  # the worst are drawn last, and seen
        here = step_of == step
        bound = f"within {_KM_STEPS[step]:,} km" if step < len(WITHIN_KM) else f"over {WITHIN_KM[-1]:,} km"
        axes.scatter(
            lon[here],
            lat[here],
            color=_KM_COLOURS[step],
            label=f"{bound}  ({int(here.sum()):,})",
            **style._dots(len(items)),
        )
    legend = axes.legend(loc="lower left", fontsize=8, framealpha=0.9, edgecolor=style._GRID, labelcolor=style._INK)
    for handle in legend.legend_handles:
        if handle is not None and hasattr(handle, "set_sizes"):
            handle.set_sizes([30])
    return style._png(figure)


def _per_language(report: Mapping[str, Any], section: str, figure: str) -> bytes | None:
    labels, values, chances = [], [], []
    for model, languages in report["per_language"].items():
        for language, part in languages.items():
            for direction, figures in part[section].items():
                labels.append(
                    f"{language}, {NAMES.get(model, model)}, {direction.replace('_', ' ')} (n = {figures['n']:,})"
                )
                values.append(figures[figure] or 0.0)
                chances.append(part["chance"][direction][figure])
    if not labels:
        return None
    title = f"{'R@10' if section == 'retrieval' else 'F1'} by language of the text"
    return style.bars_png(labels, values, title, chances, "chance")
