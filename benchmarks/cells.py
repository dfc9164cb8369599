"""Geo-cells over 250,000 and 2,500,000 points: seconds, and how they grow."""

import math
import time
from typing import Any

import numpy as np

from mlm_assets.geo.cells import build_cells

SIZES = (250_000, 2_500_000)


def measure_cells() -> dict[str, Any]:
    """Return seconds and cells per size, and the exponent of growth (1 is linear)."""
    rows = [_measure(n) for n in SIZES]
    growth = math.log(rows[1]["seconds"] / rows[0]["seconds"]) / math.log(SIZES[1] / SIZES[0])
    return {"sizes": rows, "growth_exponent": round(growth, 3)}


def _measure(n: int) -> dict[str, Any]:
    rng = np.random.default_rng(1)
    # Clusters, as settlements are: 2,000 centres with a spread of half a degree.
    centres = np.column_stack([rng.uniform(-55, 70, 2_000), rng.uniform(-180, 180, 2_000)])
    points = centres[rng.integers(0, 2_000, n)] + rng.normal(0, 0.5, (n, 2))
    lat, lon = np.clip(points[:, 0], -90, 90), (points[:, 1] + 180) % 360 - 180
    began = time.perf_counter()
    cells = build_cells(lat, lon, t_min=20, t_max=500)
    return {"points": n, "seconds": round(time.perf_counter() - began, 3), "cells": len(cells.cells)}
