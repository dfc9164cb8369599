"""Versions and pictures of a release, held against what their tables say."""

import hashlib
from pathlib import Path
from typing import Any

import pytest
from lineage_worlds import SHARD, jpeg, small_world, started
from rich.console import Console

from mlm_assets.commands import verify as command
from mlm_assets.errors import Refused
from mlm_assets.lineage import verification
from mlm_assets.lineage.verification import verify
from mlm_assets.resources.lake import Lake
from mlm_assets.settings import Settings

R1, R2 = "2026-12", "2027-01"


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    later = small_world()
    later.texts["en", "Place 1"] = (9, "Another text.")
    return started(tmp_path, (R1, small_world()), (R2, later))


def picture(lake: Lake, number: int = 0) -> dict[str, Any]:
    return dict(lake.read(lake.require("images", SHARD)).to_pylist()[number])


def test_a_sound_release(lake: Lake) -> None:
    found = verify(lake, R2)
    assert (found.n_problems, found.n_pictures, found.n_pictures_of) == (0, 5, 5)
    # settlement_classes, candidates, changed_facts, departures, facts, settlements, rejections, two of summaries,
    # images, refresh, and three more
    assert found.n_versions == 14


def test_bytes_that_changed_are_found_in_every_kind_of_table(lake: Lake) -> None:
    for name, partition in (("facts", SHARD), ("members", R2), ("refresh", R1)):
        path = Path(lake.full_path(lake.require(name, partition).path))
        sound = path.read_bytes()
        if name != "refresh":
            path.write_bytes(sound[:-1] + bytes([sound[-1] ^ 1]))
            found = verify(lake, R2)
            assert [(one.kind, one.what) for one in found.problems] == [("changed", f"{name} {partition}")]
            path.write_bytes(sound)
    assert verify(lake, R2).n_problems == 0


def test_an_old_release_is_checked_by_its_own_versions(lake: Lake) -> None:
    old = lake.history("summaries", f"en|{SHARD}")[0]
    Path(lake.full_path(old.path)).unlink()
    assert [one.kind for one in verify(lake, R1).problems] == ["missing"]
    assert verify(lake, R2).n_problems == 0


def test_images_that_cannot_be_read_do_not_end_the_check(lake: Lake) -> None:
    Path(lake.full_path(lake.require("images", SHARD).path)).unlink()
    found = verify(lake, R2)
    assert ([one.kind for one in found.problems], found.n_pictures) == (["missing"], 0)


def test_pictures_missing_changed_and_undecodable(lake: Lake) -> None:
    missing, changed, broken, small = (picture(lake, number) for number in range(4))
    Path(lake.full_path(missing["path"])).unlink()
    lake.write_bytes(changed["path"], jpeg((9, 9, 9)))
    _replace(lake, broken["path"], jpeg((1, 1, 1))[:-400])
    _replace(lake, small["path"], jpeg((1, 1, 1), side_px=64))
    found = verify(lake, lake.history("images", SHARD)[-1].release)
    by_kind = {one.kind: one for one in found.problems}
    assert sorted(one.kind for one in found.problems) == ["changed", "missing", "undecodable", "undecodable"]
    assert by_kind["missing"].file == lake.full_path(missing["path"])
    assert any("64 x 64 RGB, not 256 x 256 RGB" in one.sentence for one in found.problems)


def _replace(lake: Lake, path: str, data: bytes) -> None:
    """Put other bytes in the place of a picture, and note their hash in the newest images and manifest."""
    import pyarrow as pa

    lake.write_bytes(path, data)
    images, refresh = lake.require("images", SHARD), lake.require("refresh", R2)
    rows = lake.read(images).to_pylist()
    for row in rows:
        if row["path"] == path:
            row["picture_sha256"] = hashlib.sha256(data).hexdigest()
    written = lake.write("images", SHARD, pa.Table.from_pylist(rows, schema=lake.read(images).schema))
    lake.accept(written, release=R2, inputs=images.inputs, expected=images)
    pins = lake.read(refresh).to_pylist()
    for pin in pins:
        if pin["name"] == "images":
            pin["value"] = written.version
    manifest = lake.write("refresh", R2, pa.Table.from_pylist(pins, schema=lake.read(refresh).schema))
    lake.accept(manifest, release=R2, inputs=refresh.inputs, expected=refresh)


def test_a_sample_is_stated_and_the_same_each_time(lake: Lake) -> None:
    found = verify(lake, R2, sample=2)
    assert (found.n_pictures, found.n_pictures_of) == (2, 5)
    first = min((row["path"] for row in lake.read(lake.require("images", SHARD)).to_pylist()), key=_md5)
    Path(lake.full_path(first)).unlink()
    assert verify(lake, R2, sample=1).n_problems == 1
    assert verify(lake, R2, sample=0).n_problems == 0


def _md5(path: str) -> str:
    return hashlib.md5(path.encode(), usedforsecurity=False).hexdigest()


def test_very_many_problems_are_counted_and_not_all_kept(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verification, "KEPT_PROBLEMS", 2)
    for number in range(5):
        Path(lake.full_path(picture(lake, number)["path"])).unlink()
    found = verify(lake, R2)
    assert (found.n_problems, len(found.problems)) == (5, 2)


def test_progress_is_told_of_versions_and_pictures(lake: Lake) -> None:
    told: list[tuple[str, int, int]] = []
    verify(lake, R2, progress=lambda *said: told.append(said))
    assert told[0] == ("versions", 1, 14)
    assert told[-1] == ("pictures", 5, 5)


def test_the_command_takes_the_newest_release(lake: Lake, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings = Settings(home=tmp_path / "home", shards=1)
    said = command.verify(settings)
    assert (said["release"], said["n_problems"]) == (R2, 0)
    Path(lake.full_path(picture(lake)["path"])).unlink()
    command.show(command.verify(settings, R1, 5), Console(width=200, highlight=False, markup=False))
    printed = capsys.readouterr().out
    assert "is not there" in printed
    assert "2026-12: 14 versions and 5 pictures looked at, 1 problems" in printed


def test_what_there_is_not_is_refused(lake: Lake, tmp_path: Path) -> None:
    with pytest.raises(Refused, match=f"There are: {R1}, {R2}"):
        verify(lake, "2030-01")
    with pytest.raises(Refused, match="--sample"):
        verify(lake, R2, sample=-1)
    with pytest.raises(Refused, match="has no release yet"):
        command.verify(Settings(home=tmp_path / "empty", shards=1))
