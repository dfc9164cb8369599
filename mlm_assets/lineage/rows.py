"""Rows of stored files by the values of columns: counted whole, shown in part, never held in memory whole.

Names of columns are held against those of the files, values are bound. What rows mean does not belong here.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Final

from mlm_assets.errors import MlmError, Refused
from mlm_assets.resources.lake import Lake, Version

_NESTED: Final = ("STRUCT", "MAP", "UNION")
_CONNECTION: ContextVar[tuple[Lake, Any] | None] = ContextVar("connection", default=None)


@dataclass(frozen=True)
class Found:
    """How many rows there are, and the first of them."""

    n_rows: int
    sample: list[dict[str, Any]] = field(default_factory=list)


def parse_where(conditions: Sequence[str]) -> dict[str, str]:
    """Return the values of `COLUMN=VALUE` conditions by column; an empty value stands for null.

    Raises:
        Refused: a condition without `=`, or a column that is named twice.
    """
    parsed: dict[str, str] = {}
    for condition in conditions:
        column, sign, value = condition.partition("=")
        if not sign or not column.strip():
            raise Refused(f"{condition!r} is no condition. Write it as COLUMN=VALUE, such as qid=Q64.")
        if column.strip() in parsed:
            raise Refused(f"--where names the column {column.strip()} twice; a row has one value of it.")
        parsed[column.strip()] = value
    return parsed


def find(lake: Lake, paths: Sequence[str], where: Mapping[str, str] | None = None, limit: int | None = None) -> Found:
    """Return the rows of the Parquet files at `paths` (in the lake) whose columns have the values of `where`.

    A column that is a list has a value if the list holds it. `limit` bounds the sample, not the count; None shows all.

    Raises:
        Refused: a column that the files do not have, or a value that is none of its type.
        MlmError: a file is not there any more.
    """
    if not paths:
        return Found(0)
    files = _present(lake, paths)
    with _asking(lake) as connection:
        types = column_types(connection, files)
        condition, values = _condition(connection, types, where or {})
        source = f"FROM read_parquet($files, union_by_name = true) WHERE {condition}"
        bound = {"files": files, **values}
        n_rows = int(connection.execute(f"SELECT count(*) {source}", bound).fetchall()[0][0])
        sample = _records(connection, f"SELECT * {source} {_order(types)} {_limit(limit)}", bound) if n_rows else []
    return Found(n_rows, sample)


def of_versions(lake: Lake, versions: Sequence[Version], where: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return all rows of some versions whose columns have the values of `where`; meant for one entity."""
    return find(lake, [version.path for version in versions], where).sample


def of_entity(lake: Lake, versions: Sequence[Version], qid: str) -> list[dict[str, Any]]:
    """Return all rows of one entity in some versions of one table.

    Raises:
        MlmError: a file is not there any more.
    """
    if not versions:
        return []
    files = _present(lake, [version.path for version in versions])
    with _asking(lake) as connection:
        return _records(connection, "SELECT * FROM read_parquet($files) WHERE qid = $qid", {"files": files, "qid": qid})


def column_types(connection: Any, files: Sequence[str]) -> dict[str, str]:
    """Return the DuckDB type of each column of Parquet files."""
    statement = "DESCRIBE SELECT * FROM read_parquet($files, union_by_name = true)"
    return {row[0]: row[1] for row in connection.execute(statement, {"files": list(files)}).fetchall()}


@contextmanager
def together(lake: Lake) -> Iterator[None]:
    """Ask all questions of a block over one connection: to open one costs more than a question about one entity."""
    with _opened(lake) as connection:
        token = _CONNECTION.set((lake, connection))
        try:
            yield
        finally:
            _CONNECTION.reset(token)


@contextmanager
def _asking(lake: Lake) -> Iterator[Any]:
    shared = _CONNECTION.get()
    if shared is not None and shared[0] is lake:
        yield shared[1]
        return
    with _opened(lake) as connection:
        yield connection


@contextmanager
def _opened(lake: Lake) -> Iterator[Any]:
    with lake.connect() as connection:
        # A file's order is its table's key; a sample of few rows should be the first ones.
        connection.execute("SET preserve_insertion_order = true")
        yield connection


def _present(lake: Lake, paths: Sequence[str]) -> list[str]:
    missing = [path for path in paths if not lake.exists(path)]
    if missing:
        raise MlmError(
            f"{lake.full_path(missing[0])} is not there any more (pruned or removed), so its rows cannot be shown."
        )
    prefix = "" if lake.is_local else lake.url.partition("://")[0] + "://"
    return [prefix + lake.full_path(path).removeprefix(prefix) for path in paths]


def _condition(connection: Any, types: Mapping[str, str], where: Mapping[str, str]) -> tuple[str, dict[str, Any]]:
    terms, values = ["TRUE"], {}
    for number, (column, value) in enumerate(where.items()):
        if column not in types:
            raise Refused(f"There is no column {column!r}. There are: {', '.join(types)}.")
        name = '"' + column.replace('"', '""') + '"'
        if value == "":
            terms.append(f"{name} IS NULL")
            continue
        is_list = types[column].endswith("[]")
        element = types[column].removesuffix("[]")
        if element.startswith(_NESTED) or element.endswith("[]"):
            raise Refused(f"{column} is a {types[column]}; --where takes columns of plain values and lists of them.")
        statement = f"SELECT TRY_CAST($value AS {element}) IS NULL"
        if connection.execute(statement, {"value": value}).fetchall()[0][0]:
            raise Refused(f"{column} is a {element}, and {value!r} is none.")
        given = f"CAST($value{number} AS {element})"
        terms.append(f"list_contains({name}, {given})" if is_list else f"{name} = {given}")
        values[f"value{number}"] = value
    return " AND ".join(terms), values


def _order(types: Mapping[str, str]) -> str:
    """Order rows of several files by QID number, as each file is."""
    return "ORDER BY TRY_CAST(substr(qid, 2) AS BIGINT)" if types.get("qid") == "VARCHAR" else ""


def _limit(limit: int | None) -> str:
    return "" if limit is None else f"LIMIT {int(limit)}"


def _records(connection: Any, statement: str, bound: Mapping[str, Any]) -> list[dict[str, Any]]:
    relation = connection.sql(statement, params=dict(bound))
    return [dict(row) for row in relation.to_arrow_table().to_pylist()]
