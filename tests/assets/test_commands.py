"""The other commands, on a finished home."""

import json

import pytest

from mlm_assets.resources.lake import Lake
from tests.assets.conftest import RELEASE, Home
from tests.commands import done, mlm

pytestmark = [pytest.mark.slow]


def member(home: Home) -> str:
    records = json.loads((home.path / "datasets" / RELEASE / "mlm_irle" / "mlm_irle.json").read_text("utf-8"))
    return f"Q{records[0]['id']}"


def test_why_tells_the_whole_way_of_a_member(finished: Home) -> None:
    qid = member(finished)
    said = json.loads(done("why", qid, "--home", finished.path, "--json"))
    assert (said["verdict"], said["reason"]) == ("accepted", None)
    assert said["class_paths"][0][-1]["qid"] == "Q486972"
    assert {fact["property"] for fact in said["facts"]} >= {"P31", "P625", "label", "sitelink", "version"}
    assert any(summary["status"] == "ok" for summary in said["summaries"])
    assert any(image["status"] == "ok" and image["licence"] for image in said["images"])
    state = said["releases"][0]["variants"]["mlm_irle"]
    assert state["is_member"]
    assert state["cell_token"]
    assert state["split"] == said["split"]
    assert said["quarantine"] == []
    assert said["last_seen"]["candidate"]["release"] == said["last_seen"]["settlement"]["release"] == RELEASE
    assert said["last_seen"]["members"]["mlm_irle"]["cell_token"] == state["cell_token"]
    text = done("why", qid, "--home", finished.path)
    for fact in said["facts"]:
        assert fact["value"] in text
    assert state["cell_token"] in text


def test_why_tells_the_reason_of_every_rejection(finished: Home) -> None:
    lake = Lake(finished.path)
    rows = [row for version in lake.accepted_all("rejections") for row in lake.read(version).to_pylist()]
    by_reason = {row["reason"]: row["qid"] for row in rows}
    assert len(by_reason) >= 3
    for reason, qid in by_reason.items():
        said = json.loads(done("why", qid, "--home", finished.path, "--json"))
        assert (said["verdict"], said["reason"]) == ("rejected", reason)
        assert said["meaning"] in done("why", qid, "--home", finished.path)


def test_why_of_something_that_is_no_settlement(finished: Home) -> None:
    said = json.loads(done("why", "Q1", "--home", finished.path, "--json"))
    assert (said["verdict"], said["reason"]) == ("rejected", "no_settlement_class")
    assert said["last_seen"] == {"candidate": None, "settlement": None, "members": {}}


def test_status_is_calm_about_a_finished_home(finished: Home) -> None:
    said = json.loads(done("status", "--home", finished.path, "--json", "--exit-code"))
    assert said["problems"] == []
    tables = {row["table"]: row for row in said["tables"]}
    assert tables["summaries"]["accepted"] == tables["summaries"]["partitions"] == tables["summaries"]["current"] == 20


def test_doctor_finds_a_service_that_is_away(finished: Home) -> None:
    printed = done("doctor", "--home", finished.path)
    assert "WRONG" not in printed
    result = mlm("doctor", "--home", finished.path, "--endpoint", "http://127.0.0.1:9", "--json")
    assert result.returncode == 1
    wrong = {finding["name"] for finding in json.loads(result.stdout) if finding["verdict"] == "wrong"}
    assert wrong == {"Wikidata", "Wikipedia", "Commons"}


def test_plan_of_a_finished_home_is_close_to_what_it_cost(finished: Home) -> None:
    said = json.loads(done("plan", "--home", finished.path, "--json"))
    assert said["assumes"] == "last run in this home"
    cost = finished.summary["requests"]
    assert said["services"]["files"]["requests"] == pytest.approx(cost["files"], rel=0.25)
    assert said["services"]["sparql"]["requests"] == pytest.approx(cost["sparql"], abs=12)


def test_bases_prefers_the_base_with_more_usable_instances(finished: Home) -> None:
    rows = json.loads(done("bases", "--home", finished.path, "--endpoint", finished.base, "--json", "Q486972", "Q515"))
    assert [row["usable"] for row in rows] == sorted((row["usable"] for row in rows), reverse=True)
    settlement = next(row for row in rows if row["qid"] == "Q486972")
    assert settlement["instances"] == finished.summary["counts"]["candidates"]
    # A quick count: it takes a deprecated coordinate for a good one, so it may be a little too high.
    n = finished.summary["counts"]["settlements"]
    assert n <= settlement["usable"] <= n * 1.1
