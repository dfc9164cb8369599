"""The constraints of the registry as checks: what is declared of a table, and what an audit says of one version.

`declared` imports nothing heavy, for definitions are loaded from it. `audit` is the one place where Great Expectations
is run: one verdict per declared check, in order. A check that crashes is a verdict of its own and hides no other. The
rows that break a check go to a Parquet file as a stream, however many they are. Drop and drift checks do not belong
here, nor what becomes of a version that fails.
"""

import gzip
import json
import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

from mlm_assets.checks.picture_files import SAMPLE
from mlm_assets.checks.room import Inputs, Room, open_room
from mlm_assets.checks.rules import BEFORE, Rule, rules_of
from mlm_assets.checks.verdicts import Check, Verdict, crashed
from mlm_assets.errors import MlmError
from mlm_assets.resources.lake import Lake, Version, file_partition, file_table
from mlm_assets.tables import Table

GX_FOLDER: Final = "audits/gx"
"""Below it the newest results of Great Expectations per table partition, for Data Docs."""
_SAMPLE_ROWS: Final = 5
_SAMPLE_COLUMNS: Final = 8
_SAMPLE_CHARACTERS: Final = 200


def declared(table: Table) -> tuple[Check, ...]:
    """Return the checks of a table, in the order in which an audit answers them."""
    return tuple(rule.check for rule in rules_of(table.name))


def needs_of(table: Table) -> tuple[str, ...]:
    """Return the names that `inputs` of an audit of `table` must have; `before` is an argument of its own."""
    names = dict.fromkeys(name for rule in rules_of(table.name) for name in rule.needs)
    return tuple(name for name in names if name != BEFORE)


def parameters_of(table: Table) -> tuple[str, ...]:
    """Return the names that `parameters` of an audit of `table` must have."""
    return tuple(dict.fromkeys(name for rule in rules_of(table.name) for name in rule.parameters))


def row_conditions(table: Table) -> tuple[tuple[str, str, str], ...]:
    """Return (check, sentence, SQL condition of a row that breaks it) of each rule that is about one row alone."""
    return tuple(
        (rule.check.name, rule.check.description, rule.condition)
        for rule in rules_of(table.name)
        if rule.condition is not None and rule.check.is_blocking
    )


def failing_path(version: Version, check: str) -> str:
    """Return where the rows of a version that break a check lie, below the root of the lake."""
    folder = f"failing/{file_table(version.table)}/{file_partition(version.partition)}"
    return f"{folder}/{version.version}/{check}.parquet"


def results_path(table: str, partition: str) -> str:
    """Return where the newest results of Great Expectations for a table partition lie, below the root of the lake."""
    return f"{GX_FOLDER}/{file_table(table)}/{file_partition(partition)}.json.gz"


def audit(
    lake: Lake,
    version: Version,
    inputs: Inputs,
    parameters: Mapping[str, Any],
    before: Version | None,
    only: Collection[str] | None = None,
) -> list[Verdict]:
    """Return the verdict of every declared check on a written version.

    `inputs` are the other tables that constraints speak of, by name: versions, or a pyarrow table (see `needs_of`);
    `parameters` are settings by name (see `parameters_of`). A check whose input or parameter is not given has crashed.
    `before` is the version that readers see, None for a first one. What Great Expectations said is kept in the lake
    for Data Docs, unless `only` some checks are asked, by name.
    """
    from mlm_assets.checks.expectations import validate

    rules = [rule for rule in rules_of(version.table) if only is None or rule.check.name in only]
    with open_room(lake, version, rules, inputs, parameters, before) as room:
        faults: dict[str, Exception] = {}
        asked = [rule for rule in rules if _can_be_asked(room, rule, faults)]
        outcomes = validate(room, asked)
        verdicts = []
        results = []
        for rule in rules:
            outcome = outcomes.get(rule.check.name)
            error = faults.get(rule.check.name) or (outcome.error if outcome else None)
            verdict = _verdict(room, rule, error, outcome is not None and outcome.holds, before)
            verdicts.append(verdict)
            results.append(_kept_result(rule, verdict, outcome.result if outcome else None))
    if only is None:
        _keep_results(lake, version, results)
    return verdicts


def _can_be_asked(room: Room, rule: Rule, faults: dict[str, Exception]) -> bool:
    """Make the view of a rule's faults; where it cannot be made, note why."""
    error = room.fault_of(rule)
    if error is None:
        try:
            room.add_fault_view(rule)
        except Exception as found:  # a query that does not fit the version: that check has crashed, no other
            error = found
    if error is not None:
        faults[rule.check.name] = error
    return error is None


