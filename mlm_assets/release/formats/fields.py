"""Columns of the published tables, described by the registry; which table has which column, and nothing of files."""

from typing import Any, Final

from mlm_assets.tables import TABLES

# Name, the column of the registry that describes it, and the words used instead where it has none.
_SUMMARIES: Final = (
    ("qid", "summaries.qid", ""),
    ("split", "mlm.split", ""),
    ("lang", "summaries.lang", ""),
    ("title", "summaries.title", ""),
    ("text", "summaries.text", ""),
    ("revision", "summaries.revision", ""),
    ("licence", "summaries.licence", ""),
)
_IMAGES: Final = (
    ("qid", "images.qid", ""),
    ("split", "mlm.split", ""),
    ("name", "attribution.name", "Name in the published records and in the folder images/ (Q…_0.jpg)"),
    ("file", "images.file", ""),
    ("file_sha1", "images.file_sha1", ""),
    ("picture_sha256", "images.picture_sha256", "SHA-256 of the published JPEG (256 x 256, padded)"),
    ("property", "images.property", ""),
    ("licence_id", "attribution.licence_id", ""),
    ("licence", "attribution.licence", ""),
    ("licence_url", "attribution.licence_url", ""),
    ("author", "attribution.author", ""),
    ("credit", "attribution.credit", ""),
    ("source_url", "attribution.source_url", "Address of the file's page on Commons"),
)
_NOT_OF_ENTITIES: Final = ("qid", "split", "summaries", "images")


def entity_schema(rows: Any) -> Any:
    """Return the schema of `entities`: of the rows of a variant without texts and pictures, `split` after `qid`."""
    import pyarrow as pa

    order = ["qid", "split", *(name for name in rows.schema.names if name not in _NOT_OF_ENTITIES)]
    return pa.schema([rows.schema.field(name) for name in order], metadata=_about("One row per settlement."))


def summary_schema() -> Any:
    """Return the schema of `summaries`."""
    return _schema(_SUMMARIES, "One row per lead text of a settlement.")


def image_schema() -> Any:
    """Return the schema of `images`."""
    return _schema(_IMAGES, "One row per published picture of a settlement.")


def described(schema: Any) -> Any:
    """Return the description per column of a schema."""
    return {field.name: (field.metadata or {}).get(b"description", b"").decode() for field in schema}


def _schema(columns: tuple[tuple[str, str, str], ...], description: str) -> Any:
    import pyarrow as pa

    fields = []
    for name, source, words in columns:
        table, column = source.split(".")
        said = TABLES[table].column(column)
        kind = pa.int64() if said.type == "BIGINT" else pa.string()
        fields.append(pa.field(name, kind, metadata={"description": words or said.description}))
    return pa.schema(fields, metadata=_about(description))


def _about(description: str) -> dict[str, str]:
    return {"description": description}
