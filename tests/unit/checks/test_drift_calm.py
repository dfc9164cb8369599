"""A year of ordinary months with legitimate shocks: nothing blocks, and hardly anything warns, in small worlds too."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from drift_world import COUNTRIES, LANGS, RARE_CLASS, RELEASES, Archive, World, failed, release_tables

from mlm_assets.checks.profile import profile_of, profile_path
from mlm_assets.resources.lake import Lake


def retag(world: World) -> None:
    world.retag("FR", "PL")


def merge(world: World) -> None:
    world.merge("IT")


def hide(world: World) -> None:
    world.hidden_class = RARE_CLASS


def stubs(world: World) -> None:
    world.stubs("hu")


def illustrate(world: World) -> None:
    world.illustrate(COUNTRIES[0])


SHOCKS: dict[int, Callable[[World], None]] = {2: retag, 4: merge, 5: hide, 8: stubs, 10: illustrate}
VANDALISED = 6


@pytest.mark.long
@pytest.mark.slow
@pytest.mark.parametrize(("seed", "n", "only"), [(21, 150, ()), (22, 500, ("refresh",))])
def test_a_year_with_shocks_blocks_nothing_and_hardly_warns(
    tmp_path: Path, seed: int, n: int, only: tuple[str, ...]
) -> None:
    world, archive = World(seed, n), Archive(Lake(tmp_path))
    before: dict[str, dict[str, Any]] = {}
    warnings = []
    for month in range(13):
        if month:
            world.live()
            world.undo(before)
            before, world.hidden_class = {}, None
            SHOCKS.get(month, lambda _: None)(world)
        if month == VANDALISED:
            before = world.vandalise()
        tables = world.tables()
        later = {} if only else release_tables(tables, RELEASES[month])
        verdicts = archive.judge({**tables, **later}, RELEASES[month], only)
        found = failed(verdicts)
        assert not any(verdict.blocks for verdict in verdicts), [verdict.sentence for verdict in found.values()]
        warnings += [(month, *key, verdict.sentence) for key, verdict in found.items()]
        assert len(verdicts) >= (15 if only else 200), "every table was judged"
    assert len(warnings) <= 1, warnings


def test_figures_are_counted_once_and_add_up(tmp_path: Path) -> None:
    """A refresh's figures are the sums of its versions', each kept beside its version and read from there."""
    world, archive = World(3, 120), Archive(Lake(tmp_path))
    tables = world.tables()
    versions = archive.write(tables)
    sides = archive._refresh(versions, RELEASES[0])
    whole = profile_of(archive.lake, sides)
    per_country: dict[str, int] = {}
    for (name, _), rows in tables.items():
        for row in rows if name == "settlements" else []:
            per_country[row["country_code"]] = per_country.get(row["country_code"], 0) + 1
    assert whole.figures["settlements.country"] == per_country
    assert set(whole.figures["summaries.texts"]) == set(LANGS)
    assert whole.figures["settlements.rows"][""] == sum(
        version.n_rows for (name, _), version in versions.items() if name == "settlements"
    )
    kept = profile_path(versions["settlements", "00"])
    assert kept.startswith("profiles/settlements/00/")
    archive.lake.write_bytes(
        kept, archive.lake.read_bytes(kept).replace(b'"settlements.rows": {"": ', b'"settlements.rows": {"": 9')
    )
    assert profile_of(archive.lake, sides).figures["settlements.rows"][""] != whole.figures["settlements.rows"][""]
    archive.lake.write_bytes(kept, b"{ damaged")
    assert profile_of(archive.lake, sides) == whole
