"""Small homes that several tests look at; each is made once per test process by `mlm run` itself."""

import hashlib
import json
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from mlm_assets.local_wikimedia.process import running_server
from tests.commands import done, summary

N = 60
SEED = 3
RELEASE = "2026-12"
BOUNDS = ("--t-min", "2", "--t-max", "10", "--quota-total", "30")


@dataclass(frozen=True)
class Home:
    """A finished home, and the local Wikimedia that it was made from."""

    path: Path
    base: str
    summary: dict[str, Any]
    """The summary of the undisturbed run (the file in the home is that of the last run)."""


@pytest.fixture(scope="session")
def wikimedia() -> Iterator[str]:
    """A well-behaved generated world."""
    with running_server(generate=N, seed=SEED) as base:
        yield base


@pytest.fixture(scope="session")
def finished(wikimedia: str, tmp_path_factory: pytest.TempPathFactory) -> Home:
    """An undisturbed run with two shards: what all others are held against."""
    home = tmp_path_factory.mktemp("finished") / "home"
    done("run", "--home", home, "--endpoint", wikimedia, "--release", RELEASE, "--shards", "2", *BOUNDS)
    return Home(home, wikimedia, summary(home))


def tree(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of every file below `folder`."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def requests_so_far(base: str) -> dict[str, int]:
    """Return how many requests of each service a local Wikimedia has received."""
    with urllib.request.urlopen(f"{base}/_stats") as answer:
        return dict(json.load(answer)["requests"])
