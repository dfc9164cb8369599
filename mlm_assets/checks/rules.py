"""From the registry to rules: each column constraint and each table constraint as a check with the query of its faults.

A rule's query returns the rows of the view `audited` that break it; no rows, and the rule holds. What a rule means in
Great Expectations is said by `expectations`, which views exist while it runs by `room`. Nothing heavy is imported here:
definitions are loaded from this.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any, Final, Literal

from mlm_assets.checks.verdicts import Check
from mlm_assets.shipped import shipped_file
from mlm_assets.tables import TABLES, Column, Constraint, Table

Kind = Literal["not_null", "allowed", "range", "rows"]

BEFORE: Final = "before"
"""Name of the view of the version that readers see; the one input that a first version rightly lacks."""
COLUMNS_CHECK: Final = "columns_and_types"
KEY_CHECK: Final = "key_is_unique"
_PROBE_OF_COLUMNS: Final = "stored_columns"


@dataclass(frozen=True)
class Rule:
    """One check of one table. `query` returns the rows that break it, `shown` are the columns worth showing of them.

    `kind` says what is handed to Great Expectations: one of its own expectations of `column`, or the query itself.
    `condition` is what a row alone must not be, where the rule is about one row and needs to know nothing else.
    """

    check: Check
    kind: Kind
    query: str
    shown: tuple[str, ...]
    column: Column | None = None
    condition: str | None = None
    needs: tuple[str, ...] = ()
    parameters: tuple[str, ...] = ()
    constants: tuple[tuple[str, Any], ...] = ()
    probe: str | None = None


@cache
def rules_of(name: str) -> tuple[Rule, ...]:
    """Return the rules of a table: columns and key, then each column, then what else must hold."""
    return derive(TABLES[name])


def derive(table: Table) -> tuple[Rule, ...]:
    """Return the rules that a declaration amounts to; their names are unique within the table."""
    found = [_columns_rule(table), _key_rule(table)]
    for column in table.columns:
        found += _column_rules(table, column)
    found += [_constraint_rule(table, constraint) for constraint in table.constraints]
    return tuple(found)


def _columns_rule(table: Table) -> Rule:
    declared = ", ".join(
        f"({place}, {_text(column.name)}, {_text(column.type)})" for place, column in enumerate(table.columns)
    )
    # Only DuckDB knows whether two spellings of a type are one: both sides are types that it has read.
    nulls = ", ".join(f'CAST(NULL AS {column.type}) AS "{column.name}"' for column in table.columns)
    query = f"""
        WITH declared AS (SELECT * FROM (VALUES {declared}) AS declared (place, name, type)),
        understood AS (SELECT column_name AS name, column_type AS type FROM (DESCRIBE SELECT {nulls}))
        SELECT coalesce(declared.name, stored.name) AS name, declared.place, stored.place AS place_stored,
            declared.type, stored.type AS type_stored
        FROM declared
        JOIN understood ON understood.name = declared.name
        FULL JOIN {_PROBE_OF_COLUMNS} AS stored ON stored.name = declared.name
        WHERE declared.place IS DISTINCT FROM stored.place OR understood.type IS DISTINCT FROM stored.type
    """  # noqa: S608 (names of the registry)
    check = Check(COLUMNS_CHECK, "The file has the registry's columns, in their order and with their types.")
    return Rule(check, "rows", query, ("name", "type", "type_stored"), probe=_PROBE_OF_COLUMNS)


def _key_rule(table: Table) -> Rule:
    keys = ", ".join(f'"{name}"' for name in table.key)
    query = f"SELECT {keys}, count(*) AS n_rows FROM audited GROUP BY ALL HAVING count(*) > 1"  # noqa: S608
    check = Check(KEY_CHECK, f"No two rows have the same {', '.join(table.key)}.")
    return Rule(check, "rows", query, (*table.key, "n_rows"))


def _column_rules(table: Table, column: Column) -> Iterator[Rule]:
    name = f'"{column.name}"'

    def rule(suffix: str, sentence: str, kind: Kind, broken: str) -> Rule:
        check = Check(f"{column.name}_{suffix}", sentence)
        query = f"SELECT * FROM audited WHERE {broken}"  # noqa: S608 (conditions of the registry)
        return Rule(check, kind, query, _distinct((*table.key, column.name)), column, broken)

    if not column.nullable:
        yield rule("is_not_null", f"{column.name} is not null.", "not_null", f"{name} IS NULL")
    if column.allowed:
        values = ", ".join(_text(value) for value in column.allowed)
        sentence = f"{column.name} is one of {', '.join(column.allowed)}."
        yield rule("is_known", sentence, "allowed", f"{name} NOT IN ({values})")
    if column.pattern:
        broken = f"NOT regexp_full_match({name}, {_text(column.pattern)})"
        yield rule("is_well_formed", f"{column.name} matches `{column.pattern}`.", "rows", broken)
    if column.each:
        ill_formed = f"NOT coalesce(regexp_full_match(one, {_text(column.each)}), FALSE)"
        broken = f"len(list_filter({name}, lambda one: {ill_formed})) > 0"
        yield rule("are_well_formed", f"Every element of {column.name} matches `{column.each}`.", "rows", broken)
    if column.minimum is not None or column.maximum is not None:
        yield rule("is_in_range", f"{column.name} is {_range_words(column)}.", "range", _out_of_range(column))


def _constraint_rule(table: Table, constraint: Constraint) -> Rule:
    check = Check(constraint.name, f"{constraint.sentence}.", constraint.is_blocking)
    shown: tuple[str, ...] = ()
    condition = None
    if constraint.broken is not None:
        query = f"SELECT * FROM audited WHERE {constraint.broken}"  # noqa: S608 (conditions of the registry)
        spoken = set(re.findall(r"\w+", constraint.broken))
        shown = _distinct((*table.key, *(name for name in table.column_names if name in spoken)))
        condition = constraint.broken if "parameters" not in spoken else None
    else:
        query = shipped_file(f"sql/checks/{constraint.sql}.sql").read_text("utf-8").rstrip().removesuffix(";")
    return Rule(
        check, "rows", query, shown, None, condition,
        constraint.needs, constraint.parameters, constraint.constants, constraint.probe,
    )  # fmt: skip


def _range_words(column: Column) -> str:
    if column.minimum is not None and column.maximum is not None:
        return f"between {column.minimum:g} and {column.maximum:g}"
    return f"at least {column.minimum:g}" if column.minimum is not None else f"at most {column.maximum:g}"


def _out_of_range(column: Column) -> str:
    name = f'"{column.name}"'
    bounds = []
    if column.minimum is not None:
        bounds.append(f"{name} < {column.minimum}")
    if column.maximum is not None:
        bounds.append(f"{name} > {column.maximum}")
    return f"({' OR '.join(bounds)})"


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def _distinct(names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))
