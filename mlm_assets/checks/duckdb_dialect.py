"""How Great Expectations reaches the DuckDB connection that an audit has opened: an SQLAlchemy dialect, `duckdb+mlm`.

`duckdb_engine` opens a database of its own and gives all cursors the same connection, which DuckDB 2 does not bear.
Here every cursor is a DuckDB cursor of the connection that is being served, so that views of the lake, file systems of
object stores and tables in memory are those of the audit. Transactions are none: an audit only reads.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import RLock
from typing import Any, Final

import duckdb_engine
from sqlalchemy.dialects import registry

URL: Final = "duckdb+mlm:///:memory:"

_ONE_AT_A_TIME: Final = RLock()
_served: list[Any] = []


@contextmanager
def serving(connection: Any) -> Iterator[None]:
    """Let the dialect speak to `connection` until the block ends; another thread waits for its turn."""
    with _ONE_AT_A_TIME:
        _served.append(connection)
        try:
            yield
        finally:
            _served.pop()


class _Connection(duckdb_engine.ConnectionWrapper):
    """A connection that outlives the audits: it holds nothing, each cursor comes from the one that is served."""

    def __init__(self) -> None:
        super().__init__(None)  # type: ignore[arg-type]

    def cursor(self) -> Any:
        return duckdb_engine.CursorWrapper(_served[-1].cursor(), self)

    def begin(self) -> None:
        """Begin nothing."""

    def commit(self) -> None:
        """Commit nothing."""

    def rollback(self) -> None:
        """Roll nothing back."""

    def close(self) -> None:
        """Close nothing: the audit closes its own connection."""


class MlmDialect(duckdb_engine.Dialect):
    """DuckDB as `duckdb_engine` writes its SQL, over the connection that is served."""

    supports_statement_cache = False

    def connect(self, *_: Any, **__: Any) -> Any:
        """Return a connection to whatever is served."""
        return _Connection()


registry.register("duckdb.mlm", __name__, "MlmDialect")
