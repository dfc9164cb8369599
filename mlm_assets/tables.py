"""The table registry: every table of the lake, declared once.

From these declarations follow the Parquet schema (`lake`), the column metadata and lineage that Dagster shows
(`assets.reporting`), the constraints that are checked before a version is accepted (`checks`), and the data
dictionary in `docs/`. A table or column that is not here does not exist. How a table is filled does not belong here:
that is said by the SQL file or the function of its name.

Types are written as DuckDB writes them. Units are suffixes of the column names (docs/style: `lat_deg`, `size_bytes`).
"""

from dataclasses import dataclass
from typing import Any, Final

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

IRLE_VARIANTS: Final = ("mlm_irle", "mlm_irle_gr")
"""Variants for location estimation: no SVG drawings, and only settlements in a kept cell (paper, 3.5)."""

GR_VARIANT: Final = "mlm_irle_gr"
"""The variant of the 28 EU countries of 2020, with quotas."""

EARTH: Final = "Q2"

_SHA256_PATTERN: Final = "^[0-9a-f]{64}$"
_SHA1_PATTERN: Final = "^[0-9a-f]{40}$"
_COUNTRY_PATTERN: Final = "^[A-Z]{2}$"
_TIME_PATTERN: Final = "^[0-9]{4}-(0[1-9]|1[0-2])-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-5][0-9]Z$"
_CELL_PATTERN: Final = "^[0-9a-f]{0,15}[1-9a-f]$"

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
    "quarantined": "set aside, because it breaks a rule (`mlm quarantine list`)",
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
    "taken_down": "taken back for good (`mlm takedown`): not asked for, not stored",
    "unavailable": "the service gave no usable answer after every retry",
    "quarantined": "set aside, because it breaks a rule (`mlm quarantine list`)",
}


FATES: Final = {
    "merged": "it redirects to another item (owl:sameAs)",
    "reclassed": "it is there, and an instance of none of the classes any more",
    "deleted": "Wikidata holds nothing about it any more",
    "unlisted": "it is there and has one of the classes, yet the listing did not bring it (edited meanwhile)",
}
"""What became of an item that a refresh does not list any more."""


@dataclass(frozen=True)
class Column:
    """One column. `sources` are the `table.column` it is computed from; `allowed` its closed list of values.

    `pattern` is what a value matches whole; `each` is the same for the elements of a list.
    """

    name: str
    type: str
    description: str
    nullable: bool = False
    sources: tuple[str, ...] = ()
    allowed: tuple[str, ...] = ()
    pattern: str | None = None
    minimum: float | None = None
    maximum: float | None = None
    each: str | None = None


@dataclass(frozen=True)
class Constraint:
    """What must be true of a table besides its columns, and how the rows that break it are found.

    They are found by `broken`, an SQL condition over the columns of one row (null is not broken), or by `sql`, the
    name of a query in `sql/checks/` that returns them from the view `audited`. A query also sees the views that it
    `needs`: tables, or rows given in memory (`quotas`), or `before`, the version that readers see now. `probe` names
    what Python has to look up first (`checks.probes`), a view too. Both read the one row of the view `parameters`: the
    partition and its parts, the `parameters` that the caller must give, and `constants`.

    It blocks where it is part of what the table means; where real data may break it, it warns.
    """

    name: str
    sentence: str
    broken: str | None = None
    sql: str | None = None
    needs: tuple[str, ...] = ()
    parameters: tuple[str, ...] = ()
    constants: tuple[tuple[str, Any], ...] = ()
    probe: str | None = None
    is_blocking: bool = True


@dataclass(frozen=True)
class Table:
    """One table: what a row is (`grain`), its `key`, how it is partitioned, its columns, and what else must hold."""

    name: str
    group: str
    description: str
    grain: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    partitioned_by: tuple[str, ...] = ()
    constraints: tuple[Constraint, ...] = ()

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
        pattern=_SHA256_PATTERN,
    )


def _qids(name: str, description: str, sources: tuple[str, ...] = ()) -> Column:
    return Column(name, "VARCHAR[]", description, sources=sources, each=QID_PATTERN)


def _country(description: str, sources: tuple[str, ...]) -> Column:
    return Column("country_code", "VARCHAR", description, nullable=True, sources=sources, pattern=_COUNTRY_PATTERN)


_LANGUAGES_OF_VARIANTS: Final = (
    ("variant_languages", tuple(f"{variant} {lang}" for variant in VARIANTS for lang in VARIANT_LANGUAGES[variant])),
)
"""Pairs of variant and language, as a constant of a constraint."""


def _words(values: tuple[str, ...]) -> str:
    return "[" + ", ".join(f"'{value}'" for value in values) + "]"


