"""From the frozen rows of a variant and the feature store to the material that models are trained on.

Rows are those of the tables `mlm_irle` and `mlm_irle_gr` (pyarrow). Every distinct picture, text and class label is
one row of a matrix, however many settlements share it. What the store lacks is computed on the way, so that training
never fails because a shard's features were not brought up to date. Where rows and stores come from does not belong
here (`resources.encoders`).
"""

import hashlib
import json
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from filelock import FileLock

from mlm_assets.errors import Refused
from mlm_assets.ml.features import FeatureStore
from mlm_assets.ml.material import FORMAT, SPLITS, Floats, Integers, Material, Ragged, check_material, save_material
from mlm_assets.tables import VARIANT_LANGUAGES

NO_LABEL: Final = "human settlement"
"""Class of a settlement none of whose classes has an English label: what every member is, and no more."""
_VERSION: Final = 1
"""Part of a material's folder; raised when the same rows would be assembled differently."""


@dataclass(frozen=True)
class Source:
    """Vectors of one modality: the store, and how what it lacks is computed and added to it.

    `fill` is given the missing contents by key: the path of a picture, or a text. Without it, what is missing is an
    error.
    """

    store: FeatureStore
    fill: Callable[[Mapping[str, str]], Any] | None = None


@dataclass(frozen=True)
class Origin:
    """What a material is made from: the accepted versions of a variant's rows and of its geo-cells.

    With `first_characters`, texts are cut after so many (0: whole texts), as the published pipeline did.
    """

    release: str
    variant: str
    dataset_version: str
    cells_version: str
    first_characters: int = 0


@dataclass(frozen=True)
class _Entries:
    """What the items of a ragged column hold: distinct contents, and which of them each item has."""

    contents: list[str]
    keys: list[str]
    rows: Integers
    offsets: Integers


def picture_key(path: str) -> str:
    """Return the key of a padded picture: its name in the lake, that is, the file's SHA-1 and how it was padded."""
    return PurePosixPath(path).stem


def text_key(text: str) -> str:
    """Return the key of a text or a class label: the SHA-256 of its UTF-8, as in `summaries.text_sha256`."""
    return hashlib.sha256(text.encode()).hexdigest()


def assemble(
    rows: Any,
    release: str,
    variant: str,
    cell_tokens: Sequence[str],
    images: Source,
    texts: Source,
    *,
    first_characters: int = 0,
    scratch: Path | None = None,
    say: Callable[[str], Any] = lambda _: None,
) -> Material:
    """Return the material of `rows`, one item per row in their order.

    `cell_tokens` names the geo-cells by class id. Keys of pictures and texts are those of the store, keys of classes
    are their labels. With `first_characters`, texts are cut after so many, and are other texts with other keys. With
    `scratch`, matrices lie in files of that folder instead of in memory. Languages are those of the variant.

    Raises:
        Refused: a row has no geo-cell or one that is not in `cell_tokens`, no picture or no text; a vector is damaged.
        MlmError: a vector is missing and cannot be computed; the sentence names its key.
    """
    pictures = _entries(rows["images"], "path", picture_key)
    summaries = _entries(rows["summaries"], "text", text_key, first_characters)
    labels = _labels(rows["class_labels"])
    _fill(images, pictures, f"pictures of {variant} {release}", say)
    _fill(texts, _joined(summaries, labels), f"texts of {variant} {release}", say)
    languages = VARIANT_LANGUAGES[variant]
    material = Material(
        release, variant, images.store.encoder, texts.store.encoder, languages, tuple(cell_tokens),
        _texts(rows["qid"]), _numbers(rows["lat_deg"], np.float64), _numbers(rows["lon_deg"], np.float64),
        _cells(rows, cell_tokens, variant), _codes(rows["split"], SPLITS), _texts(rows["country_code"]),
        _vectors(images.store, pictures, pictures.keys, scratch, "images"),
        _vectors(texts.store, summaries, summaries.keys, scratch, "texts"),
        _codes(_field(rows["summaries"], "lang"), languages),
        _vectors(texts.store, labels, labels.contents, scratch, "classes"),
    )  # fmt: skip
    check_material(material)
    return material


def material_folder(root: Path, origin: Origin, image_encoder: str, text_encoder: str) -> Path:
    """Return where the material of these rows with these encoders lies below `root`."""
    about = {**asdict(origin), "encoders": [image_encoder, text_encoder], "versions": [FORMAT, _VERSION]}
    digest = hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()[:16]
    return root / origin.release / origin.variant / digest


