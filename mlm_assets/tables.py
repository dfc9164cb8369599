"""The table registry: every table of the lake, declared once.

From these declarations follow the Parquet schema (`lake`), the column metadata and lineage that Dagster shows
(`assets.reporting`), the constraints that are checked before a version is accepted (`checks`), and the data
dictionary in `docs/`. A table or column that is not here does not exist. How a table is filled does not belong here:
that is said by the SQL file or the function of its name.

Types are written as DuckDB writes them. Units are suffixes of the column names (docs/style: `lat_deg`, `size_bytes`).
"""

from dataclasses import dataclass
from typing import Final

from mlm_assets.identifiers import QID_PATTERN

LANGUAGES: Final = ("en", "de", "fr", "it", "es", "pl", "ro", "nl", "hu", "pt")
"""The ten target languages, in the order in which a label is chosen where English has none."""

LABEL_LANGUAGES: Final = ("en", "mul", *LANGUAGES[1:])
"""Languages of a settlement's label, in order; `mul` is Wikidata's label for all languages, used more and more."""

IMAGE_PROPERTIES: Final = ("P18", "P41", "P242", "P2716", "P948", "P3451", "P1943", "P94")
"""Properties of Wikidata that name a picture of a settlement (paper, 3.3.2), in the order images are numbered."""

VARIANTS: Final = ("mlm", "mlm_v2", "mlm_irle", "mlm_irle_gr")
VARIANT_LANGUAGES: Final = {
    "mlm": ("en", "de", "fr"),
    "mlm_v2": LANGUAGES,
    "mlm_irle": ("en", "de", "fr"),
    "mlm_irle_gr": ("en", "de", "fr"),
}
"""Languages whose summaries a variant holds. IRLE and GR are cut from v1 (paper, 3.5)."""

EARTH: Final = "Q2"

_SHA256_PATTERN: Final = "^[0-9a-f]{64}$"

REJECTION_REASONS: Final = {
    "quarantined": "the query service gave no facts for this candidate alone, after every retry",
    "no_facts": "Wikidata holds nothing about this candidate any more (deleted or merged since it was listed)",
    "no_settlement_class": "none of its classes (P31) is in the class list any more",
    "no_coordinates": "no coordinates (P625)",
    "not_on_earth": "coordinates on another globe only",
    "invalid_coordinates": "latitude or longitude out of range",
    "no_image": "no file under any of the eight image properties",
    "no_article": "no article in any of the ten languages",
}
"""Why a candidate is no settlement, decided on facts alone. The first that applies, in this order, is the reason."""

EXCLUSION_REASONS: Final = {
    "no_article": "no article in the languages of the variant",
    "no_summary": "articles, but none gave a lead text",
    "no_image_downloaded": "none of its files could be had and decoded",
    "svg_only": "all of its images are SVG drawings, which this variant leaves out",
    "not_in_eu": "its country is none of the 28 EU countries of 2020",
    "over_quota": "its country's quota was full",
    "cell_removed": "its geo-cell had fewer settlements than T_min",
}
"""Why a settlement is not in a variant. The first that applies, in this order, is the reason."""

SUMMARY_STATUS: Final = {
    "ok": "a lead text",
    "missing": "the page does not exist",
    "invalid_title": "the title is not acceptable to MediaWiki",
    "empty": "the page has no lead text",
    "unavailable": "the service gave no usable answer after every retry",
}

IMAGE_STATUS: Final = {
    "ok": "downloaded, decoded and stored",
    "missing": "Commons has no such file",
    "invalid_name": "the name is not acceptable to MediaWiki",
    "unsupported_type": "audio, video, document or another type that is no picture",
    "too_many_bytes": "larger than max_file_bytes",
    "too_many_pixels": "more pixels than max_file_pixels",
    "undecodable": "not a picture that can be decoded, on every try",
    "no_thumbnail": "Commons gives no thumbnail, or answered 4xx for it",
    "unavailable": "the service gave no usable answer after every retry",
}


@dataclass(frozen=True)
class Column:
    """One column. `sources` are the `table.column` it is computed from; `allowed` its closed list of values."""

    name: str
    type: str
    description: str
    nullable: bool = False
    sources: tuple[str, ...] = ()
    allowed: tuple[str, ...] = ()
    pattern: str | None = None
    minimum: float | None = None
    maximum: float | None = None


