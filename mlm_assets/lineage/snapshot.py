"""Everything that one release knows of one entity, read through the manifest of the release."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from mlm_assets.identifiers import shard_of
from mlm_assets.lineage import records, rows
from mlm_assets.resources.lake import Lake, Version
from mlm_assets.tables import TABLES

Row = Mapping[str, Any]

_OF_ENTITY: Final = ("candidates", "facts", "settlements", "rejections", "summaries", "images", "eligible", "members")
_MADE: Final = ("settlement_classes", *_OF_ENTITY, "geo_cells")


@dataclass(frozen=True)
class Snapshot:
    """One entity in one release. Of what the release does not have, there is None or nothing.

    `code` and `settings` are those that the versions which concern the entity were made with, by table.
    """

    qid: str
    release: str
    parameters: Mapping[str, str]
    classes: Mapping[str, Row]
    candidate: Row | None = None
    facts: list[Row] = field(default_factory=list)
    settlement: Row | None = None
    rejection: Row | None = None
    summaries: Mapping[str, Row] = field(default_factory=dict)
    images: Mapping[str, Row] = field(default_factory=dict)
    eligible: Mapping[str, Row] = field(default_factory=dict)
    members: Mapping[str, Row] = field(default_factory=dict)
    code: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    versions: Mapping[str, list[Version]] = field(default_factory=dict)

    @property
    def revision(self) -> int | None:
        """Return the revision of the item that the facts are of, else that of the listing."""
        said = [row["value"] for row in self.facts if row["property"] == "version" and row["value"].isdigit()]
        if said:
            return max(int(value) for value in said)
        return self.candidate["revision"] if self.candidate is not None else None

    @property
    def modified_at(self) -> str | None:
        """Return when the item was last edited, as Wikidata says it."""
        return max((row["value"] for row in self.facts if row["property"] == "modified"), default=None)

    @property
    def state(self) -> str:
        """Return what the entity is in this release: settlement, rejected, undecided, or no candidate."""
        if self.candidate is None:
            return "no candidate"
        if self.settlement is not None:
            return "settlement"
        return "rejected" if self.rejection is not None else "undecided"

    def hops(self) -> int:
        """Return how far subclasses are followed in this release."""
        return int(self.parameters.get("hops", "3"))


def take(lake: Lake, release: str, qid: str, n_shards: int) -> Snapshot:
    """Return what a release knows of an entity; `n_shards` is the home's.

    Raises:
        Refused: there is no such release.
        MlmError: a file that the manifest names is not there any more.
    """
    pinned, parameters = records.manifest(lake, release)
    made_for = [
        made for name in ("eligible", "members", "geo_cells") if (made := lake.accepted(name, release)) is not None
    ]
    versions = _concerned([*pinned, *made_for], shard_of(qid, n_shards))
    found = {name: rows.of_entity(lake, versions.get(name, []), qid) for name in _OF_ENTITY}
    code, settings = _made_with(lake, versions, release)
    return Snapshot(
        qid, release, parameters, _classes(lake, versions),
        candidate=_one(found["candidates"]),
        facts=list(found["facts"]),
        settlement=_one(found["settlements"]),
        rejection=_one(found["rejections"]),
        summaries={row["lang"]: row for row in found["summaries"]},
        images={row["file"]: row for row in found["images"]},
        eligible={row["variant"]: row for row in found["eligible"]},
        members={row["variant"]: row for row in found["members"]},
        code=code, settings=settings, versions=versions,
    )  # fmt: skip


def _concerned(versions: list[Version], shard: str) -> dict[str, list[Version]]:
    """Return the versions that may say something of an entity of this shard, by table."""
    found: dict[str, list[Version]] = {}
    for version in versions:
        is_sharded = "shard" in TABLES[version.table].partitioned_by
        if version.table in _MADE and (not is_sharded or version.partition.rpartition("|")[2] == shard):
            found.setdefault(version.table, []).append(version)
    return found


def _made_with(
    lake: Lake, versions: Mapping[str, list[Version]], release: str
) -> tuple[dict[str, str], dict[str, dict[str, str]]]:
    code: dict[str, str] = {}
    settings: dict[str, dict[str, str]] = {}
    for table, its_versions in versions.items():
        noted = [record for one in its_versions if (record := records.record_of(lake, one, release)) is not None]
        if noted:
            code[table] = ", ".join(sorted({record.code_version for record in noted}))
            settings[table] = records.parameters_of({k: v for record in noted for k, v in record.inputs.items()})
    return code, settings


def _classes(lake: Lake, versions: Mapping[str, list[Version]]) -> dict[str, Row]:
    return {row["class_qid"]: row for row in rows.of_versions(lake, versions.get("settlement_classes", []), {})}


def _one(found: list[dict[str, Any]]) -> Row | None:
    return found[0] if found else None
