"""The files of a diff: the page, the figures, the full list of settlements, and the draft of the release notes.

They are a release's `diff/` (the notes stand at its top). The same sides give the same bytes.
"""

import json
from pathlib import Path
from typing import Any, Final

from mlm_assets.release.diff import notes, page
from mlm_assets.release.diff.drawings import drawings
from mlm_assets.release.diff.report import Diff, entity_rows
from mlm_assets.release.diff.sides import Side

PAGE_FILE: Final = "index.html"
FIGURES_FILE: Final = "diff.json"
ENTITIES_FILE: Final = "entities.parquet"
NOTES_FILE: Final = "RELEASE_NOTES.md"
DIFF_FILES: Final = (PAGE_FILE, FIGURES_FILE, ENTITIES_FILE, NOTES_FILE)

_ROW_GROUP: Final = 100_000


def diff_folder(home: Path, release: str) -> Path:
    """Return where the diff of a release lies, below the home (which may be empty, for a relative path)."""
    return home / "diffs" / release


def figures_bytes(diff: Diff) -> bytes:
    """Return a diff as it is written: the same diff gives the same bytes."""
    return (json.dumps(diff, indent=1, ensure_ascii=False, sort_keys=True) + "\n").encode()


def page_bytes(connection: Any, diff: Diff, before: Side | None, after: Side) -> bytes:
    """Return the page of a diff; the tables of `sides.lay_out` must be on `connection`."""
    drawn = drawings(connection, diff, before, after)
    return page.render(diff, drawn, before.picture if before is not None else None, after.picture)


def write_files(connection: Any, diff: Diff, before: Side | None, after: Side, folder: Path) -> None:
    """Write the files of a diff into `folder`, which is made; the tables of `sides.lay_out` must be on `connection`."""
    import pyarrow.parquet as pq

    folder.mkdir(parents=True, exist_ok=True)
    (folder / FIGURES_FILE).write_bytes(figures_bytes(diff))
    (folder / PAGE_FILE).write_bytes(page_bytes(connection, diff, before, after))
    (folder / NOTES_FILE).write_bytes(notes.render(diff))
    rows = entity_rows(connection)
    pq.write_table(rows, folder / ENTITIES_FILE, compression="zstd", row_group_size=_ROW_GROUP)
