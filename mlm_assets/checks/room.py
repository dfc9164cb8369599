"""The room that an audit works in: one DuckDB in memory whose views are what the rules speak of.

`audited` is the version, `parameters` one row of what is given, and each input and probe a view of its name. What
cannot be had is no failure of the room: it is told to the rules that need it, and to no other.
"""

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from mlm_assets.checks.probes import PROBES
from mlm_assets.checks.rules import BEFORE, Rule
from mlm_assets.errors import MlmError
from mlm_assets.resources.lake import Lake, Version
from mlm_assets.tables import TABLES

Inputs = Mapping[str, "Sequence[Version] | Any"]

_MEMORY_LIMIT = "2GB"
"""What one audit's DuckDB may hold; beyond it, it writes to the folder for temporary files."""


@dataclass
class Room:
    """An open DuckDB with its views. `n_rows` is the size of the audited version, None where it cannot be read."""

    lake: Lake
    version: Version
    connection: Any
    n_rows: int | None = None
    faults: dict[str, Exception] = field(default_factory=dict)
    """Why a view is missing, by its name."""

    def fault_of(self, rule: Rule) -> Exception | None:
        """Return why a rule cannot be asked here, None if it can."""
        for name in self._names_of(rule):
            if name in self.faults:
                return self.faults[name]
        return None

    def add_fault_view(self, rule: Rule) -> str:
        """Create the view of the rows that break a rule, and return its name.

        Raises:
            duckdb.Error: the query does not fit what it is asked of.
        """
        name = f"broken_{rule.check.name}"
        self.connection.execute(f'CREATE VIEW "{name}" AS {rule.query}')
        return name

    @staticmethod
    def _names_of(rule: Rule) -> list[str]:
        probes = [rule.probe] if rule.probe else []
        return ["audited", *rule.needs, *rule.parameters, *probes]


@contextmanager
def open_room(
    lake: Lake,
    version: Version,
    rules: Sequence[Rule],
    inputs: Inputs,
    parameters: Mapping[str, Any],
    before: Version | None,
) -> Iterator[Room]:
    """Open a room with everything that `rules` speak of, as far as it can be had."""
    with lake.connect() as connection, tempfile.TemporaryDirectory(prefix="mlm-audit-") as folder:
        connection.execute(f"SET memory_limit = '{_MEMORY_LIMIT}'")
        connection.execute("SET temp_directory = '" + folder.replace("'", "''") + "'")
        room = Room(lake, version, connection)
        _add_audited(room)
        given: dict[str, Any] = dict(inputs)
        if before is not None:
            given[BEFORE] = [before]
        for name in dict.fromkeys(name for rule in rules for name in rule.needs):
            _add_input(room, name, given)
        _add_parameters(room, rules, parameters)
        for name in dict.fromkeys(rule.probe for rule in rules if rule.probe):
            _add_probe(room, name)
        yield room


def _add_audited(room: Room) -> None:
    try:
        _add_view(room, "audited", [room.version])
        room.n_rows = int(room.connection.execute("SELECT count(*) FROM audited").fetchall()[0][0])
    except Exception as error:  # whatever it is, every check of this version must say it
        room.faults["audited"] = error


def _add_input(room: Room, name: str, given: Mapping[str, Any]) -> None:
    if name == BEFORE and name not in given:
        room.connection.execute("CREATE VIEW before AS SELECT * FROM audited WHERE FALSE")
        return
    if name not in given:
        room.faults[name] = MlmError(
            f"{room.version.table} {room.version.partition}: the check needs {name}, which was not given to the audit."
        )
        return
    try:
        _add_view(room, name, given[name])
    except Exception as error:
        room.faults[name] = error


def _add_view(room: Room, name: str, rows: Any) -> None:
    if not isinstance(rows, (list, tuple)):
        _add_table(room, name, rows)
    elif rows:
        files = ", ".join("'" + source.replace("'", "''") + "'" for source in room.lake.sources(rows))
        room.connection.execute(f'CREATE VIEW "{name}" AS SELECT * FROM read_parquet([{files}])')  # noqa: S608 (our paths)
    else:
        nulls = ", ".join(f'CAST(NULL AS {column.type}) AS "{column.name}"' for column in TABLES[name].columns)
        room.connection.execute(f'CREATE VIEW "{name}" AS SELECT {nulls} WHERE FALSE')


def _add_table(room: Room, name: str, rows: Any) -> None:
    # A registered table is seen by its own cursor alone; a table of the database by all of them.
    room.connection.register("given", rows)
    room.connection.execute(f'CREATE TABLE "{name}" AS SELECT * FROM given')  # noqa: S608
    room.connection.unregister("given")


def _add_parameters(room: Room, rules: Sequence[Rule], parameters: Mapping[str, Any]) -> None:
    import pyarrow as pa

    values: dict[str, Any] = {name: value for rule in rules for name, value in rule.constants}
    for name in dict.fromkeys(name for rule in rules for name in rule.parameters):
        if name in parameters:
            values[name] = _typed(parameters[name])
        else:
            room.faults[name] = MlmError(
                f"{room.version.table} {room.version.partition}: the check needs the parameter {name}, "
                "which was not given to the audit."
            )
    values |= _parts(room.version)
    columns = {name: [list(value) if isinstance(value, tuple) else value] for name, value in values.items()}
    _add_table(room, "parameters", pa.table(columns))


def _parts(version: Version) -> dict[str, str]:
    """Return the partition and its parts by name: shard, lang, release."""
    names = TABLES[version.table].partitioned_by
    return {"partition": version.partition, **dict(zip(names, version.partition.split("|"), strict=False))}


def _typed(value: Any) -> Any:
    """Return a number for text that is one: a manifest keeps its parameters as text."""
    return int(value) if isinstance(value, str) and value.isdecimal() else value


def _add_probe(room: Room, name: str) -> None:
    try:
        _add_table(room, name, PROBES[name](room.lake, room.version, room.connection))
    except Exception as error:  # told to the check that needs it, which counts as crashed
        room.faults[name] = error
