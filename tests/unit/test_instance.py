"""Who is dead and who is not: a run may be ended only if its process is really gone."""

import os
import subprocess
import sys
import time
from dataclasses import dataclass

from mlm_assets.automation.instance import _is_alive  # what ends runs rests on this alone


@dataclass
class Record:
    """What is looked at of a run record."""

    start_time: float | None


def test_a_living_process_is_alive_however_late_it_is_looked_at() -> None:
    began = time.time()
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        time.sleep(0.2)
        assert _is_alive(process.pid, Record(began + 1))
        assert _is_alive(process.pid, Record(began + 10_000))
        assert _is_alive(process.pid, Record(None))
        assert not _is_alive(process.pid, Record(began - 1_000)), "a later process with the number of the dead one"
    finally:
        process.kill()
    time.sleep(0.2)
    assert not _is_alive(process.pid, Record(began)), "a zombie is dead"
    process.wait()
    assert not _is_alive(process.pid, Record(began))


def test_this_very_process_is_alive() -> None:
    assert _is_alive(os.getpid(), Record(time.time()))
