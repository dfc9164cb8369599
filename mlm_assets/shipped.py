"""Files that lie at the top of the repository and travel with the package: `sql/`, `dagster.yaml`, `workspace.yaml`."""

from pathlib import Path


def shipped_file(path: str) -> Path:
    """Return the local file `path` (such as "sql/settlements.sql") of the checkout, or of the installed package."""
    package = Path(__file__).resolve().parent
    for root in (package / "_shipped", package.parent):
        if (root / path).exists():
            return root / path
    raise FileNotFoundError(f"{path} is neither in the package nor in the checkout around it")
