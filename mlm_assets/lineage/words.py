"""Texts of Wikipedia, Commons or a service as they are shown in a terminal: on one line, nothing that steers it."""

from typing import Any


def on_one_line(value: Any, length: int | None = None) -> str:
    """Return a value on one line, without control characters, cut to `length` characters where that is given."""
    text = "".join(character if character.isprintable() else " " for character in str(value))
    text = " ".join(text.split())
    return text if length is None or len(text) <= length else text[: length - 1] + "…"
