"""The published HDF5 layout: real files, written and read, and every way in which they can be wrong."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlm_assets.commands.hdf5 import export_files, import_files, lines_of
from mlm_assets.errors import Refused
from mlm_assets.ml.hdf5 import FILES, export_hdf5, import_hdf5, read_hdf5, write_published_sample
from mlm_assets.ml.layout import imported_folder
from mlm_assets.ml.material import (
    TEST,
    TRAIN,
    UNKNOWN_LANGUAGE,
    VALIDATION,
    Material,
    check_material,
    open_material,
    ragged,
)
from mlm_assets.ml.synthetic import synthetic_material
from mlm_assets.settings import Settings

IMAGE, TEXT, CELLS = 12, 8, 5


def sample(folder: Path, n: int = 40, **changed: Any) -> Material:
    return write_published_sample(
        folder, n, **{"image_dimension": IMAGE, "text_dimension": TEXT, "n_cells": CELLS, **changed}
    )


def assert_same(found: Material, expected: Material) -> None:
    """Assert that two materials say the same of every settlement, in whatever order they list them."""
    assert sorted(found.qids) == sorted(expected.qids)
    where = {qid: item for item, qid in enumerate(found.qids)}
    assert found.n_cells == expected.n_cells
    for item, qid in enumerate(expected.qids):
        other = where[qid]
        for name in ("cells", "splits", "lat_deg", "lon_deg"):
            assert getattr(found, name)[other] == getattr(expected, name)[item], (qid, name)
        for part in ("images", "texts", "classes"):
            ours, theirs = getattr(found, part), getattr(expected, part)
            np.testing.assert_array_equal(ours.matrix[ours.of(other)], theirs.matrix[theirs.of(item)], err_msg=qid)


def change(folder: Path, name: str, values: Any, file: str = FILES[TRAIN]) -> None:
    """Replace a dataset, or remove it."""
    with h5py.File(folder / file, "r+") as opened:
        del opened[name]
        if values is not None:
            opened[name] = values


def first_id(folder: Path, file: str = FILES[TRAIN]) -> int:
    with h5py.File(folder / file) as opened:
        return int(opened["ids"][0])


def test_the_written_layout_is_the_published_one(tmp_path: Path) -> None:
    material = sample(tmp_path / "published", 60)
    assert sorted(path.name for path in (tmp_path / "published").iterdir()) == sorted(["train.h5", "val.h5", "test.h5"])
    for split, name in ((TRAIN, "train.h5"), (VALIDATION, "val.h5"), (TEST, "test.h5")):
        with h5py.File(tmp_path / "published" / name) as file:
            ids = file["ids"][()]
            assert ids.dtype.kind == "i"
            assert [f"Q{one}" for one in ids] == material.qids[material.items(split)].tolist()
            assert len(file) == 1 + 5 * len(ids)
            for one, item in zip(ids, material.items(split), strict=True):
                assert file[f"{one}_images"].shape == (material.images.counts[item], IMAGE)
                assert file[f"{one}_summaries"].shape == (material.texts.counts[item], TEXT)
                assert file[f"{one}_classes"].shape == (material.classes.counts[item], TEXT)
                assert file[f"{one}_onehot"][()].tolist() == np.eye(CELLS)[material.cells[item]].tolist()
                assert file[f"{one}_coordinates"][()].tolist() == [material.lat_deg[item], material.lon_deg[item]]
                assert (file[f"{one}_images"].dtype, file[f"{one}_images"].compression) == (np.float32, "gzip")


def test_a_sample_holds_full_float32_values_that_round_to_its_material(tmp_path: Path) -> None:
    material = sample(tmp_path / "published", 20)
    with h5py.File(tmp_path / "published" / FILES[TRAIN]) as file:
        item = int(material.items(TRAIN)[0])
        stored = file[f"{material.qids[item][1:]}_images"][()]
    expected = material.images.matrix[material.images.of(item)]
    assert (stored != expected.astype(np.float32)).mean() > 0.9
    np.testing.assert_array_equal(stored.astype(np.float16), expected)


def test_import_gives_what_was_written(tmp_path: Path) -> None:
    material = sample(tmp_path / "published", 60)
    told: list[tuple[int, int]] = []
    found = import_hdf5(
        tmp_path / "published", tmp_path / "material", "mlm_irle_gr", "v1", lambda *said: told.append(said)
    )
    assert_same(found, material)
    check_material(found)
    assert (found.release, found.variant, found.languages) == ("v1", "mlm_irle_gr", (UNKNOWN_LANGUAGE,))
    assert found.cell_tokens == tuple(f"class-{k}" for k in range(CELLS))
    assert not found.text_langs.any() and len(found.text_langs) == len(found.texts.rows)
    assert set(found.countries) == {""}
    assert isinstance(found.images.matrix, np.memmap) and found.images.matrix.dtype == np.float16
    assert told == [(done, 60) for done in range(1, 61)]
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_encoders_are_known_where_the_files_say(tmp_path: Path) -> None:
    material = sample(tmp_path / "published")
    found = read_hdf5(tmp_path / "published", "mlm_irle")
    assert (found.image_encoder, found.text_encoder) == (material.image_encoder, material.text_encoder)
    with h5py.File(tmp_path / "published" / FILES[TRAIN], "r+") as file:
        file.attrs.clear()
    assert read_hdf5(tmp_path / "published", "mlm_irle").image_encoder == "published"


def test_equal_vectors_are_stored_once_and_share_a_key(tmp_path: Path) -> None:
    sample(tmp_path / "published", 40)
    here, there = first_id(tmp_path / "published"), first_id(tmp_path / "published", FILES[TEST])
    picture = np.linspace(0, 1, IMAGE, dtype=np.float32)
    change(tmp_path / "published", f"{here}_images", np.stack([picture, -picture]))
    change(tmp_path / "published", f"{there}_images", np.stack([2 * picture, picture]), FILES[TEST])
    found = read_hdf5(tmp_path / "published", "mlm_irle")
    places = {qid: found.images.of(item) for item, qid in enumerate(found.qids)}
    assert places[f"Q{here}"][0] == places[f"Q{there}"][1]
    assert found.images.keys[places[f"Q{here}"]].tolist() == [f"{here}_images/0", f"{here}_images/1"]
    assert found.images.keys[places[f"Q{there}"]].tolist() == [f"{there}_images/0", f"{here}_images/0"]
    for part in (found.images, found.texts, found.classes):
        assert len(np.unique(part.matrix, axis=0)) == len(part.matrix) == len(part.keys) == len(set(part.keys))
    assert len(found.classes.matrix) < len(found.classes.rows)


@pytest.mark.parametrize("written", [lambda n: str(n).encode(), lambda n: f"Q{n}", str])
def test_ids_may_be_text(tmp_path: Path, written: Callable[[int], bytes | str]) -> None:
    material = sample(tmp_path / "published")
    for name in FILES:
        with h5py.File(tmp_path / "published" / name, "r+") as file:
            ids = file["ids"][()].tolist()
            texts = [written(one) for one in ids]
            del file["ids"]
            file["ids"] = np.array(texts, dtype="S" if isinstance(texts[0], bytes) else h5py.string_dtype())
            if str(texts[0]).startswith("Q"):
                for dataset in [name for name in file if name != "ids"]:
                    file.move(dataset, f"Q{dataset}")
    assert_same(read_hdf5(tmp_path / "published", "mlm_irle"), material)


def test_coordinates_may_be_text(tmp_path: Path) -> None:
    material = sample(tmp_path / "published")
    one = first_id(tmp_path / "published")
    change(tmp_path / "published", f"{one}_coordinates", np.array([b"44.1", b"-12.25"]))
    found = read_hdf5(tmp_path / "published", "mlm_irle")
    item = found.qids.tolist().index(f"Q{one}")
    assert (found.lat_deg[item], found.lon_deg[item]) == (44.1, -12.25)
    assert len(found) == len(material)


def vectors(n: int, d: int, value: float = 0.0) -> Any:
    made = np.zeros((n, d), np.float32)
    made[-1, 2] = value
    return made


@pytest.mark.parametrize(
    ("ending", "values", "why"),
    [
        ("images", None, "has no dataset {}_images"),
        ("onehot", None, "has no dataset {}_onehot"),
        ("coordinates", None, "has no dataset {}_coordinates"),
        ("images", np.zeros(IMAGE), r"{}_images in .* has shape \(12,\)"),
        ("images", np.zeros((0, IMAGE)), r"{}_images in .* has shape \(0, 12\)"),
        ("classes", np.array([[b"a", b"b"]]), "{}_classes in .* expected numbers"),
        ("summaries", vectors(1, TEXT + 1), "{}_summaries in .* has vectors of 9; those read before have 8"),
        ("summaries", vectors(2, TEXT, np.nan), "Vector 1 of {}_summaries in .* holds nan at place 2.* not finite"),
        ("images", vectors(1, IMAGE, np.inf), "Vector 0 of {}_images in .* holds inf at place 2.* not finite"),
        ("images", vectors(1, IMAGE, 7e4), "holds 70000.0 at place 2.* beyond the range of float16"),
        ("onehot", np.zeros(CELLS), "{}_onehot in .* is not one-hot"),
        ("onehot", np.full(CELLS, 0.2), "is not one-hot"),
        ("onehot", np.eye(CELLS)[0] * 2, "is not one-hot"),
        ("onehot", np.array([np.nan, 0, 0, 0, 0]), "is not one-hot"),
        ("onehot", np.array([-1, 1, 1, 0, 0]), "is not one-hot"),
        ("onehot", np.eye(CELLS + 1)[0], "{}_onehot in .* has 6 places; those read before have 5"),
        ("coordinates", np.array([91.0, 0.0]), r"{}_coordinates in .* is \(91.0, 0.0\), which is not latitude"),
        ("coordinates", np.array([0.0, 180.5]), "not latitude and longitude in degrees"),
        ("coordinates", np.array([np.nan, 0.0]), "not latitude and longitude in degrees"),
        ("coordinates", np.array([1.0, 2.0, 3.0]), "is not a pair"),
        ("coordinates", np.array([b"north", b"east"]), "is not a pair"),
    ],
)
def test_a_damaged_dataset_is_refused_by_name(tmp_path: Path, ending: str, values: Any, why: str) -> None:
    sample(tmp_path / "published")
    # In the second file, so that there is something to disagree with.
    one = first_id(tmp_path / "published", FILES[VALIDATION])
    change(tmp_path / "published", f"{one}_{ending}", values, FILES[VALIDATION])
    with pytest.raises(Refused, match=why.format(one)):
        import_hdf5(tmp_path / "published", tmp_path / "material", "mlm_irle")
    assert [path.name for path in tmp_path.iterdir()] == ["published"]


def test_the_largest_float16_is_accepted(tmp_path: Path) -> None:
    sample(tmp_path / "published")
    one = first_id(tmp_path / "published")
    change(tmp_path / "published", f"{one}_images", vectors(1, IMAGE, 65_504))
    found = read_hdf5(tmp_path / "published", "mlm_irle")
    assert found.images.matrix.max() == 65_504


def test_broken_files_are_refused_by_name(tmp_path: Path) -> None:
    published = tmp_path / "published"
    with pytest.raises(Refused, match="published is not a folder"):
        read_hdf5(published, "mlm_irle")
    sample(published)
    whole = (published / "val.h5").read_bytes()
    (published / "val.h5").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(Refused, match=r"val\.h5 cannot be read as HDF5 .*truncated"):
        read_hdf5(published, "mlm_irle")
    (published / "val.h5").write_bytes(b"<html>not found</html>")
    with pytest.raises(Refused, match=r"val\.h5 cannot be read as HDF5"):
        read_hdf5(published, "mlm_irle")
    (published / "val.h5").unlink()
    with pytest.raises(Refused, match=r"has no file val\.h5"):
        read_hdf5(published, "mlm_irle")


def test_a_broken_chunk_is_refused_by_name(tmp_path: Path) -> None:
    sample(tmp_path / "published", image_dimension=600)
    path = tmp_path / "published" / FILES[TRAIN]
    one = first_id(tmp_path / "published")
    with h5py.File(path) as file:
        chunk = file[f"{one}_images"].id.get_chunk_info(0)
    with path.open("r+b") as raw:
        raw.seek(chunk.byte_offset + 4)
        raw.write(b"\xff" * (chunk.size - 4))
    with pytest.raises(Refused, match=f"{one}_images in .* cannot be read"):
        read_hdf5(tmp_path / "published", "mlm_irle")


@pytest.mark.parametrize("ids", [["Paris"], ["0"], ["-3"], ["1.5"]])
def test_what_is_no_id_is_refused(tmp_path: Path, ids: list[str]) -> None:
    sample(tmp_path / "published")
    change(tmp_path / "published", "ids", np.array(ids, dtype=h5py.string_dtype()))
    with pytest.raises(Refused, match=f"lists '{ids[0]}', which is not the number"):
        read_hdf5(tmp_path / "published", "mlm_irle")


def test_an_id_in_two_splits_is_refused(tmp_path: Path) -> None:
    sample(tmp_path / "published")
    one = first_id(tmp_path / "published")
    with h5py.File(tmp_path / "published" / FILES[TEST], "r+") as file:
        ids = [*file["ids"][()].tolist(), one]
        del file["ids"]
        file["ids"] = ids
    with pytest.raises(Refused, match=rf"Q{one} is listed twice, in train\.h5 and in test\.h5"):
        read_hdf5(tmp_path / "published", "mlm_irle")


def test_files_that_nothing_can_be_learnt_from_are_refused(tmp_path: Path) -> None:
    sample(tmp_path / "one_cell", n_cells=1)
    with pytest.raises(Refused, match="1 geo-cell"):
        read_hdf5(tmp_path / "one_cell", "mlm_irle")
    sample(tmp_path / "no_test")
    change(tmp_path / "no_test", "ids", np.zeros(0, np.int64), FILES[TEST])
    with pytest.raises(Refused, match="no test items"):
        read_hdf5(tmp_path / "no_test", "mlm_irle")


def test_a_refused_import_leaves_the_older_one(tmp_path: Path) -> None:
    material = sample(tmp_path / "published")
    import_hdf5(tmp_path / "published", tmp_path / "material", "mlm_irle")
    sample(tmp_path / "other", seed=2)
    change(tmp_path / "other", f"{first_id(tmp_path / 'other', FILES[TEST])}_images", None, FILES[TEST])
    with pytest.raises(Refused, match="no dataset"):
        import_hdf5(tmp_path / "other", tmp_path / "material", "mlm_irle")
    assert_same(open_material(tmp_path / "material"), material)
    newer = sample(tmp_path / "newer", seed=3)
    assert_same(import_hdf5(tmp_path / "newer", tmp_path / "material", "mlm_irle"), newer)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["material", "newer", "other", "published"]


def test_export_is_whole_or_not_at_all_and_spares_what_is_there(tmp_path: Path) -> None:
    material = synthetic_material(30, n_cells=3, image_dimension=IMAGE, text_dimension=TEXT)
    with pytest.raises(Refused, match="'Paris' is not the QID"):
        export_hdf5(replace(material, qids=np.array(["Paris", *material.qids[1:]])), tmp_path / "bad")
    wrong = material.images.matrix.copy()
    wrong[3, 3] = np.nan
    with pytest.raises(Refused, match="image-3"):
        export_hdf5(replace(material, images=replace(material.images, matrix=wrong)), tmp_path / "bad")

    def interrupt(done: int, _total: int) -> None:
        if done == 27:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        export_hdf5(material, tmp_path / "bad", interrupt)
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "thesis.txt").write_text("mine")
    with pytest.raises(Refused, match="taken exists already"):
        export_hdf5(material, tmp_path / "taken")
    assert (tmp_path / "taken" / "thesis.txt").read_text() == "mine"


@st.composite
def materials(draw: st.DrawFn) -> Material:
    """Settlements with any numbers of vectors, any finite values, and vectors that several of them share."""
    n, n_cells, seed = draw(st.integers(4, 9)), draw(st.integers(2, 4)), draw(st.integers(0, 2**32 - 1))
    rng = np.random.default_rng(seed)
    sizes = st.lists(st.integers(1, 4), min_size=n, max_size=n)

    def part(name: str, dimension: int) -> Any:
        pool = rng.integers(0, 2**16, (draw(st.integers(1, 8)), dimension), np.uint16).view(np.float16)
        pool = np.where(np.isfinite(pool), pool, np.float16(65_504))
        rows = [rng.integers(0, len(pool), size).tolist() for size in draw(sizes)]
        return ragged(pool, rows, [f"{name}-{number}" for number in range(len(pool))])

    texts = part("text", draw(st.integers(1, 4)))
    return Material(
        "r", "mlm_irle", "i", "t", ("en",), tuple(str(k) for k in range(n_cells)),
        np.array([f"Q{number}" for number in rng.choice(10**12, n, replace=False) + 1]),
        rng.uniform(-90, 90, n), rng.uniform(-180, 180, n), rng.integers(0, n_cells, n).astype(np.int32),
        rng.permutation(np.arange(n) % 3).astype(np.int8), np.full(n, ""),
        part("image", draw(st.integers(1, 5))), texts, np.zeros(len(texts.rows), np.int8),
        part("class", draw(st.integers(1, 3))),
    )  # fmt: skip


@given(material=materials())
@settings(max_examples=40, deadline=None)
def test_import_undoes_export(tmp_path_factory: pytest.TempPathFactory, material: Material) -> None:
    folder = tmp_path_factory.mktemp("round")
    export_hdf5(material, folder / "published")
    assert_same(import_hdf5(folder / "published", folder / "material", "mlm_irle"), material)


def home(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "home")


def test_import_command_takes_one_variant(tmp_path: Path) -> None:
    material = sample(tmp_path / "published")
    said = import_files(tmp_path / "published", home(tmp_path), "mlm_irle_gr")
    counts = said["variants"]["mlm_irle_gr"]
    assert list(said["variants"]) == ["mlm_irle_gr"] and said["release"] == "published"
    assert counts["items"] == {"train": 32, "validation": 4, "test": 4}
    assert counts["dimensions"] == {"images": IMAGE, "texts": TEXT, "classes": TEXT}
    assert counts["vectors"]["texts"] == len(material.texts.rows) and counts["cells"] == CELLS
    folder = imported_folder(home(tmp_path).home, "published", "mlm_irle_gr")
    assert folder == tmp_path / "home" / "imported" / "published" / "mlm_irle_gr"
    assert counts["bytes"] == sum(path.stat().st_size for path in folder.iterdir())
    assert_same(open_material(folder), material)
    assert "32 train, 4 validation, 4 test; 5 cells" in lines_of(counts)[0]


def test_import_command_takes_a_folder_per_variant(tmp_path: Path) -> None:
    expected = {
        name: sample(tmp_path / "both" / name, seed=seed) for seed, name in enumerate(("mlm_irle", "mlm_irle_gr"))
    }
    said = import_files(tmp_path / "both", home(tmp_path), name="zenodo")
    assert list(said["variants"]) == ["mlm_irle", "mlm_irle_gr"]
    for name, material in expected.items():
        found = open_material(imported_folder(home(tmp_path).home, "zenodo", name))
        assert (found.release, found.variant) == ("zenodo", name)
        assert_same(found, material)
    only = import_files(tmp_path / "both", home(tmp_path), "mlm_irle_gr", "one")
    assert list(only["variants"]) == ["mlm_irle_gr"]


def test_import_command_defaults_to_the_larger_variant(tmp_path: Path) -> None:
    sample(tmp_path / "published")
    assert list(import_files(tmp_path / "published", home(tmp_path))["variants"]) == ["mlm_irle"]


@pytest.mark.parametrize("name", ["2026-12", "", "../published", "Published", "a/b", "-a", "a" * 64])
def test_import_command_refuses_names(tmp_path: Path, name: str) -> None:
    sample(tmp_path / "published")
    with pytest.raises(Refused, match="cannot name imported files"):
        import_files(tmp_path / "published", home(tmp_path), name=name)
    assert not (tmp_path / "home").exists()


def test_import_command_refuses_what_it_cannot_place(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="is not a folder"):
        import_files(tmp_path / "absent", home(tmp_path))
    (tmp_path / "empty").mkdir()
    with pytest.raises(Refused, match="holds neither"):
        import_files(tmp_path / "empty", home(tmp_path))
    sample(tmp_path / "published")
    with pytest.raises(Refused, match="'mlm_v2' has no models"):
        import_files(tmp_path / "published", home(tmp_path), "mlm_v2")


def test_import_command_replaces_only_when_told(tmp_path: Path) -> None:
    sample(tmp_path / "published")
    import_files(tmp_path / "published", home(tmp_path))
    newer = sample(tmp_path / "newer", seed=2)
    with pytest.raises(Refused, match="is there already"):
        import_files(tmp_path / "newer", home(tmp_path))
    left = imported_folder(home(tmp_path).home, "published", "mlm_irle").parent / ".tmp-mlm_irle-0"
    left.mkdir()
    import_files(tmp_path / "newer", home(tmp_path), replace=True)
    assert not left.exists(), "what a killed import left behind is swept up"
    assert_same(open_material(imported_folder(home(tmp_path).home, "published", "mlm_irle")), newer)


def test_export_command_says_what_it_wrote(tmp_path: Path) -> None:
    material = synthetic_material(30, n_cells=3, image_dimension=IMAGE, text_dimension=TEXT)
    (tmp_path / "out" / "mlm_irle").mkdir(parents=True)
    said = export_files(material, tmp_path / "out" / "mlm_irle")
    assert said["items"] == {"train": 24, "validation": 3, "test": 3}
    assert said["bytes"] == sum(path.stat().st_size for path in (tmp_path / "out" / "mlm_irle").iterdir())
    imported = import_files(tmp_path / "out", home(tmp_path))["variants"]["mlm_irle"]
    assert {name: imported[name] for name in ("items", "cells", "vectors")} == {
        name: said[name] for name in ("items", "cells", "vectors")
    }


def test_the_yardstick_computes_what_our_model_computes() -> None:
    import torch

    from benchmarks.original import OriginalIrle
    from mlm_assets.ml.model import Irle, ThreeGates
    from mlm_assets.ml.recipe import load_recipe

    torch.manual_seed(1)
    theirs = OriginalIrle(CELLS, IMAGE, TEXT, 16).eval()
    recipe = load_recipe("paper").changed(model={"embedding": 16})
    ours = Irle(recipe, "mtl", image_dimension=IMAGE, text_dimension=TEXT, class_dimension=TEXT, n_cells=CELLS).eval()
    for mine, other in ((ours.summary, theirs.summary), (ours.classes, theirs.classes)):
        mine[0] = ThreeGates.of(other.lstm)
        mine[3].load_state_dict(other.out[2].state_dict())
    for number in (0, 3):
        ours.image[number].load_state_dict(theirs.image[number].state_dict())
    ours.fusion.load_state_dict(theirs.fusion.state_dict())
    assert ours.location is not None
    ours.location.layers.load_state_dict(theirs.location.state_dict())
    features = torch.randn(7, IMAGE), torch.randn(7, TEXT), torch.randn(7, TEXT)
    said = ours(*features)
    for found, expected in zip(
        (said.image_vectors, said.text_vectors, said.image_logits, said.text_logits), theirs(*features), strict=True
    ):
        torch.testing.assert_close(found, expected)


def test_the_yardstick_reads_what_was_published(tmp_path: Path) -> None:
    from benchmarks.original import PublishedEntities, loader

    material = sample(tmp_path / "published", 400)
    train = material.items(TRAIN)
    owner = {
        vector.tobytes(): item
        for item in train.tolist()
        for vector in material.images.matrix[material.images.of(item)].astype(np.float32)
    }
    of_text = {
        vector.tobytes(): item
        for item in train.tolist()
        for vector in material.texts.matrix[material.texts.of(item)].astype(np.float32)
    }
    entities = PublishedEntities(tmp_path / "published" / FILES[TRAIN], seed=1)
    seen: list[tuple[int, bool]] = []
    for images, texts, _, cells, pairs in loader(entities, 32, seed=1):
        rounded = [part.numpy().astype(np.float16).astype(np.float32) for part in (images, texts)]
        for image, text, cell, pair in zip(*rounded, cells.tolist(), pairs.tolist(), strict=True):
            item = of_text[text.tobytes()]
            assert cell == material.cells[item]
            assert (owner[image.tobytes()] == item) == (pair == 1.0)
            seen.append((item, pair == 1.0))
    entities.close()
    assert sorted(item for item, _ in seen) == train.tolist(), "every settlement once an epoch"
    assert 0.4 < np.mean([is_match for _, is_match in seen]) < 0.6
