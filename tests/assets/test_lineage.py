"""Lineage on a finished home: every kind of row leads to the request that brought it, and every count to its rows."""

import json
import shutil
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from mlm_assets.commands import trace as command
from mlm_assets.commands import verify, why
from mlm_assets.lineage import records
from mlm_assets.lineage.answers import body_of, read_answer
from mlm_assets.resources.lake import Accepted, Lake
from mlm_assets.settings import Settings, load_settings
from mlm_assets.tables import TABLES, VARIANTS
from tests.assets.conftest import RELEASE, Home

pytestmark = [pytest.mark.slow]
LATER = "2027-01"


@pytest.fixture(scope="module")
def settings(finished: Home) -> Settings:
    return load_settings(finished.path)


def body(home: Home, request: dict[str, Any]) -> bytes:
    """Return the body of the answer to a request that was traced."""
    lake = Lake(home.path)
    answer = read_answer(lake, request["path"])
    assert answer is not None
    return body_of(lake, answer)


@pytest.mark.parametrize("table", ["facts", "settlements", "rejections", "members", "mlm_v2"])
def test_rows_lead_to_the_query_that_named_them(finished: Home, settings: Settings, table: str) -> None:
    said = command.trace(table, settings, limit=3)
    assert said["origins"]
    for origin in said["origins"]:
        (query,) = [one for one in origin["requests"] if one["service"] == "sparql"]
        assert f"wd:{origin['row']['qid']} " in query["query"]
        assert f'/entity/{origin["row"]["qid"]}"'.encode() in body(finished, query)


def test_texts_lead_to_the_answer_that_holds_them(finished: Home, settings: Settings) -> None:
    said = command.trace("summaries", settings, where=["status=ok"], limit=6)
    for row, origin in zip(said["rows"]["sample"], said["origins"], strict=True):
        asked = [one for one in origin["requests"] if one["service"] == "action_api"]
        assert any(row["requested_title"] in one["titles"] for one in asked)
        pages = [page for one in asked for page in json.loads(body(finished, one))["query"]["pages"]]
        assert row["text"] in {str(page.get("extract", "")).strip() for page in pages}


def test_images_lead_to_their_metadata_and_their_download(finished: Home, settings: Settings) -> None:
    said = command.trace("images", settings, where=["status=ok"], limit=6)
    for row, origin in zip(said["rows"]["sample"], said["origins"], strict=True):
        by_service = {one["service"]: one for one in origin["requests"]}
        assert row["file_sha1"].encode() in body(finished, by_service["action_api"])
        assert body(finished, by_service["files"])[:3] in (b"\xff\xd8\xff", b"\x89PN", b"GIF")


def test_candidates_and_classes_lead_to_the_listings(finished: Home, settings: Settings) -> None:
    for table, column in (("candidates", "qid"), ("settlement_classes", "class_qid")):
        said = command.trace(table, settings, where=[] if table == "candidates" else ["hop=1"], limit=2)
        for origin in said["origins"]:
            assert origin["requests"]
            for request in origin["requests"]:
                assert f'/entity/{origin["row"][column]}"'.encode() in body(finished, request)


def test_a_count_of_the_statistics_is_the_count_of_its_rows(settings: Settings) -> None:
    exact = {"entities", "cells", "train", "validation", "test", "entities_per_country"}
    said = command.trace("dataset_statistics", settings, partition=RELEASE, limit=1000)
    by_key = {tuple(row[name] for name in ("variant", "figure", "item")): row["n"] for row in said["rows"]["sample"]}
    for counted in said["counted_in"]:
        key = tuple(counted["row"].values())
        if key[1] in exact:
            assert counted["n_rows"] == by_key[key], key
    assert {key[1] for key in by_key} >= exact


def test_a_cell_counts_members(settings: Settings) -> None:
    said = command.trace("geo_cells", settings, where=["variant=mlm_irle"], limit=100)
    assert said["counted_in"]
    for row, counted in zip(said["rows"]["sample"], said["counted_in"], strict=True):
        assert counted["n_rows"] == row["n_settlements"]


