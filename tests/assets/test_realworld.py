"""The real sample: golden records of the published dataset come out as they were published."""

import json
from pathlib import Path

import pytest

from tests.commands import done, summary

pytestmark = [pytest.mark.slow, pytest.mark.realworld]

BELOW_HUMAN_SETTLEMENT = {23178, 172, 1789630, 1061703, 1744197, 691876}


@pytest.fixture(scope="module")
def home(realworld: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("realworld") / "home"
    done(
        "run",
        "--world",
        realworld,
        "--home",
        folder,
        "--release",
        "2026-12",
        "--shards",
        "2",
        "--t-min",
        "3",
        "--t-max",
        "30",
    )
    return folder


def test_golden_records_come_out_and_the_others_are_rejected(home: Path, realworld: Path) -> None:
    golden = {record["id"]: record for record in json.loads((realworld / "golden_mlm_v1.json").read_text("utf-8"))}
    ours = {record["id"]: record for record in json.loads((home / "datasets/2026-12/mlm/mlm.json").read_text("utf-8"))}
    assert set(golden) & set(ours) == BELOW_HUMAN_SETTLEMENT
    for number in BELOW_HUMAN_SETTLEMENT:
        expected, found = golden[number], ours[number]
        assert found["item"] == expected["item"]
        assert found["summaries"] == expected["summaries"]
        assert set(found["classes"]) == set(expected["classes"])
        for one, other in zip(found["coordinates"], expected["coordinates"], strict=True):
            assert float(one) == pytest.approx(float(other), abs=1e-6)
    for number in set(golden) - BELOW_HUMAN_SETTLEMENT:
        said = json.loads(done("why", f"Q{number}", "--home", home, "--json"))
        assert (said["verdict"], said["reason"]) == ("rejected", "no_settlement_class")


def test_both_sums_hold(home: Path) -> None:
    counts = summary(home)["counts"]
    assert counts["candidates"] == 1831 == counts["settlements"] + sum(counts["rejections"].values())
    for variant, n in counts["datasets"].items():
        assert counts["settlements"] == n + sum(counts["excluded"][variant].values())
