"""The manifest of a release: what it is made of and what it holds, as one JSON from which all metadata is derived.

Whoever writes a card, a Croissant file or a page takes every figure from here, and none from anywhere else. Figures
are counted in the published rows (`figures`), never typed. A release can be built again from its manifest.
"""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from typing import Any, Final

from mlm_assets.release.frozen import Frozen
from mlm_assets.release.plain import plain

MANIFEST_FILE: Final = "manifest.json"
CHECKSUMS_FILE: Final = "SHA256SUMS"
MANIFEST_VERSION: Final = 1
SPLITS: Final = ("train", "validation", "test")

CC0: Final = "CC0-1.0"
CC_BY_SA: Final = "CC-BY-SA-4.0"
PER_FILE: Final = "per-file"
MIXED: Final = "mixed"
MIT: Final = "MIT"
LICENCES: Final = {
    CC0: "facts of Wikidata and what was computed from them",
    CC_BY_SA: "texts of Wikipedia",
    PER_FILE: "pictures of Wikimedia Commons, each under its own licence (`attribution.parquet`)",
    MIXED: "facts (CC0), texts (CC BY-SA) and pictures (per file) in one file; see LICENSES.md for who is which",
    MIT: "weights of the models and reports of scores, made by this project",
}
"""Under what a file of the release stands."""


@dataclass(frozen=True)
class FileRecord:
    """One file of the release. `n_records` is the number of settlements (or rows) in it, None where that says nothing.

    `licence` is a key of `LICENCES`; `variant` and `split` are empty where a file belongs to several.

    The pictures of a variant are hundreds of thousands of files: their folder has one record, of the format `images`,
    whose `path` ends with a slash. There `n_records` is the number of files, `size_bytes` their sum, and `sha256` the
    hash of their lines `<sha256>  <name>` sorted by name (`release.formats.files.folder_digest`). Each of them is a
    line of SHA256SUMS.
    """

    path: str
    format: str
    variant: str
    split: str
    licence: str
    media_type: str
    size_bytes: int
    sha256: str
    n_records: int | None = None


def manifest_of(frozen: Frozen, files: Sequence[FileRecord], checks: Mapping[str, int]) -> dict[str, Any]:
    """Return the manifest of a release whose data files are `files`; keys as documented in docs/releases.md."""
    return {
        "manifest_version": MANIFEST_VERSION,
        "name": "MLM",
        "release": frozen.release,
        "version": frozen.version,
        "reason": frozen.reason,
        "created": frozen.created,
        "software": dict(frozen.software),
        "parameters": dict(frozen.parameters),
        "encoders": dict(frozen.encoders),
        "rights": dict(frozen.rights),
        "formats": list(frozen.formats),
        "notes": list(frozen.notes),
        "checks": dict(checks),
        "variants": {variant: figures(rows) for variant, rows in frozen.rows.items()},
        "withheld": withheld(frozen.attribution),
        "scores": {variant: scores.to_pylist() for variant, scores in frozen.scores.items()},
        "approvals": frozen.approvals.to_pylist(),
        "tombstones": [asdict(one) for one in frozen.tombstones],
        "inputs": [asdict(one) for one in frozen.inputs],
        "files": [asdict(one) for one in sorted(files, key=lambda file: file.path)],
    }


def manifest_bytes(manifest: Mapping[str, Any]) -> bytes:
    """Return the manifest as it is written: the same manifest gives the same bytes."""
    return (json.dumps(manifest, indent=1, ensure_ascii=False) + "\n").encode()


def figures(rows: Any) -> dict[str, Any]:
    """Return what is counted in the published rows of a variant."""
    entities: Counter[str] = Counter()
    splits = dict.fromkeys(SPLITS, 0)
    languages: Counter[str] = Counter()
    countries: Counter[str] = Counter()
    licences: Counter[str] = Counter()
    plain_of = cache(plain)
    classes: set[str] = set()
    cells: set[str] = set()
    columns = ["split", "summaries", "images", "class_labels", "country_code", "cell_token"]
    for batch in rows.select(columns).to_batches(max_chunksize=2_000):
        for row in batch.to_pylist():
            entities["entities"] += 1
            entities["images"] += len(row["images"])
            entities["summaries"] += len(row["summaries"])
            entities["entities_without_image"] += not row["images"]
            splits[row["split"]] += 1
            languages.update(summary["lang"] for summary in row["summaries"])
            countries[row["country_code"] or ""] += 1
            licences.update(plain_of(image["licence"]) or "unknown" for image in row["images"])
            classes.update(row["class_labels"])
            cells.update([row["cell_token"]] if row["cell_token"] else [])
    totals = {name: entities[name] for name in ("entities", "images", "summaries", "entities_without_image")}
    return {
        **totals,
        "classes": len(classes),
        "cells": len(cells),
        "splits": splits,
        "summaries_per_language": dict(sorted(languages.items())),
        "entities_per_country": dict(sorted(countries.items())),
        "images_per_licence": dict(sorted(licences.items())),
    }


def withheld(attribution: Any) -> dict[str, int]:
    """Return how many distinct files of Commons are held back, by reason."""
    seen = {
        (row["file"], row["withheld"])
        for row in attribution.select(["file", "withheld"]).to_pylist()
        if row["withheld"] is not None
    }
    return dict(sorted(Counter(reason for _, reason in seen).items()))
