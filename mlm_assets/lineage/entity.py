"""The whole way of one entity through what readers see now; and of one that is gone, where it was seen last."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, Final

from mlm_assets.identifiers import shard_of, split_of
from mlm_assets.lineage import records, rows
from mlm_assets.lineage.answers import SERVICE_OF, find_answer
from mlm_assets.lineage.classes import class_path
from mlm_assets.resources import quarantine
from mlm_assets.resources.lake import Lake, Version
from mlm_assets.resources.names import file_name
from mlm_assets.resources.takedowns import FILE, ITEM, TAKEN_DOWN, Takedown, all_takedowns
from mlm_assets.tables import (
    EXCLUSION_REASONS,
    IMAGE_STATUS,
    LANGUAGES,
    REJECTION_REASONS,
    SUMMARY_STATUS,
    TABLES,
    VARIANTS,
)

NOT_A_CANDIDATE: Final = "no_settlement_class"
NOT_LISTED_ANY_MORE: Final = "not_listed_any_more"
_SETTLEMENT_SHOWN: Final = ("label", "lat_deg", "lon_deg", "country_code", "revision")
_FACTS_SHOWN: Final = (
    "property", "value", "lang", "label", "country_code", "lat_deg", "lon_deg", "globe_qid", "answer_key",
)  # fmt: skip


def way_of(lake: Lake, qid: str, n_shards: int) -> dict[str, Any]:
    """Return everything that the home knows of one entity; `verdict` and `reason` say how it ended.

    Raises:
        MlmError: the home has no candidates yet, or a file is not there any more.
    """
    with rows.together(lake):
        return _way_of(lake, qid, n_shards)


def _way_of(lake: Lake, qid: str, n_shards: int) -> dict[str, Any]:
    listed = lake.require("candidates")
    found = rows.of_entity(lake, [listed], qid)
    shard = found[0]["shard"] if found else shard_of(qid, n_shards)
    last_seen = last_releases(lake, qid, n_shards)
    said: dict[str, Any] = {"qid": qid, "shard": shard, "split": split_of(qid)}
    said |= _candidate(lake, qid, shard, found[0]) if found else _no_candidate(lake, last_seen)
    said |= _taken_down(all_takedowns(lake), qid, said["images"])
    said["quarantine"] = quarantined(lake, qid)
    said["last_seen"] = last_seen
    said["releases"] = _releases(lake, qid)
    return said


def _taken_down(takedowns: Sequence[Takedown], qid: str, images: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return what a takedown of the item, or of files of it, changes of what is said of it."""
    files = {one.target: one for one in takedowns if one.kind == FILE}
    shown = [
        {**row, "meaning": files[name].sentence}
        if row["status"] == TAKEN_DOWN and (name := file_name(row["file"])) in files
        else row
        for row in images
    ]
    for one in takedowns:
        if (one.kind, one.target) == (ITEM, qid):
            told = {"kind": one.kind, "target": one.target, "reason": one.reason, "at": one.at, "by": one.by}
            return {
                "verdict": TAKEN_DOWN, "reason": one.reason, "meaning": one.sentence, "takedown": told, "images": shown
            }  # fmt: skip
    return {"takedown": None, "images": shown}


def quarantined(lake: Lake, qid: str) -> list[dict[str, Any]]:
    """Return the rows of an entity that were set aside, oldest first, with the files of their answers."""
    found = []
    for entry in quarantine.all_entries(lake):
        if qid in (entry.key.get("qid"), entry.row.get("qid")):
            key, service = entry.answer_key, SERVICE_OF.get(entry.table)
            answer = find_answer(lake, key, service, entry.release) if key and service else None
            found.append({**asdict(entry), "answer": answer.file if answer is not None else None})
    return sorted(found, key=lambda entry: (str(entry["at"]), str(entry["id"])))


def last_releases(lake: Lake, qid: str, n_shards: int) -> dict[str, Any]:
    """Return the last release in which an entity was a candidate, a settlement, and a member of each variant.

    With what it was then: the classes that it was listed under, with their ways; label and place; cell and split.
    Files that were pruned are passed over.
    """
    look = _Look(lake, qid, shard_of(qid, n_shards))
    seen: dict[str, Any] = {"candidate": None, "settlement": None, "members": {}}
    for release in reversed(records.releases(lake)):
        if seen["candidate"] and seen["settlement"] and len(seen["members"]) == len(VARIANTS):
            break
        pinned, _ = records.manifest(lake, release)
        if seen["candidate"] is None and (found := look.rows("candidates", pinned)):
            seen["candidate"] = {"release": release, **look.classes(found[0], pinned)}
        if seen["settlement"] is None and (found := look.rows("settlements", pinned)):
            seen["settlement"] = {"release": release, **{name: found[0][name] for name in _SETTLEMENT_SHOWN}}
        made = lake.accepted("members", release)
        for row in look.rows("members", [made] if made is not None else []):
            if row["is_member"] and row["variant"] not in seen["members"]:
                shown = {"release": release, "cell_token": row["cell_token"], "split": row["split"]}
                seen["members"][row["variant"]] = shown
    return seen


