"""Each kind of constraint of the registry is found when rows break it."""

import pyarrow as pa
import pytest

from mlm_assets.checks.constraints import violations
from mlm_assets.tables import Column, Table

TABLE = Table(
    "t", "g", "", "", ("qid",),
    (
        Column("qid", "VARCHAR", "", pattern=r"^Q[1-9][0-9]*$"),
        Column("kind", "VARCHAR", "", nullable=True, allowed=("a", "b")),
        Column("n", "INTEGER", "", nullable=True, minimum=0, maximum=10),
    ),
)  # fmt: skip
SOUND = [
    {"qid": "Q1", "kind": "a", "n": 0},
    {"qid": "Q2", "kind": None, "n": None},
    {"qid": "Q3", "kind": "b", "n": 10},
]


def found(rows: list[dict[str, object]]) -> list[str]:
    schema = pa.schema([("qid", pa.string()), ("kind", pa.string()), ("n", pa.int32())])
    return [violation.rule for violation in violations(TABLE, pa.Table.from_pylist(rows, schema=schema))]


def test_sound_rows_break_nothing() -> None:
    assert found(SOUND) == []


@pytest.mark.parametrize(
    ("row", "rule"),
    [
        ({"qid": None, "kind": "a", "n": 1}, "qid is not null"),
        ({"qid": "Q1", "kind": "a", "n": 1}, "(qid) is unique"),
        ({"qid": "q9", "kind": "a", "n": 1}, "qid matches ^Q[1-9][0-9]*$"),
        ({"qid": "Q9", "kind": "c", "n": 1}, "kind is one of its allowed values"),
        ({"qid": "Q9", "kind": "a", "n": -1}, "n >= 0"),
        ({"qid": "Q9", "kind": "a", "n": 11}, "n <= 10"),
    ],
)
def test_one_bad_row_breaks_one_rule(row: dict[str, object], rule: str) -> None:
    assert found([*SOUND, row]) == [rule]
