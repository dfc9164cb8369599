"""The lake: files are the truth, DuckDB asks the questions. Every read and write of stored data goes through here.

Layout below the root (the home, or any fsspec URL)::

    tables/<table>/<partition>/<version>.parquet   written once, never changed; the version is a hash of the bytes
    accepted/<table>/<partition>.json              which version readers see; moved only after the checks
    acceptances/<table>/<partition>/<release>.json which version was accepted last for each release
    audits/<table>/<partition>.json                the newest audit: what every check said, of which version
    failing/<table>/<partition>/<version>/...      rows that broke a check, one Parquet file per check
    quarantine/<table>/<partition>/<id>.json       rows that were set aside (`quarantine`)
    profiles/<table>/<partition>/<version>.json    figures of a version that drops are measured on (`checks.profile`)
    raw/<release>/<service>/<kk>/<key>.gz          answers of the services, by request (`AnswerLog`)
    raw/files/<kk>/<key>.gz                        thumbnails: their key holds the file's hash; for all releases
    images/<kk>/<sha1>-<picture>.jpg               padded pictures
    faces/<detector>/<kk>.json                     share of a picture that a face covers, by the picture's hash
    takedowns/<kind>-<target>.json                 tombstones of what was taken back (`takedowns`)
    datasets/<release>/<variant>/...               what researchers download
    features/<modality>/<encoder>/<block>.npy      vectors, by content (`ml.features`); in the home where the lake is
                                                   an object store, for they are read as memory maps

A table is *written* (a version appears), *audited* by its checks, and then *accepted* (the pointer moves by
compare-and-swap). A killed process leaves at most a file with a temporary name. What the tables mean does not belong
here (`tables`), nor how they are computed (`sql/`, the domain packages).
"""

import gzip
import hashlib
import io
import json
import os
import shutil
import tempfile
import time
import uuid
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, Final

import fsspec
from filelock import FileLock

from mlm_assets.errors import LakeConflict, MlmError, Refused
from mlm_assets.resources.http import Answer, Request
from mlm_assets.settings import Settings
from mlm_assets.shipped import shipped_file
from mlm_assets.tables import TABLES, Table

NO_PARTITION: Final = "all"
_ROW_GROUP: Final = 100_000
_TEMPORARY: Final = ".tmp-"
BASIS: Final = "basis:"
"""Begins the names of inputs that a version took rows over from: what an earlier release had accepted."""
EARLIER: Final = "earlier:"
"""Begins the names of inputs that a version was compared with: the same of an earlier release."""


@dataclass(frozen=True)
class Version:
    """One written version of one table partition."""

    table: str
    partition: str
    version: str
    n_rows: int

    @property
    def path(self) -> str:
        """Path below the root of the lake."""
        return f"tables/{file_table(self.table)}/{file_partition(self.partition)}/{self.version}.parquet"


@dataclass(frozen=True)
class Accepted(Version):
    """The version that readers see, what it was made for and from.

    `inputs` maps each `table/partition` that was read to its version, and each `setting:name` to its value; what is
    made again is decided by it. `basis:table/partition` is the version of an earlier release that rows were taken over
    from, `earlier:table/partition` one that it was compared with. `n_unavailable` counts rows that a service failed to
    give and that deserve another try.
    """

    release: str = ""
    inputs: Mapping[str, str] = field(default_factory=dict)
    code_version: str = ""
    n_unavailable: int = 0
    run_id: str = field(default="", compare=False)
    accepted_at: str = field(default="", compare=False)
    approval: Mapping[str, Any] | None = None
    """Who let readers have a version that its checks had rejected: `by`, `at`, `reason`, `failed` (checks, figures)."""


def utc_now() -> str:
    """Return the time, ISO 8601 in UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def file_table(name: str) -> str:
    """Return a table's name as it stands in paths ("mlm_irle/ir_model" becomes "mlm_irle.ir_model")."""
    return name.replace("/", ".")


