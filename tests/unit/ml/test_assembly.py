"""From rows of a variant to material: each content once, items in the order of the rows, what lacks computed."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlm_assets.errors import MlmError, Refused
from mlm_assets.ml import assembly
from mlm_assets.ml.assembly import NO_LABEL, Origin, Source, assemble, materialise, picture_key, text_key
from mlm_assets.ml.features import FeatureStore
from mlm_assets.ml.material import SPLITS, Material, open_material
from mlm_assets.resources.lake import arrow_schema

TOKENS = ("47a1", "47b3")
ORIGIN = Origin("2026-12", "mlm_irle", "rows-1", "cells-1")
LANGUAGES = ("en", "de", "fr")


def sha1(name: str) -> str:
    return hashlib.sha1(name.encode()).hexdigest()


def path(name: str) -> str:
    return f"images/{sha1(name)[:2]}/{sha1(name)}-1.jpg"


def vector(key: str, dimension: int) -> np.ndarray:
    return np.random.default_rng(list(key.encode())).standard_normal(dimension).astype(np.float16)


def row(qid: str, images: list[str], texts: Mapping[str, str], labels: list[str], cell: int = 0, **more: Any) -> Any:
    return {
        "qid": qid, "label": qid, "lat_deg": 1.5, "lon_deg": -2.5, "class_qids": [], "class_labels": labels,
        "summaries": [{"lang": lang, "title": qid, "text": text} for lang, text in texts.items()],
        "images": [{"name": name, "file": name, "file_sha1": sha1(name), "path": path(name)} for name in images],
        "country_source": "wikidata_p17", "cell_token": TOKENS[cell], "class_id": cell, "split": "train", **more,
    }  # fmt: skip


def table(*rows: Any) -> Any:
    return pa.Table.from_pylist(list(rows), schema=arrow_schema("mlm_irle"))


ROWS = table(
    row("Q9", ["a", "shared"], {"en": "nine", "de": "neun"}, ["town", "port"], 1, split="test", country_code="DE"),
    row("Q10", ["shared"], {"fr": "dix"}, [], 0, lat_deg=-45.0, split="validation"),
    row("Q11", ["b", "a"], {"en": "nine", "fr": "onze"}, ["port"], 1, country_code="FR"),
)


class Sources:
    """Stores below a folder, filled on demand with what `vector` makes of keys; remembers what it was asked to fill."""

    def __init__(self, root: Path) -> None:
        self.asked: list[dict[str, str]] = []
        self.images = self._source(FeatureStore(root / "image", "pictures-1", 6))
        self.texts = self._source(FeatureStore(root / "text", "words-1", 4))

    def _source(self, store: FeatureStore) -> Source:
        def fill(contents: Mapping[str, str]) -> None:
            self.asked.append(dict(contents))
            store.add(list(contents), np.stack([vector(key, store.dimension) for key in contents]))

        return Source(store, fill)


@pytest.fixture
def sources(tmp_path: Path) -> Sources:
    return Sources(tmp_path / "features")


def made(sources: Sources, rows: Any = ROWS, **more: Any) -> Material:
    return assemble(rows, "2026-12", "mlm_irle", TOKENS, sources.images, sources.texts, **more)


def test_items_are_the_rows_in_their_order(sources: Sources) -> None:
    material = made(sources)
    assert (material.release, material.variant) == ("2026-12", "mlm_irle")
    assert (material.image_encoder, material.text_encoder) == ("pictures-1", "words-1")
    assert (material.languages, material.cell_tokens) == (LANGUAGES, TOKENS)
    assert material.qids.tolist() == ["Q9", "Q10", "Q11"]
    assert material.lat_deg.tolist() == [1.5, -45.0, 1.5]
    assert material.cells.tolist() == [1, 0, 1]
    assert [SPLITS[split] for split in material.splits] == ["test", "validation", "train"]
    assert material.countries.tolist() == ["DE", "", "FR"]
    assert (material.cells.dtype, material.splits.dtype, material.text_langs.dtype) == (np.int32, np.int8, np.int8)


def test_every_item_has_the_vectors_of_its_own_contents_and_each_content_is_there_once(sources: Sources) -> None:
    material = made(sources)
    for item, images in enumerate([["a", "shared"], ["shared"], ["b", "a"]]):
        mine = material.images.of(item)
        assert material.images.keys[mine].tolist() == [f"{sha1(name)}-1" for name in images]
        np.testing.assert_array_equal(
            material.images.matrix[mine], np.stack([vector(f"{sha1(name)}-1", 6) for name in images])
        )
    for item, texts in enumerate([["nine", "neun"], ["dix"], ["nine", "onze"]]):
        np.testing.assert_array_equal(
            material.texts.matrix[material.texts.of(item)], np.stack([vector(text_key(text), 4) for text in texts])
        )
    assert [LANGUAGES[lang] for lang in material.text_langs] == ["en", "de", "fr", "en", "fr"]
    for item, labels in enumerate([["town", "port"], [NO_LABEL], ["port"]]):
        mine = material.classes.of(item)
        assert material.classes.keys[mine].tolist() == labels
        np.testing.assert_array_equal(
            material.classes.matrix[mine], np.stack([vector(text_key(label), 4) for label in labels])
        )
    assert [len(ragged.matrix) for ragged in (material.images, material.texts, material.classes)] == [3, 4, 3]
    assert material.images.matrix.dtype == material.texts.matrix.dtype == np.float16


def test_keys_are_those_of_the_feature_tables() -> None:
    assert picture_key(path("a")) == f"{sha1('a')}-1"
    assert text_key("Köln") == hashlib.sha256("Köln".encode()).hexdigest()


def test_only_what_is_missing_is_filled_and_it_is_said(sources: Sources) -> None:
    known = [f"{sha1('a')}-1", f"{sha1('b')}-1"]
    sources.images.store.add(known, np.stack([vector(key, 6) for key in known]))
    said: list[str] = []
    made(sources, say=said.append)
    texts = ["nine", "neun", "dix", "onze", "town", "port", NO_LABEL]
    assert sources.asked == [{f"{sha1('shared')}-1": path("shared")}, {text_key(text): text for text in texts}]
    assert [line.split(" have")[0] for line in said] == [
        "1 of 3 pictures of mlm_irle 2026-12", "7 of 7 texts of mlm_irle 2026-12"
    ]  # fmt: skip
    made(sources)
    assert len(sources.asked) == 2


def test_texts_that_are_cut_are_other_texts(sources: Sources) -> None:
    whole, cut = made(sources), made(sources, first_characters=2)
    assert cut.texts.keys.tolist() == [text_key(text) for text in ("ni", "ne", "di", "on")]
    np.testing.assert_array_equal(cut.texts.matrix[0], vector(text_key("ni"), 4))
    assert cut.texts.rows.tolist() == whole.texts.rows.tolist()
    assert cut.classes.keys.tolist() == whole.classes.keys.tolist()


def test_without_a_way_to_fill_the_missing_key_is_named(sources: Sources) -> None:
    with pytest.raises(MlmError, match=f"no vector of {sha1('a')}-1 by pictures-1"):
        assemble(ROWS, "2026-12", "mlm_irle", TOKENS, Source(sources.images.store), sources.texts)


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        (row("Q1", ["a"], {"en": "x"}, [], class_id=None, cell_token=None), "Q1 of mlm_irle lies in no geo-cell"),
        (row("Q1", ["a"], {"en": "x"}, [], class_id=2), "Q1 of mlm_irle lies in no geo-cell"),
        (row("Q1", ["a"], {"en": "x"}, [], class_id=1), "number 1, token 47a1"),
        (row("Q1", [], {"en": "x"}, []), "Q1 has no vector among the images"),
        (row("Q1", ["a"], {}, []), "Q1 has no vector among the texts"),
        (row("Q1", ["a"], {"it": "x"}, []), "'it', which is none of en, de, fr"),
        (row("Q1", ["a"], {"en": "x"}, [], split="holdout"), "'holdout', which is none of train"),
    ],
)
def test_rows_that_cannot_be_learnt_from_are_refused_by_name(sources: Sources, wrong: Any, sentence: str) -> None:
    with pytest.raises(Refused, match=sentence):
        made(sources, table(*ROWS.to_pylist(), wrong))


def test_a_damaged_vector_is_refused_by_name(sources: Sources) -> None:
    made(sources)
    store = sources.images.store
    (block,), (place,) = store.locate([f"{sha1('b')}-1"])
    vectors = np.load(store.folder / f"{block}.npy")
    vectors[place, 2] = np.nan
    np.save(store.folder / f"{block}.npy", vectors)
    with pytest.raises(Refused, match=f"{sha1('b')}-1 among the images holds values that are not finite"):
        made(sources)


def test_a_variant_without_any_settlement_is_empty_material(sources: Sources) -> None:
    material = made(sources, ROWS.slice(0, 0))
    assert len(material) == 0
    assert material.images.matrix.shape == (0, 6)
    assert material.classes.offsets.tolist() == [0]


def test_a_second_training_opens_the_folder_without_reading_rows(sources: Sources, tmp_path: Path) -> None:
    args = (tmp_path / "materials", ORIGIN, lambda: ROWS, lambda: TOKENS, sources.images, sources.texts)
    said: list[str] = []
    folder = materialise(*args, said.append)
    first = open_material(folder)
    assert isinstance(first.images.matrix, np.memmap)
    np.testing.assert_array_equal(first.images.matrix, made(sources).images.matrix)
    assert first.classes.keys.tolist() == ["town", "port", NO_LABEL]
    assert said[-1].startswith("mlm_irle 2026-12: material of 3 settlements")
    unread = (args[0], ORIGIN, lambda: pytest.fail("rows read"), lambda: pytest.fail("cells read"), *args[4:])
    assert materialise(*unread) == folder
    assert [entry.name for entry in folder.parent.iterdir() if entry.name.startswith(".tmp-")] == []


def test_other_rows_cells_or_encoders_are_another_folder(sources: Sources, tmp_path: Path) -> None:
    other = Sources(tmp_path / "others")
    other.texts = other._source(FeatureStore(tmp_path / "others", "words-2", 4))
    folders = {
        materialise(tmp_path / "materials", origin, lambda: ROWS, lambda: TOKENS, sources.images, texts)
        for origin in (ORIGIN, Origin("2026-12", "mlm_irle", "rows-2", "cells-1"),
                       Origin("2026-12", "mlm_irle", "rows-1", "cells-2"),
                       Origin("2026-12", "mlm_irle", "rows-1", "cells-1", first_characters=3))
        for texts in (sources.texts, other.texts)
    }  # fmt: skip
    assert len(folders) == 8


def test_material_that_cannot_be_made_leaves_nothing(sources: Sources, tmp_path: Path) -> None:
    bare = Source(sources.images.store)
    with pytest.raises(MlmError, match="There is no vector"):
        materialise(tmp_path / "materials", ORIGIN, lambda: ROWS, lambda: TOKENS, bare, sources.texts)
    left = [entry for entry in (tmp_path / "materials").rglob("*") if entry.suffix in (".npy", ".json")]
    assert left == []


_NAMES = st.lists(st.sampled_from("abcdefgh"), min_size=1, max_size=4, unique=True)


@given(
    st.lists(
        st.tuples(
            _NAMES,
            st.dictionaries(st.sampled_from(LANGUAGES), st.text(min_size=1, max_size=5), min_size=1),
            st.lists(st.sampled_from(["town", "port", "Dorf", "ville"]), max_size=3, unique=True),
        ),
        max_size=8,
    ),
    st.integers(1, 5),
)
@settings(max_examples=40, deadline=None)
def test_material_says_of_every_item_what_its_row_said(
    tmp_path_factory: pytest.TempPathFactory, items: list[Any], chunk: int
) -> None:
    rows = table(*(row(f"Q{number + 1}", *item) for number, item in enumerate(items)))
    # Rows come from Parquet in several chunks.
    chunked = pa.Table.from_batches(rows.to_batches(max_chunksize=chunk), rows.schema)
    material = made(Sources(tmp_path_factory.mktemp("features")), chunked)
    assert len(material) == len(items)
    for number, (images, texts, labels) in enumerate(items):
        assert material.images.keys[material.images.of(number)].tolist() == [f"{sha1(name)}-1" for name in images]
        assert material.texts.keys[material.texts.of(number)].tolist() == [text_key(text) for text in texts.values()]
        assert material.classes.keys[material.classes.of(number)].tolist() == (labels or [NO_LABEL])
    for ragged in (material.images, material.texts, material.classes):
        assert len(set(ragged.keys.tolist())) == len(ragged.matrix)
        if len(ragged.rows):
            assert ragged.rows[0] == 0, "rows of the matrix follow the items"


def test_the_folder_changes_when_the_same_rows_are_assembled_differently(
    sources: Sources, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = assembly.material_folder(Path("m"), ORIGIN, "a", "b")
    monkeypatch.setattr(assembly, "_VERSION", assembly._VERSION + 1)
    assert assembly.material_folder(Path("m"), ORIGIN, "a", "b") != before