@pytest.mark.parametrize("table", list(TABLES))
def test_every_accepted_table_can_be_traced(finished: Home, settings: Settings, table: str) -> None:
    if not Lake(finished.path).accepted_all(table):
        pytest.skip("not made by this run")
    said = command.trace(table, settings, limit=1)
    assert all(Path(node["file"]).is_file() for node in said["chain"])
    assert all(node["release"] == RELEASE for node in said["chain"])


def test_every_check_can_be_traced(finished: Home, settings: Settings) -> None:
    audit = Lake(finished.path).audit_of("members", RELEASE)
    assert audit is not None
    said = command.trace("members", settings, partition=RELEASE, check=audit["checks"][0]["check"])
    assert said["checks"][0]["is_readable"]
    assert said["checks"][0]["version"] == said["chain"][0]["version"]


def test_a_finished_release_is_verified(finished: Home, settings: Settings) -> None:
    said = verify.verify(settings, RELEASE)
    assert said["n_problems"] == 0
    assert said["n_pictures"] == said["n_pictures_of"] > 0
    pinned, _ = records.manifest(Lake(finished.path), RELEASE)
    assert said["n_versions"] > len(pinned)


def test_what_an_edit_changed_is_told_between_two_releases(finished: Home, tmp_path: Path) -> None:
    home = tmp_path / "home"
    shutil.copytree(finished.path, home)
    lake = Lake(home)
    before = lake.accepted_all("settlements")[0]
    qid = str(lake.read(before).to_pylist()[0]["qid"])
    _release_again(lake, qid)
    said = why.why_between(qid, load_settings(home), RELEASE, LATER)
    assert {change["what"] for change in said["changes"]} == {"fact", "label", "population"}
    (edit,) = said["edits"]
    assert edit["address"].startswith("https://www.wikidata.org/w/index.php?diff=2000000000")
    assert (edit["after"], edit["modified_at"]) == (2_000_000_000, "2026-12-20T00:00:00Z")
    other = why.why_between(_another(lake, before, qid), load_settings(home))
    assert (other["at"], other["vs"], other["changes"]) == (RELEASE, LATER, [])


def _another(lake: Lake, version: Accepted, qid: str) -> str:
    return next(str(row["qid"]) for row in lake.read(version).to_pylist() if row["qid"] != qid)


def _release_again(lake: Lake, qid: str) -> None:
    """Edit one settlement, and make the manifest and the tables of the next release from it."""
    for name in ("facts", "settlements"):
        for accepted in lake.accepted_all(name):
            rows = lake.read(accepted)
            edited = [_edited(row) if row["qid"] == qid else row for row in rows.to_pylist()]
            written = lake.write(name, accepted.partition, pa.Table.from_pylist(edited, schema=rows.schema))
            lake.accept(written, release=LATER, inputs=accepted.inputs, expected=accepted, code_version="1")
    refresh = lake.require("refresh", RELEASE)
    rows = lake.read(refresh)
    pins = rows.to_pylist()
    for pin in pins:
        if pin["kind"] == "table":
            pin["value"] = lake.require(pin["name"], pin["partition"]).version
    for name in ("refresh", "eligible", "geo_cells", "members"):
        made = (
            pa.Table.from_pylist(pins, schema=rows.schema)
            if name == "refresh"
            else lake.read(lake.require(name, RELEASE))
        )
        lake.accept(lake.write(name, LATER, made), release=LATER, inputs={}, expected=None, code_version="1")
    assert set(VARIANTS) == {row["variant"] for row in lake.read(lake.require("members", LATER)).to_pylist()}


def _edited(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row of `facts` or `settlements` as it is after an edit of the English label and the population."""
    if "property" not in row:
        changed = {"label": "Edited", "population": 7, "revision": 2_000_000_000, "modified_at": "2026-12-20T00:00:00Z"}
        return {**row, **changed}
    values = {"P1082": "7", "version": "2000000000", "modified": "2026-12-20T00:00:00Z"}
    if row["property"] == "label" and row["lang"] == "en":
        return {**row, "value": "Edited"}
    return {**row, "value": values.get(row["property"], row["value"])}
