"""`mlm.duckdb`: a small catalogue of views over the accepted versions, for maintainers to open read-only.

It holds no data. It is written to a temporary name and renamed, so that an open reader keeps the old one.
"""

import os
from pathlib import Path
from typing import Final

from mlm_assets.resources.lake import Accepted, Lake
from mlm_assets.tables import TABLES, Table

CATALOGUE: Final = "mlm.duckdb"
_STORAGE_VERSION: Final = "v1.5.0"
"""Readable by DuckDB 1.5 and 2.x."""


def write_catalogue(lake: Lake, home: Path) -> Path:
    """Write the catalogue of `lake` into `home`: one view per table, with its comment; return its path.

    A table by release has a column `release` in front. Tables that have nothing accepted have no view.
    """
    import duckdb

    path = home / CATALOGUE
    temporary = home / f".tmp-{CATALOGUE}-{os.getpid()}"
    temporary.unlink(missing_ok=True)
    connection = duckdb.connect()
    try:
        if not lake.is_local:
            connection.register_filesystem(lake.fs)
        connection.execute(f"ATTACH '{_quoted(str(temporary))}' AS catalogue (STORAGE_VERSION '{_STORAGE_VERSION}')")
        for table in TABLES.values():
            versions = lake.accepted_all(table.name)
            if versions:
                connection.execute(f'CREATE VIEW catalogue."{table.name}" AS {_select(lake, table, versions)}')
                connection.execute(f"COMMENT ON VIEW catalogue.\"{table.name}\" IS '{_quoted(table.description)}'")
        connection.execute("DETACH catalogue")
        temporary.replace(path)
    finally:
        connection.close()
        temporary.unlink(missing_ok=True)
    return path


def _select(lake: Lake, table: Table, versions: list[Accepted]) -> str:
    if "release" not in table.partitioned_by:
        files = ", ".join(f"'{_quoted(source)}'" for source in lake.sources(versions))
        return f"SELECT * FROM read_parquet([{files}])"  # noqa: S608 (paths of the lake)
    parts = [
        f"SELECT '{version.partition}' AS release, * FROM read_parquet('{_quoted(lake.sources([version])[0])}')"  # noqa: S608
        for version in versions
    ]
    return " UNION ALL ".join(parts)


def _quoted(text: str) -> str:
    return text.replace("'", "''")
