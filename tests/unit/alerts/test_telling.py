"""Who is told what, and how often; targets are a list here, so that every message can be looked at."""

import json
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from mlm_assets.alerts import Delivered, deliver
from mlm_assets.alerts.delivery import pause_s
from mlm_assets.alerts.ledger import LEDGER_FILE, read_ledger
from mlm_assets.alerts.records import RunRecord, TickRecord
from mlm_assets.alerts.routes import ROUTES_FILE
from mlm_assets.errors import MlmError
from tests.unit.alerts.alert_worlds import NOW, RELEASE, World

ONE = {"MLM_ALERT_URLS": "json://one/"}
TWO_ROUTES = """
[[route]]
name = "data"
urls_env = "DATA"
owners = ["team:dataset-maintainers"]
[[route]]
name = "media"
urls_env = "MEDIA"
owners = ["team:media"]
severities = ["error"]
"""


@dataclass
class Post:
    """Targets that take everything, but for those that are dead."""

    sent: list[tuple[str, str, str, str]] = field(default_factory=list)
    dead: set[str] = field(default_factory=set)
    tried: int = 0

    def __call__(self, url: str, title: str, body: str, severity: str) -> str | None:
        self.tried += 1
        if url in self.dead:
            return "the target cannot be reached"
        self.sent.append((url, title, body, severity))
        return None

    def new(self) -> list[tuple[str, str, str, str]]:
        """Return what came since the last time."""
        came, self.sent = self.sent, []
        return came


@pytest.fixture
def post() -> Post:
    return Post()


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path / "home", ui_url="http://127.0.0.1:3000")


def go(world: World, post: Post, environ: dict[str, str] = ONE, **more: Any) -> Delivered:
    return deliver(world.settings, world.lake, world.observed, send=post, environ=environ, **more)


def test_a_failed_check_is_told_once_and_its_repair_once(world: World, post: Post) -> None:
    world.block()
    go(world, post)
    ((_, title, body, severity),) = post.new()
    assert title == f"MLM {RELEASE}: summaries blocked: French (fr) explains 100 % of the loss"
    assert severity == "error"
    for words in ("40 % fewer rows", "n_rows 60", "version good of 2026-11", "mlm approve", "http://127.0.0.1:3000"):
        assert words in body
    world.block()
    go(world.later(minutes=5), post)
    go(world.later(hours=5), post)
    assert post.new() == []
    world.repair()
    go(world.later(minutes=1), post)
    ((_, title, body, severity),) = post.new()
    assert title == f"MLM {RELEASE}: summaries well again"
    assert "repaired by a new version (version better of 2026-12)" in body
    assert severity == "recovery"
    go(world.later(hours=1), post)
    assert post.new() == []


def test_an_approval_is_named_with_who_and_why(world: World, post: Post) -> None:
    world.block()
    go(world, post)
    world.approve()
    go(world.later(minutes=1), post)
    assert "approved by anna: the Wikipedia is closed (fr|00)" in post.new()[-1][2]


def test_forty_partitions_are_one_message_and_more_of_them_none(world: World, post: Post) -> None:
    for number in range(40):
        world.block(f"fr|{number:02d}")
    go(world, post)
    ((_, _, body, _),) = post.new()
    assert "40 partitions: fr|00, fr|01, fr|02, fr|03, fr|04 and 35 more" in body
    world.block("fr|40")
    go(world.later(minutes=1), post)
    assert post.new() == []


def test_it_is_told_again_when_it_becomes_worse(world: World, post: Post) -> None:
    world.audit("summaries", "fr|00", "v", {**_warning()})
    world.accept("summaries", "fr|00", "v")
    go(world, post)
    assert [severity for *_, severity in post.new()] == ["warning"]
    world.block("fr|00")
    go(world.later(minutes=1), post)
    assert [severity for *_, severity in post.new()] == ["error"]
    world.block("fr|00", check="key_is_unique", sentence="two rows with one key")
    world.block("fr|01")
    go(world.later(minutes=1), post)
    ((_, _, body, _),) = post.new()
    assert "two rows with one key" in body
    assert "Told before and still open: summaries · rows_by_language" in body
    # Less grave, then as grave as before: both are known.
    world.audit("summaries", "fr|01", "v", {**_warning()})
    world.accept("summaries", "fr|01", "v")
    go(world.later(minutes=1), post)
    world.block("fr|01")
    go(world.later(minutes=1), post)
    assert post.new() == []


def _warning() -> dict[str, Any]:
    from tests.unit.alerts.alert_worlds import failed

    return failed(severity="WARN", sentence="a little less")


def test_what_fails_again_after_its_recovery_is_told_again(world: World, post: Post) -> None:
    world.block()
    go(world, post)
    world.repair()
    go(world.later(minutes=1), post)
    world.block()
    go(world.later(minutes=1), post)
    assert [severity for *_, severity in post.new()] == ["error", "recovery", "error"]


