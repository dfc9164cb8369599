"""A draft becomes a version: verified, once, read-only, recorded, and completed by whoever comes after a kill."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mlm_assets.errors import MlmError, Refused
from mlm_assets.release.builder import build
from mlm_assets.release.checksums import faults_of
from mlm_assets.release.manifest import MANIFEST_FILE
from mlm_assets.release.metadata import documents
from mlm_assets.release.publication import PUBLICATIONS_FILE, Publication, Purged, Releases, all_releases
from mlm_assets.release.verification import verify_release
from tests.assets.conftest import tree
from tests.release.kills import killed_at, points
from tests.release.sample import small_frozen

RELEASE = "2026-12"
AT = "2026-12-05T10:00:00+00:00"


def quiet(_: str) -> None:
    return


@pytest.fixture(scope="module")
def drafts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Drafts of the first, second and third version, in folders of these names."""
    folder = tmp_path_factory.mktemp("drafts")
    for number in (1, 2, 3):
        frozen = small_frozen(folder, 3 + number, RELEASE, version=number, formats=("json", "parquet"))
        build(frozen, folder / str(number), documents, {"passed": 1}, quiet)
    return folder


class Home:
    """A home with releases, to which drafts are brought."""

    def __init__(self, folder: Path, drafts: Path) -> None:
        self.path, self._drafts = folder, drafts
        self.releases = Releases(folder, RELEASE)

    def draft(self, number: int) -> None:
        shutil.rmtree(self.releases.draft, ignore_errors=True)
        shutil.copytree(self._drafts / str(number), self.releases.draft)

    def publish(self, reason: str = "", by: str = "ada", at: str = AT) -> Publication:
        return self.releases.publish(by, at, reason, documents, quiet)


@pytest.fixture
def home(tmp_path: Path, drafts: Path) -> Home:
    return Home(tmp_path / "home", drafts)


def test_a_draft_becomes_the_first_version_byte_for_byte(home: Home, drafts: Path) -> None:
    home.draft(1)
    made = home.publish()
    folder = home.releases.version(1)
    assert tree(folder) == tree(drafts / "1")
    assert not home.releases.draft.exists()
    assert home.releases.publications() == [made] == [Publication(1, "ada", AT, "", made.manifest_sha256)]
    assert tree(folder)[MANIFEST_FILE] == made.manifest_sha256
    assert sorted(path.name for path in home.releases.folder.iterdir()) == [PUBLICATIONS_FILE, "v1"]
    assert home.releases.newest() == folder
    assert [one.release for one in all_releases(home.path)] == [RELEASE]


def test_published_files_cannot_be_written(home: Home) -> None:
    home.draft(1)
    home.publish()
    files = [path for path in home.releases.version(1).rglob("*") if path.is_file()]
    assert files
    assert not [path for path in files if path.stat().st_mode & 0o222]


def test_a_second_version_says_why_in_everything_that_follows_from_the_manifest(home: Home, drafts: Path) -> None:
    home.draft(1)
    home.publish()
    home.draft(2)
    with pytest.raises(Refused, match=r"v2 corrects what is published of 2026-12: say why \(--reason\)"):
        home.publish()
    assert tree(home.releases.draft) == tree(drafts / "2")
    made = home.publish("the author of a picture asked for it", by="bob")
    folder = home.releases.version(2)
    assert json.loads((folder / MANIFEST_FILE).read_bytes())["reason"] == "the author of a picture asked for it"
    assert "the author of a picture asked for it" in (folder / "README.md").read_text("utf-8")
    assert list(faults_of(folder, quiet)) == []
    data = {path for path in tree(folder) if path.endswith((".parquet", ".jpg", ".safetensors"))}
    assert data
    assert {path: tree(folder)[path] for path in data} == {path: tree(drafts / "2")[path] for path in data}
    assert [one.by for one in home.releases.publications()] == ["ada", "bob"]
    assert made.reason == "the author of a picture asked for it"


def test_without_a_draft_there_is_nothing_to_publish(home: Home) -> None:
    with pytest.raises(Refused, match=r"There is no draft of 2026-12\. Make one with"):
        home.publish()
    home.draft(1)
    home.publish()
    with pytest.raises(Refused, match=r"There is no draft of 2026-12\. Published is v1; a draft is made once"):
        home.publish()


