"""What an audit of constraints does besides judging: crashes that hide nothing, rows, inputs, object stores, pages."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from mlm_assets.checks.constraints import (
    audit,
    declared,
    failing_path,
    needs_of,
    parameters_of,
    results_path,
    row_conditions,
)
from mlm_assets.checks.data_docs import render_data_docs
from mlm_assets.checks.picture_files import picture_fault, stored_pictures
from mlm_assets.checks.verdicts import Verdict
from mlm_assets.identifiers import shard_of, split_of
from mlm_assets.resources.lake import Lake, Version
from mlm_assets.tables import TABLES, VARIANTS
from tests.unit.checks.faults import change, is_
from tests.unit.checks.world import PARAMETERS, World, build, jpeg


def by_check(verdicts: list[Verdict]) -> dict[str, Verdict]:
    return {verdict.check: verdict for verdict in verdicts}


def crashes(verdicts: list[Verdict]) -> set[str]:
    return {verdict.check for verdict in verdicts if verdict.has_crashed}


def test_definitions_load_neither_great_expectations_nor_duckdb() -> None:
    said = (
        "import sys; from mlm_assets.checks.constraints import declared; from mlm_assets.tables import TABLES; "
        "[declared(table) for table in TABLES.values()]; "
        "print([name for name in ('great_expectations', 'pandas', 'duckdb', 'sqlalchemy') if name in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", said], capture_output=True, text=True, check=True).stdout == "[]\n"


@pytest.mark.parametrize("name", TABLES)
def test_checks_have_names_of_their_own_and_a_sentence(name: str) -> None:
    checks = declared(TABLES[name])
    assert len({check.name for check in checks}) == len(checks)
    assert all(check.name.isidentifier() and check.description.endswith(".") for check in checks)


@pytest.mark.parametrize("name", TABLES)
def test_needs_are_tables_or_rows_given_in_memory(name: str) -> None:
    assert set(needs_of(TABLES[name])) <= {*TABLES, "quotas"}
    assert set(parameters_of(TABLES[name])) <= set(PARAMETERS)


def test_there_is_one_verdict_per_check_in_order(world: World) -> None:
    verdicts = world.audit(world.version("settlements"))
    assert [verdict.check for verdict in verdicts] == [check.name for check in declared(TABLES["settlements"])]


def test_a_missing_input_crashes_the_checks_that_need_it_and_no_other(world: World) -> None:
    inputs = {name: rows for name, rows in world.inputs("settlements").items() if name != "rejections"}
    verdicts = world.audit(world.version("settlements"), inputs=inputs)
    assert crashes(verdicts) == {"is_not_rejected", "shard_adds_up"}
    assert all(verdict.passed or verdict.blocks for verdict in verdicts)
    assert "needs rejections, which was not given" in by_check(verdicts)["is_not_rejected"].sentence


def test_a_missing_parameter_crashes_the_check_that_needs_it(world: World) -> None:
    verdicts = world.audit(world.version("geo_cells"), parameters={"t_max": 10})
    assert crashes(verdicts) == {"cells_are_not_too_small"}


def test_an_input_that_is_gone_from_the_lake_crashes_the_checks_that_need_it(world: World) -> None:
    gone = [Version("facts", "00", "gone", 1)]
    verdicts = world.audit(world.version("settlements"), inputs={**world.inputs("settlements"), "facts": gone})
    assert crashes(verdicts) == {"coordinates_are_on_earth"}


def test_a_first_version_has_nothing_to_be_compared_with(world: World) -> None:
    (verdict,) = world.audit(world.version("members"), only="split_never_changes", before=None)
    assert verdict.passed
    assert "no version before" in verdict.sentence


def test_a_missing_column_fails_the_check_of_columns_and_crashes_those_that_speak_of_it(world: World) -> None:
    rows = world.lake.read(world.version("candidates")).drop_columns(["shard"])
    verdicts = by_check(world.audit(world.store("candidates", rows)))
    columns = verdicts["columns_and_types"]
    assert not columns.passed
    assert not columns.has_crashed
    # The columns after it have moved up by one place, and are named too.
    assert columns.sample[-1] == {"name": "shard", "type": "VARCHAR", "type_stored": None}
    assert {name for name, one in verdicts.items() if one.has_crashed} == {
        "shard_is_not_null", "shard_is_well_formed", "shard_is_that_of_the_qid",
    }  # fmt: skip
    assert verdicts["qid_is_well_formed"].passed


def test_a_column_of_another_type_is_found(world: World) -> None:
    rows = world.lake.read(world.version("rejections"))
    faulty = rows.set_column(4, "revision", rows["revision"].cast(pa.float64()))
    (verdict,) = world.audit(world.store("rejections", faulty), only="columns_and_types")
    assert verdict.sample == ({"name": "revision", "type": "BIGINT", "type_stored": "DOUBLE"},)


def test_a_file_that_cannot_be_read_crashes_every_check(world: World) -> None:
    version = world.store("rejections", world.rows("rejections"))
    world.lake.write_bytes(version.path, b"no Parquet")
    verdicts = world.audit(version)
    assert crashes(verdicts) == {check.name for check in declared(TABLES["rejections"])}


def test_every_failing_row_is_kept_and_a_few_are_shown(world: World) -> None:
    rows = [{**row, "population": -1} for row in world.rows("settlements")]
    version = world.store("settlements", rows)
    (verdict,) = world.audit(version, only="population_is_not_negative")
    assert verdict.rows_path == failing_path(version, "population_is_not_negative")
    kept = Version("settlements", "00", version.version, 0)
    assert world.lake.exists(verdict.rows_path)
    assert kept.version in verdict.rows_path
    assert verdict.figures == {"n_rows": 12, "n_failing": 12, "share": 1.0}
    assert verdict.sample[0] == {"qid": "Q101", "population": -1}
    assert len(verdict.sample) == 5
    assert not verdict.blocks


@pytest.mark.parametrize(
    ("name", "check", "fault"),
    [
        ("facts", "languages_go_with_texts", change(is_(property="label"), lang=None)),
        ("facts", "languages_go_with_texts", change(is_(property="P31"), lang="en")),
        ("facts", "coordinates_are_complete", change(is_(property="P625"), statement="")),
        ("facts", "coordinates_are_complete", change(is_(property="P625"), lat_deg=float("nan"))),
        ("settlements", "coordinates_are_on_earth", change(statement="another")),
        ("images", "ok_means_a_picture", change(picture_sha256=None)),
        ("refresh", "every_partition_is_pinned", change(is_(name="images"), partition="07")),
        ("refresh", "versions_are_stored", change(is_(name="images"), value="gone")),
        ("refresh", "parameters_are_present", change(is_(name="t_max"), value="2")),
        ("eligible", "quotas_are_kept", change(is_(variant="mlm_irle_gr", reason="not_in_eu"), reason=None)),
        ("members", "reasons_follow_eligible", change(is_(reason="svg_only"), reason=None)),
        ("members", "cells_are_kept_ones", change(is_(variant="mlm_irle"), cell_token="1")),
        ("mlm", "rows_are_the_members", change(split="test", qid="Q999")),
        ("mlm_irle", "rows_are_the_members", change(class_id=7)),
        ("mlm", "languages_are_the_variants", change(summaries=lambda row: row["summaries"][:1] * 2)),
        ("mlm", "image_names_are_unique", change(images=lambda row: row["images"][:1] * 2)),
    ],
)  # fmt: skip
def test_a_check_sees_the_other_faults_that_its_sentence_names(world: World, name: str, check: str, fault: Any) -> None:
    (verdict,) = world.audit(world.store(name, fault(world.rows(name))), only=check)
    assert not verdict.passed
    assert not verdict.has_crashed


def test_unknown_coordinates_are_legal(world: World) -> None:
    unknown = change(is_(property="P625"), lat_deg=None, lon_deg=None, globe_qid=None)
    version = world.store("facts", unknown(world.rows("facts")))
    for check in ("coordinates_are_complete", "coordinates_have_a_globe"):
        (verdict,) = world.audit(version, only=check)
        assert verdict.passed, verdict.sentence


def test_shards_and_splits_in_sql_are_those_of_identifiers(world: World) -> None:
    qids = [f"Q{number}" for number in range(1, 3001)]
    listed = [{"qid": qid, "shard": shard_of(qid, 37), "class_qids": ["Q515"]} for qid in qids]
    (verdict,) = world.audit(
        world.store("candidates", listed), only="shard_is_that_of_the_qid", parameters={"shards": 37}
    )
    assert verdict.passed, verdict.sample
    rows = [{"variant": "mlm", "qid": qid, "is_member": True, "split": split_of(qid)} for qid in qids]
    (verdict,) = world.audit(world.store("members", rows), only="split_is_that_of_the_qid")
    assert verdict.passed, verdict.sample


def test_a_cell_in_another_is_found_wherever_it_lies(world: World) -> None:
    import s2sphere

    def cell(one: Any, class_id: int) -> dict[str, Any]:
        return {
            "variant": "mlm", "cell_token": one.to_token(), "class_id": class_id, "level": one.level(),
            "n_settlements": 5, "mean_lat_deg": 0.0, "mean_lon_deg": 0.0,
        }  # fmt: skip

    parent = s2sphere.CellId.from_token("47b")
    children = list(parent.children())
    (verdict,) = world.audit(
        world.store("geo_cells", [cell(child, n) for n, child in enumerate(children)]), only="cells_do_not_overlap"
    )
    assert verdict.passed, verdict.sample
    for child in (children[0], children[3], next(iter(children[2].children()))):
        (verdict,) = world.audit(
            world.store("geo_cells", [cell(parent, 0), cell(child, 1)]), only="cells_do_not_overlap"
        )
        assert not verdict.passed, child.to_token()


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        (None, "not in the lake"),
        (jpeg(1, side_px=128), "not a JPEG RGB 256 x 256"),
        (jpeg(1)[:300], "cannot be decoded"),
        (b"no picture", "cannot be decoded"),
        (jpeg(1), None),
    ],
)
def test_a_picture_is_there_has_its_hash_and_can_be_decoded(
    tmp_path: Path, data: bytes | None, fault: str | None
) -> None:
    import hashlib

    lake = Lake(tmp_path)
    if data is not None:
        lake.write_bytes("images/one.jpg", data)
    found = picture_fault(lake, "images/one.jpg", hashlib.sha256(data or b"").hexdigest())
    assert (fault is None and found is None) or (fault is not None and fault in str(found))
    if data is not None:
        assert "hash" in str(picture_fault(lake, "images/one.jpg", "0" * 64))


def test_the_sample_of_pictures_is_bounded_and_always_the_same(world: World) -> None:
    version = world.version("images")
    with world.lake.connect() as connection:
        connection.register("audited", world.lake.read(version))
        first = stored_pictures(world.lake, version, connection, 5)
        assert first.num_rows == 5
        assert first == stored_pictures(world.lake, version, connection, 5)
    (verdict,) = world.audit(version, only="pictures_are_stored")
    assert verdict.figures["n_sampled"] == 13
    assert "13 pictures" in verdict.sentence


def test_conditions_on_single_rows_can_be_asked_of_rows_alone(world: World) -> None:
    import duckdb

    for name in ("facts", "summaries", "images"):
        connection = duckdb.connect()
        connection.register("draft", world.lake.read(world.version(name)))
        conditions = row_conditions(TABLES[name])
        assert len(conditions) > 5
        for _, _, condition in conditions:
            assert connection.execute(f"SELECT count(*) FROM draft WHERE {condition}").fetchall() == [(0,)]
        connection.close()


def test_an_object_store_is_audited_like_a_folder(tmp_path: Path) -> None:
    world = build(Lake("memory://constraints", tmp_path))
    assert all(verdict.passed for verdict in world.audit(world.version("images")))
    faulty = world.store("settlements", change(images=[])(world.rows("settlements")))
    (verdict,) = world.audit(faulty, only="has_an_image")
    assert verdict.rows_path is not None
    assert world.lake.exists(verdict.rows_path)


def test_data_docs_open_offline_and_escape_what_others_wrote(world: World, tmp_path: Path) -> None:
    for name in ("candidates", "summaries", *VARIANTS):
        world.audit(world.version(name))
    nasty = '<script src="https://example.org/x.js"></script>'
    world.audit(world.store("rejections", change(evidence=nasty, reason="$status")(world.rows("rejections"))))
    index = render_data_docs(world.lake, tmp_path / "docs")
    pages = {path.relative_to(tmp_path / "docs").as_posix(): path.read_text() for path in index.parent.rglob("*.html")}
    assert {"index.html", "rejections/00.html", "rejections/suite.html", "summaries/en-00.html"} <= set(pages)
    assert 'href="rejections/00.html"' in pages["index.html"]
    assert "&lt;script src=" in pages["rejections/00.html"]
    assert "failing/rejections/00/" in pages["rejections/00.html"]
    assert "The evidence is JSON." in pages["rejections/suite.html"]
    for page in pages.values():
        assert "<script" not in page
        assert "<link" not in page
        assert not [word for word in page.split('href="')[1:] if word.startswith(("http", "//"))]


def test_results_for_data_docs_are_kept_only_of_whole_audits(world: World) -> None:
    path = results_path("approvals", "2026-12")
    world.lake.remove_tree(path)  # whatever another test has kept of it
    world.audit(world.version("approvals"), only="key_is_unique")
    assert not world.lake.exists(path)
    world.audit(world.version("approvals"))
    assert world.lake.exists(path)


def test_an_audit_reads_inputs_given_in_memory(world: World) -> None:
    tight = pa.table({"country_code": ["DE", "RE"], "eu_country": ["DE", "FR"], "wanted": [1, 10]})
    verdicts = by_check(
        audit(
            world.lake,
            world.version("mlm_irle_gr"),
            {**world.inputs("mlm_irle_gr"), "quotas": tight},
            PARAMETERS,
            None,
            {"quotas_are_kept"},
        )
    )
    assert verdicts["quotas_are_kept"].sample == (
        {"eu_country": "DE", "country_code": None, "wanted": 1, "n_settlements": 4},
    )
