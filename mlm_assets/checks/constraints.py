"""Constraints of the table registry, checked on a version before it is accepted.

Derived from `tables` alone: key unique, nothing null that must not be, values in their list, range or pattern.
Rules between tables (the sums) are in `checks.sums`. Drop and drift checks do not belong here.
"""

from dataclasses import dataclass
from typing import Any

from mlm_assets.tables import Column, Table


@dataclass(frozen=True)
class Violation:
    """A constraint that rows break: its sentence, how many rows, and one of them."""

    rule: str
    n_rows: int
    example: str


def violations(table: Table, rows: Any) -> list[Violation]:
    """Return the constraints of `table` that `rows` (a pyarrow table) break."""
    import duckdb

    connection = duckdb.connect()
    try:
        connection.register("audited", rows)
        found = [_broken(connection, table, rule, condition) for rule, condition in _conditions(table)]
        found.append(_repeated_keys(connection, table))
        return [violation for violation in found if violation is not None]
    finally:
        connection.close()


def _conditions(table: Table) -> list[tuple[str, str]]:
    """Return (sentence, SQL condition of the rows that break it) for each constraint of each column."""
    conditions: list[tuple[str, str]] = []
    for column in table.columns:
        conditions += _column_conditions(column)
    return conditions


def _column_conditions(column: Column) -> list[tuple[str, str]]:
    name = f'"{column.name}"'
    found = []
    if not column.nullable:
        found.append((f"{column.name} is not null", f"{name} IS NULL"))
    if column.allowed:
        values = ", ".join(f"'{value}'" for value in column.allowed)
        found.append((f"{column.name} is one of its allowed values", f"{name} NOT IN ({values})"))
    if column.pattern:
        found.append((f"{column.name} matches {column.pattern}", f"NOT regexp_full_match({name}, '{column.pattern}')"))
    if column.minimum is not None:
        found.append((f"{column.name} >= {column.minimum:g}", f"{name} < {column.minimum}"))
    if column.maximum is not None:
        found.append((f"{column.name} <= {column.maximum:g}", f"{name} > {column.maximum}"))
    return found


def _broken(connection: Any, table: Table, rule: str, condition: str) -> Violation | None:
    keys = ", ".join(f'"{name}"' for name in table.key)
    statement = f"SELECT count(*), any_value(concat_ws(' ', {keys})) FROM audited WHERE {condition}"  # noqa: S608
    n_rows, example = connection.execute(statement).fetchall()[0]
    return Violation(rule, n_rows, str(example)) if n_rows else None


def _repeated_keys(connection: Any, table: Table) -> Violation | None:
    keys = ", ".join(f'"{name}"' for name in table.key)
    statement = f"""
        SELECT count(*), any_value(example)
        FROM (SELECT concat_ws(' ', {keys}) AS example FROM audited GROUP BY {keys} HAVING count(*) > 1)
    """  # noqa: S608 (names of the registry)
    n_rows, example = connection.execute(statement).fetchall()[0]
    return Violation(f"({', '.join(table.key)}) is unique", n_rows, str(example)) if n_rows else None
