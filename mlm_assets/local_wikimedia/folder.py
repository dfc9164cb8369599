"""A world read from a folder: `wikidata.nt.gz`, `pages.jsonl`, `files.jsonl`, `files/`.

Fields beyond the needed ones are optional; a page or file without a number gets a stable one. A file that is listed
without a body in `files/` is a file that cannot be downloaded.
"""

import gzip
import hashlib
import json
import mimetypes
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

from mlm_assets.errors import Refused
from mlm_assets.local_wikimedia.generator.randomness import stable_number
from mlm_assets.local_wikimedia.model import MediaFile, Page, World
from mlm_assets.local_wikimedia.thumbnails import picture_size
from mlm_assets.local_wikimedia.titles import InvalidTitle, file_key, parse_title

TRIPLES_FILE: Final = "wikidata.nt.gz"
PAGES_FILE: Final = "pages.jsonl"
FILES_FILE: Final = "files.jsonl"
FILES_FOLDER: Final = "files"
_CHUNK_BYTES: Final = 8 * 2**20
_LONG_AGO: Final = "2020-01-01T00:00:00Z"


def require_world_folder(folder: Path) -> None:
    """Check that a folder has the files of a world.

    Raises:
        Refused: the folder or one of its files is missing; all that are missing are named.
    """
    if not folder.is_dir():
        raise Refused(f"There is no world folder {folder}.")
    wanted = (TRIPLES_FILE, PAGES_FILE, FILES_FILE)
    missing = [name for name in wanted if not (folder / name).is_file()]
    if not (folder / FILES_FOLDER).is_dir():
        missing.append(f"{FILES_FOLDER}/")
    if missing:
        raise Refused(f"The world folder {folder} lacks {', '.join(missing)}.")


def _rows(path: Path, read: Callable[[dict[str, Any]], None]) -> None:
    """Give every line of a JSON lines file to `read`.

    Raises:
        Refused: a line is not JSON, or `read` cannot use it; file and line number are named.
    """
    with path.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                read(dict(json.loads(line)))
            except KeyError as error:
                raise Refused(f"{path}, line {number}: the field {error} is missing.") from error
            except (ValueError, TypeError) as error:
                raise Refused(f"{path}, line {number} cannot be read: {error}.") from error


class FolderWorld(World):
    """The world in one folder; texts are kept in memory, bodies are read when asked for."""

    def __init__(self, folder: Path) -> None:
        require_world_folder(folder)
        self.folder = folder
        self._pages: dict[tuple[str, str], Page] = {}
        self._rows_of_files: dict[str, dict[str, Any]] = {}
        self._digests: dict[str, tuple[int, str]] = {}
        _rows(folder / PAGES_FILE, self._add_page)
        _rows(folder / FILES_FILE, self._add_file)
        self._bodies = self._find_bodies()

    def _add_page(self, row: dict[str, Any]) -> None:
        lang, title = str(row["lang"]), _normal(str(row["title"]))
        if row.get("missing"):
            return
        target = row.get("redirect_to")
        goal, _, fragment = str(target).partition("#") if target else ("", "", "")
        self._pages[lang, title] = Page(
            lang=lang,
            title=title,
            qid=row.get("qid"),
            extract="" if target else str(row.get("extract") or ""),
            pageid=int(row.get("pageid") or 1 + stable_number("page", lang, title, below=10**9)),
            lastrevid=int(row.get("lastrevid") or 1 + stable_number("revision", lang, title, below=10**9)),
            touched=str(row.get("touched") or _LONG_AGO),
            redirect_to=_normal(goal) if target else None,
            redirect_fragment=fragment or None,
        )

    def _add_file(self, row: dict[str, Any]) -> None:
        name = file_key(str(row["name"]))
        for number in ("width", "height", "size"):
            row[number] = None if row.get(number) is None else int(row[number])
        self._rows_of_files[name] = row

    def _find_bodies(self) -> dict[str, Path]:
        with os.scandir(self.folder / FILES_FOLDER) as entries:
            return {file_key(entry.name): Path(entry.path) for entry in entries if entry.is_file()}

    def describe(self) -> dict[str, Any]:
        """Return the folder's name and sizes."""
        return {
            "kind": "folder",
            "folder": self.folder.name,
            "pages": len(self._pages),
            "files": len(self._rows_of_files),
            "bodies": sum(name in self._bodies for name in self._rows_of_files),
        }

    def triples(self) -> Iterator[bytes]:
        """Yield the graph in chunks of whole lines.

        Raises:
            Refused: the file is not gzip.
        """
        try:
            with gzip.open(self.folder / TRIPLES_FILE, "rb") as lines:
                while chunk := lines.read(_CHUNK_BYTES):
                    yield chunk + lines.readline()
        except (OSError, EOFError) as error:
            raise Refused(f"{self.folder / TRIPLES_FILE} cannot be read: {error}.") from error

    def page_titles(self) -> Iterator[tuple[str, str]]:
        """Yield (language, title) of every page."""
        yield from self._pages

    def page(self, lang: str, title: str) -> Page | None:
        """Return a page."""
        return self._pages.get((lang, title))

    def file_names(self) -> Iterator[str]:
        """Yield the name of every listed file."""
        yield from self._rows_of_files

    def file(self, name: str) -> MediaFile | None:
        """Return a file; what the list does not say of it is read from its body."""
        row = self._rows_of_files.get(name)
        if row is None:
            return None
        mime = str(row.get("mime") or mimetypes.guess_type(name)[0] or "application/octet-stream")
        width, height = self._dimensions(row, name, mime)
        size, sha1 = self._digest(row, name)
        target = row.get("redirect_to")
        return MediaFile(
            name=name,
            mime=mime,
            width_px=width,
            height_px=height,
            size_bytes=size,
            sha1=sha1,
            timestamp=str(row.get("timestamp") or _LONG_AGO),
            pageid=int(row.get("pageid") or 1 + stable_number("file page", name, below=10**9)),
            extmetadata=row.get("extmetadata") or {},
            redirect_to=file_key(str(target).removeprefix("File:")) if target else None,
        )

    def body(self, name: str) -> bytes | None:
        """Return the original bytes, if the folder has them."""
        path = self._bodies.get(name)
        return path.read_bytes() if path and name in self._rows_of_files else None

    def _dimensions(self, row: dict[str, Any], name: str, mime: str) -> tuple[int, int]:
        if row["width"] is None or row["height"] is None:
            row["width"], row["height"] = picture_size(self.body(name), mime)
        return row["width"], row["height"]

    def _digest(self, row: dict[str, Any], name: str) -> tuple[int, str]:
        if row["size"] is not None and row.get("sha1"):
            return row["size"], str(row["sha1"])
        if name not in self._digests:
            body = self.body(name) or name.encode()
            self._digests[name] = len(body), hashlib.sha1(body, usedforsecurity=False).hexdigest()
        return self._digests[name]


def _normal(title: str) -> str:
    """Return a title as the wikis keep it; one that they would refuse stays as it is."""
    try:
        return parse_title(title).text
    except InvalidTitle:
        return title
