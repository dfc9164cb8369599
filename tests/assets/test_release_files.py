"""From accepted datasets to a drafted, published, verified and rebuilt release, as a maintainer does it."""

import json
import os
import shutil
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from mlm_assets.assets.freezing import freeze, same_content
from mlm_assets.release.publication import Releases, read_manifest
from mlm_assets.resources.lake import Lake
from mlm_assets.settings import load_settings
from tests.assets.conftest import BOUNDS, RELEASE, Home, tree
from tests.commands import done, mlm, start_mlm

pytestmark = pytest.mark.slow

PLAIN = {"MLM_RELEASE_FORMATS": "json,parquet"}
"""Formats whose files are the same byte for byte each time, and quickly written."""


def to_release(home: Path, base: str) -> tuple[str, ...]:
    return (
        "run", "--home", str(home), "--endpoint", base, "--release", RELEASE, "--shards", "2", *BOUNDS,
        "--to", "release", "--without-models",
    )  # fmt: skip


@pytest.fixture(scope="module")
def drafted(finished: Home, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home whose release is drafted, without models and vectors."""
    home = tmp_path_factory.mktemp("drafted") / "home"
    shutil.copytree(finished.path, home)
    done(*to_release(home, finished.base))
    return home


@pytest.fixture(scope="module")
def published(drafted: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home whose release is published."""
    home = tmp_path_factory.mktemp("published") / "home"
    shutil.copytree(drafted, home)
    done("publish", RELEASE, "--home", home, "--by", "ada")
    return home


@pytest.fixture
def own(published: Path, tmp_path: Path) -> Path:
    """A copy of it that a test may change."""
    shutil.copytree(published, tmp_path / "home")
    return tmp_path / "home"


def draft_again(home: Path, finished: Home) -> None:
    done(*to_release(home, finished.base))


class TestDraft:
    def test_it_is_described_by_its_table_and_says_what_it_lacks(self, drafted: Path) -> None:
        releases, lake = Releases(drafted, RELEASE), Lake(drafted)
        manifest = read_manifest(releases.draft)
        rows = lake.read(lake.require("release_files", RELEASE)).to_pylist()
        assert sorted(rows, key=lambda row: row["path"]) == manifest["files"]
        assert manifest["version"] == 1
        assert manifest["notes"] == [
            "Without models and scores: none were trained for this release.",
            "Without HDF5 files of vectors: image_features 00 has no accepted version.",
        ]
        assert "hdf5" not in manifest["formats"]
        assert manifest["created"] == lake.require("refresh", RELEASE).accepted_at[:10]
        assert manifest["parameters"]["quota_total"] == "30"
        assert {one["table"] for one in manifest["inputs"]} >= {"refresh", "mlm", "attribution", "release_diff"}
        for one in manifest["inputs"]:
            assert one["version"] == lake.require(one["table"], one["partition"]).version

    def test_withheld_pictures_are_in_no_file_of_it_and_still_in_the_datasets(self, drafted: Path) -> None:
        lake, draft = Lake(drafted), Releases(drafted, RELEASE).draft
        attribution = lake.read(lake.require("attribution", RELEASE)).to_pylist()
        withheld = {row["name"]: row["file"] for row in attribution if row["withheld"] is not None}
        assert withheld, "the world must have pictures that may not go out"
        inside = {path.name for path in draft.rglob("*.jpg")}
        assert not inside & set(withheld)
        assert set(withheld) <= {path.name for path in (drafted / "datasets" / RELEASE).rglob("*.jpg")}
        records = json.loads((draft / "json" / "mlm_v2" / "mlm_v2.json").read_text("utf-8"))
        home_records = json.loads((drafted / "datasets" / RELEASE / "mlm_v2" / "mlm_v2.json").read_text("utf-8"))
        assert [record["id"] for record in records] == [record["id"] for record in home_records]
        for record, at_home in zip(records, home_records, strict=True):
            assert record["images"] == [name for name in at_home["images"] if name not in withheld]
            assert {**record, "images": []} == {**at_home, "images": []}

    def test_a_second_run_leaves_it_alone(self, drafted: Path, finished: Home) -> None:
        before = tree(drafted / "releases")
        said = done(*to_release(drafted, finished.base))
        assert "30 of 30 steps were up to date already" in said
        assert tree(drafted / "releases") == before

    def test_it_is_listed_and_verified(self, drafted: Path) -> None:
        assert f"to be v1; publish it with `mlm publish {RELEASE}`" in done("releases", "--home", drafted)
        said = json.loads(done("verify", RELEASE, "--home", drafted, "--json"))
        assert said["n_problems"] == 0
        (folder,) = said["folders"]
        assert (folder["name"], folder["is_published"]) == ("draft", False)
        assert folder["n_files"] == len(tree(Releases(drafted, RELEASE).draft)) - 1


class TestPublished:
    def test_it_is_the_draft_and_the_page_of_the_asset_says_who_published_it(
        self, published: Path, drafted: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        folder = Releases(published, RELEASE).version(1)
        assert tree(folder) == tree(Releases(drafted, RELEASE).draft)
        (listed,) = json.loads(done("releases", "--home", published, "--json"))
        assert (listed["name"], listed["by"], listed["reason"]) == ("v1", "ada", "")
        import dagster as dg

        monkeypatch.setenv("DAGSTER_HOME", str(published))
        with dg.DagsterInstance.get() as instance:
            (record,) = instance.fetch_observations(dg.AssetKey("release_files"), limit=1).records
        assert record.asset_observation is not None
        assert record.asset_observation.description == "Published as v1 by ada"

    def test_publishing_again_is_refused(self, published: Path) -> None:
        result = mlm("publish", RELEASE, "--home", published, "--by", "bob", "--reason", "again")
        assert result.returncode == 2
        assert "There is no draft of 2026-12. Published is v1; a draft is made once something has" in result.stderr

    def test_it_verifies_and_a_touched_file_does_not(self, own: Path) -> None:
        assert "v1: " in done("verify", RELEASE, "--home", own)
        card = Releases(own, RELEASE).version(1) / "README.md"
        card.chmod(0o644)
        card.write_text("mine")
        result = mlm("verify", RELEASE, "--home", own)
        assert result.returncode == 1
        assert "! v1: README.md does not have the hash" in result.stdout

    def test_the_same_again_is_no_new_draft(self, own: Path, finished: Home) -> None:
        said = done(*to_release(own, finished.base), **{"MLM_SEED": "2"})
        assert "30 of 30 steps were up to date already" in said
        settings = load_settings(own)
        again = freeze(Lake(own), settings, RELEASE, 2)
        manifest = read_manifest(Releases(own, RELEASE).version(1))
        assert same_content(again, manifest)
        assert not same_content(replace(again, tombstones=[]), {**manifest, "tombstones": [{"kind": "item"}]})
        assert not same_content(replace(again, rights={**again.rights, "face_detector": "centerface"}), manifest)
        assert not same_content(replace(again, formats=["json"]), manifest)

    @pytest.mark.long
    def test_another_policy_is_another_version_which_needs_a_reason(self, own: Path, finished: Home) -> None:
        narrow = {"MLM_ALLOWED_LICENCES": "CC0-1.0"}
        done(*to_release(own, finished.base), **narrow)
        releases = Releases(own, RELEASE)
        before = tree(releases.version(1))
        manifest = read_manifest(releases.draft)
        assert (manifest["version"], manifest["rights"]["allowed_licences"]) == (2, ["CC0-1.0"])
        assert manifest["withheld"]["licence_not_allowed"] > 0
        result = mlm("publish", RELEASE, "--home", own, "--by", "ada", **narrow)
        assert result.returncode == 2
        assert "v2 corrects what is published of 2026-12: say why (--reason)" in result.stderr
        done("publish", RELEASE, "--home", own, "--by", "ada", "--reason", "CC0 only", **narrow)
        assert tree(releases.version(1)) == before
        said = done("verify", RELEASE, "--home", own)
        assert "v1: " in said
        assert "v2: " in said
        assert "the same, byte for byte" in done("rebuild", RELEASE, "--home", own)

        # Back to what v1 held: that is no copy of v2, so it is a third version.
        draft_again(own, finished)
        assert read_manifest(releases.draft)["version"] == 3


class TestRebuild:
    def test_it_is_the_same_byte_for_byte_from_the_kept_versions_alone(self, own: Path, tmp_path: Path) -> None:
        # The lake moves on: other versions are accepted now, and what nobody refers to is pruned.
        lake = Lake(own)
        members = lake.require("mlm", RELEASE)
        other = lake.write("mlm", RELEASE, lake.read(members).slice(1))
        lake.accept(other, release=RELEASE, inputs=members.inputs, expected=members)
        done("prune", "--older-than-days", "0", "--home", own)
        assert lake.exists(members.path)
        shutil.rmtree(own / "diffs")
        into = tmp_path / "rebuilt"
        said = done("rebuild", RELEASE, "--home", own, "--into", into, **no_network())
        assert "files built again, the same, byte for byte" in said
        assert tree(into) == tree(Releases(own, RELEASE).version(1))

    def test_what_differs_is_named(self, own: Path) -> None:
        folder = Releases(own, RELEASE).version(1)
        sums = folder / "SHA256SUMS"
        card = folder / "README.md"
        was = tree(folder)["README.md"]
        for path in (sums, card):
            path.chmod(0o644)
        card.write_text("made to fit")
        sums.write_text(sums.read_text().replace(was, tree(folder)["README.md"]))
        result = mlm("rebuild", RELEASE, "--home", own)
        assert result.returncode == 1
        assert "! README.md: other bytes" in result.stdout
        assert not list(Releases(own, RELEASE).folder.glob(".tmp-*"))

    def test_a_duckdb_file_with_other_rows_is_found(self, own: Path) -> None:
        import duckdb

        file = Releases(own, RELEASE).version(1) / "duckdb" / "mlm.duckdb"
        file.chmod(0o644)
        with duckdb.connect(str(file)) as connection:
            connection.execute("UPDATE summaries SET text = 'other' WHERE lang = 'de'")
        result = mlm("rebuild", RELEASE, "--home", own)
        assert result.returncode == 1
        assert "! duckdb/mlm.duckdb: the table summaries differs" in result.stdout

    def test_a_version_that_is_gone_is_named(self, own: Path) -> None:
        lake = Lake(own)
        gone = lake.require("geo_cells", RELEASE)
        lake.remove_tree(gone.path)
        result = mlm("rebuild", RELEASE, "--home", own)
        assert result.returncode == 1
        assert f"The lake has no version {gone.version} of geo_cells {RELEASE} any more" in result.stderr

    def test_refusals(self, own: Path, drafted: Path) -> None:
        result = mlm("rebuild", RELEASE, "--home", drafted)
        assert (result.returncode, "Nothing of 2026-12 is published" in result.stderr) == (2, True)
        result = mlm("rebuild", RELEASE, "--home", own, "--into", own)
        assert (result.returncode, "is there already" in result.stderr) == (2, True)


def no_network() -> dict[str, str]:
    """Return an environment in which every request would fail."""
    nowhere = "http://127.0.0.1:9"
    return {"http_proxy": nowhere, "https_proxy": nowhere, "MLM_SPARQL_URL": f"{nowhere}/sparql"}


@pytest.mark.long
def test_killed_while_it_is_drafted_and_published_it_ends_in_the_same_bytes(finished: Home, tmp_path: Path) -> None:
    undisturbed, home = tmp_path / "undisturbed", tmp_path / "home"
    for folder in (undisturbed, home):
        shutil.copytree(finished.path, folder)
    done(*to_release(undisturbed, finished.base), **PLAIN)
    wanted = tree(undisturbed / "releases")
    releases = Releases(home, RELEASE)
    n_files = len(wanted)
    for share in (0.1, 0.6):
        kill_when(lambda share=share: n_written(releases) > share * n_files, *to_release(home, finished.base), **PLAIN)
        assert not releases.draft.exists()
    done(*to_release(home, finished.base), **PLAIN)
    assert tree(home / "releases") == wanted
    done("publish", RELEASE, "--home", undisturbed, "--by", "ada")
    kill_when((releases.folder / "publishing.json").exists, "publish", RELEASE, "--home", str(home), "--by", "ada")
    said = done("publish", RELEASE, "--home", home, "--by", "bob")
    assert "published by ada" in said, "whoever began it has published it"
    assert tree(releases.version(1)) == tree(Releases(undisturbed, RELEASE).version(1))
    assert done("verify", RELEASE, "--home", home)


def n_written(releases: Releases) -> int:
    """Return how many files of a draft that is being made are there."""
    return sum(path.is_file() for folder in releases.folder.glob(".tmp-draft-*") for path in folder.rglob("*"))


def kill_when(is_time: Callable[[], bool], *command: str, **environment: str) -> None:
    """Run `mlm`, and kill it with all that it started as soon as `is_time`; it must not be done by then."""
    process = start_mlm(*command, **environment)
    try:
        while process.poll() is None and not is_time():
            time.sleep(0.002)
        assert process.poll() is None, "it was done before it could be killed"
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
