"""A small archive on this machine that speaks Zenodo's deposit API, as far as drafts go, and can misbehave.

It keeps what it was sent, and notes every request. `faults` maps "METHOD path-ending" to answers that are given once
each, in order, in place of the true one: a status, "drop" (the connection is closed), "wrong bytes" (what arrived is
taken as something else), "made, 500" (it is done, and answered with an error), "hold" (no answer until `held` is set).
"""

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

TOKEN = "a-token-of-the-tests"
_ROOT = "/api/deposit/depositions"
_NEEDED = ("title", "upload_type", "description", "creators")


class Archive:
    """Its depositions by number, and what was asked of it."""

    def __init__(self) -> None:
        self.url = ""
        self.depositions: dict[int, dict[str, Any]] = {}
        self.contents: dict[str, bytes] = {}
        self.asked: list[str] = []
        self.faults: dict[str, list[int | str]] = {}
        self.held = threading.Event()
        self.holding = threading.Event()
        self.lock = threading.RLock()
        self.bucket_host = ""
        self._last = 1000

    @property
    def drafts(self) -> list[dict[str, Any]]:
        return [one for one in self.depositions.values() if not one["submitted"]]

    def uploads(self, name: str = "") -> list[str]:
        """Return the names of the files that were put, in order."""
        names = [one.rpartition("/")[2] for one in self.asked if one.startswith("PUT /api/files/")]
        return [one for one in names if not name or one == name]

    def publish(self, number: int) -> None:
        """Do what a person does on the page of a draft."""
        assert all(self.depositions[number]["metadata"].get(name) for name in _NEEDED)
        self.depositions[number]["submitted"] = True

    def make(self, metadata: dict[str, Any], files: list[dict[str, Any]], concept: int) -> dict[str, Any]:
        self._last += 1
        number = self._last
        host = self.bucket_host or self.url
        reserved = {"prereserve_doi": {"doi": f"10.5072/zenodo.{number}"}}
        self.depositions[number] = {
            "id": number, "submitted": False, "metadata": {**metadata, **reserved}, "files": files,
            "conceptrecid": concept or number,
            "links": {"bucket": f"{host}/api/files/bucket-{number}", "html": f"{self.url}/deposit/{number}"},
        }  # fmt: skip
        return self.depositions[number]

    def fault(self, method: str, path: str) -> int | str | None:
        with self.lock:
            for pattern, answers in self.faults.items():
                verb, _, ending = pattern.partition(" ")
                if verb == method and path.endswith(ending) and answers:
                    return answers.pop(0)
        return None


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    archive: Archive

    def log_message(self, *_: Any) -> None:
        """Say nothing."""

    def _handle(self) -> None:
        parts = urlsplit(self.path)
        archive = self.archive
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        with archive.lock:
            archive.asked.append(f"{self.command} {unquote(parts.path)}")
        if self.headers.get("authorization") != f"Bearer {TOKEN}":
            return self._say(401, {"status": 401, "message": "Unauthorized"})
        fault = archive.fault(self.command, unquote(parts.path))
        if fault == "drop":
            self.close_connection = True
            self.connection.close()
            return None
        if fault == "hold":
            archive.holding.set()
            archive.held.wait(30)
        if isinstance(fault, int):
            return self._say(fault, {"message": "not now"}, {"Retry-After": "7"} if fault == 429 else {})
        if fault == "wrong bytes":
            body += b"!"
        with archive.lock:
            status, said = self._answer(parts.path, parse_qs(parts.query), body)
        return self._say(500 if fault == "made, 500" else status, said)

    do_GET = do_POST = do_PUT = do_DELETE = _handle  # noqa: N815 (names of http.server)

    def _answer(self, path: str, query: dict[str, list[str]], body: bytes) -> tuple[int, Any]:
        archive = self.archive
        if path.startswith("/api/files/bucket-"):
            number, _, name = path.removeprefix("/api/files/bucket-").partition("/")
            return self._put(archive.depositions[int(number)], unquote(name), body)
        if path == _ROOT and self.command == "POST":
            made = archive.make(json.loads(body).get("metadata", {}), [], 0)
            return 201, made
        if path == _ROOT:
            found = archive.drafts if query["status"] == ["draft"] else list(archive.depositions.values())
            size, page = int(query["size"][0]), int(query["page"][0])
            listed = [{**one, "files": []} for one in reversed(found)]
            return 200, listed[(page - 1) * size : page * size]
        number, _, rest = path.removeprefix(f"{_ROOT}/").partition("/")
        one = archive.depositions.get(int(number))
        if one is None:
            return 404, {"message": "PID does not exist."}
        return self._one(one, rest, body)

    def _one(self, one: dict[str, Any], rest: str, body: bytes) -> tuple[int, Any]:
        if rest == "actions/newversion" and self.command == "POST":
            return self._new_version(one)
        if rest.startswith("files/") and self.command == "DELETE":
            one["files"] = [file for file in one["files"] if file["id"] != unquote(rest.removeprefix("files/"))]
            return 204, None
        if rest:
            return 405, {"message": f"{self.command} {rest}"}
        if self.command == "PUT":
            metadata = json.loads(body)["metadata"]
            missing = [name for name in _NEEDED if not metadata.get(name)]
            if missing or one["submitted"]:
                return 400, {"message": "Validation error", "errors": missing}
            one["metadata"] = {**metadata, "prereserve_doi": one["metadata"]["prereserve_doi"]}
        return 200, one

    def _new_version(self, one: dict[str, Any]) -> tuple[int, Any]:
        if not one["submitted"]:
            return 403, {"message": "Invalid action: it is no published record."}
        drafts = [draft for draft in self.archive.drafts if draft["conceptrecid"] == one["conceptrecid"]]
        metadata = {name: value for name, value in one["metadata"].items() if name != "prereserve_doi"}
        files = [{**file, "id": f"again-{file['id']}"} for file in one["files"]]
        draft = drafts[0] if drafts else self.archive.make(metadata, files, one["conceptrecid"])
        one["links"]["latest_draft"] = f"{self.archive.url}{_ROOT}/{draft['id']}"
        return 201, one

    def _put(self, one: dict[str, Any], name: str, body: bytes) -> tuple[int, Any]:
        if one["submitted"]:
            return 403, {"message": "the record is published"}
        md5 = hashlib.md5(body).hexdigest()
        file = {"id": f"f-{name}", "filename": name, "checksum": md5, "filesize": len(body)}
        one["files"] = [*(other for other in one["files"] if other["filename"] != name), file]
        self.archive.contents[f"{one['id']}/{name}"] = body
        return 201, {"key": name, "checksum": f"md5:{md5}", "size": len(body)}

    def _say(self, status: int, said: Any, headers: dict[str, str] | None = None) -> None:
        data = b"" if said is None else json.dumps(said).encode()
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **(headers or {})}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        try:
            self.wfile.write(data)
        except OSError:  # whoever asked was killed
            self.close_connection = True


@contextmanager
def archive() -> Iterator[Archive]:
    """Give an archive that listens on this machine until the block ends."""
    made = Archive()
    handler = type("Handler", (_Handler,), {"archive": made})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    made.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield made
    finally:
        made.held.set()
        server.shutdown()
        server.server_close()
        thread.join()
