"""The gate before a host: shared by processes, freed by the kernel, in time; and who may not use it."""

import os
import signal
import subprocess
import sys
import threading
import time
from itertools import pairwise
from pathlib import Path

import pytest

from mlm_assets.errors import Refused
from mlm_assets.resources.failures import HostDown
from mlm_assets.resources.politeness import RATE_MARGIN, HostGate, netloc_of, shared_folder
from mlm_assets.settings import Limit
from tests.unit.resources.scripted import Clock, Received, Reply, ScriptedServer

ASKING = """
import sys
from pathlib import Path
from mlm_assets.resources.http import Request, Transport
from mlm_assets.settings import Settings
url, folder, name, n = sys.argv[1:]
settings = Settings(lock_dir=Path(folder), action_api_parallel=2, action_api_rate_per_s=25.0)
transport = Transport(settings)
print("ready", flush=True)
sys.stdin.readline()
for number in range(int(n)):
    request = Request("action_api", "wikipedia/en", "GET", url, params={"n": f"{name}-{number}"})
    transport.fetch(request, lambda answer: None)
"""

HOLDING = """
import sys, time
from pathlib import Path
from mlm_assets.resources.politeness import HostGate
from mlm_assets.settings import Limit
with HostGate(Path(sys.argv[1]), "files-host", Limit(1, 1000.0), max_wait_s=1).turn():
    print("holding", flush=True)
    time.sleep(60)
"""


class MeasuringServer(ScriptedServer):
    """Answers slowly, and notes when requests came and how many were there at once."""

    def __init__(self) -> None:
        super().__init__([Reply()])
        self.times: list[float] = []
        self.max_parallel = 0
        self._here = 0
        self._measure = threading.Lock()

    def next_reply(self, received: Received) -> Reply:
        with self._measure:
            self.times.append(time.monotonic())
            self._here += 1
            self.max_parallel = max(self.max_parallel, self._here)
        time.sleep(0.07)
        with self._measure:
            self._here -= 1
        return super().next_reply(received)

    def peak_rate(self) -> int:
        """Most requests in any window of one second."""
        return max(sum(start <= t < start + 1 for t in self.times) for start in self.times)


def gate(folder: Path, clock: Clock | None = None, max_wait_s: float = 600.0) -> HostGate:
    clock = clock or Clock()
    return HostGate(folder, "files-host", Limit(1, 10.0), max_wait_s=max_wait_s, sleep=clock.sleep, now=clock.now)


def test_four_processes_together_keep_the_limits_of_a_host(tmp_path: Path) -> None:
    folder = shared_folder(tmp_path / "locks")
    with MeasuringServer() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        command = [sys.executable, "-c", ASKING, server.url, str(folder)]
        children = [
            subprocess.Popen([*command, str(n), "12"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) for n in range(4)
        ]
        for child in children:
            assert child.stdout.readline() == b"ready\n"
        for child in children:
            child.stdin.write(b"go\n")
            child.stdin.close()
        assert [child.wait(60) for child in children] == [0] * 4
        for child in children:
            child.stdout.close()
        server.shutdown()
        thread.join()
    assert len(server.times) == 48
    assert server.max_parallel == 2
    assert 15 <= server.peak_rate() <= 25


def test_a_killed_process_gives_its_slot_back(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", HOLDING, str(tmp_path)], stdout=subprocess.PIPE) as holder:
        assert holder.stdout.readline() == b"holding\n"
        entered = threading.Event()

        def enter() -> None:
            with gate(tmp_path).turn():
                entered.set()

        waiting = threading.Thread(target=enter, daemon=True)
        waiting.start()
        assert not entered.wait(0.2)
        os.kill(holder.pid, signal.SIGKILL)
        assert entered.wait(5)
        waiting.join()


def test_threads_of_one_process_exclude_each_other(tmp_path: Path) -> None:
    here, most, guard = 0, 0, threading.Lock()
    shared = HostGate(tmp_path, "files-host", Limit(3, 10_000.0), max_wait_s=1)

    def enter() -> None:
        nonlocal here, most
        for _ in range(5):
            with shared.turn():
                with guard:
                    here += 1
                    most = max(most, here)
                time.sleep(0.005)
                with guard:
                    here -= 1

    threads = [threading.Thread(target=enter) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 3


def test_turns_are_one_interval_apart_whoever_takes_them(tmp_path: Path) -> None:
    clock = Clock()
    one, other = gate(tmp_path, clock=clock), gate(tmp_path, clock=clock)
    times = []
    for entering in (one, other, one, one, other):
        with entering.turn():
            times.append(clock.time)
    assert [b - a for a, b in pairwise(times)] == pytest.approx([RATE_MARGIN / 10] * 4, abs=1e-4)


def test_a_pause_that_a_service_asked_for_holds_for_every_gate(tmp_path: Path) -> None:
    clock = Clock()
    gate(tmp_path, clock=clock).block_until(clock.time + 100)
    gate(tmp_path, clock=clock).block_until(clock.time + 50)  # the longer one counts
    start = clock.time
    with gate(tmp_path, clock=clock).turn():
        assert clock.time - start == pytest.approx(100, abs=1e-3)
    with pytest.raises(HostDown, match="another 100 s"):
        waiting = gate(tmp_path, clock=clock, max_wait_s=10)
        waiting.block_until(clock.time + 100)
        with waiting.turn():
            pass


def test_a_clock_that_was_set_back_stops_nobody(tmp_path: Path) -> None:
    clock = Clock()
    with gate(tmp_path, clock=clock).turn():
        pass
    clock.time -= 86_400
    with gate(tmp_path, clock=clock).turn():
        assert sum(clock.pauses) < 1


def test_a_state_file_that_was_cut_short_stops_nobody(tmp_path: Path) -> None:
    with gate(tmp_path).turn():
        pass
    for path in tmp_path.iterdir():
        path.write_bytes(b"" if path.suffix != ".turn" else b"170.0.0.")
    with gate(tmp_path).turn():
        pass


def test_every_user_may_use_the_folder_and_its_files(tmp_path: Path) -> None:
    previous = os.umask(0o077)
    try:
        folder = shared_folder(tmp_path / "deep" / "locks")
        with gate(folder).turn():
            pass
    finally:
        os.umask(previous)
    assert folder.stat().st_mode & 0o7777 == 0o1777
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o666}


def test_the_default_folder_is_in_the_temp_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert shared_folder(None) == tmp_path / "mlm_assets_turns"


def test_what_is_no_folder_or_no_plain_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "link").symlink_to(tmp_path)
    for path in (tmp_path / "file", tmp_path / "link", tmp_path / "file" / "below"):
        with pytest.raises(Refused, match="MLM_LOCK_DIR"):
            shared_folder(path)
    (tmp_path / "files-host.slot0").symlink_to(tmp_path / "file")
    with pytest.raises(Refused, match="MLM_LOCK_DIR"), gate(tmp_path).turn():
        pass


def test_netloc_of() -> None:
    assert netloc_of("https://User:Secret@EN.Wikipedia.org./w/api.php") == "en.wikipedia.org"
    assert netloc_of("http://127.0.0.1:8080/x") == "127.0.0.1:8080"
    assert netloc_of("http://[::1]:80/") == "::1:80"
