"""One small release, built once and only read."""

import pytest

from tests.release.folder import Built, built


@pytest.fixture(scope="session")
def small_release(tmp_path_factory: pytest.TempPathFactory) -> Built:
    return built(tmp_path_factory.mktemp("release"))
