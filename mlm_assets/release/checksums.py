"""`SHA256SUMS` of a release: written last, and read by whoever wants to know whether every byte is what it was.

The format is that of `sha256sum -c`. What the files mean does not belong here.
"""

import hashlib
import os
import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from mlm_assets.errors import MlmError, Refused
from mlm_assets.release.formats.files import hashed
from mlm_assets.release.frozen import Say
from mlm_assets.release.manifest import CHECKSUMS_FILE

_LINE: Final = re.compile(r"([0-9a-f]{64})  (\S.*)", re.ASCII)
_SAY_EVERY_S: Final = 5.0


@dataclass(frozen=True)
class Fault:
    """A file of a release that is not what its checksum says: `kind` is missing, changed, extra or unreadable."""

    path: str
    kind: str
    sentence: str


def files_below(folder: Path) -> Iterator[str]:
    """Yield the path of every file below a folder, links among them, as checksums name it."""
    for parent, folders, names in os.walk(folder):
        folders.sort()
        inside = Path(parent).relative_to(folder)
        links = [name for name in folders if (Path(parent) / name).is_symlink()]
        for name in sorted([*names, *links]):
            yield (inside / name).as_posix()


def sums_bytes(sha256s: Mapping[str, str]) -> bytes:
    """Return the bytes of `SHA256SUMS` for files (path -> SHA-256), sorted by path.

    Raises:
        MlmError: a path cannot be written in a line.
    """
    odd = [path for path in sha256s if not path.isprintable() or "\\" in path]
    if odd:
        raise MlmError(f"{odd[0]!r} cannot be the name of a file of a release: it does not fit into {CHECKSUMS_FILE}.")
    return "".join(f"{sha256s[path]}  {path}\n" for path in sorted(sha256s)).encode()


def read_sums(folder: Path) -> dict[str, str]:
    """Return path -> SHA-256 as the checksums of a folder say.

    Raises:
        Refused: there are none, or they cannot be read; then nothing is known of the folder.
    """
    path = folder / CHECKSUMS_FILE
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise Refused(f"{path} cannot be read ({error}), so that nothing vouches for the files beside it.") from error
    found: dict[str, str] = {}
    for number, line in enumerate(lines, start=1):
        match = _LINE.fullmatch(line)
        if match is None or match[2] in found or Path(match[2]).is_absolute() or ".." in Path(match[2]).parts:
            raise Refused(f"Line {number} of {path} is none of `sha256sum`, so that nothing vouches for the files.")
        found[match[2]] = match[1]
    return found


def faults_of(folder: Path, say: Say, purged: Mapping[str, str] | None = None) -> Iterator[Fault]:
    """Yield what is wrong with the files of a folder: each is read once, and hard links to one file once together.

    `purged` maps files that were taken back to the hashes that they may have now, "" where they must be gone.

    Raises:
        Refused: as `read_sums`.
    """
    known: dict[tuple[int, int], str] = {}
    wanted = {**read_sums(folder), **(purged or {})}
    said_at = time.monotonic()
    for number, (path, sha256) in enumerate(sorted(wanted.items()), start=1):
        fault = _fault(folder, path, sha256, known)
        if fault is not None:
            yield fault
        if time.monotonic() - said_at >= _SAY_EVERY_S:
            said_at = time.monotonic()
            say(f"{folder.name}: {number:,} of {len(wanted):,} files looked at")
    for path in files_below(folder):
        if path not in wanted and path != CHECKSUMS_FILE:
            yield Fault(path, "extra", f"{path} is no file of this release")


def bytes_sha256(data: bytes) -> str:
    """Return the SHA-256 of bytes."""
    return hashlib.sha256(data).hexdigest()


def _fault(folder: Path, path: str, sha256: str, known: dict[tuple[int, int], str]) -> Fault | None:
    file = folder / path
    try:
        found = file.stat()
        if not sha256:
            return Fault(path, "extra", f"{path} was purged, and is there")
        if file.is_symlink():
            return Fault(path, "changed", f"{path} is a symbolic link")
        place = (found.st_dev, found.st_ino)
        if place not in known:
            known[place] = hashed(file)[1]
    except FileNotFoundError:
        return Fault(path, "missing", f"{path} is not there") if sha256 else None
    except OSError as error:
        return Fault(path, "unreadable", f"{path} cannot be read ({error.strerror or error})")
    return None if known[place] == sha256 else Fault(path, "changed", f"{path} does not have the hash {sha256}")
