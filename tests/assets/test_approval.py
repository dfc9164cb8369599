"""A rejected version is let through: by one maintainer of two, whole or not at all, and Dagster goes on from it."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pyarrow as pa
import pytest

from mlm_assets.assets.reporting import asset_key
from mlm_assets.automation.approval import approve_version
from mlm_assets.automation.headless import error_of
from mlm_assets.checks.verdicts import ACCEPTED_CHECK
from mlm_assets.errors import LakeConflict, Refused
from mlm_assets.resources.approvals import approve, rejected
from mlm_assets.resources.lake import Accepted, Lake, Version, arrow_schema
from mlm_assets.resources.services import LakeResource

SHARD = "00"
FAILED = {
    "check": "rows_do_not_drop", "passed": False, "severity": "ERROR", "blocking": True, "sentence": "40 % are gone",
    "figures": {"drop": 0.4}, "sample": [], "rows_path": None, "cause": "French (fr)", "crashed": False,
}  # fmt: skip


def version(lake: Lake, name: str, *qids: str, partition: str = SHARD) -> Version:
    """Write a version of rejections or settlements with these entities."""
    rows = pa.Table.from_pylist(
        [
            {"qid": qid, "reason": "no_image", "failed": ["no_image"], "evidence": "{}", "revision": 1}
            if name == "rejections"
            else {**{field.name: None for field in arrow_schema(name)}, "qid": qid}
            for qid in qids
        ],
        schema=arrow_schema(name),
    )
    return lake.write(name, partition, rows)


def reject(lake: Lake, *versions: Version, before: Accepted | None = None) -> None:
    """Keep the audits of versions that were drafted together and rejected."""
    for one in versions:
        lake.write_audit(
            {
                "table": one.table, "partition": one.partition, "version": one.version, "n_rows": one.n_rows,
                "release": "2027-01", "run_id": "run", "at": "2027-01-02T00:00:00+00:00",
                "before": before.version if before else None, "inputs": {"facts/00": "v"}, "code_version": "1",
                "n_unavailable": 0, "together": [[v.table, v.partition, v.version] for v in versions],
                "checks": [FAILED],
            }
        )  # fmt: skip


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """A lake whose readers see two rejections, while a version with one waits."""
    made = Lake(tmp_path / "home")
    good = version(made, "rejections", "Q1", "Q2")
    accepted = made.accept(good, release="2026-12", inputs={}, expected=None)
    reject(made, version(made, "rejections", "Q1"), before=accepted)
    return made


def test_who_when_why_and_the_figures_are_kept(lake: Lake) -> None:
    assert [audit["n_rows"] for audit in rejected(lake, "rejections")] == [1]
    (accepted,) = approve(lake, "rejections", "00", by="ann", reason="a wiki was merged")
    assert lake.require("rejections", SHARD) == accepted
    assert accepted.n_rows == 1
    assert accepted.release == "2027-01"
    assert accepted.approval is not None
    assert (accepted.approval["by"], accepted.approval["reason"]) == ("ann", "a wiki was merged")
    assert accepted.approval["failed"][0]["figures"] == {"drop": 0.4}
    assert [one.release for one in lake.history("rejections", SHARD)] == ["2026-12", "2027-01"]
    assert rejected(lake, "rejections") == []


@pytest.mark.parametrize(
    ("name", "pattern", "by", "reason", "sentence"),
    [
        ("no_table", "*", "ann", "because", "There is no table"),
        ("rejections", "*", "ann", "  ", "needs a reason"),
        ("rejections", "*", "", "because", "needs a reason"),
        ("rejections", "07", "ann", "because", "no partition of that name was ever audited"),
        ("facts", "*", "ann", "because", "Nothing waits"),
    ],
)
def test_what_cannot_be_approved_is_refused(
    lake: Lake, name: str, pattern: str, by: str, reason: str, sentence: str
) -> None:
    before = lake.require("rejections", SHARD)
    with pytest.raises(Refused, match=sentence):
        approve(lake, name, pattern, by=by, reason=reason)
    assert lake.require("rejections", SHARD) == before


def test_the_second_of_two_maintainers_is_told(lake: Lake) -> None:
    said: list[Any] = []
    barrier = threading.Barrier(2)

    def maintainer(name: str) -> None:
        barrier.wait()
        try:
            said.append(approve(lake, "rejections", "*", by=name, reason=f"{name} says so"))
        except LakeConflict as error:
            said.append(error)

    both = [threading.Thread(target=maintainer, args=(name,)) for name in ("ann", "bob")]
    for one in both:
        one.start()
    for one in both:
        one.join()
    won = [one for one in said if isinstance(one, list)]
    told = [one for one in said if isinstance(one, LakeConflict)]
    assert (len(won), len(told)) == (1, 1)
    winner = won[0][0].approval["by"]
    assert f"approved already, by {winner}" in str(told[0])
    assert lake.require("rejections", SHARD).approval["by"] == winner  # type: ignore[index]


def test_news_since_the_audit_is_not_approved_over(lake: Lake) -> None:
    newer = version(lake, "rejections", "Q3", "Q4")
    lake.accept(newer, release="2027-01", inputs={}, expected=lake.accepted("rejections", SHARD))
    with pytest.raises(LakeConflict, match="another version"):
        approve(lake, "rejections", "*", by="ann", reason="because")
    assert lake.require("rejections", SHARD).version == newer.version


def test_what_was_drafted_together_is_accepted_together(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    reject(lake, version(lake, "settlements", "Q1"), version(lake, "rejections", "Q2"))
    accepted = approve(lake, "rejections", "*", by="ann", reason="because")
    assert {one.table for one in accepted} == {"settlements", "rejections"}
    assert lake.accepted("settlements", SHARD) is not None


def test_an_approval_that_was_cut_in_two_is_finished_by_the_same_command(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    one, other = version(lake, "settlements", "Q1"), version(lake, "rejections", "Q2")
    reject(lake, one, other)

    def killed_at_the_second(made: Version, _: str) -> None:
        if made.table == "rejections":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        approve(lake, "rejections", "*", by="ann", reason="because", prepare=killed_at_the_second)
    assert lake.accepted("settlements", SHARD) is not None
    assert lake.accepted("rejections", SHARD) is None
    accepted = approve(lake, "rejections", "*", by="ann", reason="because")
    assert [made.table for made in accepted] == ["rejections"]


_KILLED = """
import os, signal, sys
from mlm_assets.resources import lake as module
from mlm_assets.resources.approvals import approve
steps, kill_at = 0, int(sys.argv[2])
write = module.Lake.write_bytes
def write_and_die(self, path, data):
    global steps
    steps += 1
    if steps == kill_at:
        os.kill(os.getpid(), signal.SIGKILL)
    write(self, path, data)
