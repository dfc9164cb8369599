"""The deposit folder, and its draft in an archive: a stand-in for Zenodo that speaks HTTP on this machine."""

import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from mlm_assets.commands.deposit import deposit
from mlm_assets.errors import MlmError, Refused, RequestRejected, ServiceUnavailable
from mlm_assets.release import deposit as of_release
from mlm_assets.release.deposit import packed, write_deposit, zenodo_metadata
from mlm_assets.release.metadata import documents
from mlm_assets.release.publication import Publication, Purged, Releases
from mlm_assets.resources.zenodo import Zenodo
from mlm_assets.settings import Settings, load_settings
from tests.commands import mlm, start_mlm
from tests.release.folder import Built, built
from tests.release.zenodo_standin import TOKEN, Archive, archive

RELEASE = "2026-12"
BY = {"by": "ada", "at": "2026-12-04T09:00:00Z"}


def published_home(home: Path, release: Built, name: str = RELEASE) -> Settings:
    """Return the settings of a home whose release is published from the given folder."""
    releases = Releases(home, name)
    releases.folder.mkdir(parents=True)
    shutil.copytree(release.folder, releases.draft)
    releases.publish(reason="", documents=documents, say=str, **BY)
    return load_settings(home)


@pytest.fixture
def settings(tmp_path: Path, small_release: Built) -> Settings:
    return published_home(tmp_path / "home", small_release)


@pytest.fixture
def zenodo(monkeypatch: pytest.MonkeyPatch) -> Iterator[Archive]:
    monkeypatch.setenv("MLM_ZENODO_TOKEN", TOKEN)
    with archive() as made:
        yield made


def say_nothing(_: str) -> None:
    """Say nothing."""


def record_of(settings: Settings, release: str = RELEASE) -> list[dict[str, Any]]:
    path = settings.home / "releases" / release / "deposits.json"
    return json.loads(path.read_text("utf-8"))["deposits"] if path.is_file() else []  # type: ignore[no-any-return]


def hashes(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*")) if path.is_file()
    }  # fmt: skip


# -- the folder ----------------------------------------------------------------------------------------------------


def test_the_deposit_unpacks_to_the_release(settings: Settings, small_release: Built, tmp_path: Path) -> None:
    said = deposit(settings, RELEASE, tmp_path / "out", None, say_nothing)
    files = tmp_path / "out" / "files"
    assert {one["name"] for one in said["files"]} == {path.name for path in files.iterdir()}
    assert len(said["files"]) < 30
    for one in said["files"]:
        data = (files / one["name"]).read_bytes()
        assert (one["size_bytes"], one["md5"]) == (len(data), hashlib.md5(data).hexdigest())
    again = tmp_path / "again"
    again.mkdir()
    for path in sorted(files.iterdir()):
        if path.suffix == ".tar":
            with tarfile.open(path) as found:
                found.extractall(again, filter="data")
        else:
            shutil.copyfile(path, again / path.name)
    assert hashes(again) == hashes(small_release.folder)
    proof = subprocess.run(["sha256sum", "-c", "--quiet", "SHA256SUMS"], cwd=again, capture_output=True, check=False)
    assert proof.returncode == 0, proof.stdout + proof.stderr


def test_the_same_release_gives_the_same_deposit(settings: Settings, tmp_path: Path) -> None:
    deposit(settings, RELEASE, tmp_path / "one", None, say_nothing)
    for path in (settings.home / "releases").rglob("*.parquet"):
        os.utime(path, (1, 1))
    deposit(settings, RELEASE, tmp_path / "two", None, say_nothing)
    assert hashes(tmp_path / "one") == hashes(tmp_path / "two")


def test_a_picture_of_four_variants_is_in_the_tar_once(settings: Settings, tmp_path: Path) -> None:
    deposit(settings, RELEASE, tmp_path / "out", None, say_nothing)
    with tarfile.open(tmp_path / "out" / "files" / "mlm-2026-12-v1-json.tar") as found:
        members = [one for one in found.getmembers() if one.name.endswith("/Q64_0.jpg")]
    assert [one.isreg() for one in members] == [True, False, False, False]
    assert {one.linkname for one in members[1:]} == {"json/mlm/images/Q64_0.jpg"}
    assert {(one.uid, one.gid, one.uname, one.mtime) for one in members} == {(0, 0, "", 1_796_256_000)}


