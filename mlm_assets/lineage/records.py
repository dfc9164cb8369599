"""What a version was made from, by what, for which release: the lake's pointers, their history, and the manifests.

A pointer names the versions that a table was read from; followed upstream they end at the tables that services filled.
Which rows a number counts belongs to `trace`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from mlm_assets.errors import Refused
from mlm_assets.resources.lake import BASIS, EARLIER, Accepted, Lake, Version
from mlm_assets.tables import DATASETS, MODELS, TABLES, TRAINED_VARIANTS

_PARAMETERS: Final = ("setting:", "recipe:")

SQL_FILES: Final[dict[str, tuple[str, ...]]] = {
    "settlements": ("sql/verdicts.sql", "sql/settlements.sql"),
    "rejections": ("sql/verdicts.sql", "sql/rejections.sql"),
    "eligible": ("sql/settlement_qids.sql", "sql/eligible.sql"),
    "members": ("sql/members.sql",),
    **{table.name: ("sql/dataset.sql",) for table in DATASETS},
    "dataset_statistics": ("sql/dataset_countries.sql", "sql/dataset_statistics.sql"),
    "release_diff": (
        *("sql/diff/entity_rows.sql", "sql/diff/text_rows.sql", "sql/diff/image_rows.sql", "sql/diff/fates.sql"),
        *("sql/diff/entity_changes.sql", "sql/diff/text_changes.sql", "sql/diff/image_changes.sql"),
    ),
}
"""The statements that fill a table; a table without one is filled by its function."""

FUNCTIONS: Final[dict[str, str]] = {
    "settlement_classes": "mlm_assets.assets.taxonomy.walk_down",
    "candidates": "mlm_assets.resources.wikidata.Wikidata.instances",
    "changed_facts": "mlm_assets.assets.changes.changed_facts",
    "departures": "mlm_assets.assets.changes.departures",
    "facts": "mlm_assets.resources.wikidata.Wikidata.facts",
    "settlements": "mlm_assets.assets.entities.country_rows",
    "rejections": "mlm_assets.assets.entities.settlements_and_rejections",
    "summaries": "mlm_assets.assets.articles.gather_articles",
    "images": "mlm_assets.assets.gathering.gather_images",
    "refresh": "mlm_assets.assets.refresh.refresh",
    "eligible": "mlm_assets.identifiers.quota_rank",
    "geo_cells": "mlm_assets.assets.geo.cell_rows",
    "members": "mlm_assets.assets.datasets.located_rows",
    **{table.name: "mlm_assets.assets.datasets.dataset_asset" for table in DATASETS},
    "dataset_statistics": "mlm_assets.assets.published.published_figures",
    "image_features": "mlm_assets.ml.features",
    "text_features": "mlm_assets.ml.features",
    "class_features": "mlm_assets.ml.features",
    **{table.name: "mlm_assets.ml.training" for table in MODELS},
    **{f"{variant}/benchmark": "mlm_assets.ml.evaluation" for variant in TRAINED_VARIANTS},
    "release_files": "mlm_assets.release.builder.build",
    "release_diff": "mlm_assets.release.diff.report.compare",
}
"""The domain function that fills a table, or that its SQL relies on. A table that is not here says so in words."""


@dataclass(frozen=True)
class Node:
    """One version in the chain upstream of another: where it lies, what made it, and what it was made from.

    `accepted` is None where the lake has no record of the version (it was rejected, or replaced within its release).
    """

    version: Version
    accepted: Accepted | None
    inputs: Mapping[str, str] = field(default_factory=dict)

    def as_json(self, lake: Lake) -> dict[str, Any]:
        """Return the node as plain data."""
        record = self.accepted
        return {
            "table": self.version.table,
            "partition": self.version.partition,
            "version": self.version.version,
            "n_rows": self.version.n_rows if self.version.n_rows >= 0 else None,
            "file": lake.full_path(self.version.path),
            "made_by": made_by(self.version.table),
            "release": record.release if record else None,
            "run_id": (record.run_id or None) if record else None,
            "accepted_at": (record.accepted_at or None) if record else None,
            "approval": record.approval if record else None,
            "code_version": record.code_version if record else None,
            "parameters": parameters_of(self.inputs),
            "inputs": [f"{table} {partition}".strip() for table, partition, _ in tables_of(self.inputs)],
        }


def require_table(name: str) -> str:
    """Return `name` if the registry has a table of it.

    Raises:
        Refused: it has none.
    """
    if name not in TABLES:
        raise Refused(f"There is no table {name!r}. There are: {', '.join(TABLES)}.")
    return name


def made_by(table: str) -> dict[str, Any]:
    """Return the SQL files and the function that fill a table."""
    return {"sql": list(SQL_FILES.get(table, ())), "function": FUNCTIONS.get(table)}


def parameters_of(inputs: Mapping[str, str]) -> dict[str, str]:
    """Return the settings and recipes among the inputs of a version, by name."""
    return {name: value for name, value in inputs.items() if name.startswith(_PARAMETERS)}


def tables_of(inputs: Mapping[str, str]) -> list[tuple[str, str, str]]:
    """Return (table, partition, version) of the table partitions among the inputs of a version."""
    found = []
    for name, version in inputs.items():
        if not name.startswith((*_PARAMETERS, BASIS, EARLIER)):
            table, _, partition = name.rpartition("/")
            found.append((table, partition, version))
    return found


def record_of(lake: Lake, version: Version, release: str | None = None) -> Accepted | None:
    """Return what the lake noted when a version was accepted: for `release` or the last before it; None where nothing.

    The same rows give the same version, so that one version may have been accepted for several releases.
    """
    return _noted(lake.history(version.table, version.partition), version, release)


def releases(lake: Lake) -> list[str]:
    """Return the releases that have a manifest, oldest first."""
    return sorted(one.partition for one in lake.accepted_all("refresh"))


def require_release(lake: Lake, release: str) -> str:
    """Return `release` if it has a manifest.

    Raises:
        Refused: it has none.
    """
    present = releases(lake)
    if release not in present:
        there = f"There are: {', '.join(present)}." if present else "There is none yet; make one with `mlm run`."
        raise Refused(f"There is no release {release!r} here. {there}")
    return release


def manifest(lake: Lake, release: str) -> tuple[list[Version], dict[str, str]]:
    """Return the versions that the manifest of a release pins, and its parameters.

    Raises:
        Refused: there is no such release.
    """
    rows = lake.read(lake.require("refresh", require_release(lake, release))).to_pylist()
    pinned = [Version(row["name"], row["partition"], row["value"], row["n_rows"]) for row in rows if _is_table(row)]
    return pinned, {row["name"]: row["value"] for row in rows if not _is_table(row)}


def pinned_versions(lake: Lake, release: str, table: str) -> list[Version]:
    """Return the versions of a table that a release is made of: pinned by its manifest, or made for it."""
    if table == "refresh" or "release" in TABLES[table].partitioned_by:
        accepted = lake.accepted(table, require_release(lake, release))
        return [accepted] if accepted is not None else []
    return [version for version in manifest(lake, release)[0] if version.table == table]


def chain(
    lake: Lake, starts: Sequence[tuple[Version, Mapping[str, str] | None]], release: str | None = None
) -> list[Node]:
    """Return versions and everything that they were made from, nearest first, each once.

    A start is a version and its inputs; None has them looked up, as they were for `release`.
    """
    nodes: dict[tuple[str, str, str], Node] = {}
    waiting = [(version, inputs) for version, inputs in starts]
    known: dict[tuple[str, str], list[Accepted]] = {}
    while waiting:
        version, given = waiting.pop(0)
        key = (version.table, version.partition, version.version)
        if key in nodes:
            continue
        place = (version.table, version.partition)
        if place not in known:  # pointer and history of a partition are read once
            known[place] = lake.history(*place)
        record = _noted(known[place], version, release)
        inputs = given if given is not None else (record.inputs if record else {})
        nodes[key] = Node(record if record is not None and version.n_rows < 0 else version, record, inputs)
        waiting += [(Version(table, partition, name, -1), None) for table, partition, name in tables_of(inputs)]
    return list(nodes.values())


def _noted(history: Sequence[Accepted], version: Version, release: str | None) -> Accepted | None:
    found = [one for one in history if one.version == version.version]
    early = [one for one in found if release is None or one.release <= release]
    return next(reversed(early or found), None)


def _is_table(row: Mapping[str, Any]) -> bool:
    return bool(row["kind"] == "table")
