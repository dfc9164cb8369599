"""WebDataset shards, read by webdataset itself."""

import io
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest

from mlm_assets.release.formats import webdataset as format_
from mlm_assets.release.layout import published_record
from tests.release.odd_rows import info_of, odd_frozen, records_of, write
from tests.release.sample import picture

webdataset = pytest.importorskip("webdataset")


def samples(shards: list[Path]) -> list[dict[str, Any]]:
    return list(webdataset.WebDataset([str(path) for path in shards], shardshuffle=False, empty_check=False))


@pytest.mark.parametrize("shard_samples", [1_000, 5])
def test_samples_are_the_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shard_samples: int) -> None:
    monkeypatch.setattr(format_, "SHARD_SAMPLES", shard_samples)
    frozen = odd_frozen(tmp_path / "kept")
    write(frozen, tmp_path / "release", "webdataset")
    for variant, rows in frozen.rows.items():
        for split in ("train", "validation", "test"):
            expected = records_of(rows, split)
            shards = sorted((tmp_path / "release/webdataset" / variant).glob(f"{variant}-{split}-*.tar"))
            assert len(shards) == -(-len(expected) // shard_samples)
            found = samples(shards) if shards else []
            assert [one["__key__"] for one in found] == [row["qid"] for row in expected]
            for one, row in zip(found, expected, strict=True):
                also = {name: row[name] for name in ("qid", "split", "country_code", "cell_token", "class_id")}
                record = {**published_record(row), **also, "image_info": info_of(frozen, row)}
                assert json.loads(one["json"]) == record
                pictures = {name: data for name, data in one.items() if name.endswith(".jpg")}
                assert pictures == {image["name"].split("_")[1]: picture(image["path"]) for image in row["images"]}


def test_pictures_are_decoded_by_webdataset(tmp_path: Path) -> None:
    write(odd_frozen(tmp_path / "kept"), tmp_path / "release", "webdataset")
    shards = str(tmp_path / "release/webdataset/mlm/mlm-train-000000.tar")
    first = next(iter(webdataset.WebDataset(shards, shardshuffle=False).decode("pil")))
    assert first["json"]["id"] == 64
    assert (first["0.jpg"].size, first["0.jpg"].mode) == ((256, 256), "RGB")


def test_tar_members_have_no_owner_and_no_time(tmp_path: Path) -> None:
    write(odd_frozen(tmp_path / "kept"), tmp_path / "release", "webdataset")
    data = (tmp_path / "release/webdataset/mlm/mlm-train-000000.tar").read_bytes()
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        members = tar.getmembers()
    assert {(one.mtime, one.mode, one.uid, one.gid, one.uname, one.gname) for one in members} == {
        (0, 0o644, 0, 0, "", "")
    }
    assert [one.name for one in members][:2] == ["Q64.json", "Q64.0.jpg"]