_OF_THE_SHARD: Final = Constraint(
    "qid_is_a_candidate_of_the_shard",
    "Every item is a candidate of the shard",
    sql="qid_is_a_candidate_of_the_shard",
    needs=("candidates",),
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
        _qids("parent_qids", "Classes of the list that this one is a subclass of"),
        Column("labels", "MAP(VARCHAR, VARCHAR)", "Label per language, where Wikidata has one"),
    ),
    constraints=(
        Constraint(
            "base_class_is_at_hop_0",
            "The base class, and no other, is at hop 0",
            sql="settlement_classes_base",
            parameters=("base_class",),
        ),
        Constraint(
            "hops_are_within_the_setting",
            "No class is further away than the setting `hops`",
            broken="hop > (SELECT hops FROM parameters)",
            parameters=("hops",),
        ),
        Constraint(
            "parent_is_one_hop_nearer",
            "Every class but the base has a parent in the list one hop nearer",
            sql="settlement_classes_nearer_parent",
        ),
        Constraint(
            "parents_are_in_the_list",
            "Every parent is itself a class of the list",
            sql="settlement_classes_parents",
        ),
        Constraint(
            "label_languages_are_known",
            "Labels are in the ten target languages",
            broken=f"NOT list_has_all({_words(LANGUAGES)}, map_keys(labels))",
        ),
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
        Column(
            "shard",
            "VARCHAR",
            "Hash bucket of the QID",
            sources=("candidates.qid",),
            pattern="^[0-9a-f]{2,3}$",
        ),
        _qids("class_qids", "Classes of the list it is an instance of", ("settlement_classes.class_qid",)),
        Column("revision", "BIGINT", "Revision of the item when it was listed", nullable=True, minimum=1),
    ),
    constraints=(
        Constraint("has_a_class", "Every candidate is an instance of at least one class", broken="len(class_qids) = 0"),
        Constraint(
            "classes_are_in_the_list",
            "Every class of a candidate is in the class list",
            sql="candidates_classes",
            needs=("settlement_classes",),
        ),
        Constraint(
            "shard_is_that_of_the_qid",
            "The shard is the hash bucket of the QID",
            sql="candidates_shard",
            parameters=("shards",),
        ),
    ),
)


def _fact_property(*more: str) -> Column:
    """Return the column that says what a fact is of; `more` are kinds of rows besides facts."""
    return Column(
        "property",
        "VARCHAR",
        ", ".join(("Property of Wikidata, or label, sitelink, version, modified, quarantined", *more)),
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
            *more,
        ),
    )


_FACT_DETAILS: Final = (
    Column("lang", "VARCHAR", "Language of a label or article", nullable=True, allowed=LABEL_LANGUAGES),
    Column("label", "VARCHAR", "English label of the class (P31)", nullable=True),
    Column("country_code", "VARCHAR", "ISO 3166-1 code (P297) of the country (P17)", nullable=True),
    Column("lat_deg", "DOUBLE", "Latitude of P625, WGS 84 if on Earth", nullable=True),
    Column("lon_deg", "DOUBLE", "Longitude of P625", nullable=True),
    Column("globe_qid", "VARCHAR", "Body that P625 lies on", nullable=True, pattern=QID_PATTERN),
    Column("statement", "VARCHAR", "Local id of the P625 statement", nullable=True),
    _answer_key(),
)

FACTS: Final = Table(
    "facts",
    "entities",
    "What Wikidata says of a shard's candidates: coordinates, files, articles, classes, labels, country, population.",
    "one value of one property of one candidate",
    ("qid", "property", "lang", "value", "statement", "country_code"),
    (
        _qid(sources=("candidates.qid",)),
        _fact_property(),
        Column("value", "VARCHAR", "QID, file name, article title, label, number or time; WKT for P625"),
        *_FACT_DETAILS,
    ),
    ("shard",),
    (
        _OF_THE_SHARD,
        Constraint(
            "coordinates_are_complete",
            "A coordinate (P625) has its statement, and latitude and longitude together, both finite",
            broken="property = 'P625' AND (coalesce(statement, '') = '' OR (lat_deg IS NULL) <> (lon_deg IS NULL) "
            "OR NOT isfinite(lat_deg) OR NOT isfinite(lon_deg))",
        ),
        Constraint(
            "coordinates_have_a_globe",
            "A coordinate with numbers names the body that it lies on",
            broken="property = 'P625' AND lat_deg IS NOT NULL AND globe_qid IS NULL",
            is_blocking=False,
        ),
        Constraint(
            "only_coordinates_have_a_place",
            "Latitude, longitude, globe and statement stand with P625 alone",
            broken="property <> 'P625' AND (lat_deg IS NOT NULL OR lon_deg IS NOT NULL OR globe_qid IS NOT NULL "
            "OR statement IS NOT NULL)",
        ),
        Constraint(
            "languages_go_with_texts",
            "Labels have a language, articles one of the ten target languages, and nothing else has one",
            broken=f"CASE property WHEN 'label' THEN lang IS NULL "
            f"WHEN 'sitelink' THEN lang IS NULL OR NOT list_contains({_words(LANGUAGES)}, lang) "
            "ELSE lang IS NOT NULL END",
        ),
        Constraint(
            "classes_and_countries_are_items",
            "Values of P31 and P17 are QIDs",
            broken=f"property IN ('P31', 'P17') AND NOT regexp_full_match(value, '{QID_PATTERN}')",
        ),
        Constraint(
            "versions_are_numbers",
            "The version of an item is a positive number",
            broken="property = 'version' AND coalesce(TRY_CAST(value AS BIGINT), 0) <= 0",
        ),
        Constraint(
            "edits_have_a_time",
            "When an item was modified is an ISO 8601 time in UTC",
            broken=f"property = 'modified' AND NOT regexp_full_match(value, '{_TIME_PATTERN}')",
        ),
        Constraint("values_are_not_empty", "No value is empty", broken="value = ''"),
    ),
)

