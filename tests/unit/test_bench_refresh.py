"""What the replay of the support window would say of months that went well, and of months that did not."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.refresh_replay import PARTS, disk, split_changes, verdicts
from mlm_assets.tables import VARIANTS


def months(n: int, **grows: float) -> list[dict[str, Any]]:
    """Return `n` months that all cost the same, but for what `grows` with each of them (seconds, or a part)."""
    found = []
    sizes = dict.fromkeys(PARTS, 0.0)
    for number in range(n):
        for part in PARTS:
            first = {"files": 4000, "raw": 1000}.get(part, 500)
            later = {"files": 100, "raw": 200}.get(part, 500)
            sizes[part] += later + number * grows.get(part, 0) if number else first
        requests = {"sparql": 8, "action_api": 27 if number == 0 else 5, "files": 4}
        seconds = {"run": 20 + (number % 3) + number * grows.get("seconds", 0), "publish": 3}
        found.append(
            {"release": str(number), "seconds": seconds, "requests": requests, "approved": [], "disk": dict(sizes)}
        )
    return found


def test_months_that_cost_the_same_are_flat_and_bounded() -> None:
    said = verdicts(months(36))
    assert said["time_is_flat"]
    assert said["disk_is_bounded"]
    assert said["bytes_per_month"]["files"] == {"median": 100, "slope": 0, "low": 0, "high": 0, "first": 4000}


def test_months_that_take_longer_and_longer_are_not_flat() -> None:
    assert not verdicts(months(36, seconds=1))["time_is_flat"]


def test_a_part_of_the_disk_that_grows_faster_and_faster_is_not_bounded() -> None:
    for part in PARTS:
        assert not verdicts(months(36, **{part: 20}))["disk_is_bounded"], part


def test_files_that_are_fetched_again_and_answers_that_are_kept_twice_are_not_bounded() -> None:
    again = months(36)
    for number, month in enumerate(again):
        month["disk"]["files"] = 4000 * (number + 1)
    assert not verdicts(again)["disk_is_bounded"]
    twice = months(36)
    for number, month in enumerate(twice):
        month["disk"]["raw"] = 1000 * (number + 1)
    assert not verdicts(twice)["disk_is_bounded"]


def test_a_settlement_that_changes_sides_is_named(tmp_path: Path) -> None:
    def publish(release: str, variant: str, splits: dict[str, str]) -> None:
        file = tmp_path / "releases" / release / "v1" / "parquet" / variant / "entities.parquet"
        file.parent.mkdir(parents=True)
        pq.write_table(pa.table({"qid": list(splits), "split": list(splits.values())}), file)

    for variant in VARIANTS:
        publish("2026-12", variant, {"Q1": "train", "Q2": "test"})
        publish("2027-01", variant, {"Q2": "test", "Q3": "train"})
    assert split_changes(tmp_path, ["2026-12", "2027-01"])["splits_are_stable"]
    for variant in VARIANTS:
        publish("2027-02", variant, {"Q1": "train", "Q2": "validation"})
    said = split_changes(tmp_path, ["2026-12", "2027-01", "2027-02"])
    assert said == {"n_settlements_ever": 3, "changed_sides": ["Q2"], "splits_are_stable": False}


def test_a_file_that_is_linked_counts_once(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "releases").mkdir()
    (tmp_path / "images" / "a.jpg").write_bytes(b"x" * 1000)
    (tmp_path / "releases" / "b.jpg").hardlink_to(tmp_path / "images" / "a.jpg")
    (tmp_path / "note").write_bytes(b"y" * 10)
    found = disk(tmp_path)
    assert found["files"] >= 1000
    assert found["releases"] == 0
    assert found["other"] >= 10
