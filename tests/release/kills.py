"""A real SIGKILL at a chosen point: before or after the k-th time that an action touches the names or disk of files."""

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tests.assets.conftest import tree

WATCHED = ("fsync", "rename", "replace", "unlink", "chmod")


def killed_at(point: int, action: Callable[[], Any]) -> bool:
    """Run `action` in a child that is killed at `point`; return whether it came so far. An error of it is raised.

    Even points lie before the k-th call, odd ones after it.
    """
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            _watch(point)
            action()
            code = 0
        finally:
            os._exit(code)
    _, status = os.waitpid(pid, 0)
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == signal.SIGKILL
        return True
    assert os.WEXITSTATUS(status) == 0, "the action failed before it was killed"
    return False


def points(every: int = 1, first: int = 0) -> Iterator[int]:
    """Yield points to be killed at, `every` so many calls; the caller stops where an action ends unharmed."""
    yield from range(first, 100_000, every)


def bytes_below(folder: Path) -> dict[str, str]:
    """Return the hash of every file below a folder, whatever temporary names killed processes left beside it."""
    return {path: sha256 for path, sha256 in tree(folder).items() if not path.startswith(".tmp-")}


def _watch(point: int) -> None:
    calls = 0

    def watched(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            nonlocal calls
            number, calls = calls, calls + 1
            if point == 2 * number:
                os.kill(os.getpid(), signal.SIGKILL)
            try:
                return real(*arguments, **options)
            finally:
                if point == 2 * number + 1:
                    os.kill(os.getpid(), signal.SIGKILL)

        return call

    for name in WATCHED:
        setattr(os, name, watched(getattr(os, name)))