ASKED: Final = "asked"
LABEL_OF: Final = "label_of"
CODE_OF: Final = "code_of"

CHANGED_FACTS: Final = Table(
    "changed_facts",
    "entities",
    "Facts of the items that are new or changed since the refresh before, asked for across shards, and the labels and "
    "codes that the facts of all other items carry.",
    "one value of one property of one item that was asked for, the note that it was, or a label or code",
    ("qid", "property", "lang", "value", "statement", "country_code"),
    (
        _qid(sources=("candidates.qid", "facts.value")),
        Column(
            "shard",
            "VARCHAR",
            "Hash bucket of the item; null for labels and codes, which belong to classes and countries",
            nullable=True,
            sources=("candidates.shard",),
            pattern="^[0-9a-f]{2,3}$",
        ),
        _fact_property(ASKED, LABEL_OF, CODE_OF),
        Column(
            "value",
            "VARCHAR",
            "As in facts; of asked the listed revision (or none), of label_of a label, of code_of an ISO code",
        ),
        *_FACT_DETAILS,
    ),
    constraints=(
        Constraint(
            "names_have_no_shard",
            "Labels and codes belong to no shard, everything else to that of its item",
            broken=f"(property IN ('{LABEL_OF}', '{CODE_OF}')) <> (shard IS NULL)",
        ),
        Constraint(
            "asked_items_are_candidates",
            "Every item that was asked for is a candidate of its shard",
            sql="changed_facts_are_of_candidates",
            needs=("candidates",),
        ),
        Constraint(
            "facts_are_of_asked_items",
            "Every fact is of an item that was asked for",
            sql="changed_facts_were_asked",
        ),
    ),
)

