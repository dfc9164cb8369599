"""`mlm ui` as it runs at a maintainer's: webserver, daemon and sensors in their own processes, asked over GraphQL."""

import json
import os
import signal
import socket
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.commands import start_mlm

ENDED = ("SUCCESS", "FAILURE", "CANCELED")
_PLACE = {"repositoryName": "__repository__", "repositoryLocationName": "mlm_assets"}
_TICKS = "ticks(limit: 50) { timestamp status skipReason runIds }"


def ask_ui(url: str, query: str, **variables: Any) -> Any:
    """Send a GraphQL query to a Dagster UI and return its data."""
    body = json.dumps({"query": query, "variables": variables}).encode()
    request = urllib.request.Request(f"{url}/graphql", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        said = json.load(answer)
    assert "errors" not in said, said["errors"]
    return said["data"]


@dataclass
class Daemon:
    """A running `mlm ui`."""

    url: str
    pid: int
    said: list[str] = field(default_factory=list)

    def ask(self, query: str, **variables: Any) -> Any:
        """Send a GraphQL query and return its data."""
        return ask_ui(self.url, query, **variables)

    def start_schedule(self, name: str) -> None:
        """Start a schedule, as the switch in the UI does."""
        query = """mutation($s: ScheduleSelector!) { startSchedule(scheduleSelector: $s) {
                     __typename ... on PythonError { message } } }"""
        said = self.ask(query, s={**_PLACE, "scheduleName": name})["startSchedule"]
        assert said["__typename"] == "ScheduleStateResult", said

    def ticks(self, name: str) -> list[dict[str, Any]]:
        """Return the ticks of a schedule, newest first."""
        query = f"""query($s: ScheduleSelector!) {{ scheduleOrError(scheduleSelector: $s) {{ ... on Schedule {{
                     scheduleState {{ {_TICKS} }} }} }} }}"""
        said = self.ask(query, s={**_PLACE, "scheduleName": name})["scheduleOrError"]
        return list(said["scheduleState"]["ticks"])

    def runs(self) -> list[dict[str, Any]]:
        """Return all runs but the steps of a walk: id, job, status, tags, assets; newest first."""
        query = """{ runsOrError { ... on Runs { results { runId jobName status assetSelection { path }
                     tags { key value } } } } }"""
        found = []
        for run in self.ask(query)["runsOrError"]["results"]:
            tags = {tag["key"]: tag["value"] for tag in run["tags"]}
            assets = sorted("/".join(key["path"]) for key in run["assetSelection"] or ())
            if "mlm/headless" not in tags:
                found.append({**run, "tags": tags, "assets": assets})
        return found

    def log(self, run_id: str) -> list[str]:
        """Return the messages of a run, and the sentences of its errors."""
        query = """query($id: ID!) { runOrError(runId: $id) { ... on Run { eventConnection(limit: 1000) { events {
                     ... on MessageEvent { message } ... on ExecutionStepFailureEvent { error { message
                     causes { message } } } } } } } }"""
        said: list[str] = []
        for event in self.ask(query, id=run_id)["runOrError"]["eventConnection"]["events"]:
            said.append(event.get("message") or "")
            error = event.get("error")
            said += [one["message"] for one in (error, *error["causes"])] if error else []
        return said

    def materialised(self, asset: str) -> int:
        """Return how often an asset was materialised."""
        query = """query($k: AssetKeyInput!) { assetOrError(assetKey: $k) { ... on Asset {
                     assetMaterializations(limit: 100) { timestamp } } } }"""
        return len(self.ask(query, k={"path": asset.split("/")})["assetOrError"].get("assetMaterializations", ()))


def wait(look: Callable[[], Any], seconds: float, every: float = 1) -> Any:
    """Return what `look` returns as soon as that is something; it looks every `every` seconds."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = look()
        if found:
            return found
        time.sleep(every)
    raise AssertionError(f"not within {seconds} s")


@contextmanager
def running_daemon(home: Path, **more: str) -> Iterator[Daemon]:
    """Run `mlm ui` on a home until the end of the block; all that it started is gone then."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = start_mlm("ui", "--home", home, "--port", str(port), **more)
    daemon = Daemon(f"http://127.0.0.1:{port}", process.pid)
    threading.Thread(target=lambda: daemon.said.extend(process.stdout or ()), daemon=True).start()
    try:
        wait(lambda: process.poll() is not None or _answers(daemon.url), 180)
        assert process.poll() is None, "".join(daemon.said)
        yield daemon
        process.send_signal(signal.SIGTERM)
        process.wait(90)
    finally:
        for pid in processes_of(home):
            os.kill(pid, signal.SIGKILL)
        process.wait(10)


def processes_of(home: Path) -> list[int]:
    """Return the living processes that work in a home."""
    found = []
    for about in Path("/proc").glob("[0-9]*"):
        try:
            is_dead = (about / "stat").read_text().rpartition(")")[2].split()[0] == "Z"
            is_of_home = f"MLM_HOME={home}\0".encode() in (about / "environ").read_bytes()
        except OSError:
            continue
        if is_of_home and not is_dead:
            found.append(int(about.name))
    return found


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/server_info", timeout=5):
            return True
    except OSError:
        return False
