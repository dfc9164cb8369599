"""Requests per thousand candidates, articles and files of a whole run, read from the local Wikimedia's own counts."""

import json
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any

from mlm_assets.local_wikimedia.process import running_server
from mlm_assets.resources.lake import Lake


def measure_requests(n_candidates: int) -> dict[str, Any]:
    """Run `mlm run` over a generated world and return what it asked for, per thousand, and bytes per image."""
    with tempfile.TemporaryDirectory() as folder, running_server(generate=n_candidates, seed=1) as base:
        began = time.perf_counter()
        home = Path(folder) / "home"
        command = [sys.executable, "-m", "mlm_assets", "run", "--home", str(home)]
        subprocess.run([*command, "--endpoint", base, "--release", "2026-12"], check=True, stdout=subprocess.DEVNULL)
        seconds = time.perf_counter() - began
        with urllib.request.urlopen(f"{base}/_stats") as answer:
            stats = json.load(answer)
        return {"seconds": round(seconds), **_per_thousand(home, stats)}


def _per_thousand(home: Path, stats: dict[str, Any]) -> dict[str, Any]:
    lake = Lake(home)
    n_candidates = sum(one.n_rows for one in lake.accepted_all("candidates"))
    n_articles = sum(one.n_rows for one in lake.accepted_all("summaries"))
    images = [
        row for one in lake.accepted_all("images") for row in lake.read(one).select(["file", "file_sha1"]).to_pylist()
    ]
    n_files = len({row["file"] for row in images})
    commons = stats["action_api_by_wiki"]["commons.wikimedia.org"]
    return {
        "candidates": n_candidates,
        "articles": n_articles,
        "files": n_files,
        "requests": stats["requests"],
        "sparql_per_1000_candidates": round(1000 * stats["requests"]["sparql"] / n_candidates, 2),
        "wikipedia_per_1000_articles": round(1000 * (stats["requests"]["action_api"] - commons) / n_articles, 2),
        "commons_per_1000_files": round(1000 * commons / n_files, 2),
        "downloads_per_file": round(stats["requests"]["files"] / n_files, 3),
        "bytes_per_image": round(stats["bytes"]["files"] / max(stats["requests"]["files"], 1)),
        "max_parallel": stats["max_parallel"],
        "peak_rate_per_s": stats["peak_rate_per_s"],
    }
