"""The data dictionary and the list of settings in `docs/`, derived from the registry and the settings.

`python -m mlm_assets.dictionary docs` writes both; a test holds the committed files against it.
"""

import sys
from pathlib import Path
from typing import Any

from mlm_assets.checks.constraints import declared
from mlm_assets.settings import Settings
from mlm_assets.tables import EXCLUSION_REASONS, IMAGE_STATUS, REJECTION_REASONS, SUMMARY_STATUS, TABLES, Column, Table

_LISTS = {
    "Reasons of `rejections`": REJECTION_REASONS,
    "Reasons of `eligible` and `members`": EXCLUSION_REASONS,
    "Status of `summaries`": SUMMARY_STATUS,
    "Status of `images`": IMAGE_STATUS,
}


def data_dictionary() -> str:
    """Return the data dictionary as Markdown: every table and column, and what each reason and status means."""
    parts = ["# Data dictionary", "", "Derived from `mlm_assets/tables.py` by `make docs`; do not edit.", ""]
    parts += [
        "Below the columns of each table stand the checks that every version of it is put to before readers see it.",
        "A check whose severity is *error* keeps a version that fails it from readers; a *warning* is shown.",
        "",
    ]
    for table in TABLES.values():
        parts += _table(table)
    for title, meanings in _LISTS.items():
        parts += [f"## {title}", "", "| value | meaning |", "| --- | --- |"]
        parts += [f"| `{value}` | {meaning} |" for value, meaning in meanings.items()] + [""]
    return "\n".join(parts)


def settings_list() -> str:
    """Return every setting with its environment variable, default and meaning, as Markdown."""
    lines = [
        "# Settings",
        "",
        "Derived from `mlm_assets/settings.py` by `make docs`; do not edit.",
        "",
        "Precedence: command line, environment, `settings.json` of the home, default. Limits without a default are",
        "gentle towards the world (SPARQL 1 at once and 1/s, Action API 1 and 5/s, files 2 and 10/s) and brisk towards",
        "this machine (SPARQL 1 and 50/s, Action API 2 and 400/s, files 2 and 400/s).",
        "",
        "| environment variable | default | meaning |",
        "| --- | --- | --- |",
    ]
    for name, field in Settings.model_fields.items():
        lines.append(f"| `MLM_{name.upper()}` | {_default(field.default)} | {field.description} |")
    return "\n".join([*lines, ""])


def _table(table: Table) -> list[str]:
    partitions = f", by {' x '.join(table.partitioned_by)}" if table.partitioned_by else ""
    lines = [f"## {table.name}", "", table.description, ""]
    lines += [f"Group {table.group}{partitions}. One row: {table.grain}. Key: {', '.join(table.key)}.", ""]
    lines += ["| column | type | null | meaning | values | from |", "| --- | --- | --- | --- | --- | --- |"]
    for column in table.columns:
        null = "yes" if column.nullable else ""
        lines.append(
            f"| `{column.name}` | {column.type} | {null} | {column.description} | {_values(column)} "
            f"| {', '.join(column.sources)} |"
        )
    return [*lines, "", *_checks(table)]


def _checks(table: Table) -> list[str]:
    """Return what is checked of a version of a table, and whether a failure keeps it from readers."""
    lines = ["| check | severity | what must hold |", "| --- | --- | --- |"]
    for check in declared(table):
        severity = "error, blocks" if check.is_blocking else "warning"
        lines.append(f"| `{check.name}` | {severity} | {_cell(check.description)} |")
    return [*lines, ""]


def _values(column: Column) -> str:
    if column.allowed:
        return ", ".join(column.allowed)
    if column.minimum is not None or column.maximum is not None:
        low = "" if column.minimum is None else f"{column.minimum:g}"
        high = "" if column.maximum is None else f"{column.maximum:g}"
        return f"{low} … {high}"
    if column.each:
        return f"each `{_cell(column.each)}`"
    return f"`{_cell(column.pattern)}`" if column.pattern else ""


def _cell(text: str) -> str:
    """Return a text in which no bar ends the cell: patterns have them."""
    return text.replace("|", "\\|")


def _default(value: Any) -> str:
    return "" if value is None else f"`{value}`"


def main(folder: Path) -> None:
    """Write both pages into `folder`."""
    (folder / "data_dictionary.md").write_text(data_dictionary(), "utf-8")
    (folder / "settings.md").write_text(settings_list(), "utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
