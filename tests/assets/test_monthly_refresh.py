"""A tick of `monthly_refresh` under a real daemon with its sensors on, and nobody touching anything."""

import json
import os
import re
import signal
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from mlm_assets.automation.headless import RELEASE_TABLES, written_files
from mlm_assets.local_wikimedia.process import running_server
from mlm_assets.resources.lake import Lake
from mlm_assets.tables import BENCHMARKS, LANGUAGES, MODELS, REFRESHED, VARIANTS
from tests.assets.conftest import tree
from tests.commands import done
from tests.daemon import ENDED, Daemon, running_daemon, wait
from tests.ui.test_ui import RECIPE

pytestmark = pytest.mark.long

# The smallest of a few worlds in which both variants have several cells and settlements in all three splits.
N, SEED = 80, 2
BOUNDS = ("--shards", "1", "--t-min", "2", "--t-max", "10", "--quota-total", "80")
JOB = "monthly_refresh"
DATASETS = ("eligible", "geo_cells", "members", *VARIANTS, "dataset_statistics", "approvals", "data_docs")
LEARNT = tuple(table.name for table in (*MODELS, *BENCHMARKS))
EVERY_MINUTE = "* * * * *"


@dataclass(frozen=True)
class Now:
    """The month of the clock, by which the schedule goes, and the one before it."""

    release: str
    before: str


@pytest.fixture(scope="module")
def now() -> Now:
    """Return this month; a test that would run into the next one waits for it."""
    today = datetime.now(UTC)
    tomorrow = today + timedelta(minutes=15)
    if tomorrow.month != today.month:
        time.sleep((tomorrow.replace(day=1, hour=0, minute=0, second=5) - today).total_seconds())
        today = datetime.now(UTC)
    last = today.replace(day=1) - timedelta(days=1)
    return Now(f"{today:%Y-%m}", f"{last:%Y-%m}")


@pytest.fixture
def wikimedia() -> Iterator[str]:
    with running_server(generate=N, seed=SEED) as base:
        yield base


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.toml"
    path.write_text(RECIPE, "utf-8")
    return path


@pytest.fixture
def tiny(wikimedia: str, recipe: Path) -> Callable[..., str]:
    """Return `mlm run` on the small world."""

    def run(home: Path, release: str, *more: str, **settings: str) -> str:
        address = ("--endpoint", wikimedia, "--recipe", str(recipe))
        return done("run", "--home", home, "--release", release, *BOUNDS, *address, *more, **settings)

    return run


