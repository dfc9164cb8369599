"""The two sides of a diff, and how they are laid out for DuckDB.

A table of a side is a pyarrow table, or the addresses of Parquet files that the connection can read. Texts are compared
by hash, so that no side is ever in memory as a whole.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from mlm_assets.shipped import shipped_file
from mlm_assets.tables import TABLES, VARIANTS

Source = Any
"""A pyarrow table, or a list of addresses of Parquet files."""

WHOLE: Final = ""
"""The variant that stands for the release as a whole: what is in any variant."""
MOVED_KM: Final = 1.0
"""A settlement whose coordinates are further away than this has moved."""


def _no_picture(_path: str) -> bytes | None:
    return None


@dataclass(frozen=True)
class Side:
    """One release, as a diff sees it.

    `variants` and `geo_cells` must be there; `attribution`, `members`, `rejections`, `departures` say more where there
    are such. `scores` holds per trained variant the rows of its benchmark. `parameters` are those that its refresh has
    pinned, `approvals` the rows of that table. `picture` gives the bytes of a padded picture by its path in the lake,
    None where it is not kept any more. What was taken back (`taken_items`, `taken_files`) is shown nowhere.
    """

    release: str
    variants: Mapping[str, Source]
    geo_cells: Any
    attribution: Source | None = None
    members: Source | None = None
    rejections: Source | None = None
    departures: Source | None = None
    scores: Mapping[str, Any] = field(default_factory=dict)
    parameters: Mapping[str, str] = field(default_factory=dict)
    approvals: Sequence[Mapping[str, Any]] = ()
    picture: Callable[[str], bytes | None] = _no_picture
    taken_items: Sequence[str] = ()
    taken_files: Sequence[str] = ()


def lay_out(connection: Any, before: Side | None, after: Side) -> None:
    """Make the tables that are asked: `{entity,image}_{before,after}`, `fates`, `{entity,text,image}_changes`.

    `connection` is a DuckDB connection that nobody else uses; the views of both sides stay open on it.
    """
    connection.execute("SET preserve_insertion_order = false")
    _lay_out_side(connection, "before", before)
    _lay_out_side(connection, "after", after)
    _add_reasons(connection, after)
    keep(connection, "text_changes", "text_changes")
    # The largest tables; what is asked of texts from here on, `text_changes` answers.
    connection.execute("DROP TABLE text_before; DROP TABLE text_after")
    for name in ("image_changes", "fates"):
        keep(connection, name, name)
    keep(connection, "entity_changes", "entity_changes", {"moved_km": MOVED_KM})


def keep(connection: Any, table: str, statement: str, parameters: Mapping[str, Any] | None = None) -> None:
    """Make `table` of what `sql/diff/<statement>.sql` gives."""
    connection.execute(f"CREATE OR REPLACE TABLE {table} AS {_sql(statement)}", dict(parameters or {}))


def ask(connection: Any, statement: str, **parameters: Any) -> list[dict[str, Any]]:
    """Return the rows of an SQL statement as dicts."""
    found = connection.execute(statement, parameters)
    names = [column[0] for column in found.description]
    return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


def _sql(name: str) -> str:
    return shipped_file(f"sql/diff/{name}.sql").read_text("utf-8").strip().removesuffix(";")


def _lay_out_side(connection: Any, name: str, side: Side | None) -> None:
    parts = []
    for variant in VARIANTS:
        view = f"{name}_{variant}"
        _add_view(connection, view, variant, side.variants[variant] if side is not None else None)
        parts.append(f"SELECT '{variant}' AS variant, * FROM {view}")  # noqa: S608 (names of the registry)
    connection.execute(f"CREATE OR REPLACE VIEW rows AS {' UNION ALL BY NAME '.join(parts)}")
    connection.execute(f"CREATE OR REPLACE VIEW rows_{name} AS {' UNION ALL BY NAME '.join(parts)}")
    _add_view(connection, "attribution", "attribution", side.attribution if side is not None else None)
    for kind in ("entity", "text", "image"):
        keep(connection, f"{kind}_{name}", f"{kind}_rows")


def _add_reasons(connection: Any, after: Side) -> None:
    import pyarrow as pa

    connection.register("taken_back", pa.table({"qid": pa.array(list(after.taken_items), pa.string())}))
    for name in ("members", "rejections", "departures"):
        _add_view(connection, name, name, getattr(after, name))


def _add_view(connection: Any, view: str, table: str, source: Source | None) -> None:
    """Make a view of a source; where there is none, one without rows that has the registry's columns."""
    connection.execute(f"DROP VIEW IF EXISTS {view}")
    if source is None:
        connection.execute(f"CREATE VIEW {view} AS {_empty(table)}")
    elif isinstance(source, (list, tuple)):
        files = ", ".join("'" + address.replace("'", "''") + "'" for address in source)
        connection.execute(f"CREATE VIEW {view} AS SELECT * FROM read_parquet([{files}])")  # noqa: S608 (our paths)
    else:
        connection.register(view, source)


def _empty(table: str) -> str:
    nulls = (f'CAST(NULL AS {column.type}) AS "{column.name}"' for column in TABLES[table].columns)
    return f"SELECT {', '.join(nulls)} WHERE FALSE"
