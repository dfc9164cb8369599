"""The stored answers of services, found again from the rows that they brought, and the requests that they answer.

Rows of `facts`, `summaries` and `images` carry the key of their answer. Those of `candidates` and `settlement_classes`
come from many answers each and carry none: their request is found by what was asked. Nothing is asked of a service.
"""

import json
import re
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from mlm_assets.resources.http import GAVE_UP_STATUS, Request
from mlm_assets.resources.lake import Lake
from mlm_assets.resources.names import file_name, spaced

SERVICE_OF: Final = {
    "settlement_classes": "sparql",
    "candidates": "sparql",
    "changed_facts": "sparql",
    "departures": "sparql",
    "facts": "sparql",
    "summaries": "action_api",
    "images": "action_api",
}
"""The service that a table is fetched from."""

Row = Mapping[str, Any]

FILES: Final = "files"
_RAW: Final = "raw"
_HEAD_BYTES: Final = 1 << 16
_MAX_HEAD_BYTES: Final = 1 << 24
_MAX_CONTINUED: Final = 100
_CONTINUED: Final = ("excontinue", "incontinue", "iicontinue")


@dataclass(frozen=True)
class StoredAnswer:
    """One answer as it lies in the lake, without its body: what was asked of whom, and what came when.

    `asked` are the parameters, of the address and of the form alike; `fetched_at` is the service's own clock.
    """

    key: str
    path: str
    file: str
    release: str
    service: str
    endpoint: str
    url: str
    method: str
    asked: Mapping[str, str]
    status: int
    fetched_at: str | None

    @property
    def query(self) -> str | None:
        """Return the SPARQL query that was asked."""
        return self.asked.get("query")

    @property
    def titles(self) -> list[str]:
        """Return the titles that were asked for."""
        return self.asked["titles"].split("|") if self.asked.get("titles") else []

    @property
    def gave_up(self) -> bool:
        """Tell whether this is no answer, but the note that the service gave none."""
        return self.status == GAVE_UP_STATUS

    def as_json(self) -> dict[str, Any]:
        """Return the answer as plain data."""
        said = asdict(self)
        said.pop("asked")
        others = {name: value for name, value in self.asked.items() if name not in ("query", "titles")}
        return said | {"query": self.query, "titles": self.titles, "parameters": others, "gave_up": self.gave_up}


def raw_releases(lake: Lake) -> list[str]:
    """Return the releases whose answers are kept, oldest first."""
    return [name for name in lake.list_names(_RAW) if name != FILES]


def find_answer(lake: Lake, key: str, service: str, release: str | None = None) -> StoredAnswer | None:
    """Return the answer with this key: that of `release`, else of the newest release that has one; None where none.

    A version that is the same in two releases keeps the answers of both; the key is the same.
    """
    names = raw_releases(lake)
    ordered = sorted(names, reverse=True)
    if release in names:
        ordered = [str(release), *(name for name in ordered if name != release)]
    folders = ["files"] if service == FILES else [f"{name}/{service}" for name in ordered]
    for folder in folders:
        path = f"{_RAW}/{folder}/{key[:2]}/{key}.gz"
        if lake.exists(path):
            return read_answer(lake, path)
    return None


def read_answer(lake: Lake, path: str) -> StoredAnswer | None:
    """Return the answer at `path` without reading its body; None where the file is damaged."""
    try:
        said = json.loads(_first_line(lake, path))
        parts = path.split("/")
        return StoredAnswer(
            key=parts[-1].removesuffix(".gz"),
            path=path,
            file=lake.full_path(path),
            release="" if parts[1] == FILES else parts[1],
            service=said["service"],
            endpoint=said["endpoint"],
            url=said["url"],
            method="POST" if said["form"] else "GET",
            asked={**said["params"], **said["form"]},
            status=int(said["status"]),
            fetched_at=said["headers"].get("date"),
        )
    except (zlib.error, ValueError, KeyError, TypeError, AttributeError):
        return None


def body_of(lake: Lake, answer: StoredAnswer) -> bytes:
    """Return the body of an answer as it came; empty where the file is damaged."""
    try:
        data = zlib.decompress(lake.read_bytes(answer.path), wbits=31)
    except zlib.error:
        return b""
    return data.partition(b"\n")[2]


def with_continuations(lake: Lake, answer: StoredAnswer, title: str) -> list[StoredAnswer]:
    """Return an answer of the Action API and its continuations, up to the one that has what was asked of `title`.

    A row carries the key of the first of them; a lead text may have come with a later one.
    """
    found = [answer]
    for _ in range(_MAX_CONTINUED):
        document = _document(lake, found[-1])
        more = {name: str(value) for name, value in document.get("continue", {}).items()}
        if _has_content(document, title) or not any(name in more for name in _CONTINUED):
            break
        following = _continued(lake, answer, more)
        if following is None:
            break
        found.append(following)
    return found


def download_of(lake: Lake, answer: StoredAnswer, name: str) -> StoredAnswer | None:
    """Return the stored download of the file `name` that the metadata in `answer` speak of; None where there is none.

    The key of a download is made of the file's SHA-1 and the width of the thumbnail, which the metadata name.
    """
    page = _page(_document(lake, answer), f"File:{name}")
    info = (page.get("imageinfo") or [{}])[0]
    if not info.get("sha1") or not info.get("thumburl"):
        return None
    identity = f"{info['sha1']}/{info.get('thumbwidth') or 0}"
    request = Request("files", "upload", "GET", str(info["thumburl"]), identity=identity)
    return find_answer(lake, request.key, FILES)


