"""One gate per service and host, shared by all processes of this machine: how many at once, and how fast.

Parallel requests are slots: files that are locked with flock(2), so that the kernel frees them when their holder
is killed. The rate is a turn: whoever holds its lock waits until the last turn is one interval ago, takes the time,
and lets the next one in; so two requests never leave closer together than the interval, whatever the scheduler
does. What a service asked for with Retry-After keeps every process out until then.

Does not belong here: what is asked, and when to ask again (`http`).
"""

import fcntl
import os
import re
import stat
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from mlm_assets.errors import Refused
from mlm_assets.resources.failures import HostDown
from mlm_assets.settings import Limit

RATE_MARGIN: Final = 1.05
"""The interval is this much longer than 1/rate, so that the network's jitter never shows a rate above the setting."""

LONGEST_BLOCK_S: Final = 86_400.0
"""A Retry-After keeps everybody out for a day at most; a later moment comes of a clock that was set back."""

_SLOT_POLL_S: Final = 0.002
_SHARED_FOLDER: Final = "mlm_assets_turns"


def shared_folder(named: Path | None) -> Path:
    """Return the folder in which processes of this machine meet, made if need be (every user may write to it).

    Raises:
        Refused: it cannot be made, or is not a plain folder that can be written.
    """
    folder = named or Path(tempfile.gettempdir()) / _SHARED_FOLDER
    try:
        with suppress(FileExistsError):
            folder.mkdir(parents=True)
            folder.chmod(0o1777)
        if not stat.S_ISDIR(folder.lstat().st_mode) or not os.access(folder, os.W_OK | os.X_OK):
            raise NotADirectoryError(f"{folder} is no folder that can be written")
    except OSError as error:
        raise Refused(f"The rate limits shared on this machine need a folder: {error}. Set MLM_LOCK_DIR.") from error
    return folder


def netloc_of(url: str) -> str:
    """Return host and port of `url` in lower case, without user names and without a final dot.

    Raises:
        ValueError: the port is no number.
    """
    parts = urlsplit(url)
    host = (parts.hostname or "").rstrip(".")
    return f"{host}:{parts.port}" if parts.port else host


class HostGate:
    """The gate before one service of one host; any number of gates, threads and processes share it by `folder`.

    `sleep` and `now` (seconds since 1970) are given by tests; `now` must be a clock that processes have in common.
    """

    def __init__(
        self,
        folder: Path,
        name: str,
        limit: Limit,
        *,
        max_wait_s: float,
        sleep: Callable[[float], None] = time.sleep,
        now: Callable[[], float] = time.time,
    ) -> None:
        safe = re.sub(r"[^a-z0-9.-]", "_", name.lower())
        self.name = name
        self._slots = [folder / f"{safe}.slot{number}" for number in range(limit.parallel)]
        self._queue = folder / f"{safe}.queue"
        self._turn = folder / f"{safe}.turn"
        self._blocked = folder / f"{safe}.blocked"
        self._interval_s = RATE_MARGIN / limit.rate_per_s
        self._max_wait_s = max_wait_s
        self._sleep = sleep
        self._now = now

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Hold one of the parallel slots, entered at the moment at which a request may leave.

        Raises:
            HostDown: the service asked to be left alone for longer than we wait.
        """
        slot = self._acquire_slot()
        try:
            self._await_turn()
            yield
        finally:
            os.close(slot)  # which frees the lock

    def block_until(self, moment: float) -> None:
        """Keep every process out until `moment` (seconds since 1970), as a Retry-After asked."""
        with _locked(self._blocked) as handle:
            latest = self._now() + LONGEST_BLOCK_S
            _write_time(handle, min(latest, max(moment, _read_time(handle))))

    def blocked_until(self) -> float:
        """Return until when every process is kept out; 0 where nobody asked for it."""
        with _locked(self._blocked) as handle:
            moment = _read_time(handle)
        return moment if moment <= self._now() + LONGEST_BLOCK_S + 1 else 0.0

    def _acquire_slot(self) -> int:
        """Wait for a free slot and return its open, locked file."""
        if len(self._slots) == 1:
            return _lock(self._slots[0])
        with _locked(self._queue):  # one process looks for a free slot, the others sleep in the kernel
            while True:
                for path in self._slots:
                    handle = _try_lock(path)
                    if handle is not None:
                        return handle
                time.sleep(_SLOT_POLL_S)

    def _await_turn(self) -> None:
        """Wait for the turn, and push the next one back by an interval."""
        with _locked(self._turn) as handle:
            # A clock that was set back cannot make it later than an interval.
            due = min(_read_time(handle), self._now() + self._interval_s)
            while (pause_s := max(due, self.blocked_until()) - self._now()) > 0:
                if pause_s > self._max_wait_s + self._interval_s:
                    raise HostDown(
                        f"{self.name} asked to be left alone for another {pause_s:.0f} s, which is longer than "
                        f"MLM_MAX_RETRY_AFTER_S ({self._max_wait_s:.0f} s) allows. Run again later."
                    )
                self._sleep(pause_s)
            _write_time(handle, self._now() + self._interval_s)


@contextmanager
def _locked(path: Path) -> Iterator[int]:
    handle = _lock(path)
    try:
        yield handle
    finally:
        os.close(handle)


def _lock(path: Path) -> int:
    handle = _open(path)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
    except BaseException:
        os.close(handle)
        raise
    _mark_used(handle)
    return handle


def _try_lock(path: Path) -> int | None:
    handle = _open(path)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        return None
    _mark_used(handle)
    return handle


def _mark_used(handle: int) -> None:
    """Set the file's time, so that whatever tidies the temp folder leaves it."""
    with suppress(PermissionError):
        os.utime(handle)


def _open(path: Path) -> int:
    """Open `path` anew (a lock belongs to the open file: threads exclude each other too), made if need be.

    A file of another user in a folder with the sticky bit must be opened without O_CREAT (Linux: protected_regular).
    """
    flags = os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        with suppress(FileNotFoundError):
            return os.open(path, flags)
        with suppress(FileExistsError):
            handle = os.open(path, flags | os.O_CREAT | os.O_EXCL, 0o666)
            os.fchmod(handle, 0o666)
            return handle
        return os.open(path, flags)
    except OSError as error:
        raise Refused(f"The rate limits shared on this machine cannot be used: {error}. Set MLM_LOCK_DIR.") from error


def _read_time(handle: int) -> float:
    try:
        return float(os.pread(handle, 64, 0))
    except ValueError:  # new, or its writer was killed
        return 0.0


def _write_time(handle: int, moment: float) -> None:
    os.pwrite(handle, f"{moment:020.6f}".encode(), 0)