def materialise(
    root: Path,
    origin: Origin,
    rows: Callable[[], Any],
    cell_tokens: Callable[[], Sequence[str]],
    images: Source,
    texts: Source,
    say: Callable[[str], Any] = lambda _: None,
) -> Path:
    """Return the folder of a material (`open_material`), made if it is not there yet; `rows` is asked only then.

    Folders below `root` are a cache: one may be removed whenever nobody trains on it. Two processes that want the
    same material make it once.

    Raises:
        Refused, MlmError: as `assemble`.
    """
    folder = material_folder(root, origin, images.store.encoder, texts.store.encoder)
    if (folder / "material.json").exists():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(str(folder.parent / f".{folder.name}.lock")):
        if not (folder / "material.json").exists():
            with tempfile.TemporaryDirectory(prefix=".tmp-", dir=folder.parent) as scratch:
                made = assemble(
                    rows(), origin.release, origin.variant, cell_tokens(), images, texts,
                    first_characters=origin.first_characters, scratch=Path(scratch), say=say,
                )  # fmt: skip
                save_material(made, folder)
            say(f"{origin.variant} {origin.release}: material of {len(made):,} settlements in {folder}")
    return folder


def _entries(column: Any, name: str, key: Callable[[str], str], first_characters: int = 0) -> _Entries:
    """Return the field `name` of a column of lists of structs, each distinct value once, by first appearance."""
    import pyarrow.compute as pc

    lengths = pc.fill_null(pc.list_value_length(column), 0).to_numpy()
    values = _field(column, name)
    cut = pc.utf8_slice_codeunits(values, 0, first_characters) if first_characters else values
    return _encoded(cut, lengths, key)


def _labels(column: Any) -> _Entries:
    """Return the class labels; a settlement without any has `NO_LABEL`."""
    import pyarrow as pa

    lists = [labels or [NO_LABEL] for labels in column.to_pylist()]
    flat = pa.chunked_array([[label for labels in lists for label in labels]], pa.string())
    return _encoded(flat, np.array([len(labels) for labels in lists], np.int64), text_key)


def _encoded(flat: Any, lengths: Integers, key: Callable[[str], str]) -> _Entries:
    import pyarrow as pa

    # In one piece, so that there is one dictionary; it lists values by their first appearance, neighbours together.
    coded = pa.concat_arrays(flat.chunks).dictionary_encode() if flat.length() else None
    contents: list[str] = coded.dictionary.to_pylist() if coded is not None else []
    rows = coded.indices.to_numpy().astype(np.int64) if coded is not None else np.empty(0, np.int64)
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    return _Entries(contents, [key(content) for content in contents], rows, offsets)


def _joined(one: _Entries, other: _Entries) -> _Entries:
    return _Entries([*one.contents, *other.contents], [*one.keys, *other.keys], one.rows, one.offsets)


def _fill(source: Source, entries: _Entries, what: str, say: Callable[[str], Any]) -> None:
    missing = source.store.missing(entries.keys)
    if missing and source.fill is not None:
        encoder = source.store.encoder
        say(f"{len(missing):,} of {len(entries.keys):,} {what} have no vector by {encoder} yet; computing them.")
        contents = dict(zip(entries.keys, entries.contents, strict=True))
        source.fill({key: contents[key] for key in missing})


def _vectors(
    store: FeatureStore, entries: _Entries, names: Sequence[str], scratch: Path | None, modality: str
) -> Ragged:
    shape = (len(entries.keys), store.dimension)
    out: Floats | None = None
    if scratch is not None and len(entries.keys):
        out = np.lib.format.open_memmap(scratch / f"{modality}.npy", "w+", np.float16, shape)
    return Ragged(store.gather(entries.keys, out), entries.rows, entries.offsets, np.asarray(names, np.str_))


def _cells(rows: Any, tokens: Sequence[str], variant: str) -> Integers:
    """Return the number of each row's cell, (n,) int32, after holding it against the row's token."""
    for qid, number, token in zip(*(rows[name].to_pylist() for name in ("qid", "class_id", "cell_token")), strict=True):
        if number is None or not 0 <= number < len(tokens) or tokens[number] != token:
            raise Refused(
                f"{qid} of {variant} lies in no geo-cell of this release (number {number}, token {token}). "
                "Models are trained on the variants mlm_irle and mlm_irle_gr, with the geo_cells of the same release."
            )
    numbers: Integers = _numbers(rows["class_id"], np.int32)
    return numbers


def _field(column: Any, name: str) -> Any:
    import pyarrow.compute as pc

    return pc.struct_field(pc.list_flatten(column), name)


def _codes(column: Any, values: Sequence[str]) -> Integers:
    """Return for each value its place in `values`, int8."""
    places = {value: number for number, value in enumerate(values)}
    try:
        return np.array([places[value] for value in column.to_pylist()], np.int8)
    except KeyError as error:
        raise Refused(f"The rows hold {error}, which is none of {', '.join(values)}.") from error


def _texts(column: Any) -> npt.NDArray[np.str_]:
    return np.array([value or "" for value in column.to_pylist()], np.str_)


def _numbers(column: Any, kind: Any) -> Any:
    return column.to_numpy().astype(kind)
