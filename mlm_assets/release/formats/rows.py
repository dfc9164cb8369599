"""The rows of a variant as three flat tables, settlements, texts and pictures, slice by slice.

Parquet and DuckDB publish the same three; what stands in them is decided here, once.
"""

from collections.abc import Callable, Iterator
from typing import Any

from mlm_assets.release.formats.credits import Credits
from mlm_assets.release.formats.fields import entity_schema, image_schema, summary_schema
from mlm_assets.release.formats.slices import slices

_SLICE_ROWS = 10_000


def entity_parts(rows: Any) -> Iterator[Any]:
    """Yield tables of settlements, one row each."""
    schema = entity_schema(rows)
    for part in slices(rows.select(schema.names), _SLICE_ROWS):
        yield part.cast(schema)


def summary_parts(rows: Any) -> Iterator[Any]:
    """Yield tables of texts, in the order of settlements and languages."""
    for part in slices(rows.select(["qid", "split", "summaries"]), _SLICE_ROWS):
        yield _as(summary_schema(), _exploded(part, "summaries"))


def image_parts(rows: Any, credits_: Credits, picture_sha256: Callable[[str, str], str]) -> Iterator[Any]:
    """Yield tables of pictures, in the order of settlements and numbers.

    `picture_sha256` gives the SHA-256 of a picture by name and path.
    """
    import pyarrow as pa

    for part in slices(rows.select(["qid", "split", "images"]), _SLICE_ROWS):
        columns = _exploded(part, "images")
        names = columns["name"].to_pylist()
        hashes = [picture_sha256(*one) for one in zip(names, columns["path"].to_pylist(), strict=True)]
        said = credits_.of(names)
        columns["picture_sha256"] = pa.array(hashes, pa.string())
        columns.update({name: said[name].combine_chunks() for name in said.column_names})
        yield _as(image_schema(), columns)


def _exploded(part: Any, column: str) -> dict[str, Any]:
    """Return the fields of a list of structs, one value per element, and `qid` and `split` beside them."""
    import pyarrow as pa
    import pyarrow.compute as pc

    lists = part[column].combine_chunks()
    # An empty chunked array combines to an array; a chunked one of a single chunk to a chunked one, in older releases.
    lists = lists.chunk(0) if isinstance(lists, pa.ChunkedArray) else lists
    elements = pc.list_flatten(lists)
    parents = pc.list_parent_indices(lists)
    found = {name: part[name].take(parents).combine_chunks() for name in ("qid", "split")}
    fields = [elements.type.field(number).name for number in range(elements.type.num_fields)]
    return {**found, **dict(zip(fields, elements.flatten(), strict=True))}


def _as(schema: Any, columns: dict[str, Any]) -> Any:
    import pyarrow as pa

    return pa.table([columns[name].cast(schema.field(name).type) for name in schema.names], schema=schema)
