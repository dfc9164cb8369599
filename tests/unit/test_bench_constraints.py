"""The synthetic tables of the benchmark of constraints follow the registry: a column more there is one more here."""

import duckdb
import pytest

from benchmarks.constraints import _PEOPLE, _SQL
from mlm_assets.tables import LANGUAGES, TABLES


@pytest.mark.parametrize("name", sorted(_SQL))
def test_the_synthetic_tables_have_the_columns_of_the_registry(name: str) -> None:
    query = _SQL[name].replace("%(lang)s", "en").replace("%(shard)s", "00").replace("%(place)s", "0")
    with duckdb.connect() as connection:
        connection.execute(_PEOPLE.format(n=50, shards=1))
        connection.execute("CREATE TABLE languages AS SELECT ? AS langs", [list(LANGUAGES)])
        connection.execute(f"CREATE VIEW made AS {query.replace('%s', '00')}")
        columns = {row[0] for row in connection.execute("DESCRIBE made").fetchall()}
        assert connection.execute("SELECT count(*) > 0 FROM made").fetchall() == [(True,)]
    assert columns == set(TABLES[name].column_names)
