"""One DuckDB file with the tables of all variants, for who wants to ask questions at once. Pictures stay outside.

DuckDB puts random numbers into its files, so two of the same rows differ in their bytes: they are compared by
`table_hashes`. The storage version is the oldest that 1.0 reads; 2.0 reads and writes it too (tried with 1.0, 1.1,
1.2, 1.3, 1.4, 1.5 and 2.0).
"""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from mlm_assets.errors import MlmError
from mlm_assets.release.formats.credits import Credits
from mlm_assets.release.formats.fields import described, entity_schema, image_schema, summary_schema
from mlm_assets.release.formats.files import finished, new_path
from mlm_assets.release.formats.pictures import Pictures
from mlm_assets.release.formats.rows import entity_parts, image_parts, summary_parts
from mlm_assets.release.formats.slices import slices
from mlm_assets.release.frozen import Frozen, Say
from mlm_assets.release.manifest import MIXED, FileRecord
from mlm_assets.tables import TABLES

PATH: Final = "duckdb/mlm.duckdb"
STORAGE_VERSION: Final = "v1.0.0"
TABLES_MADE: Final = {
    "entities": "Settlements of each variant, by number of the QID (CC0).",
    "summaries": "Lead texts of Wikipedia (CC BY-SA).",
    "images": "Published pictures, each under its own licence; the JPEG is `json/<variant>/images/<name>`.",
    "attribution": TABLES["attribution"].description,
    "geo_cells": TABLES["geo_cells"].description,
}
"""Tables of the file, and their comments."""
_VARIANT: Final = "Variant of the dataset"
_FETCH_ROWS: Final = 10_000
_INSERT_ROWS: Final = 50_000


def write(frozen: Frozen, folder: Path, say: Say) -> list[FileRecord]:
    """Write `duckdb/mlm.duckdb` below `folder`; return its record, where `n_records` counts settlements of variants.

    Raises:
        MlmError: a picture is withheld, has no row in `attribution`, or is not in the lake any more.
    """
    import duckdb

    target = new_path(folder, PATH)
    connection = duckdb.connect()
    try:
        connection.execute(f"ATTACH {_text(str(target))} AS made (STORAGE_VERSION '{STORAGE_VERSION}')")
        connection.execute("USE made")
        for name in TABLES_MADE:
            n_rows = _fill(connection, name, _parts(name, frozen))
            say(f"duckdb: {name} with {n_rows:,} rows")
        connection.execute("USE memory")
        connection.execute("DETACH made")
    finally:
        connection.close()
    n_records = sum(rows.num_rows for rows in frozen.rows.values())
    return [finished(folder, PATH, "duckdb", MIXED, "application/octet-stream", n_records)]


def table_hashes(path: Path) -> dict[str, str]:
    """Return the SHA-256 of every table of a DuckDB file: its name, comments, columns, types and rows in their order.

    Raises:
        MlmError: the file cannot be read.
    """
    import duckdb

    try:
        connection = duckdb.connect(str(path), read_only=True)
    except duckdb.Error as error:
        raise MlmError(f"{path} cannot be read by DuckDB ({error}). Build it again.") from error
    try:
        tables = connection.execute("SELECT table_name, comment FROM duckdb_tables() ORDER BY ALL").fetchall()
        return {name: _table_hash(connection, name, comment) for name, comment in tables}
    finally:
        connection.close()


def _table_hash(connection: Any, name: str, comment: str | None) -> str:
    columns = connection.execute(
        "SELECT column_name, data_type, comment FROM duckdb_columns() WHERE table_name = ? ORDER BY column_index",
        [name],
    ).fetchall()
    digest = hashlib.sha256(repr((name, comment, columns)).encode())
    # rowid is the order in which rows were put in; JSON keeps nulls, quotes and every digit apart.
    rows = connection.execute(
        f'SELECT sha256(CAST(to_json(one) AS VARCHAR)) FROM "{name}" AS one ORDER BY one.rowid'  # noqa: S608
    )
    while found := rows.fetchmany(_FETCH_ROWS):
        digest.update("".join(row[0] for row in found).encode())
    return digest.hexdigest()


def _parts(name: str, frozen: Frozen) -> Iterator[Any]:
    """Yield what goes into a table, as pyarrow tables; the first has no rows and tells the columns."""
    if name in ("attribution", "geo_cells"):
        rows = getattr(frozen, name)
        yield rows.schema.empty_table()
        yield from slices(rows, _INSERT_ROWS)
        return
    credits_, pictures = Credits(frozen.attribution), Pictures(frozen)
    schema = _schema(name, next(iter(frozen.rows.values())))
    yield _with_variant(schema.empty_table(), "")
    for variant, rows in frozen.rows.items():
        for part in _flat(name, rows, credits_, pictures):
            yield _with_variant(part, variant)


def _schema(name: str, rows: Any) -> Any:
    return entity_schema(rows) if name == "entities" else summary_schema() if name == "summaries" else image_schema()


def _flat(name: str, rows: Any, credits_: Credits, pictures: Pictures) -> Iterator[Any]:
    if name == "entities":
        return entity_parts(rows)
    return summary_parts(rows) if name == "summaries" else image_parts(rows, credits_, pictures.sha256)


def _with_variant(part: Any, variant: str) -> Any:
    import pyarrow as pa

    field = pa.field("variant", pa.string(), metadata={"description": _VARIANT})
    return part.add_column(0, field, pa.array([variant] * part.num_rows, pa.string()))


def _fill(connection: Any, name: str, parts: Iterator[Any]) -> int:
    """Make a table with its comments and put all rows in, in their order; return their number."""
    n_rows = 0
    for number, part in enumerate(parts):
        connection.register("part", part)
        if number == 0:
            connection.execute(f'CREATE TABLE "{name}" AS SELECT * FROM part LIMIT 0')  # noqa: S608
            _comment(connection, name, part.schema)
        connection.execute(f'INSERT INTO "{name}" SELECT * FROM part')  # noqa: S608
        connection.unregister("part")
        n_rows += part.num_rows
    return n_rows


def _comment(connection: Any, name: str, schema: Any) -> None:
    connection.execute(f'COMMENT ON TABLE "{name}" IS {_text(TABLES_MADE[name])}')
    for column, description in described(schema).items():
        connection.execute(f'COMMENT ON COLUMN "{name}"."{column}" IS {_text(description)}')


def _text(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
