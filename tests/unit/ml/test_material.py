"""Material: ragged lists, folders that are whole or not there, what is refused."""

import contextlib
import dataclasses
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlm_assets.errors import Refused
from mlm_assets.ml.material import (
    TEST,
    TRAIN,
    VALIDATION,
    Material,
    Ragged,
    check_material,
    digest,
    entries_of,
    open_material,
    ragged,
    save_material,
    untrainable,
)
from tests.unit.ml.trainings import world

ARRAYS = ("qids", "lat_deg", "lon_deg", "cells", "splits", "countries", "text_langs")
WORDS = ("release", "variant", "image_encoder", "text_encoder", "languages", "cell_tokens")
MODALITIES = ("images", "texts", "classes")


@st.composite
def lists_of_rows(draw: st.DrawFn, n_items: int | None = None) -> tuple[list[list[int]], int]:
    n_rows = draw(st.integers(1, 9))
    n = draw(st.integers(1, 7)) if n_items is None else n_items
    each = st.lists(st.integers(0, n_rows - 1), max_size=4)
    return draw(st.lists(each, min_size=n, max_size=n)), n_rows


@st.composite
def materials(draw: st.DrawFn) -> Material:
    n = draw(st.integers(1, 6))
    words = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), min_size=1, max_size=5)
    parts = {}
    for name in MODALITIES:
        per_item, n_rows = draw(lists_of_rows(n))
        matrix = np.arange(n_rows * 3, dtype=np.float16).reshape(n_rows, 3)
        parts[name] = ragged(matrix, per_item, draw(st.lists(words, min_size=n_rows, max_size=n_rows)))
    n_cells = draw(st.integers(1, 4))
    return Material(
        "2026-12", draw(words), "images-1", draw(words), ("en", "de"), tuple(f"cell {i}" for i in range(n_cells)),
        np.array([f"Q{i}" for i in range(n)]), np.linspace(-90, 90, n), np.linspace(-180, 180, n),
        np.arange(n, dtype=np.int32) % n_cells, np.arange(n, dtype=np.int8) % 3, np.array(["DE", ""] * n)[:n],
        parts["images"], parts["texts"], np.zeros(len(parts["texts"].rows), np.int8), parts["classes"],
    )  # fmt: skip


def assert_same(one: Material, other: Material) -> None:
    for name in WORDS:
        assert getattr(one, name) == getattr(other, name)
    for name in ARRAYS:
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
        assert getattr(one, name).dtype == getattr(other, name).dtype
    for name in MODALITIES:
        for part in ("matrix", "rows", "offsets", "keys"):
            np.testing.assert_array_equal(getattr(getattr(one, name), part), getattr(getattr(other, name), part))


@given(materials())
@settings(max_examples=30, deadline=None)
def test_a_material_comes_back_as_it_was_saved(material: Material) -> None:
    with tempfile.TemporaryDirectory() as folder:
        save_material(material, Path(folder) / "material")
        opened = open_material(Path(folder) / "material")
        assert_same(material, opened)
        assert digest(opened) == digest(material)


def test_matrices_are_opened_as_memory_maps_and_nothing_else_is_left(tmp_path: Path) -> None:
    save_material(world(), tmp_path / "a" / "material")
    assert isinstance(open_material(tmp_path / "a" / "material").images.matrix, np.memmap)
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["material"]


def test_a_newer_material_takes_the_place_of_the_older(tmp_path: Path) -> None:
    save_material(world(seed=1), tmp_path / "material")
    before = open_material(tmp_path / "material")
    save_material(world(seed=2), tmp_path / "material")
    assert_same(open_material(tmp_path / "material"), world(seed=2))
    # Who has the older one open goes on reading it.
    np.testing.assert_array_equal(before.images.matrix, world(seed=1).images.matrix)
    assert [path.name for path in tmp_path.iterdir()] == ["material"]


