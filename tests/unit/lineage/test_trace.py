"""From a check or a count to rows, versions, requests and revisions."""

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from lineage_worlds import (
    CITY,
    HILL,
    IRLE,
    SHARD,
    download_request,
    facts_request,
    files_request,
    lake_of,
    small_world,
    started,
    store_answers,
    texts_request,
    write_release,
    write_rows,
)
from rich.console import Console

from mlm_assets.commands import trace as command
from mlm_assets.errors import MlmError, Refused
from mlm_assets.lineage import records, rows
from mlm_assets.lineage.trace import TraceRequest, trace
from mlm_assets.resources.http import Answer, Request
from mlm_assets.resources.lake import AnswerLog, Lake
from mlm_assets.resources.quarantine import Entry, keep
from mlm_assets.shipped import shipped_file
from mlm_assets.tables import TABLES

R1, R2 = "2026-12", "2027-01"


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """Two releases, the second with another text and a rejected version of the settlements."""
    made = lake_of(tmp_path_factory.mktemp("trace"))
    world = small_world()
    store_answers(made, R1, world)
    write_release(made, R1, world)
    world.texts["en", "Place 2"] = (2002, "Place 2 is a town now.")
    world.reasons[IRLE, "Q1"] = "cell_removed"
    store_answers(made, R2, world)
    write_release(made, R2, world)
    _audit(made)
    return made


def _audit(lake: Lake) -> None:
    """Let a check of the settlements fail with rows, one without, and one pass."""
    accepted = lake.require("settlements", SHARD)
    path = f"failing/settlements/{SHARD}/{accepted.version}/place_is_known.parquet"
    write_rows(lake, path, [{"qid": "Q2", "lat_deg": 50.002}, {"qid": "Q3", "lat_deg": 50.003}])
    said = {
        "severity": "ERROR", "blocking": True, "crashed": False, "sentence": "2 rows", "figures": {}, "cause": None
    }  # fmt: skip
    checks = [
        {**said, "check": "place_is_known", "passed": False, "rows_path": path, "sample": [{"qid": "Q2"}]},
        {**said, "check": "rows_do_not_drop", "passed": False, "rows_path": None, "sample": [{"qid": "Q4"}]},
        {**said, "check": "key_is_unique", "passed": True, "rows_path": None, "sample": []},
    ]
    lake.write_audit(
        {
            "table": "settlements", "partition": SHARD, "version": accepted.version, "release": R2, "run_id": "run-7",
            "at": "2027-01-02T00:00:00+00:00", "n_rows": accepted.n_rows, "before": None,
            "inputs": dict(accepted.inputs), "code_version": "1", "n_unavailable": 0, "together": [], "checks": checks,
        }
    )  # fmt: skip


def traced(lake: Lake, table: str, **more: Any) -> dict[str, Any]:
    return trace(lake, TraceRequest(table, **more), n_shards=1)


def keys_of(origin: Mapping[str, Any]) -> list[str]:
    return [request["key"] for request in origin["requests"]]


def test_a_failing_row_leads_to_query_texts_and_revision(lake: Lake) -> None:
    said = traced(lake, "settlements", check="place_is_known")
    assert said["rows"]["n"] == 2
    assert said["rows"]["files"][0].endswith("place_is_known.parquet")
    origin = said["origins"][0]
    assert origin["row"] == {"qid": "Q2"}
    (request,) = origin["requests"]
    assert request["key"] == facts_request(small_world()).key
    assert (request["service"], request["status"], request["method"]) == ("sparql", 200, "POST")
    assert "wd:Q2" in request["query"]
    assert Path(request["file"]).is_file()
    assert request["fetched_at"] == "Tue, 01 Dec 2026 10:00:00 GMT"
    assert origin["revisions"][0]["address"] == "https://www.wikidata.org/w/index.php?oldid=102"
    assert [node["table"] for node in said["chain"]] == ["settlements", "candidates", "facts", "settlement_classes"]
    assert said["chain"][0]["made_by"]["sql"] == ["sql/verdicts.sql", "sql/settlements.sql"]
    assert said["checks"][0]["run_id"] == "run-7"
    assert said["checks"][0]["is_readable"]


