"""What a maintainer approved does not block a second time, and what he did not speak of blocks as ever."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mlm_assets.assets.excuses import causes_of, excused, is_by_approval
from mlm_assets.checks.verdicts import Verdict
from mlm_assets.resources.lake import Accepted, Lake, Version, arrow_schema

RELEASE = "2027-01"


def written(lake: Lake, name: str, partition: str, n: int = 1) -> Version:
    own = {"geo_cells": {"variant": "mlm", "cell_token": "1"}}.get(name)
    rows = [{**dict.fromkeys(arrow_schema(name).names), **(own or {"qid": f"Q{one + 1}"})} for one in range(n)]
    return lake.write(name, partition, pa.Table.from_pylist(rows, schema=arrow_schema(name)))


def failing(lake: Lake, name: str, *qids: str) -> str:
    path = f"failing/{name}.parquet"
    with lake.new_file(path) as file:
        pq.write_table(pa.table({"qid": list(qids)}), file)
    return path


def accepted(
    lake: Lake, version: Version, inputs: dict[str, str], *failed: Verdict, release: str = RELEASE
) -> Accepted:
    """Accept a version; with failed verdicts, by approval."""
    said = [
        {"check": one.check, "severity": one.severity, "sentence": one.sentence, "figures": dict(one.figures),
         "cause": one.cause, "rows_path": one.rows_path}
        for one in failed
    ]  # fmt: skip
    approval = {"by": "ann", "at": "now", "reason": "merged", "failed": said} if said else None
    return lake.accept(version, release=release, inputs=inputs, approval=approval, expected=None)


def drop(table: str, cause: str = "", dimension: str = "lang", rows_path: str | None = None) -> Verdict:
    figures = {"cause_dimension": dimension, "cause_value": cause}
    return Verdict(table, "rows_do_not_drop", False, "many are gone", figures=figures, rows_path=rows_path)


def judged(lake: Lake, name: str, partition: str, inputs: dict[str, str], verdict: Verdict) -> Verdict:
    return excused(lake, written(lake, name, partition), None, inputs, RELEASE, [], [verdict])[0]


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """A lake in which the facts of a shard were approved, although French sitelinks were lost, and what follows."""
    made = Lake(tmp_path)
    lost = drop("facts", "sitelink in fr", "property", failing(made, "facts", *(f"Q{n}" for n in range(1, 11))))
    facts = accepted(made, written(made, "facts", "00"), {"candidates/": "c"}, lost)
    accepted(made, written(made, "settlements", "00"), {"facts/00": facts.version})
    return made


def upstream(lake: Lake) -> dict[str, str]:
    return {"settlements/00": lake.require("settlements", "00").version}


def test_the_same_cause_further_down_is_excused(lake: Lake) -> None:
    verdict = judged(lake, "images", "00", upstream(lake), drop("images", "fr"))
    assert not verdict.blocks
    assert not verdict.passed
    assert verdict.excuse is not None
    assert "ann: merged" in verdict.sentence
    assert "facts 00" in verdict.sentence


def test_the_language_of_the_partition_counts_as_a_cause(lake: Lake) -> None:
    assert not judged(lake, "summaries", "fr|00", upstream(lake), drop("summaries")).blocks
    assert judged(lake, "summaries", "de|00", upstream(lake), drop("summaries")).blocks


def test_another_cause_blocks_as_ever(lake: Lake) -> None:
    assert judged(lake, "images", "00", upstream(lake), drop("images", "P18", "property")).blocks
    assert judged(lake, "images", "00", upstream(lake), drop("images", "IT", "country_code")).blocks


def test_a_verdict_about_the_same_entities_is_excused(lake: Lake) -> None:
    same = drop("images", "Q532", "class", failing(lake, "same", *(f"Q{n}" for n in range(2, 11))))
    others = drop("images", "Q532", "class", failing(lake, "others", *(f"Q{n}" for n in range(5, 25))))
    assert "9 of its 9 entities" in judged(lake, "images", "00", upstream(lake), same).sentence
    assert judged(lake, "images", "00", upstream(lake), others).blocks


def test_after_an_approved_change_of_parameters_nothing_further_down_is_judged_by_the_old(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    changed = Verdict("refresh", "parameters_are_stable", False, "t_min was 20, is 5")
    row = {"kind": "parameter", "name": "t_min", "partition": "", "value": "5", "n_rows": None}
    manifest = lake.write("refresh", RELEASE, pa.Table.from_pylist([row], schema=arrow_schema("refresh")))
    accepted(lake, manifest, {}, changed)
    inputs = {f"refresh/{RELEASE}": manifest.version}
    assert not judged(lake, "geo_cells", RELEASE, inputs, drop("geo_cells")).blocks


def test_an_approval_of_another_release_excuses_nothing(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    facts = accepted(lake, written(lake, "facts", "00"), {}, drop("facts", "fr"), release="2026-12")
    assert judged(lake, "settlements", "00", {"facts/00": facts.version}, drop("settlements", "fr")).blocks


def test_without_an_approval_everything_blocks(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    facts = accepted(lake, written(lake, "facts", "00"), {})
    assert judged(lake, "settlements", "00", {"facts/00": facts.version}, drop("settlements", "fr")).blocks


def test_a_broken_constraint_is_excused_by_no_approval_further_up(lake: Lake) -> None:
    broken = Verdict("images", "key_is_unique", False, "two rows", figures={"cause_value": "fr"})
    assert excused(lake, written(lake, "images", "00"), None, upstream(lake), RELEASE, [broken], [])[0].blocks


def test_an_approved_version_that_is_made_again_stays_approved(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    version = written(lake, "facts", "00")
    before = accepted(lake, version, {}, drop("facts", "fr"))
    assert not excused(lake, version, before, {}, RELEASE, [], [drop("facts", "fr")])[0].blocks
    other = Verdict("facts", "values_are_stable", False, "something else")
    assert excused(lake, version, before, {}, RELEASE, [], [other])[0].blocks, "it was not what was approved"
    newer = written(lake, "facts", "00", 2)
    assert excused(lake, newer, before, {}, RELEASE, [], [drop("facts", "fr")])[0].blocks, "another version"


def test_what_was_made_from_an_approved_version_is_known_to_be(lake: Lake) -> None:
    assert is_by_approval(lake, lake.require("facts", "00"))
    assert is_by_approval(lake, lake.require("settlements", "00"))
    assert not is_by_approval(lake, accepted(lake, written(lake, "images", "01"), {}))


@pytest.mark.parametrize(
    ("value", "partition", "causes"),
    [
        ("sitelink in fr", "00", {"fr"}),
        ("P18", "00", {"P18"}),
        ("no_article", "00", {"no_article"}),
        ("IT", "fr|00", {"IT", "fr"}),
        ("Q532", "", {"Q532"}),
        ("", "", set()),
    ],
)
def test_what_a_check_blames(value: str, partition: str, causes: set[str]) -> None:
    figures: dict[str, Any] = {"cause_value": value} if value else {}
    assert causes_of(figures, partition) == causes
