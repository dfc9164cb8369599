"""Plots for the pages of assets: a map of points, a histogram, bars beside the paper's figures.

Each function returns the bytes of a small PNG; the same numbers give the same bytes. There is no basemap:
with many settlements the continents draw themselves. Figures are drawn through matplotlib's object interface,
never pyplot, so that nothing global is touched. Matplotlib is imported where it is used, for it is slow to
import. What a plot is attached to is the business of `assets`.
"""

import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MAX_PNG_BYTES: Final = 60_000

# Scale and number of colours, tried in turn until the picture is small enough; all but the first are for maps
# full of dots.
_ECONOMIES: Final = ((1.0, 128), (1.0, 32), (1.0, 14), (0.75, 32), (0.75, 14), (0.5, 14), (0.4, 8))

_MAP_INCHES: Final = (9.6, 5.2)
_DPI: Final = 100
_MAX_DOTS: Final = 20_000  # above this, dots hide each other, and the map shows densities instead
_CRISP_ABOVE: Final = 5_000
_MAX_COLOURED_DOTS: Final = 40_000
_MAX_LEGEND: Final = 12
_BIN_DEG: Final = 0.5
_MIN_SPAN_DEG: Final = 8.0
_ZOOM_BELOW: Final = 0.35  # a map that would fill less than this share of the world's width shows its own region
_INK: Final = "#22313f"
_MUTED: Final = "#8796a5"
_GRID: Final = "#d7dee5"
_SEA: Final = "#f5f8fa"
_BEHIND: Final = "#c3ccd4"
_OURS: Final = "#1f6f8b"
_THEIRS: Final = "#e0a458"
_DENSITY: Final = ("#8cc3d1", "#1f6f8b", "#2b2350", "#8f1d4a", "#e0633a")
_COLOURS: Final = (
    *("#1f6f8b", "#d1495b", "#edae49", "#66a182", "#7a5195", "#2e4057"),
    *("#ff7c43", "#00a6a6", "#a05195", "#8d99ae", "#5b8c5a", "#b56576"),
)


