"""A lake with everything that a release is made of, written by hand in a second: rows, pictures, models, vectors."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from mlm_assets.assets.refresh import partitions_of
from mlm_assets.assets.vectors import FEATURE_TABLES
from mlm_assets.ml.assembly import picture_key, text_key
from mlm_assets.resources.encoders import Encoders, Modality
from mlm_assets.resources.lake import Accepted, Lake, arrow_schema
from mlm_assets.settings import Settings, load_settings
from mlm_assets.tables import GR_VARIANT, TRAINED_VARIANTS, VARIANTS
from tests.release.sample import attribution_of, picture, rows_of, small_frozen

RELEASE = "2026-12"
PARAMETERS = {"base_class": "Q486972", "hops": "3", "t_min": "3", "t_max": "30", "quota_total": "40"}
FROM_THE_REFRESH = ("eligible", "geo_cells", "members", *VARIANTS)


class Brightness:
    """A tiny encoder: five figures of a picture, or of the letters of a text."""

    identity, dimension = "brightness-1", 5

    def encode(self, batch: Sequence[Any]) -> Any:
        values = [list(one.encode()) if isinstance(one, str) else np.asarray(one, float).ravel() for one in batch]
        rows = [[np.mean(one), np.std(one), np.min(one), np.max(one), one[0]] for one in values]
        return np.array(rows, np.float32).astype(np.float16)


def opener(settings: Settings, modality: Modality, device: str) -> Brightness:
    return Brightness()


class HandMade:
    """A home whose release has been accepted, table by table."""

    def __init__(self, home: Path, n: int = 12, withheld: Sequence[str] = ("Q64_0.jpg",)) -> None:
        self.home, self.lake, self.settings = home, Lake(home), load_settings(home)
        self.encoders = Encoders(self.settings, self.lake, opener)
        self.rows = {name: rows_of(name, range(n if name != GR_VARIANT else n // 2)) for name in VARIANTS}
        for row in self.rows["mlm"].to_pylist():
            for image in row["images"]:
                self.lake.write_bytes(image["path"], picture(image["path"]))
        self.accept("refresh", _refresh())
        frozen = small_frozen(home / ".scratch", n)
        for name in FROM_THE_REFRESH:
            rows = {**self.rows, "geo_cells": frozen.geo_cells}.get(name)
            self.accept(name, rows, "refresh")
        self.accept("dataset_statistics", None, "geo_cells", *VARIANTS)
        self.accept("approvals", None, "refresh")
        self.accept("attribution", _withheld(attribution_of(self.rows["mlm_v2"]), withheld), "refresh", *VARIANTS)
        self.accept("release_diff", None, "attribution", *VARIANTS)
        diff = home / "diffs" / RELEASE
        diff.mkdir(parents=True)
        (diff / "diff.json").write_text("{}\n")
        (diff / "RELEASE_NOTES.md").write_text("# What is new\n")

    def accept(self, name: str, rows: Any, *inputs: str, partition: str = RELEASE, **more: str) -> Accepted:
        """Write and accept a table (empty where no rows are given) made from the accepted `inputs`."""
        written = self.lake.write(name, partition, rows if rows is not None else arrow_schema(name).empty_table())
        made_from = {f"{one}/{partition}": self.lake.require(one, partition).version for one in inputs}
        return self.lake.accept(
            written, release=RELEASE, inputs={**made_from, **more}, expected=self.lake.accepted(name, partition)
        )

    def reject(self, name: str) -> None:
        """Keep the audit of a newer version of a table, which a check has rejected."""
        check = {"check": "rows_are_there", "passed": False, "blocking": True, "sentence": "half of them are gone"}
        self.lake.write_audit({"table": name, "partition": RELEASE, "version": "f" * 20, "checks": [check]})

    def train(self) -> None:
        """Make models and scores that stand in for trained ones."""
        scores = small_frozen(self.home / ".scratch", 4).scores
        for variant in TRAINED_VARIANTS:
            for task in ("ir", "le", "mtl"):
                weights = self.home / "models" / RELEASE / variant / f"{task}_model" / "model.safetensors"
                weights.parent.mkdir(parents=True, exist_ok=True)
                weights.write_bytes(f"weights of {task} on {variant}".encode())
                (weights.parent / "config.json").write_text("{}\n")
                epoch = {"epoch": 1, "is_best": True, "loss": 0.5}
                epoch["weights_sha256"] = hashlib.sha256(weights.read_bytes()).hexdigest()
                name = f"{variant}/{task}_model"
                self.accept(name, pa.Table.from_pylist([epoch], schema=arrow_schema(name)), variant, "geo_cells")
            report = self.home / "benchmark" / RELEASE / f"{variant}.json"
            report.parent.mkdir(parents=True, exist_ok=True)
            report.write_text(json.dumps({"variant": variant}))
            models = (f"{variant}/{task}_model" for task in ("ir", "le", "mtl"))
            self.accept(f"{variant}/benchmark", scores[variant], variant, *models)

    def encode(self, n_left_out: int = 0) -> None:
        """Compute every vector but those of some pictures, and accept feature tables for all partitions."""
        from mlm_assets.assets.vectors import _labels

        pictures: dict[str, str] = {}
        texts: dict[str, str] = {}
        for row in (row for name in TRAINED_VARIANTS for row in self.rows[name].to_pylist()):
            pictures |= {picture_key(image["path"]): image["path"] for image in row["images"]}
            texts |= {text_key(text): text for text in (*(one["text"] for one in row["summaries"]), *_labels(row))}
        kept = dict(list(pictures.items())[: len(pictures) - n_left_out])
        contents: Mapping[Modality, dict[str, str]] = {"image": kept, "text": texts}
        for modality, wanted in contents.items():
            self.encoders.compute(modality, wanted)
        for name in FEATURE_TABLES:
            for partition in partitions_of(name):
                self.accept(name, None, partition=partition)


def _refresh() -> pa.Table:
    rows = [
        {"kind": "parameter", "name": name, "partition": "", "value": value, "n_rows": None}
        for name, value in PARAMETERS.items()
    ]
    return pa.Table.from_pylist(rows, schema=arrow_schema("refresh"))


def _withheld(attribution: pa.Table, names: Sequence[str]) -> pa.Table:
    rows = attribution.to_pylist()
    for row in rows:
        if row["name"] in names:
            row["withheld"] = "face"
    return pa.Table.from_pylist(rows, schema=arrow_schema("attribution"))
