"""Run every measurement, or those named, and print one JSON.

python -m benchmarks [cells] [constraints] [settlements] [start_up] [loading] [epochs] [epochs_bf16] [ranking]
                     [features] [full_size] [requests] [refresh_costs] [--candidates 20000] [--shards 8]

Studies of recipes (ablations, faults, real places) take an hour and are run by `python -m benchmarks.studies`.
"""

import argparse
import json
import os
import platform
import sys
from collections.abc import Callable
from typing import Any

from benchmarks.cells import measure_cells
from benchmarks.constraints import measure_constraints
from benchmarks.epochs import measure_epochs
from benchmarks.feature_lookup import measure_feature_lookup
from benchmarks.full_size import measure_full_size
from benchmarks.loading import measure_loading
from benchmarks.ranking import measure_ranking
from benchmarks.refresh_costs import measure_refresh
from benchmarks.requests_per_thousand import measure_requests
from benchmarks.settlements import measure_settlements
from benchmarks.start_up import measure_start_up


def main() -> None:
    """Parse the arguments, measure, print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument("names", nargs="*")
    parser.add_argument("--candidates", type=int, default=20_000, help="size of the generated world")
    parser.add_argument("--shards", type=int, default=8, help="shards of the homes of refresh_costs")
    arguments = parser.parse_args()
    measures: dict[str, Callable[[], Any]] = {
        "cells": measure_cells,
        "constraints": measure_constraints,
        "settlements": measure_settlements,
        "start_up": measure_start_up,
        "loading": measure_loading,
        "epochs": measure_epochs,
        "epochs_bf16": lambda: measure_epochs(device="auto", precision="bf16", batch=1024),
        "ranking": measure_ranking,
        "features": measure_feature_lookup,
        "full_size": measure_full_size,
        "requests": lambda: measure_requests(arguments.candidates),
        "refresh_costs": lambda: measure_refresh(arguments.candidates, arguments.shards),
    }
    unknown = sorted(set(arguments.names) - set(measures))
    if unknown:
        parser.error(f"no measurement is called {', '.join(unknown)}; there are {', '.join(measures)}")
    found: dict[str, Any] = {"python": platform.python_version(), "cores": len(os.sched_getaffinity(0))}
    for name in arguments.names or measures:
        sys.stderr.write(f"measuring {name} ...\n")
        found[name] = measures[name]()
    sys.stdout.write(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
