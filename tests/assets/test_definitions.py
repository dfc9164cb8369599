"""What Dagster loads: nothing is renamed by accident, and everything is described for the person who sees it."""

import json
import os
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from mlm_assets.definitions import defs
from mlm_assets.tables import TABLES

SNAPSHOT = Path(__file__).with_name("definitions_snapshot.json")
SPECS = sorted(defs.resolve_all_asset_specs(), key=lambda spec: spec.key)


def shape() -> dict[str, Any]:
    """Return the names that others script against. Keys of shards are left out: they depend on the home."""
    repository = defs.get_repository_def()
    graph = repository.asset_graph
    return {
        "assets": {
            spec.key.to_user_string(): {
                "group": spec.group_name,
                "partitions": _partitions(spec.partitions_def),
                "deps": sorted(dep.asset_key.to_user_string() for dep in spec.deps),
                "is_automated": spec.automation_condition is not None,
            }
            for spec in SPECS
        },
        "checks": sorted(
            f"{key.asset_key.to_user_string()}: {key.name}{' (blocking)' if graph.get_check_spec(key).blocking else ''}"
            for key in graph.asset_check_keys
        ),
        "jobs": {
            job.name: sorted(key.to_user_string() for key in job.asset_layer.executable_asset_keys)
            for job in repository.get_all_jobs()
            if not job.name.startswith("__")
        },
        "schedules": sorted(schedule.name for schedule in repository.schedule_defs),
        "sensors": {sensor.name: sensor.default_status.value for sensor in repository.sensor_defs},
    }


def _partitions(definition: dg.PartitionsDefinition[str] | None) -> str:
    if definition is None:
        return ""
    if isinstance(definition, dg.MultiPartitionsDefinition):
        return " x ".join(dimension.name for dimension in definition.partitions_defs)
    keys = definition.get_partition_keys()
    return f"{keys[0]} … {keys[-1]}" if "-" in keys[0] else "shard"


def test_names_partitions_jobs_and_checks_are_those_of_the_snapshot() -> None:
    found = json.loads(json.dumps(shape()))
    if os.environ.get("UPDATE_SNAPSHOTS"):
        SNAPSHOT.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", "utf-8")
    assert found == json.loads(SNAPSHOT.read_text("utf-8")), "renamed on purpose? run UPDATE_SNAPSHOTS=1 make test"


def test_every_table_is_an_asset_and_every_asset_a_table() -> None:
    pages = {"data_docs", "support_window"}
    assert {spec.key.to_user_string() for spec in SPECS} == {*TABLES, *pages}, "pages are no tables"


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.key.to_user_string())
def test_every_asset_says_what_it_is(spec: dg.AssetSpec) -> None:
    assert spec.description
    assert spec.owners
    assert spec.kinds
    if spec.key.to_user_string() not in TABLES:
        return
    assert spec.code_version
    assert spec.freshness_policy is not None
    assert spec.group_name == TABLES[spec.key.to_user_string()].group
    schema = spec.metadata["dagster/column_schema"]
    assert isinstance(schema, dg.TableSchema)
    assert all(column.description for column in schema.columns)
