"""The Dagster path itself: `mlm ui`, its API, its automation, and its pages in a real browser."""

import os
import re
import shutil
import signal
import socket
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from mlm_assets.assets.models import LEARNT_RULE
from mlm_assets.assets.refresh import CURRENT_RULE
from mlm_assets.automation.headless import RELEASE_TABLES, written_files
from mlm_assets.automation.sensors import WINDOW_ASSET
from mlm_assets.resources.lake import Lake
from mlm_assets.tables import BENCHMARKS, MODELS, TABLES, VARIANTS
from tests.assets.conftest import tree
from tests.commands import done, start_mlm
from tests.daemon import ask_ui

pytestmark = [pytest.mark.slow, pytest.mark.long]  # homes are made and models trained behind a real UI

BEFORE, RELEASE = "2026-12", "2027-01"
# The smallest of a few worlds in which both variants have several cells and settlements in all three splits.
WORLD = ("--generate", "80", "--seed", "2", "--shards", "2", "--t-min", "2", "--t-max", "10", "--quota-total", "80")
RECIPE = """
description = "As small as it gets."
[model]
branches = "mlp"
embedding = 16
hidden = 16
[loss]
retrieval = "contrastive"
[training]
learning_rate = 1e-2
batch = 16
epochs = 2
"""
DATASETS = ("eligible", "geo_cells", "members", *VARIANTS, "dataset_statistics")
LEARNT = tuple(table.name for table in (*MODELS, *BENCHMARKS))
FOLLOWING = (*DATASETS, "approvals", *LEARNT, *RELEASE_TABLES)
PAGES = "data_docs"
"""What follows the datasets too, and is no table."""
CHROMIUM = shutil.which("chromium")
ENDED = ("SUCCESS", "FAILURE", "CANCELED")
_QUIET = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip


@dataclass(frozen=True)
class Ui:
    """A running UI on a home that has everything of a release, and nothing of the next."""

    url: str
    home: Path
    twin: Path
    """A copy of the home, as it was before the UI was started."""
    up_after_s: float

    def ask(self, query: str, **variables: Any) -> Any:
        """Send a GraphQL query and return its data."""
        return ask_ui(self.url, query, **variables)

    def launch(self, job: str, partition: str, config: dict[str, Any] | None = None) -> str:
        """Launch a job for one partition, as the UI does, wait until it has ended, and return its status."""
        said = self.ask(
            """mutation($p: ExecutionParams!) { launchPipelineExecution(executionParams: $p) {
                 __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message }
                 ... on RunConfigValidationInvalid { errors { message } } } }""",
            p={
                "selector": {
                    "repositoryName": "__repository__", "repositoryLocationName": "mlm_assets", "jobName": job,
                },
                "runConfigData": config or {},
                "executionMetadata": {"tags": [{"key": "dagster/partition", "value": partition}]},
            },
        )["launchPipelineExecution"]  # fmt: skip
        assert said["__typename"] == "LaunchRunSuccess", said
        return str(wait(lambda: self._ended(said["run"]["runId"])))

    def _ended(self, run_id: str) -> str | None:
        query = "query($id: ID!) { runOrError(runId: $id) { ... on Run { status } } }"
        status = self.ask(query, id=run_id)["runOrError"]["status"]
        return status if status in ENDED else None

    def materialised(self, asset: str) -> list[str]:
        """Return the partitions of an asset that have been materialised."""
        query = """query($key: AssetKeyInput!) { assetNodeOrError(assetKey: $key) { ... on AssetNode {
                     assetPartitionStatuses { ... on DefaultPartitionStatuses { materializedPartitions } } } } }"""
        node = self.ask(query, key={"path": asset.split("/")})["assetNodeOrError"]
        return list(node["assetPartitionStatuses"]["materializedPartitions"])

    def runs(self) -> list[dict[str, Any]]:
        """Return all runs of the UI in which a release was touched: job, status, assets, tags, times of steps."""
        query = """{ runsOrError { ... on Runs { results { jobName status assetSelection { path }
                     tags { key value } stepStats { stepKey startTime endTime } } } } }"""
        found = []
        for run in self.ask(query)["runsOrError"]["results"]:
            tags = {tag["key"]: tag["value"] for tag in run["tags"]}
            if tags.get("dagster/partition", "").startswith("20") and "mlm/headless" not in tags:
                found.append({**run, "tags": tags})
        return found

    def ticks_since(self, moment: float) -> int:
        """Return how often the automation has looked at everything since `moment` (seconds since 1970)."""
        query = """query($s: SensorSelector!) { sensorOrError(sensorSelector: $s) { ... on Sensor {
                     sensorState { ticks(limit: 20) { timestamp endTimestamp status } } } } }"""
        selector = {
            "repositoryName": "__repository__", "repositoryLocationName": "mlm_assets", "sensorName": "automation",
        }  # fmt: skip
        ticks = self.ask(query, s=selector)["sensorOrError"]["sensorState"]["ticks"]
        return sum(tick["timestamp"] > moment and tick["status"] in ("SKIPPED", "SUCCESS") for tick in ticks)


