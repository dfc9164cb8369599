"""The figures of tables 3 and 4 of the paper (Armitage et al., CIKM 2020), to stand beside ours.

Only figures that the project's sources state; whatever they do not state is None and shown as a dash, never guessed.
The retrieval figures are given "both directions" without names: the first is taken as image to text. They are median
ranks in galleries of 500 random test items, averaged over ten; F1 is weighted over cells.
"""

from typing import Any, Final

_RETRIEVAL: Final = {
    "mlm_irle": {"ir_model": (43.1, 32.5), "mtl_model": (19.9, 11.9)},
    "mlm_irle_gr": {"ir_model": (53.6, 43.2), "mtl_model": (27.9, 21.8)},
}
_LOCATION_F1: Final = {
    "mlm_irle": {"le_model": (None, None), "mtl_model": (0.15, 0.58)},
    "mlm_irle_gr": {"le_model": (None, None), "mtl_model": (0.25, 0.67)},
}


def paper_figures(variant: str) -> dict[str, Any]:
    """Return the paper's figures for a variant, in the shape of a report: `retrieval` and `location`, each
    `[model][direction][figure]`; empty for a variant that the paper has no models of.
    """
    retrieval = {
        model: {
            direction: {"medR": value, "R@1": None, "R@5": None, "R@10": None}
            for direction, value in zip(("image_to_text", "text_to_image"), both, strict=True)
        }
        for model, both in _RETRIEVAL.get(variant, {}).items()
    }
    location = {
        model: {
            source: {"f1": value, "precision": None, "recall": None}
            for source, value in zip(("image", "text"), both, strict=True)
        }
        for model, both in _LOCATION_F1.get(variant, {}).items()
    }
    return {"retrieval": retrieval, "location": location}
