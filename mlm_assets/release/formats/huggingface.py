"""A folder for `datasets.load_dataset`: Parquet per variant and split, with the pictures inside.

What makes a column of bytes an image is the schema's metadata `huggingface`, the JSON that the library `datasets`
itself writes; so nothing of it is needed here. Which files are which split is said by the card (`release.metadata`).
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from mlm_assets.release.formats.credits import COLUMNS, Credits
from mlm_assets.release.formats.fields import described
from mlm_assets.release.formats.files import PARQUET_TYPE, new_file
from mlm_assets.release.formats.parquet import COMPRESSION
from mlm_assets.release.formats.pictures import Pictures
from mlm_assets.release.formats.slices import groups, n_of, records
from mlm_assets.release.frozen import Frozen, Say
from mlm_assets.release.manifest import MIXED, SPLITS, FileRecord

FILE_ROWS: Final = 20_000
"""Settlements per file: about 350 MB."""
GROUP_ROWS: Final = 500
"""Settlements per row group: what a reader holds at least."""

_IMAGE_INFO: Final = ("name", "file", *COLUMNS)
_VALUES: Final = {"string": "string", "double": "float64", "int64": "int64", "int32": "int32"}


def write(frozen: Frozen, folder: Path, say: Say) -> list[FileRecord]:
    """Write `huggingface/data/<variant>/<split>-00000-of-00001.parquet` and so on; return their records.

    A split without settlements has no file: `datasets` refuses to load one.

    Raises:
        MlmError: a picture is withheld, has no row in `attribution`, or is not in the lake any more.
    """
    credits_, pictures = Credits(frozen.attribution), Pictures(frozen)
    made = []
    for variant, rows in frozen.rows.items():
        schema = hub_schema(rows.schema)
        for split in SPLITS:
            samples = (_sample(row, schema, credits_, pictures) for row in records(rows, split))
            n_files = -(-n_of(rows, split) // FILE_ROWS)
            for number in range(n_files):
                path = f"huggingface/data/{variant}/{split}-{number:05d}-of-{n_files:05d}.parquet"
                made.append(_write(folder, path, schema, samples, variant, split))
        say(f"huggingface: {variant} with {rows.num_rows:,} settlements")
    return made


def hub_schema(rows_schema: Any) -> Any:
    """Return the schema of the files: the columns of a variant, `images` as pictures, and `image_info` beside them."""
    import pyarrow as pa

    image = pa.struct({"bytes": pa.binary(), "path": pa.string()})
    info = pa.list_(pa.struct({name: pa.string() for name in _IMAGE_INFO}))
    words = described(rows_schema)
    fields = []
    for field in rows_schema:
        if field.name == "images":
            fields += [
                pa.field("images", pa.list_(image), metadata={"description": "Pictures: JPEG, 256 x 256, padded"}),
                pa.field("image_info", info, metadata={"description": "Whose each picture is, in the same order"}),
            ]
        elif field.name != "split":
            fields.append(pa.field(field.name, _plain(field.type), metadata={"description": words[field.name]}))
    features = {field.name: _feature(field.type) for field in fields}
    return pa.schema(fields, metadata={"huggingface": json.dumps({"info": {"features": features}})})


def _plain(kind: Any) -> Any:
    """Return a type with its lists' elements named as `datasets` names them."""
    import pyarrow as pa

    if pa.types.is_list(kind):
        return pa.list_(_plain(kind.value_type))
    if pa.types.is_struct(kind):
        return pa.struct({kind.field(at).name: _plain(kind.field(at).type) for at in range(kind.num_fields)})
    return kind


def _feature(kind: Any) -> dict[str, Any]:
    """Return what `datasets` calls a type."""
    import pyarrow as pa

    if pa.types.is_list(kind):
        return {"feature": _feature(kind.value_type), "_type": "List"}
    if pa.types.is_struct(kind):
        names = [kind.field(at).name for at in range(kind.num_fields)]
        if names == ["bytes", "path"]:
            return {"_type": "Image"}
        return {name: _feature(kind.field(name).type) for name in names}
    return {"dtype": _VALUES[str(kind)], "_type": "Value"}


def _sample(row: dict[str, Any], schema: Any, credits_: Credits, pictures: Pictures) -> dict[str, Any]:
    here = {name: row[name] for name in schema.names if name not in ("images", "image_info")}
    here["images"] = [
        {"bytes": pictures.bytes_of(image["name"], image["path"]), "path": image["name"]} for image in row["images"]
    ]
    here["image_info"] = credits_.info(row["images"])
    return here


def _write(
    folder: Path, path: str, schema: Any, samples: Iterator[dict[str, Any]], variant: str, split: str
) -> FileRecord:
    """Write the next samples into one file."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    n_rows = 0
    with new_file(folder, path) as file, pq.ParquetWriter(file, schema, compression=COMPRESSION) as writer:
        while n_rows < FILE_ROWS and (group := next(groups(samples, min(GROUP_ROWS, FILE_ROWS - n_rows)), None)):
            writer.write_table(pa.Table.from_pylist(group, schema=schema))
            n_rows += len(group)
    return file.record("huggingface", MIXED, PARQUET_TYPE, n_rows, variant=variant, split=split)