DEPARTURES: Final = Table(
    "departures",
    "entities",
    "Items that were candidates of an earlier release and are listed no more, and what became of them.",
    "one item",
    ("qid",),
    (
        _qid(sources=("candidates.qid",)),
        Column("fate", "VARCHAR", "What became of it", allowed=tuple(FATES)),
        Column("target_qid", "VARCHAR", "Item that it was merged into", nullable=True, pattern=QID_PATTERN),
        Column("release", "VARCHAR", "First release without it", pattern="^20[0-9]{2}-(0[1-9]|1[0-2])$"),
        Column(
            "revision",
            "BIGINT",
            "Revision at which it was listed last",
            nullable=True,
            sources=("candidates.revision",),
            minimum=1,
        ),
        _answer_key(),
    ),
    constraints=(
        Constraint(
            "merged_items_have_a_target",
            "An item was merged if and only if there is another item that it was merged into",
            broken="(fate = 'merged') <> (target_qid IS NOT NULL) OR target_qid = qid",
        ),
        Constraint(
            "no_candidate_departed",
            "No item that is listed has departed",
            sql="departures_are_not_listed",
            needs=("candidates",),
        ),
        Constraint(
            "departed_by_now",
            "No item departed after this release",
            broken="release > (SELECT release FROM parameters)",
            parameters=("release",),
        ),
    ),
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
        _qids("class_qids", "All its classes (P31)", ("facts.value",)),
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
        _country(
            "ISO 3166-1 alpha-2 code of its country",
            ("facts.country_code", "facts.lat_deg", "facts.lon_deg"),
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
            pattern=_TIME_PATTERN,
        ),
    ),
    ("shard",),
    (
        Constraint("has_an_image", "Every settlement has at least one image", broken="len(images) = 0"),
        Constraint("has_an_article", "Every settlement has at least one article", broken="cardinality(sitelinks) = 0"),
        Constraint("has_a_class", "Every settlement has at least one class", broken="len(class_qids) = 0"),
        Constraint(
            "has_a_class_of_the_list",
            "At least one class of every settlement is in the class list",
            sql="settlements_listed_class",
            needs=("settlement_classes",),
        ),
        Constraint(
            "coordinates_are_on_earth",
            "The chosen statement is one of the facts, says these numbers, and lies on Earth (Q2)",
            sql="settlements_on_earth",
            needs=("facts",),
            constants=(("earth", EARTH),),
        ),
        Constraint(
            "article_languages_are_known",
            "Articles are in the ten target languages, each with a title",
            broken=f"NOT list_has_all({_words(LANGUAGES)}, map_keys(sitelinks)) "
            "OR list_contains(map_values(sitelinks), '')",
        ),
        Constraint(
            "image_properties_are_known",
            "Images are named by the eight image properties",
            broken=f"NOT list_has_all({_words(IMAGE_PROPERTIES)}, list_transform(images, lambda one: one.property))",
        ),
        Constraint(
            "image_files_are_distinct",
            "No file is listed twice for a settlement, and none is without a name",
            broken="len(list_distinct(list_transform(images, lambda one: nullif(one.file, '')))) <> len(images)",
        ),
        Constraint(
            "population_is_not_negative",
            "No population is negative",
            broken="population < 0",
            is_blocking=False,
        ),
        _OF_THE_SHARD,
        Constraint(
            "is_not_rejected",
            "No settlement is among the rejections",
            sql="settlements_not_rejected",
            needs=("rejections",),
        ),
        Constraint(
            "shard_adds_up",
            "Candidates of the shard = settlements + rejections: none is lost, and none counted twice",
            sql="settlements_shard_adds_up",
            needs=("candidates", "rejections"),
        ),
    ),
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
    (
        Constraint(
            "reason_is_the_first_failed",
            "The reason is the first of the rules that the candidate fails",
            broken="failed[1] IS DISTINCT FROM reason",
        ),
        Constraint(
            "failed_are_known_and_in_order",
            "Failed rules are known ones, each once, in their order",
            broken=f"failed IS DISTINCT FROM list_filter({_words(tuple(REJECTION_REASONS))}, "
            "lambda rule: list_contains(failed, rule))",
        ),
        Constraint("evidence_is_json", "The evidence is JSON", broken="NOT json_valid(evidence)"),
        _OF_THE_SHARD,
    ),
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
            pattern=_SHA256_PATTERN,
        ),
        Column("revision", "BIGINT", "Revision of the page (lastrevid)", nullable=True, minimum=1),
        Column("is_redirect", "BOOLEAN", "Whether the sitelink led over a redirect"),
        Column("licence", "VARCHAR", "Licence of the text", nullable=True),
        _answer_key(),
    ),
    ("lang", "shard"),
    (
        Constraint(
            "lang_is_the_partitions",
            "Every row is in the language of the partition",
            broken="lang <> (SELECT lang FROM parameters)",
        ),
        Constraint(
            "rows_are_articles_of_settlements",
            "Every row is an article that a settlement of the shard links to",
            sql="summaries_are_articles",
            needs=("settlements",),
        ),
        Constraint(
            "no_article_is_lost",
            "Every article in this language that a settlement of the shard links to has its row",
            sql="summaries_no_article_lost",
            needs=("settlements",),
        ),
        Constraint(
            "ok_means_a_text",
            "The status is ok if and only if there is a text that is not empty",
            broken="(status = 'ok') <> (coalesce(trim(text), '') <> '')",
        ),
        Constraint(
            "hash_is_that_of_the_text",
            "`text_sha256` is the SHA-256 of the text",
            broken="text_sha256 IS DISTINCT FROM sha256(text)",
        ),
        Constraint(
            "texts_can_be_cited",
            "Every text has the page's title and revision, and its licence",
            broken="status = 'ok' AND (title IS NULL OR revision IS NULL OR licence IS NULL)",
        ),
    ),
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
        Column("file_sha1", "VARCHAR", "SHA-1 of the original file", nullable=True, pattern=_SHA1_PATTERN),
        Column(
            "path",
            "VARCHAR",
            "Path of the padded picture in the lake",
            nullable=True,
            sources=("images.file_sha1",),
            pattern="^images/[0-9a-f]{2}/[0-9a-f]{40}-[0-9]+[.]jpg$",
        ),
        Column(
            "picture_sha256",
            "VARCHAR",
            "SHA-256 of the padded picture's bytes",
            nullable=True,
            pattern=_SHA256_PATTERN,
        ),
        Column("mime", "VARCHAR", "Media type of the original", nullable=True),
        Column("is_svg", "BOOLEAN", "Whether the original is an SVG drawing", sources=("images.mime",)),
        Column("width_px", "BIGINT", "Width of the original", nullable=True, minimum=0),
        Column("height_px", "BIGINT", "Height of the original", nullable=True, minimum=0),
        Column("size_bytes", "BIGINT", "Size of the original", nullable=True, minimum=0),
        Column("licence", "VARCHAR", "Short name of the licence", nullable=True),
        Column("licence_url", "VARCHAR", "Address of the licence", nullable=True),
        Column("author", "VARCHAR", "Author, as plain text", nullable=True),
        Column(
            "credit",
            "VARCHAR",
            "Credit line as its author prescribes it, else where the file came from; plain text",
            nullable=True,
        ),
        Column("deletion_reason", "VARCHAR", "Why Commons is about to delete the file, where it is", nullable=True),
        _answer_key(),
    ),
    ("shard",),
    (
        Constraint(
            "rows_are_files_of_settlements",
            "Every row is a file that a settlement of the shard lists, at its place in the list",
            sql="images_are_files",
            needs=("settlements",),
        ),
        Constraint(
            "no_file_is_lost",
            "Every file that a settlement of the shard lists has its row",
            sql="images_no_file_lost",
            needs=("settlements",),
        ),
        Constraint(
            "index_counts_from_0",
            "The images of a settlement are numbered from 0, without a gap and without repetition",
            sql="images_index",
        ),
        Constraint(
            "ok_means_a_picture",
            "A row that is ok has the file's hash, the picture's path and its hash; no other has a picture",
            broken="CASE WHEN status = 'ok' THEN file_sha1 IS NULL OR path IS NULL OR picture_sha256 IS NULL "
            "ELSE path IS NOT NULL OR picture_sha256 IS NOT NULL END",
        ),
        Constraint(
            "path_is_that_of_the_file",
            "The picture lies at the path that its file's hash names",
            broken="NOT starts_with(path, 'images/' || substr(file_sha1, 1, 2) || '/' || file_sha1 || '-')",
        ),
        Constraint(
            "svg_agrees_with_the_media_type",
            "`is_svg` is true if and only if the original's media type is that of SVG",
            broken="is_svg <> (mime = 'image/svg+xml') OR status = 'ok' AND mime IS NULL",
        ),
        Constraint(
            "one_path_is_one_picture",
            "Rows with the same path have the same hash",
            sql="images_one_path_one_picture",
        ),
        Constraint(
            "pictures_can_be_cited",
            "Every picture has the licence of its file",
            broken="status = 'ok' AND coalesce(licence, '') = ''",
            is_blocking=False,
        ),
        Constraint(
            "pictures_are_stored",
            "Of a fixed sample of 200 pictures, each is in the lake, has the stated hash and is a 256 x 256 RGB JPEG",
            sql="images_stored",
            probe="stored_pictures",
        ),
    ),
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
    (
        Constraint(
            "every_partition_is_pinned",
            "Every table partition that a refresh brings up to date is pinned, and nothing else is",
            sql="refresh_partitions",
            parameters=("shards",),
            constants=(("languages", LANGUAGES),),
        ),
        Constraint(
            "versions_are_stored",
            "Every pinned version lies in the lake, with as many rows as the manifest says",
            sql="refresh_versions",
            probe="stored_versions",
        ),
        Constraint(
            "parameters_are_present",
            "Every parameter that decides what a release holds is pinned, and acceptable",
            sql="refresh_parameters",
        ),
        Constraint(
            "shards_add_up",
            "Over all shards, candidates = settlements + rejections",
            sql="refresh_shards_add_up",
        ),
    ),
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
        _country("Country", ("settlements.country_code",)),
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
    (
        Constraint(
            "every_settlement_is_judged",
            "Every settlement has one row per variant, and nothing else has one",
            sql="eligible_every_settlement",
            needs=("settlements",),
            constants=(("variants", VARIANTS),),
        ),
        Constraint(
            "places_are_those_of_settlements",
            "Coordinates and country are those of the settlement",
            sql="eligible_places",
            needs=("settlements",),
        ),
        Constraint(
            "what_goes_on_has_texts_and_pictures",
            "What goes on to the geo-cells has at least one text and one picture",
            broken="reason IS NULL AND (n_summaries < 1 OR n_images < 1)",
        ),
        Constraint(
            "texts_are_counted",
            "`n_summaries` is the number of lead texts in the languages of the variant",
            sql="eligible_texts",
            needs=("summaries",),
            constants=_LANGUAGES_OF_VARIANTS,
        ),
        Constraint(
            "pictures_are_counted",
            "`n_images` is the number of pictures, without SVG where the variant leaves it out",
            sql="eligible_pictures",
            needs=("images",),
        ),
        Constraint(
            "quotas_are_kept",
            "No EU country has more settlements in mlm_irle_gr than its quota, and no other country has any",
            sql="eligible_quotas",
            needs=("quotas",),
        ),
        Constraint(
            "over_quota_means_full",
            "Where a settlement is over the quota, the quota of its country is full",
            sql="eligible_over_quota",
            needs=("quotas",),
        ),
    ),
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
            pattern=_CELL_PATTERN,
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
    (
        Constraint(
            "cells_are_not_too_small",
            "Every cell has at least T_min settlements",
            broken="n_settlements < (SELECT t_min FROM parameters)",
            parameters=("t_min",),
        ),
        Constraint(
            "cells_are_not_too_large",
            "Every cell has at most T_max settlements, or is of level 10",
            broken="n_settlements > (SELECT t_max FROM parameters) AND level < 10",
            parameters=("t_max",),
        ),
        Constraint(
            "level_is_that_of_the_token",
            "The token is that of an S2 cell of this level",
            sql="geo_cells_level",
        ),
        Constraint(
            "class_ids_follow_the_tokens",
            "In each variant classes are numbered from 0 in the order of S2",
            sql="geo_cells_class_ids",
        ),
        Constraint("cells_do_not_overlap", "No cell of a variant contains another", sql="geo_cells_overlap"),
        Constraint(
            "no_more_than_are_eligible",
            "The cells of a variant hold no more settlements than are eligible for it",
            sql="geo_cells_sums",
            needs=("eligible",),
        ),
    ),
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
    (
        Constraint(
            "variants_add_up",
            "In each variant, settlements = members in + members out",
            sql="members_add_up",
            needs=("settlements",),
            constants=(("variants", VARIANTS),),
        ),
        Constraint(
            "in_means_no_reason",
            "A settlement is in if and only if there is no reason against it",
            broken="is_member <> (reason IS NULL)",
        ),
        Constraint(
            "reasons_follow_eligible",
            "The rows are those of `eligible`; a reason of there stays, and cells add none but `cell_removed`",
            sql="members_reasons",
            needs=("eligible",),
        ),
        Constraint(
            "irle_members_have_a_cell",
            "Every member of an IRLE variant lies in a geo-cell",
            broken="is_member AND starts_with(variant, 'mlm_irle') AND cell_token IS NULL",
        ),
        Constraint(
            "cells_are_kept_ones",
            "A cell that a row names is a kept cell of its variant, with that number",
            sql="members_cells",
            needs=("geo_cells",),
        ),
        Constraint(
            "cells_hold_what_they_count",
            "As many settlements name a kept cell as it counts",
            sql="members_cell_sums",
            needs=("geo_cells",),
        ),
        Constraint(
            "split_is_that_of_the_qid",
            "The split is the one that the QID decides",
            sql="members_split_of_qid",
        ),
        Constraint(
            "split_is_one_in_all_variants",
            "A settlement has the same split in every variant",
            sql="members_one_split",
        ),
        Constraint(
            "split_never_changes",
            "A settlement keeps the split that it had in the version before",
            sql="members_split_before",
            needs=("before",),
        ),
    ),
)