def test_one_tick_ends_in_a_drafted_release(
    tmp_path: Path, tiny: Callable[..., str], now: Now, record_property: Callable[[str, object], None]
) -> None:
    home, twin = tmp_path / "home", tmp_path / "twin"
    window = {"MLM_SUPPORT_START": now.release}
    tiny(home, now.release, "--to", "candidates", **window)
    lake = Lake(home)
    with running_daemon(home, MLM_REFRESH_CRON=EVERY_MINUTE, **window) as daemon:
        began = time.monotonic()
        daemon.start_schedule(JOB)
        wait(lambda: lake.accepted("release_files", now.release), 1800)
        record_property("from_tick_to_draft_s", round(time.monotonic() - began))
        wait(lambda: all(run["status"] in ENDED for run in daemon.runs()), 300)
        wait(lambda: "drafted" in shown_window(daemon, now.release), 120)
        ticks, runs = daemon.ticks(JOB), daemon.runs()
        times = {name: daemon.materialised(name) for name in ("refresh", *DATASETS, *LEARNT, *RELEASE_TABLES)}

    assert [run["status"] for run in runs if run["jobName"] == JOB] == ["SUCCESS"], "one tick did it"
    assert {run["status"] for run in runs} == {"SUCCESS"}
    reasons = [tick["skipReason"] for tick in ticks if tick["status"] == "SKIPPED"]
    assert reasons, "there were more ticks"
    assert all(
        re.search(f"The refresh of {now.release}.*is at work|{now.release} was refreshed", one) for one in reasons
    )

    assert {one.release for name in REFRESHED for one in lake.accepted_all(name)} == {now.release}
    assert {name: len(lake.accepted_all(name)) for name in ("facts", "summaries", "images")} == {
        "facts": 1, "summaries": len(LANGUAGES), "images": 1,
    }  # fmt: skip
    assert times == dict.fromkeys(times, 1), "everything once"
    for name in (*LEARNT, *RELEASE_TABLES):
        assert lake.accepted(name, now.release) is not None, name
        assert all((home / file).is_file() for file in written_files(name, now.release)), name
    draft = home / "releases" / now.release / "draft"
    manifest = json.loads((draft / "manifest.json").read_text("utf-8"))
    assert {"model", "benchmark", "diff"} <= {file["format"] for file in manifest["files"]}

    tiny(twin, now.release, "--to", "release", **window)
    assert tree(home / "datasets") == tree(twin / "datasets")
    for name in ("attribution.parquet", "geo_cells.parquet"):
        assert (draft / name).read_bytes() == (twin / "releases" / now.release / "draft" / name).read_bytes()
    for name in ("json", "parquet", "hdf5", "webdataset", "huggingface/data"):
        assert tree(draft / name) == tree(twin / "releases" / now.release / "draft" / name), name
    # Cards tell the day on which the refresh was accepted, and midnight may lie between the two.
    assert undated(draft) == undated(twin / "releases" / now.release / "draft")
    # Whoever comes by hand afterwards finds nothing left to do.
    assert re.search(r"(\d+) of \1 steps were up to date", tiny(home, now.release, "--to", "release", **window))


def test_a_failed_blocking_check_ends_it_before_training(
    tmp_path: Path, wikimedia: str, tiny: Callable[..., str], now: Now
) -> None:
    home, inbox = tmp_path / "home", tmp_path / "inbox.txt"
    window = {"MLM_SUPPORT_START": now.before}
    tiny(home, now.before, "--to", "datasets", **window)
    window |= {"MLM_ALERT_URLS": inbox.as_uri(), "MLM_ALERT_SETTLE_S": "1", "MLM_ALERT_HOLD_S": "30"}
    tamper(wikimedia, month=1, tampering=["articles_vanish_some"])
    with running_daemon(home, MLM_REFRESH_CRON="0 0 1 1 *", **window) as daemon:
        launch(daemon, now.release)
        [refresh] = wait(
            lambda: [run for run in daemon.runs() if run["jobName"] == JOB and run["status"] in ENDED], 600
        )
        assert refresh["status"] == "FAILURE"
        assert any("is blocked by a check" in line for line in daemon.log(refresh["runId"]))
        # Automation has looked again, and asks for nothing of the month.
        time.sleep(45)
        wait(lambda: inbox.exists() and f"MLM {now.release}" in inbox.read_text("utf-8"), 180)
        wait(lambda: all(run["status"] in ENDED for run in daemon.runs()), 300)
        runs = daemon.runs()
    of_the_month = [run for run in runs if run["tags"].get("dagster/partition") == now.release]
    assert of_the_month == [], "nothing by release was asked for"
    assert not {name for run in runs for name in run["assets"]} & set(LEARNT)
    lake = Lake(home)
    assert lake.accepted("refresh", now.release) is None
    assert lake.accepted("mlm", now.before) is not None
    assert not (home / "releases" / now.release).exists()
    told = inbox.read_text("utf-8")
    assert "facts blocked: sitelinks in French (fr)" in told
    assert JOB not in told, "the check is told, and not the run that it ended besides"


