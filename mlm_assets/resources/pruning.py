"""Which versions may go: those that nobody reads, nothing refers to, and that have lain there long enough.

Kept are the versions of all pointers, of every acceptance in the history, what those were made from, what a manifest
pins, what drafted and published releases pin, and what the newest audits speak of (a rejected version that waits for an
approval). Raw answers, pictures and
features are not touched: they are found by content and belong to no version.
"""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mlm_assets.errors import MlmError
from mlm_assets.release.manifest import MANIFEST_FILE
from mlm_assets.resources.lake import Lake, Version, file_partition, file_table
from mlm_assets.tables import TABLES

_BESIDE = ("failing", "profiles")
"""Folders that hold something about a version, in the same order as `tables/`."""


@dataclass(frozen=True)
class Leftover:
    """A file of a version that may go."""

    path: str
    size_bytes: int


def leftovers(lake: Lake, older_than_days: float, home: Path | None = None) -> Iterator[Leftover]:
    """Yield the files of versions that nothing refers to and that were written at least so long ago.

    `home` is where releases lie; by default the root of the lake, where that is a folder.
    """
    kept = referenced(lake, home)
    youngest = time.time() - older_than_days * 86_400
    for name in TABLES:
        folder = f"tables/{file_table(name)}"
        for partition in lake.list_names(folder):
            for file in lake.list_names(f"{folder}/{partition}"):
                version = file.removesuffix(".parquet")
                path = f"{folder}/{partition}/{file}"
                if (file_table(name), partition, version) in kept:
                    continue
                if lake.fs.modified(lake.full_path(path)).timestamp() <= youngest:
                    yield Leftover(path, int(lake.fs.size(lake.full_path(path)) or 0))


def prune(lake: Lake, older_than_days: float, home: Path | None = None) -> list[Leftover]:
    """Remove them, with the failing rows and the figures that belong to them; return what went."""
    gone = list(leftovers(lake, older_than_days, home))
    for one in gone:
        about = one.path.removeprefix("tables/").removesuffix(".parquet")
        for folder in _BESIDE:
            lake.remove_tree(f"{folder}/{about}")
            lake.remove_tree(f"{folder}/{about}.json")
        lake.remove_tree(one.path)
    return gone


def referenced(lake: Lake, home: Path | None = None) -> set[tuple[str, str, str]]:
    """Return (table, partition, version), as they stand in paths, of everything that somebody refers to."""
    found = _released(lake, home or (Path(lake.root) if lake.is_local else None))
    for name in TABLES:
        for pointer in lake.accepted_all(name):
            for accepted in (pointer, *lake.history(name, pointer.partition)):
                found.add(_key(name, accepted.partition, accepted.version))
                found |= {_key(*_input(key), value) for key, value in accepted.inputs.items()}
                if name == "refresh":
                    found |= _pinned(lake, accepted)
        for audit in lake.audits(name):
            found |= {_key(*one) for one in audit["together"]}
            found |= {_key(*_input(key), value) for key, value in audit["inputs"].items()}
    return found


def _released(lake: Lake, home: Path | None) -> set[tuple[str, str, str]]:
    """Return what the manifests of drafted and published releases pin: they can be built again as long as it is there.

    Raises:
        MlmError: a manifest cannot be read, so that nobody knows what it pins.
    """
    found: set[tuple[str, str, str]] = set()
    for path in sorted(home.glob(f"releases/*/*/{MANIFEST_FILE}")) if home is not None else ():
        try:
            inputs = json.loads(path.read_text("utf-8"))["inputs"]
        except (OSError, ValueError, KeyError) as error:
            raise MlmError(
                f"{path} cannot be read ({error!r}); nothing is pruned. Bring it back from a copy."
            ) from error
        for one in inputs:
            found.add(_key(one["table"], one["partition"], one["version"]))
            version = Version(one["table"], one["partition"], one["version"], one["n_rows"])
            if version.table == "refresh" and lake.exists(version.path):
                found |= _pinned(lake, version)
    return found


def _pinned(lake: Lake, manifest: Version) -> set[tuple[str, str, str]]:
    rows = lake.read(manifest).to_pylist()
    return {_key(row["name"], row["partition"], row["value"]) for row in rows if row["kind"] == "table"}


def _input(key: str) -> tuple[str, str]:
    name, _, partition = key.rpartition("/")
    return name, partition


def _key(name: str, partition: str, version: str) -> tuple[str, str, str]:
    return file_table(name), file_partition(partition), version
