"""Whether anything changed since the last look, found out without reading a table, an audit or a ledger."""

import hashlib
import os
from pathlib import Path
from typing import Final

from mlm_assets.alerts.ledger import LEDGER_FILE
from mlm_assets.alerts.records import Lake
from mlm_assets.alerts.routes import routes_file
from mlm_assets.settings import Settings

_FOLDERS: Final = ("audits", "accepted")


def of_lake(lake: Lake) -> str:
    """Return a hash that changes when a pointer is moved or an audit is written."""
    entries = _local(Path(lake.root)) if lake.is_local else _remote(lake)
    return hashlib.sha256("\n".join(sorted(entries)).encode()).hexdigest()[:16]


def of_home(settings: Settings) -> str:
    """Return a hash that changes with the ledger, the routes, and the process (which alone sees its environment)."""
    entries = [str(os.getpid())]
    for path in (settings.home / LEDGER_FILE, routes_file(settings)):
        entries.append(f"{path} {_stamp(path)}")
    return hashlib.sha256("\n".join(entries).encode()).hexdigest()[:16]


def _local(root: Path) -> list[str]:
    # Files are replaced by renaming, which changes their folder: one look per table is enough.
    folders = [path for name in _FOLDERS if (root / name).is_dir() for path in (root / name).iterdir()]
    return [f"{path} {_stamp(path)}" for path in folders]


def _remote(lake: Lake) -> list[str]:
    entries = []
    for name in _FOLDERS:
        lake.fs.invalidate_cache()
        folder = lake.full_path(name)
        found = lake.fs.find(folder, detail=True) if lake.fs.exists(folder) else {}
        entries += [
            f"{path} {info.get('size')} {info.get('ETag')} {info.get('LastModified') or info.get('created')}"
            for path, info in found.items()
        ]
    return entries


def _stamp(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except FileNotFoundError:
        return 0
