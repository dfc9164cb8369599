"""The 36 releases of the support window, one after the other, on a small generated world that moves forward each month.

Each month is what a maintainer's machine does: `mlm run --to release --without-models`, `mlm publish` and `mlm prune`
(the job `housekeeping`), as processes of their own against one local Wikimedia. Held on the way: no settlement ever
changes sides of the split, months take no longer as the lake grows, and the disk grows by what is new. A check that
blocks a month is approved, and counted.

python -m benchmarks.refresh_replay [--months 36] [--candidates 150] [--shards 1] [--folder DIR]

One JSON line at the end. With `--folder` a replay that was broken off goes on with the next month.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

from mlm_assets.local_wikimedia.process import running_server
from mlm_assets.releases import release_window
from mlm_assets.tables import VARIANTS

START: Final = "2026-12"
SEED: Final = 1
BOUNDS: Final = ("--t-min", "2", "--t-max", "10", "--quota-total", "30")
MONTHS_FILE: Final = "months.jsonl"
PARTS: Final = {
    "files": ("images", "raw/files"),
    "raw": ("raw",),
    "lake": ("tables", "accepted", "acceptances", "audits"),
    "datasets": ("datasets",),
    "releases": ("releases", "diffs"),
    "dagster": ("history", "schedules", "storage"),
}
"""Folders of the home whose growth is told apart. A file that is in several (hard links) counts in the first."""
BLOCKED: Final = 3
LEVEL_SHARE: Final = 0.01
"""A figure may rise by so much of its median from month to month and count as level."""
NEW_FILES_SHARE: Final = 0.1
RAW_SHARE: Final = 1.25


def replay(folder: Path, n_months: int, n_candidates: int, n_shards: int) -> dict[str, Any]:
    """Replay the months in `folder`, those that are done already left alone; return the figures and verdicts."""
    folder.mkdir(parents=True, exist_ok=True)
    months = _read(folder / MONTHS_FILE)
    with running_server(generate=n_candidates, seed=SEED) as base:
        for number, release in enumerate(release_window(START, n_months)):
            if number < len(months):
                continue
            _move(base, number)
            months.append(_month(folder / "home", base, release, n_shards))
            with (folder / MONTHS_FILE).open("a", encoding="utf-8") as file:
                file.write(json.dumps(months[-1]) + "\n")
            sys.stderr.write(f"{release}: {months[-1]['seconds']} s\n")
    splits = split_changes(folder / "home", [one["release"] for one in months])
    return {"candidates": n_candidates, "shards": n_shards, "months": months, **splits, **verdicts(months)}


def verdicts(months: list[dict[str, Any]]) -> dict[str, Any]:
    """Return what the months say together: how time and disk grow, each with its slope."""
    first, later = months[0]["disk"], months[1:]
    said: dict[str, Any] = {"n_releases": len(months), "n_approved": sum(len(one["approved"]) for one in months)}
    if len(later) < 3:
        return said
    said["seconds_per_month"] = slope([one["seconds"]["run"] for one in later])
    said["time_is_flat"] = is_level(said["seconds_per_month"])
    said["bytes_per_month"] = {part: {**slope(sizes), "first": first[part]} for part, sizes in grown(months).items()}
    said["requests_per_month"] = {
        service: slope([one["requests"][service] for one in later]) | {"first": months[0]["requests"][service]}
        for service in months[0]["requests"]
    }
    said["disk_is_bounded"] = is_bounded(months, said["bytes_per_month"])
    return said


def grown(months: list[dict[str, Any]]) -> dict[str, list[int]]:
    """Return by how many bytes each part of the home grew, per month after the first."""
    pairs = list(pairwise(months))
    return {part: [after["disk"][part] - before["disk"][part] for before, after in pairs] for part in PARTS}


def is_level(found: Mapping[str, float]) -> bool:
    """Tell whether a figure stays what it is: the interval of its slope holds zero, or it rises by next to nothing."""
    return found["low"] <= 0 or found["slope"] <= LEVEL_SHARE * found["median"]


def is_bounded(months: list[dict[str, Any]], per_month: Mapping[str, Mapping[str, float]]) -> bool:
    """Tell whether the disk grows by what is new: every part by the same each month, files by a small share of the
    first month's, stored answers by what was asked and not by what there is."""

    def asked(month: Mapping[str, Any]) -> int:
        return int(month["requests"]["sparql"] + month["requests"]["action_api"])

    raw = grown(months)["raw"]
    per_request = sum(raw) / max(1, sum(asked(one) for one in months[1:]))
    return (
        all(is_level(found) for found in per_month.values())
        and per_month["files"]["median"] <= NEW_FILES_SHARE * per_month["files"]["first"]
        and per_request <= RAW_SHARE * months[0]["disk"]["raw"] / asked(months[0])
    )