def test_a_derived_row_leads_to_all_three_services(lake: Lake) -> None:
    said = traced(lake, "members", partition=R2, where={"variant": IRLE, "reason": "cell_removed"})
    assert said["rows"]["n"] == 1
    (origin,) = said["origins"]
    services = [(request["service"], request["endpoint"]) for request in origin["requests"]]
    assert services == [
        ("sparql", "wikidata"), ("action_api", "wikipedia/de"), ("action_api", "wikipedia/en"),
        ("action_api", "commons"), ("files", "upload"),
    ]  # fmt: skip
    assert {revision["of"] for revision in origin["revisions"]} == {"item", "article", "file"}
    assert {node["table"] for node in said["chain"]} >= {
        "members",
        "geo_cells",
        "eligible",
        "refresh",
        "facts",
        "images",
    }


def test_a_text_leads_to_the_continuation_that_brought_it(lake: Lake) -> None:
    world = small_world()
    (origin,) = traced(lake, "summaries", partition=f"en|{SHARD}", where={"qid": "Q5"})["origins"]
    first = texts_request("en", world)
    second = texts_request("en", world, excontinue="4", **{"continue": "||"})
    assert keys_of(origin) == [first.key, second.key, facts_request(world).key]
    assert origin["fetched"]["facts"] == [
        {"property": "sitelink", "value": "Place 5", "lang": "en", "answer_key": facts_request(world).key}
    ]
    (other,) = traced(lake, "summaries", partition=f"en|{SHARD}", where={"qid": "Q1"})["origins"]
    assert keys_of(other) == [first.key, facts_request(world).key]
    article = next(one for one in origin["revisions"] if one["of"] == "article")
    assert article["address"] == "https://en.wikipedia.org/w/index.php?oldid=1005"


def test_an_image_leads_to_its_metadata_and_its_download(lake: Lake) -> None:
    world = small_world()
    (origin,) = traced(lake, "images", where={"file": "View 3.jpg"})["origins"]
    download = download_request(world.files["View 3.jpg"]["sha1"])
    assert keys_of(origin) == [files_request(world).key, download.key, facts_request(world).key]
    image = next(one for one in origin["revisions"] if one["of"] == "file")
    assert image["file_sha1"] == world.files["View 3.jpg"]["sha1"]
    assert image["address"] == "https://commons.wikimedia.org/wiki/File:View_3.jpg"


def test_rows_of_listings_lead_to_the_queries_that_named_them(lake: Lake) -> None:
    (candidate,) = traced(lake, "candidates", where={"qid": "Q4"})["origins"]
    assert ["?revision" in request["query"] for request in candidate["requests"]] == [True]
    (listed,) = traced(lake, "settlement_classes", where={"class_qid": HILL})["origins"]
    assert ["wdt:P279" in request["query"] for request in listed["requests"]] == [True]
    (unnamed,) = traced(lake, "settlement_classes", where={"class_qid": CITY})["origins"]
    assert unnamed["requests"] == []


def test_a_quarantined_candidate_leads_to_the_query_that_was_given_up(tmp_path: Path) -> None:
    lake, world = lake_of(tmp_path), small_world()
    world.items["Q3"].quarantined = "the SPARQL service ran into its time limit"
    write_release(lake, R1, world)
    for qids in ("wd:Q3", "wd:Q3 wd:Q4"):
        query = {"query": f"SELECT ?item ?property WHERE {{ VALUES ?item {{ {qids} }} }}"}
        request = Request("sparql", "wikidata", "POST", "http://127.0.0.1:1/sparql", {}, query)
        mark = Answer(599, {"x-mlm-gave-up": "QueryTimeout"}, b"too long", request.key, False)
        AnswerLog(lake, R1).put(request, mark)
    (origin,) = traced(lake, "rejections", where={"qid": "Q3"})["origins"]
    (request_said,) = origin["requests"]
    assert request_said["gave_up"]
    assert "{ wd:Q3 }" in request_said["query"]