@pytest.mark.parametrize(
    ("path", "said"),
    [("README.md", "README.md does not have the hash"), ("new.txt", "new.txt is no file of this release")],
)
def test_a_draft_that_was_touched_is_refused(home: Home, path: str, said: str) -> None:
    home.draft(1)
    (home.releases.draft / path).write_text("touched")
    with pytest.raises(Refused, match=rf"is not what its SHA256SUMS says: {said}.*nothing was published"):
        home.publish()
    assert home.releases.versions() == []
    assert home.releases.publications() == []


def test_a_published_version_is_not_published_over(home: Home) -> None:
    home.draft(1)
    home.publish()
    before = tree(home.releases.version(1))
    home.draft(1)
    with pytest.raises(Refused, match=r"v1 of 2026-12 is published already, and published files never change"):
        home.publish("again")
    assert tree(home.releases.version(1)) == before


def test_versions_come_one_after_the_other(home: Home) -> None:
    home.draft(1)
    home.publish()
    home.draft(3)
    with pytest.raises(Refused, match=r"The draft of 2026-12 is v3, but v2 is not published"):
        home.publish("why not")


def test_a_draft_of_another_release_is_refused(home: Home, drafts: Path) -> None:
    home.releases = Releases(home.path, "2027-01")
    home.draft(1)
    with pytest.raises(Refused, match=r"is a draft of 2026-12, not of 2027-01"):
        home.publish()


def test_a_draft_without_manifest_is_refused(home: Home) -> None:
    home.draft(1)
    (home.releases.draft / MANIFEST_FILE).write_text("{")
    with pytest.raises(Refused, match=r"manifest\.json cannot be read"):
        home.publish()