class _Look:
    """Reads the rows of one entity; a version that several releases share is read once."""

    def __init__(self, lake: Lake, qid: str, shard: str) -> None:
        self._lake = lake
        self._qid = qid
        self._shard = shard
        self._read: dict[str, list[dict[str, Any]]] = {}

    def rows(self, table: str, versions: Sequence[Version]) -> list[dict[str, Any]]:
        """Return the entity's rows in the versions of `table` among these, as far as their files are kept."""
        mine = [one for one in versions if one.table == table and one.partition in ("", self._shard)]
        mine += [one for one in versions if one.table == table and "release" in TABLES[table].partitioned_by]
        found = []
        for version in mine:
            if version.path not in self._read:
                is_kept = self._lake.exists(version.path)
                self._read[version.path] = rows.of_entity(self._lake, [version], self._qid) if is_kept else []
            found += self._read[version.path]
        return found

    def classes(self, candidate: Mapping[str, Any], pinned: Sequence[Version]) -> dict[str, Any]:
        """Return the classes that a candidate was listed under, with their ways up the class list of then."""
        listed = [one for one in pinned if one.table == "settlement_classes" and self._lake.exists(one.path)]
        classes = {row["class_qid"]: row for row in rows.of_versions(self._lake, listed, {})}
        class_qids = list(candidate["class_qids"])
        return {
            "class_qids": class_qids,
            "class_paths": [class_path(class_qid, classes) for class_qid in class_qids],
            "revision": candidate["revision"],
        }


def _candidate(lake: Lake, qid: str, shard: str, row: Mapping[str, Any]) -> dict[str, Any]:
    classes = _classes(lake)
    facts = _of(lake, "facts", shard, qid)
    said: dict[str, Any] = {"candidate": dict(row)}
    said["class_paths"] = [class_path(class_qid, classes) for class_qid in row["class_qids"]]
    said["facts"] = [{key: fact[key] for key in _FACTS_SHOWN if fact[key] is not None} for fact in facts]
    said |= _verdict(lake, shard, qid)
    said["summaries"] = [
        found | {"meaning": SUMMARY_STATUS[found["status"]]}
        for lang in LANGUAGES
        for found in _of(lake, "summaries", f"{lang}|{shard}", qid)
    ]
    said["images"] = [found | {"meaning": IMAGE_STATUS[found["status"]]} for found in _of(lake, "images", shard, qid)]
    return said


def _verdict(lake: Lake, shard: str, qid: str) -> dict[str, Any]:
    settlements = _of(lake, "settlements", shard, qid)
    if settlements:
        settlement = settlements[0] | {"sitelinks": dict(settlements[0]["sitelinks"])}
        return {"verdict": "accepted", "reason": None, "meaning": None, "settlement": settlement}
    rejections = _of(lake, "rejections", shard, qid)
    if rejections:
        row = rejections[0]
        return {
            "verdict": "rejected", "reason": row["reason"], "meaning": REJECTION_REASONS[row["reason"]],
            "failed": row["failed"], "evidence": json.loads(row["evidence"]),
        }  # fmt: skip
    return {
        "verdict": "undecided",
        "reason": "not_decided_yet",
        "meaning": "its shard has not been materialised yet",
    }


def _no_candidate(lake: Lake, last_seen: Mapping[str, Any]) -> dict[str, Any]:
    """Return the verdict on what is no candidate now: it never was one, or it was dropped since a release."""
    classes = lake.require("settlement_classes")
    then = last_seen["candidate"]
    said: dict[str, Any] = {
        "verdict": "rejected",
        "reason": NOT_A_CANDIDATE,
        "meaning": f"no instance (P31) of any of the {classes.n_rows:,} classes of settlements",
        "evidence": {"class_list_version": classes.version, "release": classes.release},
        "class_paths": [], "facts": [], "summaries": [], "images": [],
    }  # fmt: skip
    if then is None:
        return said
    now = _classes(lake)
    gone = [class_qid for class_qid in then["class_qids"] if class_qid not in now]
    why = (
        f"its classes {', '.join(gone)} are in the list no more"
        if gone and len(gone) == len(then["class_qids"])
        else "it is no instance (P31) of its classes any more, or was deleted or merged"
    )
    return said | {
        "verdict": "dropped",
        "reason": NOT_LISTED_ANY_MORE,
        "meaning": f"last a candidate in {then['release']}; {why}",
        "evidence": {**said["evidence"], "classes_out_of_the_list": gone, "revision": then["revision"]},
        "class_paths": then["class_paths"],
    }


def _releases(lake: Lake, qid: str) -> list[dict[str, Any]]:
    found = []
    for version in lake.accepted_all("members"):
        per_variant = {row["variant"]: row for row in rows.of_entity(lake, [version], qid)}
        if per_variant:
            variants = {variant: _state(per_variant[variant]) for variant in VARIANTS if variant in per_variant}
            found.append({"release": version.partition, "variants": variants})
    return found


def _state(row: Mapping[str, Any]) -> dict[str, Any]:
    kept = {key: row[key] for key in ("is_member", "reason", "cell_token", "class_id", "split")}
    return kept | {"meaning": EXCLUSION_REASONS.get(row["reason"] or "")}


def _classes(lake: Lake) -> dict[str, dict[str, Any]]:
    return {row["class_qid"]: row for row in lake.read(lake.require("settlement_classes")).to_pylist()}


def _of(lake: Lake, name: str, partition: str, qid: str) -> list[dict[str, Any]]:
    version: Version | None = lake.accepted(name, partition)
    return rows.of_entity(lake, [version], qid) if version is not None else []
