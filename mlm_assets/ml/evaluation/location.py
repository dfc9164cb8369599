"""Location estimation: is the cell right, and how far off is its middle.

Weighted F1, precision and recall over cells as in the paper (they are scikit-learn's with `average="weighted"` and
`zero_division=0`, which a test holds; counted here so that hundreds of resamples cost one product), and what cells
hide: the error in kilometres. What a model is does not belong here.
"""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from mlm_assets.ml.evaluation.intervals import plain_number, weighted_means, weighted_medians
from mlm_assets.ml.material import TRAIN, Floats, Integers, Material

EARTH_RADIUS_KM: Final = 6371.0088
"""Mean radius of the Earth (IUGG)."""
FARTHEST_KM: Final = float(np.pi * EARTH_RADIUS_KM)
"""The error of a guess whose cell has no known place: the other side of the Earth."""
WITHIN_KM: Final = (1, 25, 200, 750, 2500)
"""Street, city, region, country, continent: the usual steps of photo geolocation."""
_TOP: Final = 5
_SIMULATIONS: Final = 50


@dataclass(frozen=True)
class Located:
    """The guesses for n items.

    Shapes: `truth`, `guess` (n,) cells; `is_in_top_5` (n,); `error_km` (n,) from the middle of the guessed cell.
    """

    truth: Integers
    guess: Integers
    is_in_top_5: Floats
    error_km: Floats

    @property
    def n(self) -> int:
        """Number of items."""
        return len(self.truth)

    def figures(self, weights: Floats) -> dict[str, Floats]:
        """Return the figures (w,) for `weights` (w, n).

        `f1`, `precision`, `recall` are weighted by how often a cell is true; `accuracy` is the share of right cells,
        `accuracy_top5` that of the true cell among the five most probable; `mean_km`, `median_km`, `within_25_km` ...
        are of the great circle between the guessed cell's middle and the settlement.
        """
        return {
            **self._class_figures(weights),
            "accuracy": weighted_means((self.truth == self.guess).astype(np.float32), weights),
            "accuracy_top5": weighted_means(self.is_in_top_5, weights),
            "mean_km": weighted_means(self.error_km, weights),
            "median_km": weighted_medians(self.error_km, weights),
            **{
                f"within_{km}_km": weighted_means((self.error_km <= km).astype(np.float32), weights) for km in WITHIN_KM
            },
        }

    def _class_figures(self, weights: Floats) -> dict[str, Floats]:
        classes, codes = np.unique(np.concatenate([self.truth, self.guess]), return_inverse=True)
        truth, guess = codes[: self.n], codes[self.n :]
        n_true = _sums(truth, weights, len(classes))
        n_guessed = _sums(guess, weights, len(classes))
        hits = _sums(np.where(truth == guess, truth, -1), weights, len(classes))
        share = n_true / n_true.sum(axis=0)
        found = {
            "f1": share * 2 * hits / np.maximum(n_true + n_guessed, 1),
            "precision": share * hits / np.maximum(n_guessed, 1),
            "recall": share * hits / np.maximum(n_true, 1),
        }
        return {name: values.sum(axis=0, dtype=np.float64) for name, values in found.items()}

    def joined(self, other: "Located") -> "Located":
        """Return the guesses of both."""
        names = ("truth", "guess", "is_in_top_5", "error_km")
        return Located(*(np.concatenate([getattr(self, name), getattr(other, name)]) for name in names))

    def only(self, positions: Integers) -> "Located":
        """Return the guesses for some items."""
        return Located(
            self.truth[positions], self.guess[positions], self.is_in_top_5[positions], self.error_km[positions]
        )


def located(material: Material, items: Integers, log_probs: Floats) -> Located:
    """Return the guesses for `items` (n,) of log probabilities (n, n_cells).

    Of equally probable cells the one with the lower number counts as more probable, whichever is true.
    """
    truth = material.cells[items].astype(np.int64)
    place = np.empty(len(items), np.int64)
    cells = np.arange(log_probs.shape[1])
    for start in range(0, len(items), 2048):
        part = slice(start, start + 2048)
        own = np.take_along_axis(log_probs[part], truth[part, None], axis=1)
        is_before = (log_probs[part] == own) & (cells < truth[part, None])
        place[part] = ((log_probs[part] > own) | is_before).sum(axis=1)
    guess = log_probs.argmax(axis=1).astype(np.int64) if len(items) else truth
    km = _errors_km(material, material.cell_centres(), items, guess)
    return Located(truth, guess, (place < _TOP).astype(np.float32), km)