def test_a_table_that_is_well_again_is_told_though_another_is_not(world: World, post: Post) -> None:
    world.block()
    world.block("00", "images")
    go(world, post)
    assert len(post.new()) == 1
    world.repair()
    go(world.later(minutes=1), post)
    ((_, title, body, _),) = post.new()
    assert title.endswith("summaries well again")
    assert "Still open: images · rows_by_language" in body


def test_releases_are_messages_of_their_own_and_a_problem_that_goes_on_is_not_well_again(
    world: World, post: Post
) -> None:
    world.block()
    go(world, post)
    post.new()
    world.audit("summaries", "fr|00", "bad2", *_failed_again(), release="2027-01")
    go(world.later(days=3), post)
    assert [title.split(":")[0] for _, title, _, _ in post.new()] == ["MLM 2027-01"]
    incident = read_ledger(world.settings.home).incidents[RELEASE, "check", "summaries", "rows_by_language"]  # type: ignore[index]
    assert incident.is_carried_on


def _failed_again() -> list[dict[str, Any]]:
    from tests.unit.alerts.alert_worlds import failed

    return [failed()]


def running(outcome: str, minutes_ago: float = 1) -> RunRecord:
    at = NOW - timedelta(minutes=minutes_ago)
    ended = None if outcome == "going_on" else at
    return RunRecord("r", "refresh_summaries", "fr|01", RELEASE, outcome, at, ended)  # type: ignore[arg-type]


def test_an_alert_waits_for_the_runs_of_its_release_but_not_for_ever(world: World, post: Post) -> None:
    world.block()
    world.observed = replace(world.observed, runs=[running("going_on")])
    done = go(world, post)
    assert done.waiting == (RELEASE,)
    assert done.again_at is not None
    assert done.again_at < NOW + timedelta(minutes=1)
    go(world.later(minutes=10), post)
    assert post.new() == []
    go(world.later(minutes=6), post)
    assert len(post.new()) == 1


def test_an_alert_waits_a_moment_after_the_last_run_but_not_at_the_end_of_mlm_run(world: World, post: Post) -> None:
    world.block()
    world.observed = replace(world.observed, runs=[running("success", 0.1)])
    go(world, post)
    assert post.new() == []
    go(world, post, finished=RELEASE)
    assert len(post.new()) == 1


def test_a_recovery_waits_too_and_a_relapse_in_between_is_no_news(world: World, post: Post) -> None:
    world.block()
    go(world, post)
    post.new()
    world.repair()
    world.observed = replace(world.observed, runs=[running("going_on")])
    go(world.later(minutes=1), post)
    world.block()
    go(world.later(minutes=1), post)
    world.observed = replace(world.observed, runs=[])
    go(world, post)
    assert post.new() == []


def test_routes_take_what_their_owners_and_severities_say(world: World, post: Post) -> None:
    (world.settings.home / ROUTES_FILE).write_text(TWO_ROUTES)
    urls = {"DATA": "json://data/", "MEDIA": "json://media/"}
    world.block()
    world.audit("images", "00", "v", _warning())
    world.accept("images", "00", "v")
    done = go(world, post, urls)
    assert [url for url, *_ in post.new()] == ["json://data/"]
    assert done.n_untold == 1
    world.block("00", "images")
    go(world.later(minutes=1), post, urls)
    ((url, _, body, _),) = post.new()
    assert url == "json://media/"
    assert "summaries" not in body
    world.repair("00", "images")
    go(world.later(minutes=1), post, urls)
    assert [url for url, *_ in post.new()] == ["json://media/"]


def test_a_route_that_comes_later_is_told_what_is_open_and_nothing_is_lost_without_one(
    world: World, post: Post
) -> None:
    world.block()
    done = go(world, post, {})
    assert (done.n_open, done.n_untold) == (1, 1)
    assert "told to nobody" in str(done)
    go(world.later(minutes=1), post)
    assert len(post.new()) == 1


def test_an_unset_variable_is_told_through_the_other_routes_and_delivered_once_it_is_set(
    world: World, post: Post
) -> None:
    text = TWO_ROUTES + '[[route]]\nname = "late"\nurls_env = "LATE"\nseverities = ["error"]\nowners = ["summaries"]\n'
    (world.settings.home / ROUTES_FILE).write_text(text)
    urls = {"DATA": "json://data/", "MEDIA": "json://media/"}
    world.block()
    done = go(world, post, urls)
    assert done.n_undelivered == 1
    assert sorted(url for url, _, body, _ in post.new() if "LATE" in body) == ["json://data/", "json://media/"]
    go(world.later(minutes=1), post, {**urls, "LATE": "json://late1/ json://late2/"})
    assert [url for url, title, *_ in post.new() if "summaries" in title] == ["json://late1/", "json://late2/"]


