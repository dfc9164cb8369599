"""The material that models are trained and measured on: feature vectors of settlements, ragged, memory-mapped.

A settlement has several images, several texts (one per language) and several classes. Vectors are stored once in a
float16 matrix per modality; `Ragged` says which rows belong to which settlement. A folder holds one material
(`save_material`, `open_material`); matrices are opened as memory maps, so that 219,000 settlements open in
milliseconds. Where the vectors come from does not belong here (`encoders`, `features`, `hdf5`).
"""

import hashlib
import json
import shutil
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from mlm_assets.errors import Refused

FORMAT: Final = 1
SPLITS: Final = ("train", "validation", "test")
TRAIN, VALIDATION, TEST = range(3)
UNKNOWN_LANGUAGE: Final = "und"
"""Language of a text whose language is not known (ISO 639-2), as in the published HDF5 files."""
_MODALITIES: Final = ("images", "texts", "classes")
_ARRAYS: Final = ("qids", "lat_deg", "lon_deg", "cells", "splits", "countries", "text_langs")

Floats = npt.NDArray[np.floating[Any]]
Integers = npt.NDArray[np.integer[Any]]


@dataclass(frozen=True)
class Ragged:
    """The vectors of one modality: item `i` has the rows `rows[offsets[i]:offsets[i + 1]]` of `matrix`.

    Shapes: `matrix` (n_vectors, dimension) float16, perhaps a memory map; `rows` (n_entries,) int64; `offsets`
    (n_items + 1,) int64; `keys` (n_vectors,) text, the content hash or name of each vector, used in messages and to
    find what items share.
    """

    matrix: Floats
    rows: Integers
    offsets: Integers
    keys: npt.NDArray[np.str_]

    @property
    def dimension(self) -> int:
        """Length of a vector."""
        return int(self.matrix.shape[1])

    @property
    def counts(self) -> Integers:
        """Number of vectors of each item, (n_items,)."""
        counts: Integers = np.diff(self.offsets)
        return counts

    def of(self, item: int) -> Integers:
        """Return the rows of one item."""
        rows: Integers = self.rows[self.offsets[item] : self.offsets[item + 1]]
        return rows

    def take(self, items: Integers) -> "Ragged":
        """Return the same for some items, in their order; the matrix is shared."""
        counts = self.counts[items]
        offsets = np.concatenate([[0], np.cumsum(counts)])
        return Ragged(self.matrix, self.rows[entries_of(self.offsets, items)], offsets, self.keys)


@dataclass(frozen=True)
class Material:
    """All settlements of one variant of one release with their vectors, in the order of `qids`.

    Shapes: `qids` (n,) text; `lat_deg`, `lon_deg` (n,) float64 degrees; `cells` (n,) int32, the number of the
    geo-cell; `splits` (n,) int8, an index into `SPLITS`; `countries` (n,) text, ISO 3166 code or empty;
    `text_langs` (entries of `texts`,) int8, an index into `languages`. `cell_tokens` names each cell: its S2 token, or
    any name where tokens are not known.
    """

    release: str
    variant: str
    image_encoder: str
    text_encoder: str
    languages: tuple[str, ...]
    cell_tokens: tuple[str, ...]
    qids: npt.NDArray[np.str_]
    lat_deg: Floats
    lon_deg: Floats
    cells: Integers
    splits: Integers
    countries: npt.NDArray[np.str_]
    images: Ragged
    texts: Ragged
    text_langs: Integers
    classes: Ragged

    def __len__(self) -> int:
        """Return the number of settlements."""
        return len(self.qids)

    @property
    def n_cells(self) -> int:
        """Number of geo-cells, the classes of location estimation."""
        return len(self.cell_tokens)

    def items(self, split: int) -> Integers:
        """Return the numbers of the items of a split (`TRAIN`, `VALIDATION`, `TEST`)."""
        found: Integers = np.flatnonzero(self.splits == split)
        return found

    def subset(self, items: Integers) -> "Material":
        """Return the material of some items, in their order; matrices and cells stay as they are."""
        langs = self.text_langs[entries_of(self.texts.offsets, items)]
        return Material(
            self.release, self.variant, self.image_encoder, self.text_encoder, self.languages, self.cell_tokens,
            self.qids[items], self.lat_deg[items], self.lon_deg[items], self.cells[items], self.splits[items],
            self.countries[items], self.images.take(items), self.texts.take(items), langs, self.classes.take(items),
        )  # fmt: skip

    def cell_centres(self) -> tuple[Floats, Floats]:
        """Return latitude and longitude of each cell's middle: the mean direction of its training items, in degrees.

        A cell without training items gets the mean of all its items; one without any gets NaN.
        """
        lat, lon = np.radians(self.lat_deg), np.radians(self.lon_deg)
        points = np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)])
        weights = np.where(self.splits == TRAIN, 1.0, 1e-9)
        x, y, z = (np.bincount(self.cells, weights * axis, self.n_cells) for axis in points)
        norm = np.sqrt(x**2 + y**2 + z**2)
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.degrees(np.arcsin(np.clip(z / norm, -1, 1))), np.where(
                norm > 0, np.degrees(np.arctan2(y, x)), np.nan
            )