def wait(look: Callable[[], Any], seconds: float = 240.0) -> Any:
    """Return what `look` returns as soon as that is something."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = look()
        if found:
            return found
        time.sleep(0.5)
    raise AssertionError(f"not within {seconds} s")


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/server_info", timeout=5):
            return True
    except OSError:
        return False


def left_of(pgid: int, home: Path) -> list[str]:
    """Return the living processes of a process group, and those anywhere that work in `home`."""
    found = []
    for about in Path("/proc").glob("[0-9]*"):
        try:
            fields = (about / "stat").read_text().rpartition(")")[2].split()
            is_of_home = f"MLM_HOME={home}\0".encode() in (about / "environ").read_bytes()
            command = (about / "cmdline").read_bytes().replace(b"\0", b" ").decode()[:120]
        except OSError:
            continue
        if fields[0] != "Z" and (int(fields[2]) == pgid or is_of_home):
            found.append(f"{about.name} {command}")
    return found


@pytest.fixture(scope="module")
def ui(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ui]:
    folder = tmp_path_factory.mktemp("ui")
    home, recipe = folder / "home", folder / "tiny.toml"
    recipe.write_text(RECIPE, "utf-8")
    done("run", "--home", home, *WORLD, "--release", BEFORE, "--to", "release", "--recipe", recipe)
    shutil.copytree(home, folder / "twin")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    began = time.monotonic()
    process = start_mlm("ui", "--home", home, "--port", str(port))
    said: list[str] = []
    # Somebody has to read the pipe while tests run; a full one would stop the UI.
    reader = threading.Thread(target=lambda: said.extend(process.stdout or ()), daemon=True)
    reader.start()
    try:
        wait(lambda: process.poll() is not None or answers(url), 120)
        assert process.poll() is None, "".join(said)
        yield Ui(url, home, folder / "twin", time.monotonic() - began)
        process.send_signal(signal.SIGTERM)
        code = process.wait(60)
        # A code server that has lost its parent may need a moment more.
        deadline = time.monotonic() + 10
        while left_of(process.pid, home) and time.monotonic() < deadline:
            time.sleep(0.2)
        assert left_of(process.pid, home) == []
        assert code == 0, "".join(said[-20:])
        assert not [line for line in said if "Traceback" in line or " - ERROR - " in line]
    finally:
        for line in left_of(process.pid, home):
            os.kill(int(line.split()[0]), signal.SIGKILL)
        process.wait(10)


@pytest.fixture(scope="module")
def followed(ui: Ui) -> Path:
    """Write a refresh from the API and wait for what follows; return a home in which `mlm run` made the same release.

    That home is a copy: it has vectors already, which saves a minute. Everything else is fetched and made again.
    """
    for asset in ("refresh", *FOLLOWING):
        assert ui.materialised(asset) == [BEFORE]
    assert ui.launch("write_refresh", RELEASE) == "SUCCESS"
    done("run", "--home", ui.twin, *WORLD, "--release", RELEASE, "--to", "release")
    wait(lambda: RELEASE in ui.materialised("release_files"), 600)
    wait(lambda: all(run["status"] in ENDED for run in ui.runs()))
    return ui.twin


def test_the_ui_is_up(ui: Ui, record_property: Callable[[str, object], None]) -> None:
    record_property("up_after_s", round(ui.up_after_s, 1))
    query = """{ workspaceOrError { ... on Workspace { locationEntries {
                 name loadStatus locationOrLoadError { __typename } } } } }"""
    assert ui.ask(query)["workspaceOrError"]["locationEntries"] == [
        {"name": "mlm_assets", "loadStatus": "LOADED", "locationOrLoadError": {"__typename": "RepositoryLocation"}}
    ]


def test_a_shard_is_materialised_from_the_api(ui: Ui) -> None:
    answers_before = {path: path.stat().st_mtime_ns for path in (ui.home / "raw" / BEFORE / "sparql").rglob("*.gz")}
    before = Lake(ui.home).require("facts", "01")
    # Refetched, so that the local Wikimedia behind the UI is really asked; the world has not changed meanwhile.
    assert ui.launch("refresh_entities", "01", {"ops": {"facts": {"config": {"refetch": True}}}}) == "SUCCESS"
    touched = [path for path, moment in answers_before.items() if path.stat().st_mtime_ns > moment]
    assert len(touched) == 1
    assert set((ui.home / "raw" / BEFORE / "sparql").rglob("*.gz")) == set(answers_before)
    assert Lake(ui.home).require("facts", "01") == before


def test_exactly_the_release_that_was_refreshed_follows_by_automation(ui: Ui, followed: Path) -> None:
    for asset in ("refresh", *FOLLOWING):
        assert ui.materialised(asset) == [BEFORE, RELEASE], asset
    runs = ui.runs()
    assert {(run["tags"]["dagster/partition"], run["status"]) for run in runs} == {(RELEASE, "SUCCESS")}
    by_hand = [run for run in runs if "dagster/from_automation_condition" not in run["tags"]]
    assert [run["jobName"] for run in by_hand] == ["write_refresh"]


def test_six_models_and_two_benchmarks_are_trained_and_those_of_another_release_left_alone(
    ui: Ui, followed: Path
) -> None:
    files = [file for name in LEARNT for file in written_files(name, RELEASE)]
    assert len(files) == 8
    for file in files:
        assert (ui.home / file).stat().st_size > 1000, file
        # The twin was copied with its times before the UI was started.
        earlier = Path(*(BEFORE if part == RELEASE else part for part in file.parts))
        assert (ui.home / earlier).stat().st_mtime_ns == (ui.twin / earlier).stat().st_mtime_ns
    assert {path.name for folder in ("models", "benchmark") for path in (ui.home / folder).iterdir()} == {
        BEFORE, RELEASE,
    }  # fmt: skip


def test_one_model_is_trained_at_a_time(ui: Ui, followed: Path) -> None:
    steps = [step for run in ui.runs() for step in run["stepStats"] if step["stepKey"].replace("__", "/") in LEARNT]
    assert len(steps) == len(LEARNT)
    in_order = sorted(steps, key=lambda step: step["startTime"])
    for one, following in pairwise(in_order):
        assert one["startTime"] < one["endTime"] <= following["startTime"]


def test_what_followed_equals_a_headless_run_byte_for_byte(ui: Ui, followed: Path) -> None:
    # Two trainings differ in their timings, and DuckDB's file in every build; so do the hashes of the release's files.
    same = [name for name in FOLLOWING if name != "release_files"]
    for folder in (f"datasets/{RELEASE}", *(f"tables/{name.replace('/', '.')}/{RELEASE}" for name in same)):
        made_headless = tree(followed / folder)
        assert made_headless, folder
        assert tree(ui.home / folder) == made_headless, folder
    assert pinned(ui.home) == pinned(followed)
    for file in (file for name in LEARNT for file in written_files(name, RELEASE)):
        assert (ui.home / file).read_bytes() == (followed / file).read_bytes(), file


def pinned(home: Path) -> list[dict[str, Any]]:
    """Return what the manifest of the release pins, but for what a refresh of that very month says of the one before.

    The shards of the home behind the UI are those of the month before; the headless run has asked what changed since.
    """
    lake = Lake(home)
    rows = lake.read(lake.require("refresh", RELEASE)).to_pylist()
    found = [row for row in rows if row["name"] not in ("changed_facts", "departures")]
    assert len(rows) - len(found) == 2
    return found


def test_every_check_passed_and_columns_know_where_they_come_from(ui: Ui, followed: Path) -> None:
    query = """{ assetNodes { assetKey { path }
                 assetChecksOrError { ... on AssetChecks { checks { name
                   executionForLatestMaterialization { status } } } }
                 assetMaterializations(limit: 1) { metadataEntries { label ... on TableColumnLineageMetadataEntry {
                   lineage { columnName columnDeps { assetKey { path } columnName } } } } } } }"""
    nodes = {"/".join(node["assetKey"]["path"]): node for node in ui.ask(query)["assetNodes"]}
    assert set(nodes) == {*TABLES, PAGES, WINDOW_ASSET}
    nodes = {name: nodes[name] for name in TABLES}
    for name, node in nodes.items():
        checks = {
            check["name"]: (check["executionForLatestMaterialization"] or {}).get("status")
            for check in node["assetChecksOrError"]["checks"]
        }
        assert {"key_is_unique", "columns_and_types", "accepted"} <= set(checks), name
        # Two epochs on a few dozen settlements, judged on three of them, need not beat guessing.
        checks.pop(LEARNT_RULE, None)
        if name == "refresh":
            assert checks.pop(CURRENT_RULE) == "FAILED", "shards were refreshed for the release before"
        assert set(checks.values()) == {"SUCCEEDED"}, (name, checks)
        entries = {entry["label"]: entry for entry in node["assetMaterializations"][0]["metadataEntries"]}
        assert {"dagster/row_count", "preview", "file", "accepted"} <= set(entries), name
        lineage = {
            column["columnName"]: {
                f"{'/'.join(dep['assetKey']['path'])}.{dep['columnName']}" for dep in column["columnDeps"]
            }
            for column in entries["dagster/column_lineage"]["lineage"]
        }
        assert lineage == {
            column.name: sources
            for column in TABLES[name].columns
            if (sources := {source for source in column.sources if not source.startswith(f"{name}.")})
        }


class Pages:
    """Pages of the UI in a real browser, which asks nobody else."""

    def __init__(self, url: str, page: Any, shots: Path) -> None:
        self._url, self.page, self._shots = url, page, shots
        self.complaints: list[str] = []
        page.on("request", self._check_address)
        page.on("console", lambda said: self.complaints.append(said.text) if said.type == "error" else None)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def _check_address(self, request: Any) -> None:
        if not request.url.startswith((self._url, "data:", "blob:", self._url.replace("http", "ws"))):
            self.complaints.append(f"asked {request.url}")

    def open(self, path: str) -> Any:
        """Open a page; nothing may pop up over it."""
        self.page.goto(self._url + path)
        return self.page

    def shoot(self, name: str) -> None:
        self.page.screenshot(path=self._shots / f"{name}.png")

    def metadata(self, name: str) -> Any:
        """Return what the table of metadata shows under `name`, out of its dialog where it is long."""
        self.page.keyboard.press("Escape")
        label = self.page.locator("td", has_text=re.compile(f"^{name}$")).first
        label.wait_for()
        cell = label.locator("xpath=following-sibling::td[1]")
        fold = cell.get_by_text("[Show Markdown]")
        if not fold.count():
            return cell
        fold.click()
        dialog = self.page.locator("[role=dialog]").last
        dialog.wait_for()
        return dialog


@pytest.fixture
def pages(ui: Ui, tmp_path: Path) -> Iterator[Pages]:
    sync_api = pytest.importorskip("playwright.sync_api")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=_QUIET)
        opened = Pages(ui.url, browser.new_page(viewport={"width": 1500, "height": 1000}), tmp_path)
        opened.page.set_default_timeout(30_000)
        yield opened
        browser.close()
    assert opened.complaints == []


def browsed(test: Any) -> Any:
    """Mark a test that needs a browser."""
    needs = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")
    return pytest.mark.browser(needs(test))


def picture_size(shown: Any) -> tuple[int, int]:
    """Return width and height of the picture in place, in pixels; it must have been decoded."""
    image = shown.locator('img[src^="data:image/png;base64,"]').first
    image.wait_for()
    width, height = image.evaluate(
        "async image => { await image.decode(); return [image.naturalWidth, image.naturalHeight]; }"
    )
    return width, height


@browsed
def test_the_lineage_shows_the_groups_and_nothing_pops_up(pages: Pages) -> None:
    page = pages.open("/asset-groups")
    for group in sorted({table.group for table in TABLES.values()}):
        page.get_by_text(group, exact=True).first.wait_for()
    page.wait_for_timeout(1000)
    assert page.locator("[role=dialog]").count() == 0
    pages.shoot("lineage")


@browsed
def test_the_page_of_an_asset_says_what_it_is(ui: Ui, pages: Pages) -> None:
    table = TABLES["settlements"]
    page = pages.open("/assets/settlements?view=overview")
    for text in (table.description, "dataset-maintainers", "DuckDB", "Parquet", "SQL", "Passing"):
        page.get_by_text(text).first.wait_for()
    for column in table.columns:
        row = page.locator("tr", has=page.get_by_text(column.name, exact=True)).first
        assert column.description in row.inner_text()
        assert column.type in row.inner_text()
    shown = re.search(r"Row count\s+([\d,]+)", page.locator("body").inner_text())
    assert shown, "no row count"
    assert int(shown[1].replace(",", "")) in {one.n_rows for one in Lake(ui.home).accepted_all("settlements")}
    pages.shoot("settlements")


@browsed
def test_a_materialisation_shows_rows_and_a_map(ui: Ui, pages: Pages) -> None:
    pages.open("/assets/settlements?view=events&partition=00")
    preview = pages.metadata("preview")
    lake = Lake(ui.home)
    first = lake.read(lake.require("settlements", "00")).slice(0, 1).to_pylist()[0]
    preview.get_by_text(first["qid"], exact=True).first.wait_for()
    preview.get_by_text(first["label"], exact=True).first.wait_for()
    for name in TABLES["settlements"].column_names:
        assert preview.get_by_text(name, exact=True).count(), name
    pages.shoot("preview")
    width, height = picture_size(pages.metadata("map"))
    assert width > height > 300
    pages.shoot("map")


@browsed
def test_a_dataset_and_its_statistics_show_their_plots(pages: Pages, followed: Path) -> None:
    pages.open(f"/assets/mlm?view=events&partition={RELEASE}")
    for plot in ("map", "images_per_settlement", "summary_lengths"):
        assert min(picture_size(pages.metadata(plot))) > 100
        pages.shoot(plot)
    pages.open(f"/assets/dataset_statistics?view=events&partition={RELEASE}")
    pages.metadata("table_2").get_by_text("1,386,967").wait_for()
    pages.shoot("table_2")
    assert min(picture_size(pages.metadata("figure_2_mlm"))) > 100


@browsed
def test_a_model_and_its_benchmark_show_their_curves_and_tables(ui: Ui, pages: Pages, followed: Path) -> None:
    pages.open(f"/assets/mlm_irle/mtl_model?view=events&partition={RELEASE}")
    for plot in ("losses", "validation"):
        assert min(picture_size(pages.metadata(plot))) > 100
        pages.shoot(f"model_{plot}")
    pages.open(f"/assets/mlm_irle/benchmark?view=events&partition={RELEASE}")
    tables = pages.metadata("tables")
    for text in ("Table 3: cross-modal retrieval", "19.9", "Table 4: location estimation", "0.58"):
        tables.get_by_text(text).first.wait_for()
    pages.shoot("benchmark_tables")
    assert min(picture_size(pages.metadata("error_map"))) > 100
    pages.shoot("benchmark_map")


@browsed
def test_features_say_which_encoder_made_them(ui: Ui, pages: Pages) -> None:
    pages.open("/assets/image_features?view=events&partition=00")
    assert "mobilenet" in pages.metadata("encoder").inner_text()
    pages.shoot("features")


@browsed
def test_the_checks_of_an_asset_are_shown_as_passed(pages: Pages, followed: Path) -> None:
    for check, sentence in (
        ("key_is_unique", "No two rows have the same variant, qid"),
        ("members_do_not_drop", "nothing changed"),
        ("accepted", "readers see it"),
    ):
        page = pages.open(f"/assets/members?view=checks&checkDetail={check}")
        page.get_by_text("Passed", exact=True).first.wait_for()
        page.get_by_text(sentence).first.wait_for()
        page.get_by_text("blocking").first.wait_for()
        assert page.get_by_text("Succeeded", exact=True).count() > 10
        assert page.get_by_text("Failed", exact=True).count() == 0
        pages.shoot(check)


def test_the_automation_rests_when_everything_has_followed(ui: Ui, followed: Path) -> None:
    done_at = max(step["endTime"] for run in ui.runs() for step in run["stepStats"])
    wait(lambda: ui.ticks_since(done_at) >= 2, 120)
    materialised = ["/".join(key["path"]) for run in ui.runs() for key in run["assetSelection"] or ()]
    assert sorted(materialised) == sorted((*FOLLOWING, PAGES)), "each once, and none again"
