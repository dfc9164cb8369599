"""Hand one message to one address: through apprise, or appended to a file (`file:///path`), which apprise lacks.

Apprise and urllib3 name addresses in their logs; none of it may get out. Apprise's is listened to here, only to learn
the number of an HTTP error, and goes nowhere else.
"""

import logging
import os
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urlsplit

NOT_UNDERSTOOD: Final = "apprise does not understand this address"
_TYPES: Final = {"error": "failure", "warning": "warning", "recovery": "success"}
_one_at_a_time = threading.Lock()


def is_understood(url: str) -> bool:
    """Tell whether an address can be delivered to, as far as its form goes; sends nothing."""
    if _is_file(url):
        return bool(urlsplit(url).path)
    with _listening():
        return _plugin(url) is not None


def send(url: str, title: str, body: str, severity: str) -> str | None:
    """Deliver one message as plain text; return None when the target took it, else why not, without the address."""
    if _is_file(url):
        return _append(url, title, body)
    with _listening() as heard:
        try:
            return _through_apprise(url, title, body, severity, heard)
        except Exception as error:  # a plugin of somebody else: whatever it raises, the other targets go on
            return f"the target's plugin failed ({type(error).__name__})"


def _through_apprise(url: str, title: str, body: str, severity: str, heard: list[str]) -> str | None:
    import apprise

    plugin = _plugin(url)
    if plugin is None:
        return NOT_UNDERSTOOD
    # In this thread, one target at a time: each has a delivery of its own to be recorded.
    box = apprise.Apprise(asset=apprise.AppriseAsset(async_mode=False))
    box.add(plugin)
    kind = apprise.NotifyType(_TYPES.get(severity, "info"))
    if box.notify(body=body, title=title, notify_type=kind, body_format=apprise.NotifyFormat.TEXT):
        return None
    return _reason(heard)


def _plugin(url: str) -> Any:
    import apprise

    try:
        return apprise.Apprise.instantiate(url, suppress_exceptions=True)
    except Exception:
        return None


def _reason(heard: list[str]) -> str:
    """Return why a target did not take a message, from apprise's log; only what cannot hold a secret."""
    for line in heard:
        if status := re.search(r"error=(\d{3})\b", line):
            return f"the target answered {status[1]}"
    if any("onnection error" in line for line in heard):
        return "the target cannot be reached"
    return "the target did not take it"


@contextmanager
def _listening() -> Iterator[list[str]]:
    """Keep what apprise logs to ourselves while the block runs."""
    logger, transport = logging.getLogger("apprise"), logging.getLogger("urllib3")
    heard: list[str] = []
    ear = _Ear(heard)
    with _one_at_a_time:
        before = logger.handlers[:], logger.propagate, logger.level, transport.level
        logger.handlers, logger.propagate = [ear], False
        logger.setLevel(logging.WARNING)
        transport.setLevel(logging.CRITICAL)
        try:
            yield heard
        finally:
            logger.handlers, logger.propagate = before[0], before[1]
            logger.setLevel(before[2])
            transport.setLevel(before[3])


class _Ear(logging.Handler):
    def __init__(self, heard: list[str]) -> None:
        super().__init__()
        self._heard = heard

    def emit(self, record: logging.LogRecord) -> None:
        self._heard.append(record.getMessage())


def _is_file(url: str) -> bool:
    return url.lower().startswith("file://")


def _append(url: str, title: str, body: str) -> str | None:
    """Append a message to a local file, and see it to the disk."""
    path = Path(unquote(urlsplit(url).path))
    try:
        with path.open("a", encoding="utf-8") as file:
            file.write(f"{title}\n{body}\n\n")
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        return f"the file cannot be written ({error.strerror})"
    return None
