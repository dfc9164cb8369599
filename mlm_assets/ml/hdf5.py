"""The HDF5 layout in which MLM-irle and MLM-irle-gr were published: read it into material, write it from material.

A folder holds `train.h5`, `val.h5` and `test.h5`. Each has a dataset `ids` (numbers of QIDs) and, per id,
`{id}_images` (n, 4096), `{id}_summaries` (n, 3072), `{id}_classes` (n, 3072), `{id}_onehot` (cells,) and
`{id}_coordinates` (latitude and longitude in degrees). Published by Armitage et al. (CIKM 2020) as Zenodo 3885753;
`docs/published_files.md` is the page for users. Where a material lies in a home does not belong here
(`commands.hdf5`), nor does training on it.

Vectors become float16, as everywhere in the platform (relative error at most 2^-11 down to 6e-5; smaller values keep an
absolute error of 3e-8). A value beyond the range of float16 (65,504) is refused, never clipped: no encoder of this
layout gives one, so it is a sign of a damaged file.
"""

import hashlib
import re
import shutil
import tempfile
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, BinaryIO, Final

import numpy as np

from mlm_assets.errors import Refused
from mlm_assets.identifiers import qid_number
from mlm_assets.ml.material import (
    SPLITS,
    UNKNOWN_LANGUAGE,
    Floats,
    Material,
    Ragged,
    check_material,
    open_material,
    ragged,
    save_material,
    untrainable,
)
from mlm_assets.ml.synthetic import synthetic_material
from mlm_assets.release.formats import hdf5 as layout

FILES: Final = layout.FILES
"""File of each split, in the order of `SPLITS`."""
UNKNOWN_ENCODER: Final = "published"
"""Name of the encoder where a file does not say; the published ones do not."""

Progress = Callable[[int, int], None]
"""Is told how many entities are done, and of how many."""

# Part of a material, and the end of its datasets' names.
_PARTS: Final = {"images": "images", "texts": "summaries", "classes": "classes"}
_ID: Final = re.compile(r"Q?([1-9][0-9]{0,17})", re.ASCII)


def _silent(_done: int, _total: int) -> None:
    return


def import_hdf5(
    folder: Path, target: Path, variant: str, release: str = "published", progress: Progress = _silent
) -> Material:
    """Make the material `target` from the three files in `folder`, whole or not at all, and open it.

    Entities are read one at a time, so memory does not grow with the vectors. A vector that occurs several times
    (a class, a picture of two settlements) is stored once, under the name of its first place, such as `64_images/0`;
    classes, which have no place of their own, under a hash of their content. Items come in the order of the files.
    An older `target` is replaced.

    Raises:
        Refused: a file or dataset is missing or broken, shapes disagree, a value is not finite or too large for
            float16, a one-hot vector is none, an id comes twice, coordinates are not on Earth, or there is nothing
            to learn (`untrainable`). The sentence names file and dataset.
    """
    entities = [_entities(folder / name) for name in FILES]
    _check_unique(entities)
    unfinished = target.with_name(f".tmp-{target.name}-{uuid.uuid4().hex}")
    unfinished.mkdir(parents=True)
    try:
        made = _Import(unfinished, sum(map(len, entities)), progress)
        for split, (name, ids) in enumerate(zip(FILES, entities, strict=True)):
            made.add_file(folder / name, split, ids)
        _save(made.material(release, variant, _encoders(folder / FILES[0])), made, unfinished / "material")
        _put_in_place(unfinished / "material", target)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return open_material(target)


def read_hdf5(folder: Path, variant: str, release: str = "published", progress: Progress = _silent) -> Material:
    """Return the material of the three files in `folder` with its vectors in memory; for small ones.

    Raises:
        Refused: as `import_hdf5`.
    """
    with tempfile.TemporaryDirectory(prefix="mlm-hdf5-") as scratch:
        opened = import_hdf5(folder, Path(scratch) / "material", variant, release, progress)
        loaded = {
            name: replace(getattr(opened, name), matrix=np.array(getattr(opened, name).matrix)) for name in _PARTS
        }
        return replace(opened, **loaded)