def listings_of(lake: Lake, release: str, rows: Sequence[Row]) -> dict[str, list[StoredAnswer]]:
    """Return the answers that list candidates as instances of their classes, by QID."""

    def may_list(answer: StoredAnswer, row: Row) -> bool:
        query = answer.query or ""
        ending = re.search(r'STRENDS\(STR\(\?item\), "([0-9]+)"\)', query)
        is_right = ending is None or row["qid"].endswith(ending[1])
        return is_right and bool(_asked_qids(query) & set(row["class_qids"]))

    return _naming(lake, release, ("?item wdt:P31 ?class", "?revision"), rows, "qid", may_list)


def edges_of(lake: Lake, release: str, rows: Sequence[Row]) -> dict[str, list[StoredAnswer]]:
    """Return the answers that name classes as subclasses of their parents, by QID of the class."""

    def may_name(answer: StoredAnswer, row: Row) -> bool:
        return bool(_asked_qids(answer.query or "") & set(row["parent_qids"]))

    return _naming(lake, release, ("?child wdt:P279 ?parent",), rows, "class_qid", may_name)


def unanswered_for(lake: Lake, release: str, qid: str) -> list[StoredAnswer]:
    """Return the notes that the service gave no facts of an item asked alone (it is quarantined)."""

    def asked_alone(answer: StoredAnswer) -> bool:
        return answer.gave_up and "?property" in (answer.query or "") and _asked_items(answer.query or "") == {qid}

    return [answer for answer in _all(lake, release, "sparql") if asked_alone(answer)]


def _all(lake: Lake, release: str, service: str) -> Iterator[StoredAnswer]:
    folder = f"{_RAW}/{release}/{service}"
    for part in lake.list_names(folder):
        for name in lake.list_names(f"{folder}/{part}"):
            answer = read_answer(lake, f"{folder}/{part}/{name}")
            if answer is not None:
                yield answer


def _naming(
    lake: Lake,
    release: str,
    signs: Sequence[str],
    rows: Sequence[Row],
    column: str,
    may: Callable[[StoredAnswer, Row], bool],
) -> dict[str, list[StoredAnswer]]:
    """Return the SPARQL answers whose query has all `signs`, by the item in `column` of the rows that they name.

    All rows are looked for in one pass; only the answers to questions about them are read whole.
    """
    found: dict[str, list[StoredAnswer]] = {row[column]: [] for row in rows}
    for answer in _all(lake, release, "sparql"):
        if not all(sign in (answer.query or "") for sign in signs):
            continue
        wanted = [row[column] for row in rows if may(answer, row)]
        body = body_of(lake, answer) if wanted else b""
        for qid in wanted:
            if f'/entity/{qid}"'.encode() in body:
                found[qid].append(answer)
    return found


def _asked_qids(query: str) -> set[str]:
    return set(re.findall(r"\bwd:(Q[0-9]+)\b", query))


def _asked_items(query: str) -> set[str]:
    blocks = re.findall(r"VALUES \?item \{([^}]*)\}", query)
    return set(re.findall(r"\bwd:(Q[0-9]+)\b", " ".join(blocks)))


def _first_line(lake: Lake, path: str) -> bytes:
    """Return the first line of a gzip file; what follows is not read."""
    unpack = zlib.decompressobj(wbits=31)
    line = b""
    with lake.fs.open(lake.full_path(path), "rb") as file:
        while b"\n" not in line and len(line) < _MAX_HEAD_BYTES:
            packed = file.read(_HEAD_BYTES)
            if not packed:
                break
            line += unpack.decompress(packed, _MAX_HEAD_BYTES)
    return line.partition(b"\n")[0]


def _document(lake: Lake, answer: StoredAnswer) -> dict[str, Any]:
    try:
        document = json.loads(body_of(lake, answer))
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


def _page(document: Mapping[str, Any], title: str) -> Mapping[str, Any]:
    """Return the page that a title as it was asked led to; empty where there is none."""
    said = document.get("query", {})
    steps = {
        step["from"]: step["to"] for kind in ("normalized", "converted", "redirects") for step in said.get(kind, [])
    }
    seen: set[str] = set()
    wanted = {title, spaced(title)}
    if title.startswith("File:"):
        wanted.add(f"File:{file_name(title.removeprefix('File:'))}")
    while wanted - seen:
        seen |= wanted
        wanted = {steps[name] for name in wanted if name in steps} - seen
    found = said.get("pages", [])
    pages = list(found.values()) if isinstance(found, dict) else found
    return next((page for page in pages if page.get("title") in seen), {})


def _has_content(document: Mapping[str, Any], title: str) -> bool:
    page = _page(document, title)
    return any(name in page for name in ("extract", "imageinfo", "missing", "invalid"))


def _continued(lake: Lake, first: StoredAnswer, more: Mapping[str, str]) -> StoredAnswer | None:
    request = Request(first.service, first.endpoint, first.method, first.url, params={**first.asked, **more})
    return find_answer(lake, request.key, first.service, first.release or None)


def distinct(found: Sequence[StoredAnswer]) -> list[StoredAnswer]:
    """Return answers, each once, in their order."""
    return list({answer.path: answer for answer in found}.values())
