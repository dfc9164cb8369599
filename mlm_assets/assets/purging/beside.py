"""What lies beside the tables: raw answers, downloads, pictures, rows in quarantine, faces, material of trainings.

All of it is removed, never rewritten: an answer that was edited would be no answer any more. A release whose answers
are gone cannot be replayed from them; its tables are there, without the target.
"""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from mlm_assets.assets.purging.plan import Plan
from mlm_assets.lineage.answers import StoredAnswer, body_of, raw_releases, read_answer
from mlm_assets.resources import quarantine
from mlm_assets.resources.faces import forget
from mlm_assets.resources.http import Request
from mlm_assets.resources.lake import Lake
from mlm_assets.resources.names import file_name, spaced
from mlm_assets.resources.takedowns import ITEM
from mlm_assets.tables import VARIANTS

THUMBNAIL_WIDTHS: Final = (20, 40, 60, 120, 250, 330, 500, 960, 1280, 1920, 3840)
"""Widths that the thumbnail service makes; a download is kept under one of them, or under that of a small original."""
_LISTING: Final = "?item wdt:P31 ?class"
"""Marks a query that lists candidates: its answer holds numbers of items and nothing of what they are."""


def remove_beside(lake: Lake, home: Path, plan: Plan) -> list[str]:
    """Remove everything beside the tables that holds the target; return the raw answers that went, by path."""
    answers = [answer.path for answer in answers_holding(lake, plan)] + downloads_of(lake, plan)
    for path in answers:
        lake.remove_tree(path)
    for path in plan.paths:
        lake.remove_tree(path)
    for entry in list(quarantine.all_entries(lake)):
        if _is_about(entry, plan):
            lake.remove_tree(entry.path)
    forget(lake, set(plan.picture_sha256s))
    remove_material(home, plan)
    return answers


def answers_holding(lake: Lake, plan: Plan) -> Iterator[StoredAnswer]:
    """Yield the stored answers of SPARQL and the Action API that hold what the target says, shows, or is known by."""
    for release in raw_releases(lake):
        for service in ("sparql", "action_api"):
            folder = f"raw/{release}/{service}"
            for part in lake.list_names(folder):
                for name in lake.list_names(f"{folder}/{part}"):
                    answer = read_answer(lake, f"{folder}/{part}/{name}")
                    if answer is not None and _holds(lake, answer, plan):
                        yield answer


def downloads_of(lake: Lake, plan: Plan) -> list[str]:
    """Return the paths of the stored downloads of the originals that go, of every width."""
    widths = sorted({0, *THUMBNAIL_WIDTHS, *plan.widths})
    keys = [
        Request("files", "upload", "GET", "", identity=f"{sha1}/{width}").key for sha1 in plan.sha1s for width in widths
    ]
    paths = [f"raw/files/{key[:2]}/{key}.gz" for key in keys]
    return [path for path in paths if lake.exists(path)]


def remove_material(home: Path, plan: Plan) -> None:
    """Remove the packed vectors of every variant that changed; they are packed again when somebody trains."""
    for place in plan.versions:
        table, _, release = place.partition("/")
        if table in VARIANTS:
            shutil.rmtree(home / "materials" / release / table, ignore_errors=True)


def _is_about(entry: quarantine.Entry, plan: Plan) -> bool:
    row = {**entry.row, **entry.key}
    if plan.kind == ITEM:
        return plan.target in (row.get("qid"), row.get("target_qid"))
    return row.get("file") in plan.files or row.get("file_sha1") in plan.sha1s


def _holds(lake: Lake, answer: StoredAnswer, plan: Plan) -> bool:
    if answer.service == "sparql":
        return plan.kind == ITEM and _says(lake, answer, plan.target)
    if answer.endpoint.startswith("wikipedia/"):
        titles = plan.titles.get(answer.endpoint.partition("/")[2], ())
        return plan.kind == ITEM and bool(titles) and _names_any(lake, answer, {spaced(title) for title in titles})
    return bool(plan.files) and _names_any(lake, answer, {f"File:{file_name(name)}" for name in plan.files})


def _says(lake: Lake, answer: StoredAnswer, qid: str) -> bool:
    """Tell whether an answer of the query service says something of an item, other than that there is one."""
    if _LISTING in (answer.query or ""):
        return False
    return f'/entity/{qid}"'.encode() in body_of(lake, answer)


def _names_any(lake: Lake, answer: StoredAnswer, titles: set[str]) -> bool:
    """Tell whether a page was asked for, or given, under one of these titles."""
    asked = {_titled(title) for title in answer.titles}
    if asked & titles:
        return True
    try:
        document = json.loads(body_of(lake, answer))
    except ValueError:
        return False
    found = document.get("query", {}).get("pages", []) if isinstance(document, dict) else []
    pages: list[Any] = list(found.values()) if isinstance(found, dict) else found
    return any(_titled(str(page.get("title", ""))) in titles for page in pages)


def _titled(title: str) -> str:
    """Return a title as it is compared: a file's with its first letter in upper case."""
    space, colon, name = title.partition(":")
    return f"File:{file_name(name)}" if colon and space == "File" else spaced(title)
