"""`mlm why QID`: the whole way of one entity; with two releases, what changed for it and what brought each change."""

import json
from collections.abc import Mapping
from typing import Any, Final

from rich.console import Console

from mlm_assets.errors import Refused
from mlm_assets.identifiers import parse_qid
from mlm_assets.lineage import records
from mlm_assets.lineage.compare import compare
from mlm_assets.lineage.entity import way_of
from mlm_assets.lineage.words import on_one_line
from mlm_assets.resources.lake import open_lake
from mlm_assets.settings import Settings

_CUT: Final = 300


def why(text: str, settings: Settings) -> dict[str, Any]:
    """Return everything that the home knows of one entity; `verdict` and `reason` say how it ended.

    Raises:
        Refused: `text` is no QID.
        MlmError: the home has no candidates yet.
    """
    return way_of(open_lake(settings), parse_qid(text), settings.shards)


def why_between(text: str, settings: Settings, at: str | None = None, vs: str | None = None) -> dict[str, Any]:
    """Return what changed for one entity between two releases; see `lineage.compare`.

    `vs` is the newest release by default, `at` the one before `vs`.

    Raises:
        Refused: `text` is no QID, or a release is not there, or there is none before.
    """
    qid, lake = parse_qid(text), open_lake(settings)
    present = records.releases(lake)
    later = records.require_release(lake, vs) if vs is not None else (present[-1] if present else "")
    earlier = [release for release in present if release < later]
    if at is None and not earlier:
        raise Refused(
            f"There is no release before {later or 'the first'} to compare with. There are: {_list(present)}."
        )
    return compare(lake, qid, at if at is not None else earlier[-1], later, settings.shards)


def show(said: dict[str, Any], console: Console) -> None:
    """Print what `why` found, as text."""
    console.print(f"{said['qid']}  shard {said['shard']}  split {said['split']}")
    console.print(f"{said['verdict']}" + (f": {said['reason']} ({said['meaning']})" if said["reason"] else ""))
    for path in said.get("class_paths", []):
        console.print("  class    " + " < ".join(f"{on_one_line(step['label'])} ({step['qid']})" for step in path))
    if said.get("evidence"):
        console.print(f"  evidence {json.dumps(said['evidence'], ensure_ascii=False)}")
    _show_quarantine(said["quarantine"], console)
    _show_settlement(said.get("settlement"), console)
    for fact in said.get("facts", []):
        rest = {key: value for key, value in fact.items() if key not in ("property", "value", "answer_key")}
        value = on_one_line(fact["value"])
        console.print(f"  fact     {fact['property']} {value}" + (f"  {rest}" if rest else ""))
    for row in said.get("summaries", []):
        console.print(
            f"  summary  {row['lang']} {row['status']} {row['requested_title']!r} {(row['text'] or '')[:70]!r}"
        )
    for row in said.get("images", []):
        console.print(
            f"  image    {row['image_index']} {row['status']} {on_one_line(row['file'])} "
            f"({on_one_line(row['licence'])}, {on_one_line(row['author'])})"
            + (f": {on_one_line(row['meaning'])}" if row["status"] == "taken_down" else "")
        )
    for release in said.get("releases", []):
        for variant, state in release["variants"].items():
            where = f"cell {state['cell_token']}" if state["cell_token"] else "no cell"
            console.print(f"  release  {release['release']} {variant}: {state['reason'] or 'in'} ({where})")
    _show_last_seen(said, console)


def show_between(said: dict[str, Any], console: Console) -> None:
    """Print what `why_between` found, as text: each change, and below it what brought it."""
    console.print(f"{said['qid']}  {said['at']} -> {said['vs']}")
    for side in (said["before"], said["after"]):
        edited = f", edited {side['modified_at']}" if side["modified_at"] else ""
        revision = f"revision {side['revision']}{edited}" if side["revision"] else "no revision known"
        console.print(f"  {side['release']}  {on_one_line(side['label'] or '')} {side['state']}, {revision}")
    if not said["changes"]:
        console.print("nothing that a release holds has changed")
    for change in said["changes"]:
        console.print(f"{change['kind']:8} {on_one_line(change['sentence'], _CUT)}")
        for line in change["diff"]:
            console.print(f"           {on_one_line(line, _CUT)}")
        for cause in change["causes"]:
            console.print(f"  because  {on_one_line(cause['sentence'], _CUT)}")
            if cause["address"]:
                console.print(f"           {cause['address']}")
    for edit in said["edits"]:
        console.print(f"edit     {on_one_line(edit['sentence'], _CUT)}")
        console.print(f"           {edit['address']}")
    for reason in said["background"]:
        console.print(f"besides  {on_one_line(reason['sentence'], _CUT)}")


def _show_settlement(settlement: Mapping[str, Any] | None, console: Console) -> None:
    if settlement is None:
        return
    console.print(
        f"  place    {on_one_line(settlement['label'])} at {settlement['lat_deg']}, {settlement['lon_deg']} "
        f"(statement {settlement['statement']} of {settlement['n_coordinates']}), "
        f"{settlement['country_code']} by {settlement['country_source']}, revision {settlement['revision']}"
    )


def _show_quarantine(entries: list[dict[str, Any]], console: Console) -> None:
    for entry in entries:
        place = f"{entry['table']} {entry['partition']}".strip()
        console.print(
            f"  aside    {place}: {on_one_line(entry['reason'], _CUT)} (rule {entry['rule']}, {entry['state']})"
        )
        console.print(f"           entry {entry['id']}, run {entry['run_id']}, {entry['at']}")
        if entry["answer"]:
            console.print(f"           answer {entry['answer']}")


def _show_last_seen(said: Mapping[str, Any], console: Console) -> None:
    """Print where something was seen last that it is no more: a candidate, a settlement."""
    seen = said["last_seen"]
    if said["verdict"] == "dropped" and seen["candidate"] is not None:
        classes = ", ".join(seen["candidate"]["class_qids"])
        console.print(f"  last     candidate in {seen['candidate']['release']}, as instance of {classes}")
    if said["verdict"] == "accepted":
        return
    if seen["settlement"] is not None:
        then = seen["settlement"]
        place = f"{on_one_line(then['label'])} at {then['lat_deg']}, {then['lon_deg']}, {then['country_code']}"
        console.print(f"  last     settlement in {then['release']}: {place}, revision {then['revision']}")
    for variant, state in seen["members"].items():
        where = f"cell {state['cell_token']}" if state["cell_token"] else "no cell"
        console.print(f"  last     member of {variant} in {state['release']} ({where}, {state['split']})")


def _list(names: list[str]) -> str:
    return ", ".join(names) or "none"
