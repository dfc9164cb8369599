"""Every declared drift check fails on a fault seeded for it, and passes on a month of ordinary life."""

import copy
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from drift_world import LANGS, RELEASES, Archive, Rows, Tables, World, failed, release_tables
from PIL import Image

from mlm_assets.bands import FEWEST_RELEASES
from mlm_assets.checks import drift
from mlm_assets.checks.drift import Profile, Sides, profile_of
from mlm_assets.resources.lake import Lake, Version, arrow_schema
from mlm_assets.tables import BENCHMARKS, DATASETS, MODELS, TABLES

OLD, NEW = RELEASES[0], RELEASES[1]
PARTITIONS = {"settlement_classes": "", "candidates": "", "summaries": "fr|00"}
SHARDED = ("facts", "settlements", "rejections", "images")


class Bench:
    """Two releases of a world, written once; a fault writes one table of the second again and has it judged."""

    def __init__(self, root: Path) -> None:
        self.lake = Lake(root)
        self.archive = Archive(self.lake)
        world = World(seed=5, n=900)
        before = world.tables()
        self.before = {**before, **release_tables(before, OLD), **model_tables(OLD)}
        world.live()
        now = world.tables()
        self.now = {**now, **release_tables(now, NEW), **model_tables(NEW)}
        self.old, self.new = self.archive.write(self.before), self.archive.write(self.now)

    def partition(self, table: str, release: str) -> str:
        if table in SHARDED:
            return "00"
        return PARTITIONS.get(table, release)

    def sides(self, table: str, versions: dict[tuple[str, str], Version], release: str) -> Sides:
        if table == "refresh":
            return self.archive._refresh(versions, release)
        partition = self.partition(table, release)
        sides = self.archive._sides(versions, table, partition, versions[table, partition], release)
        more = {name: [versions[name, release]] for name in drift.context_of(table) if (name, release) in versions}
        return replace(sides, versions={**sides.versions, **more})

    def judge(self, table: str, faulty: Tables, history: list[Profile] | None = None) -> Any:
        versions = {**self.new, **self.archive.write(faulty)}
        return failed(
            drift.judge(self.lake, self.sides(table, versions, NEW), self.sides(table, self.old, OLD), history or [])
        )

    def clean_profile(self, table: str) -> Profile:
        return profile_of(self.lake, self.sides(table, self.new, NEW))


def model_tables(release: str) -> Tables:
    tables: Tables = {}
    for table in MODELS:
        tables[table.name, release] = [
            {"epoch": i, "is_best": i == 9, "loss": 1.0 / i, "located_image": 0.5, "located_text": 0.7, "score": 0.6,
             "weights_sha256": f"{i:064x}"}
            for i in range(1, 10)
        ]  # fmt: skip
    for table in BENCHMARKS:
        tables[table.name, release] = [
            {"section": "retrieval", "model": "ir_model", "direction": "image_to_text", "group": "", "figure": figure,
             "value": value, "low": 0.9 * value, "high": 1.1 * value, "n": 500}
            for figure, value in (("medR", 20.0), ("R@1", 0.3))
        ]  # fmt: skip
    return tables


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    return Bench(tmp_path_factory.mktemp("lake"))


# -- faults ------------------------------------------------------------------------------------------------------------

Fault = Callable[[Rows], Rows]


def drop(every: int, where: Callable[[dict[str, Any]], bool] = lambda _: True) -> Fault:
    """Leave out every n-th row of those that `where` tells."""

    def fault(rows: Rows) -> Rows:
        chosen = [row for row in rows if where(row)][::every]
        gone = {id(row) for row in chosen}
        return [row for row in rows if id(row) not in gone]

    return fault


def change(*, every: int = 1, where: Callable[[dict[str, Any]], bool] = lambda _: True, **to: Any) -> Fault:
    """Set columns of every n-th row of those that `where` tells, to a value or to a function of the row."""

    def fault(rows: Rows) -> Rows:
        for row in [row for row in rows if where(row)][::every]:
            row.update({name: value(row) if callable(value) else value for name, value in to.items()})
        return rows

    return fault