@dataclass(frozen=True)
class Table:
    """One table: what a row is (`grain`), its `key`, how it is partitioned, and its columns."""

    name: str
    group: str
    description: str
    grain: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    partitioned_by: tuple[str, ...] = ()

    def column(self, name: str) -> Column:
        """Return the column of this name; KeyError where there is none."""
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(f"{self.name} has no column {name}")

    @property
    def column_names(self) -> tuple[str, ...]:
        """Names of the columns, in order."""
        return tuple(column.name for column in self.columns)


def _qid(sources: tuple[str, ...] = (), name: str = "qid", description: str = "Wikidata item") -> Column:
    return Column(name, "VARCHAR", description, sources=sources, pattern=QID_PATTERN)


def _lat(description: str, sources: tuple[str, ...], nullable: bool = False, name: str = "lat_deg") -> Column:
    return Column(name, "DOUBLE", description, nullable, sources, minimum=-90, maximum=90)


def _lon(description: str, sources: tuple[str, ...], nullable: bool = False, name: str = "lon_deg") -> Column:
    return Column(name, "DOUBLE", description, nullable, sources, minimum=-180, maximum=180)


def _lang(description: str, nullable: bool = False, sources: tuple[str, ...] = ()) -> Column:
    return Column("lang", "VARCHAR", description, nullable, sources, allowed=LANGUAGES)


def _variant(sources: tuple[str, ...] = ()) -> Column:
    return Column("variant", "VARCHAR", "Variant of the dataset", sources=sources, allowed=VARIANTS)


def _answer_key() -> Column:
    return Column(
        "answer_key",
        "VARCHAR",
        "Key of the raw answer that brought this row (`raw/` of the lake)",
        nullable=True,
    )


SETTLEMENT_CLASSES: Final = Table(
    "settlement_classes",
    "taxonomy",
    "Human settlement (Q486972) and its subclasses (P279), breadth first, up to three hops away.",
    "one class",
    ("class_qid",),
    (
        _qid(name="class_qid", description="Class of settlements"),
        Column("hop", "INTEGER", "Distance from the base class, in P279 edges", minimum=0, maximum=6),
        Column("parent_qids", "VARCHAR[]", "Classes of the list that this one is a subclass of"),
        Column("labels", "MAP(VARCHAR, VARCHAR)", "Label per language, where Wikidata has one"),
    ),
)

CANDIDATES: Final = Table(
    "candidates",
    "entities",
    "Instances (P31) of at least one class of the list.",
    "one candidate",
    ("qid",),
    (
        _qid(),
        Column("shard", "VARCHAR", "Hash bucket of the QID", sources=("candidates.qid",)),
        Column(
            "class_qids",
            "VARCHAR[]",
            "Classes of the list it is an instance of",
            sources=("settlement_classes.class_qid",),
        ),
        Column("revision", "BIGINT", "Revision of the item when it was listed", nullable=True),
    ),
)

FACTS: Final = Table(
    "facts",
    "entities",
    "What Wikidata says of a shard's candidates: coordinates, files, articles, classes, labels, country, population.",
    "one value of one property of one candidate",
    ("qid", "property", "lang", "value", "statement", "country_code"),
    (
        _qid(sources=("candidates.qid",)),
        Column(
            "property",
            "VARCHAR",
            "Property of Wikidata, or label, sitelink, version, modified, quarantined",
            allowed=(
                "P31",
                "P625",
                *IMAGE_PROPERTIES,
                "P17",
                "P1082",
                "label",
                "sitelink",
                "version",
                "modified",
                "quarantined",
            ),
        ),
        Column("value", "VARCHAR", "QID, file name, article title, label, number or time; WKT for P625"),
        Column("lang", "VARCHAR", "Language of a label or article", nullable=True, allowed=LABEL_LANGUAGES),
        Column("label", "VARCHAR", "English label of the class (P31)", nullable=True),
        Column("country_code", "VARCHAR", "ISO 3166-1 code (P297) of the country (P17)", nullable=True),
        Column("lat_deg", "DOUBLE", "Latitude of P625, WGS 84 if on Earth", nullable=True),
        Column("lon_deg", "DOUBLE", "Longitude of P625", nullable=True),
        Column("globe_qid", "VARCHAR", "Body that P625 lies on", nullable=True, pattern=QID_PATTERN),
        Column("statement", "VARCHAR", "Local id of the P625 statement", nullable=True),
        _answer_key(),
    ),
    ("shard",),
)

