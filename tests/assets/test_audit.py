"""Write, audit, accept: what does not pass is kept beside what readers see, and the run says why."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pyarrow as pa
import pytest

from mlm_assets.assets.stage import Rule, Stage, described
from mlm_assets.automation.headless import Leg, _failure
from mlm_assets.checks import constraints
from mlm_assets.errors import BlockedByCheck
from mlm_assets.partitions import RELEASES
from mlm_assets.resources.lake import Lake, arrow_schema
from mlm_assets.resources.services import LakeResource

RELEASE = "2026-12"
GOOD = {
    "table_name": "summaries", "partition": "fr|00", "version": "a", "approved_by": "ann",
    "approved_at": "2026-12-01T00:00:00+00:00", "reason": "a wiki was merged", "failed_checks": ["rows"],
    "figures": "{}",
}  # fmt: skip
OTHER = {**GOOD, "partition": "fr|01"}


def table(*rows: dict[str, Any]) -> Any:
    return pa.Table.from_pylist(list(rows), schema=arrow_schema("approvals"))


def asset_of(rows: Any, rule: Rule | None = None) -> dg.AssetsDefinition:
    rules = {rule.name: "a rule"} if rule and rule.is_blocking else None
    advisory = {rule.name: "a hint"} if rule and not rule.is_blocking else None

    @dg.asset(
        name="approvals",
        **described("approvals", {"python"}, rules=rules, advisory=advisory),
        partitions_def=RELEASES,
    )
    def made(context: dg.AssetExecutionContext, lake: LakeResource) -> Iterator[dg.MaterializeResult]:
        yield from Stage(context, lake).publish_one("approvals", rows, rules=[rule] if rule else [])

    return made


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    (tmp_path / "dagster").mkdir()
    with dg.DagsterInstance.local_temp(str(tmp_path / "dagster")) as local:
        yield local


def materialise(home: Path, instance: dg.DagsterInstance, rows: Any, rule: Rule | None = None) -> Any:
    home.mkdir(exist_ok=True)
    return dg.materialize(
        [asset_of(rows, rule)],
        instance=instance,
        resources={"lake": LakeResource(home=str(home))},
        partition_key=RELEASE,
        raise_on_error=False,
    )


def evaluations(instance: dg.DagsterInstance, result: Any) -> dict[str, dg.AssetCheckEvaluation]:
    """Return what the event log of a run says of each check; `accepted` among them."""
    records = instance.all_logs(result.run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION)
    found = [record.dagster_event.event_specific_data for record in records if record.dagster_event]
    return {one.check_name: one for one in found}


@pytest.mark.parametrize(
    ("bad", "check"),
    [
        ([GOOD, GOOD], "key_is_unique"),
        ([{**GOOD, "reason": None}], "reason_is_not_null"),
        ([{**GOOD, "figures": "{"}], "figures_are_json"),
    ],
)
def test_a_version_that_breaks_the_registry_is_kept_but_not_accepted(
    tmp_path: Path, instance: dg.DagsterInstance, bad: list[dict[str, Any]], check: str
) -> None:
    home = tmp_path / "home"
    assert materialise(home, instance, table(GOOD, OTHER)).success
    lake = Lake(home)
    accepted = lake.require("approvals", RELEASE)
    result = materialise(home, instance, table(*bad))
    assert not result.success
    assert lake.require("approvals", RELEASE) == accepted
    assert lake.read(accepted)["partition"].to_pylist() == ["fr|00", "fr|01"]
    assert len(lake.list_names(f"tables/approvals/{RELEASE}")) == 2, "the rejected version is there to be looked at"
    failed = {name: one for name, one in evaluations(instance, result).items() if not one.passed}
    assert set(failed) == {check, "accepted"}
    assert failed[check].partition == RELEASE
    assert "mlm trace" in str(failed[check].metadata["trace"].value)
    assert "mlm approve" in str(failed["accepted"].description)
    audit = lake.audit_of("approvals", RELEASE)
    assert audit is not None
    assert not lake.is_readable(audit)
    rows_path = next(one["rows_path"] for one in audit["checks"] if one["check"] == check)
    assert lake.exists(rows_path), "all rows that break it"
    error = _failure(Leg("datasets", "build_datasets", ("approvals",), (RELEASE,)), RELEASE, result)
    assert isinstance(error, BlockedByCheck)
    assert error.exit_code == 3
    assert f"approvals: {check}" in str(error)


def test_a_rejected_version_is_no_materialisation_but_an_observation(
    tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    home = tmp_path / "home"
    materialise(home, instance, table(GOOD, OTHER))
    result = materialise(home, instance, table(GOOD, GOOD))
    assert not instance.all_logs(result.run_id, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION)
    observed = instance.all_logs(result.run_id, of_type=dg.DagsterEventType.ASSET_OBSERVATION)
    assert len(observed) == 1
    assert observed[0].dagster_event is not None
    observation = observed[0].dagster_event.asset_observation_data.asset_observation
    assert "key_is_unique" in str(observation.metadata["rejected"].value)
    assert observation.partition == RELEASE


def test_a_version_that_passes_is_reported_whole(tmp_path: Path, instance: dg.DagsterInstance) -> None:
    result = materialise(tmp_path / "home", instance, table(GOOD))
    said = evaluations(instance, result)
    assert {"key_is_unique", "columns_and_types", "accepted"} < set(said)
    assert all(one.passed and one.partition == RELEASE for one in said.values())
    newest = instance.fetch_materializations(dg.AssetKey("approvals"), limit=1).records[0]
    targets = {one.target_materialization_data.storage_id for one in said.values() if one.target_materialization_data}
    assert targets == {newest.storage_id}, "each is a verdict on this very version"


@pytest.mark.parametrize(("is_blocking", "succeeds"), [(True, False), (False, True)])
def test_a_rule_blocks_only_if_it_is_meant_to(
    tmp_path: Path, instance: dg.DagsterInstance, is_blocking: bool, succeeds: bool
) -> None:
    rule = Rule("sums", False, "1 is not 2", is_blocking=is_blocking)
    result = materialise(tmp_path / "home", instance, table(GOOD), rule)
    assert result.success is succeeds
    assert (Lake(tmp_path / "home").accepted("approvals", RELEASE) is not None) is succeeds
    failed = {name for name, one in evaluations(instance, result).items() if not one.passed}
    assert failed == ({"sums", "accepted"} if is_blocking else {"sums"})


def test_a_check_that_crashes_blocks_and_hides_no_other(
    tmp_path: Path, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crashes(*_: Any, **__: Any) -> Any:
        raise RuntimeError("a bug of ours")

    monkeypatch.setattr(constraints, "_sound", crashes)
    result = materialise(tmp_path / "home", instance, table(GOOD))
    monkeypatch.undo()
    assert not result.success
    assert Lake(tmp_path / "home").accepted("approvals", RELEASE) is None
    said = evaluations(instance, result)
    assert not said["key_is_unique"].passed
    assert "crashed" in str(said["key_is_unique"].description)
