"""HDF5 by the original's access pattern, by our own importer, and what is refused."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from benchmarks.original import PublishedEntities, loader
from mlm_assets.errors import MlmError
from mlm_assets.ml.hdf5 import read_hdf5
from mlm_assets.release.formats.hdf5 import FILES
from mlm_assets.release.frozen import Frozen, Vectors
from tests.release.odd_rows import odd_frozen, records_of, write
from tests.release.sample import rows_of, small_frozen

SPLITS = ("train", "validation", "test")


def _frozen(folder: Path) -> Frozen:
    """Return a release with pictured settlements in every split."""
    frozen = small_frozen(folder, n=24)
    found = rows_of("mlm_irle", range(24)).to_pylist()
    for number, row in enumerate(found):
        row["split"] = SPLITS[number % 3]
    found[3]["class_labels"] = []
    table = type(frozen.rows["mlm_irle"]).from_pylist(found, schema=frozen.rows["mlm_irle"].schema)
    return replace(
        frozen, rows={**frozen.rows, "mlm_irle": table}, vectors={"mlm_irle": lambda split: vectors_of(found, split)}
    )


def vectors_of(rows: list[dict[str, Any]], split: str) -> Iterator[Vectors]:
    for row in rows:
        if row["split"] == split and row["images"]:
            made = np.random.default_rng(int(row["qid"][1:]))
            shapes = ((len(row["images"]), 8), (len(row["summaries"]), 6), (len(row["class_labels"]) or 1, 6))
            yield Vectors(row["qid"], *(made.random(shape, np.float32) for shape in shapes))


def test_the_original_access_pattern_reads_every_value(tmp_path: Path) -> None:
    frozen = _frozen(tmp_path / "kept")
    made = write(frozen, tmp_path / "release", "hdf5")
    for name, split in zip(FILES, SPLITS, strict=True):
        rows = {int(row["qid"][1:]): row for row in records_of(frozen.rows["mlm_irle"], split) if row["images"]}
        vectors = {int(one.qid[1:]): one for one in frozen.vectors["mlm_irle"](split)}
        with h5py.File(tmp_path / "release/hdf5/mlm_irle" / name) as file:
            ids = file["ids"][()]
            assert split != "train" or file["85_classes"].shape == (1, 6)
            assert ids.tolist() == list(rows)
            assert len(file) == 1 + 5 * len(rows)
            for number in ids:
                given, row = vectors[number], rows[number]
                assert np.array_equal(file[f"{number}_images"][()], given.images)
                assert np.array_equal(file[f"{number}_summaries"][()], given.summaries)
                assert np.array_equal(file[f"{number}_classes"][()], given.classes)
                assert file[f"{number}_onehot"][()].tolist() == [float(row["class_id"] == cell) for cell in range(2)]
                assert file[f"{number}_coordinates"][()].tolist() == [row["lat_deg"], row["lon_deg"]]
            assert dict(file.attrs) == {
                "release": "2026-12", "variant": "mlm_irle", "split": split,
                "image_encoder": "mobilenet-v2@1", "text_encoder": "usem3@1",
            }  # fmt: skip
        record = made[f"hdf5/mlm_irle/{name}"]
        assert (record.split, record.n_records) == (split, len(rows))


def test_the_original_loader_iterates(tmp_path: Path) -> None:
    frozen = _frozen(tmp_path / "kept")
    write(frozen, tmp_path / "release", "hdf5")
    entities = PublishedEntities(tmp_path / "release/hdf5/mlm_irle/train.h5", seed=1)
    batches = list(loader(entities, batch=4, seed=1))
    entities.close()
    assert sum(len(cells) for _, _, _, cells, _ in batches) == len(entities)
    assert [tuple(part.shape) for part in batches[0][:3]] == [(4, 8), (4, 6), (4, 6)]


def test_our_importer_reads_it_back(tmp_path: Path) -> None:
    frozen = _frozen(tmp_path / "kept")
    write(frozen, tmp_path / "release", "hdf5")
    material = read_hdf5(tmp_path / "release/hdf5/mlm_irle", "mlm_irle", "2026-12")
    expected = [row for split in SPLITS for row in records_of(frozen.rows["mlm_irle"], split) if row["images"]]
    assert material.qids.tolist() == [row["qid"] for row in expected]
    assert material.cells.tolist() == [row["class_id"] for row in expected]
    assert (material.image_encoder, material.text_encoder) == ("mobilenet-v2@1", "usem3@1")


def test_settlements_without_pictures_are_left_out_and_counted(tmp_path: Path) -> None:
    frozen = odd_frozen(tmp_path / "kept")
    frozen = replace(frozen, vectors={"mlm_irle": frozen.vectors["mlm_irle"]})
    made = write(frozen, tmp_path / "release", "hdf5")
    rows = records_of(frozen.rows["mlm_irle"])
    pictured = sum(1 for row in rows if row["images"])
    assert 0 < sum(record.n_records or 0 for record in made.values()) == pictured < len(rows)
    with h5py.File(tmp_path / "release/hdf5/mlm_irle/test.h5") as file:
        assert list(file) == ["ids"] and file["ids"].shape == (0,)


def test_a_release_without_vectors_has_no_such_files(tmp_path: Path) -> None:
    frozen = replace(small_frozen(tmp_path / "kept", n=6), vectors={})
    assert write(frozen, tmp_path / "release", "hdf5") == {}
    assert not (tmp_path / "release").exists()


def _missing(given: list[Vectors]) -> list[Vectors]:
    return given[1:]


def _swapped(given: list[Vectors]) -> list[Vectors]:
    return [given[1], given[0], *given[2:]]


def _unknown(given: list[Vectors]) -> list[Vectors]:
    return [*given, replace(given[0], qid="Q1")]


def _short(given: list[Vectors]) -> list[Vectors]:
    return [replace(given[0], images=given[0].images[:0]), *given[1:]]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (_missing, "there are no vectors of Q64"),
        (_swapped, "there are no vectors of Q64"),
        (_unknown, "Q1 has vectors, and is not where it should be among the rows of train"),
        (_short, "Q64 needs 1 vectors of its images, and has 0"),
    ],
)
def test_vectors_that_do_not_belong_are_refused(
    change: Callable[[list[Vectors]], list[Vectors]], sentence: str, tmp_path: Path
) -> None:
    frozen = _frozen(tmp_path / "kept")
    given = frozen.vectors["mlm_irle"]
    wrong = replace(frozen, vectors={"mlm_irle": lambda split: iter(change(list(given(split))))})
    with pytest.raises(MlmError, match=sentence):
        write(wrong, tmp_path / "release", "hdf5")