def test_a_text_that_was_set_aside_leads_to_its_answer(tmp_path: Path) -> None:
    world = small_world()
    lake = started(tmp_path, (R1, world))
    store_answers(lake, R1, world)
    rows_then = lake.read(lake.require("summaries", f"en|{SHARD}")).to_pylist()
    marked = {**rows_then[0], "status": "quarantined", "text": None, "text_sha256": None, "answer_key": None}
    before = lake.require("summaries", f"en|{SHARD}")
    table = pa.Table.from_pylist([marked, *rows_then[1:]], schema=lake.read(before).schema)
    lake.accept(lake.write("summaries", f"en|{SHARD}", table), release=R1, inputs=before.inputs, expected=before)
    key = {"qid": "Q1", "lang": "en"}
    brought = texts_request("en", world).key
    keep(lake, [Entry("e", "summaries", f"en|{SHARD}", key, "is_right", "why", rows_then[0], brought, R1, "run", "at")])
    (origin,) = traced(lake, "summaries", partition=f"en|{SHARD}", where={"qid": "Q1"})["origins"]
    assert brought in keys_of(origin)


def test_a_count_leads_to_the_rows_that_it_counts(lake: Lake) -> None:
    said = traced(lake, "refresh", partition=R2, where={"kind": "table", "name": "settlements"})
    (counted,) = said["counted_in"]
    assert (counted["table"], counted["n_rows"]) == ("settlements", 5)
    assert counted["command"] == f"mlm trace settlements {SHARD} --release {R2}"


def test_a_release_is_read_through_its_manifest(lake: Lake) -> None:
    then = traced(lake, "summaries", partition=f"en|{SHARD}", release=R1, where={"qid": "Q2"})
    now = traced(lake, "summaries", partition=f"en|{SHARD}", release=R2, where={"qid": "Q2"})
    assert then["rows"]["sample"][0]["revision"] == 1002
    assert now["rows"]["sample"][0]["revision"] == 2002
    assert then["chain"][0]["release"] == R1
    # The facts are the same in both releases; each is led to the answers of its own.
    by_release = [{one["release"] for one in said["origins"][0]["requests"]} for said in (then, now)]
    assert by_release == [{R1}, {R2}]


def test_conditions_on_lists_numbers_booleans_and_null(lake: Lake) -> None:
    assert traced(lake, "settlements", where={"class_qids": HILL})["rows"]["n"] == 1
    assert traced(lake, "settlements", where={"population": "100", "country_code": "DE"})["rows"]["n"] == 5
    assert traced(lake, "members", partition=R2, where={"variant": IRLE, "is_member": "false"})["rows"]["n"] == 1
    assert traced(lake, "members", partition=R2, where={"variant": IRLE, "reason": ""})["rows"]["n"] == 4
    assert traced(lake, "settlements", where={"label": "' OR 1=1 --"})["rows"]["n"] == 0


def test_a_check_without_a_file_of_rows_shows_its_sample(lake: Lake) -> None:
    said = traced(lake, "settlements", check="rows_do_not_drop")
    assert [row["qid"] for row in said["rows"]["sample"]] == ["Q4"]
    assert said["origins"][0]["requests"]
    passed = traced(lake, "settlements", check="key_is_unique")
    assert passed["rows"]["n"] == 0
    assert passed["checks"][0]["passed"]