SETTLEMENTS: Final = Table(
    "settlements",
    "entities",
    "Candidates on Earth with coordinates, an image and an article in a target language, decided on facts alone.",
    "one settlement",
    ("qid",),
    (
        _qid(sources=("facts.qid",)),
        Column(
            "label",
            "VARCHAR",
            "English label, else that for all languages (mul), else of the next language, else the QID",
            sources=("facts.value",),
        ),
        _lat("Latitude of the chosen coordinates", ("facts.lat_deg",)),
        _lon("Longitude of the chosen coordinates", ("facts.lon_deg",)),
        Column(
            "statement",
            "VARCHAR",
            "P625 statement chosen: the least far from all others, ties by statement id",
            sources=("facts.statement",),
        ),
        Column(
            "n_coordinates",
            "INTEGER",
            "Statements on Earth to choose from",
            sources=("facts.statement",),
            minimum=1,
        ),
        Column("class_qids", "VARCHAR[]", "All its classes (P31)", sources=("facts.value",)),
        Column(
            "class_labels",
            "VARCHAR[]",
            "Their distinct English labels, in alphabetical order",
            sources=("facts.label",),
        ),
        Column(
            "images",
            "STRUCT(property VARCHAR, file VARCHAR)[]",
            "Distinct files, in the order of the eight properties, then of the names",
            sources=("facts.value",),
        ),
        Column(
            "sitelinks",
            "MAP(VARCHAR, VARCHAR)",
            "Article title per target language",
            sources=("facts.value",),
        ),
        Column(
            "country_code",
            "VARCHAR",
            "ISO 3166-1 alpha-2 code of its country",
            nullable=True,
            sources=("facts.country_code", "facts.lat_deg", "facts.lon_deg"),
        ),
        Column(
            "country_source",
            "VARCHAR",
            "Where the country comes from",
            sources=("facts.country_code",),
            allowed=("wikidata_p17", "reverse_geocoding"),
        ),
        Column(
            "population",
            "BIGINT",
            "Population (P1082), the largest where several are best",
            nullable=True,
            sources=("facts.value",),
        ),
        Column(
            "revision",
            "BIGINT",
            "Revision of the item that the facts are of",
            nullable=True,
            sources=("facts.value",),
        ),
        Column(
            "modified_at",
            "VARCHAR",
            "When the item was last edited, ISO 8601 UTC",
            nullable=True,
            sources=("facts.value",),
        ),
    ),
    ("shard",),
)

REJECTIONS: Final = Table(
    "rejections",
    "entities",
    "Candidates that are no settlements, each with the first rule it fails and what was found instead.",
    "one rejected candidate",
    ("qid",),
    (
        _qid(sources=("candidates.qid",)),
        Column(
            "reason",
            "VARCHAR",
            "First rule that it fails",
            sources=("facts.property", "facts.globe_qid"),
            allowed=tuple(REJECTION_REASONS),
        ),
        Column("failed", "VARCHAR[]", "Every rule that it fails", sources=("facts.property",)),
        Column(
            "evidence",
            "VARCHAR",
            "JSON: what the decision was made on",
            sources=("facts.value", "facts.globe_qid"),
        ),
        Column(
            "revision",
            "BIGINT",
            "Revision of the item that the facts are of",
            nullable=True,
            sources=("facts.value",),
        ),
    ),
    ("shard",),
)

SUMMARIES: Final = Table(
    "summaries",
    "media",
    "Lead text of the Wikipedia article of each settlement of a shard in one language; misses with their reason.",
    "one article of one settlement",
    ("qid", "lang"),
    (
        _qid(sources=("settlements.qid",)),
        _lang("Language of the Wikipedia", sources=("settlements.sitelinks",)),
        Column("requested_title", "VARCHAR", "Title in Wikidata's sitelink", sources=("settlements.sitelinks",)),
        Column("title", "VARCHAR", "Title of the page after normalisation and redirects", nullable=True),
        Column("status", "VARCHAR", "Whether there is a text, or why not", allowed=tuple(SUMMARY_STATUS)),
        Column("text", "VARCHAR", "Lead text, plain", nullable=True),
        Column(
            "text_sha256",
            "VARCHAR",
            "SHA-256 of the text (UTF-8)",
            nullable=True,
            sources=("summaries.text",),
        ),
        Column("revision", "BIGINT", "Revision of the page (lastrevid)", nullable=True),
        Column("is_redirect", "BOOLEAN", "Whether the sitelink led over a redirect"),
        Column("licence", "VARCHAR", "Licence of the text", nullable=True),
        _answer_key(),
    ),
    ("lang", "shard"),
)

