"""What a refresh goes by: which earlier release it takes over from, and who was listed in it."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import dagster as dg
import pyarrow as pa

from mlm_assets.assets.changes import listed_before
from mlm_assets.assets.stage import CODE_VERSIONS, FetchConfig, Stage
from mlm_assets.resources.lake import BASIS, EARLIER, Accepted, Lake, arrow_schema
from mlm_assets.resources.services import RELEASE_TAG, LakeResource


def accept(lake: Lake, name: str, partition: str, release: str, qid: str, inputs: dict[str, str]) -> Accepted:
    """Have a table with one row, of `qid`, accepted for a release."""
    import mlm_assets.definitions  # noqa: F401 (fills the code versions)

    row = {
        "qid": qid,
        "property": "label",
        "value": "a name",
        "lang": "en",
        "shard": "00",
        "class_qids": ["Q1"],
        "fate": "deleted",
    }
    schema = arrow_schema(name)
    rows = pa.Table.from_pylist([{column: row.get(column) for column in schema.names}], schema=schema)
    return lake.accept(
        lake.write(name, partition, rows), release=release, inputs=inputs, code_version=CODE_VERSIONS[name],
        expected=lake.accepted(name, partition),
    )  # fmt: skip


def test_a_month_that_is_made_up_for_changes_no_question_of_a_later_one(tmp_path: Path) -> None:
    resource = LakeResource(home=str(tmp_path))
    lake = resource.open()
    first = {name: accept(lake, name, "", "2026-12", "Q1", {}) for name in ("candidates", "departures")}
    facts = accept(lake, "facts", "00", "2026-12", "Q1", {})
    notes = {f"{EARLIER}{name}/": one.version for name, one in first.items()}
    accept(lake, "departures", "", "2027-02", "Q2", notes)
    accept(lake, "facts", "00", "2027-02", "Q2", {f"{BASIS}facts/00": facts.version})
    for name in ("candidates", "departures"):
        accept(lake, name, "", "2027-01", "Q3", {})
    late = accept(lake, "facts", "00", "2027-01", "Q3", {})
    accept(lake, "facts", "00", "2027-02", "Q2", {f"{BASIS}facts/00": facts.version})

    def stage(release: str, name: str, partition: str = "") -> Stage:
        context: Any = SimpleNamespace(
            has_partition_key=bool(partition), partition_key=partition,
            run=SimpleNamespace(tags={RELEASE_TAG: release}), selected_asset_keys=[dg.AssetKey(name)],
        )  # fmt: skip
        return Stage(context, resource)

    again = stage("2027-02", "departures")
    assert {name: again.earlier(name) for name in first} == first
    assert stage("2027-02", "facts", "00").basis(FetchConfig(), "facts") == facts
    # One that was made without a basis, or is made for the first time, goes by the release before it.
    accept(lake, "facts", "00", "2027-02", "Q2", {})
    assert stage("2027-02", "facts", "00").basis(FetchConfig(), "facts") == late
    assert stage("2027-01", "facts", "00").basis(FetchConfig(), "facts") == facts


def test_a_month_that_ended_before_its_departures_hides_nobody(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    months = {"2026-12": {"Q1": 11, "Q2": 21}, "2027-01": {"Q1": 12, "Q3": 31}, "2027-02": {"Q4": 41}}
    for release, revisions in months.items():
        rows = [
            {"qid": qid, "shard": "00", "class_qids": ["Q486972"], "revision": revision}
            for qid, revision in revisions.items()
        ]
        version = lake.write("candidates", "", pa.Table.from_pylist(rows, schema=arrow_schema("candidates")))
        lake.accept(version, release=release, inputs={}, expected=lake.accepted("candidates"))
    # Departures were asked for last in January: what there was before is dealt with.
    assert listed_before(lake, "2027-01", "2027-01") == {"Q1": 12, "Q3": 31}
    # They were asked for last in December, for January ended too soon: Q2 left in it.
    assert listed_before(lake, "2026-12", "2027-01") == {"Q1": 12, "Q2": 21, "Q3": 31}
    assert listed_before(lake, "", "2026-12") == {"Q1": 11, "Q2": 21}
