"""The registry holds together, and what is derived from it is what is committed."""

from pathlib import Path

import pytest

from mlm_assets.dictionary import data_dictionary, settings_list
from mlm_assets.resources.lake import arrow_schema
from mlm_assets.tables import TABLES, VARIANTS, Table

DOCS = Path(__file__).resolve().parents[2] / "docs"


@pytest.mark.parametrize("table", TABLES.values(), ids=lambda table: table.name)
def test_every_key_and_source_is_a_declared_column(table: Table) -> None:
    assert set(table.key) <= set(table.column_names)
    assert len(set(table.column_names)) == len(table.columns)
    for column in table.columns:
        for source in column.sources:
            name, _, source_column = source.partition(".")
            assert TABLES[name].column(source_column), f"{table.name}.{column.name} comes from {source}"


@pytest.mark.parametrize("table", TABLES.values(), ids=lambda table: table.name)
def test_parquet_schema_follows_the_registry(table: Table) -> None:
    schema = arrow_schema(table.name)
    assert tuple(schema.names) == table.column_names
    assert schema.field(0).metadata[b"description"].decode() == table.columns[0].description


def test_all_variants_are_tables_with_the_same_columns() -> None:
    assert {TABLES[variant].columns for variant in VARIANTS} == {TABLES["mlm"].columns}


def test_committed_pages_are_up_to_date() -> None:
    assert (DOCS / "data_dictionary.md").read_text("utf-8") == data_dictionary(), "run `make docs`"
    assert (DOCS / "settings.md").read_text("utf-8") == settings_list(), "run `make docs`"
