"""Two fifths of the French articles vanish: it is blocked, told once, explained, approved, and well again."""

import http.server
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mlm_assets.resources.lake import Lake
from tests.commands import done, mlm, summary

WORLD = ("--generate", "150", "--seed", "1", "--t-min", "2", "--t-max", "10", "--quota-total", "30")
NEXT, AFTER = "2027-01", "2027-02"
DROP = ("--release", NEXT, "--month", "1", "--tamper", "articles_vanish_some")
BACK = ("--release", AFTER, "--month", "2", "--tamper", "undone:articles_vanish_some")


class Webhook:
    """A server that keeps what alerts are sent to it."""

    def __init__(self) -> None:
        self.got: list[dict[str, Any]] = []
        keep = self.got

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                keep.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.url = f"json://127.0.0.1:{self._server.server_port}/"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def take(self) -> list[dict[str, Any]]:
        """Return what arrived since the last look."""
        taken = list(self.got)
        self.got.clear()
        return taken


@pytest.fixture
def webhook() -> Iterator[Webhook]:
    server = Webhook()
    yield server
    server.close()


@pytest.mark.long
def test_a_drop_is_blocked_told_once_approved_and_well_again(tmp_path: Path, webhook: Webhook) -> None:
    home = tmp_path / "home"
    told = {"MLM_ALERT_URLS": webhook.url}
    lake = Lake(home)
    done("run", "--home", home, *WORLD, "--shards", "1", "--release", "2026-12", **told)
    assert [one["type"] for one in webhook.take()] == ["info"], "the digest, and no alert"
    good = lake.require("facts", "00")

    # The checks fail, and nothing downstream runs.
    blocked = mlm("run", "--home", home, *WORLD, *DROP, **told)
    assert blocked.returncode == 3, blocked.stderr
    assert "French (fr)" in blocked.stderr
    assert lake.require("facts", "00") == good, "readers see the last good version"
    for table in ("refresh", "members", "mlm_irle", "mlm_irle/mtl_model"):
        assert lake.accepted(table, NEXT) is None, table
    failed = [one for one in summary(home)["checks"] if not one["passed"] and one["blocking"]]
    assert {"asset": "facts", "partition": "00", "check": "accepted"}.items() <= failed[-1].items()
    (alert,) = webhook.take()
    assert alert["type"] == "failure"
    assert "French (fr)" in alert["title"]

    # The same check runs again: no second alert.
    assert mlm("run", "--home", home, *WORLD, *DROP, **told).returncode == 3
    assert webhook.take() == []

    # A maintainer lets it through: everything runs, and what follows from it does not block again.
    said = done("approve", "facts", "--reason", "stubs were merged", "--by", "ann", "--home", home, **told)
    assert "facts 00" in said
    done("run", "--home", home, *WORLD, *DROP, **told)
    assert lake.require("mlm_irle", NEXT).release == NEXT
    approvals = lake.read(lake.require("approvals", NEXT)).to_pylist()
    assert [(row["table_name"], row["approved_by"], row["reason"]) for row in approvals] == [
        ("facts", "ann", "stubs were merged")
    ]
    messages = webhook.take()
    assert [one["type"] for one in messages] == ["success", "info"], "the notice that it was settled, and the digest"
    assert "approved by ann" in messages[0]["message"]

    # The articles come back: no rise of a third is made of it, for readers had seen as many before the approval.
    done("run", "--home", home, *WORLD, *BACK, **told)
    assert all(one["passed"] or not one["blocking"] for one in summary(home)["checks"] if one["check"] == "accepted")
    assert [one["type"] for one in webhook.take()] == ["info"]


@pytest.mark.long
@pytest.mark.slow
def test_a_drop_that_is_repaired_is_told_as_repaired(tmp_path: Path, webhook: Webhook) -> None:
    home = tmp_path / "home"
    told = {"MLM_ALERT_URLS": webhook.url}
    done("run", "--home", home, *WORLD, "--shards", "1", "--release", "2026-12", "--to", "refresh", **told)
    assert mlm("run", "--home", home, *WORLD, *DROP, "--to", "refresh", **told).returncode == 3
    webhook.take()
    # The service is mended: what is not accepted is asked for again.
    done("run", "--home", home, *WORLD, "--release", NEXT, "--month", "1", "--to", "refresh", "--refetch", **told)
    messages = webhook.take()
    assert [one["type"] for one in messages] == ["success", "info"]
    assert "repaired by a new version" in messages[0]["message"]
    assert Lake(home).require("facts", "00").release == NEXT
