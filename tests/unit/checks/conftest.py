"""The sound release that the constraints are tried on, made once."""

import pytest

from mlm_assets.resources.lake import Lake
from tests.unit.checks.world import World, build


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return build(Lake(tmp_path_factory.mktemp("constraints") / "lake"))