def file_partition(partition: str) -> str:
    """Return a partition key as it stands in paths ("en|07" becomes "en-07")."""
    return (partition or NO_PARTITION).replace("|", "-")


class Lake:
    """Reads and writes of one lake. Cheap to make; safe to use from several threads and processes."""

    def __init__(self, root: str | Path, lock_dir: Path | None = None) -> None:
        """Open the lake at `root`, a folder or an fsspec URL.

        Raises:
            Refused: the URL's file system is unknown or cannot be had.
        """
        try:
            self.fs, self.root = fsspec.url_to_fs(str(root))
        except (ValueError, ImportError) as error:
            raise Refused(f"The lake {root} cannot be opened: {error}") from error
        self.url = str(root)
        self.is_local = "file" in ((self.fs.protocol,) if isinstance(self.fs.protocol, str) else self.fs.protocol)
        self._lock_dir = lock_dir or (Path(self.root) / ".locks" if self.is_local else Path(tempfile.gettempdir()))

    # -- files ---------------------------------------------------------------------------------------------------

    def full_path(self, path: str) -> str:
        """Return the path as the file system names it."""
        return f"{self.root.rstrip('/')}/{path}"

    def exists(self, path: str) -> bool:
        """Tell whether a file lies at `path`."""
        return bool(self.fs.exists(self.full_path(path)))

    def read_bytes(self, path: str) -> bytes:
        """Return the bytes of the file at `path`; FileNotFoundError where there is none."""
        return bytes(self.fs.cat_file(self.full_path(path)))

    def write_bytes(self, path: str, data: bytes) -> None:
        """Write the file at `path` whole or not at all: readers see the old bytes or the new ones."""
        full = self.full_path(path)
        if not self.is_local:
            self.fs.pipe_file(full, data)
            return
        target = Path(full)
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = target.with_name(f"{_TEMPORARY}{uuid.uuid4().hex}")
        try:
            with temporary.open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(target)
        finally:
            temporary.unlink(missing_ok=True)

    @contextmanager
    def new_file(self, path: str) -> Iterator[Path]:
        """Yield a local file to fill; it becomes the file at `path` when the block ends without an error."""
        full = self.full_path(path)
        folder = Path(full).parent if self.is_local else Path(tempfile.gettempdir())
        folder.mkdir(parents=True, exist_ok=True)
        temporary = folder / f"{_TEMPORARY}{uuid.uuid4().hex}"
        try:
            yield temporary
            with temporary.open("rb") as file:
                os.fsync(file.fileno())
            if self.is_local:
                temporary.replace(full)
            else:
                self.fs.put_file(str(temporary), full)
        finally:
            temporary.unlink(missing_ok=True)

    def link(self, source: str, target: str) -> None:
        """Make `target` the same file as `source`: a hard link in a local lake, a copy elsewhere."""
        full_source, full_target = self.full_path(source), self.full_path(target)
        if not self.is_local:
            self.fs.copy(full_source, full_target)
            return
        Path(full_target).parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(full_target).with_name(f"{_TEMPORARY}{uuid.uuid4().hex}")
        try:
            os.link(full_source, temporary)
        except OSError:  # a file system without hard links, or one that gives a file no more of them
            shutil.copyfile(full_source, temporary)
        temporary.replace(full_target)

    def remove_tree(self, path: str) -> None:
        """Remove everything below `path`; nothing happens where there is nothing."""
        if self.fs.exists(self.full_path(path)):
            self.fs.rm(self.full_path(path), recursive=True)

    def move_tree(self, source: str, target: str) -> None:
        """Put the folder `source` in the place of the folder `target`."""
        full_source, full_target = self.full_path(source), self.full_path(target)
        if self.is_local:
            # Two renames, so that a process that is killed leaves the old folder, the new one, or none; never a part.
            aside = Path(full_target).with_name(f"{_TEMPORARY}{uuid.uuid4().hex}")
            Path(full_target).parent.mkdir(parents=True, exist_ok=True)
            with suppress(FileNotFoundError):
                Path(full_target).rename(aside)
            Path(full_source).rename(full_target)
            shutil.rmtree(aside, ignore_errors=True)
            return
        self.remove_tree(target)
        # An object store has no folders to rename: file by file.
        for file in self.fs.find(full_source):
            self.fs.copy(file, full_target + str(file)[len(self._bare(full_source)) :])
        self.remove_tree(source)

    def list_names(self, path: str) -> list[str]:
        """Return the names below the folder `path`, sorted; empty where there is none."""
        full = self.full_path(path)
        if not self.fs.isdir(full):
            return []
        names = (str(entry).rstrip("/").rsplit("/", 1)[-1] for entry in self.fs.ls(full, detail=False, refresh=True))
        return sorted(name for name in names if not name.startswith(_TEMPORARY))

    def clear_temporary(self, path: str = "", older_than_s: float = 3600.0) -> int:
        """Remove what killed processes left half-written below `path` (local lakes only); return how many entries.

        What is younger than `older_than_s` may be somebody's work and stays.
        """
        if not self.is_local:
            return 0
        n_removed = 0
        for entry in list((Path(self.root) / path).rglob(f"{_TEMPORARY}*")):
            with suppress(FileNotFoundError):
                if entry.stat().st_mtime <= time.time() - older_than_s:
                    shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
                    n_removed += 1
        return n_removed

    @contextmanager
    def lock(self, name: str) -> Iterator[None]:
        """Hold the lake's lock `name` against all processes of this machine."""
        with self._file_lock(name):
            yield

    # -- tables --------------------------------------------------------------------------------------------------

    def write(self, name: str, partition: str, rows: Any) -> Version:
        """Write one version of a table partition: columns and types of the registry, sorted by its key.

        `rows` is a pyarrow table with (at least) the registry's columns. The same rows give the same version.

        Raises:
            MlmError: a column is missing or does not have the registry's type.
        """
        import pyarrow.parquet as pq

        table = TABLES[name]
        ordered = _in_order(table, conform(table, rows))
        buffer = io.BytesIO()
        pq.write_table(ordered, buffer, compression="zstd", row_group_size=_ROW_GROUP)
        data = buffer.getvalue()
        version = Version(name, partition, hashlib.sha256(data).hexdigest()[:20], ordered.num_rows)
        if not self.exists(version.path):
            self.write_bytes(version.path, data)
        return version

    def accept(
        self,
        version: Version,
        *,
        release: str,
        inputs: Mapping[str, str],
        code_version: str = "",
        n_unavailable: int = 0,
        run_id: str = "",
        approval: Mapping[str, Any] | None = None,
        expected: Version | None,
    ) -> Accepted:
        """Make `version` the one that readers see, if `expected` still is, or it is already (compare-and-swap).

        The pointer is the truth. The history is written after it: where a process was killed in between, `history`
        takes the last entry from the pointer.

        Raises:
            LakeConflict: somebody else moved the pointer since `expected` was read.
        """
        accepted = Accepted(
            version.table, version.partition, version.version, version.n_rows,
            release, dict(sorted(inputs.items())), code_version, n_unavailable, run_id, utc_now(), approval,
        )  # fmt: skip
        with self._pointer_lock(version.table, version.partition):
            current = self.accepted(version.table, version.partition)
            is_moved = (current.version if current else None) != (expected.version if expected else None)
            if is_moved and current is not None and current.version != version.version:
                raise LakeConflict(
                    f"{version.table} {version.partition}: another run accepted version "
                    f"{current.version} meanwhile. Materialise it again."
                )
            pointer = json.dumps(asdict(accepted), indent=1, ensure_ascii=False).encode()
            self.write_bytes(self._pointer(version.table, version.partition), pointer)
            self.write_bytes(self._history(version.table, version.partition, release), pointer)
        return accepted

    def version(self, name: str, partition: str, version: str) -> Version:
        """Return a version that was written, with its number of rows as its file tells it."""
        import pyarrow.parquet as pq

        found = Version(name, partition, version, 0)
        with self.fs.open(self.full_path(found.path), "rb") as file:
            return replace(found, n_rows=pq.read_metadata(file).num_rows)

    def accepted(self, name: str, partition: str = "") -> Accepted | None:
        """Return the accepted version of a table partition, None where nothing was accepted yet."""
        try:
            return self._read_pointer(self._pointer(name, partition))
        except FileNotFoundError:
            return None

    def accepted_all(self, name: str) -> list[Accepted]:
        """Return the accepted versions of all partitions of a table, by partition."""
        folder = f"accepted/{file_table(name)}"
        return [self._read_pointer(f"{folder}/{file}") for file in self.list_names(folder)]

    def accepted_for(self, release: str, name: str, partition: str = "") -> Accepted | None:
        """Return the version of a table partition that was accepted last for a release, None where there is none."""
        current = self.accepted(name, partition)
        if current is not None and current.release == release:
            return current
        try:
            return self._read_pointer(self._history(name, partition, release))
        except FileNotFoundError:
            return None

    def history(self, name: str, partition: str = "") -> list[Accepted]:
        """Return the version that was accepted last for each release, oldest release first."""
        folder = self._history(name, partition, "").rpartition("/")[0]
        found = {one.release: one for one in (self._read_pointer(f"{folder}/{f}") for f in self.list_names(folder))}
        current = self.accepted(name, partition)
        if current is not None:
            found[current.release] = current
        return [found[release] for release in sorted(found)]

    def require(self, name: str, partition: str = "") -> Accepted:
        """Return the accepted version of a table partition.

        Raises:
            MlmError: there is none yet.
        """
        accepted = self.accepted(name, partition)
        if accepted is None:
            where = f" for {partition}" if partition else ""
            raise MlmError(f"There is no accepted {name}{where} yet. Materialise {name} first.")
        return accepted

    # -- audits --------------------------------------------------------------------------------------------------

    def write_audit(self, audit: Mapping[str, Any]) -> None:
        """Keep what the checks said of a version, in place of the audit before it (keys: docs/quality.md)."""
        said = json.dumps(audit, indent=1, ensure_ascii=False, default=str).encode()
        self.write_bytes(self._audit(audit["table"], audit["partition"]), said)

    def audit_of(self, name: str, partition: str = "") -> dict[str, Any] | None:
        """Return the newest audit of a table partition, None where there was none."""
        return self._read_json(self._audit(name, partition))

    def audits(self, name: str) -> list[dict[str, Any]]:
        """Return the newest audits of all partitions of a table, by partition."""
        folder = f"audits/{file_table(name)}"
        files = [file for file in self.list_names(folder) if file.endswith(".json")]
        return [audit for file in files if (audit := self._read_json(f"{folder}/{file}")) is not None]

    def is_readable(self, audit: Mapping[str, Any]) -> bool:
        """Tell whether readers see the version that an audit speaks of."""
        accepted = self.accepted(audit["table"], audit["partition"])
        return accepted is not None and accepted.version == audit["version"]

    def read(self, version: Version, equals: Mapping[str, str] | None = None) -> Any:
        """Return the rows of a version as a pyarrow table, those only where the columns of `equals` have its values."""
        import pyarrow.compute as pc

        rows = self.read_rows(version.path)
        for column, value in (equals or {}).items():
            rows = rows.filter(pc.equal(rows[column], value))
        return rows

    def read_rows(self, path: str) -> Any:
        """Return the rows of the Parquet file at `path` as a pyarrow table."""
        import pyarrow.parquet as pq

        # Not `read_table`: the thread pools it starts make a short process abort now and then when it ends.
        with pq.ParquetFile(io.BytesIO(self.read_bytes(path)), pre_buffer=False) as file:
            return file.read(use_threads=False)

    # -- questions -----------------------------------------------------------------------------------------------

    @contextmanager
    def connect(self) -> Iterator[Any]:
        """Yield a DuckDB connection of its own, in memory, that can read the lake's files."""
        import duckdb

        connection = duckdb.connect(config={"threads": os.cpu_count() or 1})
        try:
            connection.execute("SET TimeZone = 'UTC'; SET preserve_insertion_order = false")
            if not self.is_local:
                connection.register_filesystem(self.fs)
            yield connection
        finally:
            connection.close()

    def sources(self, versions: Sequence[Version]) -> list[str]:
        """Return the addresses of versions as DuckDB reads them."""
        return [self.address(version.path) for version in versions]

    def address(self, path: str) -> str:
        """Return the address of the file at `path` as DuckDB reads it."""
        prefix = "" if self.is_local else f"{self._protocol()}://"
        return prefix + self.full_path(path).removeprefix(prefix)

    def transform(
        self,
        name: str,
        inputs: Mapping[str, "Sequence[Version] | Any"],
        parameters: Mapping[str, Any] | None = None,
    ) -> Any:
        """Run `sql/<name>.sql` over `inputs` and return its rows as a pyarrow table.

        `inputs` maps a view's name to versions of the table of that name, or to a pyarrow table. `parameters` are
        bound to the `$name`s of the statement, never pasted into it.
        """
        with self.connect() as connection:
            for view, rows in inputs.items():
                self._add_view(connection, view, rows)
            statement = shipped_file(f"sql/{name}.sql").read_text("utf-8")
            return connection.sql(statement, params=dict(parameters or {})).to_arrow_table()

    def _add_view(self, connection: Any, view: str, rows: "Sequence[Version] | Any") -> None:
        if not isinstance(rows, (list, tuple)):
            connection.register(view, rows)
        elif rows:
            files = ", ".join("'" + source.replace("'", "''") + "'" for source in self.sources(rows))
            connection.execute(f'CREATE VIEW "{view}" AS SELECT * FROM read_parquet([{files}])')  # noqa: S608 (our paths)
        else:
            connection.execute(f'CREATE VIEW "{view}" AS SELECT {_null_columns(TABLES[view])} WHERE FALSE')

    # -- inside --------------------------------------------------------------------------------------------------

    def _protocol(self) -> str:
        return self.fs.protocol if isinstance(self.fs.protocol, str) else str(self.fs.protocol[0])

    def _read_pointer(self, path: str) -> Accepted:
        """Return what the pointer at `path` says; fields of a newer version of ours are passed over."""
        data = self.read_bytes(path)
        try:
            said = json.loads(data)
            return Accepted(**{name: said[name] for name in Accepted.__dataclass_fields__ if name in said})
        except (ValueError, TypeError) as error:
            where = self.full_path(path)
            raise MlmError(
                f"The pointer {where} cannot be read ({error}). Remove it; the next run makes it again."
            ) from error

    def _read_json(self, path: str) -> dict[str, Any] | None:
        try:
            return dict(json.loads(self.read_bytes(path)))
        except FileNotFoundError:
            return None
        except ValueError as error:
            where = self.full_path(path)
            raise MlmError(
                f"{where} cannot be read as JSON ({error}). Remove it; the next run makes it again."
            ) from error

    def _history(self, name: str, partition: str, release: str) -> str:
        return f"acceptances/{file_table(name)}/{file_partition(partition)}/{release}.json"

    def _audit(self, name: str, partition: str) -> str:
        return f"audits/{file_table(name)}/{file_partition(partition)}.json"

    def _bare(self, full: str) -> str:
        return str(self.fs._strip_protocol(full)).rstrip("/")

    def _pointer(self, name: str, partition: str) -> str:
        return f"accepted/{file_table(name)}/{file_partition(partition)}.json"

    def _pointer_lock(self, name: str, partition: str) -> FileLock:
        return self._file_lock(f"{file_table(name)}-{file_partition(partition)}")

    def _file_lock(self, name: str) -> FileLock:
        self._lock_dir.mkdir(parents=True, exist_ok=True)
        lake = hashlib.sha256(self.url.encode()).hexdigest()[:12]
        return FileLock(str(self._lock_dir / f"mlm-{lake}-{name}.lock"), timeout=60)


