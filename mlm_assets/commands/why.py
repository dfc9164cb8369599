"""`mlm why QID`: the whole way of one entity, from its classes to the releases that hold it."""

import json
from typing import Any

from rich.console import Console

from mlm_assets.identifiers import parse_qid, shard_of, split_of
from mlm_assets.resources.lake import Lake, Version, open_lake
from mlm_assets.settings import Settings
from mlm_assets.tables import (
    EXCLUSION_REASONS,
    IMAGE_STATUS,
    LANGUAGES,
    REJECTION_REASONS,
    SUMMARY_STATUS,
    VARIANTS,
)

NOT_A_CANDIDATE = "no_settlement_class"
_FACTS_SHOWN = (
    "property",
    "value",
    "lang",
    "label",
    "country_code",
    "lat_deg",
    "lon_deg",
    "globe_qid",
    "answer_key",
)


def why(text: str, settings: Settings) -> dict[str, Any]:
    """Return everything that the home knows of one entity; `verdict` and `reason` say how it ended.

    Raises:
        Refused: `text` is no QID.
        MlmError: the home has no candidates yet.
    """
    qid = parse_qid(text)
    lake = open_lake(settings)
    listed = lake.require("candidates")
    found = lake.read(listed, {"qid": qid}).to_pylist()
    shard = found[0]["shard"] if found else shard_of(qid, settings.shards)
    if not found:
        return _not_a_candidate(qid, shard, lake)
    said: dict[str, Any] = {"qid": qid, "shard": shard, "split": split_of(qid), "candidate": found[0]}
    said["class_paths"] = [class_path(class_qid, _classes(lake)) for class_qid in found[0]["class_qids"]]
    said["facts"] = [
        {key: fact[key] for key in _FACTS_SHOWN if fact[key] is not None} for fact in _of(lake, "facts", shard, qid)
    ]
    said |= _verdict(lake, shard, qid)
    said["summaries"] = _summaries(lake, shard, qid)
    said["images"] = _of(lake, "images", shard, qid)
    said["releases"] = _releases(lake, qid)
    return said


def class_path(class_qid: str, classes: dict[str, dict[str, Any]]) -> list[dict[str, str]]:
    """Return one shortest way from a class up to the base class, each with its English label."""
    path = []
    current: str | None = class_qid
    while current is not None and current in classes:
        row = classes[current]
        path.append({"qid": current, "label": dict(row["labels"]).get("en", current)})
        nearer = [parent for parent in row["parent_qids"] if classes[parent]["hop"] < row["hop"]]
        current = nearer[0] if nearer else None
    return path


def show(said: dict[str, Any], console: Console) -> None:
    """Print what `why` found, as text."""
    console.print(f"{said['qid']}  shard {said['shard']}  split {said['split']}")
    console.print(f"{said['verdict']}" + (f": {said['reason']} ({said['meaning']})" if said["reason"] else ""))
    for path in said.get("class_paths", []):
        console.print("  class    " + " < ".join(f"{step['label']} ({step['qid']})" for step in path))
    if said.get("evidence"):
        console.print(f"  evidence {json.dumps(said['evidence'], ensure_ascii=False)}")
    _show_settlement(said.get("settlement"), console)
    for fact in said.get("facts", []):
        rest = {key: value for key, value in fact.items() if key not in ("property", "value", "answer_key")}
        console.print(f"  fact     {fact['property']} {fact['value']}" + (f"  {rest}" if rest else ""))
    for row in said.get("summaries", []):
        console.print(
            f"  summary  {row['lang']} {row['status']} {row['requested_title']!r} {(row['text'] or '')[:70]!r}"
        )
    for row in said.get("images", []):
        console.print(
            f"  image    {row['image_index']} {row['status']} {row['file']} ({row['licence']}, {row['author']})"
        )
    for release in said.get("releases", []):
        for variant, state in release["variants"].items():
            where = f"cell {state['cell_token']}" if state["cell_token"] else "no cell"
            console.print(f"  release  {release['release']} {variant}: {state['reason'] or 'in'} ({where})")


def _show_settlement(settlement: dict[str, Any] | None, console: Console) -> None:
    if settlement is None:
        return
    console.print(
        f"  place    {settlement['label']} at {settlement['lat_deg']}, {settlement['lon_deg']} "
        f"(statement {settlement['statement']} of {settlement['n_coordinates']}), "
        f"{settlement['country_code']} by {settlement['country_source']}, revision {settlement['revision']}"
    )


def _not_a_candidate(qid: str, shard: str, lake: Lake) -> dict[str, Any]:
    classes = lake.require("settlement_classes")
    return {
        "qid": qid,
        "shard": shard,
        "split": split_of(qid),
        "verdict": "rejected",
        "reason": NOT_A_CANDIDATE,
        "meaning": f"no instance (P31) of any of the {classes.n_rows:,} classes of settlements",
        "evidence": {"class_list_version": classes.version, "release": classes.release},
        "class_paths": [], "facts": [], "summaries": [], "images": [], "releases": [],
    }  # fmt: skip


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


def _summaries(lake: Lake, shard: str, qid: str) -> list[dict[str, Any]]:
    rows = [row for lang in LANGUAGES for row in _of(lake, "summaries", f"{lang}|{shard}", qid)]
    return [row | {"meaning": SUMMARY_STATUS[row["status"]]} for row in rows]


def _releases(lake: Lake, qid: str) -> list[dict[str, Any]]:
    found = []
    for version in lake.accepted_all("members"):
        rows = {row["variant"]: row for row in lake.read(version, {"qid": qid}).to_pylist()}
        if rows:
            variants = {variant: _state(rows[variant]) for variant in VARIANTS if variant in rows}
            found.append({"release": version.partition, "variants": variants})
    return found


def _state(row: dict[str, Any]) -> dict[str, Any]:
    kept = {key: row[key] for key in ("is_member", "reason", "cell_token", "class_id", "split")}
    return kept | {"meaning": EXCLUSION_REASONS.get(row["reason"] or "")}


def _classes(lake: Lake) -> dict[str, dict[str, Any]]:
    return {row["class_qid"]: row for row in lake.read(lake.require("settlement_classes")).to_pylist()}


def _of(lake: Lake, name: str, partition: str, qid: str) -> list[dict[str, Any]]:
    version: Version | None = lake.accepted(name, partition)
    if version is None:
        return []
    rows = lake.read(version, {"qid": qid}).to_pylist()
    return [row | {"meaning": IMAGE_STATUS[row["status"]]} for row in rows] if name == "images" else list(rows)
