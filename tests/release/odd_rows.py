"""A release with everything that is unusual in it, for the tests of formats; and the writing of it by a process.

    python -m tests.release.odd_rows FOLDER json,parquet,... CHUNK

prints path and SHA-256 of what it wrote, as JSON; rows come in chunks of CHUNK rows.
"""

import json
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from mlm_assets.release.formats import FORMATS, write_tables
from mlm_assets.release.frozen import Frozen
from mlm_assets.release.manifest import FileRecord
from tests.release.sample import small_frozen

TEXT = "Zeile 1\nZeile 2\r\n\t\"quoted\" and 'single', a \\ and a % and {braces} 🏙️ 👨‍👩‍👧 עיר مدينة \u2028end"
N = 24


def odd_frozen(folder: Path, chunk: int = 1_000) -> Frozen:
    """Return a release where mlm is odd, mlm_v2 has no validation, mlm_irle is ordinary and mlm_irle_gr is empty."""
    frozen = small_frozen(folder, n=N)
    rows = {
        "mlm": _odd(frozen.rows["mlm"]),
        "mlm_v2": _without(frozen.rows["mlm_v2"], "validation"),
        "mlm_irle": frozen.rows["mlm_irle"],
        "mlm_irle_gr": frozen.rows["mlm_irle_gr"].slice(0, 0),
    }
    chunked = {
        name: pa.Table.from_batches(table.to_batches(max_chunksize=chunk), table.schema) for name, table in rows.items()
    }
    # Without rows there are no vectors either; the files are written all the same.
    vectors = {**frozen.vectors, "mlm_irle_gr": lambda split: iter(())}
    return replace(frozen, rows=chunked, vectors=vectors, attribution=_judged(frozen.attribution))


def write(frozen: Frozen, folder: Path, *names: str) -> dict[str, FileRecord]:
    """Write some formats, or all and the tables, into `folder`; return the records by path."""
    said: list[str] = []
    made = [record for name in names or FORMATS for record in FORMATS[name](frozen, folder, said.append)]
    if not names:
        made += write_tables(frozen, folder, said.append)
    assert said
    assert len({record.path for record in made}) == len(made)
    return {record.path: record for record in made}


def records_of(rows: pa.Table, split: str | None = None) -> list[dict[str, Any]]:
    return [row for row in rows.to_pylist() if split in (None, row["split"])]


def info_of(frozen: Frozen, row: dict[str, Any]) -> list[dict[str, Any]]:
    """Return what must be said of the pictures of a row, looked up one by one in `attribution`."""
    columns = ("licence_id", "licence", "licence_url", "author", "credit", "source_url")
    said = {one["name"]: one for one in frozen.attribution.to_pylist() if one["kind"] == "image"}
    return [
        {"name": image["name"], "file": image["file"], **{name: said[image["name"]][name] for name in columns}}
        for image in row["images"]
    ]


def _odd(rows: pa.Table) -> pa.Table:
    """Change what a row may hold: a strange text, a place near zero, numbers of pictures with a gap."""
    found = rows.to_pylist()
    found[0]["summaries"][0]["text"] = TEXT
    found[0]["label"] = 'O\'Brien "the\ntown" 🏘'
    found[0]["lat_deg"], found[0]["lon_deg"] = 1e-7, -0.1 - 0.2
    found[2]["images"] = [found[2]["images"][0], found[2]["images"][2]]
    found[3]["class_labels"] = []
    found[4]["revision"] = None
    return pa.Table.from_pylist(found, schema=rows.schema)


def _judged(attribution: pa.Table) -> pa.Table:
    """Let `attribution` say other than the rows, so that it shows whose word is published."""
    found = [
        {**row, "author": f"judged: {row['author']}", "licence": f"{row['licence']}, as judged"}
        for row in attribution.to_pylist()
    ]
    return pa.Table.from_pylist(found, schema=attribution.schema)


def _without(rows: pa.Table, split: str) -> pa.Table:
    return rows.filter(pc.not_equal(rows["split"], split))


if __name__ == "__main__":
    target, names, chunk = sys.argv[1:]
    frozen = odd_frozen(Path(target) / "kept", int(chunk))
    written = write(frozen, Path(target) / "release", *names.split(","))
    written |= {record.path: record for record in write_tables(frozen, Path(target) / "release", lambda said: said)}
    json.dump({path: asdict(record) for path, record in written.items()}, sys.stdout)
