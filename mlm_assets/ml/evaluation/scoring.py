"""The figures of one model on one choice of views, with chance and gallery: what sections of a report are made of.

Which views and which items is decided in `report`.
"""

from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from mlm_assets.ml.evaluation.intervals import measured
from mlm_assets.ml.evaluation.location import Located, chance_location, located
from mlm_assets.ml.evaluation.retrieval import Retrieved, chance_retrieval, protocol_retrieval
from mlm_assets.ml.evaluation.views import Views
from mlm_assets.ml.material import TRAIN, Integers, Material

SOURCES: Final = ("image", "text")


@dataclass(frozen=True)
class Scorer:
    """What scores are made with: the material, a seed, and how many resamples an interval takes."""

    material: Material
    seed: int
    resamples: int
    _chances: dict[bytes, dict[str, Any]] = field(default_factory=dict)

    def outcomes(self, views: Views) -> dict[str, Retrieved | Located]:
        """Return what was achieved by direction: retrieval by the protocol, location from image and from text."""
        found: dict[str, Retrieved | Located] = {}
        if views.image_vectors is not None and views.text_vectors is not None:
            found |= protocol_retrieval(views, self.seed)
        for source in SOURCES:
            log_probs = getattr(views, f"{source}_log_probs")
            if log_probs is not None:
                found[source] = located(self.material, views.items, log_probs)
        return found

    def scores(self, items: Integers, outcomes: dict[str, Retrieved | Located]) -> dict[str, Any]:
        """Return `retrieval` and `location` by direction with intervals, and `chance` and `gallery` by direction."""
        found: dict[str, Any] = {"retrieval": {}, "location": {}, "chance": {}, "gallery": {}}
        for direction, outcome in outcomes.items():
            section = "retrieval" if isinstance(outcome, Retrieved) else "location"
            found[section][direction] = measured(outcome, self.seed, self.resamples)
            found["chance"][direction] = self._chance(items, outcome)
            found["gallery"][direction] = self._gallery(items, outcome)
        return found

    def _chance(self, items: Integers, outcome: Retrieved | Located) -> dict[str, Any]:
        if isinstance(outcome, Retrieved):
            return dict(chance_retrieval(outcome.n, outcome.gallery))
        key = items.tobytes()
        if key not in self._chances:
            self._chances[key] = chance_location(self.material, items, self.seed)
        return self._chances[key]

    def _gallery(self, items: Integers, outcome: Retrieved | Located) -> dict[str, int]:
        if isinstance(outcome, Retrieved):
            return {"items": outcome.n, "protocol_size": outcome.gallery, "draws": len(outcome.draws)}
        trained_cells = np.unique(self.material.cells[self.material.splits == TRAIN])
        unseen = ~np.isin(self.material.cells[items], trained_cells)
        return {"items": outcome.n, "cells": self.material.n_cells, "items_in_unseen_cells": int(unseen.sum())}