IMAGES: Final = Table(
    "images",
    "media",
    "Each file of each settlement of a shard: 330-pixel thumbnail, padded to 256 x 256 RGB; misses with their reason.",
    "one file of one settlement",
    ("qid", "file"),
    (
        _qid(sources=("settlements.qid",)),
        Column(
            "image_index",
            "INTEGER",
            "Number of the image of its settlement, from 0",
            sources=("settlements.images",),
            minimum=0,
        ),
        Column(
            "property",
            "VARCHAR",
            "Property that names the file",
            sources=("settlements.images",),
            allowed=IMAGE_PROPERTIES,
        ),
        Column("file", "VARCHAR", "Name of the file on Commons", sources=("settlements.images",)),
        Column("status", "VARCHAR", "Whether there is a picture, or why not", allowed=tuple(IMAGE_STATUS)),
        Column("file_sha1", "VARCHAR", "SHA-1 of the original file", nullable=True),
        Column(
            "path",
            "VARCHAR",
            "Path of the padded picture in the lake",
            nullable=True,
            sources=("images.file_sha1",),
        ),
        Column("picture_sha256", "VARCHAR", "SHA-256 of the padded picture's bytes", nullable=True),
        Column("mime", "VARCHAR", "Media type of the original", nullable=True),
        Column("is_svg", "BOOLEAN", "Whether the original is an SVG drawing", sources=("images.mime",)),
        Column("width_px", "BIGINT", "Width of the original", nullable=True, minimum=0),
        Column("height_px", "BIGINT", "Height of the original", nullable=True, minimum=0),
        Column("size_bytes", "BIGINT", "Size of the original", nullable=True, minimum=0),
        Column("licence", "VARCHAR", "Short name of the licence", nullable=True),
        Column("licence_url", "VARCHAR", "Address of the licence", nullable=True),
        Column("author", "VARCHAR", "Author, as plain text", nullable=True),
        Column("credit", "VARCHAR", "Credit line, as plain text", nullable=True),
        _answer_key(),
    ),
    ("shard",),
)

REFRESH: Final = Table(
    "refresh",
    "refresh",
    "The manifest of a release: the accepted version of every table and partition it is made of, and its parameters.",
    "one table partition or one parameter",
    ("kind", "name", "partition"),
    (
        Column("kind", "VARCHAR", "What the row pins", allowed=("table", "parameter")),
        Column("name", "VARCHAR", "Table or parameter"),
        Column("partition", "VARCHAR", "Partition of the table; empty where it has none"),
        Column("value", "VARCHAR", "Version of the table partition, or value of the parameter"),
        Column("n_rows", "BIGINT", "Rows of that version", nullable=True, minimum=0),
    ),
    ("release",),
)

ELIGIBLE: Final = Table(
    "eligible",
    "datasets",
    "For each settlement and variant: what speaks against it before geo-cells are cut, and where it lies.",
    "one settlement in one variant",
    ("variant", "qid"),
    (
        _variant(),
        _qid(sources=("settlements.qid",)),
        Column(
            "reason",
            "VARCHAR",
            "Why it is out; null if it goes on to the geo-cells",
            nullable=True,
            sources=(
                "summaries.status",
                "images.status",
                "images.is_svg",
                "settlements.country_code",
                "settlements.sitelinks",
            ),
            allowed=tuple(reason for reason in EXCLUSION_REASONS if reason != "cell_removed"),
        ),
        _lat("Latitude", ("settlements.lat_deg",)),
        _lon("Longitude", ("settlements.lon_deg",)),
        Column("country_code", "VARCHAR", "Country", nullable=True, sources=("settlements.country_code",)),
        Column(
            "n_summaries",
            "INTEGER",
            "Lead texts in the languages of the variant",
            sources=("summaries.status",),
            minimum=0,
        ),
        Column("n_images", "INTEGER", "Pictures that the variant takes", sources=("images.status",), minimum=0),
    ),
    ("release",),
)