def test_the_sample_is_bounded_and_the_count_is_not(lake: Lake) -> None:
    said = traced(lake, "settlements", limit=2)
    assert (said["rows"]["n"], len(said["rows"]["sample"]), len(said["origins"])) == (5, 2, 2)
    assert [row["qid"] for row in said["rows"]["sample"]] == ["Q1", "Q2"]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"table": "settlement"}, "no table 'settlement'. There are: settlement_classes"),
        ({"table": "settlements", "partition": "07"}, "no accepted partition '07'. There are: 00"),
        ({"table": "candidates", "partition": "07"}, "is not partitioned"),
        ({"table": "settlements", "where": {"latitude": "1"}}, "no column 'latitude'. There are: qid, label"),
        ({"table": "settlements", "where": {"population": "many"}}, "population is a BIGINT, and 'many' is none"),
        ({"table": "settlements", "where": {"sitelinks": "Place 1"}}, "takes columns of plain values"),
        ({"table": "settlements", "check": "key_is_uniqe"}, "no check 'key_is_uniqe'. Its newest audits have: key_is"),
        ({"table": "facts", "check": "key_is_unique"}, "No audit of facts is kept"),
        ({"table": "settlements", "check": "key_is_unique", "release": R1}, f"of release {R2}, not of {R1}"),
        ({"table": "settlements", "release": "2030-01"}, f"no release '2030-01' here. There are: {R1}, {R2}"),
        ({"table": "members", "partition": R1, "release": R2}, "contradicts"),
        ({"table": "mlm"}, "no accepted version"),
        ({"table": "settlements", "limit": -1}, "0 or more"),
    ],
)  # fmt: skip
def test_what_there_is_not_is_refused_with_what_there_is(lake: Lake, wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(Refused, match=said.replace("(", r"\(")):
        trace(lake, TraceRequest(**wrong), n_shards=1)


@pytest.mark.parametrize("condition", ["qid", "=Q1", ""])
def test_a_condition_that_is_none_is_refused(condition: str) -> None:
    with pytest.raises(Refused, match="COLUMN=VALUE"):
        rows.parse_where([condition])


def test_a_column_named_twice_is_refused() -> None:
    with pytest.raises(Refused, match="twice"):
        rows.parse_where(["qid=Q1", "qid=Q2"])
    assert rows.parse_where(["label=a=b"]) == {"label": "a=b"}


def test_a_file_that_is_gone_is_said_so(tmp_path: Path) -> None:
    lake = started(tmp_path, (R1, small_world()))
    Path(lake.full_path(lake.require("facts", SHARD).path)).unlink()
    with pytest.raises(MlmError, match="is not there any more"):
        traced(lake, "facts")


def test_an_answer_that_is_gone_or_damaged_is_left_out(tmp_path: Path) -> None:
    world = small_world()
    lake = started(tmp_path, (R1, world))
    store_answers(lake, R1, world)
    path = AnswerLog(lake, R1).path(facts_request(world))
    lake.write_bytes(path, b"not a gzip file")
    (origin,) = traced(lake, "settlements", limit=1)["origins"]
    assert origin["requests"] == []
    assert origin["revisions"]


def test_every_table_says_what_makes_it() -> None:
    for name in TABLES:
        made_by = records.made_by(name)
        for file in made_by["sql"]:
            assert shipped_file(file).is_file()
        if made_by["function"] is not None:
            _resolve(made_by["function"])
    assert set(records.FUNCTIONS) <= set(TABLES)
    assert set(records.SQL_FILES) <= set(TABLES)


def _resolve(address: str) -> Any:
    """Return the module, class or function at a dotted address; AttributeError where there is none."""
    parts = address.split(".")
    for n in range(len(parts), 0, -1):
        try:
            found: Any = importlib.import_module(".".join(parts[:n]))
        except ModuleNotFoundError:
            continue
        for part in parts[n:]:
            found = getattr(found, part)
        return found
    raise AttributeError(address)


def test_what_is_printed_leads_on(lake: Lake, capsys: pytest.CaptureFixture[str]) -> None:
    command.show(traced(lake, "settlements", check="place_is_known"), Console(width=200, highlight=False, markup=False))
    printed = capsys.readouterr().out
    assert "failed (ERROR)" in printed
    assert "https://www.wikidata.org/w/index.php?oldid=102" in printed
    assert "sql/verdicts.sql" in printed
    assert "/raw/2027-01/sparql/" in printed.replace("\n", "")
