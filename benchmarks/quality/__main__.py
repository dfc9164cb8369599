"""`make bench-quality`: live through the clean histories, seed the faults, and print what the checks made of it.

python -m benchmarks.quality [--seeds 10] [--months 36] [--processes 2] [--work DIR] [--fresh] [--write-docs]
                             [--kinds NAME,...] [--no-faults] [--no-clean] [--fault-month 14]

Ends with one line of JSON. What is done already (in `--work`) is not done again; after a change of checks or bands,
run with `--fresh`. `--no-clean` seeds faults with what clean history there is.
"""

import argparse
import json
import multiprocessing
import os
import shutil
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any, Final

from benchmarks.quality import tasks
from benchmarks.quality.home import N_MONTHS, prepare_environment

_PER_TASK: Final = 8
EARLY_KINDS: Final = (
    "class_edge_lost", "country_vanishes", "articles_vanish_some", "items_deleted", "coordinates_swapped",
    "pictures_are_placeholders", "extracts_empty", "facts_truncated", "labels_shifted", "split_salt_changed",
)  # fmt: skip
"""Kinds that are seeded at month 1, too, when there is hardly any history; reported beside the others."""


def main() -> None:
    """Parse the arguments, measure what is left to measure, report."""
    arguments = _arguments()
    work = arguments.work.absolute()
    if arguments.fresh:
        shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True, exist_ok=True)
    _check_same(work, {"candidates": arguments.candidates, "shards": arguments.shards})
    prepare_environment(work, arguments.shards)
    wanted = [] if arguments.no_faults else _wanted(arguments)
    _measure(arguments, work, [(name, month) for name, month, _ in wanted])
    _report(arguments, work, wanted)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.quality")
    parser.add_argument("--seeds", type=int, default=10, help="clean histories to live through")
    parser.add_argument("--months", type=int, default=N_MONTHS, help="months of each")
    parser.add_argument("--candidates", type=int, default=500, help="size of the worlds")
    parser.add_argument("--shards", type=int, default=2, help="shards of the homes; two at least for some faults")
    parser.add_argument("--fault-month", type=int, default=14, help="month into which faults are seeded")
    parser.add_argument("--kinds", default="", help="faults to seed, separated by commas; all by default")
    parser.add_argument("--processes", type=int, default=min(2, len(os.sched_getaffinity(0))))
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / "mlm-bench-quality")
    parser.add_argument("--fresh", action="store_true", help="forget what is done already")
    parser.add_argument("--no-faults", action="store_true", help="the clean histories alone")
    parser.add_argument("--no-clean", action="store_true", help="the faults alone")
    parser.add_argument("--write-docs", action="store_true", help="put the tables into docs/quality.md")
    return parser.parse_args()


def _check_same(work: Path, parameters: dict[str, int]) -> None:
    """Refuse to go on with results of another size."""
    file = work / "parameters.json"
    if file.is_file() and json.loads(file.read_text("utf-8")) != parameters:
        sys.exit(f"{work} holds results of {file.read_text('utf-8').strip()}. Use --fresh, or another --work.")
    file.write_text(json.dumps(parameters) + "\n", "utf-8")


def _wanted(arguments: argparse.Namespace) -> list[tuple[str, int, str]]:
    """Return the faults to seed: (name, month, "all", "early" or "held out")."""
    from benchmarks.quality.living import EARLY

    chosen = {name for name in arguments.kinds.split(",") if name}
    groups = _groups()
    unknown = chosen - {name for names in groups.values() for name in names}
    if unknown:
        sys.exit(f"There is no kind {', '.join(sorted(unknown))}.")
    last = min(arguments.fault_month, arguments.months - 1)
    wanted = [(name, last, group) for group, names in groups.items() for name in names]
    wanted += [(name, EARLY, "early") for name in EARLY_KINDS if last != EARLY]
    return [one for one in wanted if not chosen or one[0] in chosen]


def _groups() -> dict[str, list[str]]:
    from benchmarks.quality.held_out import HELD_OUT

    kinds = tasks.all_kinds()
    held_out = [kind.name for kind in HELD_OUT]
    return {"all": [name for name in kinds if name not in held_out], "held out": held_out}


def _measure(arguments: argparse.Namespace, work: Path, wanted: Sequence[tuple[str, int]]) -> None:
    """Run what is left, clean histories first; faults begin when the history that they are seeded into is there."""
    needed = sorted({month - 1 for _, month in wanted})
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(arguments.processes, mp_context=spawn, max_tasks_per_child=1) as pool:
        futures: list[Future[None]] = []
        if not arguments.no_clean:
            seeds = range(1, arguments.seeds + 1)
            size = (arguments.months, arguments.candidates)
            clean = [
                pool.submit(tasks.live_through, work, seed, *size, needed if seed == tasks.FAULT_SEED else ())
                for seed in seeds
            ]
            futures += clean
            if wanted:
                clean[0].result()
        for start in range(0, len(wanted), _PER_TASK):
            some = wanted[start : start + _PER_TASK]
            futures.append(pool.submit(tasks.seed_some, work, arguments.candidates, some))
        for future in as_completed(futures):
            future.result()


def _report(arguments: argparse.Namespace, work: Path, wanted: Sequence[tuple[str, int, str]]) -> None:
    from benchmarks.quality import report
    from benchmarks.quality.living import clean_results, fault_file
    from benchmarks.quality.totals import clean_of, figures_of

    kinds = tasks.all_kinds()
    months = [one for seed in range(1, arguments.seeds + 1) for one in clean_results(work, seed).values()]
    clean = clean_of([one for one in months if one["month"] < arguments.months])
    results: dict[str, list[dict[str, Any]]] = {"all": [], "early": [], "held out": []}
    for name, month, group in wanted:
        results[group].append(json.loads(fault_file(work, kinds[name], month).read_text("utf-8")))
    figures = figures_of(clean, results["all"], results["held out"])
    lines = ["### Clean history", "", *report.clean_lines(clean)]
    titles = {"all": "Faults", "early": "Faults in the second month", "held out": "Faults held out"}
    for group, title in titles.items():
        if results[group]:
            lines += [f"### {title}", "", *report.fault_lines(list(kinds.values()), results[group])]
    lines += ["### Figures", "", *report.figure_lines(figures)]
    sys.stdout.write("\n".join(["", *lines]))
    if arguments.write_docs:
        report.write_docs(lines)
    sys.stdout.write(json.dumps(figures) + "\n")


if __name__ == "__main__":
    main()