def export_hdf5(material: Material, target: Path, progress: Progress = _silent) -> None:
    """Write `material` as the three files in the folder `target`, whole or not at all.

    Vectors are float32 with gzip, one chunk per dataset; one-hot vectors have `material.n_cells` places. What the
    layout has no place for is left out (languages, countries, names of cells); the names of the encoders, the variant
    and the release are attributes of each file.

    Raises:
        Refused: `target` is there and not an empty folder, a QID is none, or the material is damaged
            (`check_material`).
    """
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise Refused(f"{target} exists already. Name a new folder, or remove it first.")
    ids = _ids_of(material)
    check_material(material)
    unfinished = target.with_name(f".tmp-{target.name}-{uuid.uuid4().hex}")
    unfinished.mkdir(parents=True)
    try:
        done = 0
        for split, name in enumerate(FILES):
            for _ in _write_file(unfinished / name, material, split, ids):
                done += 1
                progress(done, len(material))
        unfinished.replace(target)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def write_published_sample(
    folder: Path,
    n: int = 3_000,
    seed: int = 1,
    image_dimension: int = 4_096,
    text_dimension: int = 3_072,
    n_cells: int = 99,
) -> Material:
    """Write a generated file set of `n` entities in the published layout, and return the material it was made from.

    The files hold full float32 values, as an encoder gives them: rounding them to float16 gives back exactly the
    vectors of the material that is returned. (Values that were float16 before would compress better than real ones.)
    """
    material = synthetic_material(
        n, n_cells=n_cells, image_dimension=image_dimension, text_dimension=text_dimension, seed=seed
    )
    rng = np.random.default_rng(seed)
    precise = {
        name: replace(getattr(material, name), matrix=_with_lower_bits(getattr(material, name).matrix, rng))
        for name in _PARTS
    }
    export_hdf5(replace(material, **precise), folder)
    return material


@dataclass(frozen=True)
class _Entity:
    """An id as the file writes it, which names its datasets, and the QID it stands for."""

    name: str
    qid: str


class _Vectors:
    """Vectors of one modality, written to a .npy file as they come, each once."""

    def __init__(self, path: Path, are_named_by_content: bool) -> None:
        self.path = path
        self.dimension: int | None = None
        self.per_item: list[list[int]] = []
        self.keys: list[str] = []
        self._are_named_by_content = are_named_by_content
        self._rows: dict[bytes, int] = {}
        self._file: BinaryIO = path.open("wb")

    def add(self, vectors: Floats, name: str) -> None:
        """Add the vectors of the next item, (n, dimension) float16, which come from the dataset `name`."""
        if self.dimension is None:
            self.dimension = int(vectors.shape[1])
            self._write_header()
        rows = []
        for number, vector in enumerate(vectors):
            content = vector.tobytes()
            digest = hashlib.blake2b(content, digest_size=16).digest()
            row = self._rows.setdefault(digest, len(self.keys))
            if row == len(self.keys):
                self._file.write(content)
                self.keys.append(f"class-{digest.hex()}" if self._are_named_by_content else f"{name}/{number}")
            rows.append(row)
        self.per_item.append(rows)

    def close(self) -> None:
        """Complete the file; it may be closed twice."""
        if not self._file.closed:
            self._write_header()
            self._file.close()

    def _write_header(self) -> None:
        # numpy leaves room in the header for the first axis to grow, so its length does not depend on the row count.
        shape = (len(self.keys), self.dimension or 0)
        self._file.seek(0)
        np.lib.format.write_array_header_1_0(self._file, {"descr": "<f2", "fortran_order": False, "shape": shape})