def map_png(
    lat: ArrayLike,
    lon: ArrayLike,
    title: str,
    colour_by: Sequence[str] | Sequence[int] | None = None,
    *,
    colours: Mapping[str, str] | None = None,
    behind: tuple[ArrayLike, ArrayLike] | None = None,
) -> bytes:
    """Draw points on a plain world map (equirectangular); points close together get a map of their region.

    Args:
        lat: (n,) latitudes in degrees.
        lon: (n,) longitudes in degrees.
        title: what the map shows; the number of points is added.
        colour_by: one label a point. Up to twelve different ones get a legend; beyond that colours only tell
            neighbours apart (class ids of cells).
        colours: the colour of a label, where it must be the same on every map.
        behind: latitudes and longitudes of points to draw in grey behind the others, so that one sees where those lie;
            of many, an even choice.

    Raises:
        ValueError: the arrays differ in length.
    """
    lat_deg, lon_deg = np.asarray(lat, dtype=np.float64), np.asarray(lon, dtype=np.float64)
    if lat_deg.shape != lon_deg.shape or (colour_by is not None and len(colour_by) != len(lat_deg)):
        raise ValueError("Latitudes, longitudes and labels must have the same length.")
    figure, axes = _canvas(_MAP_INCHES, f"{title}  ({len(lat_deg):,} point{'s' * (len(lat_deg) != 1)})")
    grey_lat, grey_lon = (np.asarray(one, dtype=np.float64) for one in behind or ((), ()))
    _graticule(axes, np.append(lat_deg, grey_lat), np.append(lon_deg, grey_lon))
    if len(grey_lat):
        every = -(-len(grey_lat) // _MAX_DOTS)
        axes.scatter(grey_lon[::every], grey_lat[::every], color=_BEHIND, s=3.0, linewidths=0, zorder=2)
    if colour_by is not None:
        _coloured_dots(axes, lat_deg, lon_deg, colour_by, colours or {})
    elif len(lat_deg) <= _MAX_DOTS:
        alpha = 0.75 if len(lat_deg) < _CRISP_ABOVE else 1.0
        axes.scatter(lon_deg, lat_deg, color=_OURS, alpha=alpha, **_dots(len(lat_deg)))
    else:
        _density(figure, axes, lat_deg, lon_deg)
    return _png(figure)


def histogram_png(values: ArrayLike, title: str, xlabel: str, log: bool = False) -> bytes:
    """Draw how `values` are distributed, with the median marked.

    Args:
        values: (n,) numbers; those that are no finite numbers, or not positive where `log` is set, are left
            out and counted.
        title: what is counted.
        xlabel: the quantity, with its unit.
        log: logarithmic axis of values, for lengths and sizes that span several powers of ten.
    """
    numbers = np.asarray(values, dtype=np.float64).ravel()
    shown = numbers[np.isfinite(numbers) & ((numbers > 0) | (not log))]
    left_out = len(numbers) - len(shown)
    figure, axes = _canvas((7.2, 4.0), title)
    axes.set_xlabel(xlabel + (f"   ({left_out:,} values not shown)" if left_out else ""), color=_INK)
    axes.set_ylabel("count", color=_INK)
    axes.grid(axis="y", color=_GRID, linewidth=0.7)
    if not len(shown):
        return _nothing(figure, axes)
    if log:
        axes.set_xscale("log")
    axes.hist(
        shown,
        bins=_bin_edges(shown, log=log).tolist(),
        color=_OURS,
        edgecolor="white",
        linewidth=0.4,
        zorder=2,
    )
    median = float(np.median(shown))
    axes.axvline(
        median,
        color=_THEIRS,
        linewidth=1.6,
        zorder=3,
        label=f"median {_short(median)}   (n = {len(shown):,})",
    )
    # Above the plot, where no bar can be behind it.
    axes.legend(loc="lower right", bbox_to_anchor=(1.0, 1.0), frameon=False, fontsize=9, labelcolor=_INK)
    _plain_numbers(axes.yaxis)
    if log:
        _plain_log_numbers(axes.xaxis)
    else:
        _plain_numbers(axes.xaxis)
    return _png(figure)


def bars_png(
    labels: Sequence[str],
    values: Sequence[float],
    title: str,
    reference: Sequence[float | None] | None = None,
    reference_label: str = "paper",
    label: str = "this release",
) -> bytes:
    """Draw one horizontal bar a label, from top to bottom, with the reference's bar under it.

    Args:
        labels: (n,) names of the bars.
        values: (n,) our figures.
        title: what is compared.
        reference: (n,) the figures to compare with; None where there is none for that label.
        reference_label: where the reference comes from.
        label: where our figures come from.

    Raises:
        ValueError: the sequences differ in length.
    """
    if len(labels) != len(values) or (reference is not None and len(reference) != len(labels)):
        raise ValueError("Labels, values and reference must have the same length.")
    if not labels:
        return _nothing(*_canvas((7.2, 1.4), title))
    rows_per_label = 1 if reference is None else 2
    figure, axes = _canvas((7.2, 1.2 + len(labels) * (0.14 + 0.2 * rows_per_label)), title)
    height = 0.8 / rows_per_label
    shift = 0.0 if reference is None else height / 2
    at = np.arange(len(labels), dtype=np.float64)
    _bars(axes, at - shift, values, height=height, colour=_OURS, label=label)
    if reference is not None:
        _bars(axes, at + shift, reference, height=height, colour=_THEIRS, label=reference_label)
        axes.legend(loc="upper right", bbox_to_anchor=(1.0, 0.0), ncols=2, frameon=False, fontsize=9, labelcolor=_INK)
    axes.set_yticks(at, labels, fontsize=9)
    axes.set_ylim(len(labels) - 0.5, -0.5)
    axes.set_xticks([])
    axes.spines["bottom"].set_visible(False)
    axes.tick_params(axis="y", length=0)
    largest = max([*values, *(value for value in reference or () if value is not None), 0.0])
    axes.set_xlim(0, (largest or 1.0) * 1.16)
    return _png(figure)


def lines_png(series: Mapping[str, Sequence[float | None]], title: str, xlabel: str, ylabel: str = "") -> bytes:
    """Draw one line per series over 1, 2, 3, ...; values that are None leave gaps.

    Args:
        series: name to values.
        title: what is shown.
        xlabel: what is counted along.
        ylabel: the quantity, with its unit.
    """
    from matplotlib.ticker import MaxNLocator

    figure, axes = _canvas((7.2, 4.0), title)
    axes.set_xlabel(xlabel, color=_INK)
    axes.set_ylabel(ylabel, color=_INK)
    axes.grid(axis="y", color=_GRID, linewidth=0.7)
    shown = {name: values for name, values in series.items() if any(value is not None for value in values)}
    if not shown:
        return _nothing(figure, axes)
    for number, (name, values) in enumerate(shown.items()):
        y = np.array([np.nan if value is None else value for value in values], dtype=np.float64)
        colour = _COLOURS[number % len(_COLOURS)]
        axes.plot(np.arange(1, len(y) + 1), y, color=colour, linewidth=1.6, marker="." * (len(y) < 40), label=name)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend(loc="best", frameon=False, fontsize=9, labelcolor=_INK)
    return _png(figure)


def _canvas(inches: tuple[float, float], title: str) -> tuple["Figure", "Axes"]:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=inches, dpi=_DPI, facecolor="white", layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.set_title(title, loc="left", color=_INK, fontsize=11, fontweight="bold", pad=8)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("bottom", "left"):
        axes.spines[side].set_color(_GRID)
    axes.tick_params(colors=_INK, labelsize=8, length=3, width=0.6)
    return figure, axes


def _nothing(figure: "Figure", axes: "Axes") -> bytes:
    axes.set_xticks([])
    axes.set_yticks([])
    axes.text(0.5, 0.5, "no values", transform=axes.transAxes, ha="center", va="center", color=_MUTED)
    return _png(figure)


def _png(figure: "Figure") -> bytes:
    """Return the figure as a small PNG, without the version and date that would make bytes differ."""
    raw = io.BytesIO()
    figure.savefig(raw, format="png", metadata={"Software": None})
    png = b""
    with Image.open(raw) as image:
        drawn = image.convert("RGB")
    for scale, n_colours in _ECONOMIES:
        size = (round(drawn.width * scale), round(drawn.height * scale))
        resized = drawn if scale == 1 else drawn.resize(size, Image.Resampling.BOX)
        palette = resized.quantize(n_colours, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
        out = io.BytesIO()
        palette.save(out, format="PNG", optimize=True)
        png = out.getvalue()
        if len(png) <= MAX_PNG_BYTES:
            break
    return png


def _graticule(axes: "Axes", lat: NDArray[np.float64], lon: NDArray[np.float64]) -> None:
    west, east, south, north = _extent(lat, lon)
    step = next(size for size in (1, 2, 5, 10, 15, 30) if (east - west) / size <= 12)
    axes.set_xlim(west, east)
    axes.set_ylim(south, north)
    axes.set_aspect("equal" if east - west > 180 else 1 / np.cos(np.radians((south + north) / 2)))
    axes.set_facecolor(_SEA)
    axes.set_xticks(_multiples(west, east, step), [_degrees(x, "E", "W") for x in _multiples(west, east, step)])
    axes.set_yticks(_multiples(south, north, step), [_degrees(y, "N", "S") for y in _multiples(south, north, step)])
    axes.grid(color=_GRID, linewidth=0.6, zorder=0)
    axes.axhline(0, color=_MUTED, linewidth=0.7, zorder=1)
    axes.set_axisbelow(True)


def _extent(lat: NDArray[np.float64], lon: NDArray[np.float64]) -> tuple[float, float, float, float]:
    """Return west, east, south, north: the world, or the region of the points where that is much smaller."""
    if not len(lat):
        return -180.0, 180.0, -90.0, 90.0
    middle_lon, middle_lat = (lon.min() + lon.max()) / 2, (lat.min() + lat.max()) / 2
    squeeze = max(float(np.cos(np.radians(middle_lat))), 0.2)
    width = max(float(np.ptp(lon)), float(np.ptp(lat)) * 1.9 / squeeze, _MIN_SPAN_DEG) * 1.12
    if width > 360 * _ZOOM_BELOW:
        return -180.0, 180.0, -90.0, 90.0
    height = width * squeeze / 1.9
    return (
        max(float(middle_lon - width / 2), -180.0),
        min(float(middle_lon + width / 2), 180.0),
        max(float(middle_lat - height / 2), -90.0),
        min(float(middle_lat + height / 2), 90.0),
    )


def _multiples(low: float, high: float, step: int) -> list[int]:
    return list(range(int(np.ceil(low / step)) * step, int(np.floor(high / step)) * step + 1, step))


def _degrees(value: int, positive: str, negative: str) -> str:
    return "0°" if value == 0 else f"{abs(value)}°{positive if value > 0 else negative}"


def _dots(n_points: int) -> dict[str, Any]:
    """Return how to draw so many dots: ever smaller, and many of them crisp, which compresses better."""
    area = float(np.clip(20_000 / max(n_points, 1), 1.5, 22.0))
    return {"s": area, "linewidths": 0, "zorder": 3, "antialiased": n_points < _CRISP_ABOVE}


def _density(figure: "Figure", axes: "Axes", lat: NDArray[np.float64], lon: NDArray[np.float64]) -> None:
    from matplotlib.colors import LinearSegmentedColormap, LogNorm

    west, east = axes.get_xlim()
    bin_deg = _BIN_DEG * (east - west) / 360.0
    edges_lon = np.arange(-180.0, 180.0 + bin_deg, bin_deg)
    edges_lat = np.arange(-90.0, 90.0 + bin_deg, bin_deg)
    counts, _, _ = np.histogram2d(lat, lon, bins=[edges_lat, edges_lon])
    image = axes.pcolormesh(
        *(edges_lon, edges_lat, np.ma.masked_equal(counts, 0)),
        norm=LogNorm(vmin=1, vmax=max(float(counts.max()), 10.0)),
        cmap=LinearSegmentedColormap.from_list("density", _DENSITY),
        zorder=2,
    )
    bar = figure.colorbar(image, ax=axes, shrink=0.7, pad=0.015, aspect=28)
    bar.set_label(f"points in {bin_deg:.2g}° × {bin_deg:.2g}°", color=_INK, fontsize=8)
    bar.ax.tick_params(labelsize=7, colors=_INK)
    bar.outline.set_visible(False)


def _coloured_dots(
    axes: "Axes",
    lat: NDArray[np.float64],
    lon: NDArray[np.float64],
    labels: Sequence[str] | Sequence[int],
    fixed: Mapping[str, str],
) -> None:
    names, codes = np.unique(np.asarray(labels), return_inverse=True)
    every = -(-len(lat) // _MAX_COLOURED_DOTS) or 1
    palette = [fixed.get(str(name), _COLOURS[k % len(_COLOURS)]) for k, name in enumerate(names.tolist())]
    colours = np.array(palette)[codes] if palette else np.array([])
    axes.scatter(lon[::every], lat[::every], c=colours[::every].tolist(), **_dots(len(lat)))
    if len(names) <= _MAX_LEGEND:
        for k, name in enumerate(names.tolist()):
            axes.scatter([], [], s=30, color=palette[k], label=f"{name}  ({int((codes == k).sum()):,})")
        axes.legend(loc="lower left", fontsize=8, framealpha=0.9, edgecolor=_GRID, labelcolor=_INK)
    if every > 1:
        note = f"one point in {every} is drawn"
        axes.text(0.995, 0.01, note, transform=axes.transAxes, ha="right", fontsize=7, color=_MUTED)


def _bin_edges(values: NDArray[np.float64], *, log: bool) -> NDArray[np.float64]:
    n_bins = int(np.clip(np.sqrt(len(values)), 8, 50))
    low, high = float(values.min()), float(values.max())
    if low == high:
        low, high = (low / 2, high * 2) if log else (low - 0.5, high + 0.5)
    if log:
        return np.asarray(np.geomspace(low, high, n_bins + 1), dtype=np.float64)
    return np.asarray(np.histogram_bin_edges(values, bins=n_bins, range=(low, high)), dtype=np.float64)


def _bars(
    axes: "Axes",
    at: NDArray[np.float64],
    values: Sequence[float] | Sequence[float | None],
    *,
    height: float,
    colour: str,
    label: str,
) -> None:
    drawn = [0.0 if value is None else float(value) for value in values]
    bars = axes.barh(at, drawn, height=height * 0.92, color=colour, label=label)
    texts = ["" if value is None else _short(value) for value in values]
    axes.bar_label(bars, texts, padding=3, fontsize=8, color=_INK)


def _plain_numbers(axis: object) -> None:
    from matplotlib.ticker import FuncFormatter

    axis.set_major_formatter(FuncFormatter(lambda value, _: _short(value)))  # type: ignore[attr-defined]


def _plain_log_numbers(axis: object) -> None:
    """Label 1, 2 and 5 of each power of ten, as numbers."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))  # type: ignore[attr-defined]
    axis.set_major_formatter(FuncFormatter(lambda value, _: _short(value)))  # type: ignore[attr-defined]
    axis.set_minor_formatter(NullFormatter())  # type: ignore[attr-defined]


def _short(value: float) -> str:
    """Return a number as a reader wants it: whole numbers with separators, others with three digits."""
    return f"{value:,.0f}" if float(value).is_integer() or abs(value) >= 1000 else f"{value:.3g}"