def _errors_km(material: Material, centres: tuple[Floats, Floats], items: Integers, guess: Integers) -> Floats:
    """Return the distance (n,) in km from the middle of each guessed cell to its settlement."""
    lat, lon = centres
    km = great_circle_km(lat[guess], lon[guess], material.lat_deg[items], material.lon_deg[items])
    return np.where(np.isfinite(km), km, FARTHEST_KM)


def great_circle_km(lat_a: Floats, lon_a: Floats, lat_b: Floats, lon_b: Floats) -> Floats:
    """Return the distance in km between points in degrees on the sphere, by the haversine formula."""
    phi_a, phi_b = np.radians(lat_a), np.radians(lat_b)
    half = np.sin((phi_b - phi_a) / 2) ** 2
    half = half + np.cos(phi_a) * np.cos(phi_b) * np.sin(np.radians(np.subtract(lon_b, lon_a)) / 2) ** 2
    km: Floats = 2 * EARTH_RADIUS_KM * np.arcsin(np.sqrt(np.clip(half, 0.0, 1.0)))
    return km


def chance_location(material: Material, items: Integers, seed: int) -> dict[str, Any]:
    """Return what guesses without looking give, by what the training items say of cells.

    The figures are those of guessing each cell as often as it occurs in training: the mean of 50 rounds, with the ends
    of the interval that 95 % of them fall into; `accuracy_top5` gives five such guesses. `majority` holds the figures
    of always guessing the commonest cells. Without training items all cells are taken as equally common.
    """
    counts = np.bincount(material.cells[material.splits == TRAIN], minlength=material.n_cells).astype(np.float64)
    counts = counts if counts.any() else np.ones(material.n_cells)
    shares = counts / counts.sum()
    rng = np.random.default_rng([seed, len(items), material.n_cells])
    centres = material.cell_centres()
    rounds: dict[str, list[float]] = {}
    for _ in range(_SIMULATIONS):
        guesses = rng.choice(material.n_cells, (_TOP, len(items)), p=shares)
        for name, value in _plain_figures(material, centres, items, guesses).items():
            rounds.setdefault(name, []).append(value)
    found: dict[str, Any] = {}
    for name, values in rounds.items():
        low, high = np.quantile(values, (0.025, 0.975))
        found |= {name: plain_number(float(np.mean(values)))}
        found |= {f"{name}_low": plain_number(low), f"{name}_high": plain_number(high)}
    commonest = np.argsort(-shares, kind="stable")[:_TOP]
    majority = _plain_figures(material, centres, items, np.repeat(commonest[:, None], len(items), axis=1))
    return {**found, "majority": {name: plain_number(value) for name, value in majority.items()}}


def _plain_figures(
    material: Material, centres: tuple[Floats, Floats], items: Integers, guesses: Integers
) -> dict[str, float]:
    """Return the figures of `guesses` (up to 5, n), the first of which counts as the most probable."""
    truth = material.cells[items].astype(np.int64)
    is_in_top_5 = (guesses == truth).any(axis=0)
    outcome = Located(truth, guesses[0], is_in_top_5, _errors_km(material, centres, items, guesses[0]))
    figures = outcome.figures(np.ones((1, outcome.n), np.float32))
    return {name: float(value[0]) for name, value in figures.items()}


def _sums(codes: Integers, weights: Floats, n_classes: int) -> Floats:
    """Return the weight of each class in each weighting, (n_classes, w); codes below nought belong to none."""
    from scipy.sparse import csr_array

    of_class = np.flatnonzero(codes >= 0)
    ones = np.ones(len(of_class), np.float32)
    sums: Floats = csr_array((ones, (codes[of_class], of_class)), shape=(n_classes, len(codes))) @ weights.T
    return sums.astype(np.float64)
