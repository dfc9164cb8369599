"""Rows that break a rule without breaking the whole: set aside, asked for again, released, resolved."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from rich.console import Console

from mlm_assets.assets.excuses import excused
from mlm_assets.assets.setting_aside import set_aside
from mlm_assets.assets.stage import is_current
from mlm_assets.checks.aside import broken_rows
from mlm_assets.checks.verdicts import Verdict
from mlm_assets.commands import quarantine as command
from mlm_assets.errors import Refused
from mlm_assets.resources import quarantine
from mlm_assets.resources.http import Answer, Request
from mlm_assets.resources.lake import AnswerLog, Lake, arrow_schema
from mlm_assets.settings import Settings
from mlm_assets.tables import TABLES

RELEASE, SHARD = "2026-12", "00"
ASKED = Request("sparql", "https://query.wikidata.org/sparql", {}, {"query": "facts"})


def facts(n_good: int, *bad: dict[str, Any], key: str = ASKED.key) -> Any:
    """Return labels of `n_good` entities and rows that break a rule, as the answer with `key` brought them."""
    good = [{"qid": f"Q{number + 1}", "property": "label", "value": "a name", "lang": "en"} for number in range(n_good)]
    rows = [{**one, "answer_key": key} for one in (*good, *bad)]
    return pa.Table.from_pylist(rows, schema=arrow_schema("facts"))


BROKEN = {"qid": "Q900", "property": "P625", "value": "Point(1 2)", "globe_qid": "the Moon"}


def aside(lake: Lake, rows: Any, release: str = RELEASE) -> tuple[Any, Verdict]:
    kept, verdicts = set_aside(lake, "facts", SHARD, rows, release, "run-1")
    return kept, verdicts[0]


def test_a_broken_row_is_set_aside_with_all_that_is_known_of_it(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    kept, verdict = aside(lake, facts(10, BROKEN))
    assert kept.num_rows == 10
    assert (verdict.passed, verdict.blocks, verdict.figures["set_aside"]) == (False, False, 1)
    (entry,) = quarantine.all_entries(lake)
    assert (entry.key["qid"], entry.rule, entry.run_id) == ("Q900", "globe_qid_is_well_formed", "run-1")
    assert entry.row["globe_qid"] == "the Moon"
    assert entry.answer_key == ASKED.key
    assert json.loads((tmp_path / entry.path).read_text("utf-8"))["state"] == "set_aside"


def test_sound_rows_are_left_alone(tmp_path: Path) -> None:
    rows = facts(10)
    kept, verdict = aside(Lake(tmp_path), rows)
    assert kept.equals(rows)
    assert verdict.passed


def test_a_table_without_rows_is_left_alone(tmp_path: Path) -> None:
    kept, verdict = aside(Lake(tmp_path), facts(0))
    assert kept.num_rows == 0
    assert verdict.passed


def test_too_many_broken_rows_are_not_set_aside_for_the_whole_is_broken(tmp_path: Path) -> None:
    bad = [{**BROKEN, "qid": f"Q{900 + number}"} for number in range(4)]
    rows = facts(10, *bad)
    assert broken_rows(TABLES["facts"], rows) == []
    assert len(broken_rows(TABLES["facts"], facts(400, *bad))) == 4, "one in a hundred may be"
    kept, verdict = aside(Lake(tmp_path), rows)
    assert kept.num_rows == 14
    assert verdict.passed


def test_where_a_row_stands_for_what_was_asked_for_it_stays_as_a_miss(tmp_path: Path) -> None:
    good = {
        "lang": "en", "requested_title": "A", "title": "A", "status": "ok", "is_redirect": False, "text": "A text",
        "text_sha256": hashlib.sha256(b"A text").hexdigest(), "licence": "CC BY-SA 4.0", "revision": 1,
    }  # fmt: skip
    rows = pa.Table.from_pylist(
        [{**good, "qid": f"Q{number + 1}"} for number in range(5)] + [{**good, "qid": "Q9", "text_sha256": "no hash"}],
        schema=arrow_schema("summaries"),
    )
    kept, _ = set_aside(Lake(tmp_path), "summaries", "en|00", rows, RELEASE, "run-1")
    miss = next(row for row in kept.to_pylist() if row["qid"] == "Q9")
    assert (miss["status"], miss["text"], miss["text_sha256"]) == ("quarantined", None, None)
    assert kept.num_rows == 6


def test_a_retry_forgets_the_answer_and_what_is_not_met_again_is_resolved(tmp_path: Path) -> None:
    lake, log = Lake(tmp_path), AnswerLog(Lake(tmp_path), RELEASE)
    log.put(ASKED, Answer(200, {}, b"{}", ASKED.key, False))
    aside(lake, facts(10, BROKEN))
    assert not quarantine.is_due(lake, "facts", SHARD)
    settings = Settings(home=tmp_path)
    command.retry(settings, None, Console(quiet=True))
    assert log.get(ASKED) is None, "so that it is asked again"
    assert quarantine.is_due(lake, "facts", SHARD), "so that the partition is made again"
    aside(lake, facts(10, BROKEN))
    (entry,) = quarantine.all_entries(lake)
    assert (entry.state, entry.is_due) == ("set_aside", False), "met again"
    aside(lake, facts(10))
    (entry,) = quarantine.all_entries(lake)
    assert entry.state == "resolved"
    assert command.entries(settings) == []
    assert [one.state for one in command.entries(settings, everything=True)] == ["resolved"]


def test_a_released_row_is_taken_in_and_its_check_does_not_block(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    aside(lake, facts(10, BROKEN))
    (entry,) = quarantine.all_entries(lake)
    settings = Settings(home=tmp_path)
    released = command.release(settings, entry.id[:6], "it lies there", "ann")
    assert "ann" in released.note
    kept, verdict = aside(lake, facts(10, BROKEN))
    assert kept.num_rows == 11
    assert verdict.passed
    version = lake.write("facts", SHARD, kept)
    path = f"failing/facts/{SHARD}/{version.version}/{entry.rule}.parquet"
    with lake.new_file(path) as file:
        import pyarrow.parquet as pq

        pq.write_table(kept.slice(10, 1), file)
    failed = Verdict("facts", entry.rule, False, "1 row breaks it.", figures={"n_failing": 1}, rows_path=path)
    (verdict,) = excused(lake, version, None, {}, RELEASE, [failed], [])
    assert not verdict.blocks
    assert "it lies there" in verdict.sentence
    other = Verdict("facts", "value_is_not_null", False, "1 row", figures={"n_failing": 1}, rows_path=path)
    assert excused(lake, version, None, {}, RELEASE, [other], [])[0].blocks, "released from one rule, not from all"


def test_what_is_due_is_not_current(tmp_path: Path) -> None:
    import mlm_assets.definitions  # noqa: F401 (fills the code versions)
    from mlm_assets.assets.stage import CODE_VERSIONS

    lake = Lake(tmp_path)
    kept, _ = aside(lake, facts(10, BROKEN))
    version = lake.write("facts", SHARD, kept)
    lake.accept(version, release=RELEASE, inputs={}, code_version=CODE_VERSIONS["facts"], expected=None)
    settings = Settings(home=tmp_path)
    assert is_current(lake, settings, "facts", SHARD, RELEASE)
    command.retry(settings, None, Console(quiet=True))
    assert not is_current(lake, settings, "facts", SHARD, RELEASE)


def test_a_row_is_the_same_whichever_answer_brings_it(tmp_path: Path) -> None:
    lake, other = Lake(tmp_path), "a" * 64
    aside(lake, facts(10, BROKEN))
    aside(lake, facts(10, BROKEN, key=other), "2027-01")
    (entry,) = quarantine.all_entries(lake)
    assert (entry.state, entry.release, entry.answer_key) == ("set_aside", "2027-01", other), "a retry asks that again"
    quarantine.release(lake, entry, "ann", "it lies there")
    kept, verdict = aside(lake, facts(10, BROKEN), "2027-02")
    assert kept.num_rows == 11, "what was released stays released when its item is asked for again"
    assert verdict.passed


def test_a_resolved_row_that_comes_back_is_set_aside_again(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    for rows in (facts(10, BROKEN), facts(10), facts(10, BROKEN)):
        aside(lake, rows)
    (entry,) = quarantine.all_entries(lake)
    assert entry.state == "set_aside"
    assert "met again" in entry.note


def test_a_retry_makes_the_table_again_that_asks_for_items_of_all_shards(tmp_path: Path) -> None:
    import mlm_assets.definitions  # noqa: F401 (fills the code versions)
    from mlm_assets.assets.stage import CODE_VERSIONS

    lake, settings = Lake(tmp_path), Settings(home=tmp_path)
    version = lake.write("changed_facts", "", arrow_schema("changed_facts").empty_table())
    code_version = CODE_VERSIONS["changed_facts"]
    lake.accept(version, release=RELEASE, inputs={}, code_version=code_version, expected=None)
    aside(lake, facts(10, BROKEN))
    assert is_current(lake, settings, "changed_facts", "", RELEASE)
    command.retry(settings, None, Console(quiet=True))
    assert not is_current(lake, settings, "changed_facts", "", RELEASE)
    aside(lake, facts(10))
    assert is_current(lake, settings, "changed_facts", "", RELEASE)


@pytest.mark.parametrize(("start", "reason"), [("zzz", "because"), ("", "because"), (None, " ")])
def test_what_cannot_be_released_is_refused(tmp_path: Path, start: str | None, reason: str) -> None:
    lake = Lake(tmp_path)
    aside(lake, facts(10, BROKEN))
    (entry,) = quarantine.all_entries(lake)
    with pytest.raises(Refused):
        command.release(Settings(home=tmp_path), entry.id if start is None else start, reason, "ann")
    assert next(iter(quarantine.all_entries(lake))).state == "set_aside"
