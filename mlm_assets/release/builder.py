"""From frozen rows to the folder of a release, whole or not at all.

The order is: data files, kept files, `manifest.json`, the metadata that is rendered from it, `SHA256SUMS`; then the
folder gets its name. Nothing is asked of a clock: the same `Frozen` gives the same bytes, but for DuckDB's. Which rows
these are does not belong here (`assets.freezing`), nor who publishes the folder (`release.publication`).
"""

import hashlib
import json
import os
import shutil
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any, Final

from mlm_assets.errors import MlmError, Refused
from mlm_assets.release.checksums import bytes_sha256, files_below, sums_bytes
from mlm_assets.release.formats import FORMATS, Builder, write_tables
from mlm_assets.release.formats.files import hashed, new_file, sync_folder
from mlm_assets.release.frozen import Frozen, KeptFile, Say
from mlm_assets.release.manifest import (
    CHECKSUMS_FILE,
    MANIFEST_FILE,
    MIT,
    MIXED,
    FileRecord,
    manifest_bytes,
    manifest_of,
)
from mlm_assets.tables import TRAINED_VARIANTS

Documents = Callable[[Mapping[str, Any]], Mapping[str, bytes]]
"""Renders everything that follows from a manifest (`release.metadata.documents`), by path."""
TEMPORARY: Final = ".tmp-"
"""What a folder of a release is called while it is being made."""
_PIECE: Final = 1 << 20
_MEDIA_TYPES: Final = {
    ".json": "application/json", ".html": "text/html", ".md": "text/markdown", ".png": "image/png",
    ".jpg": "image/jpeg", ".parquet": "application/vnd.apache.parquet", ".css": "text/css", ".csv": "text/csv",
    ".svg": "image/svg+xml", ".txt": "text/plain",
}  # fmt: skip


def build(
    frozen: Frozen,
    folder: Path,
    documents: Documents,
    checks: Mapping[str, int],
    say: Say,
    formats: Mapping[str, Builder] = FORMATS,
) -> dict[str, Any]:
    """Make `folder` the release `frozen`, in place of what is there; return its manifest.

    `documents` renders the metadata from the manifest. A process that is killed leaves the old folder, the new one, or
    none, and perhaps a folder with a temporary name, which the next build removes.

    Raises:
        Refused: a kept file is not the one that was frozen.
        MlmError: a picture is gone, or a file cannot be made; `folder` is as it was.
    """
    clear_temporary(folder.parent, folder.name)
    unfinished = folder.with_name(f"{TEMPORARY}{folder.name}-{uuid.uuid4().hex}")
    unfinished.mkdir(parents=True)
    try:
        manifest = _fill(frozen, unfinished, documents, checks, _alive(unfinished, say), formats)
        put_in_place(unfinished, folder)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    say(f"{frozen.release}: {len(manifest['files']):,} files described in {folder}")
    return manifest


def rendered(manifest: Mapping[str, Any], documents: Documents) -> dict[str, bytes]:
    """Return every file that follows from a manifest alone: itself, and all metadata, by path.

    The metadata is given the manifest as it is read from its file.
    """
    written = manifest_bytes(manifest)
    return {MANIFEST_FILE: written, **documents(json.loads(written))}


def clear_temporary(parent: Path, name: str) -> None:
    """Remove what killed builds of the folder `name` left; nobody else may be building it."""
    for left in parent.glob(f"{TEMPORARY}{name}-*"):
        shutil.rmtree(left, ignore_errors=True)


def put_in_place(made: Path, folder: Path) -> None:
    """Give a finished folder its name; what had the name before is removed."""
    aside = folder.with_name(f"{TEMPORARY}{folder.name}-{uuid.uuid4().hex}")
    if folder.exists():
        folder.rename(aside)
    made.rename(folder)
    sync_folder(folder.parent)
    shutil.rmtree(aside, ignore_errors=True)


def _alive(folder: Path, say: Say) -> Say:
    """Return `say` that marks the folder as being worked on: what looks left behind for an hour is cleared (`Lake`)."""

    def told(text: str) -> None:
        os.utime(folder)
        say(text)

    return told


