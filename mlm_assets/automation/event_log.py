"""Dagster's own SQLite event log, with connections that stay open.

A refresh writes one event per check and partition: thousands. Dagster opens a new engine and connection for each of
the four or five statements that an event takes, and asks each time whether its tables are there; with that, events of
checks cost more than the checks. The files and their layout are Dagster's, unchanged: a home can go back to its default
by taking `event_log_storage` out of `dagster.yaml`.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Self

from dagster._core.storage.event_log import SqliteEventLogStorage
from dagster._core.storage.event_log.sqlite.sqlite_event_log import INDEX_SHARD_NAME
from dagster._serdes import ConfigurableClassData
from sqlalchemy import Connection, Engine, create_engine
from sqlalchemy.pool import NullPool

_RUNS_KEPT_OPEN: Final = 4
_BUSY_S: Final = 30
"""How long a writer waits for another, as in Dagster."""


class QuickSqliteEventLog(SqliteEventLogStorage):
    """The event log of a home; `base_dir` is relative to DAGSTER_HOME."""

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        self._open: dict[str, Connection] = {}
        self._pid = os.getpid()
        self._has_check_tables = False
        self._empty: bytes | None = None
        super().__init__(base_dir, inst_data)

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData | None, config_value: Any) -> Self:
        """Return the event log that `dagster.yaml` asks for."""
        folder = Path(os.environ.get("DAGSTER_HOME", ".")) / config_value["base_dir"]
        return cls(str(folder), inst_data)

    @contextmanager
    def _connect(self, shard: str) -> Iterator[Connection]:
        with self._db_lock:
            connection = self._connection(shard)
            try:
                with connection.begin():
                    yield connection
            except BaseException:
                self._forget(shard)
                raise

    def _connection(self, shard: str) -> Connection:
        """Return the open connection to one database file, a new one where there is none."""
        if self._pid != os.getpid():  # a forked process must not use its parent's connections, nor close them
            self._open, self._pid = {}, os.getpid()
        if shard not in self._open:
            runs = [name for name in self._open if name != INDEX_SHARD_NAME]
            for name in runs[: len(runs) - _RUNS_KEPT_OPEN + 1]:
                self._forget(name)
            self._open[shard] = self._connected(shard)
        return self._open[shard]

    def _connected(self, shard: str) -> Connection:
        # One thread at a time uses it (the lock above), but not always the same.
        arguments = {"timeout": _BUSY_S, "check_same_thread": False}
        engine = create_engine(self.conn_string_for_shard(shard), poolclass=NullPool, connect_args=arguments)
        # The log of a run may have been removed since (`housekeeping`): whoever looks finds an empty one.
        if shard not in self._initialized_dbs or not Path(self.path_for_shard(shard)).exists():
            self._make(shard, engine)
            self._initialized_dbs.add(shard)
        connection = engine.connect()
        # With a write-ahead log this loses nothing when a process is killed; a power cut may cost the last events.
        connection.exec_driver_sql("PRAGMA synchronous = NORMAL")
        connection.commit()
        return connection

    def _make(self, shard: str, engine: Engine) -> None:
        """Make the database of a run: a copy of an empty one, for running the migrations each time takes longer."""
        target = Path(self.path_for_shard(shard))
        if target.exists() or shard == INDEX_SHARD_NAME:
            self._initdb(engine)
            return
        if self._empty is None:
            self._initdb(engine)
            with engine.connect() as connection:
                connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
            self._empty = target.read_bytes()
            return
        temporary = target.with_name(f".{target.name}-{os.getpid()}")
        temporary.write_bytes(self._empty)
        try:
            # Not over a database that another process made meanwhile.
            os.link(temporary, target)
        except FileExistsError:
            pass
        finally:
            temporary.unlink()

    def _forget(self, shard: str) -> None:
        connection = self._open.pop(shard, None)
        if connection is not None:
            connection.close()
            connection.engine.dispose()

    @property
    def supports_asset_checks(self) -> bool:
        """Whether the database has the tables of checks; looked up until it has."""
        self._has_check_tables = self._has_check_tables or super().supports_asset_checks
        return self._has_check_tables

    def delete_events(self, run_id: str) -> None:
        """Delete the events of a run."""
        self._forget(run_id)
        super().delete_events(run_id)

    def dispose(self) -> None:
        """Close what is open."""
        for shard in list(self._open):
            self._forget(shard)
        super().dispose()