def test_a_complete_deposit_is_kept_and_a_damaged_one_made_again(settings: Settings, tmp_path: Path) -> None:
    out = tmp_path / "out"
    deposit(settings, RELEASE, out, None, say_nothing)
    before = hashes(out)
    told: list[str] = []
    deposit(settings, RELEASE, out, None, told.append)
    assert told == [f"{out} is complete"]
    (out / "files" / "README.md").write_text("somebody was here", "utf-8")
    deposit(settings, RELEASE, out, None, say_nothing)
    assert hashes(out) == before
    (out / "deposit.json").unlink()  # killed before it was finished
    (out / "files" / "half").write_bytes(b"half")
    deposit(settings, RELEASE, out, None, say_nothing)
    assert hashes(out) == before


def test_what_may_not_be_deposited_is_refused(settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"no published version.*mlm publish 2027-01"):
        deposit(settings, "2027-01", tmp_path / "out", None, say_nothing)
    other = tmp_path / "other"
    other.mkdir()
    (other / "thesis.tex").write_text("mine", "utf-8")
    with pytest.raises(Refused, match=r"something else \(thesis\.tex\)"):
        deposit(settings, RELEASE, other, None, say_nothing)
    assert hashes(other).keys() == {"thesis.tex"}
    damaged = settings.home / "releases" / RELEASE / "v1" / "parquet" / "mlm" / "entities.parquet"
    damaged.chmod(0o644)
    damaged.write_bytes(b"PAR1")
    with pytest.raises(Refused, match=r"parquet/mlm/entities\.parquet does not have the hash"):
        deposit(settings, RELEASE, tmp_path / "out", None, say_nothing)
    assert not (tmp_path / "out" / "deposit.json").exists()


def test_a_version_from_which_something_was_purged_is_refused(settings: Settings, tmp_path: Path) -> None:
    releases = Releases(settings.home, RELEASE)
    kept = releases.publication(1)
    assert kept is not None
    gone = Purged("json/mlm/images/Q64_0.jpg", "0" * 64, "", "2026-12-05T00:00:00Z", "asked for")
    releases.record(Publication(1, kept.by, kept.at, kept.reason, kept.manifest_sha256, (gone,)))
    with pytest.raises(Refused, match="purged from"):
        deposit(settings, RELEASE, tmp_path / "out", None, say_nothing)


def test_a_draft_is_not_deposited(tmp_path: Path, small_release: Built) -> None:
    home = tmp_path / "home"
    shutil.copytree(small_release.folder, home / "releases" / RELEASE / "draft")
    with pytest.raises(Refused, match="only published versions are deposited"):
        deposit(load_settings(home), RELEASE, None, None, say_nothing)