class _Watched:
    """The pictures of a release as they pass: the hash of each, and under which names it was linked."""

    def __init__(self, frozen: Frozen, folder: Path) -> None:
        self._frozen, self._folder = frozen, folder
        self._sha256: dict[str, str] = {}
        self._links: dict[str, str] = {}

    def frozen(self) -> Frozen:
        return replace(self._frozen, picture=self._picture, link_picture=self._link)

    def sums(self) -> dict[str, str]:
        """Return the hash of every linked picture that was read on the way, by its path in the release."""
        return {name: self._sha256[path] for name, path in self._links.items() if path in self._sha256}

    def _picture(self, path: str) -> bytes:
        data = self._frozen.picture(path)
        if path not in self._sha256:
            self._sha256[path] = bytes_sha256(data)
        return data

    def _link(self, path: str, target: Path) -> None:
        self._frozen.link_picture(path, target)
        self._links[target.relative_to(self._folder).as_posix()] = path


def _fill(
    frozen: Frozen,
    folder: Path,
    documents: Documents,
    checks: Mapping[str, int],
    say: Say,
    formats: Mapping[str, Builder],
) -> dict[str, Any]:
    watched = _Watched(frozen, folder)
    seen = watched.frozen()
    records = list(write_tables(seen, folder, say))
    for name in frozen.formats:
        say(f"{frozen.release}: writing {name}")
        records += formats[name](seen, folder, say)
    records += [_copied(kept, folder) for kept in frozen.kept]
    _require_distinct(records)
    manifest = manifest_of(frozen, records, checks)
    sums = {**watched.sums(), **{record.path: record.sha256 for record in records if not record.path.endswith("/")}}
    for path, data in rendered(manifest, documents).items():
        with new_file(folder, path) as file:
            file.write(data)
        sums[path] = bytes_sha256(data)
    say(f"{frozen.release}: checksums")
    with new_file(folder, CHECKSUMS_FILE) as file:
        file.write(sums_bytes(_complete(folder, sums)))
    return manifest


def _complete(folder: Path, sums: Mapping[str, str]) -> dict[str, str]:
    """Return the hashes of all files of the folder: those that are known, the others read."""
    there = list(files_below(folder))
    missing = sorted(set(sums).difference(there))
    if missing:
        raise MlmError(f"{missing[0]} was reported as written, and is not in {folder}.")
    return {path: sums.get(path) or hashed(folder / path)[1] for path in there if path != CHECKSUMS_FILE}


def _copied(kept: KeptFile, folder: Path) -> FileRecord:
    """Copy a kept file; what is written is what is hashed.

    Raises:
        Refused: it is gone, or not the one that was frozen.
    """
    found = hashlib.sha256()
    try:
        with kept.source.open("rb") as source, new_file(folder, kept.path) as file:
            while piece := source.read(_PIECE):
                found.update(piece)
                file.write(piece)
    except FileNotFoundError as error:
        raise Refused(f"{kept.source}, which the release keeps as {kept.path}, is not there any more.") from error
    if found.hexdigest() != kept.sha256:
        raise Refused(
            f"{kept.source}, which the release keeps as {kept.path}, was changed: it does not have the hash "
            f"{kept.sha256}. Bring it back, or make the draft again."
        )
    media_type = _MEDIA_TYPES.get(PurePosixPath(kept.path).suffix, "application/octet-stream")
    licence = MIXED if kept.group == "diff" else MIT
    record = file.record(kept.group, licence, media_type, 0, variant=_variant_of(kept.path))
    return replace(record, n_records=None)


def _variant_of(path: str) -> str:
    parts = [PurePosixPath(part).stem for part in PurePosixPath(path).parts[1:2]]
    return next((part for part in parts if part in TRAINED_VARIANTS), "")


def _require_distinct(records: Sequence[FileRecord]) -> None:
    paths = [record.path for record in records]
    twice = sorted({path for path in paths if paths.count(path) > 1}) if len(set(paths)) < len(paths) else []
    if twice:
        raise MlmError(f"Two formats wrote {twice[0]}.")
