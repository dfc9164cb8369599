"""Files of a release: written once, hashed while they are written, safe on disk before anybody is told of them."""

import hashlib
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Final

from mlm_assets.errors import MlmError
from mlm_assets.release.manifest import FileRecord

PARQUET_TYPE: Final = "application/vnd.apache.parquet"
"""Media type of a Parquet file."""
_CHUNK_BYTES: Final = 1 << 20


class NewFile:
    """A file that is being written from its beginning to its end; gives its size and SHA-256 when it is closed.

    It has what `tarfile` and pyarrow ask of a file to write to, and cannot be sought in.
    """

    def __init__(self, path: str, file: BinaryIO) -> None:
        self.path = path
        self.closed = False
        self._file = file
        self._hash = hashlib.sha256()
        self._size = 0

    def write(self, data: Any) -> int:
        """Append bytes; return their number."""
        self._hash.update(data)
        self._size += (written := self._file.write(data))
        return written

    def tell(self) -> int:
        """Return how many bytes there are."""
        return self._size

    def readable(self) -> bool:
        """Return False."""
        return False

    def writable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return False."""
        return False

    def flush(self) -> None:
        """Hand what is buffered to the system."""
        self._file.flush()

    def close(self) -> None:
        """Do nothing: libraries close what they are given; the block that opened the file closes it."""

    def record(self, format_: str, licence: str, media_type: str, n_records: int, **of: str) -> FileRecord:
        """Return the file's record; `of` is its variant and split, where it has one."""
        about = {"variant": "", "split": "", **of}
        return FileRecord(
            path=self.path, format=format_, licence=licence, media_type=media_type,
            size_bytes=self._size, sha256=self._hash.hexdigest(), n_records=n_records, **about,
        )  # fmt: skip


@contextmanager
def new_file(folder: Path, path: str) -> Iterator[NewFile]:
    """Open the new file `path` of the release in `folder`; it is on disk when the block ends.

    Raises:
        MlmError: it is there already. It may be a hard link to a file that is published, and is not written over.
    """
    target = new_path(folder, path)
    with target.open("xb") as file:
        made = NewFile(path, file)
        yield made
        made.closed = True
        file.flush()
        os.fsync(file.fileno())
    sync_folder(target.parent)


def new_path(folder: Path, path: str) -> Path:
    """Return where the new file `path` is to be written, for a library that opens it itself; see `new_file`."""
    target = folder / path
    if target.exists():
        raise MlmError(f"{target} is there already. A release is built in a new folder; remove what is left there.")
    target.parent.mkdir(parents=True, exist_ok=True)
    return target


def finished(
    folder: Path, path: str, format_: str, licence: str, media_type: str, n_records: int, **of: str
) -> FileRecord:
    """Return the record of a file that a library has written by itself, once it is on disk."""
    with (folder / path).open("rb+") as file:
        os.fsync(file.fileno())
    sync_folder((folder / path).parent)
    size, sha256 = hashed(folder / path)
    return FileRecord(
        path=path, format=format_, licence=licence, media_type=media_type, size_bytes=size, sha256=sha256,
        n_records=n_records, **{"variant": "", "split": "", **of},
    )  # fmt: skip


def hashed(path: Path) -> tuple[int, str]:
    """Return size in bytes and SHA-256 of a file."""
    digest, size = hashlib.sha256(), 0
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
            size += len(chunk)
    return size, digest.hexdigest()


def folder_digest(sha256s: Mapping[str, str]) -> str:
    """Return the hash that stands for a folder of files: of the lines `<sha256>  <name>` sorted by name.

    It is what `sha256sum * | sha256sum` prints in that folder (in the locale C).
    """
    digest = hashlib.sha256()
    for name in sorted(sha256s):
        digest.update(f"{sha256s[name]}  {name}\n".encode())
    return digest.hexdigest()


def sync_folder(folder: Path) -> None:
    """Make the names in a folder safe on disk."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
