"""`mlm rebuild`: a published release built again from its manifest and kept versions, without network, and compared.

It is the newest published version that is built; of earlier ones files may have been purged. Everything has to be the
same byte for byte, but for the DuckDB file, in which DuckDB puts random numbers: of that, all tables have to be.
"""

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from rich.console import Console

from mlm_assets.assets.freezing import frozen_from_manifest, software
from mlm_assets.errors import Refused
from mlm_assets.release.builder import build
from mlm_assets.release.checksums import faults_of, read_sums
from mlm_assets.release.formats import FORMATS, Builder
from mlm_assets.release.formats.duckdb import PATH as DUCKDB
from mlm_assets.release.formats.duckdb import table_hashes
from mlm_assets.release.frozen import Frozen, Say
from mlm_assets.release.manifest import CHECKSUMS_FILE, FileRecord
from mlm_assets.release.metadata import documents
from mlm_assets.release.publication import Releases, read_manifest
from mlm_assets.resources.lake import open_lake
from mlm_assets.settings import Settings

_REBUILT: Final = "rebuilt"
_SHOWN: Final = 50


@dataclass
class Rebuilt:
    """What was built again and how it compares: a sentence per difference."""

    release: str
    version: int
    folder: Path
    n_files: int
    differences: list[str] = field(default_factory=list)
    software: list[str] = field(default_factory=list)
    """Software that is not what the manifest names: another version may give other bytes."""


def rebuild(settings: Settings, release: str, into: Path | None, say: Say) -> Rebuilt:
    """Build the newest published version of a release again, below `into` or a folder that is removed afterwards.

    Raises:
        Refused: nothing of the release is published, or `into` is there already.
        MlmError: a version, a picture or a vector that the manifest pins is gone.
    """
    releases = Releases(settings.home, release)
    published = releases.newest()
    if published is None:
        raise Refused(f"Nothing of {release} is published, so there is nothing to build again. See `mlm releases`.")
    if into is not None and into.exists():
        raise Refused(f"{into} is there already. Name a new folder, or leave --into out.")
    manifest = read_manifest(published)
    folder = into or releases.folder / f".tmp-{_REBUILT}"
    tables: list[str] = []
    formats = {**FORMATS, "duckdb": _same_tables(published, manifest, tables)}
    try:
        frozen = frozen_from_manifest(open_lake(settings), settings, manifest, published)
        build(frozen, folder, documents, manifest["checks"], say, formats)
        found = Rebuilt(release, manifest["version"], into or published, len(read_sums(published)))
        found.differences = [fault.sentence for fault in faults_of(published, say)]
        found.differences += [*tables, *_differences(published, folder)]
    finally:
        if into is None:
            shutil.rmtree(folder, ignore_errors=True)
    now = software()
    found.software = [
        f"{name} {said}, here {now.get(name, 'none')}"
        for name, said in manifest["software"].items()
        if now.get(name) != said
    ]
    return found


def show(said: Rebuilt, console: Console) -> None:
    """Print what differs, and what may be the cause."""
    for one in said.differences[:_SHOWN]:
        console.print(f"! {one}")
    if len(said.differences) > _SHOWN:
        console.print(f"! and {len(said.differences) - _SHOWN:,} files more")
    for one in said.software if said.differences else ():
        console.print(f"  published with {one}")
    verdict = f"{len(said.differences):,} differ" if said.differences else "the same, byte for byte"
    console.print(f"{said.release} v{said.version}: {said.n_files:,} files built again, {verdict}")


def as_json(said: Rebuilt) -> dict[str, Any]:
    """Return what was found as plain data."""
    return {**vars(said), "folder": str(said.folder)}


def _same_tables(published: Path, manifest: Mapping[str, Any], differences: list[str]) -> Builder:
    """Return the builder of the DuckDB file that takes the published one where its tables are the same."""
    write: Callable[[Frozen, Path, Say], list[FileRecord]] = FORMATS["duckdb"]

    def written(frozen: Frozen, folder: Path, say: Say) -> list[FileRecord]:
        records = write(frozen, folder, say)
        before, now = table_hashes(published / DUCKDB), table_hashes(folder / DUCKDB)
        wrong = sorted(name for name in {*before, *now} if before.get(name) != now.get(name))
        differences.extend(f"{DUCKDB}: the table {name} differs" for name in wrong)
        if wrong:
            return records
        # Its bytes hold random numbers; with those of the published file, all that names its hash is comparable.
        (folder / DUCKDB).unlink()
        shutil.copyfile(published / DUCKDB, folder / DUCKDB)
        return [FileRecord(**file) for file in manifest["files"] if file["path"] == DUCKDB]

    return written


def _differences(published: Path, folder: Path) -> list[str]:
    """Return a sentence per file that is not the same; both folders are held by their checksums."""
    before, now = read_sums(published), read_sums(folder)
    found = [f"{path}: not built again" for path in sorted(before.keys() - now.keys())]
    found += [f"{path}: not in the published version" for path in sorted(now.keys() - before.keys())]
    found += [f"{path}: other bytes" for path in sorted(before.keys() & now.keys()) if before[path] != now[path]]
    if not found and (published / CHECKSUMS_FILE).read_bytes() != (folder / CHECKSUMS_FILE).read_bytes():
        found.append(f"{CHECKSUMS_FILE}: other bytes")
    return found
