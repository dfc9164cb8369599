"""Whole runs of `mlm run` on real parts: what comes out, and what must not change it."""

import json
import shutil
import urllib.request
from pathlib import Path

import duckdb
import pytest

from mlm_assets.local_wikimedia.process import running_server
from mlm_assets.tables import LANGUAGES, VARIANTS
from tests.assets.conftest import BOUNDS, RELEASE, SEED, Home, N, requests_so_far, tree
from tests.commands import done, mlm, summary

pytestmark = [pytest.mark.slow]

CHECK_FIELDS = {"asset", "check", "partition", "passed", "severity", "blocking"}


def test_nothing_is_lost_and_the_summary_has_its_fixed_names(finished: Home) -> None:
    said = finished.summary
    counts = said["counts"]
    assert said["release"] == RELEASE
    assert set(said) == {"release", "counts", "requests", "requests_by_kind", "bytes", "checks"}
    assert all(set(one) == CHECK_FIELDS and one["passed"] for one in said["checks"])
    assert {"summaries", "mlm_irle", "refresh"} <= {one["asset"] for one in said["checks"]}
    assert set(said["requests"]) == set(said["bytes"]) == {"sparql", "action_api", "files"}
    assert {service: sum(kinds.values()) for service, kinds in said["requests_by_kind"].items()} == said["requests"]
    assert set(counts["summaries"]) == set(LANGUAGES)
    assert counts["candidates"] == N == counts["settlements"] + sum(counts["rejections"].values())
    for variant in VARIANTS:
        assert counts["settlements"] == counts["datasets"][variant] + sum(counts["excluded"][variant].values())
    assert counts["datasets"]["mlm_v2"] > counts["datasets"]["mlm_irle"] > 0


def test_every_record_has_its_images_and_the_published_layout(finished: Home) -> None:
    for variant in VARIANTS:
        folder = finished.path / "datasets" / RELEASE / variant
        records = json.loads((folder / f"{variant}.json").read_text("utf-8"))
        assert len(records) == finished.summary["counts"]["datasets"][variant]
        assert [record["id"] for record in records] == sorted(record["id"] for record in records)
        for record in records:
            assert list(record) == ["id", "item", "coordinates", "summaries", "images", "classes"]
            assert record["images"]
            assert record["summaries"]
        named = {name for record in records for name in record["images"]}
        assert {path.name for path in (folder / "images").iterdir()} == named


def test_the_catalogue_opens_read_only_and_counts_the_same(finished: Home) -> None:
    with duckdb.connect(str(finished.path / "mlm.duckdb"), read_only=True) as catalogue:
        n = dict(catalogue.sql("SELECT variant, count(*) FILTER (is_member) FROM members GROUP BY variant").fetchall())
        assert n == finished.summary["counts"]["datasets"]
        assert catalogue.sql("SELECT count(*) FROM candidates").fetchall() == [(N,)]


@pytest.mark.long
def test_other_shards_in_another_order_give_the_same_bytes(finished: Home, tmp_path: Path) -> None:
    home = tmp_path / "home"
    world = ("--endpoint", finished.base, "--release", RELEASE, "--shards", "3", *BOUNDS)
    # Shard 02 first and by itself: a different order of completion than the walk's own.
    done("run", "--home", home, *world, "--to", "candidates")
    code = (
        "from mlm_assets.definitions import defs; from dagster import DagsterInstance as I\n"
        "i = I.get()\n"
        "for p in ('02', '00'): assert defs.resolve_job_def('refresh_entities').execute_in_process("
        "instance=i, partition_key=p).success"
    )
    import subprocess
    import sys

    from tests.commands import environment

    subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True,
        env=environment(MLM_HOME=str(home), DAGSTER_HOME=str(home)),
    )  # fmt: skip
    done("run", "--home", home, *world)
    assert tree(home / "datasets") == tree(finished.path / "datasets")


def test_a_second_run_asks_nothing_and_changes_nothing(finished: Home) -> None:
    before = tree(finished.path / "datasets")
    asked = requests_so_far(finished.base)
    printed = done("run", "--home", finished.path, "--endpoint", finished.base, "--release", RELEASE, *BOUNDS)
    assert "27 of 27 steps were up to date already" in printed
    assert requests_so_far(finished.base) == asked
    assert tree(finished.path / "datasets") == before


@pytest.mark.long
def test_replay_makes_everything_again_without_one_request(finished: Home, tmp_path: Path) -> None:
    home = tmp_path / "home"
    done("run", "--home", home, "--endpoint", finished.base, "--release", RELEASE, "--shards", "2", *BOUNDS)
    before = {name: tree(home / name) for name in ("datasets", "tables", "images")}
    for name in ("datasets", "tables", "accepted", "images"):
        shutil.rmtree(home / name)
    asked = requests_so_far(finished.base)
    # An endpoint that does not exist: any request would fail the run.
    done("run", "--home", home, "--endpoint", "http://127.0.0.1:9", "--release", RELEASE, "--replay", *BOUNDS)
    assert requests_so_far(finished.base) == asked
    assert set(summary(home)["requests"].values()) == {0}
    assert {name: tree(home / name) for name in ("datasets", "tables", "images")} == before


