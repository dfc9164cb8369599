"""What holds for every format: the same bytes, records that are true, nothing withheld, nothing written over."""

import hashlib
import json
import os
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from mlm_assets.errors import MlmError
from mlm_assets.release.formats import FORMATS
from mlm_assets.release.formats.duckdb import table_hashes
from mlm_assets.release.formats.files import folder_digest, hashed
from mlm_assets.release.manifest import LICENCES
from mlm_assets.settings import Settings
from tests.release.odd_rows import odd_frozen, write
from tests.release.sample import small_frozen

REPOSITORY = Path(__file__).parents[2]
DUCKDB = "duckdb/mlm.duckdb"
WITH_PICTURES = ("parquet", "webdataset", "huggingface", "duckdb")


def test_formats_are_those_of_the_setting() -> None:
    assert tuple(FORMATS) and set(FORMATS) == set(Settings.model_fields["release_formats"].default.split(","))


def by_process(folder: Path, names: list[str], chunk: int, **environment: str) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "tests.release.odd_rows", str(folder), ",".join(names), str(chunk)],
        cwd=REPOSITORY, env={**os.environ, **environment}, check=True, capture_output=True, text=True,
    )  # fmt: skip
    return json.loads(done.stdout)


def test_another_process_day_order_and_chunks_give_the_same_bytes(tmp_path: Path) -> None:
    here = by_process(tmp_path / "a", list(FORMATS), 1_000, PYTHONHASHSEED="1", TZ="UTC", LC_ALL="C.UTF-8")
    there = by_process(
        tmp_path / "somewhere" / "else", list(reversed(FORMATS)), 5, PYTHONHASHSEED="2", TZ="Asia/Tokyo", LC_ALL="C"
    )
    assert here.keys() == there.keys()
    differing = {path for path in here if here[path] != there[path]}
    assert differing <= {DUCKDB}
    first, second = (
        table_hashes(folder / "release" / DUCKDB) for folder in (tmp_path / "a", tmp_path / "somewhere/else")
    )
    assert first == second
    assert set(first) == {"entities", "summaries", "images", "attribution", "geo_cells"}


def test_records_say_what_the_files_are(tmp_path: Path) -> None:
    made = write(odd_frozen(tmp_path / "kept"), tmp_path / "release")
    files = {
        str(path.relative_to(tmp_path / "release")) for path in (tmp_path / "release").rglob("*") if path.is_file()
    }
    folders = {path for path in made if path.endswith("/")}
    assert {path for path in files if not path.startswith(tuple(folders))} == made.keys() - folders
    for path, record in made.items():
        assert record.licence in LICENCES
        if path in folders:
            images = {file.name: hashed(file)[1] for file in (tmp_path / "release" / path).iterdir()}
            assert (record.n_records, record.sha256) == (len(images), folder_digest(images))
            assert record.size_bytes == sum(file.stat().st_size for file in (tmp_path / "release" / path).iterdir())
        else:
            data = (tmp_path / "release" / path).read_bytes()
            assert (record.size_bytes, record.sha256) == (len(data), hashlib.sha256(data).hexdigest())


def test_the_digest_of_a_folder_is_that_of_sha256sum(tmp_path: Path) -> None:
    for name in ("Q9_0.jpg", "Q64_10.jpg", "Q64_2.jpg"):
        (tmp_path / name).write_bytes(name.encode())
    printed = subprocess.run(
        "sha256sum * | sha256sum", shell=True, cwd=tmp_path, env={"LC_ALL": "C", "PATH": os.environ["PATH"]},
        check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    assert printed.split()[0] == folder_digest({path.name: hashed(path)[1] for path in tmp_path.iterdir()})


@pytest.mark.parametrize("name", FORMATS)
def test_nothing_is_written_over(name: str, tmp_path: Path) -> None:
    frozen = small_frozen(tmp_path / "kept", n=6)
    first = write(frozen, tmp_path / "release", name)
    with pytest.raises(MlmError, match="is there already"):
        write(frozen, tmp_path / "release", name)
    again = {path: asdict(record) for path, record in first.items() if not path.endswith("/")}
    assert {path: hashed(tmp_path / "release" / path)[1] for path in again} == {
        path: record["sha256"] for path, record in again.items()
    }


@pytest.mark.parametrize("name", WITH_PICTURES)
def test_a_picture_that_is_withheld_stops_the_format(name: str, tmp_path: Path) -> None:
    frozen = small_frozen(tmp_path / "kept", n=6)
    withheld = pc.if_else(pc.equal(frozen.attribution["name"], "Q71_1.jpg"), "face", frozen.attribution["withheld"])
    at = frozen.attribution.schema.get_field_index("withheld")
    changed = frozen.attribution.set_column(at, frozen.attribution.schema.field(at), withheld.cast(pa.string()))
    with pytest.raises(MlmError, match=r"Q71_1\.jpg is withheld \(face\)"):
        write(replace(frozen, attribution=changed), tmp_path / "release", name)


@pytest.mark.parametrize("name", WITH_PICTURES)
def test_a_picture_that_nobody_has_judged_stops_the_format(name: str, tmp_path: Path) -> None:
    frozen = small_frozen(tmp_path / "kept", n=6)
    judged = frozen.attribution.filter(pc.not_equal(frozen.attribution["name"], "Q71_1.jpg"))
    with pytest.raises(MlmError, match=r"Q71_1\.jpg has no row in `attribution`"):
        write(replace(frozen, attribution=judged), tmp_path / "release", name)


@pytest.mark.parametrize("name", [*WITH_PICTURES, "json"])
def test_a_picture_that_is_gone_is_named(name: str, tmp_path: Path) -> None:
    def gone(path: str, *_more: Any) -> Any:
        raise FileNotFoundError(path)

    frozen = replace(small_frozen(tmp_path / "kept", n=6), picture=gone, link_picture=gone)
    with pytest.raises(MlmError, match=r"The picture images/\S+ of Q64_0\.jpg is not in the lake any more"):
        write(frozen, tmp_path / "release", name)
