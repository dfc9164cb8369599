"""The DuckDB file, read by the DuckDB of this project and by the oldest 1.x (`make install` puts it apart)."""

import hashlib
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from mlm_assets.errors import MlmError
from mlm_assets.release.formats.duckdb import PATH, TABLES_MADE, table_hashes
from tests.release.odd_rows import TEXT, info_of, odd_frozen, records_of, write
from tests.release.sample import picture

OLDEST = Path(sys.prefix) / "duckdb1"
READ = """
import json, sys, duckdb
connection = duckdb.connect(sys.argv[1], read_only=True)
tables = [row[0] for row in connection.execute("SELECT table_name FROM duckdb_tables() ORDER BY 1").fetchall()]
rows = {name: connection.execute(f'SELECT * FROM "{name}" ORDER BY rowid').fetchall() for name in tables}
print(json.dumps({"version": duckdb.__version__, "rows": rows}))
"""


@pytest.fixture
def made(tmp_path: Path) -> tuple[Any, Path]:
    frozen = odd_frozen(tmp_path / "kept")
    write(frozen, tmp_path / "release", "duckdb")
    return frozen, tmp_path / "release" / PATH


def tables_of(path: Path) -> dict[str, list[dict[str, Any]]]:
    with duckdb.connect(str(path), read_only=True) as connection:
        return {
            name: connection.sql(f'SELECT * FROM "{name}" ORDER BY rowid').to_arrow_table().to_pylist()
            for name in TABLES_MADE
        }


def test_tables_are_the_rows_of_all_variants(made: tuple[Any, Path]) -> None:
    frozen, path = made
    found = tables_of(path)
    rows = [(variant, row) for variant, table in frozen.rows.items() for row in records_of(table)]
    assert found["entities"] == [
        {"variant": variant, **{name: value for name, value in row.items() if name not in ("summaries", "images")}}
        for variant, row in rows
    ]
    assert found["summaries"] == [
        {"variant": variant, "qid": row["qid"], "split": row["split"], **text}
        for variant, row in rows
        for text in row["summaries"]
    ]
    assert found["images"] == [
        {
            "variant": variant, "qid": row["qid"], "split": row["split"], "file_sha1": image["file_sha1"],
            "property": image["property"],
            "picture_sha256": hashlib.sha256(picture(image["path"])).hexdigest(), **said,
        }
        for variant, row in rows
        for image, said in zip(row["images"], info_of(frozen, row), strict=True)
    ]  # fmt: skip
    assert found["attribution"] == frozen.attribution.to_pylist()
    assert found["geo_cells"] == frozen.geo_cells.to_pylist()


def test_tables_and_columns_have_comments(made: tuple[Any, Path]) -> None:
    with duckdb.connect(str(made[1]), read_only=True) as connection:
        tables = dict(connection.execute("SELECT table_name, comment FROM duckdb_tables()").fetchall())
        bare = connection.execute(
            "SELECT table_name, column_name FROM duckdb_columns() WHERE NOT internal AND coalesce(comment, '') = ''"
        )
        assert bare.fetchall() == []
    assert tables == TABLES_MADE


def test_the_oldest_duckdb_1_reads_the_same(made: tuple[Any, Path]) -> None:
    if not OLDEST.is_dir():
        pytest.skip(f"DuckDB 1.x is not in {OLDEST}; `make install` puts it there")
    environment = {**os.environ, "PYTHONPATH": str(OLDEST)}
    old, new = (
        json.loads(
            subprocess.run(
                [sys.executable, "-c", READ, str(made[1])], env=env, check=True, capture_output=True, text=True
            ).stdout
        )
        for env in (environment, {**os.environ, "PYTHONPATH": ""})
    )
    assert (old["version"].split(".")[0], new["version"].split(".")[0]) == ("1", "2")
    assert old["rows"] == new["rows"]
    assert sum(map(len, old["rows"].values())) > 100
    assert any(TEXT in row for row in old["rows"]["summaries"])


def _hashes_of(frozen: Any, folder: Path) -> dict[str, str]:
    write(frozen, folder, "duckdb")
    return table_hashes(folder / PATH)


def test_a_hash_is_of_the_rows_and_their_order(made: tuple[Any, Path], tmp_path: Path) -> None:
    frozen, path = made
    first = table_hashes(path)
    assert _hashes_of(frozen, tmp_path / "again") == first
    cells = frozen.geo_cells.to_pylist()
    cells[0]["mean_lat_deg"] += 1e-12
    nudged = replace(frozen, geo_cells=pa.Table.from_pylist(cells, schema=frozen.geo_cells.schema))
    turned = replace(frozen, geo_cells=frozen.geo_cells.take([1, 0, 2, 3]))
    for number, changed in enumerate((nudged, turned)):
        second = _hashes_of(changed, tmp_path / str(number))
        assert {name for name in first if first[name] != second[name]} == {"geo_cells"}


def test_a_hash_keeps_nothing_and_the_word_for_it_apart(made: tuple[Any, Path], tmp_path: Path) -> None:
    frozen, path = made
    rows = frozen.attribution.to_pylist()
    at = next(number for number, row in enumerate(rows) if row["credit"] is None)
    hashes = {table_hashes(path)["attribution"]}
    for number, value in enumerate(("", "NULL", "null")):
        rows[at]["credit"] = value
        changed = replace(frozen, attribution=pa.Table.from_pylist(rows, schema=frozen.attribution.schema))
        hashes.add(_hashes_of(changed, tmp_path / str(number))["attribution"])
    assert len(hashes) == 4


def test_a_file_that_is_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mlm.duckdb").write_bytes(b"no database" * 1_000)
    with pytest.raises(MlmError, match="cannot be read by DuckDB"):
        table_hashes(tmp_path / "mlm.duckdb")
