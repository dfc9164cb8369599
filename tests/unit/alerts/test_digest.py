"""After a refresh one message says what came of it."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from mlm_assets.alerts import Delivered, deliver
from mlm_assets.resources.lake import arrow_schema
from tests.unit.alerts.alert_worlds import NOW, RELEASE, World, failed, passed
from tests.unit.alerts.test_telling import Post


@pytest.fixture
def world(tmp_path: Path) -> World:
    world = World(tmp_path / "home")
    refresh(world, "2026-11", {"fr|00": 100, "en|00": 50}, at=NOW - timedelta(days=30))
    refresh(world, "2026-12", {"fr|00": 60, "en|00": 55})
    world.audit("summaries", "en|00", "v", passed(), failed("image_share", severity="WARN"))
    world.accept("summaries", "en|00", "v")
    world.accept("summaries", "fr|00", "w", approval={"by": "anna", "reason": "it is so"})
    world.lake.write_bytes("quarantine/facts/00/1.json", b'{"state": "set_aside"}')
    world.lake.write_bytes("quarantine/facts/00/2.json", b'{"state": "released"}')
    return world


def refresh(world: World, release: str, summaries: dict[str, int], at: Any = NOW) -> None:
    """Pin a manifest that consists of summaries, and a dataset made from it."""
    rows = [
        {"kind": "table", "name": "summaries", "partition": partition, "value": "v", "n_rows": n}
        for partition, n in summaries.items()
    ]
    schema = arrow_schema("refresh")
    table = pa.Table.from_pylist([{**dict.fromkeys(schema.names), **row} for row in rows], schema=schema)
    version = world.lake.write("refresh", release, table)
    world.accept("refresh", release, version.version, release=release, at=at)
    world.accept("mlm", release, "d", release=release, at=at)


def go(world: World, post: Post, **more: Any) -> Delivered:
    return deliver(
        world.settings, world.lake, world.observed, send=post, environ={"MLM_ALERT_URLS": "json://one/"}, **more
    )


def digests(post: Post) -> list[str]:
    return [body for *_, body, severity in post.new() if severity == "digest"]


def test_the_digest_counts_against_the_last_release_and_comes_once(world: World) -> None:
    post = Post()
    go(world, post, finished=RELEASE)
    (body,) = digests(post)
    for line in (
        "Rows, against 2026-11:", "summaries 115 (-35, -23.3%)", "mlm 100 (+0, +0.0%)",
        "Checks: 1 passed, 0 failed, 1 warned", "warned: summaries · image_share",
        "Approvals: 1", "summaries fr|00 by anna: it is so", "Quarantined: 1 row (facts 1)",
    ):  # fmt: skip
        assert line in body, line
    go(world.later(minutes=5), post, finished=RELEASE)
    assert digests(post) == []
    refresh(world, "2026-12", {"fr|00": 99, "en|00": 55})
    go(world, post, finished=RELEASE)
    assert len(digests(post)) == 1


def test_it_waits_for_the_datasets_but_not_for_ever(world: World) -> None:
    post = Post()
    go(world, post)
    assert digests(post) == []
    world.accept("dataset_statistics", "2026-12", "s", at=NOW + timedelta(minutes=1))
    go(world.later(minutes=2), post)
    assert len(digests(post)) == 1


def test_it_comes_without_datasets_when_they_are_blocked(world: World) -> None:
    post = Post()
    go(world.later(minutes=16), post)
    assert len(digests(post)) == 1


def test_an_old_refresh_is_no_news(world: World) -> None:
    post = Post()
    go(world.later(days=8), post, finished=RELEASE)
    assert digests(post) == []
