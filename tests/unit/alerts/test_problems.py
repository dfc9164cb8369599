"""What is wrong is read off the state of the home, and worded so that it can be sent."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from mlm_assets.alerts.problems import Problem, look
from mlm_assets.alerts.records import RunRecord, ScheduleRecord, TickRecord
from mlm_assets.alerts.text import clean
from tests.unit.alerts.alert_worlds import NOW, RELEASE, World, failed, passed


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path / "home")


def problems(world: World) -> list[Problem]:
    return list(look(world.settings, world.lake, world.observed).problems)


def test_a_rejected_version_is_an_error_with_cause_readers_and_what_to_do(world: World) -> None:
    world.block("fr|00")
    world.block("fr|01")
    (problem,) = problems(world)
    assert problem.key == (RELEASE, "check", "summaries", "rows_by_language")
    assert (problem.severity, problem.partitions) == ("error", ("fr|00", "fr|01"))
    assert problem.cause == "French (fr) explains 100 % of the loss"
    assert problem.readers == ("version good of 2026-11, accepted 2026-11-03, 100 rows (fr|00, fr|01)",)
    assert problem.todo[0] == "mlm trace summaries 'fr|00' --check rows_by_language"
    assert problem.todo[1] == "mlm approve summaries 'fr|00' --reason ..."
    assert problem.todo[2] == "and so for the other 1 partition"
    assert {"summaries", "media", "team:dataset-maintainers"} <= set(problem.subjects)


def test_a_warning_on_an_accepted_version_is_a_warning(world: World) -> None:
    world.audit("summaries", "fr|00", "v", failed(severity="WARN"))
    world.accept("summaries", "fr|00", "v")
    (problem,) = problems(world)
    assert problem.severity == "warning"
    assert not any("approve" in line for line in problem.todo)


def test_a_check_that_crashed_blocks_whatever_it_was_declared_as(world: World) -> None:
    world.audit("summaries", "fr|00", "v", failed(severity="WARN", blocking=False, crashed=True))
    assert problems(world)[0].severity == "error"
    assert problems(world)[0].readers == ("nothing: no version was ever accepted",)


def test_what_passed_and_what_was_approved_is_no_problem(world: World) -> None:
    world.audit("summaries", "fr|00", "v", passed())
    world.accept("summaries", "fr|00", "v")
    world.block("de|00")
    world.approve("de|00")
    assert problems(world) == []


def test_an_approval_of_an_older_version_excuses_no_newer_one(world: World) -> None:
    world.block()
    world.approve()
    world.audit("summaries", "fr|00", "worse", failed())
    assert len(problems(world)) == 1


def test_the_gravest_partition_speaks_and_the_worst_figure_is_named(world: World) -> None:
    world.audit("summaries", "de|00", "v", failed(severity="WARN", sentence="a little less", figures={"lost": 2}))
    world.block("fr|00", figures={"lost": 30}, cause=None)
    world.block("fr|01", figures={"lost": 40})
    (problem,) = problems(world)
    assert problem.severity == "error"
    assert problem.cause.startswith("French")
    assert problem.worst == "lost 40 in fr|01"
    assert set(problem.partitions) == {"fr|00", "fr|01", "de|00"}


def test_texts_of_others_are_made_harmless(world: World) -> None:
    world.block(sentence="bad\x1b[31m title \u202egnp <!channel> @everyone " + "x" * 5000, cause="a\nb")
    (problem,) = problems(world)
    assert len(problem.sentence) <= 400
    assert not any(mark in problem.sentence for mark in ("\x1b", "\u202e", "<!", "@everyone"))
    assert problem.cause == "a b"


@pytest.mark.parametrize("text", ["n < 20", "p <= 0.05", "a @ b", "Łódź — 北京"])
def test_plain_text_stays_as_it_is(text: str) -> None:
    assert clean(text) == text


def run(outcome: str, minutes_ago: float, **more: object) -> RunRecord:
    at = NOW - timedelta(minutes=minutes_ago)
    made = RunRecord("id", "refresh_images", "00", RELEASE, outcome, at, at + timedelta(minutes=1), ("images",))  # type: ignore[arg-type]
    return replace(made, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("runs", "is_told"),
    [
        ([run("failure", 10)], True),
        ([run("failure", 10), run("success", 5)], False),
        ([run("success", 10), run("failure", 5)], True),
        ([run("failure", 10), run("going_on", 1)], True),
        ([run("failure", 10), run("canceled", 1)], True),
        ([run("failure", 10), run("success", 5, partition="01")], True),
        ([run("failure", 10), run("success", 5, tables=("image_features",))], True),
        ([run("failure", 10, is_blocked_by_check=True)], False),
        ([run("failure", 91 * 24 * 60)], False),
    ],
)
def test_a_failed_run_is_told_unless_something_explains_it_or_made_up_for_it(
    world: World, runs: list[RunRecord], is_told: bool
) -> None:
    world.observed = replace(world.observed, runs=runs)
    assert [one.key.kind for one in problems(world)] == ["run"] * is_told


def test_a_table_that_was_accepted_since_makes_up_for_a_failed_run_of_any_job(world: World) -> None:
    world.observed = replace(world.observed, runs=[run("failure", 10)])
    world.accept("images", "00", "v", at=NOW - timedelta(hours=3))
    assert len(problems(world)) == 1
    world.accept("images", "00", "w", at=NOW - timedelta(minutes=1))
    assert problems(world) == []


def test_a_tick_that_failed_is_told_with_its_error(world: World) -> None:
    ticks = [TickRecord("automation", "sensor", True, NOW, "boom"), TickRecord("other", "sensor", False, NOW)]
    world.observed = replace(world.observed, ticks=ticks)
    (problem,) = problems(world)
    assert problem.key.table == "automation"
    assert "boom" in problem.sentence
    assert "team:media" in problem.subjects


@pytest.mark.parametrize(
    ("due", "last", "since", "is_told"),
    [
        (timedelta(hours=2), timedelta(days=31), timedelta(days=90), True),
        (timedelta(hours=2), None, timedelta(days=90), True),
        (timedelta(hours=2), timedelta(hours=2), timedelta(days=90), False),
        (timedelta(minutes=30), timedelta(days=31), timedelta(days=90), False),
        (timedelta(hours=2), None, timedelta(hours=1), False),
        (timedelta(hours=2), None, None, False),
    ],
)
def test_a_schedule_is_told_when_it_is_later_than_it_may_be(
    world: World, due: timedelta, last: timedelta | None, since: timedelta | None, is_told: bool
) -> None:
    schedule = ScheduleRecord(
        "monthly_refresh", "0 3 1 * *", NOW - due, NOW - last if last else None, NOW - since if since else None
    )
    world.observed = replace(world.observed, schedules=[schedule])
    assert [one.key.kind for one in problems(world)] == ["late"] * is_told


@pytest.mark.parametrize(("days", "severity"), [(34, None), (36, "warning"), (66, "error")])
def test_tables_that_are_refreshed_grow_old(world: World, days: int, severity: str | None) -> None:
    at = NOW - timedelta(days=days)
    world.accept("images", "00", "v", at=at)
    world.accept("images", "01", "v")
    world.accept("mlm", RELEASE, "v", at=NOW - timedelta(days=900))
    found = problems(world)
    assert [one.severity for one in found] == ([severity] if severity else [])
    assert all(one.partitions == ("00",) for one in found)
