"""Charts of the release page as inline SVG: no script, no request, readable by a screen reader.

Each bar carries its number as text, marked with the figure's key; colours come from the page's style.
"""

from collections.abc import Sequence
from html import escape
from typing import Final

from mlm_assets.release.metadata.grids import Figure

_WIDTH: Final = 640
_LABEL: Final = 130
_NUMBER: Final = 90
_ROW: Final = 26
_BAR: Final = 16
_LEGEND: Final = 28
_PART: Final = 130


def bars(name: str, title: str, rows: Sequence[tuple[str, Figure]]) -> str:
    """Return horizontal bars, one per label, scaled to the largest figure."""
    largest = max([figure.value or 0 for _, figure in rows] + [1])
    room = _WIDTH - _LABEL - _NUMBER
    parts = []
    for at, (label, figure) in enumerate(rows):
        y = at * _ROW + 4
        width = round(room * (figure.value or 0) / largest, 1)
        parts += [
            f'<text x="{_LABEL - 8}" y="{y + 13}" class="label">{escape(label)}</text>',
            f'<rect x="{_LABEL}" y="{y}" width="{width}" height="{_BAR}" rx="3" class="s1"/>',
            _number(_LABEL + width + 6, y + 13, figure),
        ]
    return _svg(name, title, len(rows) * _ROW + 8, parts)


def shares(name: str, title: str, parts_of: Sequence[str], rows: Sequence[tuple[str, Sequence[Figure]]]) -> str:
    """Return stacked bars, one per label and all of one length, with a legend of the parts."""
    found = []
    for at, part in enumerate(parts_of):
        left = _LABEL + at * _PART
        found += [
            f'<rect x="{left}" y="6" width="12" height="12" rx="3" class="s{at + 1}"/>',
            f'<text x="{left + 18}" y="16">{escape(part)}</text>',
        ]
    room = _WIDTH - _LABEL
    for at, (label, figures) in enumerate(rows):
        y = _LEGEND + at * (_ROW + _ROW) + 4
        total = sum(figure.value or 0 for figure in figures) or 1
        found.append(f'<text x="{_LABEL - 8}" y="{y + 13}" class="label">{escape(label)}</text>')
        x = float(_LABEL)
        for number, figure in enumerate(figures):
            width = room * (figure.value or 0) / total
            found.append(f'<rect x="{x:.1f}" y="{y}" width="{width:.1f}" height="{_BAR}" class="s{number + 1}"/>')
            found.append(_number(_LABEL + number * _PART, y + _BAR + 15, figure))
            x += width
    return _svg(name, title, _LEGEND + len(rows) * 2 * _ROW + 8, found)


def _number(x: float, y: float, figure: Figure) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" class="number" data-figure="{escape(figure.key)}" '
        f'data-value="{figure.value}">{figure}</text>'
    )


def _svg(name: str, title: str, height: int, parts: Sequence[str]) -> str:
    return (
        f'<svg viewBox="0 0 {_WIDTH} {height}" role="img" aria-labelledby="{name}-title">'
        f'<title id="{name}-title">{escape(title)}</title>{"".join(parts)}</svg>'
    )
