"""Cross-modal retrieval as the paper measures it: median rank and recall in galleries of 500 random test items.

The paper (section 6) draws 500 test items ten times and averages. Scores are products of the vectors as the model
gives them, which is the cosine for every model but the one whose fault is to leave it out. Counting ranks is the
business of `ranking`.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np

from mlm_assets.ml.evaluation.intervals import Figures, plain_number, weighted_means, weighted_medians
from mlm_assets.ml.evaluation.ranking import Ranks, full_ranks
from mlm_assets.ml.evaluation.views import Views
from mlm_assets.ml.material import Floats, Integers

DIRECTIONS: Final = ("image_to_text", "text_to_image")
PROTOCOL_SIZE: Final = 500
PROTOCOL_DRAWS: Final = 10
RECALL_AT: Final = (1, 5, 10)
_SIMULATIONS: Final = 400
_NO_TIES: Final = np.zeros(1, np.int64)


@dataclass(frozen=True)
class Retrieved:
    """Ranks of `n` items in one or several galleries: per gallery the positions of its items, and their ranks.

    `recall_scale` is 1 unless the original's sum over languages is to be seen.
    """

    n: int
    draws: tuple[tuple[Integers, Ranks], ...]
    recall_scale: float = 1.0

    @property
    def gallery(self) -> int:
        """Number of items in a gallery."""
        return self.draws[0][1].gallery

    def figures(self, weights: Floats) -> dict[str, Floats]:
        """Return `medR` and `R@1`, `R@5`, `R@10` (w,), each averaged over the galleries, for `weights` (w, n)."""
        found: dict[str, list[Floats]] = {}
        for positions, ranks in self.draws:
            drawn = weights[:, positions]
            found.setdefault("medR", []).append(weighted_medians(ranks.expected, drawn))
            for k in RECALL_AT:
                found.setdefault(f"R@{k}", []).append(weighted_means(ranks.recall(k), drawn) * self.recall_scale)
        return {name: np.mean(values, axis=0) for name, values in found.items()}

    def joined(self, other: "Retrieved") -> "Retrieved":
        """Return the results on the items of both, gallery by gallery."""
        draws = []
        for (positions, ranks), (theirs, their_ranks) in zip(self.draws, other.draws, strict=True):
            better = np.concatenate([ranks.better, their_ranks.better])
            ties = np.concatenate([ranks.ties, their_ranks.ties])
            draws.append((np.concatenate([positions, theirs + self.n]), Ranks(better, ties, ranks.gallery)))
        return Retrieved(self.n + other.n, tuple(draws), self.recall_scale)

    def only(self, positions: Integers) -> "Retrieved":
        """Return the results of some queries in the one gallery that there is.

        Raises:
            ValueError: there are several galleries; an item is not in each of them.
        """
        if len(self.draws) != 1:
            raise ValueError("Only the results in one gallery can be taken apart.")
        return Retrieved(len(positions), ((np.arange(len(positions)), self.draws[0][1].only(positions)),))


def protocol_draws(n: int, seed: int) -> list[Integers]:
    """Return the galleries of the protocol: ten times 500 of `n` items without replacement, or all of them once."""
    if n <= PROTOCOL_SIZE:
        return [np.arange(n)]
    rng = np.random.default_rng([seed, n, PROTOCOL_SIZE])
    return [np.sort(rng.choice(n, PROTOCOL_SIZE, replace=False)) for _ in range(PROTOCOL_DRAWS)]


def protocol_retrieval(views: Views, seed: int) -> dict[str, Retrieved]:
    """Return the results of both directions by the paper's protocol.

    Raises:
        ValueError: the model knows no retrieval.
    """
    images, texts = _vectors(views)
    draws: dict[str, list[tuple[Integers, Ranks]]] = {direction: [] for direction in DIRECTIONS}
    for positions in protocol_draws(len(views.items), seed):
        for direction, ranks in zip(DIRECTIONS, full_ranks(images[positions], texts[positions]), strict=True):
            draws[direction].append((positions, ranks))
    return {direction: Retrieved(len(views.items), tuple(draws[direction])) for direction in DIRECTIONS}


def summed_over_languages(views: list[Views], seed: int) -> dict[str, Retrieved]:
    """Return the results with recall as the original had it: summed over the languages, one choice of views each.

    Raises:
        ValueError: the model knows no retrieval.
    """
    each = [protocol_retrieval(one, seed) for one in views]
    return {
        direction: Retrieved(
            each[0][direction].n, tuple(draw for one in each for draw in one[direction].draws), float(len(views))
        )
        for direction in DIRECTIONS
    }


def full_retrieval(views: Views) -> dict[str, Retrieved]:
    """Return the results of both directions with all items as one gallery.

    Raises:
        ValueError: the model knows no retrieval.
    """
    every = np.arange(len(views.items))
    both = full_ranks(*_vectors(views))
    return {
        direction: Retrieved(len(every), ((every, ranks),)) for direction, ranks in zip(DIRECTIONS, both, strict=True)
    }


@lru_cache(maxsize=256)
def chance_retrieval(items: int, gallery: int) -> Figures:
    """Return what scores at random give in galleries of `gallery` out of `items`: `medR`, `R@1`, `R@5`, `R@10`.

    A rank is then uniform from 1 to the size of the gallery: by symmetry the median is expected at (size + 1) / 2, and
    R@k is k / size. `_low` and `_high` are the ends of the interval that 95 % of such scores fall into, simulated by
    the protocol: an item has one place among all items, and in each gallery a rank that agrees with it.
    """
    rng = np.random.default_rng([items, gallery])
    draws = protocol_draws(items, 0) if gallery < items else [np.arange(items)]
    simulated: dict[str, list[float]] = {}
    for _ in range(_SIMULATIONS):
        better = rng.integers(0, items, items)
        results = [
            (draw, Ranks(_better_in_gallery(rng, better[draw], items, gallery), _NO_TIES, gallery)) for draw in draws
        ]
        for name, value in Retrieved(items, tuple(results)).figures(np.ones((1, items), np.float32)).items():
            simulated.setdefault(name, []).append(float(value[0]))
    expected = {"medR": (gallery + 1) / 2, **{f"R@{k}": min(1.0, k / gallery) for k in RECALL_AT}}
    found: Figures = {}
    for name, chance in expected.items():
        low, high = np.quantile(simulated[name], (0.025, 0.975))
        found |= {name: plain_number(chance), f"{name}_low": plain_number(low), f"{name}_high": plain_number(high)}
    return found


def _better_in_gallery(rng: np.random.Generator, better: Integers, items: int, gallery: int) -> Integers:
    """Return how many of a gallery drawn at random are among the `better` of all items."""
    if gallery == items:
        return better
    found: Integers = rng.hypergeometric(better, items - 1 - better, gallery - 1)
    return found


def _vectors(views: Views) -> tuple[Floats, Floats]:
    if views.image_vectors is None or views.text_vectors is None:
        raise ValueError("The model gives no vectors for retrieval.")
    return views.image_vectors, views.text_vectors
