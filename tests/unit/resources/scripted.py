"""What the tests of the transport and the clients stand on: a server that misbehaves on a script, a clock, stores."""

import json
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pyoxigraph

from mlm_assets.resources.http import GAVE_UP_HEADER, GAVE_UP_STATUS, Answer, Request, Transport
from mlm_assets.settings import Settings


@dataclass
class Reply:
    """One answer of the script. `announced` is a Content-Length that may lie; `reset` cuts the connection instead."""

    status: int = 200
    body: bytes = b"{}"
    headers: dict[str, str] = field(default_factory=dict)
    announced: int | None = None
    reset: bool = False
    delay_s: float = 0.0
    chunked: bool = False


@dataclass
class Received:
    """One request as the server saw it."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def _answer(self) -> None:
        length = int(self.headers.get("Content-Length", 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        reply = self.server.next_reply(Received(self.command, self.path, headers, self.rfile.read(length)))
        time.sleep(reply.delay_s)
        if reply.reset:  # close with RST, as an overloaded host does
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
            self.close_connection = True
            return
        self.send_response(reply.status)
        for name, value in {"Content-Type": "application/json", **reply.headers}.items():
            self.send_header(name, value)
        if reply.chunked:
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            self.wfile.write(b"%x\r\n%s\r\n0\r\n\r\n" % (len(reply.body), reply.body))
            return
        announced = len(reply.body) if reply.announced is None else reply.announced
        self.send_header("Content-Length", str(announced))
        self.end_headers()
        self.wfile.write(reply.body)
        if announced != len(reply.body):
            self.close_connection = True

    do_GET = do_POST = _answer  # noqa: N815 - names that http.server calls

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


class ScriptedServer(ThreadingHTTPServer):
    """Answers by its script, one reply a request; the last one stays."""

    daemon_threads = True

    def __init__(self, script: Sequence[Reply]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.script = list(script)
        self.received: list[Received] = []
        self._guard = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def next_reply(self, received: Received) -> Reply:
        with self._guard:
            self.received.append(received)
            return self.script.pop(0) if len(self.script) > 1 else self.script[0]

    def handle_error(self, *_: Any) -> None:
        """Clients of these tests hang up; that is no error."""


@contextmanager
def serving(*script: Reply) -> Iterator[ScriptedServer]:
    """Run a scripted server in a thread."""
    with ScriptedServer(script) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


class Clock:
    """A clock that moves only when somebody sleeps; it remembers the pauses."""

    def __init__(self, start: float = 1_700_000_000.0) -> None:
        self.time = start
        self.pauses: list[float] = []

    def now(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.time += seconds


class MemoryStore:
    """An answer store in memory."""

    def __init__(self) -> None:
        self.answers: dict[str, Answer] = {}

    def get(self, request: Request) -> Answer | None:
        kept = self.answers.get(request.key)
        return None if kept is None else Answer(kept.status, kept.headers, kept.body, kept.key, True)

    def put(self, request: Request, answer: Answer) -> None:
        self.answers[request.key] = answer


class OxigraphStore:
    """A store that answers every SPARQL request out of a graph: a query service without a network.

    `intercept` may give another answer to a query text (None: the graph answers). `queries` holds what was asked.
    """

    def __init__(self, triples: str, intercept: Callable[[str], Answer | None] | None = None) -> None:
        self.graph = pyoxigraph.Store()
        self.graph.load(triples.encode(), format=pyoxigraph.RdfFormat.TURTLE)
        self.queries: list[str] = []
        self._intercept = intercept

    def get(self, request: Request) -> Answer | None:
        query = request.form["query"]
        self.queries.append(query)
        answer = self._intercept(query) if self._intercept else None
        if answer is not None:
            return answer
        results = self.graph.query(query).serialize(format=pyoxigraph.QueryResultsFormat.JSON)
        return Answer(200, {"content-type": "application/sparql-results+json"}, results, request.key, True)

    def put(self, request: Request, answer: Answer) -> None:
        raise AssertionError("a replay stores nothing")


def timed_out() -> Answer:
    """What a store holds of a query that ran into the time limit."""
    return Answer(GAVE_UP_STATUS, {GAVE_UP_HEADER: "QueryTimeout"}, b"too slow", "", True)


def make_settings(folder: Path, **more: Any) -> Settings:
    """Settings for a server on this machine: quick, four attempts."""
    return Settings(**{"lock_dir": folder / "locks", "max_attempts": 4, "contact": "tests@example.org", **more})


def make_transport(
    settings: Settings, clock: Clock | None = None, store: Any = None, mode: Any = "fetch", random: float = 0.5
) -> Transport:
    """A transport whose pauses cost no time."""
    clock = clock or Clock()
    return Transport(settings, store, mode, sleep=clock.sleep, now=clock.now, random=lambda: random)


def json_reply(document: Any, **more: Any) -> Reply:
    return Reply(body=json.dumps(document).encode(), **more)
