"""A frozen release becomes a folder: complete, with checksums, whole or not at all, and the same each time."""

import hashlib
import json
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mlm_assets.errors import MlmError, Refused
from mlm_assets.release.builder import build
from mlm_assets.release.checksums import faults_of, read_sums
from mlm_assets.release.formats import FORMATS
from mlm_assets.release.frozen import Frozen, KeptFile
from mlm_assets.release.manifest import CHECKSUMS_FILE, MANIFEST_FILE, figures
from mlm_assets.release.metadata import documents
from mlm_assets.release.recount import differences
from tests.assets.conftest import tree
from tests.release.kills import killed_at, points
from tests.release.sample import small_frozen

ALL = tuple(FORMATS)
SAME_BYTES = tuple(name for name in ALL if name != "duckdb")
"""Formats whose files are the same byte for byte each time."""
CHECKS = {"passed": 12, "warned": 1, "approved": 0}


def quiet(_: str) -> None:
    return


def made(frozen: Frozen, folder: Path) -> dict[str, Any]:
    return build(frozen, folder, documents, CHECKS, quiet)


def frozen_of(tmp_path: Path, n: int = 12, formats: tuple[str, ...] = SAME_BYTES, **changes: Any) -> Frozen:
    return small_frozen(tmp_path, n, formats=formats, **changes)


def test_the_folder_holds_every_format_and_document_and_vouches_for_all_of_it(tmp_path: Path) -> None:
    folder = tmp_path / "draft"
    manifest = made(frozen_of(tmp_path, formats=ALL), folder)
    assert manifest["formats"] == list(ALL)
    assert {file["format"] for file in manifest["files"]} >= {*ALL, "images", "model"}
    sums = read_sums(folder)
    assert {MANIFEST_FILE, "README.md", "croissant.json", "index.html", "attribution.parquet"} <= set(sums)
    there = tree(folder)
    del there[CHECKSUMS_FILE]
    assert sums == there
    checked = subprocess.run(["sha256sum", "-c", "--quiet", "--strict", CHECKSUMS_FILE], cwd=folder, check=False)
    assert checked.returncode == 0
    assert json.loads((folder / MANIFEST_FILE).read_bytes()) == manifest
    assert list(faults_of(folder, quiet)) == []
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".tmp-")]


def test_hashes_of_pictures_are_taken_as_they_pass(tmp_path: Path) -> None:
    frozen = frozen_of(tmp_path, formats=("json",))
    folder = tmp_path / "draft"
    made(frozen, folder)
    pictures = [path for path in read_sums(folder) if "/images/" in path]
    assert len(pictures) == sum(len(images) for rows in frozen.rows.values() for images in rows["images"].to_pylist())
    for path, sha256 in read_sums(folder).items():
        assert hashlib.sha256((folder / path).read_bytes()).hexdigest() == sha256


def test_the_same_release_has_the_same_bytes(tmp_path: Path) -> None:
    made(frozen_of(tmp_path), tmp_path / "one")
    made(frozen_of(tmp_path), tmp_path / "elsewhere" / "two")
    assert tree(tmp_path / "one") == tree(tmp_path / "elsewhere" / "two")


def test_figures_of_the_manifest_are_those_of_the_files(tmp_path: Path) -> None:
    folder = tmp_path / "draft"
    frozen = frozen_of(tmp_path)
    manifest = made(frozen, folder)
    assert manifest["variants"] == {variant: figures(rows) for variant, rows in frozen.rows.items()}
    assert list(differences(folder, manifest)) == []


@pytest.mark.parametrize("formats", [("parquet",), ("json",)])
@pytest.mark.parametrize(
    ("figure", "value"),
    [("images", 1), ("entities_without_image", 0), ("classes", 99), ("summaries_per_language", {"en": 1})],
)
def test_a_figure_that_was_typed_is_found(tmp_path: Path, formats: tuple[str, ...], figure: str, value: Any) -> None:
    folder = tmp_path / "draft"
    manifest = made(frozen_of(tmp_path, formats=formats), folder)
    manifest["variants"]["mlm_v2"][figure] = value
    (found,) = differences(folder, manifest)
    assert found.startswith(f"mlm_v2: the manifest says {figure} = {value}, its files hold ")


@pytest.mark.parametrize("figure", ["splits", "entities_per_country", "images_per_licence", "cells"])
def test_figures_that_only_parquet_tells_are_counted_too(tmp_path: Path, figure: str) -> None:
    folder = tmp_path / "draft"
    manifest = made(frozen_of(tmp_path, formats=("parquet",)), folder)
    manifest["variants"]["mlm_irle"][figure] = -1
    assert len(list(differences(folder, manifest))) == 1
    manifest["withheld"] = {}
    manifest["files"][0]["n_records"] = 1_000_000
    assert len(list(differences(folder, manifest))) == 3