def test_replay_without_stored_answers_says_so(tmp_path: Path) -> None:
    result = mlm("run", "--home", tmp_path / "home", "--replay", "--release", RELEASE)
    assert result.returncode == 1
    assert "the store holds no answer" in result.stderr


@pytest.mark.long
def test_a_misbehaving_wikimedia_gives_the_same_datasets(finished: Home, tmp_path: Path) -> None:
    home = tmp_path / "home"
    kinds = (
        "429=0.02,429-date=0.02,503=0.02,reset=0.02,truncated=0.02,html=0.02,corrupt=0.04,maxlag=0.02,wrong-length=0.02"
    )
    with running_server(generate=N, seed=SEED, faults=kinds) as base:
        done("run", "--home", home, "--endpoint", base, "--release", RELEASE, "--shards", "2", *BOUNDS)
        with urllib.request.urlopen(f"{base}/_stats") as answer:
            faults = json.load(answer)["faults"]
    assert sum(faults.values()) >= 10, faults
    assert tree(home / "datasets") == tree(finished.path / "datasets")
    assert summary(home)["counts"] == finished.summary["counts"]


@pytest.mark.long
def test_an_older_home_follows_a_changed_bound_without_a_request(finished: Home, tmp_path: Path) -> None:
    home = tmp_path / "home"
    shutil.copytree(finished.path, home)
    asked = requests_so_far(finished.base)
    bounds = ("--t-min", "1", "--t-max", "10")
    again = ("run", "--home", home, "--endpoint", finished.base, "--release", RELEASE, *bounds)
    blocked = mlm(*again)
    assert blocked.returncode == 3
    assert "t_min was 2, is 1" in blocked.stderr, "another bound makes another dataset: somebody has to mean it"
    done("approve", "refresh", RELEASE, "--reason", "small worlds", "--home", home)
    printed = done(*again)
    assert "26 of 27 steps were up to date already" in printed
    assert requests_so_far(finished.base) == asked
    assert "cell_removed" not in summary(home)["counts"]["excluded"]["mlm_irle"]
    assert finished.summary["counts"]["excluded"]["mlm_irle"]["cell_removed"] > 0


@pytest.mark.long
def test_a_later_setting_does_not_change_an_earlier_release(finished: Home, tmp_path: Path) -> None:
    home = tmp_path / "home"
    shutil.copytree(finished.path, home)
    again = ("run", "--home", home, "--endpoint", finished.base, "--release", "2027-01", "--t-min", "1")
    assert mlm(*again).returncode == 3
    done("approve", "refresh", "2027-01", "--reason", "small worlds", "--home", home)
    done(*again)
    assert tree(home / "datasets" / "2027-01") != tree(finished.path / "datasets" / RELEASE)
    done("run", "--home", home, "--endpoint", finished.base, "--release", RELEASE)
    assert tree(home / "datasets" / RELEASE) == tree(finished.path / "datasets" / RELEASE)


def test_a_dataset_that_lost_an_image_is_mended(finished: Home, tmp_path: Path) -> None:
    home = tmp_path / "home"
    shutil.copytree(finished.path, home)
    next((home / "datasets" / RELEASE / "mlm" / "images").iterdir()).unlink()
    done("run", "--home", home, "--endpoint", finished.base, "--release", RELEASE)
    assert tree(home / "datasets") == tree(finished.path / "datasets")


def test_another_source_in_the_same_home_is_refused(finished: Home, tmp_path: Path) -> None:
    home = tmp_path / "home"
    shutil.copytree(finished.path, home)
    result = mlm("run", "--home", home, "--generate", str(N + 1), "--seed", str(SEED), "--release", RELEASE)
    assert result.returncode == 2
    assert "was made from another source" in result.stderr
    # The same world by another way is no other source.
    same = mlm("run", "--home", home, "--generate", str(N), "--seed", str(SEED), "--release", RELEASE)
    assert same.returncode == 0, same.stderr


def test_two_runs_in_one_home_are_refused(finished: Home, tmp_path: Path) -> None:
    from filelock import FileLock

    (tmp_path / ".locks").mkdir()
    with FileLock(str(tmp_path / ".locks" / "run.lock")):
        result = mlm("run", "--home", tmp_path, "--endpoint", finished.base, "--release", RELEASE)
    assert result.returncode == 2
    assert "Another `mlm run` is at work" in result.stderr