def more(n: int, **to: Any) -> Fault:
    """Add copies of rows with other keys."""

    def fault(rows: Rows) -> Rows:
        copies = [copy.deepcopy(rows[i % len(rows)]) for i in range(n)]
        for i, row in enumerate(copies):
            row.update({name: value(row, i) for name, value in to.items()})
        return rows + copies

    return fault


def drop_entities(rows: Rows) -> Rows:
    gone = set(sorted({row["qid"] for row in rows})[::3])
    return [row for row in rows if row["qid"] not in gone]


def is_ok(row: dict[str, Any]) -> bool:
    return row["status"] == "ok"


def of(prop: str) -> Callable[[dict[str, Any]], bool]:
    return lambda row: row["property"] == prop


def new_qid(_: dict[str, Any], i: int) -> str:
    return f"Q{77_000_000 + i}"


def new_sha(row: dict[str, Any]) -> str:
    return f"{hash(row['qid'] + str(row.get('file', ''))) % 10**12:064d}"


def of_the_reference(row: dict[str, Any]) -> Any:
    return row["revision"] - 3_000_000 if row["revision"] is not None else None


def fewer_texts(row: dict[str, Any]) -> list[Any]:
    return row["summaries"][:-1]


MISSING = {"status": "missing", "title": None, "text": None, "text_sha256": None, "revision": None, "licence": None}
NO_PICTURE = {"status": "missing", "file_sha1": None, "path": None, "picture_sha256": None}

