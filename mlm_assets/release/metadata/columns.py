"""Tables that a release publishes as Parquet, with the columns of each as the registry describes them.

What stands in those files is decided by `release.formats`; a test holds both together.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from mlm_assets.release.formats.fields import described, image_schema, summary_schema
from mlm_assets.release.metadata.words import Manifest
from mlm_assets.tables import TABLES, Column

_FIRST: Final = ("qid", "split")
_ELSEWHERE: Final = ("summaries", "images")
_RELEASE_TABLES: Final = ("attribution", "geo_cells")
_ARROW_TYPES: Final = {"string": "VARCHAR", "int64": "BIGINT", "int32": "INTEGER", "double": "DOUBLE"}
_ABOUT: Final = {
    "entities": "One row per settlement of {variant}.",
    "summaries": "One row per lead text of a settlement of {variant}.",
    "images": "One row per published picture of a settlement of {variant}.",
}
_KEYS: Final = {"entities": ("qid",), "summaries": ("qid", "lang"), "images": ("name",)}


@dataclass(frozen=True)
class PublishedTable:
    """A Parquet file of the release; `name` is unique in it and is a word: `mlm_entities`."""

    name: str
    path: str
    variant: str
    kind: str
    description: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]


def published_tables(manifest: Manifest) -> Iterator[PublishedTable]:
    """Give the tables that are in the release, by path."""
    paths = {file["path"] for file in manifest["files"]}
    for name in _RELEASE_TABLES:
        if f"{name}.parquet" in paths:
            table = TABLES[name]
            yield PublishedTable(name, f"{name}.parquet", "", name, table.description, table.columns, table.key)
    for variant in manifest["variants"]:
        for kind, about in _ABOUT.items():
            path = f"parquet/{variant}/{kind}.parquet"
            if path in paths:
                yield PublishedTable(
                    f"{variant}_{kind}", path, variant, kind, about.format(variant=variant),
                    _columns(variant, kind), _KEYS[kind],
                )  # fmt: skip


def record_of(manifest: Manifest, path: str) -> Mapping[str, Any]:
    """Return the manifest's record of a file; KeyError where there is none."""
    for file in manifest["files"]:
        if file["path"] == path:
            return dict(file)
    raise KeyError(path)


def _columns(variant: str, kind: str) -> tuple[Column, ...]:
    if kind == "entities":
        table = TABLES[variant]
        rest = (column for column in table.columns if column.name not in (*_FIRST, *_ELSEWHERE))
        return (*(table.column(name) for name in _FIRST), *rest)
    schema = summary_schema() if kind == "summaries" else image_schema()
    words = described(schema)
    return tuple(
        Column(field.name, _ARROW_TYPES[str(field.type)], words[field.name], field.name not in _KEYS[kind])
        for field in schema
    )
