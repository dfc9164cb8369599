"""Every check that the registry declares passes on a sound version, and fails on a fault made for it."""

import pyarrow.parquet as pq
import pytest

from mlm_assets.checks.constraints import declared
from mlm_assets.checks.rules import rules_of
from mlm_assets.checks.verdicts import Verdict
from mlm_assets.tables import TABLES
from tests.unit.checks.faults import breakers
from tests.unit.checks.world import World

COLUMNS = "columns_and_types"
CHECKS = [(name, check.name) for name, table in TABLES.items() for check in declared(table)]
# What six models or four datasets share word for word is tried once.
DISTINCT = {
    (rule.check, rule.kind, rule.query, rule.constants): (name, rule.check.name)
    for name in reversed(TABLES)
    for rule in rules_of(name)
}
FAULTS = {name: breakers(table) for name, table in TABLES.items()}
_sound: dict[str, dict[str, Verdict]] = {}


def on_the_sound_version(world: World, name: str) -> dict[str, Verdict]:
    if name not in _sound:
        _sound[name] = {verdict.check: verdict for verdict in world.audit(world.version(name))}
    return _sound[name]


def test_every_check_has_a_fault_and_every_fault_a_check() -> None:
    with_fault = {(name, check) for name, faults in FAULTS.items() for check in (COLUMNS, *faults)}
    assert set(CHECKS) - with_fault == set()
    only_for_some = {(name, check) for name in ("mlm", "mlm_v2") for check in ("has_a_cell", "no_svg")}
    only_for_some |= {(name, "quotas_are_kept") for name in ("mlm", "mlm_v2", "mlm_irle")}
    assert with_fault - set(CHECKS) == only_for_some


@pytest.mark.parametrize(("name", "check"), sorted(DISTINCT.values()))
def test_a_check_passes_without_its_fault_and_fails_with_it(world: World, name: str, check: str) -> None:
    sound = on_the_sound_version(world, name)[check]
    assert sound.passed, sound.sentence
    if check == COLUMNS:
        rows = world.lake.read(world.version(name))
        faulty = world.store(name, rows.rename_columns(["another", *rows.column_names[1:]]))
    else:
        faulty = world.store(name, FAULTS[name][check](world.rows(name)))
    (verdict,) = world.audit(faulty, only=check)
    assert not verdict.passed
    assert not verdict.has_crashed, verdict.sentence
    assert verdict.blocks == verdict.is_blocking
    assert verdict.rows_path is not None
    with world.lake.fs.open(world.lake.full_path(verdict.rows_path), "rb") as file:
        assert pq.read_metadata(file).num_rows == verdict.figures["n_failing"] >= 1
    assert 1 <= len(verdict.sample) <= 5
