"""Taking back from a home with a published release: every artefact is searched, and three refreshes follow."""

import gzip
import io
import json
import shutil
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import pytest

from mlm_assets.assets.purging.taking_back import take_back
from mlm_assets.release.publication import Releases, read_manifest
from mlm_assets.resources.lake import Lake
from mlm_assets.resources.takedowns import Takedown, keep
from mlm_assets.settings import load_settings
from tests.assets.conftest import BOUNDS, RELEASE, SEED, N, tree
from tests.commands import done, mlm
from tests.release.kills import killed_at

pytestmark = pytest.mark.long

WORLD = ("--generate", str(N), "--seed", str(SEED), "--shards", "2", *BOUNDS)
REASON = "asked for by its author"
NOT_OURS = ("history", "schedules", ".locks", "alerts", "run_summary.json", "takedowns")
"""Dagster's own, and the tombstones; docs/rights.md says what of it is out of reach."""


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("taken") / "home"
    done("run", "--home", home, *WORLD, "--release", RELEASE, "--to", "features")
    done("run", "--home", home, *WORLD, "--release", RELEASE, "--to", "release", "--without-models")
    done("publish", RELEASE, "--home", home, "--by", "ada")
    return home


@pytest.fixture
def home(published: Path, tmp_path: Path) -> Path:
    shutil.copytree(published, tmp_path / "home")
    return tmp_path / "home"


def member(home: Path, variant: str = "mlm_irle") -> dict[str, Any]:
    """Return the record of a settlement with two pictures or more, that trains."""
    lake = Lake(home)
    rows = lake.read(lake.require(variant, RELEASE)).to_pylist()
    return next(row for row in rows if row["split"] == "train" and len(row["images"]) > 1)


def needles_of(home: Path, row: dict[str, Any], images: list[dict[str, Any]]) -> list[bytes]:
    """Return what must be nowhere: texts, as they are and as JSON writes them, pictures, their hashes."""
    texts = [one["text"] for one in row["summaries"]]
    found = [text.encode() for text in texts] + [json.dumps(text)[1:-1].encode() for text in texts]
    for one in images:
        found += [Lake(home).read_bytes(one["path"]), one["file_sha1"].encode()]
    return found


def inside(path: Path) -> Iterator[bytes]:
    """Yield the bytes of a file, and of what is packed in it."""
    data = path.read_bytes()
    yield data
    if path.suffix == ".gz":
        yield gzip.decompress(data)
    elif path.suffix == ".tar":
        with tarfile.open(fileobj=io.BytesIO(data)) as tar:
            for one in tar:
                file = tar.extractfile(one)
                yield one.name.encode() + b"\n" + (file.read() if file else b"")
    elif path.suffix == ".h5":
        with h5py.File(io.BytesIO(data)) as file:
            yield " ".join(file).encode()
    elif path.suffix == ".parquet":
        import pyarrow.parquet as pq

        yield from values(pq.ParquetFile(path).read().to_pylist())
    elif path.suffix == ".duckdb":
        yield from in_duckdb(path)


def in_duckdb(path: Path) -> Iterator[bytes]:
    import duckdb

    with duckdb.connect(str(path), read_only=True) as connection:
        for (name,) in connection.execute("SELECT table_name FROM duckdb_tables()").fetchall():
            yield from values(connection.execute(f'SELECT * FROM "{name}"').fetchall())
        for (statement,) in connection.execute("SELECT sql FROM duckdb_views() WHERE NOT internal").fetchall():
            yield statement.encode()


def values(value: Any) -> Iterator[bytes]:
    """Yield every text and every blob in rows of whatever depth."""
    if isinstance(value, bytes):
        yield value
    elif isinstance(value, str):
        yield value.encode()
    elif isinstance(value, dict):
        yield from values(list(value.values()))
    elif isinstance(value, (list, tuple)):
        for one in value:
            yield from values(one)


def where(home: Path, needles: list[bytes]) -> set[str]:
    """Return the files of a home in which one of the needles is, packed or not."""
    found = set()
    for path in home.rglob("*"):
        name = path.relative_to(home)
        is_ours = path.is_file() and name.parts[0] not in NOT_OURS
        if is_ours and any(needle in data for data in inside(path) for needle in needles):
            found.add(name.as_posix())
    return found