def test_a_deposit_that_is_too_large_is_refused(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(of_release, "MAX_BYTES", 10_000)
    with pytest.raises(Refused, match="MLM_RELEASE_FORMATS"):
        write_deposit(settings.home / "releases" / RELEASE / "v1", tmp_path / "out", say_nothing)
    assert not (tmp_path / "out" / "deposit.json").exists()


def test_metadata_for_zenodo_says_what_datacite_says(small_release: Built) -> None:
    said = zenodo_metadata(small_release.manifest)
    record = json.loads((small_release.folder / "datacite.json").read_text("utf-8"))
    assert said["title"] == record["titles"][0]["title"] == "MLM 2026-12 v1"
    assert (said["version"], said["publication_date"]) == (record["version"], "2026-12-03")
    assert said["upload_type"] == "dataset"
    assert {one["relation"] for one in said["related_identifiers"]} == {"isDescribedBy", "continues"}
    assert not re.search(r"<(?!/?(p|ul|li)>)", said["description"])
    names = packed(["README.md", "json/a/b.json", "json/c.json", "diff/index.html"], small_release.manifest)
    assert names == {
        "README.md": ("README.md",),
        "mlm-2026-12-v1-diff.tar": ("diff/index.html",),
        "mlm-2026-12-v1-json.tar": ("json/a/b.json", "json/c.json"),
    }


# -- the draft -----------------------------------------------------------------------------------------------------


def test_a_draft_holds_all_files_and_is_not_published(settings: Settings, zenodo: Archive) -> None:
    said = deposit(settings, RELEASE, None, zenodo.url, say_nothing)
    (draft,) = zenodo.depositions.values()
    assert not draft["submitted"]
    assert {file["filename"]: file["checksum"] for file in draft["files"]} == {
        one["name"]: one["md5"] for one in said["files"]
    }
    assert draft["metadata"]["title"] == "MLM 2026-12 v1"
    (kept,) = record_of(settings)
    assert kept == said["deposited"]
    assert (kept["deposition"], kept["is_complete"], kept["doi"]) == (
        draft["id"],
        True,
        f"10.5072/zenodo.{draft['id']}",
    )
    assert not any("publish" in one for one in zenodo.asked)
    assert not (settings.home / "deposits" / RELEASE / "v1").exists()
    assert TOKEN not in json.dumps(record_of(settings))


def test_the_same_command_again_sends_nothing(settings: Settings, zenodo: Archive) -> None:
    deposit(settings, RELEASE, None, zenodo.url, say_nothing)
    n_uploads = len(zenodo.uploads())
    deposit(settings, RELEASE, None, zenodo.url, say_nothing)
    assert len(zenodo.uploads()) == n_uploads
    assert len(zenodo.depositions) == 1


@pytest.mark.parametrize("fault", [503, 429, "drop", "wrong bytes"])
def test_what_goes_wrong_once_is_tried_again(fault: int | str, settings: Settings, zenodo: Archive) -> None:
    zenodo.faults = {"PUT mlm-2026-12-v1-parquet.tar": [fault]}
    waited: list[float] = []
    client = Zenodo(zenodo.url, TOKEN, "tests", first_pause_s=0.5, sleep=waited.append)
    made = write_deposit(settings.home / "releases" / RELEASE / "v1", settings.home / "out", say_nothing)
    draft = client.draft(made.metadata)
    for one in made.files:
        client.upload(draft, made.path(one), one.name, one.md5)
    assert len(zenodo.uploads("mlm-2026-12-v1-parquet.tar")) == 2
    assert waited == [7.0 if fault == 429 else 0.5]
    found = client.get(draft.id)
    assert found is not None
    assert {file.name: file.md5 for file in found.files} == {one.name: one.md5 for one in made.files}


def test_wrong_bytes_for_ever_are_an_error_and_the_next_run_mends_it(settings: Settings, zenodo: Archive) -> None:
    impatient = settings.model_copy(update={"max_attempts": 2, "backoff_s": 0.0})
    zenodo.faults = {"PUT croissant.json": ["wrong bytes"] * 2}
    with pytest.raises(MlmError, match=r"croissant\.json.*received other bytes"):
        deposit(impatient, RELEASE, None, zenodo.url, say_nothing)
    assert [one["is_complete"] for one in record_of(settings)] == [False]
    deposit(impatient, RELEASE, None, zenodo.url, say_nothing)
    assert len(zenodo.uploads("croissant.json")) == 3
    assert len(zenodo.uploads("README.md")) == 1
    assert [one["is_complete"] for one in record_of(settings)] == [True]


def test_an_archive_that_stays_away_is_given_up(settings: Settings, zenodo: Archive) -> None:
    zenodo.faults = {"PUT README.md": [503] * 9}
    impatient = settings.model_copy(update={"max_attempts": 3, "backoff_s": 0.0})
    with pytest.raises(ServiceUnavailable, match=r"after 3 attempts; the last time: HTTP 503"):
        deposit(impatient, RELEASE, None, zenodo.url, say_nothing)
    assert len(zenodo.uploads("README.md")) == 3


@pytest.mark.parametrize("fault", ["made, 500", "drop", 503])
def test_a_draft_is_made_once_whatever_is_answered(fault: int | str, settings: Settings, zenodo: Archive) -> None:
    zenodo.faults = {"POST /api/deposit/depositions": [fault]}
    deposit(settings.model_copy(update={"backoff_s": 0.0}), RELEASE, None, zenodo.url, say_nothing)
    assert len(zenodo.depositions) == 1


def test_a_draft_among_many_is_found(settings: Settings, zenodo: Archive) -> None:
    made = deposit(settings, RELEASE, None, zenodo.url, say_nothing)["deposited"]
    for number in range(130):
        zenodo.make({"title": f"Other {number}", "version": "1"}, [], 0)
    (settings.home / "releases" / RELEASE / "deposits.json").unlink()
    assert deposit(settings, RELEASE, None, zenodo.url, say_nothing)["deposited"] == made
    assert len(zenodo.depositions) == 131


def test_the_token_goes_nowhere_else(settings: Settings, zenodo: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Refused, match="no https address"):
        deposit(settings, RELEASE, None, "http://archive.example.org", say_nothing)
    with archive() as elsewhere:
        zenodo.bucket_host = elsewhere.url
        with pytest.raises(RequestRejected, match="to which no token is sent"):
            deposit(settings, RELEASE, None, zenodo.url, say_nothing)
        assert elsewhere.asked == []
    monkeypatch.setenv("MLM_ZENODO_TOKEN", "of-somebody-else")
    with pytest.raises(RequestRejected, match=r"does not accept the token.*deposit:write") as refused:
        deposit(settings, RELEASE, None, zenodo.url, say_nothing)
    assert "of-somebody-else" not in str(refused.value)


def test_without_a_token_nothing_is_written(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLM_ZENODO_TOKEN", raising=False)
    with pytest.raises(Refused, match="MLM_ZENODO_TOKEN"):
        deposit(settings, RELEASE, None, "https://zenodo.example", say_nothing)
    assert not (settings.home / "deposits").exists()


def test_what_somebody_put_into_the_draft_is_removed(settings: Settings, zenodo: Archive) -> None:
    made = deposit(settings, RELEASE, None, zenodo.url, say_nothing)["deposited"]
    zenodo.depositions[made["deposition"]]["files"].append(
        {"id": "x", "filename": "holiday.jpg", "checksum": "0" * 32, "filesize": 1}
    )
    deposit(settings, RELEASE, None, zenodo.url, say_nothing)
    assert "holiday.jpg" not in {file["filename"] for file in zenodo.depositions[made["deposition"]]["files"]}


def test_a_deleted_draft_is_made_again_and_a_published_one_is_left_alone(settings: Settings, zenodo: Archive) -> None:
    first = deposit(settings, RELEASE, None, zenodo.url, say_nothing)["deposited"]
    zenodo.publish(first["deposition"])
    asked = len(zenodo.uploads())
    assert deposit(settings, RELEASE, None, zenodo.url, say_nothing)["deposited"]["deposition"] == first["deposition"]
    assert len(zenodo.uploads()) == asked
    del zenodo.depositions[first["deposition"]]
    zenodo.make({"title": "of somebody", "version": "1"}, [], 0)
    second = deposit(settings, RELEASE, None, zenodo.url, say_nothing)["deposited"]
    assert second["deposition"] != first["deposition"]
    assert [one["deposition"] for one in record_of(settings)] == [second["deposition"]]


def test_the_next_version_follows_the_published_one(settings: Settings, zenodo: Archive, tmp_path: Path) -> None:
    first = deposit(settings, RELEASE, None, zenodo.url, say_nothing)["deposited"]
    releases = Releases(settings.home, RELEASE)
    second = built(tmp_path / "second", version=2, n=12)
    shutil.copytree(second.folder, releases.draft)
    releases.publish(reason="a town asked for it", documents=documents, say=str, **BY)
    with pytest.raises(Refused, match=r"2026-12 v1 is still a draft .* Publish it there, or delete it"):
        deposit(settings, RELEASE, None, zenodo.url, say_nothing)
    assert len(zenodo.depositions) == 1
    zenodo.publish(first["deposition"])
    said = deposit(settings, RELEASE, None, zenodo.url, say_nothing)
    draft = zenodo.depositions[said["deposited"]["deposition"]]
    assert draft["conceptrecid"] == first["deposition"]
    assert {file["filename"] for file in draft["files"]} == {one["name"] for one in said["files"]}
    assert "mlm-2026-12-v1-json.tar" not in {file["filename"] for file in draft["files"]}
    assert draft["metadata"]["version"] == "2026-12 v2"
    assert [one["version"] for one in record_of(settings)] == [1, 2]
    # The month after follows as well, from what another release remembers.
    third = published_home_of_next(settings.home, built(tmp_path / "third", release="2027-01", created="2027-01-03"))
    with pytest.raises(Refused, match="2026-12 v2 is still a draft"):
        deposit(third, "2027-01", None, zenodo.url, say_nothing)
    zenodo.publish(draft["id"])
    last = deposit(third, "2027-01", None, zenodo.url, say_nothing)["deposited"]
    assert zenodo.depositions[last["deposition"]]["conceptrecid"] == first["deposition"]


def published_home_of_next(home: Path, release: Built) -> Settings:
    return published_home(home, release, "2027-01")


def test_two_do_not_deposit_the_same_release_at_once(settings: Settings, zenodo: Archive) -> None:
    lock = FileLock(settings.home / "deposits" / f".{RELEASE}.lock")
    (settings.home / "deposits").mkdir()
    with lock, pytest.raises(Refused, match="Another process is depositing 2026-12"):
        deposit(settings, RELEASE, None, zenodo.url, say_nothing)
    assert zenodo.asked == []
    deposit(settings, RELEASE, None, zenodo.url, say_nothing)


# -- the command ---------------------------------------------------------------------------------------------------


def test_a_killed_upload_goes_on_where_it_stopped(settings: Settings, zenodo: Archive) -> None:
    zenodo.faults = {"PUT mlm-2026-12-v1-json.tar": ["hold"]}
    command = ["deposit", RELEASE, "--upload", "--zenodo-url", zenodo.url, "--home", str(settings.home)]
    running = start_mlm(*command, MLM_ZENODO_TOKEN=TOKEN)
    try:
        assert zenodo.holding.wait(60), running.stdout and running.stdout.read()
    finally:
        os.killpg(running.pid, signal.SIGKILL)
        running.communicate()
    sent_before = zenodo.uploads()[:-1]
    (kept,) = record_of(settings)
    assert not kept["is_complete"]
    zenodo.held.set()
    again = mlm(*command, "--json", MLM_ZENODO_TOKEN=TOKEN)
    assert again.returncode == 0, again.stderr
    said = json.loads(again.stdout)
    assert said["deposited"]["deposition"] == kept["deposition"]
    assert said["deposited"]["is_complete"]
    assert len(zenodo.depositions) == 1
    assert sent_before
    for name in sent_before:
        assert len(zenodo.uploads(name)) == 1, name


def test_the_command_line_says_what_it_did_and_refuses_with_2(settings: Settings, tmp_path: Path) -> None:
    into = tmp_path / "out"
    done = mlm("deposit", RELEASE, "--into", into, "--home", settings.home)
    assert done.returncode == 0, done.stderr
    assert str(into) in done.stdout
    assert "2026-12 v1" in done.stdout
    refused = mlm("deposit", "2027-02", "--into", into, "--home", settings.home)
    assert refused.returncode == 2
    assert "no published version" in refused.stderr
    no_token = mlm("deposit", RELEASE, "--upload", "--home", settings.home)
    assert no_token.returncode == 2
    assert "MLM_ZENODO_TOKEN" in no_token.stderr