GEO_CELLS: Final = Table(
    "geo_cells",
    "geo",
    "S2 cells of the adaptive quad-tree of the paper, per variant.",
    "one kept cell of one variant",
    ("variant", "cell_token"),
    (
        _variant(("eligible.variant",)),
        Column(
            "cell_token",
            "VARCHAR",
            "S2 token of the cell; comparisons between releases go by it",
            sources=("eligible.lat_deg", "eligible.lon_deg"),
        ),
        Column(
            "class_id",
            "INTEGER",
            "Number of the cell in S2 order, valid within the release and variant",
            minimum=0,
            sources=("geo_cells.cell_token",),
        ),
        Column("level", "INTEGER", "S2 level", minimum=2, maximum=10, sources=("geo_cells.cell_token",)),
        Column(
            "n_settlements",
            "BIGINT",
            "Settlements of the variant in the cell",
            minimum=1,
            sources=("eligible.qid",),
        ),
        _lat("Latitude of their mean position", ("eligible.lat_deg",), name="mean_lat_deg"),
        _lon("Longitude of their mean position", ("eligible.lon_deg",), name="mean_lon_deg"),
    ),
    ("release",),
)

MEMBERS: Final = Table(
    "members",
    "datasets",
    "For each settlement and variant: in, or one reason why not; with its cell and split.",
    "one settlement in one variant",
    ("variant", "qid"),
    (
        _variant(("eligible.variant",)),
        _qid(sources=("eligible.qid",)),
        Column(
            "is_member",
            "BOOLEAN",
            "Whether the settlement is in the variant",
            sources=("eligible.reason", "geo_cells.cell_token"),
        ),
        Column(
            "reason",
            "VARCHAR",
            "Why it is not",
            nullable=True,
            sources=("eligible.reason", "geo_cells.cell_token"),
            allowed=tuple(EXCLUSION_REASONS),
        ),
        Column("cell_token", "VARCHAR", "Kept cell it lies in", nullable=True, sources=("geo_cells.cell_token",)),
        Column("class_id", "INTEGER", "Number of that cell", nullable=True, sources=("geo_cells.class_id",)),
        Column(
            "split",
            "VARCHAR",
            "Split, the same for ever and in every variant",
            sources=("eligible.qid",),
            allowed=("train", "validation", "test"),
        ),
    ),
    ("release",),
)


def _dataset(name: str, description: str) -> Table:
    """Return the table of one variant's frozen rows; all four have the same columns."""
    return Table(
        name,
        "datasets",
        description,
        "one settlement",
        ("qid",),
        (
            _qid(sources=("members.qid",)),
            Column("label", "VARCHAR", "Name of the settlement", sources=("settlements.label",)),
            _lat("Latitude", ("settlements.lat_deg",)),
            _lon("Longitude", ("settlements.lon_deg",)),
            Column("class_qids", "VARCHAR[]", "Classes (P31)", sources=("settlements.class_qids",)),
            Column("class_labels", "VARCHAR[]", "Their English labels", sources=("settlements.class_labels",)),
            Column(
                "summaries",
                "STRUCT(lang VARCHAR, title VARCHAR, text VARCHAR, revision BIGINT, licence VARCHAR)[]",
                "Lead texts, in the order of the languages",
                sources=("summaries.text", "summaries.title"),
            ),
            Column(
                "images",
                "STRUCT(name VARCHAR, file VARCHAR, file_sha1 VARCHAR, path VARCHAR, property VARCHAR, "
                "licence VARCHAR, licence_url VARCHAR, author VARCHAR, credit VARCHAR)[]",
                "Pictures with what their licence asks for",
                sources=("images.path", "images.file", "images.licence"),
            ),
            Column("country_code", "VARCHAR", "Country", nullable=True, sources=("settlements.country_code",)),
            Column(
                "country_source",
                "VARCHAR",
                "Where the country comes from",
                sources=("settlements.country_source",),
                allowed=("wikidata_p17", "reverse_geocoding"),
            ),
            Column("population", "BIGINT", "Population", nullable=True, sources=("settlements.population",)),
            Column("cell_token", "VARCHAR", "Geo-cell", nullable=True, sources=("members.cell_token",)),
            Column("class_id", "INTEGER", "Number of the geo-cell", nullable=True, sources=("members.class_id",)),
            Column(
                "split",
                "VARCHAR",
                "Split",
                sources=("members.split",),
                allowed=("train", "validation", "test"),
            ),
            Column(
                "revision",
                "BIGINT",
                "Revision of the Wikidata item",
                nullable=True,
                sources=("settlements.revision",),
            ),
        ),
        ("release",),
    )


