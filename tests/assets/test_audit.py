"""Write, audit, accept: what does not pass is kept beside what readers see, and the run says why."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pyarrow as pa
import pytest

from mlm_assets.assets.stage import Rule, Stage, described
from mlm_assets.automation.headless import Leg, _failure
from mlm_assets.errors import BlockedByCheck
from mlm_assets.resources.lake import Lake, arrow_schema
from mlm_assets.resources.services import LakeResource

GOOD = {"qid": "Q1", "reason": "no_image", "failed": ["no_image"], "evidence": "{}", "revision": 1}
OTHER = {**GOOD, "qid": "Q2"}


def table(*rows: dict[str, Any]) -> Any:
    return pa.Table.from_pylist(list(rows), schema=arrow_schema("rejections"))


def asset_of(rows: Any, rule: Rule | None = None) -> dg.AssetsDefinition:
    rules = {rule.name: "a rule"} if rule and rule.is_blocking else None
    advisory = {rule.name: "a hint"} if rule and not rule.is_blocking else None

    @dg.asset(name="rejections", **described("rejections", {"python"}, rules=rules, advisory=advisory))
    def made(context: dg.AssetExecutionContext, lake: LakeResource) -> dg.MaterializeResult:
        return Stage(context, lake).publish_one("rejections", rows, rules=[rule] if rule else [])

    return made


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    (tmp_path / "dagster").mkdir()
    with dg.DagsterInstance.local_temp(str(tmp_path / "dagster")) as local:
        yield local


def materialise(home: Path, instance: dg.DagsterInstance, rows: Any, rule: Rule | None = None) -> Any:
    home.mkdir(exist_ok=True)
    resources = {"lake": LakeResource(home=str(home))}
    return dg.materialize([asset_of(rows, rule)], instance=instance, resources=resources, raise_on_error=False)


@pytest.mark.parametrize(
    ("bad", "sentence"),
    [
        ([GOOD, GOOD], "is unique"),
        ([{**GOOD, "qid": None}], "qid is not null"),
        ([{**GOOD, "reason": "bad luck"}], "reason is one of its allowed values"),
    ],
)
def test_a_version_that_breaks_the_registry_is_kept_but_not_accepted(
    tmp_path: Path, instance: dg.DagsterInstance, bad: list[dict[str, Any]], sentence: str
) -> None:
    home = tmp_path / "home"
    assert materialise(home, instance, table(GOOD, OTHER)).success
    lake = Lake(home)
    accepted = lake.require("rejections")
    result = materialise(home, instance, table(*bad))
    assert not result.success
    assert lake.require("rejections") == accepted
    assert lake.read(accepted)["qid"].to_pylist() == ["Q1", "Q2"]
    assert len(lake.list_names("tables/rejections/all")) == 2, "the rejected version is there to be looked at"
    check = result.get_asset_check_evaluations()[0]
    assert sentence in check.metadata["violations"].value
    error = _failure(Leg("facts", "refresh_entities", ("rejections",), ("00",)), "00", result)
    assert isinstance(error, BlockedByCheck)
    assert error.exit_code == 3
    assert "rejections: constraints" in str(error)


@pytest.mark.parametrize(("is_blocking", "succeeds"), [(True, False), (False, True)])
def test_a_rule_blocks_only_if_it_is_meant_to(
    tmp_path: Path, instance: dg.DagsterInstance, is_blocking: bool, succeeds: bool
) -> None:
    rule = Rule("sums", False, "1 is not 2", is_blocking=is_blocking)
    result = materialise(tmp_path / "home", instance, table(GOOD), rule)
    assert result.success is succeeds
    assert (Lake(tmp_path / "home").accepted("rejections") is not None) is succeeds
    evaluations = {check.check_name: check.passed for check in result.get_asset_check_evaluations()}
    assert evaluations == {"constraints": True, "sums": False}
