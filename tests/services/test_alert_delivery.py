"""Alerts as they arrive: a real webhook, a file, a dead port, a target that answers 500, and processes that die."""

import json
import logging
import multiprocessing
import os
import signal
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from mlm_assets.alerts import deliver, targets
from mlm_assets.alerts.ledger import LEDGER_FILE, read_ledger
from tests.unit.alerts.alert_worlds import World

SECRET = "s3cr3t-path-of-a-webhook"


class Webhook:
    """A server on loopback that keeps what it is sent, and answers with `status`."""

    def __init__(self) -> None:
        self.came: list[dict[str, Any]] = []
        self.status = 200
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                outer.came.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                self.send_response(outer.status)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"json://127.0.0.1:{self._server.server_address[1]}/{SECRET}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def webhook() -> Iterator[Webhook]:
    server = Webhook()
    yield server
    server.close()


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path / "home")


@pytest.fixture
def dead_url() -> str:
    """The address of a port where nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"json://user:{SECRET}@127.0.0.1:{probe.getsockname()[1]}/{SECRET}"


def urls(*addresses: str) -> dict[str, str]:
    return {"MLM_ALERT_URLS": " ".join(addresses)}


def test_one_alert_arrives_and_one_recovery(world: World, webhook: Webhook) -> None:
    world.block()
    deliver(world.settings, world.lake, world.observed, environ=urls(webhook.url))
    deliver(world.settings, world.lake, world.later(minutes=1).observed, environ=urls(webhook.url))
    (alert,) = webhook.came
    assert alert["title"].startswith("MLM 2026-12: summaries blocked: French")
    assert alert["type"] == "failure"
    assert "Cause: French (fr) explains 100 % of the loss" in alert["message"]
    world.repair()
    deliver(world.settings, world.lake, world.later(minutes=1).observed, environ=urls(webhook.url))
    assert [one["type"] for one in webhook.came] == ["failure", "success"]


def test_a_file_takes_alerts_too(world: World, tmp_path: Path) -> None:
    world.block()
    file = tmp_path / "alerts with space.txt"
    deliver(world.settings, world.lake, world.observed, environ=urls(file.as_uri()))
    assert "summaries blocked" in file.read_text("utf-8")
    assert targets.send((tmp_path / "no" / "folder").as_uri(), "t", "b", "error") is not None


def test_a_dead_port_is_retried_alone_and_no_secret_is_written_anywhere(
    world: World, webhook: Webhook, dead_url: str, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    world.block()
    addresses = urls(webhook.url, dead_url, f"nonsense://{SECRET}")
    done = deliver(world.settings, world.lake, world.observed, environ=addresses)
    assert (len(done.sent), done.n_undelivered) == (1, 2)
    errors = {one.error for _, one in read_ledger(world.settings.home).undelivered()}
    assert errors == {"the target cannot be reached", targets.NOT_UNDERSTOOD}
    deliver(world.settings, world.lake, world.later(minutes=2).observed, environ=addresses)
    assert len([one for one in webhook.came if "summaries" in one["title"]]) == 1
    ledger = (world.settings.home / LEDGER_FILE).read_text("utf-8")
    printed = capfd.readouterr()
    for text in (ledger, caplog.text, str(done), json.dumps(webhook.came), printed.out, printed.err):
        assert SECRET not in text
    assert logging.getLogger("apprise").propagate


def test_a_target_that_answers_500_is_told_again_when_it_is_mended(world: World, webhook: Webhook) -> None:
    world.block()
    webhook.status = 500
    deliver(world.settings, world.lake, world.observed, environ=urls(webhook.url))
    assert read_ledger(world.settings.home).undelivered()[0][1].error == "the target answered 500"
    webhook.status = 200
    done = deliver(world.settings, world.lake, world.later(minutes=2).observed, environ=urls(webhook.url))
    assert (done.n_undelivered, len(webhook.came)) == (0, 2)


def _deliver(home: Path, address: str, barrier: Any) -> None:
    world = World(home)
    barrier.wait()
    deliver(world.settings, world.lake, world.observed, environ=urls(address), wait_s=20)


def test_two_processes_at_once_send_once(world: World, webhook: Webhook) -> None:
    world.block()
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(2)
    both = [context.Process(target=_deliver, args=(world.settings.home, webhook.url, barrier)) for _ in range(2)]
    for one in both:
        one.start()
    for one in both:
        one.join(30)
    assert [one.exitcode for one in both] == [0, 0]
    assert len(webhook.came) == 1


def test_a_process_that_finds_the_ledger_taken_leaves_it_to_the_other(world: World, webhook: Webhook) -> None:
    from mlm_assets.alerts.ledger import locked

    world.block()
    with locked(world.settings.home) as is_ours:
        assert is_ours
        done = deliver(world.settings, world.lake, world.observed, environ=urls(webhook.url))
    assert done.is_taken
    assert webhook.came == []


def _die(home: Path, address: str, is_sent_first: bool) -> None:
    def send(url: str, title: str, body: str, severity: str) -> str | None:
        if is_sent_first:
            targets.send(url, title, body, severity)
        os.kill(os.getpid(), signal.SIGKILL)
        return None

    world = World(home)
    deliver(world.settings, world.lake, world.observed, send=send, environ=urls(address))


@pytest.mark.parametrize(("is_sent_first", "n_messages"), [(False, 1), (True, 2)])
def test_a_kill_before_the_record_loses_nothing(
    world: World, webhook: Webhook, is_sent_first: bool, n_messages: int
) -> None:
    """At least once: killed between sending and recording, a message comes twice; never is it lost."""
    world.block()
    context = multiprocessing.get_context("spawn")
    victim = context.Process(target=_die, args=(world.settings.home, webhook.url, is_sent_first))
    victim.start()
    victim.join(30)
    assert victim.exitcode == -signal.SIGKILL
    deliver(world.settings, world.lake, world.observed, environ=urls(webhook.url))
    deliver(world.settings, world.lake, world.later(hours=2).observed, environ=urls(webhook.url))
    assert len(webhook.came) == n_messages