def _verdict(room: Room, rule: Rule, error: Exception | None, holds: bool, before: Version | None) -> Verdict:
    if error is not None:
        return crashed(room.version.table, rule.check, error)
    if holds:
        figures = {"n_rows": room.n_rows, "n_failing": 0, **_sample_size(room, rule)}
        return Verdict(
            room.version.table, rule.check.name, True, _sound(room, rule, before),
            _severity(rule), rule.check.is_blocking, figures,
        )  # fmt: skip
    try:
        return _failed(room, rule)
    except Exception as found:  # the rows that fail cannot be had: nothing is known, and that blocks
        return crashed(room.version.table, rule.check, found)


def _failed(room: Room, rule: Rule) -> Verdict:
    path = failing_path(room.version, rule.check.name)
    n_failing = _write_failing(room, rule, path)
    if n_failing == 0:
        raise MlmError("Great Expectations says that the check fails, but no row of the version breaks it.")
    n_rows = room.n_rows or 0
    figures: dict[str, Any] = {"n_rows": n_rows, "n_failing": n_failing, **_sample_size(room, rule)}
    share = ""
    if n_failing <= n_rows:
        figures["share"] = n_failing / n_rows
        share = f" ({figures['share']:.2%} of {n_rows:,})"
    return Verdict(
        room.version.table,
        rule.check.name,
        False,
        f"{rule.check.description} Not so: {n_failing:,} {'row breaks' if n_failing == 1 else 'rows break'} it{share}.",
        _severity(rule),
        rule.check.is_blocking,
        figures,
        _sample(room, rule),
        path,
    )


def _write_failing(room: Room, rule: Rule, path: str) -> int:
    """Write the rows that break a rule to `path` of the lake, as a stream; return how many."""
    with room.lake.new_file(path) as file:
        target = str(file).replace("'", "''")
        statement = f"COPY (SELECT * FROM \"{_view(rule)}\") TO '{target}' (FORMAT parquet, COMPRESSION zstd)"  # noqa: S608
        return int(room.connection.execute(statement).fetchall()[0][0])


def _sample(room: Room, rule: Rule) -> tuple[Mapping[str, Any], ...]:
    """Return a few rows that break a rule, the first by their key, with the columns that the rule speaks of."""
    available = [row[0] for row in room.connection.execute(f'DESCRIBE "{_view(rule)}"').fetchall()]
    shown = [name for name in rule.shown if name in available] or available[:_SAMPLE_COLUMNS]
    columns = ", ".join(f'"{name}"' for name in shown)
    statement = f'SELECT {columns} FROM "{_view(rule)}" ORDER BY ALL LIMIT {_SAMPLE_ROWS}'  # noqa: S608
    rows = room.connection.execute(statement).fetchall()
    return tuple({name: _shown(value) for name, value in zip(shown, row, strict=True)} for row in rows)


def _view(rule: Rule) -> str:
    return f"broken_{rule.check.name}"


def _shown(value: Any) -> Any:
    """Return a value as JSON can hold it, long texts cut."""
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= _SAMPLE_CHARACTERS else text[: _SAMPLE_CHARACTERS - 1] + "…"


def _severity(rule: Rule) -> Any:
    return "ERROR" if rule.check.is_blocking else "WARN"


def _sound(room: Room, rule: Rule, before: Version | None) -> str:
    if BEFORE in rule.needs and before is None:
        return "There is no version before this one, so nothing can have changed."
    if rule.probe == "stored_pictures":
        n = _n_sampled(room)
        return f"{rule.check.description} So it is of {n:,} pictures (sample of at most {SAMPLE:,})."
    return f"{rule.check.description} So it is in all {room.n_rows:,} rows."


def _sample_size(room: Room, rule: Rule) -> dict[str, int]:
    return {"n_sampled": _n_sampled(room)} if rule.probe == "stored_pictures" else {}


def _n_sampled(room: Room) -> int:
    return int(room.connection.execute("SELECT count(*) FROM stored_pictures").fetchall()[0][0])


def _kept_result(rule: Rule, verdict: Verdict, result: Any) -> dict[str, Any]:
    """Return what Data Docs show of one check: the library's own record, with the counts and sample of the verdict."""
    from mlm_assets.checks.expectations import recorded

    return recorded(rule, verdict, result)


def _keep_results(lake: Lake, version: Version, results: Sequence[dict[str, Any]]) -> None:
    kept = {"table": version.table, "partition": version.partition, "version": version.version, "results": results}
    data = json.dumps(kept, ensure_ascii=False).encode()
    lake.write_bytes(results_path(version.table, version.partition), gzip.compress(data, mtime=0))
