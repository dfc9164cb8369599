"""The formats in which a release is published: one module each, all from the same frozen rows.

A builder is given a `Frozen` and a new folder, writes its files below it, and returns their records for the manifest.
It reads rows in slices and pictures one by one, so that a full release needs no more memory than its table of rows.
The same `Frozen` gives the same bytes, whatever the day, the folder and the machine; DuckDB, which puts random
numbers into its file, the same rows (`duckdb.table_hashes`). Does not belong here: which formats a release has
(settings), the manifest, checksums and metadata (`release.manifest`, `release.metadata`).
"""

from collections.abc import Callable
from pathlib import Path
from typing import Final

from mlm_assets.release.formats import duckdb, hdf5, huggingface, json, parquet, webdataset
from mlm_assets.release.formats.parquet import write_tables
from mlm_assets.release.frozen import Frozen, Say
from mlm_assets.release.manifest import FileRecord

Builder = Callable[[Frozen, Path, Say], list[FileRecord]]

FORMATS: Final[dict[str, Builder]] = {
    "json": json.write,
    "parquet": parquet.write,
    "webdataset": webdataset.write,
    "huggingface": huggingface.write,
    "duckdb": duckdb.write,
    "hdf5": hdf5.write,
}
"""Builder of each format, by the names of the setting `release_formats`."""

__all__ = ["FORMATS", "Builder", "write_tables"]
