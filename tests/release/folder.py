"""A small release on disk, with every format and every document: what the tests of metadata and deposit read."""

import hashlib
import json
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa

from mlm_assets.release.builder import build
from mlm_assets.release.formats import FORMATS
from mlm_assets.release.frozen import Frozen, KeptFile
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


class Built(NamedTuple):
    """A release that is on disk."""

    folder: Path
    manifest: dict[str, Any]


def sample(folder: Path, n: int = 18, release: str = "2026-12", **changes: Any) -> Frozen:
    """Return a frozen release with an approval, benchmark reports and the pages of a diff, in all formats."""
    frozen = small_frozen(folder, n, release, **changes)
    kept = [*frozen.kept]
    pages = {"RELEASE_NOTES.md": "# What is new\n", "diff/index.html": "<h1>Diff</h1>\n", "diff/diff.json": "{}\n"}
    for variant in TRAINED_VARIANTS:
        pages[f"benchmark/{variant}.json"] = json.dumps(report_of(frozen.scores[variant].to_pylist()), indent=1)
    for path, text in pages.items():
        source = folder / "kept" / path
        source.parent.mkdir(parents=True, exist_ok=True)
        source.write_text(text, "utf-8")
        group = "benchmark" if path.startswith("benchmark") else "diff"
        kept.append(KeptFile(path, source, hashlib.sha256(source.read_bytes()).hexdigest(), group))
    cells = [{**row, "level": 7, "n_settlements": 9} for row in frozen.geo_cells.to_pylist()]
    own = {
        "kept": kept,
        "formats": tuple(FORMATS),
        "notes": ("Nothing was trained on 3 of 4 variants.",),
        "approvals": pa.Table.from_pylist([APPROVAL], schema=arrow_schema("approvals")),
        "geo_cells": pa.Table.from_pylist(cells, schema=arrow_schema("geo_cells")),
    }
    values = {name: getattr(frozen, name) for name in frozen.__dataclass_fields__}
    return Frozen(**{**values, **own, **changes})


def report_of(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the report of a benchmark, as `ml.evaluation.report` shapes it, that has these rows."""
    report: dict[str, Any] = {"retrieval": {}, "location": {}, "paper": {"retrieval": {}, "location": {}}}
    for row in rows:
        figure = row["figure"]
        said = {figure: row["value"], f"{figure}_low": row["low"], f"{figure}_high": row["high"], "n": row["n"]}
        for part, figures in ((report, said), (report["paper"], {figure: row["paper"]})):
            part[row["section"]].setdefault(row["model"], {}).setdefault(row["direction"], {}).update(figures)
    return report


def built(folder: Path, name: str = "draft", **changes: Any) -> Built:
    """Build a release below `folder`."""
    target = folder / name
    build(sample(folder / "sources", **changes), target, documents, CHECKS, str)
    return Built(target, json.loads((target / "manifest.json").read_text("utf-8")))
