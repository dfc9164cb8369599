"""What test items share with items that a model has seen: images, texts, near duplicates, and places next door.

Seen are training and validation items, for the best epoch is chosen by the latter. Scores without the leaking items
are made in `report`.
"""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from mlm_assets.ml.evaluation.intervals import plain_number
from mlm_assets.ml.evaluation.location import EARTH_RADIUS_KM, great_circle_km
from mlm_assets.ml.evaluation.neighbours import nearest_above
from mlm_assets.ml.material import SPLITS, TRAIN, VALIDATION, Integers, Material, Ragged, entries_of

NEAR_COSINE: Final = 0.98
NEAR_KM: Final = 1.0
KINDS: Final = ("shared_images", "shared_texts", "near_images", "near_texts", "near_places")
_EXAMPLES: Final = 5


@dataclass(frozen=True)
class Leaks:
    """Which of n test items leak, by kind, and the seen item that each shares something with.

    Shapes: `other[kind]` (n,) number in the material, -1 where there is none; `evidence[kind]` (n,) the key that is
    shared, the cosine, or the distance in km.
    """

    items: Integers
    n_seen: int
    other: dict[str, Integers]
    evidence: dict[str, np.ndarray[Any, Any]]

    @property
    def is_leaking(self) -> np.ndarray[Any, Any]:
        """Whether an item leaks in any way, (n,)."""
        found: np.ndarray[Any, Any] = np.any([self.other[kind] >= 0 for kind in KINDS], axis=0)
        return found


def find_leaks(material: Material, items: Integers, seed: int = 0) -> Leaks:
    """Return what `items` (n,) share with training and validation items.

    `shared_images`, `shared_texts`: a vector with the same content key. `near_images`, `near_texts`: a feature vector
    at a cosine above 0.98, equal ones included; a text may be near one in another language. `near_places`: a
    settlement closer than 1 km.
    """
    is_seen = np.isin(material.splits, (TRAIN, VALIDATION))
    is_seen[items] = False
    seen = np.flatnonzero(is_seen)
    found: dict[str, tuple[Integers, Any]] = {}
    for name, vectors in (("images", material.images), ("texts", material.texts)):
        found[f"shared_{name}"] = _shared(vectors, items, seen)
        found[f"near_{name}"] = _near(vectors, items, seen, seed)
    found["near_places"] = _near_places(material, items, seen)
    other = {kind: found[kind][0] for kind in KINDS}
    return Leaks(items, len(seen), other, {kind: found[kind][1] for kind in KINDS})


def leak_report(material: Material, leaks: Leaks) -> dict[str, Any]:
    """Return counts by kind with a few examples each, ready for JSON."""
    n = len(leaks.items)
    by_kind = {}
    for kind in KINDS:
        leaking = np.flatnonzero(leaks.other[kind] >= 0)
        partner_splits = material.splits[leaks.other[kind][leaking]]
        by_kind[kind] = {
            "items": len(leaking),
            "share": plain_number(len(leaking) / n) if n else None,
            "with": {SPLITS[split]: int((partner_splits == split).sum()) for split in (TRAIN, VALIDATION)},
            "examples": [_example(material, leaks, kind, int(position)) for position in leaking[:_EXAMPLES]],
        }
    return {
        "items": n,
        "seen_items": leaks.n_seen,
        "leaking_items": int(leaks.is_leaking.sum()),
        "near_cosine": NEAR_COSINE,
        "near_km": NEAR_KM,
        **by_kind,
    }


def _example(material: Material, leaks: Leaks, kind: str, position: int) -> dict[str, Any]:
    other = int(leaks.other[kind][position])
    evidence = leaks.evidence[kind][position]
    name = "key" if kind.startswith("shared") else "distance_km" if kind == "near_places" else "cosine"
    return {
        "qid": str(material.qids[leaks.items[position]]),
        "other_qid": str(material.qids[other]),
        "other_split": SPLITS[int(material.splits[other])],
        name: str(evidence) if name == "key" else plain_number(evidence),
    }


def _entries(vectors: Ragged, items: Integers) -> tuple[Integers, Integers]:
    """Return the rows of all vectors of `items`, and to which position in `items` each belongs."""
    return vectors.rows[entries_of(vectors.offsets, items)], np.repeat(np.arange(len(items)), vectors.counts[items])


def _shared(vectors: Ragged, items: Integers, seen: Integers) -> tuple[Integers, Any]:
    rows, owners = _entries(vectors, items)
    seen_rows, seen_owners = _entries(vectors, seen)
    known, first = np.unique(vectors.keys[seen_rows], return_index=True)
    keys = vectors.keys[rows]
    place = np.minimum(np.searchsorted(known, keys), max(len(known) - 1, 0))
    is_shared = known[place] == keys if len(known) else np.zeros(len(keys), np.bool_)
    other, evidence = np.full(len(items), -1, np.int64), np.full(len(items), "", vectors.keys.dtype)
    at = np.flatnonzero(is_shared)[::-1]  # of several the first stays
    other[owners[at]], evidence[owners[at]] = seen[seen_owners[first[place[at]]]], keys[at]
    return other, evidence


def _near(vectors: Ragged, items: Integers, seen: Integers, seed: int) -> tuple[Integers, Any]:
    rows, owners = _entries(vectors, items)
    seen_rows, seen_owners = _entries(vectors, seen)
    known, first = np.unique(seen_rows, return_index=True)
    wanted, place = np.unique(rows, return_inverse=True)
    nearest = nearest_above(vectors.matrix[wanted], vectors.matrix[known], NEAR_COSINE, seed)
    cosines = nearest.cosine[place]
    other, evidence = np.full(len(items), -1, np.int64), np.zeros(len(items))
    at = np.argsort(cosines, kind="stable")
    at = at[cosines[at] > 0]  # of several the nearest is written last, and stays
    other[owners[at]] = seen[seen_owners[first[nearest.other[place[at]]]]]
    evidence[owners[at]] = cosines[at]
    return other, evidence


def _near_places(material: Material, items: Integers, seen: Integers) -> tuple[Integers, Any]:
    from scipy.spatial import cKDTree

    none, far = np.full(len(items), -1, np.int64), np.full(len(items), np.inf)
    if not len(seen) or not len(items):
        return none, far
    tree = cKDTree(_points(material, seen))
    _, nearest = tree.query(_points(material, items), k=1)
    km = great_circle_km(
        material.lat_deg[items],
        material.lon_deg[items],
        material.lat_deg[seen[nearest]],
        material.lon_deg[seen[nearest]],
    )
    return np.where(km < NEAR_KM, seen[nearest], -1), km


def _points(material: Material, items: Integers) -> np.ndarray[Any, Any]:
    """Return places in km from the middle of the Earth, (n, 3)."""
    lat, lon = np.radians(material.lat_deg[items]), np.radians(material.lon_deg[items])
    return EARTH_RADIUS_KM * np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)], axis=1)