def entries_of(offsets: Integers, items: Integers) -> Integers:
    """Return the positions in a ragged list of all entries of `items`, in their order."""
    counts = np.diff(offsets)[items]
    starts = np.repeat(offsets[items] - np.concatenate([[0], np.cumsum(counts)[:-1]]), counts)
    positions: Integers = starts + np.arange(counts.sum())
    return positions


def ragged(matrix: Floats, per_item: Sequence[Sequence[int]], keys: Sequence[str]) -> Ragged:
    """Return the ragged list of vectors where item `i` has the rows `per_item[i]`."""
    offsets = np.concatenate([[0], np.cumsum([len(rows) for rows in per_item])]).astype(np.int64)
    rows = np.fromiter((row for rows in per_item for row in rows), np.int64, int(offsets[-1]))
    return Ragged(matrix, rows, offsets, np.asarray(keys, dtype=np.str_))


def untrainable(material: Material) -> str | None:
    """Return why nothing can be learnt or measured on this material, None where it can."""
    if material.n_cells < 2:
        return f"{material.variant} has {material.n_cells} geo-cell(s); location estimation needs two at least"
    for split, name in enumerate(SPLITS):
        if not len(material.items(split)):
            return f"{material.variant} has no {name} items"
    if len(material.items(TRAIN)) < 2:
        return f"{material.variant} has one train item; learning compares two at least"
    return None


def check_material(material: Material) -> None:
    """Check that shapes agree and that every vector that is used is finite.

    Raises:
        Refused: one sentence that names what is wrong, and the key of the first vector that is not finite.
    """
    for name in _MODALITIES:
        vectors: Ragged = getattr(material, name)
        if len(vectors.offsets) != len(material) + 1:
            raise Refused(f"{name} list {len(vectors.offsets) - 1} items, but there are {len(material)} settlements.")
        if len(vectors.keys) != len(vectors.matrix):
            raise Refused(f"{name} have {len(vectors.keys)} keys for a matrix of {len(vectors.matrix)} rows.")
        outside = vectors.rows[(vectors.rows < 0) | (vectors.rows >= len(vectors.matrix))]
        if len(outside):
            raise Refused(f"{name} refer to row {outside[0]} of a matrix of {len(vectors.matrix)} rows.")
        bare = np.flatnonzero(vectors.counts == 0)
        if len(bare):
            raise Refused(f"{material.qids[bare[0]]} has no vector among the {name}; every settlement needs one.")
        _check_finite(name, vectors)
    if len(material.text_langs) != len(material.texts.rows):
        raise Refused(f"{len(material.text_langs)} languages are named for {len(material.texts.rows)} texts.")
    if len(material) and not 0 <= int(material.cells.min()) <= int(material.cells.max()) < material.n_cells:
        raise Refused(f"A cell number lies outside 0 to {material.n_cells - 1}.")


