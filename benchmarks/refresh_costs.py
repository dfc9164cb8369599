"""What an incremental refresh costs beside a full one, on a generated world that moves forward by three months.

Three releases in one home, each month with the same share of items, articles and files edited; the last one is fetched
again as a whole in an empty home, and both must be the same files. `mlm plan` is asked before each refresh.
"""

import hashlib
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Final

from mlm_assets.resources.lake import Lake

RELEASES: Final = ("2026-12", "2027-01", "2027-02")
RATE: Final = 0.02
SEED: Final = 1
LIMITS: Final = {"facts": 0.10, "extracts": 0.08, "action_api": 0.60}
"""Share of the first month's requests that the second may cost."""
TRIED: Final = ("ok", "undecodable", "too_many_bytes", "no_thumbnail", "unavailable")
"""Statuses of files that may have been downloaded."""


def measure_refresh(n_candidates: int, n_shards: int = 8, folder: Path | None = None) -> dict[str, Any]:
    """Return requests per release, the shares of the first one's, what was foretold, and whether the bytes agree."""
    with tempfile.TemporaryDirectory(dir=folder) as temporary:
        home, other = Path(temporary) / "home", Path(temporary) / "other"
        size = ("--generate", str(n_candidates), "--seed", str(SEED), "--rate", str(RATE))
        found: dict[str, Any] = {"candidates": n_candidates, "shards": n_shards, "releases": {}}
        for month, release in enumerate(RELEASES):
            foretold = json.loads(_mlm("plan", "--home", home, "--json"))["refresh"] if month else None
            run = _release(home, release, "--month", str(month), *size, *(("--shards", str(n_shards)) * (month == 0)))
            found["releases"][release] = {**run, "foretold": foretold, **_downloads(Lake(home), release)}
        last = len(RELEASES) - 1
        found["full"] = _release(other, RELEASES[last], "--month", str(last), *size, "--shards", str(n_shards))
        found["equal_to_a_full_fetch"] = digests(home, RELEASES[last]) == digests(other, RELEASES[last])
        return {**found, **shares_of(found)}


def shares_of(found: dict[str, Any]) -> dict[str, Any]:
    """Return what the later months cost as shares of the first, and how far off `mlm plan` was."""
    first, *later = (figures_of(found["releases"][release]) for release in RELEASES)
    foretold = [figures_of(found["releases"][release]["foretold"]) for release in RELEASES[1:]]
    return {
        "shares": [{name: round(month[name] / first[name], 4) for name in LIMITS} for month in later],
        "limits": dict(LIMITS),
        "plan_was_off_by": [
            {name: round(said[name] / month[name] - 1, 4) for name in month if month[name]}
            for said, month in zip(foretold, later, strict=True)
        ],
    }


def figures_of(said: dict[str, Any]) -> dict[str, int]:
    """Return the figures that are held against limits, of a run or of a plan."""
    kinds = said["requests_by_kind"]
    return {
        "facts": kinds["sparql"].get("facts", 0),
        "extracts": kinds["action_api"].get("extracts", 0),
        "info": kinds["action_api"].get("info", 0),
        "imageinfo": kinds["action_api"].get("imageinfo", 0),
        "sparql": said["requests"]["sparql"],
        "action_api": said["requests"]["action_api"],
        "downloads": said["requests"]["files"],
    }


def digests(home: Path, release: str) -> dict[str, str]:
    """Return the SHA-256 of every file of the datasets of a release."""
    folder = home / "datasets" / release
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def _release(home: Path, release: str, *arguments: str) -> dict[str, Any]:
    began = time.perf_counter()
    _mlm("run", "--home", home, "--release", release, "--to", "datasets", *arguments)
    summary = json.loads((home / "run_summary.json").read_text("utf-8"))
    kept = {name: summary[name] for name in ("requests", "requests_by_kind", "bytes")}
    return {"seconds": round(time.perf_counter() - began), **kept}


def _downloads(lake: Lake, release: str) -> dict[str, int]:
    """Return how many files of a release are in no earlier one."""
    of_release: dict[str, set[str]] = {}
    for pointer in lake.accepted_all("images"):
        for one in lake.history("images", pointer.partition):
            rows = lake.read(one).select(["file_sha1", "status"]).to_pylist()
            of_release.setdefault(one.release, set()).update(
                row["file_sha1"] for row in rows if row["file_sha1"] and row["status"] in TRIED
            )
    earlier = set().union(*(files for other, files in of_release.items() if other < release))
    return {"files": len(of_release[release]), "new_files": len(of_release[release] - earlier)}


def _mlm(*arguments: str | Path) -> str:
    command = [sys.executable, "-m", "mlm_assets", *(str(argument) for argument in arguments)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode:
        raise RuntimeError(
            f"mlm {' '.join(map(str, arguments))} ended with {result.returncode}: {result.stderr[-2000:]}"
        )
    return result.stdout