DATASETS: Final = (
    _dataset("mlm", "MLM with summaries in English, German and French (v1), frozen for the release."),
    _dataset("mlm_v2", "MLM with summaries in ten languages (v2), frozen for the release."),
    _dataset("mlm_irle", "MLM for retrieval and location estimation: no SVG images, kept geo-cells only."),
    _dataset("mlm_irle_gr", "MLM-IRLE cut to the 28 EU countries of 2020, in proportion to their population."),
)

DATASET_STATISTICS: Final = Table(
    "dataset_statistics",
    "datasets",
    "Figures of each variant beside those of the paper (Table 2 and Figure 2).",
    "one figure of one variant",
    ("variant", "figure", "item"),
    (
        _variant(),
        Column(
            "figure",
            "VARCHAR",
            "What is counted",
            allowed=(
                "entities",
                "images",
                "summaries",
                "classes",
                "cells",
                "train",
                "validation",
                "test",
                "summaries_per_language",
                "entities_per_continent",
                "entities_per_country",
            ),
            sources=tuple(f"{variant}.qid" for variant in VARIANTS),
        ),
        Column(
            "item",
            "VARCHAR",
            "Language, continent or country; empty for totals",
            sources=tuple(f"{variant}.country_code" for variant in VARIANTS),
        ),
        Column(
            "n",
            "BIGINT",
            "How many in this release",
            minimum=0,
            sources=tuple(f"{variant}.qid" for variant in VARIANTS),
        ),
        Column("n_paper", "BIGINT", "How many in the published dataset, where the paper says", nullable=True),
    ),
    ("release",),
)


def _feature_columns(key: Column, *more: Column) -> tuple[Column, ...]:
    """Return the columns of a table that says where vectors lie; all three have the same but for the key."""
    return (
        key,
        Column("encoder", "VARCHAR", "Identity of the encoder: its name and version"),
        *more,
        Column("block", "VARCHAR", "Block of the feature store that holds the vector"),
        Column("block_row", "BIGINT", "Row of the vector in its block", minimum=0),
        Column("dimension", "INTEGER", "Length of the vector", minimum=1),
    )


IMAGE_FEATURES: Final = Table(
    "image_features",
    "features",
    "Where the vector of each padded picture of a shard lies in the feature store, for each encoder that has seen it.",
    "one picture and one encoder",
    ("picture", "encoder"),
    _feature_columns(
        Column(
            "picture",
            "VARCHAR",
            "Name of the padded picture in the lake: SHA-1 of the file, version of the padding",
            sources=("images.path",),
            pattern="^[0-9a-f]{40}-[0-9]+$",
        )
    ),
    ("shard",),
)

TEXT_FEATURES: Final = Table(
    "text_features",
    "features",
    "Where the vector of each lead text of a shard and language lies, for each encoder that has read it.",
    "one text and one encoder",
    ("text_sha256", "encoder"),
    _feature_columns(
        Column(
            "text_sha256",
            "VARCHAR",
            "SHA-256 of the text (UTF-8)",
            sources=("summaries.text_sha256",),
            pattern=_SHA256_PATTERN,
        )
    ),
    ("lang", "shard"),
)

CLASS_FEATURES: Final = Table(
    "class_features",
    "features",
    "Where the vector of each English class label lies, for each encoder that has read it.",
    "one class label and one encoder",
    ("label_sha256", "encoder"),
    _feature_columns(
        Column(
            "label_sha256",
            "VARCHAR",
            "SHA-256 of the label (UTF-8)",
            sources=("settlements.class_labels",),
            pattern=_SHA256_PATTERN,
        ),
        Column("label", "VARCHAR", "English label of a class", sources=("settlements.class_labels",)),
    ),
)

TRAINED_VARIANTS: Final = ("mlm_irle", "mlm_irle_gr")
"""Variants that models are trained on: retrieval and location estimation (paper, section 5)."""
MODEL_TASKS: Final = {
    "ir": "cross-modal retrieval alone (IR)",
    "le": "location estimation alone (LE)",
    "mtl": "retrieval and location estimation together (IR+LE, multitask)",
}