def digest(material: Material) -> str:
    """Return a hash of everything in a material but the bulk of its vectors, of which 64 per modality are looked at."""
    said = hashlib.sha256(repr((material.languages, material.cell_tokens)).encode())
    for name in _ARRAYS:
        said.update(np.ascontiguousarray(getattr(material, name)).tobytes())
    for name in _MODALITIES:
        vectors: Ragged = getattr(material, name)
        some = np.linspace(0, max(len(vectors.matrix) - 1, 0), min(len(vectors.matrix), 64)).astype(np.int64)
        for part in (vectors.rows, vectors.offsets, vectors.keys, vectors.matrix[some]):
            said.update(np.ascontiguousarray(part).tobytes())
    return said.hexdigest()[:16]


def _check_finite(name: str, vectors: Ragged, chunk: int = 8192) -> None:
    for start in range(0, len(vectors.matrix), chunk):
        # A sum is not finite if and only if a part is not, or it overflows; float32 cannot overflow from float16.
        with np.errstate(invalid="ignore"):
            sums = np.asarray(vectors.matrix[start : start + chunk], np.float32).sum(axis=1)
        wrong = np.flatnonzero(~np.isfinite(sums))
        if len(wrong):
            key = vectors.keys[start + wrong[0]]
            raise Refused(f"The vector of {key} among the {name} holds values that are not finite (NaN or infinite).")


def save_material(material: Material, folder: Path) -> None:
    """Write a material as a folder of .npy files and `material.json`, whole or not at all."""
    unfinished, replaced = (folder.with_name(f".tmp-{folder.name}-{uuid.uuid4().hex}") for _ in range(2))
    unfinished.mkdir(parents=True)
    try:
        for name in _ARRAYS:
            np.save(unfinished / f"{name}.npy", getattr(material, name))
        for name in _MODALITIES:
            vectors: Ragged = getattr(material, name)
            for part in ("matrix", "rows", "offsets", "keys"):
                np.save(unfinished / f"{name}_{part}.npy", getattr(vectors, part))
        about = {
            "format": FORMAT,
            **{name: getattr(material, name) for name in ("release", "variant", "image_encoder", "text_encoder")},
            "languages": list(material.languages),
            "cell_tokens": list(material.cell_tokens),
        }
        (unfinished / "material.json").write_text(json.dumps(about, indent=1, ensure_ascii=False), "utf-8")
        # Set aside whole: a process that is killed while it removes the old one must not leave half of it in place.
        if folder.exists():
            folder.replace(replaced)
        unfinished.replace(folder)
        shutil.rmtree(replaced, ignore_errors=True)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def open_material(folder: Path) -> Material:
    """Open a folder written by `save_material`; the matrices are memory maps.

    Raises:
        Refused: the folder holds no material, or one of another format.
    """
    try:
        about = json.loads((folder / "material.json").read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise Refused(f"{folder} holds no training material ({error}).") from error
    if about.get("format") != FORMAT:
        raise Refused(f"{folder} is training material of format {about.get('format')}; this version reads {FORMAT}.")
    try:
        arrays = {name: np.load(folder / f"{name}.npy", allow_pickle=False) for name in _ARRAYS}
        vectors = {name: _open_ragged(folder, name) for name in _MODALITIES}
    except (OSError, ValueError, EOFError) as error:
        raise Refused(f"The training material in {folder} is damaged ({error}). Remove the folder.") from error
    return Material(
        about["release"], about["variant"], about["image_encoder"], about["text_encoder"],
        tuple(about["languages"]), tuple(about["cell_tokens"]),
        arrays["qids"], arrays["lat_deg"], arrays["lon_deg"], arrays["cells"], arrays["splits"], arrays["countries"],
        vectors["images"], vectors["texts"], arrays["text_langs"], vectors["classes"],
    )  # fmt: skip


def _open_ragged(folder: Path, name: str) -> Ragged:
    matrix = np.load(folder / f"{name}_matrix.npy", mmap_mode="r", allow_pickle=False)
    rows, offsets, keys = (
        np.load(folder / f"{name}_{part}.npy", allow_pickle=False) for part in ("rows", "offsets", "keys")
    )
    return Ragged(matrix, rows, offsets, keys)