def open_lake(settings: Settings) -> Lake:
    """Return the lake of a home: where its settings say, else in the home itself.

    Raises:
        Refused: the file system of `lake_url` is unknown or cannot be had.
    """
    return Lake(settings.lake_url or settings.home, settings.home / ".locks")


class AnswerLog:
    """The raw answers of one release, an `AnswerStore` of the transport.

    An answer is one gzip file: a line of JSON (what was asked, status, headers), then the body as it came.
    """

    def __init__(self, lake: Lake, release: str) -> None:
        """Keep answers in `lake` for `release`."""
        self._lake = lake
        self._release = release

    def path(self, request: Request) -> str:
        """Return where the answer to `request` lies."""
        folder = "files" if request.service == "files" else f"{self._release}/{request.service}"
        return f"raw/{folder}/{request.key[:2]}/{request.key}.gz"

    def get(self, request: Request) -> Answer | None:
        """Return the stored answer to `request`, None where there is none."""
        try:
            packed = self._lake.read_bytes(self.path(request))
        except FileNotFoundError:
            return None
        try:
            header, _, body = gzip.decompress(packed).partition(b"\n")
            said = json.loads(header)
            return Answer(said["status"], said["headers"], body, request.key, True)
        except (OSError, EOFError, zlib.error, ValueError, KeyError):
            return None  # damaged: as good as none, so it is asked for again

    def put(self, request: Request, answer: Answer) -> None:
        """Store the answer to `request`, in place of an older one."""
        said = {
            "service": request.service, "endpoint": request.endpoint, "url": request.url,
            "params": dict(request.params), "form": dict(request.form),
            "status": answer.status, "headers": dict(answer.headers),
        }  # fmt: skip
        header = json.dumps(said, ensure_ascii=False, sort_keys=True).encode()
        # Pictures are compressed already; a low level costs little and keeps one format for all.
        level = 1 if request.service == "files" else 6
        packed = gzip.compress(header + b"\n" + answer.body, compresslevel=level, mtime=0)
        self._lake.write_bytes(self.path(request), packed)