def test_a_material_that_cannot_be_written_whole_leaves_what_was_there(tmp_path: Path) -> None:
    cannot: Any = (object(),)
    for folder in (tmp_path / "new", tmp_path / "old"):
        if folder.name == "old":
            save_material(world(), folder)
        with pytest.raises(TypeError):
            save_material(dataclasses.replace(world(seed=2), cell_tokens=cannot), folder)
    assert [path.name for path in tmp_path.iterdir()] == ["old"]
    assert_same(open_material(tmp_path / "old"), world())


SAVING = """
import sys
from pathlib import Path
from mlm_assets.ml.synthetic import synthetic_material
from mlm_assets.ml.material import save_material
materials = [synthetic_material(400, seed=seed) for seed in (1, 2)]
print("ready", flush=True)
while True:
    for material in materials:
        save_material(material, Path(sys.argv[1]))
"""


@contextlib.contextmanager
def saving_to(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Run a process that replaces the material in `folder` again and again, and kill it in the end."""
    with subprocess.Popen([sys.executable, "-c", SAVING, str(folder)], stdout=subprocess.PIPE, text=True) as saving:
        assert saving.stdout is not None and saving.stdout.readline() == "ready\n"
        try:
            yield saving
        finally:
            saving.send_signal(signal.SIGKILL)
    assert saving.returncode == -signal.SIGKILL


@pytest.mark.parametrize("after_s", [0.01, 0.045, 0.1])
def test_killed_while_saving_a_material_is_whole_or_not_there(tmp_path: Path, after_s: float) -> None:
    folder = tmp_path / "material"
    with saving_to(folder):
        time.sleep(after_s)
    if folder.exists():
        opened = open_material(folder)
        check_material(opened)
        assert len(opened) == 400
    else:
        with pytest.raises(Refused, match="holds no training material"):
            open_material(folder)


def test_half_of_a_material_is_never_seen(tmp_path: Path) -> None:
    folder = tmp_path / "material"
    save_material(world(), folder)
    whole, folders = {path.name for path in folder.iterdir()}, set()
    with saving_to(folder):
        until = time.monotonic() + 1.0
        while time.monotonic() < until:
            with contextlib.suppress(FileNotFoundError):
                descriptor = os.open(folder, os.O_RDONLY)
                names = set(os.listdir(descriptor))  # noqa: PTH208  (of what was opened, wherever it is now)
                seen, there = os.fstat(descriptor).st_ino, folder.stat().st_ino
                os.close(descriptor)
                # What has been set aside in the meantime may be half removed; what is in place may not.
                if seen == there:
                    assert names == whole
                    folders.add(seen)
    assert len(folders) > 3


def test_what_is_no_material_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"nowhere holds no training material"):
        open_material(tmp_path / "nowhere")
    (tmp_path / "material.json").write_text("{", "utf-8")
    with pytest.raises(Refused, match="holds no training material"):
        open_material(tmp_path)
    (tmp_path / "material.json").write_text(json.dumps({"format": 99}), "utf-8")
    with pytest.raises(Refused, match="is training material of format 99; this version reads 1"):
        open_material(tmp_path)


@pytest.mark.parametrize("name", ["cells", "images_matrix", "texts_keys"])
def test_a_material_with_a_file_missing_or_cut_is_refused(tmp_path: Path, name: str) -> None:
    save_material(world(), tmp_path / "material")
    file = tmp_path / "material" / f"{name}.npy"
    whole = file.read_bytes()
    for rest in (whole[: len(whole) // 2], b""):
        file.write_bytes(rest)
        with pytest.raises(Refused, match=r"The training material in .* is damaged .*\. Remove the folder\."):
            open_material(tmp_path / "material")
    file.unlink()
    with pytest.raises(Refused, match="is damaged"):
        open_material(tmp_path / "material")


def test_a_material_with_pickled_objects_in_it_is_refused(tmp_path: Path) -> None:
    save_material(world(), tmp_path / "material")
    np.save(tmp_path / "material" / "qids.npy", np.array([object()]), allow_pickle=True)
    with pytest.raises(Refused, match="is damaged"):
        open_material(tmp_path / "material")


@given(lists_of_rows(), st.data())
@settings(deadline=None)
def test_entries_and_taking_equal_plain_lists(lists: tuple[list[list[int]], int], data: st.DataObject) -> None:
    per_item, n_rows = lists
    vectors = ragged(np.zeros((n_rows, 2), np.float16), per_item, [str(row) for row in range(n_rows)])
    items = np.array(data.draw(st.lists(st.integers(0, len(per_item) - 1), max_size=6)), dtype=np.int64)
    taken = vectors.take(items)
    assert vectors.rows[entries_of(vectors.offsets, items)].tolist() == [r for item in items for r in per_item[item]]
    assert [taken.of(place).tolist() for place in range(len(items))] == [per_item[item] for item in items]
    assert taken.counts.tolist() == [len(per_item[item]) for item in items]
    assert taken.matrix is vectors.matrix


def test_a_subset_keeps_what_belongs_together() -> None:
    material = world()
    items = np.array([7, 3, 70])
    part = material.subset(items)
    assert part.qids.tolist() == ["Q8", "Q4", "Q71"] and part.n_cells == material.n_cells
    for place, item in enumerate(items):
        for name in MODALITIES:
            np.testing.assert_array_equal(getattr(part, name).of(place), getattr(material, name).of(item))
        own = slice(material.texts.offsets[item], material.texts.offsets[item + 1])
        mine = slice(part.texts.offsets[place], part.texts.offsets[place + 1])
        np.testing.assert_array_equal(part.text_langs[mine], material.text_langs[own])
        assert (part.cells[place], part.splits[place]) == (material.cells[item], material.splits[item])


def test_cell_centres_are_mean_directions_of_the_training_items() -> None:
    material = world(200, n_cells=7)
    # Cell 5 has items, but none for training; cell 6 has none at all.
    cells = np.where(material.cells == 6, 0, material.cells).astype(np.int32)
    splits = np.where(cells == 5, TEST, material.splits).astype(np.int8)
    lat_deg, lon_deg = dataclasses.replace(material, cells=cells, splits=splits).cell_centres()
    for cell in range(6):
        own = (cells == cell) & ((splits == TRAIN) | (cell == 5))
        lat, lon = np.radians(material.lat_deg[own]), np.radians(material.lon_deg[own])
        x, y, z = np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)
        middle = np.array([x.mean(), y.mean(), z.mean()])
        middle /= np.linalg.norm(middle)
        assert lat_deg[cell] == pytest.approx(np.degrees(np.arcsin(middle[2])), abs=1e-4)
        assert lon_deg[cell] == pytest.approx(np.degrees(np.arctan2(middle[1], middle[0])), abs=1e-4)
    assert np.isnan(lat_deg[6]) and np.isnan(lon_deg[6])


def test_cell_centres_cross_the_date_line() -> None:
    material = dataclasses.replace(
        world(40, n_cells=2), cells=np.zeros(40, np.int32), lat_deg=np.zeros(40),
        lon_deg=np.array([179.0, -179.0] * 20), splits=np.full(40, TRAIN, np.int8),
    )  # fmt: skip
    _, lon_deg = material.cell_centres()
    assert abs(lon_deg[0]) == pytest.approx(180.0)


def with_matrix(material: Material, name: str, key: str, value: float) -> Material:
    vectors: Ragged = getattr(material, name)
    matrix = np.array(vectors.matrix)
    matrix[vectors.keys.tolist().index(key), 1] = value
    return dataclasses.replace(material, **{name: dataclasses.replace(vectors, matrix=matrix)})


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize(("name", "key"), [("images", "image-11"), ("texts", "text-0"), ("classes", "class-1")])
def test_a_vector_that_is_not_finite_is_named_by_its_key(name: str, key: str, value: float) -> None:
    with pytest.raises(Refused, match=rf"The vector of {key} among the {name} holds values that are not finite"):
        check_material(with_matrix(world(), name, key, value))


def test_infinities_that_cancel_out_and_large_values() -> None:
    both = with_matrix(world(), "images", "image-3", np.inf)
    both.images.matrix[3, 2] = -np.inf
    with pytest.raises(Refused, match="The vector of image-3 "):
        check_material(both)
    large = world()
    large.images.matrix[3] = np.finfo(np.float16).max
    check_material(large)


def test_an_item_without_vectors_is_named() -> None:
    material = world()
    per_item = [material.texts.of(item).tolist() for item in range(len(material))]
    langs = np.delete(material.text_langs, np.arange(*material.texts.offsets[[12, 13]]))
    per_item[12] = []
    bare = ragged(material.texts.matrix, per_item, material.texts.keys.tolist())
    with pytest.raises(Refused, match="Q13 has no vector among the texts; every settlement needs one"):
        check_material(dataclasses.replace(material, texts=bare, text_langs=langs))


def changed_vectors(material: Material, **more: Any) -> Material:
    return dataclasses.replace(material, images=dataclasses.replace(material.images, **more))


@pytest.mark.parametrize("row", [-1, 10_000])
def test_rows_outside_the_matrix_are_refused(row: int) -> None:
    material = world()
    rows = material.images.rows.copy()
    rows[5] = row
    with pytest.raises(Refused, match=rf"images refer to row {row} of a matrix of {len(material.images.matrix)} rows"):
        check_material(changed_vectors(material, rows=rows))


def test_lists_that_do_not_agree_are_refused() -> None:
    material = world()
    with pytest.raises(Refused, match="images list 79 items, but there are 80 settlements"):
        check_material(changed_vectors(material, offsets=material.images.offsets[:-1]))
    n = len(material.images.matrix)
    with pytest.raises(Refused, match=f"images have {n - 1} keys for a matrix of {n} rows"):
        check_material(changed_vectors(material, keys=material.images.keys[:-1]))
    n = len(material.texts.rows)
    with pytest.raises(Refused, match=f"{n - 1} languages are named for {n} texts"):
        check_material(dataclasses.replace(material, text_langs=material.text_langs[:-1]))
    for cell in (-1, 5):
        cells = material.cells.copy()
        cells[0] = cell
        with pytest.raises(Refused, match="A cell number lies outside 0 to 4"):
            check_material(dataclasses.replace(material, cells=cells))
    check_material(material)


def test_what_cannot_be_trained_on() -> None:
    material = world()
    assert untrainable(material) is None
    one_cell = dataclasses.replace(material, cell_tokens=("all",), cells=np.zeros(80, np.int32))
    assert untrainable(one_cell) == "mlm_irle has 1 geo-cell(s); location estimation needs two at least"
    for split, name in ((TRAIN, "train"), (VALIDATION, "validation"), (TEST, "test")):
        other = np.where(material.splits == split, (split + 1) % 3, material.splits)
        assert untrainable(dataclasses.replace(material, splits=other)) == f"mlm_irle has no {name} items"
    splits = np.full(80, TEST, np.int8)
    splits[:2] = TRAIN, VALIDATION
    why = untrainable(dataclasses.replace(material, splits=splits))
    assert why == "mlm_irle has one train item; learning compares two at least"


def test_a_digest_tells_materials_apart() -> None:
    material = world()
    splits, cells = material.splits.copy(), material.cells.copy()
    splits[0], cells[0] = (splits[0] + 1) % 3, cells[0] + 1
    others = [
        world(seed=2),
        dataclasses.replace(material, splits=splits),
        dataclasses.replace(material, cells=cells),
        dataclasses.replace(material, cell_tokens=tuple("abcde")),
        changed_vectors(material, keys=np.char.add(material.images.keys, "x")),
        changed_vectors(material, matrix=material.images.matrix + np.float16(1)),
    ]
    assert len({digest(one) for one in (material, *others)}) == len(others) + 1
    assert digest(world()) == digest(material)