def _figure(name: str, description: str, minimum: float | None = None, maximum: float | None = None) -> Column:
    return Column(name, "DOUBLE", description, nullable=True, minimum=minimum, maximum=maximum)


def _model(variant: str, task: str) -> Table:
    """Return the table of one model's training; the weights are in `models/<release>/<variant>/<task>_model/`."""
    return Table(
        f"{variant}/{task}_model",
        "models",
        f"Training of {MODEL_TASKS[task]} on {variant}; the weights lie in the folder that is linked.",
        "one epoch",
        ("epoch",),
        (
            Column(
                "epoch",
                "INTEGER",
                "Number of the epoch",
                minimum=1,
                sources=(f"{variant}.qid", f"{variant}.split"),
            ),
            Column("is_best", "BOOLEAN", "Whether its weights are the ones that were kept"),
            _figure("loss", "What was minimised, mean over the epoch"),
            _figure("retrieval_loss", "Loss of retrieval"),
            _figure("location_loss", "Loss of location estimation"),
            _figure("retrieval_weight", "Learned weight of retrieval at the end of the epoch", 0),
            _figure("location_weight", "Learned weight of location estimation at the end of the epoch", 0),
            _figure("learning_rate", "Learning rate at the end of the epoch", 0),
            _figure("median_rank_image_to_text", "Validation: median rank of an image's own text", 1),
            _figure("median_rank_text_to_image", "Validation: median rank of a text's own image", 1),
            _figure("located_image", "Validation: share of images in the right cell", 0, 1),
            _figure("located_text", "Validation: share of texts in the right cell", 0, 1),
            _figure("score", "Validation: what decides which epoch is kept", 0, 1),
            Column("weights_sha256", "VARCHAR", "SHA-256 of the kept weights", pattern=_SHA256_PATTERN),
        ),
        ("release",),
    )


MODELS: Final = tuple(_model(variant, task) for variant in TRAINED_VARIANTS for task in MODEL_TASKS)


def _benchmark(variant: str) -> Table:
    """Return the table of one variant's scores; the whole report is `benchmark/<release>/<variant>.json`."""
    models = tuple(f"{variant}/{task}_model.weights_sha256" for task in MODEL_TASKS)
    return Table(
        f"{variant}/benchmark",
        "models",
        f"Scores of the three models of {variant}, with intervals, beside tables 3 and 4 of the paper.",
        "one figure of one model",
        ("section", "model", "direction", "group", "figure"),
        (
            Column("section", "VARCHAR", "Part of the report: retrieval, location, full_gallery, per_language, ..."),
            Column("model", "VARCHAR", "ir_model, le_model, mtl_model, or chance", sources=models),
            Column("direction", "VARCHAR", "image_to_text, text_to_image, image or text; empty where it has none"),
            Column("group", "VARCHAR", "Language, class, country or number of images; empty for all"),
            Column("figure", "VARCHAR", "What was measured: medR, R@1, f1, median_km, ..."),
            Column("value", "DOUBLE", "Its value", nullable=True, sources=models),
            Column("low", "DOUBLE", "Lower end of the 95 % interval", nullable=True),
            Column("high", "DOUBLE", "Upper end of the 95 % interval", nullable=True),
            Column("n", "BIGINT", "Items that it was measured on", nullable=True, minimum=0),
            Column("paper", "DOUBLE", "What the paper says, where it does", nullable=True),
        ),
        ("release",),
    )


BENCHMARKS: Final = tuple(_benchmark(variant) for variant in TRAINED_VARIANTS)

TABLES: Final[dict[str, Table]] = {
    table.name: table
    for table in (
        SETTLEMENT_CLASSES,
        CANDIDATES,
        FACTS,
        SETTLEMENTS,
        REJECTIONS,
        SUMMARIES,
        IMAGES,
        REFRESH,
        ELIGIBLE,
        GEO_CELLS,
        MEMBERS,
        *DATASETS,
        DATASET_STATISTICS,
        IMAGE_FEATURES,
        TEXT_FEATURES,
        CLASS_FEATURES,
        *MODELS,
        *BENCHMARKS,
    )
}

REFRESHED: Final = tuple(
    table.name for table in TABLES.values() if "release" not in table.partitioned_by and table.group != "features"
)
"""Tables that a refresh brings up to date and pins in its manifest. Features follow; a release can do without them."""
