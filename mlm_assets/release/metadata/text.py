"""How grids, YAML and JSON are written, the same for every document.

Only the shape of text belongs here; what is said is in `words` and `grids`.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from mlm_assets.release.metadata.grids import Cell, Code, Figure, Grid, Link
from mlm_assets.tables import VARIANTS

_SPECIAL = re.compile(r"([\\`*_\[\]<>|#~])")


def markdown_document(*parts: str) -> bytes:
    """Return parts of Markdown with an empty line between, as a file; empty parts are left out."""
    return ("\n\n".join(part.strip("\n") for part in parts if part.strip()) + "\n").encode()


def markdown_table(grid: Grid) -> str:
    """Return a grid as a Markdown table; a sentence where it has no rows."""
    if not grid.rows:
        return "None."
    rule = ["---:" if is_numeric else "---" for is_numeric in grid.numeric_columns()]
    rows = [[_markdown_cell(cell) for cell in row] for row in grid.rows]
    head = [f"`{one}`" if one in VARIANTS else one for one in grid.columns]
    return "\n".join("| " + " | ".join(row) + " |" for row in [head, rule, *rows])


def markdown_section(grid: Grid, level: int = 2) -> str:
    """Return a grid under its title."""
    return f"{'#' * level} {grid.title}\n\n{markdown_table(grid)}"


def bullets(sentences: Sequence[str]) -> str:
    """Return sentences as a list of Markdown."""
    return "\n".join(f"- {sentence}" for sentence in sentences)


def json_document(value: Any) -> bytes:
    """Return a value as the bytes of a JSON file."""
    return (json.dumps(value, indent=1, ensure_ascii=False) + "\n").encode()


def yaml_text(value: Mapping[str, Any]) -> str:
    """Return a mapping as YAML in block style; keys are plain words, texts are quoted as in JSON."""
    return "\n".join(_yaml_lines(value, "")) + "\n"


def front_matter(value: Mapping[str, Any]) -> str:
    """Return a mapping as the YAML front matter of a Markdown file."""
    return f"---\n{yaml_text(value)}---"


def plain(text: str) -> str:
    """Return a text that Markdown shows as it is, on one line."""
    return _SPECIAL.sub(r"\\\1", " ".join(text.split()))


def _markdown_cell(cell: Cell) -> str:
    if isinstance(cell, Figure):
        return str(cell)
    if isinstance(cell, Link):
        return f"[`{cell.path}`]({quote(cell.path)})"
    if isinstance(cell, Code):
        return _code(cell.text)
    return plain(cell)


def _code(text: str) -> str:
    """Return a code span; a text with back-ticks gets a longer fence, a bar would end the cell."""
    text = " ".join(text.split()).replace("|", "\\|")
    if not text:
        return "–"
    runs = re.findall(r"`+", text)
    fence = "`" * (max(map(len, runs), default=0) + 1)
    return f"{fence} {text} {fence}" if runs else f"`{text}`"


def _yaml_lines(value: Any, indent: str) -> Iterator[str]:
    items = value.items() if isinstance(value, Mapping) else ((None, one) for one in value)
    for key, one in items:
        lead = f"{indent}- " if key is None else f"{indent}{key}:"
        if isinstance(one, Mapping) or (isinstance(one, Sequence) and not isinstance(one, str)):
            yield from _yaml_nested(one, lead, indent, is_item=key is None)
        else:
            yield f"{lead.rstrip()} {json.dumps(one, ensure_ascii=False)}"


def _yaml_nested(one: Any, lead: str, indent: str, *, is_item: bool) -> Iterator[str]:
    if not one:
        yield f"{lead.rstrip()} {'{}' if isinstance(one, Mapping) else '[]'}"
        return
    lines = list(_yaml_lines(one, indent + "  "))
    if is_item:
        yield f"{indent}- {lines[0].lstrip()}"
        yield from lines[1:]
    else:
        yield lead
        yield from lines