module.Lake.write_bytes = write_and_die
approve(module.Lake(sys.argv[1]), "rejections", "*", by="ann", reason="because")
print("not killed")
"""


@pytest.mark.parametrize("kill_at", [1, 2])
def test_a_kill_during_promotion_leaves_the_old_version_or_the_new(lake: Lake, kill_at: int) -> None:
    old = lake.require("rejections", SHARD)
    waiting = rejected(lake, "rejections")[0]["version"]
    command = [sys.executable, "-c", _KILLED, lake.root, str(kill_at)]
    result = subprocess.run(command, check=False, capture_output=True, env={**os.environ})
    assert result.returncode == -signal.SIGKILL, result.stdout
    seen = lake.require("rejections", SHARD)
    assert seen.version == (old.version if kill_at == 1 else waiting)
    lake.read(seen)
    assert lake.history("rejections", SHARD)[-1].version == seen.version, (
        "the pointer is the truth, the history follows"
    )
    if kill_at == 1:
        approve(lake, "rejections", "*", by="ann", reason="because")
    assert lake.require("rejections", SHARD).version == waiting


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    (tmp_path / "dagster").mkdir()
    with dg.DagsterInstance.local_temp(str(tmp_path / "dagster")) as local:
        yield local


def run(home: str, instance: dg.DagsterInstance, **config: str) -> Any:
    """Run the job behind the UI's button."""
    return approve_version.execute_in_process(
        instance=instance,
        resources={"lake": LakeResource(home=home)},
        run_config={"ops": {"approve_rejected": {"config": config}}},
        raise_on_error=False,
    )


def test_dagster_is_told_of_an_approval_once(lake: Lake, instance: dg.DagsterInstance) -> None:
    said = {"table": "rejections", "partition": SHARD, "reason": "a wiki was merged", "by": "ann"}
    assert run(lake.root, instance, **said).success
    key = asset_key("rejections")
    (record,) = instance.fetch_materializations(key, limit=5).records
    materialisation = record.asset_materialization
    assert materialisation is not None
    assert materialisation.partition == SHARD
    assert "a wiki was merged" in str(materialisation.metadata["approval"].value)
    again = run(lake.root, instance, **said)
    assert not again.success
    assert isinstance(error_of(again), LakeConflict)
    assert len(instance.fetch_materializations(key, limit=5).records) == 1


def test_an_approval_that_was_killed_before_dagster_knew_is_told_by_the_next_try(
    lake: Lake, instance: dg.DagsterInstance
) -> None:
    approve(lake, "rejections", "*", by="ann", reason="because")
    assert not run(lake.root, instance, table="rejections", partition="*", reason="because", by="ann").success
    assert len(instance.fetch_materializations(asset_key("rejections"), limit=5).records) == 1
    state = instance.event_log_storage.get_latest_asset_check_execution_by_key(
        [dg.AssetCheckKey(asset_key("rejections"), ACCEPTED_CHECK)]
    )
    assert json.dumps([record.status.value for record in state.values()]) == '["SUCCEEDED"]'
