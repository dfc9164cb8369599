"""A small release on disk, with every format and every document: what the tests of metadata and deposit read."""

import hashlib
import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from mlm_assets.release.formats import FORMATS, write_tables
from mlm_assets.release.frozen import Frozen, KeptFile
from mlm_assets.release.manifest import CC0, CHECKSUMS_FILE, MANIFEST_FILE, MIT, FileRecord, manifest_bytes, manifest_of
from mlm_assets.release.metadata import documents
from mlm_assets.resources.lake import arrow_schema
from mlm_assets.tables import TRAINED_VARIANTS
from tests.release.sample import small_frozen

CHECKS = {"passed": 411, "warned": 23, "approved": 2}
APPROVAL = {
    "table_name": "settlements", "partition": "03", "version": "9f" * 8, "approved_by": "ada",
    "approved_at": "2026-12-02T08:00:00Z", "reason": "the class of 14 | villages was merged `upstream` <b>",
    "failed_checks": ["count_has_not_dropped", "share_of_P18"], "figures": "{}",
}  # fmt: skip


def sample(folder: Path, **changes: Any) -> Frozen:
    """Return a frozen release with approvals, two inputs, benchmark reports and the pages of a diff."""
    frozen = small_frozen(folder, **changes)
    kept = [*frozen.kept]
    pages = {"RELEASE_NOTES.md": "# What is new\n", "diff/index.html": "<h1>Diff</h1>\n", "diff/diff.json": "{}\n"}
    for variant in TRAINED_VARIANTS:
        pages[f"benchmark/{variant}.json"] = json.dumps(frozen.scores[variant].to_pylist(), indent=1)
    for path, text in pages.items():
        source = folder / "kept" / path
        source.parent.mkdir(parents=True, exist_ok=True)
        source.write_text(text, "utf-8")
        group = "benchmark" if path.startswith("benchmark") else "diff"
        kept.append(KeptFile(path, source, hashlib.sha256(source.read_bytes()).hexdigest(), group))
    cells = [{**row, "level": 7, "n_settlements": 9} for row in frozen.geo_cells.to_pylist()]
    geo_cells = pa.Table.from_pylist(cells, schema=arrow_schema("geo_cells"))
    approvals = pa.Table.from_pylist([APPROVAL], schema=arrow_schema("approvals"))
    values = {name: getattr(frozen, name) for name in frozen.__dataclass_fields__}
    return Frozen(**{**values, "kept": kept, "approvals": approvals, "geo_cells": geo_cells, **changes})


def write_release(frozen: Frozen, folder: Path) -> dict[str, Any]:
    """Write a whole release into the new `folder` and return its manifest."""
    folder.mkdir(parents=True)
    files: list[FileRecord] = [*write_tables(frozen, folder, str)]
    for build in FORMATS.values():
        files += build(frozen, folder, str)
    files += [_keep(kept, folder) for kept in frozen.kept]
    manifest = manifest_of(frozen, files, CHECKS)
    (folder / MANIFEST_FILE).write_bytes(manifest_bytes(manifest))
    for path, data in documents(manifest).items():
        (folder / path).parent.mkdir(exist_ok=True)
        (folder / path).write_bytes(data)
    write_checksums(folder)
    return json.loads((folder / MANIFEST_FILE).read_text("utf-8"))  # type: ignore[no-any-return]


def write_checksums(folder: Path) -> None:
    paths = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    lines = [f"{hashlib.sha256((folder / path).read_bytes()).hexdigest()}  {path}\n" for path in _others(paths)]
    (folder / CHECKSUMS_FILE).write_text("".join(lines), "utf-8")


def _others(paths: Sequence[str]) -> list[str]:
    return [path for path in paths if path != CHECKSUMS_FILE]


def _keep(kept: KeptFile, folder: Path) -> FileRecord:
    target = folder / kept.path
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(kept.source, target)
    types = {".json": "application/json", ".html": "text/html", ".md": "text/markdown"}
    licence = CC0 if kept.group == "diff" else MIT
    return FileRecord(
        kept.path, kept.group, "", "", licence, types.get(target.suffix, "application/octet-stream"),
        target.stat().st_size, kept.sha256,
    )  # fmt: skip
