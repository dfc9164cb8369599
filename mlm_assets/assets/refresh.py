"""Group refresh: the manifest of a release, the one and only edge from shards to releases."""

from collections.abc import Iterator
from typing import Any

import dagster as dg

from mlm_assets.assets.reporting import counts_table
from mlm_assets.assets.stage import PARAMETERS, Rule, Stage, described
from mlm_assets.errors import MlmError
from mlm_assets.partitions import RELEASES, SHARDS, SHARDS_BY_LANGUAGE
from mlm_assets.resources.lake import Accepted, Lake
from mlm_assets.resources.services import LakeResource
from mlm_assets.tables import REFRESHED, TABLES

CURRENT_RULE = "shards_are_current"


@dg.asset(
    **described("refresh", {"manifest"}, advisory={CURRENT_RULE: "Every version was made for this release."}),
    partitions_def=RELEASES,
    deps=[dg.AssetDep(name, partition_mapping=dg.AllPartitionMapping()) for name in REFRESHED],
)
def refresh(context: dg.AssetExecutionContext, lake: LakeResource) -> Iterator[dg.MaterializeResult]:
    """Pin the accepted version of every table and partition, and the parameters, for one release."""
    stage = Stage(context, lake)
    versions = [stage.version(name, partition) for name, partition in wanted_partitions(stage.lake)]
    older = [version for version in versions if version.release != stage.partition]
    per_table: dict[str, int] = {}
    for version in versions:
        per_table[version.table] = per_table.get(version.table, 0) + version.n_rows
    yield from stage.publish_one(
        "refresh",
        _rows(versions, {name: str(stage.setting(name)) for name in PARAMETERS}),
        rules=[_current_rule(versions, older)],
        metadata={"rows_per_table": counts_table("table", per_table)},
    )


def wanted_partitions(lake: Lake) -> list[tuple[str, str]]:
    """Return every (table, partition) that a release is made of.

    Raises:
        MlmError: some have no accepted version yet; the sentence names the first of them.
    """
    wanted = [(name, partition) for name in REFRESHED for partition in partitions_of(name)]
    accepted = {(found.table, found.partition) for name in REFRESHED for found in lake.accepted_all(name)}
    missing = [pair for pair in wanted if pair not in accepted]
    if missing:
        first = ", ".join(f"{name} {partition}".strip() for name, partition in missing[:5])
        raise MlmError(
            f"{len(missing)} of {len(wanted)} table partitions have no accepted version yet ({first}, …). "
            "Materialise them before the refresh."
        )
    return wanted


def partitions_of(name: str) -> list[str]:
    """Return the partition keys of a table that is refreshed; one empty key where it is not partitioned."""
    partitions: dict[tuple[str, ...], list[str]] = {
        (): [""],
        ("shard",): list(SHARDS.get_partition_keys()),
        ("lang", "shard"): [str(key) for key in SHARDS_BY_LANGUAGE.get_partition_keys()],
    }
    return partitions[TABLES[name].partitioned_by]


def _current_rule(versions: list[Accepted], older: list[Accepted]) -> Rule:
    return Rule(
        CURRENT_RULE,
        not older,
        f"{len(versions) - len(older)} of {len(versions)} table partitions were refreshed for this release",
        {"older": ", ".join(f"{one.table} {one.partition} ({one.release})" for one in older[:20])},
        is_blocking=False,
    )


def _rows(versions: list[Accepted], parameters: dict[str, str]) -> Any:
    import pyarrow as pa

    records: list[dict[str, Any]] = [
        {
            "kind": "table",
            "name": one.table,
            "partition": one.partition,
            "value": one.version,
            "n_rows": one.n_rows,
        }
        for one in versions
    ]
    records += [
        {"kind": "parameter", "name": name, "partition": "", "value": value, "n_rows": None}
        for name, value in parameters.items()
    ]
    return pa.Table.from_pylist(records)