def test_a_dead_target_is_retried_with_growing_pauses_and_nobody_else_is_told_twice(world: World, post: Post) -> None:
    both = {"MLM_ALERT_URLS": "json://one/ json://dead/"}
    post.dead.add("json://dead/")
    world.block()
    done = go(world, post, both)
    assert (len(post.new()), done.n_undelivered, post.tried) == (1, 1, 2)
    assert done.again_at == NOW + timedelta(seconds=60)
    go(world.later(seconds=59), post, both)
    assert post.tried == 2
    done = go(world.later(seconds=1), post, both)
    assert post.tried == 3
    assert done.again_at == NOW + timedelta(seconds=60 + 120)
    post.dead.clear()
    go(world.later(seconds=120), post, both)
    assert [url for url, *_ in post.new()] == ["json://dead/"]
    assert [pause_s(world.settings, n) for n in (1, 2, 3, 99)] == [60, 120, 240, 21600]


def test_to_one_target_messages_go_in_order(world: World, post: Post) -> None:
    post.dead.add("json://one/")
    world.block()
    go(world, post)
    world.repair()
    go(world.later(seconds=30), post)
    assert post.tried == 1
    post.dead.clear()
    go(world.later(seconds=30), post)
    assert [severity for *_, severity in post.new()] == ["error", "recovery"]


def test_a_message_that_a_target_never_takes_does_not_hold_up_the_next_for_ever(world: World, post: Post) -> None:
    refused = {"json://one/"}
    post.dead |= refused
    world.block()
    for _ in range(5):
        go(world, post)
        world.later(hours=1)
    post.dead.clear()
    world.repair()
    world.later(minutes=-59)
    go(world, post)
    assert [severity for *_, severity in post.new()] == ["recovery"]


def test_a_delivery_that_keeps_failing_is_told_through_another_route(world: World, post: Post) -> None:
    (world.settings.home / ROUTES_FILE).write_text(TWO_ROUTES.replace('severities = ["error"]\n', ""))
    urls = {"DATA": "json://data/", "MEDIA": "json://media/"}
    post.dead.add("json://data/")
    world.block()
    for _ in range(4):
        go(world, post, urls)
        world.later(hours=1)
    ((url, title, body, _),) = post.new()
    assert (url, title) == ("json://media/", "MLM: alerts do not arrive at route data")
    assert "address 1 of route data: the target cannot be reached" in body


def test_an_address_that_is_taken_away_is_no_longer_tried(world: World, post: Post) -> None:
    post.dead.add("json://dead/")
    world.block()
    go(world, post, {"MLM_ALERT_URLS": "json://one/ json://dead/"})
    done = go(world.later(hours=1), post, ONE)
    assert (post.tried, done.n_undelivered) == (2, 0)


def test_routes_that_cannot_be_read_are_reported_and_drop_nothing(world: World, post: Post) -> None:
    post.dead.add("json://one/")
    world.block()
    go(world, post)
    (world.settings.home / ROUTES_FILE).write_text("[[route]")
    done = go(world.later(hours=1), post)
    assert "no TOML" in done.complaint
    assert done.n_undelivered == 1
    (world.settings.home / ROUTES_FILE).unlink()
    post.dead.clear()
    go(world.later(hours=1), post)
    assert "summaries blocked" in post.new()[0][1]


def test_no_delivery_begins_after_the_time_that_is_given(world: World, post: Post) -> None:
    world.block()
    done = go(world, post, budget_s=-1.0)
    assert (post.tried, done.n_undelivered, done.again_at) == (0, 1, NOW)
    go(world, post)
    assert len(post.new()) == 1


def test_problems_of_the_platform_are_a_message_of_their_own_and_wait_for_nobody(world: World, post: Post) -> None:
    tick = TickRecord("automation", "sensor", True, NOW, "boom")
    world.observed = replace(world.observed, ticks=[tick], runs=[running("going_on")])
    world.block()
    go(world, post)
    assert [title for _, title, _, _ in post.new()] == ["MLM: automation fails"]
    world.observed = replace(world.observed, ticks=[replace(tick, has_failed=False)])
    go(world.later(minutes=1), post)
    assert "its newest tick succeeded" in next(body for _, _, body, kind in post.new() if kind == "recovery")


def test_a_ledger_that_cannot_be_understood_is_named(world: World, post: Post) -> None:
    world.block()
    go(world, post)
    path = world.settings.home / LEDGER_FILE
    path.write_text(path.read_text()[:-20])
    with pytest.raises(MlmError, match=LEDGER_FILE):
        go(world, post)


def test_the_ledger_comes_back_as_it_was_and_is_not_rewritten_for_nothing(world: World, post: Post) -> None:
    world.block()
    go(world, post)
    path = world.settings.home / LEDGER_FILE
    text, stamp = path.read_text(), path.stat().st_mtime_ns
    go(world, post)
    assert path.stat().st_mtime_ns == stamp
    book = read_ledger(world.settings.home)
    assert json.loads(json.dumps(book._as_json())) == json.loads(text)


def test_old_incidents_and_messages_are_forgotten(world: World, post: Post) -> None:
    world.block()
    go(world, post)
    world.repair()
    go(world.later(minutes=1), post)
    world.accept("summaries", "fr|00", "better", at=NOW + timedelta(days=400))
    go(world.later(days=401), post)
    assert read_ledger(world.settings.home).incidents == {}
