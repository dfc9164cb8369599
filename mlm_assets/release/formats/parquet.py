"""Parquet: per variant settlements, texts and pictures' metadata, apart by licence; attribution and geo-cells.

Row groups follow the number of settlements and never the chunks of what is given, so that the same rows give the same
bytes. The library writes its name and version into each file and nothing else that is not of the rows.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from mlm_assets.release.formats.credits import Credits
from mlm_assets.release.formats.fields import entity_schema, image_schema, summary_schema
from mlm_assets.release.formats.files import PARQUET_TYPE, new_file
from mlm_assets.release.formats.pictures import Pictures
from mlm_assets.release.formats.rows import entity_parts, image_parts, summary_parts
from mlm_assets.release.formats.slices import slices
from mlm_assets.release.frozen import Frozen, Say
from mlm_assets.release.manifest import CC0, CC_BY_SA, PER_FILE, FileRecord

COMPRESSION: Final = "zstd"
_GROUP_ROWS: Final = 50_000


def write(frozen: Frozen, folder: Path, say: Say) -> list[FileRecord]:
    """Write `parquet/<variant>/{entities,summaries,images}.parquet` below `folder`; return their records.

    `entities` are facts (CC0), `summaries` texts of Wikipedia (CC BY-SA), `images` what is known of each picture.

    Raises:
        MlmError: a picture is withheld, has no row in `attribution`, or is not in the lake any more.
    """
    credits_, pictures = Credits(frozen.attribution), Pictures(frozen)
    made = []
    for variant, rows in frozen.rows.items():
        tables = (
            ("entities", CC0, entity_schema(rows), entity_parts(rows)),
            ("summaries", CC_BY_SA, summary_schema(), summary_parts(rows)),
            ("images", PER_FILE, image_schema(), image_parts(rows, credits_, pictures.sha256)),
        )
        for name, licence, schema, parts in tables:
            made.append(_write(folder, f"parquet/{variant}/{name}.parquet", schema, parts, licence, variant))
        say(f"parquet: {variant} with {rows.num_rows:,} settlements")
    return made


def write_tables(frozen: Frozen, folder: Path, say: Say) -> list[FileRecord]:
    """Write `attribution.parquet` and `geo_cells.parquet`, which every release has; return their records."""
    made = []
    for name, rows in (("attribution", frozen.attribution), ("geo_cells", frozen.geo_cells)):
        made.append(_write(folder, f"{name}.parquet", rows.schema, slices(rows, _GROUP_ROWS), CC0))
        say(f"{name}.parquet with {rows.num_rows:,} rows")
    return made


def _write(folder: Path, path: str, schema: Any, parts: Iterable[Any], licence: str, variant: str = "") -> FileRecord:
    import pyarrow.parquet as pq

    n_rows = 0
    with new_file(folder, path) as file, pq.ParquetWriter(file, schema, compression=COMPRESSION) as writer:
        for part in parts:
            writer.write_table(part, row_group_size=part.num_rows or None)
            n_rows += part.num_rows
    return file.record("parquet", licence, PARQUET_TYPE, n_rows, variant=variant)
