"""The little HTML that the page of a diff is built of; everything that comes from outside is escaped here.

A number that stands in `diff.json` is written by `Figures`, which looks it up there: it cannot be another one.
"""

import base64
import html
from collections.abc import Iterable, Sequence
from typing import Any, Final

SEPARATOR: Final = "/"


def text(value: object) -> str:
    """Return a value as text of a page."""
    return html.escape(str(value), quote=True)


def link(address: str | None, shown: str) -> str:
    """Return a link to `address`; the words alone where there is none."""
    return f'<a href="{text(address)}">{text(shown)}</a>' if address else text(shown)


def number(value: float | int | None) -> str:
    """Return a number as people read it: thousands apart, a dash where there is none.

    >>> number(1234567), number(0.12345), number(None)
    ('1,234,567', '0.123', '–')
    """
    if value is None:
        return "–"
    return f"{value:,}" if isinstance(value, int) else f"{value:,.3f}".rstrip("0").rstrip(".")


def signed(value: float | int) -> str:
    """Return a difference with its sign; a true minus.

    >>> signed(12), signed(-3), signed(0)
    ('+12', '−3', '±0')
    """
    if value == 0:
        return "±0"
    return f"+{number(value)}" if value > 0 else f"−{number(-value)}"


class Figures:
    """Writes numbers of a diff with the path by which they are found in `diff.json`."""

    def __init__(self, diff: Any) -> None:
        """Look figures up in `diff`."""
        self._diff = diff

    def value(self, *path: str | int) -> Any:
        """Return what stands at a path; KeyError or IndexError where nothing does."""
        found = self._diff
        for step in path:
            found = found[step]
        return found

    def html(self, *path: str | int) -> str:
        """Return the number at a path, marked with it."""
        return self._marked(number(self.value(*path)), path)

    def signed(self, *path: str | int) -> str:
        """Return the difference at a path with its sign, marked with the path."""
        return self._marked(signed(self.value(*path)), path)

    @staticmethod
    def _marked(shown: str, path: Sequence[str | int]) -> str:
        return f'<span data-figure="{text(SEPARATOR.join(map(str, path)))}">{shown}</span>'


def table(caption: str, head: Sequence[str], rows: Iterable[Sequence[str]], *, n_text: int = 1) -> str:
    """Return a table of cells that are HTML already: the first heads its row, those after `n_text` are numbers."""
    columns = "".join(f'<th scope="col"{_number_class(at >= n_text)}>{text(name)}</th>' for at, name in enumerate(head))
    lines = []
    for first, *others in rows:
        cells = "".join(f"<td{_number_class(at >= n_text)}>{cell}</td>" for at, cell in enumerate(others, 1))
        lines.append(f'<tr><th scope="row">{first}</th>{cells}</tr>')
    if not lines:
        return ""
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{text(caption)}"><table><caption>{text(caption)}'
        f"</caption><thead><tr>{columns}</tr></thead><tbody>{''.join(lines)}</tbody></table></div>"
    )


def _number_class(is_number: bool) -> str:
    return ' class="n"' if is_number else ""


def png(data: bytes, alternative: str) -> str:
    """Return a drawing, in the page itself."""
    return _image("image/png", data, alternative)


def jpeg(data: bytes, alternative: str) -> str:
    """Return a picture, in the page itself."""
    return _image("image/jpeg", data, alternative)


def _image(media_type: str, data: bytes, alternative: str) -> str:
    packed = base64.b64encode(data).decode()
    return f'<img src="data:{media_type};base64,{packed}" alt="{text(alternative)}">'


def section(name: str, title: str, *parts: str) -> str:
    """Return a section with its heading; `name` is what a link leads to."""
    return f'<section id="{name}" aria-labelledby="{name}-title"><h2 id="{name}-title">{text(title)}</h2>' + (
        "".join(parts) + "</section>"
    )


def words(parts: Sequence[Sequence[str]]) -> str:
    """Return an excerpt of `words.changed_words` with what is gone struck out and what is new underlined."""
    tags = {"=": "{}", "-": "<del>{}</del>", "+": "<ins>{}</ins>", "…": " … "}
    return "".join(tags[kind].format(text(said)) for kind, said in parts)
