"""Whether a file of a release holds something that was taken back, whatever its format.

A published version is purged of the files that say so here, and of no others. An item is known by its QID (in MLM v1's
layout by its number), a file of Commons by its name, its SHA-1, and the SHA-256 of the padded picture.
"""

import base64
import hashlib
import html
import json
import re
import tarfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, Final
from urllib.parse import quote

_PIECE: Final = 1 << 22
_OVERLAP: Final = 1 << 12
_BATCH: Final = 2_000
_DATA_URI: Final = re.compile(rb"data:image/[a-z+]+;base64,([A-Za-z0-9+/=]+)")
_PICTURES: Final = (".jpg", ".jpeg", ".png")
_OPAQUE: Final = (".safetensors",)
"""Weights: what a model has learnt from somebody is not found by looking."""


@dataclass(frozen=True)
class Traces:
    """What gives away that something is in a file: its QIDs, names and hashes of files, hashes of padded pictures.

    `owners` are the items whose vectors hold it; vectors of single pictures carry no name.
    """

    qids: frozenset[str]
    files: frozenset[str]
    sha1s: frozenset[str]
    picture_sha256s: frozenset[str]
    owners: frozenset[str] = frozenset()
    _pattern: re.Pattern[bytes] | None = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Prepare the pattern that is looked for in texts."""
        qids = [rf"(?<![A-Za-z0-9]){qid}(?![0-9])" for qid in sorted(self.qids)]
        numbers = [rf'"id": ?{qid[1:]}(?![0-9])' for qid in sorted(self.qids)]
        words = {form for name in self.files for form in _forms(name)} | set(self.sha1s)
        parts = [*qids, *numbers, *(re.escape(word) for word in sorted(words))]
        object.__setattr__(self, "_pattern", re.compile("|".join(parts).encode()) if parts else None)  # frozen

    def in_text(self, text: bytes) -> bool:
        """Tell whether a text, or a picture embedded in it, gives it away."""
        if self._pattern is not None and self._pattern.search(text):
            return True
        return any(self.is_picture(_decoded(found[1])) for found in _DATA_URI.finditer(text))

    def is_picture(self, data: bytes) -> bool:
        """Tell whether bytes are one of the pictures."""
        return bool(self.picture_sha256s) and hashlib.sha256(data).hexdigest() in self.picture_sha256s

    def in_value(self, value: Any) -> bool:
        """Tell whether a value of a row (text, number, list, struct, bytes) gives it away."""
        if isinstance(value, bytes):
            return self.is_picture(value)
        if isinstance(value, dict):
            return any(self.in_value(one) for one in value.values())
        if isinstance(value, (list, tuple)):
            return any(self.in_value(one) for one in value)
        return isinstance(value, str) and self.in_text(value.encode())

    def is_number(self, value: Any) -> bool:
        """Tell whether a number is that of an item."""
        return isinstance(value, int) and f"Q{value}" in self.qids


def holds(path: Path, traces: Traces) -> bool:
    """Tell whether the file at `path` holds any of what `traces` describes.

    Raises:
        OSError: the file cannot be read.
    """
    if traces.in_text(path.name.encode()):
        return True
    readers: dict[str, Callable[[Path, Traces], bool]] = {
        ".parquet": _in_parquet, ".tar": _in_tar, ".h5": _in_hdf5, ".duckdb": _in_duckdb,
        **dict.fromkeys(_PICTURES, _in_picture), **dict.fromkeys(_OPAQUE, lambda *_: False),
    }  # fmt: skip
    return readers.get(path.suffix, _in_text_file)(path, traces)


def _forms(name: str) -> Iterator[str]:
    """Yield the ways in which a name of Commons is written: as text, in JSON, in HTML, in addresses."""
    for form in (name, name.replace(" ", "_")):
        yield from (form, json.dumps(form)[1:-1], html.escape(form), quote(form), quote(form, safe=""))


def _decoded(encoded: bytes) -> bytes:
    try:
        return base64.b64decode(encoded)
    except ValueError:
        return b""


def _in_text_file(path: Path, traces: Traces) -> bool:
    data = path.read_bytes() if path.stat().st_size <= _PIECE else None
    if data is not None:
        return traces.in_text(data)
    with path.open("rb") as file:
        before = b""
        while piece := file.read(_PIECE):
            if traces.in_text(before + piece):
                return True
            before = piece[-_OVERLAP:]
    return False


def _in_picture(path: Path, traces: Traces) -> bool:
    return traces.is_picture(path.read_bytes())


def _in_parquet(path: Path, traces: Traces) -> bool:
    import pyarrow.parquet as pq

    with pq.ParquetFile(path, pre_buffer=False) as file:
        batches = file.iter_batches(batch_size=_BATCH, use_threads=False)
        return any(_in_rows(batch.to_pylist(), traces) for batch in batches)


def _in_rows(rows: Iterable[dict[str, Any]], traces: Traces) -> bool:
    return any(traces.is_number(row.get("id")) or traces.in_value(row) for row in rows)


def _in_tar(path: Path, traces: Traces) -> bool:
    with tarfile.open(path) as tar:
        for member in tar:
            data = tar.extractfile(member)
            body = data.read() if data is not None else b""
            is_picture = PurePosixPath(member.name).suffix in _PICTURES
            if traces.in_text(member.name.encode()) or (
                traces.is_picture(body) if is_picture else traces.in_text(body)
            ):
                return True
    return False


def _in_hdf5(path: Path, traces: Traces) -> bool:
    """Look at the keys, which begin with the number of an item."""
    import h5py

    numbers = {qid[1:] for qid in traces.qids | traces.owners}
    with h5py.File(path, "r") as file:
        return any(key.partition("_")[0] in numbers for key in file)


def _in_duckdb(path: Path, traces: Traces) -> bool:
    import duckdb

    connection = duckdb.connect(str(path), read_only=True)
    try:
        names = [row[0] for row in connection.execute("SELECT table_name FROM duckdb_tables()").fetchall()]
        for name in names:
            found = connection.execute(f'SELECT * FROM "{name}"')  # noqa: S608 (a name of the file itself)
            columns = [column[0] for column in found.description]
            while rows := found.fetchmany(_BATCH):
                if _in_rows((dict(zip(columns, row, strict=True)) for row in rows), traces):
                    return True
    finally:
        connection.close()
    return False