def conform(table: Table, rows: Any) -> Any:
    """Return `rows` with exactly the registry's columns and types.

    Raises:
        MlmError: a column is missing or cannot be cast.
    """
    import pyarrow as pa

    missing = [name for name in table.column_names if name not in rows.column_names]
    if missing:
        raise MlmError(f"{table.name}: the rows to write lack the columns {', '.join(missing)}.")
    try:
        return rows.select(list(table.column_names)).cast(arrow_schema(table.name))
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, ValueError) as error:
        raise MlmError(f"{table.name}: a column does not have the type of the registry: {error}") from error


@cache
def arrow_schema(name: str) -> Any:
    """Return the Parquet schema of a table: types and descriptions of the registry."""
    import duckdb
    import pyarrow as pa

    table = TABLES[name]
    connection = duckdb.connect()
    types = connection.sql(f"SELECT {_null_columns(table)} WHERE FALSE").to_arrow_table().schema
    connection.close()
    fields = [
        pa.field(column.name, types.field(column.name).type, metadata={"description": column.description})
        for column in table.columns
    ]
    return pa.schema(fields, metadata={"table": table.name, "description": table.description})


def _null_columns(table: Table) -> str:
    return ", ".join(f'CAST(NULL AS {column.type}) AS "{column.name}"' for column in table.columns)


def _in_order(table: Table, rows: Any) -> Any:
    """Sort rows by the table's key; QIDs by their number, so that Q9 comes before Q10."""
    import duckdb

    terms = [
        f"CAST(substr({name}, 2) AS BIGINT)" if name in ("qid", "class_qid") else f'"{name}" NULLS FIRST'
        for name in table.key
    ]
    connection = duckdb.connect()
    try:
        connection.register("unsorted", rows)
        statement = f"SELECT * FROM unsorted ORDER BY {', '.join(terms)}"  # noqa: S608 (names of the registry)
        return connection.sql(statement).to_arrow_table().cast(arrow_schema(table.name))
    finally:
        connection.close()
