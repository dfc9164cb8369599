"""What all tests share: a home of their own before anything of the platform is imported, and the real samples."""

import os
import tempfile
from pathlib import Path

# Dagster's partitions are made from the home's settings when they are imported: no test may see a home of the user.
_SCRATCH = Path(tempfile.mkdtemp(prefix="mlm-tests-"))
for name in [name for name in os.environ if name.startswith("MLM_") and name != "MLM_SHARED"]:
    del os.environ[name]
os.environ["MLM_HOME"] = os.environ["DAGSTER_HOME"] = str(_SCRATCH / "home")
os.environ["MLM_SHARDS"] = "4"
os.environ["MLM_LOCK_DIR"] = str(_SCRATCH / "locks")
(_SCRATCH / "home").mkdir()

import pytest  # noqa: E402


def shared_folder(name: str) -> Path:
    """Return a folder of real samples beside the checkout (or in MLM_SHARED)."""
    root = os.environ.get("MLM_SHARED") or Path(__file__).resolve().parents[2] / "shared"
    return Path(root) / name


@pytest.fixture(scope="session")
def realworld() -> Path:
    """The real sample of Wikidata, Wikipedia and Commons; the test is skipped where it is absent."""
    folder = shared_folder("realworld")
    if not folder.is_dir():
        pytest.skip("the real sample (shared/realworld) is not beside this checkout")
    return folder


_LONGEST = (
    "tests/ui/",
    "tests/assets/test_models",
    "tests/assets/test_runs",
    "tests/assets/test_kills",
    "tests/assets/",
)
"""What takes longest, first: of two processes neither is left alone with a long file at the end."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the longest files first; the order within a file stays."""

    def place(item: pytest.Item) -> int:
        return next((number for number, start in enumerate(_LONGEST) if item.nodeid.startswith(start)), len(_LONGEST))

    items.sort(key=place)
