"""The diff of two releases of a real home: against the rows themselves, and against what the world says it did."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from mlm_assets.local_wikimedia.generator.world import GeneratedWorld
from mlm_assets.local_wikimedia.process import running_server
from mlm_assets.release.diff.files import DIFF_FILES, ENTITIES_FILE, FIGURES_FILE, NOTES_FILE, PAGE_FILE
from mlm_assets.resources.lake import Lake
from mlm_assets.tables import VARIANTS
from tests.assets.conftest import RELEASE, SEED, Home, N, tree
from tests.commands import done, mlm

pytestmark = pytest.mark.long

NEXT = "2027-01"
MONTH, RATE = 2, 0.1


@dataclass(frozen=True)
class Months:
    """A home with two releases, two months of the world apart, and what the second run printed."""

    path: Path
    base: str

    @property
    def lake(self) -> Lake:
        return Lake(self.path)

    def folder(self, release: str = NEXT) -> Path:
        return self.path / "diffs" / release

    @property
    def diff(self) -> dict[str, Any]:
        return dict(json.loads((self.folder() / FIGURES_FILE).read_text("utf-8")))

    def rows(self, release: str, variant: str) -> dict[str, dict[str, Any]]:
        rows = self.lake.read(self.lake.require(variant, release)).to_pylist()
        return {row["qid"]: row for row in rows}

    def run(self, release: str) -> str:
        return done("run", "--home", self.path, "--endpoint", self.base, "--release", release, *DRAFT)


DRAFT = ("--to", "release", "--without-models")


@pytest.fixture(scope="module")
def months(finished: Home, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Months]:
    home = tmp_path_factory.mktemp("months") / "home"
    shutil.copytree(finished.path, home)
    done("run", "--home", home, "--endpoint", finished.base, "--release", RELEASE, *DRAFT)
    with running_server(generate=N, seed=SEED, month=MONTH, rate=RATE) as base:
        made = Months(home, base)
        made.run(NEXT)
        yield made


def test_the_first_release_is_compared_with_nothing(months: Months) -> None:
    assert sorted(path.name for path in months.folder(RELEASE).iterdir()) == sorted(DIFF_FILES)
    first = json.loads((months.folder(RELEASE) / FIGURES_FILE).read_text("utf-8"))
    assert first["base"] is None
    assert first["counts"]["mlm"]["entities"]["after"] == len(months.rows(RELEASE, "mlm"))


@pytest.mark.parametrize("variant", VARIANTS)
def test_counts_are_those_of_the_rows(months: Months, variant: str) -> None:
    then, now, said = months.rows(RELEASE, variant), months.rows(NEXT, variant), months.diff
    events = said["entities"][variant]
    kept = then.keys() & now.keys()
    assert events["new"] == len(now.keys() - then.keys())
    assert events["gone"] == sum(events["gone_by_fate"].values()) == len(then.keys() - now.keys())
    assert events["renamed"] == sum(then[qid]["label"] != now[qid]["label"] for qid in kept)
    assert events["reclassed"] == sum(set(then[qid]["class_qids"]) != set(now[qid]["class_qids"]) for qid in kept)
    assert events["moved"] + events["nudged"] == sum(_place(then[qid]) != _place(now[qid]) for qid in kept)
    assert said["splits"]["n_violations"] == 0

    texts, new_texts = _texts(then), _texts(now)
    changed = {key for key in texts.keys() & new_texts.keys() if texts[key] != new_texts[key]}
    by_language = said["texts"][variant].values()
    assert sum(one["changed"] for one in by_language) == len(changed) > 0
    assert sum(one["new"] for one in by_language) == len(new_texts.keys() - texts.keys())
    assert sum(one["gone"] for one in by_language) == len(texts.keys() - new_texts.keys())


def test_pictures_are_those_that_are_published(months: Months) -> None:
    said = months.diff
    then, now = (_pictures(months, release) for release in (RELEASE, NEXT))
    assert said["counts"]["all"]["images"] == {"before": len(then), "after": len(now), "change": len(now) - len(then)}
    replaced = {key for key in then.keys() & now.keys() if then[key] != now[key]}
    assert said["images"]["all"]["replaced"] == len(replaced) > 0
    lost, won = then.keys() - now.keys(), now.keys() - then.keys()
    events = said["images"]["all"]
    assert events["gone"] + events["withheld"] + events["renamed"] == len(lost)
    assert events["new"] + events["published"] + events["renamed"] == len(won)
    manifest = json.loads((months.path / "releases" / NEXT / "draft" / "manifest.json").read_text("utf-8"))
    assert {name: both["after"] for name, both in said["licences"]["withheld"].items() if both["after"]} == (
        manifest["withheld"]
    )
    assert {variant: said["counts"][variant]["images"]["after"] for variant in VARIANTS} == {
        variant: figures["images"] for variant, figures in manifest["variants"].items()
    }


def test_what_the_world_did_is_what_the_diff_says(months: Months) -> None:
    world = GeneratedWorld(N, SEED, MONTH, RATE)
    journal = [change for month in range(1, MONTH + 1) for change in world.changes(month)]

    def did(*kinds: str) -> set[str]:
        return {change.qid for change in journal if change.kind in kinds}

    rows = pq.read_table(months.folder() / ENTITIES_FILE).to_pylist()
    whole = {row["qid"]: row for row in rows if row["variant"] == "all"}
    then, now = months.rows(RELEASE, "mlm_v2"), months.rows(NEXT, "mlm_v2")
    kept = then.keys() & now.keys()
    assert {qid for qid, row in whole.items() if row["fate"] == "merged"} == did("item_merged") & then.keys()
    assert {qid for qid, row in whole.items() if row["is_moved"] or row["is_nudged"]} == did("coordinates") & kept
    assert {qid for qid, row in whole.items() if row["is_reclassed"]} == (
        did("class_added", "class_dropped", "class_changed") & kept
    )
    assert {qid for qid, row in whole.items() if row["has_other_population"]} <= did("population", "item_merged")
    edited = {(change.qid, change.lang) for change in journal if change.kind == "article_edited"}
    texts, new_texts = _texts(then), _texts(now)
    assert {key for key in texts.keys() & new_texts.keys() if texts[key] != new_texts[key]} <= edited
    n_edited = len({key for key in edited if key in texts and key in new_texts})
    assert sum(one["changed"] for one in months.diff["texts"]["all"].values()) == n_edited > 10


def test_the_release_has_it(months: Months) -> None:
    draft = months.path / "releases" / NEXT / "draft"
    for name in DIFF_FILES:
        place = draft / name if name == NOTES_FILE else draft / "diff" / name
        assert place.read_bytes() == (months.folder() / name).read_bytes(), name


def test_what_is_current_is_left_alone_and_what_is_lost_made_again(months: Months) -> None:
    made, files = tree(months.folder()), [months.folder() / name for name in DIFF_FILES]
    written = [file.stat().st_mtime_ns for file in files]
    months.run(NEXT)
    assert [file.stat().st_mtime_ns for file in files] == written
    (months.folder() / PAGE_FILE).unlink()
    months.run(NEXT)
    assert tree(months.folder()) == made


def test_command(months: Months, tmp_path: Path) -> None:
    said = done("diff", RELEASE, NEXT, "--home", months.path, "--json", "--html", tmp_path / "page.html")
    assert json.loads(said) == months.diff
    assert (tmp_path / "page.html").read_bytes() == (months.folder() / PAGE_FILE).read_bytes()
    events = months.diff["entities"]["all"]
    shown = done("diff", "--home", months.path)
    assert f"{RELEASE} -> {NEXT}" in shown
    assert "changed in any way" in shown
    assert f"gone     {events['gone']}:" in shown or not events["gone"]
    assert "no settlement changed sides" in shown


@pytest.mark.parametrize(
    ("releases", "sentence"),
    [
        (("2026-01", NEXT), "There is no accepted or published release '2026-01' here. There are: 2026-12, 2027-01."),
        ((NEXT, NEXT), "compared with itself"),
        ((NEXT, RELEASE), f"`mlm diff {RELEASE} {NEXT}`"),
    ],
)
def test_refusals(months: Months, releases: tuple[str, str], sentence: str) -> None:
    result = mlm("diff", *releases, "--home", months.path)
    assert result.returncode == 2
    assert sentence in result.stderr


def test_nothing_to_compare(finished: Home, tmp_path: Path) -> None:
    result = mlm("diff", "--home", tmp_path / "none")
    assert (result.returncode, "no release with accepted datasets yet" in result.stderr) == (2, True)
    result = mlm("diff", "--home", finished.path)
    assert (result.returncode, f"no release before {RELEASE}" in result.stderr) == (2, True)
    result = mlm("diff", "--home", finished.path, "--html", tmp_path)
    assert result.returncode == 2


def _place(row: dict[str, Any]) -> tuple[float, float]:
    return row["lat_deg"], row["lon_deg"]


def _texts(rows: dict[str, dict[str, Any]]) -> dict[tuple[str, str], str]:
    return {(qid, text["lang"]): text["text"] for qid, row in rows.items() for text in row["summaries"]}


def _pictures(months: Months, release: str) -> dict[tuple[str, str], str]:
    """Return the SHA-1 of the files of a release that may be published, by settlement and file."""
    rows = months.lake.read(months.lake.require("attribution", release)).to_pylist()
    return {
        (row["qid"], row["file"]): row["file_sha1"]
        for row in rows
        if row["kind"] == "image" and row["withheld"] is None
    }