def test_no_byte_of_an_item_is_left_in_any_artefact(home: Path) -> None:
    row = member(home)
    done("deposit", RELEASE, "--home", home)
    needles = needles_of(home, row, row["images"])
    before = where(home, needles)
    kinds = {name.split("/")[0] for name in before}
    assert {"tables", "raw", "images", "datasets", "releases", "features", "deposits"} <= kinds
    said = json.loads(done("takedown", row["qid"], "--reason", REASON, "--by", "ann", "--home", home, "--json"))
    assert where(home, needles) == set()
    assert said["answers"]
    numbers = where(home, [row["qid"].encode()])
    assert not [name for name in numbers if name.startswith(("tables", "images", "datasets", "features", "accepted"))]

    releases = Releases(home, RELEASE)
    assert releases.versions() == [1, 2]
    first, second = releases.publications()
    assert (second.by, second.reason) == ("ann", f"takedown: {REASON}")
    assert {one.path.split("/")[0] for one in first.purged} >= {
        "json", "parquet", "webdataset", "huggingface", "duckdb", "hdf5", "attribution.parquet"
    }  # fmt: skip
    manifests = [read_manifest(releases.version(number)) for number in (1, 2)]
    (tombstone,) = manifests[1]["tombstones"]
    assert (tombstone["target"], tombstone["reason"], set(tombstone)) == (
        row["qid"], REASON, {"kind", "target", "reason", "at"}
    )  # fmt: skip
    counts = [manifest["variants"]["mlm_irle"]["entities"] for manifest in manifests]
    assert counts[1] == counts[0] - 1
    done("verify", RELEASE, "--home", home)
    done("rebuild", RELEASE, "--home", home)
    assert "taken_down: asked for" in done("why", row["qid"], "--home", home)
    assert f"{row['qid']}: taken down on" in done("status", "--home", home)
    assert "already taken down" in done("takedown", row["qid"], "--home", home)
    refused = mlm("takedown", "Q1", "--reason", REASON, "--home", home)
    assert refused.returncode == 2 and "Nothing is known of Q1" in refused.stderr


def test_no_byte_of_a_file_is_left_and_its_settlement_stays(home: Path) -> None:
    row = member(home)
    image = row["images"][0]
    needles = needles_of(home, {"summaries": []}, [image])
    assert where(home, needles)
    done("takedown", image["file"], "--reason", REASON, "--home", home)
    assert where(home, needles) == set()
    lake = Lake(home)
    (left,) = [one for one in lake.read(lake.require("mlm_irle", RELEASE)).to_pylist() if one["qid"] == row["qid"]]
    assert [one["file"] for one in left["images"]] == [one["file"] for one in row["images"][1:]]
    done("verify", RELEASE, "--home", home)


def test_three_refreshes_do_not_bring_it_back(home: Path) -> None:
    row = member(home)
    lake = Lake(home)
    others = [one for one in lake.read(lake.require("mlm_irle", RELEASE)).to_pylist() if one["qid"] != row["qid"]]
    image = next(one for one in others if len(one["images"]) > 1)["images"][0]
    needles = needles_of(home, row, row["images"]) + needles_of(home, {"summaries": []}, [image])
    done("takedown", row["qid"], "--reason", REASON, "--home", home)
    done("takedown", image["file"], "--reason", REASON, "--home", home)
    for month, release in enumerate(("2027-01", "2027-02", "2027-03"), start=1):
        done("run", "--home", home, *WORLD, "--month", str(month), "--release", release)
        assert where(home, needles) == set(), release
        listed = lake.read(lake.require("candidates"))["qid"].to_pylist()
        assert row["qid"] not in listed
        statuses = {
            one["status"] for shard in ("00", "01")
            for one in lake.read(lake.require("images", shard)).to_pylist() if one["file"] == image["file"]
        }  # fmt: skip
        assert statuses <= {"taken_down"}


def test_a_kill_while_releases_are_corrected_changes_nothing(home: Path, tmp_path: Path) -> None:
    """JSON and Parquet are the same bytes each time; a kill comes late, where released files are purged and built."""
    qid = member(home)["qid"]
    keep(Lake(home), Takedown("item", qid, REASON, "2026-12-05T00:00:00+00:00", "ann"))

    def take(folder: Path) -> None:
        take_back(load_settings(folder), Lake(folder), qid, "", "ann")

    clean = tmp_path / "clean"
    shutil.copytree(home, clean)
    take(clean)
    wanted = ours(clean)
    n_killed = 0
    for point in range(1_740, 2_400, 130):
        folder = tmp_path / "killed"
        shutil.copytree(home, folder)
        was_killed = killed_at(point, lambda folder=folder: take(folder))  # type: ignore[misc]
        take(folder)
        assert ours(folder) == wanted, f"killed at {point}"
        shutil.rmtree(folder)
        n_killed += was_killed
        if not was_killed:
            break
    assert n_killed


def ours(home: Path) -> dict[str, str]:
    """Return the hashes of what a takedown leaves; DuckDB's files hold the same rows in other bytes.

    What names the hash of such a file is left out too: manifests, metadata, `release_files`, audits.
    """
    kept = {}
    for path, sha256 in tree(home).items():
        is_ours = path.split("/")[0] not in (*NOT_OURS[:-1], "mlm.duckdb") and ".lock" not in path
        is_of_duckdb = path.endswith((".duckdb", "SHA256SUMS", "manifest.json", "publications.json"))
        is_metadata = "/v2/" in path and path.count("/") == 3
        in_table = path.startswith(("tables/release_files", "accepted/release_files", "acceptances/release_files"))
        if is_ours and not is_of_duckdb and not is_metadata and not in_table and not path.startswith("audits/"):
            kept[path] = sha256
    return kept