def slope(values: Sequence[float]) -> dict[str, float]:
    """Return median, and change per month with its 95 % interval (Theil and Sen's, which outliers do not move)."""
    from scipy.stats import theilslopes

    found = theilslopes(values, alpha=0.95)
    figures = {"median": sorted(values)[len(values) // 2], "slope": found.slope, "low": found.low_slope}
    return {name: round(float(value), 3) for name, value in {**figures, "high": found.high_slope}.items()}


def split_changes(home: Path, releases: list[str]) -> dict[str, Any]:
    """Return how many settlements the published releases name, and which ever changed sides, in any variant."""
    import pyarrow.parquet as pq

    sides: dict[str, str] = {}
    changed: Counter[str] = Counter()
    for release in releases:
        for variant in VARIANTS:
            file = home / "releases" / release / "v1" / "parquet" / variant / "entities.parquet"
            for row in pq.read_table(file, columns=["qid", "split"]).to_pylist():
                if sides.setdefault(row["qid"], row["split"]) != row["split"]:
                    changed[row["qid"]] += 1
    return {"n_settlements_ever": len(sides), "changed_sides": sorted(changed), "splits_are_stable": not changed}


def _month(home: Path, base: str, release: str, n_shards: int) -> dict[str, Any]:
    """Make and publish one release; return its figures."""
    began = time.perf_counter()
    approved = _run(home, base, release, n_shards)
    ran = time.perf_counter()
    if not (home / "releases" / release / "v1").is_dir():
        _mlm("publish", release, "--home", home, "--by", "the replay")
    published = time.perf_counter()
    _mlm("prune", "--home", home)
    summary = json.loads((home / "run_summary.json").read_text("utf-8"))
    manifest = json.loads((home / "releases" / release / "v1" / "manifest.json").read_text("utf-8"))
    return {
        "release": release,
        "seconds": {"run": round(ran - began, 1), "publish": round(published - ran, 1)},
        "requests": summary["requests"],
        "bytes_received": summary["bytes"],
        "settlements": {variant: figures["entities"] for variant, figures in manifest["variants"].items()},
        "approved": approved,
        "disk": disk(home),
    }


def _run(home: Path, base: str, release: str, n_shards: int) -> list[str]:
    """Make a release; approve what a check blocks, as a maintainer would who knows the cause, and go on."""
    arguments = ("run", "--home", home, "--endpoint", base, "--release", release, "--to", "release", *BOUNDS)
    shards = () if (home / "settings.json").is_file() else ("--shards", str(n_shards))
    approved: list[str] = []
    while True:
        result = _start(*arguments, "--without-models", *shards)
        if result.returncode != BLOCKED:
            _require(result)
            return approved
        rejected = json.loads(_mlm("status", "--json", "--home", home))["rejected"]
        waiting = [one for one in rejected if one["release"] == release]
        if not waiting:
            _require(result)
        for one in waiting:
            _mlm("approve", one["table"], one["partition"] or "*", "--reason", "seen in the replay", "--home", home)
            approved += [f"{one['table']} {one['partition']}: {check}" for check in one["checks"]]


def disk(home: Path) -> dict[str, int]:
    """Return the bytes of all files per part of a home; the rest is `other`."""
    seen: set[int] = set()

    def size(root: Path) -> int:
        total = 0
        for path in root.rglob("*") if root.is_dir() else ():
            about = path.lstat()
            if about.st_ino not in seen:
                seen.add(about.st_ino)
                total += about.st_size
        return total

    found = {part: sum(size(home / name) for name in names) for part, names in PARTS.items()}
    return {**found, "other": size(home)}


def _move(base: str, month: int) -> None:
    body = json.dumps({"month": month}).encode()
    request = urllib.request.Request(f"{base}/_world", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=120):
        pass


def _read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()] if path.is_file() else []


def _start(*arguments: str | Path) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "mlm_assets", *(str(argument) for argument in arguments)]
    environment = {**os.environ, "MLM_SUPPORT_START": START}
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)


def _require(result: "subprocess.CompletedProcess[str]") -> None:
    if result.returncode:
        command = " ".join(result.args[2:])
        raise RuntimeError(f"{command} ended with {result.returncode}: {result.stderr[-2000:]}")


def _mlm(*arguments: str | Path) -> str:
    result = _start(*arguments)
    _require(result)
    return result.stdout


def main() -> None:
    """Parse the arguments, replay, print one line of JSON."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.refresh_replay")
    parser.add_argument("--months", type=int, default=36)
    parser.add_argument("--candidates", type=int, default=150, help="size of the generated world")
    parser.add_argument("--shards", type=int, default=1)
    parser.add_argument("--folder", type=Path, help="where to work; kept, and gone on with")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.folder or Path(temporary)
        found = replay(folder, arguments.months, arguments.candidates, arguments.shards)
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