def _dataset_constraints(variant: str) -> tuple[Constraint, ...]:
    """Return what must be true of one variant's rows; some of it is asked of the IRLE variants, or of GR alone."""
    names = "list_transform(images, lambda one: one.name)"
    languages = "list_transform(summaries, lambda one: one.lang)"
    found = [
        Constraint("has_a_summary", "Every settlement has at least one summary", broken="len(summaries) = 0"),
        Constraint("has_an_image", "Every settlement has at least one image", broken="len(images) = 0"),
        Constraint("has_a_class", "Every settlement has at least one class", broken="len(class_qids) = 0"),
        Constraint(
            "languages_are_the_variants",
            "Summaries are in the languages of the variant, each at most once",
            broken=f"NOT list_has_all({_words(VARIANT_LANGUAGES[variant])}, {languages}) "
            f"OR len(list_distinct({languages})) <> len(summaries)",
        ),
        Constraint(
            "summaries_have_texts",
            "No summary is empty",
            broken="len(list_filter(summaries, lambda one: coalesce(trim(one.text), '') = '')) > 0",
        ),
        Constraint(
            "image_names_are_unique",
            "The images of a settlement have names of their own: its QID, a number, .jpg",
            # Names begin with the QID, so that what is unique within a row is so in the table.
            broken=f"len(list_distinct({names})) <> len(images) OR len(list_filter({names}, "
            "lambda name: NOT regexp_full_match(name, qid || '_[0-9]+[.]jpg'))) > 0",
        ),
        Constraint(
            "images_have_paths",
            "Every image says where its picture lies, and its file's hash",
            broken="len(list_filter(images, lambda one: one.path IS NULL OR one.file_sha1 IS NULL)) > 0",
        ),
        Constraint(
            "rows_are_the_members",
            "The rows are the members of the variant, with the same cell and split",
            sql="dataset_members",
            needs=("members",),
            constants=(("variant", variant),),
        ),
    ]
    if variant in IRLE_VARIANTS:
        found += [
            Constraint(
                "has_a_cell", "Every settlement lies in a geo-cell", broken="cell_token IS NULL OR class_id IS NULL"
            ),
            Constraint("no_svg", "No image is an SVG drawing", sql="dataset_no_svg", needs=("images",)),
        ]
    if variant == GR_VARIANT:
        found.append(
            Constraint(
                "quotas_are_kept",
                "No EU country has more settlements than its quota, and no other country has any",
                sql="dataset_quotas",
                needs=("quotas",),
            )
        )
    return tuple(found)


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
            _qids("class_qids", "Classes (P31)", ("settlements.class_qids",)),
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
            _country("Country", ("settlements.country_code",)),
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
        _dataset_constraints(name),
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
    (
        Constraint(
            "parts_add_up",
            "Splits, countries and continents sum to the entities of a variant, languages to its summaries",
            sql="dataset_statistics_parts",
        ),
        Constraint(
            "totals_are_those_of_the_datasets",
            "Entities, images, summaries and cells are as many as the datasets and `geo_cells` have",
            sql="dataset_statistics_totals",
            needs=(*VARIANTS, "geo_cells"),
        ),
    ),
)


