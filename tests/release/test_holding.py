"""Which files of a release hold something: each format is asked, and the files themselves are read to compare."""

import base64
import hashlib
from pathlib import Path

import pytest

from mlm_assets.release.builder import build
from mlm_assets.release.frozen import Frozen
from mlm_assets.release.holding import Traces, holds
from mlm_assets.release.metadata import METADATA, documents
from mlm_assets.tables import TRAINED_VARIANTS
from tests.release.sample import small_frozen

RELEASE = "2026-12"


@pytest.fixture(scope="module")
def frozen(tmp_path_factory: pytest.TempPathFactory) -> Frozen:
    formats = ("json", "parquet", "webdataset", "huggingface", "duckdb", "hdf5")
    return small_frozen(tmp_path_factory.mktemp("lake"), 12, RELEASE, formats=formats)


@pytest.fixture(scope="module")
def folder(frozen: Frozen, tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("release") / "v1"
    build(frozen, made, documents, {}, lambda _: None)
    return made


def held(folder: Path, traces: Traces) -> set[str]:
    found = {
        path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file() and holds(path, traces)
    }
    return found - {"manifest.json", "SHA256SUMS"}


def of_item(qid: str) -> Traces:
    return Traces(frozenset([qid]), frozenset(), frozenset(), frozenset(), frozenset([qid]))


def test_an_item_is_found_in_each_format_where_it_is_and_nowhere_else(frozen: Frozen, folder: Path) -> None:
    rows = frozen.rows["mlm_irle"].to_pylist()
    row = next(row for row in rows if row["images"])
    found = held(folder, of_item(row["qid"]))
    split = {"train": "train", "validation": "val", "test": "test"}[row["split"]]
    for variant in frozen.rows:
        is_in = row["qid"] in frozen.rows[variant]["qid"].to_pylist()
        mine = {path for path in found if f"/{variant}/" in path}
        if not is_in:
            assert mine == set(), variant
            continue
        names = {path.rsplit("/", 1)[1] for path in mine if path.startswith(f"json/{variant}/")}
        assert f"{variant}.json" in names
        assert any(name.startswith(f"{row['qid']}_") for name in names)
        assert any(path.startswith(f"webdataset/{variant}/{variant}-{row['split']}-") for path in mine)
        assert any(path.startswith(f"huggingface/data/{variant}/{row['split']}-") for path in mine)
        assert {path for path in mine if path.startswith("hdf5/")} == (
            {f"hdf5/{variant}/{split}.h5"} if variant in TRAINED_VARIANTS else set()
        )
        others = {one for one in ("train", "validation", "test") if one != row["split"]}
        assert not [path for path in mine if any(f"-{other}-" in path or f"/{other}-" in path for other in others)]
    assert {"attribution.parquet", "duckdb/mlm.duckdb"} <= found
    assert row["qid"] == "Q64", "the one that examples speak of"
    assert not found & {*METADATA}, "what says how columns are named names nobody"


def test_nobody_is_taken_for_another_whose_number_begins_alike(frozen: Frozen, folder: Path) -> None:
    qids = sorted(frozen.rows["mlm"]["qid"].to_pylist(), key=len)
    assert held(folder, of_item(f"{qids[-1]}0")) == set()
    assert held(folder, of_item(qids[-1][:-1])) == set() or qids[-1][:-1] in qids


def test_a_file_is_found_by_its_name_its_hash_and_its_picture(frozen: Frozen, folder: Path) -> None:
    row = next(row for row in frozen.rows["mlm"].to_pylist() if row["images"])
    image = row["images"][0]
    by_name = held(folder, Traces(frozenset(), frozenset([image["file"]]), frozenset(), frozenset()))
    assert {"attribution.parquet", "duckdb/mlm.duckdb", "parquet/mlm/images.parquet"} <= by_name
    sha256 = hashlib.sha256(frozen.picture(image["path"])).hexdigest()
    by_picture = held(folder, Traces(frozenset(), frozenset(), frozenset(), frozenset([sha256])))
    assert f"json/mlm/images/{image['name']}" in by_picture
    assert any(path.startswith("webdataset/mlm/") for path in by_picture)
    assert any(path.startswith("huggingface/data/mlm/") for path in by_picture)
    assert not [path for path in by_picture if path.startswith("parquet/mlm/entities")]


def test_a_picture_in_a_page_is_found(tmp_path: Path) -> None:
    page = tmp_path / "index.html"
    page.write_text(f'<img src="data:image/jpeg;base64,{base64.b64encode(b"a picture").decode()}">')
    traces = Traces(frozenset(), frozenset(), frozenset(), frozenset([hashlib.sha256(b"a picture").hexdigest()]))
    assert holds(page, traces)
    page.write_text("<p>nothing</p>")
    assert not holds(page, traces)