FAULTS: dict[str, dict[str, Fault]] = {
    "settlement_classes": {
        "rows_do_not_drop": drop(2, lambda row: row["class_qid"].startswith("Q60")),
        "instances_keep_a_class": drop(1, lambda row: row["class_qid"] == "Q532"),
        "rows_do_not_rise": more(150, class_qid=lambda row, i: f"Q{88_000 + i}"),
        "hierarchy_is_stable": change(every=2, hop=2),
        "labels_are_stable": change(labels=lambda row: row["labels"][:1]),
    },
    "candidates": {
        "rows_do_not_drop": drop(4),
        "rows_per_class_do_not_drop": drop(2, lambda row: row["class_qids"] == ["Q5084"]),
        "rows_do_not_rise": more(400, qid=new_qid),
        "classes_are_stable": change(every=3, class_qids=["Q515", "Q70208"]),
        "revisions_do_not_go_back": change(every=9, revision=lambda row: row["revision"] - 800_000),
    },
    "facts": {
        "entities_do_not_drop": drop_entities,
        "properties_do_not_drop": drop(1, of("P625")),
        "properties_do_not_multiply": lambda rows: rows + [
            {**row, "value": "Q1"} for row in rows if row["property"] == "P17"
        ],
        "values_are_stable": change(where=of("P1082"), value=lambda row: str(int(row["value"]) * 1000)),
        "places_do_not_move": change(
            where=of("P625"), lat_deg=lambda row: row["lon_deg"], lon_deg=lambda row: row["lat_deg"]
        ),
        "revisions_do_not_go_back": change(where=of("version"), every=5, value="12"),
        "values_are_filled": change(where=of("P31"), label=None),
    },
    "settlements": {
        "rows_do_not_drop": drop(5),
        "rows_per_country_do_not_drop": drop(2, lambda row: row["country_code"] == "PL"),
        "rows_per_class_do_not_drop": drop(2, lambda row: row["class_qids"] == ["Q3957"]),
        "rows_do_not_rise": more(200, qid=new_qid),
        "coverage_does_not_drop": change(
            sitelinks=lambda row: [pair for pair in row["sitelinks"] if pair[0] != "de"] or row["sitelinks"]
        ),
        "places_do_not_move": change(every=8, lat_deg=0.0, lon_deg=0.0),
        "countries_are_stable": change(where=lambda row: row["country_code"] == "FR", country_code="BE"),
        "classes_are_stable": change(every=4, class_qids=["Q486972"]),
        "labels_are_stable": change(label=lambda row: row["label"] + "?"),
        "populations_are_stable": change(every=4, population=lambda row: row["population"] * 1000),
        "revisions_do_not_go_back": change(every=8, modified_at="2019-01-01T00:00:00Z"),
        "distributions_are_stable": change(lon_deg=lambda row: row["lon_deg"] - 40),
    },
    "rejections": {
        "reasons_do_not_rise": lambda rows: rows,  # needs settlements that are rejected now: see `context_fault`
        "reasons_do_not_drop": lambda rows: rows,
        "revisions_do_not_go_back": change(every=2, revision=3),
    },
    "summaries": {
        "texts_do_not_drop": change(every=2, where=is_ok, **MISSING),
        "rows_do_not_rise": change(every=2, **{**MISSING, "status": "unavailable"}),
        "texts_are_stable": change(where=is_ok, text=lambda row: row["text"] + " Voilà.", text_sha256=new_sha),
        "texts_are_whole": change(where=is_ok, text=lambda row: row["text"][:60], text_sha256=new_sha),
        "texts_are_clean": change(
            every=4, where=is_ok, text=lambda row: f"<p>{row['text']}</p>", text_sha256=new_sha
        ),
        "texts_speak_their_language": change(
            every=4, where=is_ok, text_sha256=new_sha,
            text=lambda row: f"{row['title']} is a village in the north of the region, and it is on the river to which "
            "the district of the place is named.",
        ),
        "titles_are_stable": change(every=2, where=is_ok, title="Place de la Concorde"),
        "licences_are_given": change(every=3, where=is_ok, licence=None),
        "revisions_do_not_go_back": change(every=4, where=is_ok, revision=of_the_reference),
    },
    "images": {
        "pictures_do_not_drop": change(every=3, where=is_ok, **NO_PICTURE),
        "rows_do_not_rise": more(150, file=lambda row, i: f"More {i}.jpg", image_index=lambda row, i: 50 + i),
        "pictures_are_stable": change(every=2, where=is_ok, picture_sha256=new_sha),
        "pictures_change_only_with_files": change(every=6, where=is_ok, width_px=lambda row: row["width_px"] // 10),
        "pictures_are_distinct": change(every=3, where=is_ok, picture_sha256="0" * 64),
        "pictures_are_not_blank": change(every=2, where=is_ok, picture_sha256=new_sha, path="images/blank.jpg"),
        "licences_are_given": change(every=4, where=is_ok, licence=None, author=None),
        "kinds_are_stable": change(every=3, where=is_ok, mime="image/svg+xml", is_svg=True),
        "distributions_are_stable": change(size_bytes=lambda row: (row.get("size_bytes") or 0) // 1000),
    },
    "eligible": {
        "rows_do_not_drop": drop(4, lambda row: row["variant"] == "mlm"),
        "rows_per_country_do_not_drop": change(
            where=lambda row: row["country_code"] == "DE", reason="no_image_downloaded"
        ),
        "reasons_do_not_rise": change(every=4, where=lambda row: row["reason"] is None, reason="no_summary"),
        "coverage_does_not_drop": change(every=3, n_images=0),
        "countries_are_stable": change(every=4, country_code="AT"),
        "places_do_not_move": change(every=8, lat_deg=lambda row: -row["lat_deg"]),
    },
    "geo_cells": {
        "cells_do_not_drop": change(cell_token=lambda row: "9" + row["cell_token"]),
        "cells_do_not_rise": change(cell_token=lambda row: "9" + row["cell_token"]),
        "cells_keep_their_size": change(n_settlements=lambda row: row["n_settlements"] + 40),
    },
    "members": {
        "members_do_not_drop": change(
            every=4, where=lambda row: row["is_member"], is_member=False, reason="cell_removed", cell_token=None
        ),
        "members_do_not_rise": more(900, qid=new_qid),
        "cells_are_stable": change(every=2, cell_token="ff"),
        "splits_are_stable": change(every=50, where=lambda row: row["split"] == "test", split="train"),
    },
    **{
        table.name: {
            "rows_do_not_drop": drop(4),
            "rows_per_country_do_not_drop": drop(2, lambda row: row["country_code"] == "IT"),
            "rows_do_not_rise": more(500, qid=new_qid),
            "texts_per_language_do_not_drop": change(summaries=fewer_texts),
            "pictures_do_not_drop": change(every=3, images=lambda row: row["images"][1:]),
            "values_are_stable": change(every=3, label="nowhere"),
            "credits_are_given": change(
                every=3, images=lambda row: [{**image, "licence": None} for image in row["images"]]
            ),
            "splits_are_stable": change(every=50, split="train"),
            "distributions_are_stable": change(
                summaries=lambda row: [{**text, "text": text["text"][:20]} for text in row["summaries"]]
            ),
        }
        for table in DATASETS
    },
    "dataset_statistics": {
        "figures_do_not_drop": change(n=lambda row: row["n"] * 2 // 3),
        "figures_do_not_rise": change(n=lambda row: row["n"] * 2),
    },
    **{
        table.name: {
            "scores_do_not_drop": change(where=lambda row: row["is_best"], located_text=0.2),
            "training_is_whole": change(where=lambda row: row["epoch"] == 4, loss=float("nan")),
        }
        for table in MODELS
    },
    **{
        table.name: {
            "scores_do_not_drop": change(where=lambda row: row["figure"] == "R@1", value=0.02, low=0.01, high=0.03)
        }
        for table in BENCHMARKS
    },
}  # fmt: skip

REFRESH_FAULTS: dict[str, tuple[str, Fault]] = {
    "classes_are_stable": ("settlement_classes", FAULTS["settlement_classes"]["instances_keep_a_class"]),
    "candidates_are_stable": ("candidates", FAULTS["candidates"]["rows_do_not_drop"]),
    "facts_are_stable": ("facts", FAULTS["facts"]["properties_do_not_drop"]),
    "settlements_do_not_drop": ("settlements", FAULTS["settlements"]["rows_do_not_drop"]),
    "settlements_are_stable": ("settlements", FAULTS["settlements"]["labels_are_stable"]),
    "rejections_are_stable": ("rejections", lambda rows: []),
    "summaries_do_not_drop": ("summaries", FAULTS["summaries"]["texts_do_not_drop"]),
    "summaries_are_stable": ("summaries", FAULTS["summaries"]["texts_are_whole"]),
    "images_do_not_drop": ("images", FAULTS["images"]["pictures_do_not_drop"]),
    "images_are_stable": ("images", FAULTS["images"]["pictures_are_distinct"]),
    "revisions_do_not_go_back": ("settlements", FAULTS["settlements"]["revisions_do_not_go_back"]),
    "distributions_are_stable": ("settlements", FAULTS["settlements"]["distributions_are_stable"]),
}
GENERIC = ("columns_are_stable", "levels_follow_their_history", "source_moves_on", "parameters_are_stable")
"""Checks with tests of their own below."""
NOT_BLOCKED_HERE = {("summaries", "rows_do_not_rise"), ("facts", "properties_do_not_multiply")}


def spoilt(bench: Bench, table: str, fault: Fault, everywhere: bool = False) -> Tables:
    """Return the partitions of a table with a fault: the one judged, or all of them."""
    judged = bench.partition(table, NEW)
    return {
        (name, partition): fault(copy.deepcopy(rows))
        for (name, partition), rows in bench.now.items()
        if name == table and (everywhere or partition == judged)
    }


def test_no_declared_check_is_left_out() -> None:
    """A check that is declared and has no fault here is not tested; a fault without its check tests nothing."""
    for table in TABLES:
        declared = {check.name for check in drift.declared(table)} - set(GENERIC)
        seeded = set(REFRESH_FAULTS) if table == "refresh" else set(FAULTS.get(table, {}))
        assert declared == seeded, table


@pytest.mark.parametrize(("table", "check"), [(table, check) for table, checks in FAULTS.items() for check in checks])
def test_a_seeded_fault_is_found(bench: Bench, table: str, check: str) -> None:
    if table == "images" and check == "pictures_are_not_blank":
        with bench.lake.new_file("images/blank.jpg") as file:
            Image.new("RGB", (256, 256), "grey").save(file, "JPEG")
    faulty = spoilt(bench, table, FAULTS[table][check])
    if table == "rejections" and check.startswith("reasons"):
        faulty = context_fault(bench, to_rejections=check == "reasons_do_not_rise")
    found = bench.judge(table, faulty)

    assert (table, check) in found, sorted(found)
    verdict = found[table, check]
    assert not verdict.has_crashed, verdict.sentence
    declared = {one.name: one for one in drift.declared(table)}
    assert verdict.is_blocking == declared[check].is_blocking
    if "measures" in verdict.figures:  # the rows that changed can be read
        assert verdict.rows_path is not None
        with bench.lake.connect() as connection:
            path = bench.lake.full_path(verdict.rows_path)
            n = connection.execute(f"SELECT count(*) FROM read_parquet('{path}')").fetchall()[0][0]
        assert n > 0
        assert verdict.sample


def context_fault(bench: Bench, to_rejections: bool) -> Tables:
    """Move a quarter of the settlements to the rejections, or the other way round."""
    settlements = copy.deepcopy(bench.now["settlements", "00"])
    rejections = copy.deepcopy(bench.now["rejections", "00"])
    if to_rejections:
        moved = settlements[::4]
        rejections += [{"qid": row["qid"], "reason": "no_image", "failed": ["no_image"], "evidence": "{}",
                        "revision": row["revision"]} for row in moved]  # fmt: skip
        settlements = [row for row in settlements if row not in moved]
    else:
        moved = rejections[::1]
        settlements += [{**settlements[0], "qid": row["qid"]} for row in moved]
        rejections = []
    return {("settlements", "00"): settlements, ("rejections", "00"): rejections}


@pytest.mark.parametrize("check", REFRESH_FAULTS)
def test_a_seeded_fault_is_found_at_the_refresh(bench: Bench, check: str) -> None:
    table, fault = REFRESH_FAULTS[check]
    faulty = spoilt(bench, table, fault, everywhere=True)
    if check == "rejections_are_stable":
        faulty = context_fault(bench, to_rejections=True)
    found = bench.judge("refresh", faulty)
    assert ("refresh", check) in found, sorted(found)
    assert found["refresh", check].blocks, found["refresh", check].sentence


@pytest.mark.parametrize("table", [table for table in TABLES if drift.declared(table)])
def test_an_ordinary_month_passes(bench: Bench, table: str) -> None:
    found = bench.judge(table, {})
    assert not found, {key: verdict.sentence for key, verdict in found.items()}


# -- checks of any table -----------------------------------------------------------------------------------------------

WITH_COLUMNS = [table for table in TABLES if "columns_are_stable" in {check.name for check in drift.declared(table)}]
WITH_LEVELS = [
    table for table in TABLES if "levels_follow_their_history" in {check.name for check in drift.declared(table)}
]


@pytest.mark.parametrize("table", WITH_COLUMNS)
def test_another_schema_is_found(bench: Bench, table: str) -> None:
    """A version whose file lacks a column, as one written by another release of the code may."""
    partition = bench.partition(table, NEW)
    written = bench.new[table, partition]
    rows = bench.lake.read(written)
    odd = replace(written, version=f"odd{written.version}"[:20])
    path = Path(bench.lake.full_path(odd.path))
    column = next(column.name for column in reversed(TABLES[table].columns) if column.name not in TABLES[table].key)
    pq.write_table(rows.drop_columns([column]), path)
    versions = {**bench.new, (table, partition): odd}
    verdicts = drift.judge(bench.lake, bench.sides(table, versions, NEW), bench.sides(table, bench.old, OLD), [])
    found = failed(verdicts)[table, "columns_are_stable"]
    assert found.severity == "WARN"
    assert column in found.sentence


def test_a_column_that_is_emptied_is_found(bench: Bench) -> None:
    found = bench.judge("images", spoilt(bench, "images", change(every=3, where=is_ok, credit=None)))
    verdict = found["images", "columns_are_stable"]
    assert verdict.blocks
    assert verdict.figures["cause_value"] == "credit"


def in_the_past(profile: Profile, factor: float, n: int) -> list[Profile]:
    """Return a history of `n` releases before NEW in which all counts were `factor` times those of `profile`."""
    figures = {
        figure: {item: round(factor * n) for item, n in items.items()} for figure, items in profile.figures.items()
    }
    months = [f"2025-{month:02d}" for month in range(1, n + 1)]
    return [replace(profile, release=month, figures=figures, version=month) for month in months]


@pytest.mark.parametrize("table", WITH_LEVELS)
def test_a_level_beside_its_history_is_found(bench: Bench, table: str) -> None:
    versions = dict(bench.new)
    if table != "refresh":  # the reference itself needs no judgement
        rows = spoilt(bench, table, lambda rows: rows[:-1])
        versions |= bench.archive.write(rows)
    usual = bench.clean_profile(table)
    tiny = max((n for figure, items in usual.figures.items() if figure.endswith(".rows") for n in items.values()))
    factor = max(1.6, 150 / tiny)
    current, reference = bench.sides(table, versions, NEW), bench.sides(table, bench.old, OLD)
    history = in_the_past(usual, factor, FEWEST_RELEASES)
    found = failed(drift.judge(bench.lake, current, reference, history))
    assert (table, "levels_follow_their_history") in found
    calm = failed(drift.judge(bench.lake, current, reference, in_the_past(usual, 1.0, FEWEST_RELEASES)))
    assert (table, "levels_follow_their_history") not in calm
    young = failed(drift.judge(bench.lake, current, reference, history[1:]))
    assert (table, "levels_follow_their_history") not in young


def test_a_source_that_stands_still_is_found(bench: Bench) -> None:
    current = bench.sides("refresh", bench.old, NEW)
    reference = bench.sides("refresh", bench.old, OLD)
    found = failed(drift.judge(bench.lake, current, reference, []))
    assert set(found) == {("refresh", "source_moves_on")}
    assert not found["refresh", "source_moves_on"].blocks
    again = drift.judge(bench.lake, replace(current, release=OLD), reference, [])
    assert not failed(again), "the same release made again need not have moved"


def test_a_source_that_stands_still_but_for_a_few_is_found(bench: Bench) -> None:
    def moved(share: float) -> dict[tuple[str, str], Any]:
        faulty: Tables = {}
        for (table, partition), rows in bench.before.items():
            if table in ("candidates", "summaries"):
                n = round(share * len(rows))
                faulty[table, partition] = [
                    {**row, "revision": row["revision"] + 1} if index < n and row.get("revision") else row
                    for index, row in enumerate(rows)
                ]
        return bench.judge("refresh", faulty)

    assert ("refresh", "source_moves_on") in moved(0.002)
    assert ("refresh", "source_moves_on") not in moved(0.02)


def test_a_changed_parameter_is_told(bench: Bench) -> None:
    rows = [{"kind": "parameter", "name": "t_min", "partition": "", "value": "3"}]
    own = bench.lake.write("refresh", NEW, pa.Table.from_pylist(rows, schema=arrow_schema("refresh")))
    current = bench.sides("refresh", bench.new, NEW)
    current = replace(current, versions={**current.versions, "refresh": [own]})
    found = failed(drift.judge(bench.lake, current, bench.sides("refresh", bench.old, OLD), []))
    assert "t_min was 20, is 3" in found["refresh", "parameters_are_stable"].sentence
    assert found["refresh", "parameters_are_stable"].blocks, "a change that is meant is approved once"


# -- what a verdict says -----------------------------------------------------------------------------------------------


def test_a_drop_of_french_summaries_names_french(bench: Bench) -> None:
    """40 % of French lead texts are gone: the shard of French blocks, and so does the refresh; both name French."""
    where = change(every=5, where=is_ok, **MISSING)

    def two_fifths(rows: Rows) -> Rows:
        return where(list(reversed(where(rows))))

    faulty = {
        key: two_fifths(copy.deepcopy(rows))
        for key, rows in bench.now.items()
        if key[0] == "summaries" and key[1].startswith("fr|")
    }
    shard = bench.judge("summaries", faulty)["summaries", "texts_do_not_drop"]
    whole = bench.judge("refresh", faulty)["refresh", "summaries_do_not_drop"]
    for verdict in (shard, whole):
        assert verdict.blocks
        assert verdict.cause is not None
        assert "French (fr) explains" in verdict.cause
        assert verdict.figures["cause_dimension"] == "lang"
        assert verdict.figures["cause_value"] == "fr"
        assert verdict.figures["cause_share"] > 0.85
    power = whole.figures["smallest_detectable"]["summaries.texts_lost"]["lang"]
    assert set(power) == set(LANGS)
    assert 0.08 < power["fr"]["warn"] <= power["fr"]["block"] < 0.35
    assert power["fr"]["n"] > 200


@pytest.mark.parametrize(
    ("table", "fault", "check", "dimension", "value"),
    [
        ("settlements", drop(1, lambda row: row["country_code"] == "PL"), "settlements_do_not_drop", "country", "PL"),
        ("settlements", drop(1, lambda row: row["class_qids"] == ["Q5084"]), "settlements_do_not_drop", "class",
         "Q5084"),
        ("facts", drop(1, of("P1082")), "facts_are_stable", "property", "P1082"),
        ("images", change(where=lambda row: is_ok(row) and row["property"] == "P94", **NO_PICTURE),
         "images_do_not_drop", "property", "P94"),
    ],
)  # fmt: skip
def test_the_cause_is_named(bench: Bench, table: str, fault: Fault, check: str, dimension: str, value: str) -> None:
    found = bench.judge("refresh", spoilt(bench, table, fault, everywhere=True))["refresh", check]
    assert (found.figures["cause_dimension"], found.figures["cause_value"]) == (dimension, value)
    assert found.figures["cause_share"] > 0.6
    assert value in (found.cause or "")


def test_a_lost_shard_is_named(bench: Bench) -> None:
    found = bench.judge("refresh", {("settlements", "01"): []})["refresh", "settlements_do_not_drop"]
    assert (found.figures["cause_dimension"], found.figures["cause_value"]) == ("shard", "01")
    assert "shard 01" in (found.cause or "")


def test_what_left_with_its_class_is_judged_with_the_classes(bench: Bench) -> None:
    """A class that leaves the list takes its settlements along; they are not counted as lost a second time."""

    def has_gone(row: dict[str, Any]) -> bool:
        return row["class_qids"] == ["Q5084"]

    classes = {("settlement_classes", ""): [
        row for row in copy.deepcopy(bench.now["settlement_classes", ""]) if row["class_qid"] != "Q5084"
    ]}  # fmt: skip
    rows = {("settlements", "00"): [row for row in copy.deepcopy(bench.now["settlements", "00"]) if not has_gone(row)]}
    assert ("settlement_classes", "instances_keep_a_class") in bench.judge("settlement_classes", classes)
    alone, together = bench.judge("settlements", rows), bench.judge("settlements", {**rows, **classes})
    assert ("settlements", "rows_do_not_drop") in alone
    assert ("settlements", "rows_do_not_drop") not in together


def test_nothing_to_compare_with_passes(bench: Bench) -> None:
    for table in ("settlements", "refresh", "mlm"):
        verdicts = drift.judge(bench.lake, bench.sides(table, bench.new, NEW), None, [])
        assert [verdict.check for verdict in verdicts] == [check.name for check in drift.declared(table)]
        assert all(verdict.passed and "compare" in verdict.sentence for verdict in verdicts)


def test_a_crash_inside_a_check_is_a_verdict_that_blocks(bench: Bench) -> None:
    """The reference's file is gone: every check that reads it says so, none is silent."""
    lost = Version("settlements", "00", "0" * 20, 5)
    reference = bench.sides("settlements", bench.old, OLD)
    reference = replace(reference, versions={**reference.versions, "settlements": [lost]})
    verdicts = drift.judge(bench.lake, bench.sides("settlements", bench.new, NEW), reference, [])
    assert len(verdicts) == len(drift.declared("settlements"))
    crashed = [verdict for verdict in verdicts if verdict.has_crashed]
    assert len(crashed) >= 12
    assert all(verdict.blocks for verdict in crashed)


def test_features_have_no_drift_checks() -> None:
    assert drift.declared("image_features") == ()


def test_names_are_unique_and_short() -> None:
    for table in TABLES:
        names = [check.name for check in drift.declared(table)]
        assert len(names) == len(set(names)) <= 16