@dataclass
class _Import:
    """What was read so far, items in the order of the files."""

    folder: Path
    total: int
    progress: Progress
    qids: list[str] = field(default_factory=list)
    places: list[tuple[float, float]] = field(default_factory=list)
    cells: list[int] = field(default_factory=list)
    splits: list[int] = field(default_factory=list)
    n_cells: int | None = None
    vectors: dict[str, _Vectors] = field(init=False)

    def __post_init__(self) -> None:
        self.vectors = {part: _Vectors(self.folder / f"{part}.npy", part == "classes") for part in _PARTS}

    def add_file(self, path: Path, split: int, entities: list[_Entity]) -> None:
        """Read every entity of one file."""
        with _opened(path) as file:
            for entity in entities:
                for part, ending in _PARTS.items():
                    name = f"{entity.name}_{ending}"
                    self.vectors[part].add(_vectors_in(file, name, self.vectors[part].dimension), name)
                self.cells.append(self._cell_in(file, f"{entity.name}_onehot"))
                self.places.append(_place_in(file, f"{entity.name}_coordinates"))
                self.qids.append(entity.qid)
                self.splits.append(split)
                self.progress(len(self.qids), self.total)

    def material(self, release: str, variant: str, encoders: tuple[str, str]) -> Material:
        """Return the material without its matrices, which lie in files."""
        for vectors in self.vectors.values():
            vectors.close()
        lists = {
            part: ragged(np.empty((0, vectors.dimension or 0), np.float16), vectors.per_item, vectors.keys)
            for part, vectors in self.vectors.items()
        }
        places = np.array(self.places, np.float64).reshape(-1, 2)
        made = Material(
            release, variant, *encoders, (UNKNOWN_LANGUAGE,), tuple(f"class-{k}" for k in range(self.n_cells or 0)),
            np.array(self.qids, np.str_), places[:, 0].copy(), places[:, 1].copy(), np.array(self.cells, np.int32),
            np.array(self.splits, np.int8), np.full(len(self.qids), "", np.str_),
            lists["images"], lists["texts"], np.zeros(len(lists["texts"].rows), np.int8), lists["classes"],
        )  # fmt: skip
        if reason := untrainable(made):
            raise Refused(f"The files cannot be imported: {reason}.")
        return made

    def _cell_in(self, file: Any, name: str) -> int:
        onehot = _numbers_in(file, name, 1)
        if np.count_nonzero(onehot) != 1 or onehot.max() != 1:
            raise Refused(f"{_where(file, name)} is not one-hot: it must hold a single 1 and zeros.")
        if self.n_cells is None:
            self.n_cells = len(onehot)
        if len(onehot) != self.n_cells:
            raise Refused(f"{_where(file, name)} has {len(onehot)} places; those read before have {self.n_cells}.")
        return int(onehot.argmax())


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    import h5py

    try:
        file = h5py.File(path, "r")
    except OSError as error:
        raise Refused(f"{path} cannot be read as HDF5 ({error}). Fetch it again.") from error
    with file:
        yield file


def _entities(path: Path) -> list[_Entity]:
    """Return the ids of one file, whole numbers or text."""
    if not path.parent.is_dir():
        raise Refused(f"{path.parent} is not a folder. Name the one that holds {', '.join(FILES)}.")
    if not path.is_file():
        raise Refused(f"{path.parent} has no file {path.name}; the published layout is {', '.join(FILES)}.")
    with _opened(path) as file:
        raw = _values_in(file, "ids").reshape(-1)
        return [_entity(value, file) for value in raw.tolist()]


def _entity(value: Any, file: Any) -> _Entity:
    name = value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
    found = _ID.fullmatch(name)
    if not found:
        raise Refused(f"{_where(file, 'ids')} lists {name!r}, which is not the number of a Wikidata item.")
    return _Entity(name, f"Q{found[1]}")


def _check_unique(entities: list[list[_Entity]]) -> None:
    seen: dict[str, str] = {}
    for name, listed in zip(FILES, entities, strict=True):
        for entity in listed:
            if entity.qid in seen:
                raise Refused(
                    f"{entity.qid} is listed twice, in {seen[entity.qid]} and in {name}; splits may not overlap."
                )
            seen[entity.qid] = name


def _where(file: Any, name: str) -> str:
    return f"{name} in {file.filename}"


def _values_in(file: Any, name: str) -> Any:
    """Return a whole dataset as it is stored."""
    try:
        found = file.get(name)
        values = None if found is None else found[()]
    except (OSError, AttributeError, TypeError) as error:
        raise Refused(f"{_where(file, name)} cannot be read ({error}).") from error
    if values is None:
        raise Refused(f"{file.filename} has no dataset {name}.")
    return np.asarray(values)


