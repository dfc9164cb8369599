"""Which versions a release is compared as: published ones are what their manifest pins, others what is accepted."""

import json
from pathlib import Path

import pyarrow as pa
import pytest

from mlm_assets.errors import MlmError, Refused
from mlm_assets.lineage.sides import REQUIRED, base_of, comparable, published, side_of, versions_of
from mlm_assets.resources.lake import Lake, Version, arrow_schema
from mlm_assets.tables import VARIANTS
from tests.release.sample import attribution_of, rows_of


def accept(lake: Lake, name: str, release: str, rows: pa.Table) -> Version:
    version = lake.write(name, release, rows)
    lake.accept(version, release=release, inputs={}, expected=lake.accepted(name, release))
    return version


def make(lake: Lake, release: str, n: int) -> dict[str, Version]:
    """Accept the tables of a release with `n` settlements."""
    parameter = {"kind": "parameter", "name": "t_min", "partition": "", "value": str(n), "n_rows": None}
    tables = {name: arrow_schema(name).empty_table() for name in REQUIRED}
    tables |= {variant: rows_of(variant, range(n)) for variant in VARIANTS}
    tables["refresh"] = pa.Table.from_pylist([parameter], schema=arrow_schema("refresh"))
    tables["attribution"] = attribution_of(tables["mlm_v2"])
    return {name: accept(lake, name, release, rows) for name, rows in tables.items()}


def publish(home: Path, release: str, versions: dict[str, Version], number: int = 1) -> None:
    folder = home / "releases" / release / f"v{number}"
    folder.mkdir(parents=True)
    inputs = [
        {"table": one.table, "partition": one.partition, "version": one.version, "n_rows": one.n_rows}
        for one in versions.values()
    ]
    (folder / "manifest.json").write_text(json.dumps({"inputs": inputs}))


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    found = Lake(tmp_path)
    for release in ("2026-12", "2027-01", "2027-02"):
        make(found, release, 4)
    return found


def test_accepted_releases(lake: Lake, tmp_path: Path) -> None:
    assert comparable(lake, tmp_path) == ["2026-12", "2027-01", "2027-02"]
    assert (published(tmp_path), base_of(lake, tmp_path, "2027-02")) == ([], "2027-01")
    assert base_of(lake, tmp_path, "2026-12") is None


def test_a_published_release_is_the_base(lake: Lake, tmp_path: Path) -> None:
    publish(tmp_path, "2026-12", versions_of(lake, tmp_path, "2026-12"))
    (tmp_path / "releases" / "2027-01" / "draft").mkdir(parents=True)
    assert published(tmp_path) == ["2026-12"]
    assert base_of(lake, tmp_path, "2027-02") == "2026-12"


def test_a_published_release_is_what_its_newest_version_pins(lake: Lake, tmp_path: Path) -> None:
    first = versions_of(lake, tmp_path, "2026-12")
    publish(tmp_path, "2026-12", first)
    second = make(lake, "2026-12", 3)
    publish(tmp_path, "2026-12", second, number=2)
    make(lake, "2026-12", 5)  # accepted since, and not published
    found = versions_of(lake, tmp_path, "2026-12")
    assert {name: one.version for name, one in found.items()} == {name: one.version for name, one in second.items()}
    side = side_of(lake, "2026-12", found)
    assert side.parameters == {"t_min": "3"}
    assert side.attribution is not None
    assert (side.rejections, side.departures, dict(side.scores)) == (None, None, {})
    assert side.picture("images/no/such.jpg") is None


def test_what_is_not_there(lake: Lake, tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"no accepted refresh, .* of 2030-01\. There are: 2026-12, 2027-01, 2027-02\."):
        versions_of(lake, tmp_path, "2030-01")
    found = versions_of(lake, tmp_path, "2026-12")
    publish(tmp_path, "2026-12", found)
    (tmp_path / found["mlm"].path).unlink()
    with pytest.raises(MlmError, match=f"no version {found['mlm'].version} of mlm 2026-12 any more"):
        versions_of(lake, tmp_path, "2026-12")
    (tmp_path / "releases" / "2026-12" / "v1" / "manifest.json").write_text("{")
    with pytest.raises(MlmError, match="cannot be read"):
        versions_of(lake, tmp_path, "2026-12")
