"""Which fetched rows are set aside: those that break a rule about one row, as long as they are few.

A table that was fetched (`FETCHED`) brings now and then a value that no rule allows. Such a row does not break the
whole: it is taken out, or kept as a miss with the status `quarantined` where the table has one row for everything that
was asked for. When too many rows break rules, something else is wrong; nothing is set aside then, and the check blocks.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from mlm_assets.checks.constraints import row_conditions
from mlm_assets.tables import Table

FETCHED: Final = ("facts", "summaries", "images")
MOST_ROWS: Final = 3
MOST_SHARE: Final = 0.01
"""At most so many rows, or this share of them if that is more, are set aside; beyond that the version is wrong."""
QUARANTINED: Final = "quarantined"


@dataclass(frozen=True)
class Broken:
    """A row that breaks a rule: its number in the draft, the check and its sentence, and the row itself."""

    number: int
    check: str
    sentence: str
    row: Mapping[str, Any]


def broken_rows(table: Table, rows: Any) -> list[Broken]:
    """Return the rows (of a pyarrow table) that break a rule about one row, each with the first rule it breaks.

    Empty too where they are too many to be set aside.
    """
    import duckdb

    limit = max(MOST_ROWS, int(rows.num_rows * MOST_SHARE))
    found: dict[int, tuple[str, str]] = {}
    connection = duckdb.connect()
    try:
        connection.register("draft", rows)
        connection.execute("CREATE VIEW audited AS SELECT row_number() OVER () - 1 AS number_, * FROM draft")
        for check, sentence, condition in row_conditions(table):
            statement = f"SELECT number_ FROM audited WHERE {condition} LIMIT {limit + 1}"  # noqa: S608 (registry)
            for (number,) in connection.execute(statement).fetchall():
                found.setdefault(number, (check, sentence))
    finally:
        connection.close()
    if len(found) > limit:
        return []
    return [
        Broken(number, check, sentence, rows.slice(number, 1).to_pylist()[0])
        for number, (check, sentence) in sorted(found.items())
    ]


def without(table: Table, rows: Any, broken: list[Broken]) -> Any:
    """Return `rows` with the broken ones taken out, or emptied and marked where the table keeps a row for each."""
    import pyarrow as pa

    if not broken:
        return rows

    numbers = {one.number for one in broken}
    kept = rows.filter(pa.array([number not in numbers for number in range(rows.num_rows)], pa.bool_()))
    if "status" not in table.column_names:
        return kept
    marked = [_marked(table, one.row) for one in broken]
    return pa.concat_tables([kept, pa.Table.from_pylist(marked, schema=rows.schema)])


def _marked(table: Table, row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row as a miss: what may be null is null, and the status says why."""
    return {
        column.name: QUARANTINED if column.name == "status" else None if column.nullable else row[column.name]
        for column in table.columns
    }
