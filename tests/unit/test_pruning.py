"""What may be pruned, and what may not."""

import os
import time
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from mlm_assets.resources.lake import Lake, Version, arrow_schema
from mlm_assets.resources.pruning import leftovers, prune

OLD_S = 100 * 86_400


def rejections(lake: Lake, *qids: str) -> Version:
    rows = [{"qid": qid, "reason": "no_image", "failed": [], "evidence": "{}", "revision": 1} for qid in qids]
    version = lake.write("rejections", "00", pa.Table.from_pylist(rows, schema=arrow_schema("rejections")))
    old = time.time() - OLD_S
    os.utime(lake.full_path(version.path), (old, old))
    return version


def accept(lake: Lake, version: Version, release: str, **inputs: str) -> None:
    before = lake.accepted(version.table, version.partition)
    lake.accept(version, release=release, inputs=inputs, expected=before)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path)


def gone(lake: Lake) -> set[str]:
    return {one.path for one in leftovers(lake, 90)}


def test_what_is_read_or_was_accepted_for_a_release_stays(lake: Lake) -> None:
    first, second = rejections(lake, "Q1"), rejections(lake, "Q2")
    accept(lake, first, "2026-12")
    accept(lake, second, "2027-01")
    assert gone(lake) == set()


def test_what_was_replaced_within_its_release_goes_with_all_that_is_about_it(lake: Lake) -> None:
    first, second = rejections(lake, "Q1"), rejections(lake, "Q2")
    accept(lake, first, "2026-12")
    accept(lake, second, "2026-12")
    lake.write_bytes(f"failing/rejections/00/{first.version}/key_is_unique.parquet", b"rows")
    lake.write_bytes(f"profiles/rejections/00/{first.version}.json", b"{}")
    lake.write_bytes(f"profiles/rejections/00/{second.version}.json", b"{}")
    assert [one.path for one in prune(lake, 90)] == [first.path]
    assert not lake.exists(first.path)
    assert lake.list_names("failing/rejections/00") == []
    assert lake.list_names("profiles/rejections/00") == [f"{second.version}.json"]
    lake.read(lake.require("rejections", "00"))


def test_what_is_young_stays(lake: Lake) -> None:
    version = rejections(lake, "Q1")
    os.utime(lake.full_path(version.path))
    assert gone(lake) == set()


def test_what_a_manifest_pins_or_waits_for_an_approval_stays(lake: Lake) -> None:
    pinned, replaced, waiting = rejections(lake, "Q1"), rejections(lake, "Q2"), rejections(lake, "Q3")
    accept(lake, pinned, "2026-12")
    row: dict[str, Any] = {
        "kind": "table",
        "name": "rejections",
        "partition": "00",
        "value": pinned.version,
        "n_rows": 1,
    }
    manifest = lake.write("refresh", "2026-12", pa.Table.from_pylist([row], schema=arrow_schema("refresh")))
    accept(lake, manifest, "2026-12")
    accept(lake, replaced, "2026-12")
    lake.write_audit(
        {"table": "rejections", "partition": "00", "inputs": {}, "together": [["rejections", "00", waiting.version]]}
    )
    assert gone(lake) == set(), "the manifest pins the first, readers see the second, the third waits"