def _numbers_in(file: Any, name: str, n_axes: int) -> Any:
    values = _values_in(file, name)
    if values.ndim != n_axes or not values.size or values.dtype.kind not in "fiub":
        raise Refused(
            f"{_where(file, name)} has shape {values.shape} and type {values.dtype}; "
            f"expected numbers with {n_axes} axis(es), none of them empty."
        )
    return values


def _vectors_in(file: Any, name: str, dimension: int | None) -> Floats:
    """Return the vectors of one dataset as float16, (n, dimension)."""
    values = _numbers_in(file, name, 2)
    if dimension is not None and values.shape[1] != dimension:
        raise Refused(f"{_where(file, name)} has vectors of {values.shape[1]}; those read before have {dimension}.")
    with np.errstate(over="ignore"):
        vectors: Floats = np.ascontiguousarray(values, "<f2")
    finite = np.isfinite(vectors)
    if not finite.all():
        number, place = np.argwhere(~finite)[0]
        value = values[number, place]
        what = "beyond the range of float16 (65,504)" if np.isfinite(value) else "not finite"
        raise Refused(f"Vector {number} of {_where(file, name)} holds {value} at place {place}, which is {what}.")
    return vectors


def _place_in(file: Any, name: str) -> tuple[float, float]:
    values = _values_in(file, name)
    try:
        lat, lon = (float(value) for value in values.tolist())
    except (TypeError, ValueError) as error:
        raise Refused(f"{_where(file, name)} is not a pair of latitude and longitude.") from error
    if not (-90 <= lat <= 90 and -180 <= lon <= 180):
        raise Refused(f"{_where(file, name)} is ({lat}, {lon}), which is not latitude and longitude in degrees.")
    return lat, lon


def _encoders(path: Path) -> tuple[str, str]:
    with _opened(path) as file:
        image, text = (str(file.attrs.get(name, UNKNOWN_ENCODER)) for name in ("image_encoder", "text_encoder"))
    return image, text


def _save(material: Material, made: _Import, folder: Path) -> None:
    """Save the lists by the one function that knows the format, and put the matrices in their places."""
    save_material(material, folder)
    for part, vectors in made.vectors.items():
        vectors.path.replace(folder / f"{part}_matrix.npy")


def _put_in_place(made: Path, target: Path) -> None:
    if target.exists():
        # Inside the unfinished folder, which is removed in any case.
        target.replace(made.with_name("older"))
    made.replace(target)


def _ids_of(material: Material) -> list[int]:
    ids = []
    for qid in material.qids.tolist():
        if not _ID.fullmatch(qid) or not qid.startswith("Q"):
            raise Refused(f"{qid!r} is not the QID of a Wikidata item; the layout has room for nothing else.")
        ids.append(qid_number(qid))
    return ids


def _write_file(path: Path, material: Material, split: int, ids: list[int]) -> Iterator[int]:
    """Write one split; yield the number of each item that is written."""
    import h5py

    items = material.items(split)
    with h5py.File(path, "w") as file:
        for name in ("release", "variant", "image_encoder", "text_encoder"):
            file.attrs[name] = getattr(material, name)
        file.attrs["split"] = SPLITS[split]
        layout.write_ids(file, [ids[item] for item in items])
        for item in items.tolist():
            parts: dict[str, Ragged] = {part: getattr(material, part) for part in _PARTS}
            images, texts, classes = (
                np.asarray(vectors.matrix[vectors.of(item)], np.float32) for vectors in parts.values()
            )
            cell = (int(material.cells[item]), material.n_cells)
            place = (float(material.lat_deg[item]), float(material.lon_deg[item]))
            layout.write_entity(file, ids[item], images, texts, classes, cell, place)
            yield item


def _with_lower_bits(matrix: Floats, rng: np.random.Generator) -> Floats:
    """Return float32 values that round to `matrix`, with the lower bits filled as in real features."""
    # Half the distance to the next float16 is 2^-12 of a value at least.
    jitter = rng.uniform(-(2.0**-13), 2.0**-13, matrix.shape).astype(np.float32)
    values: Floats = np.asarray(matrix, np.float32) * (1 + jitter)
    return values
