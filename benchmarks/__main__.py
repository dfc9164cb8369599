"""Run every measurement, or those named, and print one JSON.

python -m benchmarks [cells] [settlements] [start_up] [requests] [--candidates 20000]
"""

import argparse
import json
import os
import platform
import sys
from collections.abc import Callable
from typing import Any

from benchmarks.cells import measure_cells
from benchmarks.requests_per_thousand import measure_requests
from benchmarks.settlements import measure_settlements
from benchmarks.start_up import measure_start_up


def main() -> None:
    """Parse the arguments, measure, print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument("names", nargs="*")
    parser.add_argument("--candidates", type=int, default=20_000, help="size of the generated world")
    arguments = parser.parse_args()
    measures: dict[str, Callable[[], Any]] = {
        "cells": measure_cells,
        "settlements": measure_settlements,
        "start_up": measure_start_up,
        "requests": lambda: measure_requests(arguments.candidates),
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