APPROVALS: Final = Table(
    "approvals",
    "datasets",
    "Versions of this release that checks had rejected and a maintainer let through: who, when, why, on what figures.",
    "one approved table partition",
    ("table_name", "partition"),
    (
        Column("table_name", "VARCHAR", "Table"),
        Column("partition", "VARCHAR", "Partition of the table; empty where it has none"),
        Column("version", "VARCHAR", "Version that was approved"),
        Column("approved_by", "VARCHAR", "Who approved it"),
        Column("approved_at", "VARCHAR", "When, ISO 8601 UTC"),
        Column("reason", "VARCHAR", "Why, in the words of whoever approved it"),
        Column("failed_checks", "VARCHAR[]", "Checks that blocked it"),
        Column("figures", "VARCHAR", "JSON: the sentence and figures of each of those checks"),
    ),
    ("release",),
    (
        Constraint(
            "reason_is_given", "Every approval says who and why", broken="trim(reason) = '' OR trim(approved_by) = ''"
        ),
        Constraint("figures_are_json", "The figures are JSON", broken="NOT json_valid(figures)"),
    ),
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


_ONE_PLACE: Final = Constraint("places_are_distinct", "No two rows name the same row of a block", sql="features_places")
_ONE_DIMENSION: Final = Constraint(
    "encoders_have_one_dimension", "All vectors of an encoder are of one length", sql="features_dimensions"
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
    (
        _ONE_PLACE,
        _ONE_DIMENSION,
        Constraint(
            "pictures_are_those_of_images",
            "Every picture is one of the images of the shard",
            sql="image_features_pictures",
            needs=("images",),
        ),
    ),
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
    (
        _ONE_PLACE,
        _ONE_DIMENSION,
        Constraint(
            "texts_are_those_of_summaries",
            "Every text is one of the summaries of the partition",
            sql="text_features_texts",
            needs=("summaries",),
        ),
        Constraint(
            "every_text_has_a_vector",
            "Every lead text of the partition has a vector",
            sql="text_features_missing",
            needs=("summaries",),
        ),
    ),
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
    constraints=(
        _ONE_PLACE,
        _ONE_DIMENSION,
        Constraint(
            "hash_is_that_of_the_label",
            "`label_sha256` is the SHA-256 of the label",
            broken="label_sha256 IS DISTINCT FROM sha256(label)",
        ),
        Constraint(
            "every_label_has_a_vector",
            "Every class label of a settlement has a vector",
            sql="class_features_missing",
            needs=("settlements",),
        ),
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
        (
            Constraint("one_epoch_is_best", "The weights of exactly one epoch were kept", sql="model_best"),
            Constraint("epochs_count_from_1", "Epochs are numbered from 1, without a gap", sql="model_epochs"),
            Constraint(
                "losses_are_finite",
                "Every epoch has a finite loss, and no part of it is not finite",
                broken="loss IS NULL OR NOT isfinite(loss) OR NOT isfinite(retrieval_loss) "
                "OR NOT isfinite(location_loss)",
            ),
            Constraint("weights_are_one", "All epochs name the same weights", sql="model_weights"),
        ),
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
        (
            Constraint(
                "intervals_are_in_order", "The lower end of an interval is not above the upper", broken="low > high"
            ),
            Constraint(
                "value_lies_in_its_interval",
                "A score lies within its 95 % interval",
                # In `guards`, low and high are what chance can do, and the value is that of shuffled items.
                broken="section <> 'guards' AND (value < low - 1e-9 OR value > high + 1e-9)",
                is_blocking=False,
            ),
            Constraint(
                "shares_are_shares",
                "Recall at k, F1, precision, recall, accuracy and p values lie between 0 and 1",
                broken="(regexp_full_match(figure, 'R@[0-9]+|f1|precision|recall|accuracy') "
                "AND NOT starts_with(section, 'paired_') OR ends_with(figure, ' p')) AND NOT value BETWEEN 0 AND 1",
            ),
            Constraint(
                "ranks_count_from_1",
                "A median rank is at least 1",
                broken="figure = 'medR' AND NOT starts_with(section, 'paired_') AND value < 1",
            ),
            Constraint(
                "figures_are_finite",
                "No figure is infinite or not a number",
                broken="NOT isfinite(value) OR NOT isfinite(low) OR NOT isfinite(high)",
            ),
        ),
    )


BENCHMARKS: Final = tuple(_benchmark(variant) for variant in TRAINED_VARIANTS)

WITHHELD_REASONS: Final = {
    "licence_unknown": "Commons names no licence that we know",
    "licence_not_allowed": "its licence is not in the list of those that may be published",
    "nominated_for_deletion": "Commons is about to delete the file",
    "face": "a face covers more of the picture than may be published",
}
"""Why a picture is not published. The first that applies, in this order, is the reason; the settlement stays."""

ATTRIBUTION: Final = Table(
    "attribution",
    "release",
    "Whose each text and picture of the release is, under which licence, and whether it is published.",
    "one lead text or one picture of a settlement",
    ("kind", "qid", "name"),
    (
        Column("kind", "VARCHAR", "What it is", allowed=("image", "text")),
        _qid(sources=tuple(f"{variant}.qid" for variant in VARIANTS)),
        Column("name", "VARCHAR", 'Name in the published records: "en_wiki", "Q…_0.jpg"'),
        Column("title", "VARCHAR", "Title of the article, or name of the file on Commons", sources=("images.file",)),
        Column("lang", "VARCHAR", "Language of a text", nullable=True, allowed=LANGUAGES),
        Column("file", "VARCHAR", "Name of the file on Commons, of a picture", nullable=True, sources=("images.file",)),
        Column("file_sha1", "VARCHAR", "SHA-1 of the original file", nullable=True, pattern=_SHA1_PATTERN),
        Column("revision", "BIGINT", "Revision of the article", nullable=True, sources=("summaries.revision",)),
        Column("source_url", "VARCHAR", "Address of the article's revision, or of the file's page"),
        Column("licence_id", "VARCHAR", "SPDX identifier of the licence; `unknown` where there is none we know"),
        Column("licence", "VARCHAR", "Short name of the licence, as the service gives it", nullable=True),
        Column("licence_url", "VARCHAR", "Address of the licence", nullable=True),
        Column("author", "VARCHAR", "Author, as plain text", nullable=True, sources=("images.author",)),
        Column(
            "credit",
            "VARCHAR",
            "Credit line as its author prescribes it, else where the file came from; plain text",
            nullable=True,
            sources=("images.credit",),
        ),
        Column(
            "face_fraction",
            "DOUBLE",
            "Share of the picture that its largest face covers, where a detector looked",
            nullable=True,
            minimum=0,
            maximum=1,
        ),
        Column(
            "withheld",
            "VARCHAR",
            "Why it is not published; null where it is",
            nullable=True,
            allowed=tuple(WITHHELD_REASONS),
        ),
    ),
    ("release",),
    (
        Constraint(
            "texts_have_languages_and_pictures_files",
            "A text has a language and no file, a picture a file and no language",
            broken="CASE kind WHEN 'text' THEN lang IS NULL OR file IS NOT NULL "
            "ELSE lang IS NOT NULL OR file IS NULL END",
        ),
        Constraint("texts_are_published", "No text is withheld", broken="kind = 'text' AND withheld IS NOT NULL"),
        Constraint(
            "no_markup",
            "Author and credit are text without HTML tags",
            broken="regexp_matches(coalesce(author, '') || ' ' || coalesce(credit, ''), '</?[a-zA-Z][^>]*>')",
        ),
    ),
)

RELEASE_DIFF: Final = Table(
    "release_diff",
    "release",
    "What changed since the release before; the page with pictures and the JSON lie in the folder that is linked.",
    "one figure of one variant",
    ("section", "variant", "item"),
    (
        Column(
            "section", "VARCHAR", "What is counted: counts, entities, texts, images, cells, splits, scores, licences"
        ),
        Column("variant", "VARCHAR", "Variant of the dataset; empty where it is of the release as a whole"),
        Column("item", "VARCHAR", "Figure within the section"),
        Column("before", "DOUBLE", "In the release before; null where there is none", nullable=True),
        Column("after", "DOUBLE", "In this release", nullable=True),
        Column("base", "VARCHAR", "The release before; empty for the first"),
    ),
    ("release",),
)

RELEASE_FILES: Final = Table(
    "release_files",
    "release",
    "The files of the drafted release, with what they hold and their hashes.",
    "one file",
    ("path",),
    (
        Column("path", "VARCHAR", "Path in the folder of the release"),
        Column("format", "VARCHAR", "Format: json, images, parquet, hdf5, webdataset, huggingface, duckdb, ..."),
        Column("variant", "VARCHAR", "Variant of the dataset; empty where it holds several"),
        Column("split", "VARCHAR", "Split; empty where it holds all"),
        Column("licence", "VARCHAR", "What it stands under: CC0-1.0, CC-BY-SA-4.0, per-file, mixed, MIT"),
        Column("media_type", "VARCHAR", "Media type"),
        Column("size_bytes", "BIGINT", "Size", minimum=0),
        Column("sha256", "VARCHAR", "SHA-256 of its bytes", pattern=_SHA256_PATTERN),
        Column("n_records", "BIGINT", "Records in it, where that says something", nullable=True, minimum=0),
    ),
    ("release",),
    (
        Constraint(
            "paths_stay_inside", "No path leaves the folder", broken="starts_with(path, '/') OR contains(path, '..')"
        ),
    ),
)

TABLES: Final[dict[str, Table]] = {
    table.name: table
    for table in (
        SETTLEMENT_CLASSES,
        CANDIDATES,
        CHANGED_FACTS,
        DEPARTURES,
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
        APPROVALS,
        IMAGE_FEATURES,
        TEXT_FEATURES,
        CLASS_FEATURES,
        *MODELS,
        *BENCHMARKS,
        ATTRIBUTION,
        RELEASE_DIFF,
        RELEASE_FILES,
    )
}

REFRESHED: Final = tuple(
    table.name for table in TABLES.values() if "release" not in table.partitioned_by and table.group != "features"
)
"""Tables that a refresh brings up to date and pins in its manifest. Features follow; a release can do without them."""