@pytest.mark.parametrize("number", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_killed_anywhere_the_same_command_ends_in_the_same_bytes(
    home: Home, tmp_path: Path, drafts: Path, number: int
) -> None:
    reason = "asked for" if number > 1 else ""

    def ready(at: Home) -> None:
        shutil.rmtree(at.path, ignore_errors=True)
        for version in range(1, number):
            at.draft(version)
            at.publish("asked for" if version > 1 else "")
        at.draft(number)

    undisturbed = Home(tmp_path / "undisturbed", drafts)
    ready(undisturbed)
    undisturbed.publish(reason)
    wanted = tree(undisturbed.path)

    ready(home)
    begun = tmp_path / "begun"
    shutil.copytree(home.path, begun)
    n_killed = 0
    for point in points(every=3):
        shutil.rmtree(home.path)
        shutil.copytree(begun, home.path)
        if not killed_at(point, lambda: home.publish(reason)):
            break
        n_killed += 1
        try:
            home.publish(reason)
        except Refused as error:
            # Everything was done but for the last word: there is nothing left to publish.
            assert "once something has changed since" in str(error)
        assert _without_temporary(tree(home.path)) == wanted, point
    assert n_killed > 20
    assert tree(home.path) == wanted


def _without_temporary(files: dict[str, str]) -> dict[str, str]:
    return {path: sha256 for path, sha256 in files.items() if "/.tmp-" not in path}


def test_what_a_killed_publication_left_does_not_hold_up_another_draft(home: Home, drafts: Path) -> None:
    home.draft(1)
    # Killed after it noted what it was about to do (the note's file is synced, renamed, and its folder synced).
    assert killed_at(5, home.publish)
    assert (home.releases.folder / "publishing.json").exists()
    shutil.rmtree(home.releases.draft)
    frozen = small_frozen(home.path / "other", 9, RELEASE, formats=("json",))
    build(frozen, home.releases.draft, documents, {}, quiet)
    made = home.publish(by="bob")
    assert made.by == "bob"
    assert tree(home.releases.version(1))[MANIFEST_FILE] == made.manifest_sha256


def test_a_record_that_cannot_be_read_stops_everything(home: Home) -> None:
    home.draft(1)
    home.publish()
    (home.releases.folder / PUBLICATIONS_FILE).write_text("[")
    with pytest.raises(MlmError, match=r"publications\.json cannot be read as JSON"):
        home.releases.publications()


# -- verify ----------------------------------------------------------------------------------------------------------


def published_twice(home: Home) -> None:
    home.draft(1)
    home.publish()
    home.draft(2)
    home.publish("asked for")
    home.draft(3)


def verified(home: Home) -> dict[str, list[Any]]:
    return {found.folder.name: found.faults for found in verify_release(home.releases, quiet)}


def test_drafts_and_versions_verify(home: Home) -> None:
    published_twice(home)
    assert verified(home) == {"v1": [], "v2": [], "draft": []}


def test_purged_files_are_listed_and_are_no_fault(home: Home) -> None:
    published_twice(home)
    folder = home.releases.version(1)
    was = tree(folder)["attribution.parquet"]
    (folder / "attribution.parquet").unlink()
    assert [fault.sentence for fault in verified(home)["v1"]] == ["attribution.parquet is not there"]
    first = home.releases.publication(1)
    assert first is not None
    purged = Purged("attribution.parquet", was, "", "2027-01-01T00:00:00+00:00", "asked for")
    home.releases.record(replace(first, purged=(purged,)))
    (found, *_) = verify_release(home.releases, quiet)
    assert (found.faults, found.purged) == ([], ["attribution.parquet"])
    (folder / "attribution.parquet").write_bytes(b"back again")
    assert [fault.sentence for fault in verified(home)["v1"]] == ["attribution.parquet was purged, and is there"]


def _write(path: Path, data: bytes) -> None:
    path.chmod(0o644)
    path.write_bytes(data)


def test_a_flipped_bit_a_lost_and_a_new_file_are_found_in_any_version(home: Home) -> None:
    published_twice(home)
    first, second = home.releases.version(1), home.releases.version(2)
    picture = next(first.glob("json/mlm/images/*.jpg"))
    data = bytearray(picture.read_bytes())
    data[100] ^= 1
    _write(picture, bytes(data))
    (second / "CITATION.cff").unlink()
    (second / "new.txt").write_text("new")
    found = verified(home)
    assert [fault.kind for fault in found["v1"]] == ["changed"]
    assert {fault.path: fault.kind for fault in found["v2"]} == {"CITATION.cff": "missing", "new.txt": "extra"}
    assert found["draft"] == []


def test_a_manifest_that_was_made_to_fit_is_found(home: Home) -> None:
    """Somebody changes a figure and the checksum with it: the record of the publication knows better."""
    home.draft(1)
    home.publish()
    folder = home.releases.version(1)
    manifest = json.loads((folder / MANIFEST_FILE).read_bytes())
    manifest["variants"]["mlm"]["entities"] += 1
    old = tree(folder)[MANIFEST_FILE]
    _write(folder / MANIFEST_FILE, json.dumps(manifest).encode())
    sums = folder / "SHA256SUMS"
    _write(sums, sums.read_bytes().replace(old.encode(), tree(folder)[MANIFEST_FILE].encode()))
    assert [fault.sentence for fault in verified(home)["v1"]] == ["manifest.json is not the one that was published"]


def test_a_draft_whose_figures_are_not_those_of_its_files_is_found(home: Home) -> None:
    home.draft(1)
    folder = home.releases.draft
    manifest = json.loads((folder / MANIFEST_FILE).read_bytes())
    manifest["variants"]["mlm"]["entities"] += 1
    old = tree(folder)[MANIFEST_FILE]
    (folder / MANIFEST_FILE).write_text(json.dumps(manifest))
    sums = folder / "SHA256SUMS"
    sums.write_bytes(sums.read_bytes().replace(old.encode(), tree(folder)[MANIFEST_FILE].encode()))
    assert [fault.kind for fault in verified(home)["draft"]] == ["figures"]


def test_a_version_that_nobody_recorded_is_found(home: Home) -> None:
    home.draft(1)
    home.publish()
    (home.releases.folder / PUBLICATIONS_FILE).unlink()
    assert [fault.kind for fault in verified(home)["v1"]] == ["unrecorded"]