def test_a_file_that_is_missing_changed_or_new_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "draft"
    made(frozen_of(tmp_path), folder)
    (folder / "README.md").unlink()
    (folder / "LICENSES.md").write_text("all rights reserved")
    (folder / "json" / "notes.txt").write_text("mine")
    (folder / "elsewhere").symlink_to(tmp_path)
    (folder / "CITATION.cff").rename(tmp_path / "CITATION.cff")
    (folder / "CITATION.cff").symlink_to(tmp_path / "CITATION.cff")
    found = {(fault.path, fault.kind) for fault in faults_of(folder, quiet)}
    assert found == {
        ("README.md", "missing"), ("LICENSES.md", "changed"), ("CITATION.cff", "changed"), ("json/notes.txt", "extra"),
        ("elsewhere", "extra"),
    }  # fmt: skip


def test_purged_files_are_no_fault_while_they_are_gone(tmp_path: Path) -> None:
    folder = tmp_path / "draft"
    made(frozen_of(tmp_path), folder)
    purged = {"attribution.parquet": ""}
    assert [fault.kind for fault in faults_of(folder, quiet, purged)] == ["extra"]
    (folder / "attribution.parquet").unlink()
    assert list(faults_of(folder, quiet, purged)) == []


@pytest.mark.parametrize("line", ["", "short  a", "0" * 64 + "  ../outside", "0" * 64 + "  /etc/passwd"])
def test_checksums_that_are_none_vouch_for_nothing(tmp_path: Path, line: str) -> None:
    (tmp_path / CHECKSUMS_FILE).write_text(line + "\n")
    with pytest.raises(Refused, match="nothing vouches for"):
        read_sums(tmp_path)


def test_an_older_draft_is_replaced_and_nothing_of_it_stays(tmp_path: Path) -> None:
    folder = tmp_path / "draft"
    made(frozen_of(tmp_path, 12), folder)
    (folder / "left.txt").write_text("of the old draft")
    made(frozen_of(tmp_path, 6), folder)
    made(frozen_of(tmp_path, 6), tmp_path / "other")
    assert tree(folder) == tree(tmp_path / "other")


def test_a_kept_file_that_was_changed_since_is_refused_and_the_draft_stays(tmp_path: Path) -> None:
    folder = tmp_path / "draft"
    frozen = frozen_of(tmp_path)
    made(frozen, folder)
    before = tree(folder)
    frozen.kept[0].source.write_bytes(b"other weights")
    with pytest.raises(Refused, match=r"models/mlm_irle/mtl_model/model\.safetensors, was changed"):
        made(frozen, folder)
    gone = replace(frozen, kept=[KeptFile("models/a", tmp_path / "nowhere", "0" * 64, "model")])
    with pytest.raises(Refused, match="is not there any more"):
        made(gone, folder)
    assert tree(folder) == before
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".tmp-")]


def test_a_picture_that_is_gone_ends_the_build(tmp_path: Path) -> None:
    def nothing(path: str, *_: Any) -> bytes:
        raise FileNotFoundError(path)

    with pytest.raises(MlmError, match="is not in the lake any more"):
        made(replace(frozen_of(tmp_path), picture=nothing, link_picture=nothing), tmp_path / "draft")
    assert not (tmp_path / "draft").exists()


@pytest.mark.slow
def test_killed_anywhere_the_draft_is_the_old_one_the_new_one_or_none(tmp_path: Path) -> None:
    old, new = (frozen_of(tmp_path, n, formats=("json", "parquet")) for n in (4, 6))
    made(old, tmp_path / "old")
    made(new, tmp_path / "new")
    wholes = [tree(tmp_path / "old"), tree(tmp_path / "new"), {}]
    folder = tmp_path / "releases" / "draft"
    made(old, folder)
    seen = []
    for point in points(every=23):
        was_killed = killed_at(point, lambda: made(new, folder))
        seen.append(wholes.index(tree(folder)))
        if not was_killed:
            break
        made(old, folder)
    assert len(seen) > 5, "the points must lie all over the build"
    assert {0, 1} <= set(seen)
    assert tree(folder) == wholes[1]
    made(new, folder)
    assert [path.name for path in folder.parent.iterdir()] == ["draft"], "what killed builds left is cleared"
