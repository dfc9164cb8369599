"""datapackage.json: a Frictionless data package (v1) of the release's tables.

Resources are the Parquet tables, with a table schema from the registry, and the records of each variant in the JSON
layout of the first MLM. Profile: https://specs.frictionlessdata.io/data-package/.

Some things are as they are because of how `frictionless` (5.18 to 5.21) reads Parquet, through pandas: it counts and
hashes no bytes of these files, so that `bytes` and `hash` would fail, and both stand under names of ours; it has no
type for a column of lists, which is `any`; and an integer that can be missing comes as a `number`. `mlm:type` is the
registry's type of a column.
"""

from typing import Any, Final

from mlm_assets.release.manifest import CC0, CC_BY_SA, SPLITS
from mlm_assets.release.metadata import words
from mlm_assets.release.metadata.columns import PublishedTable, published_tables, record_of
from mlm_assets.release.metadata.text import json_document
from mlm_assets.release.metadata.words import Manifest
from mlm_assets.tables import Column

_TYPES: Final = {
    "VARCHAR": "string",
    "BIGINT": "integer",
    "INTEGER": "integer",
    "DOUBLE": "number",
    "BOOLEAN": "boolean",
}
_RECORD_FIELDS: Final = (
    ("id", "integer", "Number of the Wikidata item"),
    ("item", "string", "Name of the settlement"),
    ("coordinates", "array", "Latitude and longitude in degrees, as text"),
    ("summaries", "object", "Lead text by Wikipedia (en_wiki)"),
    ("images", "array", "Names of its pictures in the folder images/"),
    ("classes", "array", "English labels of its classes"),
)
"""The published record of `release.layout`."""


def render(manifest: Manifest) -> bytes:
    """Return datapackage.json."""
    tables = list(published_tables(manifest))
    package = {
        "profile": "data-package",
        "name": f"mlm-{manifest['release']}-v{manifest['version']}",
        "title": words.title(manifest),
        "description": words.about(manifest),
        "version": words.semantic_version(manifest),
        "created": f"{manifest['created']}T00:00:00Z",
        "keywords": list(words.KEYWORDS),
        "contributors": [{"title": words.MAINTAINERS, "role": "publisher"}],
        "sources": [
            {"title": "Wikidata", "path": "https://www.wikidata.org/"},
            {"title": "Wikipedia", "path": "https://www.wikipedia.org/"},
            {"title": "Wikimedia Commons", "path": "https://commons.wikimedia.org/"},
        ],
        "licenses": [_licence(CC0), _licence(CC_BY_SA)],
        "resources": [_table(table, manifest) for table in tables] + _records(manifest),
    }
    return json_document(package)


def _licence(key: str) -> dict[str, str]:
    return {"name": key, "title": words.LICENCE_NAMES[key], "path": words.LICENCE_URLS[key]}


def _resource(manifest: Manifest, name: str, path: str, format_: str, schema: dict[str, Any]) -> dict[str, Any]:
    file = record_of(manifest, path)
    licence = file["licence"]
    return {
        "name": name.replace("_", "-"),
        "path": path,
        "profile": "tabular-data-resource",
        "format": format_,
        "mediatype": file["media_type"],
        "encoding": "utf-8",
        "mlm:size_bytes": file["size_bytes"],
        "mlm:sha256": file["sha256"],
        **({"licenses": [_licence(licence)]} if licence in words.LICENCE_URLS else {}),
        "schema": schema,
    }


def _table(table: PublishedTable, manifest: Manifest) -> dict[str, Any]:
    schema: dict[str, Any] = {
        "fields": [_field(column, table) for column in table.columns],
        "primaryKey": list(table.key),
    }
    if table.kind in ("summaries", "images"):
        entities = f"{table.variant}-entities".replace("_", "-")
        schema["foreignKeys"] = [{"fields": ["qid"], "reference": {"resource": entities, "fields": ["qid"]}}]
    resource = _resource(manifest, table.name, table.path, "parquet", schema)
    return {**resource, "description": table.description}


def _field(column: Column, table: PublishedTable) -> dict[str, Any]:
    constraints: dict[str, Any] = {}
    if not column.nullable:
        constraints["required"] = True
    if column.allowed:
        constraints["enum"] = list(column.allowed)
    elif column.name == "split":
        constraints["enum"] = list(SPLITS)
    if column.pattern is not None:
        constraints["pattern"] = column.pattern
    if not column.nullable:  # what is missing comes as not-a-number, which no bound lets through
        bounds = {"minimum": column.minimum, "maximum": column.maximum}
        constraints |= {name: bound for name, bound in bounds.items() if bound is not None}
    if table.key == (column.name,):
        constraints["unique"] = True
    kind = "any" if column.type.endswith("[]") else _TYPES[column.type]
    kind = "number" if kind == "integer" and column.nullable else kind
    found = {"name": column.name, "type": kind, "description": column.description, "mlm:type": column.type}
    return {**found, "constraints": constraints} if constraints else found


def _records(manifest: Manifest) -> list[dict[str, Any]]:
    paths = {file["path"] for file in manifest["files"]}
    fields = [{"name": name, "type": kind, "description": about} for name, kind, about in _RECORD_FIELDS]
    found = []
    for variant in manifest["variants"]:
        path = f"json/{variant}/{variant}.json"
        if path in paths:
            schema = {"fields": fields, "primaryKey": ["id"]}
            resource = _resource(manifest, f"{variant}_records", path, "json", schema)
            found.append({**resource, "description": f"Records of {variant} in the layout of the first MLM."})
    return found
