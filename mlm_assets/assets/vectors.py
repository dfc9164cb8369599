"""The vectors of a release, as its HDF5 files hold them: read from the feature store, never computed here.

A release has vectors where every published picture, text and class label of both trained variants has one by the
encoders of the home, and the feature tables say so. Which encoder that is, is pinned in the manifest.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from mlm_assets.assets.refresh import partitions_of
from mlm_assets.errors import MlmError, Refused
from mlm_assets.ml.assembly import NO_LABEL, picture_key, text_key
from mlm_assets.ml.features import FeatureStore
from mlm_assets.release.frozen import Input, Vectors
from mlm_assets.resources.encoders import Encoders, Modality, feature_folder
from mlm_assets.resources.lake import Lake
from mlm_assets.settings import Settings
from mlm_assets.tables import TRAINED_VARIANTS

FEATURE_TABLES: Final = ("image_features", "text_features", "class_features")
_MODALITIES: Final[tuple[Modality, ...]] = ("image", "text")
_BATCH: Final = 500


@dataclass(frozen=True)
class VectorSource:
    """The vectors of a release per trained variant, by which encoders, and the feature tables that say so.

    Without vectors, `why_not` is the reason.
    """

    vectors: Mapping[str, Callable[[str], Iterator[Vectors]]] = field(default_factory=dict)
    encoders: Mapping[str, str] = field(default_factory=dict)
    inputs: tuple[Input, ...] = ()
    why_not: str = ""


def accepted_vectors(lake: Lake, encoders: Encoders, rows: Mapping[str, Any]) -> VectorSource:
    """Return the vectors of the published `rows` (per variant) by the encoders of today's settings."""
    inputs, without = _feature_tables(lake)
    if without:
        return VectorSource(why_not=f"{without} has no accepted version")
    for modality in _MODALITIES:
        if not encoders.families(modality):
            return VectorSource(why_not=f"no {modality} has a vector")
    stores = {modality: encoders.store(modality) for modality in _MODALITIES}
    for variant in TRAINED_VARIANTS:
        for modality, keys in zip(_MODALITIES, _keys(rows[variant]), strict=True):
            n_missing = len(stores[modality].missing(keys))
            if n_missing:
                what = "pictures" if modality == "image" else "texts and labels"
                lacking = f"{n_missing:,} of {len(keys):,} {what} of {variant} have no vector"
                return VectorSource(why_not=f"{lacking} by {stores[modality].encoder}")
    names: dict[str, str] = {modality: store.encoder for modality, store in stores.items()}
    return VectorSource(_readers(rows, stores), names, inputs)


def pinned_vectors(
    lake: Lake, settings: Settings, rows: Mapping[str, Any], encoders: Mapping[str, str]
) -> VectorSource:
    """Return the vectors of `rows` by the encoders that a manifest names; none where it names none.

    Raises:
        Refused: the store has no vectors of such an encoder (any more).
    """
    if not encoders:
        return VectorSource()
    root = feature_folder(settings, lake)
    stores = {modality: FeatureStore(root / modality, encoders[modality]) for modality in _MODALITIES}
    return VectorSource(_readers(rows, stores), dict(encoders))


def _feature_tables(lake: Lake) -> tuple[tuple[Input, ...], str]:
    """Return the accepted feature tables, and the first that is missing or whose newest version was rejected."""
    found = []
    for name in FEATURE_TABLES:
        for partition in partitions_of(name):
            accepted, audit = lake.accepted(name, partition), lake.audit_of(name, partition)
            if accepted is None or (audit is not None and not lake.is_readable(audit)):
                return (), f"{name} {partition}".strip()
            found.append(Input(name, partition, accepted.version, accepted.n_rows))
    return tuple(found), ""


def _keys(rows: Any) -> tuple[list[str], list[str]]:
    """Return the distinct keys of all published pictures, and of all texts and labels."""
    pictures: dict[str, None] = {}
    texts: dict[str, None] = {}
    for row in _records(rows):
        pictures.update(dict.fromkeys(picture_key(image["path"]) for image in row["images"]))
        texts.update(dict.fromkeys(_text_keys(row)))
    return list(pictures), list(texts)


def _text_keys(row: Mapping[str, Any]) -> list[str]:
    return [text_key(text) for text in (*(one["text"] for one in row["summaries"]), *_labels(row))]


def _labels(row: Mapping[str, Any]) -> list[str]:
    """Return the class labels that have vectors; as in training, one without any has the most general label."""
    return list(row["class_labels"]) or [NO_LABEL]


def _records(rows: Any) -> Iterator[dict[str, Any]]:
    columns = rows.select(["qid", "split", "images", "summaries", "class_labels"])
    for batch in columns.to_batches(max_chunksize=_BATCH):
        yield from batch.to_pylist()


def _readers(
    rows: Mapping[str, Any], stores: Mapping[Modality, FeatureStore]
) -> dict[str, Callable[[str], Iterator[Vectors]]]:
    return {variant: _reader(rows[variant], stores, variant) for variant in TRAINED_VARIANTS}


def _reader(rows: Any, stores: Mapping[Modality, FeatureStore], variant: str) -> Callable[[str], Iterator[Vectors]]:
    def read(split: str) -> Iterator[Vectors]:
        waiting: list[dict[str, Any]] = []
        for row in _records(rows):
            # The layout has no place for a settlement without pictures: it is in the other formats.
            if row["split"] == split and row["images"]:
                waiting.append(row)
            if len(waiting) >= _BATCH:
                yield from _gathered(waiting, stores, variant)
                waiting = []
        yield from _gathered(waiting, stores, variant)

    return read


def _gathered(rows: list[dict[str, Any]], stores: Mapping[Modality, FeatureStore], variant: str) -> Iterator[Vectors]:
    """Yield the vectors of some settlements, read in one go."""
    import numpy as np

    pictures = [[picture_key(image["path"]) for image in row["images"]] for row in rows]
    texts = [_text_keys(row) for row in rows]
    try:
        seen = stores["image"].gather([key for keys in pictures for key in keys]).astype(np.float32)
        read = stores["text"].gather([key for keys in texts for key in keys]).astype(np.float32)
    except Refused:
        raise
    except MlmError as error:
        raise MlmError(
            f"A vector of {variant} is not in the feature store any more ({error}) Materialise the features again."
        ) from error
    image, text = 0, 0
    for row, picture_keys, text_keys in zip(rows, pictures, texts, strict=True):
        n_summaries = len(row["summaries"])
        mine = read[text : text + len(text_keys)]
        yield Vectors(row["qid"], seen[image : image + len(picture_keys)], mine[:n_summaries], mine[n_summaries:])
        image, text = image + len(picture_keys), text + len(text_keys)
