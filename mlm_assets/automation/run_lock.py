"""One walk at a time in a home: the lock that `mlm run` and the job `monthly_refresh` hold while they work.

The kernel frees it when its holder dies, however it dies. Beside it lies a note that says who the holder is, for the
message to whoever comes second; the note of a dead one is never believed, because the lock decides.
"""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from filelock import FileLock, Timeout

from mlm_assets.errors import Refused
from mlm_assets.resources.lake import utc_now

_FOLDER: Final = ".locks"
_LOCK: Final = "run.lock"
_NOTE: Final = "run.json"
_PATIENCE_S: Final = 0.5
"""A look at the lock holds it for a moment (`holder`); nobody is refused because of that."""


@contextmanager
def only_run(home: Path, what: str) -> Iterator[None]:
    """Hold the lock of a home; `what` says to others who holds it ("mlm run --release 2026-12").

    Raises:
        Refused: somebody else holds it; the sentence names them.
    """
    folder = home / _FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(str(folder / _LOCK), timeout=_PATIENCE_S)
    try:
        lock.acquire()
    except Timeout as error:
        raise Refused(
            f"{_words(_note(home)) or 'Another `mlm run`'} is at work in {home}. Wait for it, or choose another --home."
        ) from error
    try:
        _write(folder / _NOTE, {"what": what, "pid": os.getpid(), "since": utc_now()})
        yield
    finally:
        with suppress(OSError):
            (folder / _NOTE).unlink(missing_ok=True)
        lock.release()


def holder(home: Path) -> str | None:
    """Return who holds the lock of a home, as a phrase; None where nobody does."""
    path = home / _FOLDER / _LOCK
    if not path.exists():
        return None
    lock = FileLock(str(path), timeout=0)
    try:
        with lock:
            return None
    except Timeout:
        return _words(_note(home)) or "another `mlm run`"


def _note(home: Path) -> dict[str, Any]:
    try:
        said = json.loads((home / _FOLDER / _NOTE).read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return said if isinstance(said, dict) else {}


def _words(note: dict[str, Any]) -> str:
    return f"{note['what']} (process {note.get('pid')}, since {note.get('since')})" if note.get("what") else ""


def _write(path: Path, said: dict[str, Any]) -> None:
    temporary = path.with_name(f".tmp-{path.name}-{os.getpid()}")
    temporary.write_text(json.dumps(said) + "\n", "utf-8")
    temporary.replace(path)