@pytest.mark.parametrize(("table", "partition"), [("rejections", "00"), ("summaries", "de|00"), ("images", "00")])
def test_a_refresh_that_is_killed_is_started_again_and_ends_in_the_same_bytes(
    tmp_path: Path, tiny: Callable[..., str], now: Now, table: str, partition: str
) -> None:
    home, twin = tmp_path / "home", tmp_path / "twin"
    lake = Lake(home)
    window = {"MLM_SUPPORT_START": now.release}
    tiny(home, now.release, "--to", "candidates", **window)
    with running_daemon(home, MLM_REFRESH_CRON="0 0 1 1 *", **window) as daemon:
        run_id = launch(daemon, now.release)
        pid = wait(lambda: process_of(daemon, run_id), 300)
        # The pointer is looked at, and not the log: what is left to do takes less than to ask a busy UI.
        wait(lambda: lake.accepted(table, partition) is not None, 300, every=0.05)
        os.kill(pid, signal.SIGKILL)
        refreshes = wait(
            lambda: (
                (found := [run for run in daemon.runs() if run["jobName"] == JOB])
                and len(found) == 2
                and all(run["status"] in ENDED for run in found)
                and found
            ),
            600,
        )
        again = daemon.log(refreshes[0]["runId"])
    assert [run["status"] for run in refreshes] == ["SUCCESS", "FAILURE"]
    assert any("were up to date already" in line for line in again), "it went on where it stopped"
    tiny(twin, now.release, "--to", "refresh", **window)
    # Only the pointers and audits tell of times and runs.
    assert {name: one.version for name, one in accepted(home).items()} == {
        name: one.version for name, one in accepted(twin).items()
    }


def undated(draft: Path) -> str:
    """Return the card of the folder for the hub, without the day on which the refresh was accepted."""
    created = json.loads((draft / "manifest.json").read_text("utf-8"))["created"]
    return (draft / "huggingface" / "README.md").read_text("utf-8").replace(created, "DAY")


def accepted(home: Path) -> dict[tuple[str, str], object]:
    """Return what readers see of all that is refreshed, and of the refresh."""
    lake = Lake(home)
    return {(one.table, one.partition): one for name in (*REFRESHED, "refresh") for one in lake.accepted_all(name)}


def launch(daemon: Daemon, release: str) -> str:
    """Launch the refresh of a month as somebody does who does not wait for its tick; return the run's id."""
    said = daemon.ask(
        """mutation($p: ExecutionParams!) { launchPipelineExecution(executionParams: $p) {
             __typename ... on LaunchRunSuccess { run { runId } } } }""",
        p={
            "selector": {"repositoryName": "__repository__", "repositoryLocationName": "mlm_assets", "jobName": JOB},
            "runConfigData": {"ops": {"refresh_the_month": {"config": {"release": release}}}},
            "executionMetadata": {"tags": [{"key": "mlm/release", "value": release}]},
        },
    )["launchPipelineExecution"]
    assert said["__typename"] == "LaunchRunSuccess", said
    return str(said["run"]["runId"])


def process_of(daemon: Daemon, run_id: str) -> int | None:
    """Return the process of a run, as its log says; None while it says none."""
    return next((int(found[1]) for line in daemon.log(run_id) if (found := re.search(r"\(pid: (\d+)\)", line))), None)


def shown_window(daemon: Daemon, release: str) -> str:
    """Return the row of a release in the table that the UI shows of the support window."""
    query = """{ assetOrError(assetKey: {path: ["support_window"]}) { ... on Asset { assetMaterializations(limit: 1) {
                 metadataEntries { label ... on MarkdownMetadataEntry { mdStr } } } } } }"""
    for event in daemon.ask(query)["assetOrError"].get("assetMaterializations", ()):
        for entry in event["metadataEntries"]:
            if entry["label"] == "window":
                return next(line for line in entry["mdStr"].splitlines() if line.startswith(f"| {release} "))
    return ""


def tamper(base: str, **said: object) -> None:
    """Have the local Wikimedia serve another month, or be wrong."""
    request = urllib.request.Request(f"{base}/_world", json.dumps(said).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        assert answer.status == 200
