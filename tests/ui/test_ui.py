"""The Dagster path itself: `mlm ui`, its API, its automation, and its pages in a real browser."""

import json
import os
import shutil
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.assets.conftest import tree
from tests.commands import done, start_mlm

pytestmark = pytest.mark.slow

RELEASE = "2026-12"
WORLD = ("--generate", "40", "--seed", "5", "--shards", "2", "--t-min", "2", "--t-max", "10", "--release", RELEASE)
CHROMIUM = shutil.which("chromium")
_QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@dataclass(frozen=True)
class Ui:
    """A running UI on a home that has everything but a refresh."""

    url: str
    home: Path

    def ask(self, query: str, **variables: Any) -> Any:
        """Send a GraphQL query and return its data."""
        body = json.dumps({"query": query, "variables": variables}).encode()
        request = urllib.request.Request(f"{self.url}/graphql", body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=30) as answer:
            said = json.load(answer)
        assert "errors" not in said, said["errors"]
        return said["data"]

    def launch(self, job: str, partition: str) -> str:
        """Launch a job for one partition, as the UI does; return the run's id."""
        said = self.ask(
            """mutation($p: ExecutionParams!) { launchPipelineExecution(executionParams: $p) {
                 __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message } } }""",
            p={
                "selector": {
                    "repositoryName": "__repository__", "repositoryLocationName": "mlm_assets", "jobName": job,
                },
                "runConfigData": {},
                "executionMetadata": {"tags": [{"key": "dagster/partition", "value": partition}]},
            },
        )["launchPipelineExecution"]  # fmt: skip
        assert said["__typename"] == "LaunchRunSuccess", said
        return str(said["run"]["runId"])

    def wait_for_run(self, run_id: str) -> str:
        """Wait until a run has ended and return its status."""
        query = "query($id: ID!) { runOrError(runId: $id) { ... on Run { status } } }"
        return str(_wait(lambda: (s := self.ask(query, id=run_id)["runOrError"]["status"]) in _ENDED and s))

    def materialised(self, asset: str) -> list[str]:
        """Return the partitions of an asset that have been materialised."""
        query = """query($key: AssetKeyInput!) { assetNodeOrError(assetKey: $key) { ... on AssetNode {
                     assetPartitionStatuses { ... on DefaultPartitionStatuses { materializedPartitions } } } } }"""
        node = self.ask(query, key={"path": [asset]})["assetNodeOrError"]
        return list(node["assetPartitionStatuses"]["materializedPartitions"])


_ENDED = ("SUCCESS", "FAILURE", "CANCELED")


def _wait(look: Any, seconds: float = 150.0) -> Any:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = look()
        if found:
            return found
        time.sleep(0.5)
    raise AssertionError(f"not within {seconds} s")


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/server_info", timeout=5):
            return True
    except OSError:
        return False


@pytest.fixture(scope="module")
def ui(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ui]:
    home = tmp_path_factory.mktemp("ui") / "home"
    done("run", "--home", home, *WORLD, "--to", "media")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = home.parent / "ui.log"
    process = start_mlm("ui", "--home", home, "--port", str(port))
    assert process.stdout is not None
    # Nobody reads the pipe while tests run; a full one would stop the UI.
    drain = subprocess.Popen(["cat"], stdin=process.stdout, stdout=log.open("w"))
    try:
        url = f"http://127.0.0.1:{port}"
        _wait(lambda: _answers(url), 90)
        yield Ui(url, home)
        process.send_signal(signal.SIGTERM)
        process.wait(60)
        _wait(lambda: not _group(process.pid), 30)
    finally:
        for pid in _group(process.pid):
            os.kill(pid, signal.SIGKILL)
        drain.wait(10)


def _group(pgid: int) -> list[int]:
    """Return the living processes of a process group."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[2]) == pgid and fields[0] != "Z":
            found.append(int(stat.parent.name))
    return found


def test_a_shard_is_materialised_from_the_api(ui: Ui) -> None:
    assert ui.wait_for_run(ui.launch("refresh_entities", "01")) == "SUCCESS"


def test_a_release_follows_its_refresh_by_automation_and_equals_a_headless_run(ui: Ui, tmp_path: Path) -> None:
    assert ui.materialised("mlm") == []
    assert ui.wait_for_run(ui.launch("write_refresh", RELEASE)) == "SUCCESS"
    _wait(lambda: ui.materialised("dataset_statistics"))
    for asset in ("eligible", "geo_cells", "members", "mlm", "mlm_v2", "mlm_irle", "mlm_irle_gr", "dataset_statistics"):
        assert ui.materialised(asset) == [RELEASE]
    done("run", "--home", tmp_path / "home", *WORLD)
    by_hand = tree(tmp_path / "home" / "datasets")
    assert by_hand
    assert tree(ui.home / "datasets") == by_hand


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")
def test_a_maintainer_sees_what_an_asset_is_and_what_is_in_it(ui: Ui, tmp_path: Path) -> None:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=_QUIET)
        page = browser.new_page(viewport={"width": 1500, "height": 1000})
        page.goto(f"{ui.url}/asset-groups")
        for group in ("taxonomy", "entities", "media", "refresh", "datasets", "geo"):
            page.get_by_text(group, exact=True).first.wait_for()
        page.goto(f"{ui.url}/assets/settlements?view=overview")
        for text in (
            "Candidates on Earth with coordinates, an image and an article",  # description
            "dataset-maintainers",  # owner
            "DuckDB",  # kind
            "Latitude of the chosen coordinates",  # description of a column
            "Row count",
        ):
            page.get_by_text(text).first.wait_for()
        page.goto(f"{ui.url}/assets/settlements?view=events")
        page.get_by_text("per_country").first.wait_for()
        row = page.locator("tr", has_text="map").last
        row.get_by_text("Show Markdown").click()
        shown = page.locator('img[src^="data:image/png"]')
        shown.first.wait_for()
        assert shown.first.evaluate("image => image.naturalWidth") > 300
        page.screenshot(path=tmp_path / "map.png")
        page.goto(f"{ui.url}/assets/settlements?view=checks")
        for check in ("constraints", "nothing_lost"):
            page.get_by_text(check).first.wait_for()
        browser.close()
