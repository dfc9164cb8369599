"""Plots: what a test can hold (bytes, size, ink); whether they are good to look at was seen by eye."""

import io
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mlm_assets.geo import plots

random = np.random.default_rng(11)
LAT = np.degrees(np.arcsin(random.uniform(-1, 1, 30_000)))
LON = random.uniform(-180, 180, 30_000)

PLOTS: dict[str, Callable[[], bytes]] = {
    "dots": lambda: plots.map_png(LAT[:300], LON[:300], "Dots"),
    "many dots": lambda: plots.map_png(LAT[:20_000], LON[:20_000], "Dots"),
    "density": lambda: plots.map_png(LAT, LON, "Density"),
    "region": lambda: plots.map_png(48 + LAT[:500] / 90, 16 + LON[:500] / 90, "Region"),
    "one point": lambda: plots.map_png([48.2], [16.4], "One"),
    "no point": lambda: plots.map_png([], [], "None"),
    "labels": lambda: plots.map_png(LAT[:300], LON[:300], "Split", colour_by=["train", "test", "validation"] * 100),
    "behind": lambda: plots.map_png(
        LAT[:9], LON[:9], "New", ["new"] * 9, colours={"new": "#d1495b"}, behind=(LAT, LON)
    ),
    "cells": lambda: plots.map_png(LAT, LON, "Cells", colour_by=(np.arange(30_000) % 990).tolist()),
    "histogram": lambda: plots.histogram_png(LAT, "Latitudes", "degrees"),
    "log histogram": lambda: plots.histogram_png(np.exp(LAT / 20), "Sizes", "bytes", log=True),
    "one value": lambda: plots.histogram_png([5, 5, 5], "Same", "x"),
    "no value": lambda: plots.histogram_png([float("nan")], "None", "x"),
    "bars": lambda: plots.bars_png(["a", "b"], [3, 0], "Bars"),
    "bars and paper": lambda: plots.bars_png(["a", "b"], [3, 0], "Bars", reference=[4.5, None]),
    "no bars": lambda: plots.bars_png([], [], "Bars"),
}


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", PLOTS)
def test_a_small_png_with_the_same_bytes_every_time(name: str) -> None:
    png = PLOTS[name]()
    assert len(png) < plots.MAX_PNG_BYTES
    assert png == PLOTS[name]()
    with Image.open(io.BytesIO(png)) as image:
        image.load()
        assert image.format == "PNG"
        assert image.width >= 300


def colours_of(png: bytes) -> int:
    with Image.open(io.BytesIO(png)) as image:
        return len(set(image.convert("RGB").get_flattened_data()))


def test_points_leave_ink() -> None:
    assert plots.map_png([10.0] * 5, [10.0, 20, -90, 80, -150], "x") != plots.map_png([], [], "x")
    assert colours_of(plots.map_png(LAT, LON, "x")) > 10


def test_where_a_point_lies_matters() -> None:
    here = plots.map_png([10.0, 60.0], [10.0, -100.0], "x")
    there = plots.map_png([10.0, 60.0], [-10.0, -100.0], "x")
    assert here != there


def test_no_pyplot_and_no_matplotlib_before_the_first_plot() -> None:
    script = """
import sys
from mlm_assets.geo import plots
assert "matplotlib" not in sys.modules
plots.bars_png(["a"], [1], "x")
assert "matplotlib" in sys.modules and "matplotlib.pyplot" not in sys.modules
"""
    # The package may not be installed where these tests run, hence the path.
    subprocess.run([sys.executable, "-c", script], check=True, cwd=Path(__file__).resolve().parents[3])


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: plots.map_png([1.0], [1.0, 2.0], "x"),
        lambda: plots.map_png([1.0], [1.0], "x", colour_by=["a", "b"]),
        lambda: plots.bars_png(["a"], [1, 2], "x"),
        lambda: plots.bars_png(["a"], [1], "x", reference=[]),
    ],
)
def test_lengths_must_agree(wrong: Callable[[], bytes]) -> None:
    with pytest.raises(ValueError, match="same length"):
        wrong()


def test_a_label_has_its_colour_whatever_else_is_on_the_map() -> None:
    red = (209, 73, 91)
    drawn = [
        plots.map_png(LAT[:60], LON[:60], "New", labels, colours={"new": "#d1495b"})
        for labels in (["new"] * 60, ["gone"] * 30 + ["new"] * 30, ["gone"] * 60)
    ]
    assert [red in _pixels(png) for png in drawn] == [True, True, False]


def test_what_lies_behind_widens_the_map() -> None:
    alone = plots.map_png([48.2], [16.4], "One", ["new"])
    assert plots.map_png([48.2], [16.4], "One", ["new"], behind=(LAT[:50], LON[:50])) != alone


def _pixels(png: bytes) -> set[tuple[int, int, int]]:
    with Image.open(io.BytesIO(png)) as image:
        return {colour for _, colour in image.convert("RGB").getcolors(1 << 20)}
