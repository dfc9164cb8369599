"""Words for people: text of others made harmless, and lists, figures and times written short."""

import re
import shlex
import unicodedata
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

SENTENCE: Final = 400
"""Characters that one text of somebody else may take."""


def clean(text: Any, limit: int = SENTENCE) -> str:
    """Return text that may come from Wikipedia or an error as one harmless line of at most `limit` characters.

    Control and formatting characters (also those that turn the direction of writing) become spaces; `<tag` and `@name`
    are written so that no chat takes them for a mention or a link.
    """
    line = "".join(" " if unicodedata.category(c)[0] in "CZ" else c for c in str(text)[: limit * 4])
    line = re.sub(r"<(?=[^\s\d=])", "‹", " ".join(line.split()))
    line = re.sub(r"@(?=\w)", "＠", line)
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "…"


def some(names: Sequence[str], limit: int = 5) -> str:
    """Return the first few names, and how many more there are."""
    shown = ", ".join(names[:limit])
    return shown if len(names) <= limit else f"{shown} and {len(names) - limit:,} more"


def figures(values: Mapping[str, Any], limit: int = 8) -> str:
    """Return the figures that are plain values, as `name value`, in their order."""
    plain = [(name, value) for name, value in values.items() if isinstance(value, (int, float, str))]
    return ", ".join(f"{clean(name, 40)} {_figure(value)}" for name, value in plain[:limit])


def _figure(value: float | str) -> str:
    if isinstance(value, (bool, str)):
        return clean(value, 60)
    return f"{value:,}" if isinstance(value, int) else f"{value:,.4g}"


def count(n: int, one: str, several: str = "") -> str:
    """Return `1 partition`, `2 partitions`."""
    return f"{n:,} {one if n == 1 else several or one + 's'}"


def when(moment: datetime) -> str:
    """Return a time as people read it, in UTC, to the minute."""
    return f"{moment:%Y-%m-%d %H:%M} UTC"


def command(*words: str) -> str:
    """Return a command as it is typed; empty words are left out."""
    return " ".join(shlex.quote(word) for word in words if word)
