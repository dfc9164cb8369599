"""What is compared between a version and its reference, which rows count as changed, and which check says so.

A *comparison* joins both sides of a table by key (`sql/profiles/<name>.sql` is one side): `in_old`, `in_new`, and each
column as `old_...` and `new_...`. A *measure* counts, in a comparison, the rows of a population and those of them that
changed; its band is in `bands`. A *check* is one or more measures under a name that maintainers see. How they are
counted and judged is in `checks.drift`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from mlm_assets.bands import FUTURE_MONTHS, MOVED_KM
from mlm_assets.tables import MODEL_TASKS, REJECTION_REASONS, TABLES, TRAINED_VARIANTS, VARIANTS


@dataclass(frozen=True)
class Comparison:
    """Both sides of a table joined by `key`; `needs` are the tables that its SQL file reads.

    `dimensions` maps a name of a group to the column that holds it; the reference's value counts where there is one.
    `class_column` holds lists of classes, of which a row belongs to several.
    """

    name: str
    needs: tuple[str, ...]
    key: tuple[str, ...]
    dimensions: tuple[tuple[str, str], ...] = ()
    class_column: str | None = None
    file: str | None = None
    table: str = ""
    has_texts: bool = False


@dataclass(frozen=True)
class Measure:
    """Of the rows of `population`, those that `changed`; both are conditions of SQL over a comparison.

    `says` completes the sentence "12 of 300 <of> <says>". `judged` are the dimensions whose groups have to keep the
    band too; `looked_at` those that may be named as a cause. `shown` are columns of failing rows.
    """

    name: str
    comparison: str
    of: str
    says: str
    population: str
    changed: str
    band: str
    judged: tuple[str, ...] = ()
    looked_at: tuple[str, ...] = ()
    shown: tuple[str, ...] = ()
    is_total_judged: bool = True
    values: str = ""


_BOTH: Final = "in_old AND in_new"
_REVISED: Final = f"{_BOTH} AND old_revision IS NOT NULL AND new_revision IS NOT NULL"


def _differs(*columns: str) -> str:
    return " OR ".join(f"new_{column} IS DISTINCT FROM old_{column}" for column in columns)


COMPARISONS: Final = {
    comparison.name: comparison
    for comparison in (
        Comparison("settlement_classes", ("settlement_classes",), ("class_qid",), (("hop", "hop"),)),
        Comparison("class_labels", ("settlement_classes",), ("class_qid", "lang"), (("lang", "lang"),)),
        Comparison("instances", ("candidates", "settlement_classes"), ("qid",), (), "class_qids"),
        Comparison(
            "candidates", ("candidates", "settlement_classes"), ("qid",), (("shard", "shard"),), "class_qids"
        ),
        Comparison(
            "facts", ("facts",), ("qid", "property", "lang"), (("property", "kind"), ("shard", "part"))
        ),
        Comparison(
            "settlements", ("settlements", "settlement_classes", "rejections"), ("qid",),
            (("country", "country_code"), ("shard", "part"), ("reason", "reason_there"), ("source", "country_source")),
            "class_qids",
        ),
        Comparison(
            "articles", ("settlements",), ("qid", "lang"),
            (("lang", "lang"), ("country", "country_code"), ("shard", "part")), "class_qids",
        ),
        Comparison(
            "files", ("settlements",), ("qid", "file"),
            (("country", "country_code"), ("property", "property"), ("shard", "part")),
        ),
        Comparison(
            "rejections", ("rejections", "settlements"), ("qid",), (("country", "country_code"), ("reason", "reason"))
        ),
        Comparison(
            "summaries", ("summaries", "settlements"), ("qid", "lang"),
            (("lang", "lang"), ("country", "country_code"), ("shard", "part")), has_texts=True,
        ),
        Comparison(
            "images", ("images", "settlements"), ("qid", "file"),
            (("country", "country_code"), ("property", "property"), ("shard", "part"), ("mime", "mime")),
        ),
        Comparison(
            "eligible", ("eligible",), ("variant", "qid"), (("variant", "variant"), ("country", "country_code"))
        ),
        Comparison(
            "geo_cells", ("geo_cells",), ("variant", "cell_token"), (("variant", "variant"), ("level", "level"))
        ),
        Comparison("members", ("members",), ("variant", "qid"), (("variant", "variant"), ("cell", "cell_token"))),
        *(
            comparison
            for variant in VARIANTS
            for comparison in (
                Comparison(
                    variant, (variant,), ("qid",), (("country", "country_code"), ("split", "split")), "class_qids",
                    "dataset", variant,
                ),
                Comparison(
                    f"{variant}_texts", (variant,), ("qid", "lang"), (("lang", "lang"), ("country", "country_code")),
                    None, "dataset_texts", variant,
                ),
                Comparison(
                    f"{variant}_images", (variant,), ("qid", "file"),
                    (("country", "country_code"), ("property", "property")), None, "dataset_images", variant,
                ),
            )
        ),
    )
}  # fmt: skip


def _revisions(comparison: str, of: str, dimensions: tuple[str, ...], key: str = "qid") -> tuple[Measure, ...]:
    """Return the measures on revisions that every table with revisions has."""
    shown = (key, "revision")
    return (
        Measure(
            "revision_back", comparison, of, "have an older revision than before", _REVISED,
            "new_revision < old_revision", "backwards", dimensions, dimensions, shown,
        ),
        Measure(
            "changes_back", comparison, f"{of} whose revision changed", "have an older one than before",
            f"{_REVISED} AND new_revision <> old_revision", "new_revision < old_revision",
            "backwards_of_changed", (), dimensions, shown,
        ),
    )  # fmt: skip


def _new(comparison: str, of: str, judged: tuple[str, ...], looked_at: tuple[str, ...], key: tuple[str, ...],
         unless: str = "FALSE", band: str = "new") -> Measure:  # fmt: skip
    return Measure(
        "new", comparison, of, "are new", "in_new", f"NOT in_old AND NOT ({unless})", band, judged, looked_at, key
    )


def _changed(
    name: str, comparison: str, of: str, columns: Sequence[str], says: str, *, band: str = "changed",
    dimensions: tuple[str, ...] = (), key: tuple[str, ...] = ("qid",), population: str = _BOTH,
) -> Measure:  # fmt: skip
    return Measure(
        name, comparison, of, says, population, _differs(*columns), band, dimensions, dimensions, (*key, *columns)
    )


_C: Final = ("country",)
_S: Final = "settlements"
_SETTLEMENT_LOOK: Final = ("country", "class", "reason", "shard")
_GONE: Final = "NOT in_new AND old_is_listed_there"
_PLACED: Final = f"{_BOTH} AND old_lat_deg IS NOT NULL AND new_lat_deg IS NOT NULL"
_FAR: Final = f"km(old_lat_deg, old_lon_deg, new_lat_deg, new_lon_deg) > {MOVED_KM:g}"
_ZERO: Final = "(abs(new_lat_deg) < 0.001 OR abs(new_lon_deg) < 0.0000001)"
_WAS_ZERO: Final = "coalesce(abs(old_lat_deg) < 0.001 OR abs(old_lon_deg) < 0.0000001, FALSE)"

_CLASSES: Final = {
    "rows_do_not_drop": (
        Measure("gone", "settlement_classes", "classes", "are gone", "in_old", "NOT in_new", "classes_gone", (),
                ("hop",), ("class_qid", "hop", "label")),
    ),
    "instances_keep_a_class": (
        Measure("instances_lost", "instances", "candidates", "have no class in the list any more",
                "in_old AND old_is_instance", "NOT coalesce(new_is_instance, FALSE)", "instances_lost", (), ("class",),
                ("qid", "class_qids")),
    ),
    "rows_do_not_rise": (
        _new("settlement_classes", "classes", (), ("hop",), ("class_qid", "hop", "label"), band="classes_new"),
    ),
    "hierarchy_is_stable": (
        _changed("hierarchy", "settlement_classes", "classes", ("hop", "parent_qids"), "hang elsewhere",
                 band="hierarchy_changed", key=("class_qid",)),
    ),
    "labels_are_stable": (
        Measure("labels_lost", "class_labels", "class labels", "are gone", "in_old", "NOT in_new", "labels_lost",
                ("lang",), ("lang",), ("class_qid", "lang", "label")),
        _changed("labels", "class_labels", "class labels", ("label",), "changed", dimensions=("lang",),
                 key=("class_qid", "lang")),
    ),
}  # fmt: skip

_CANDIDATES: Final = {
    "rows_do_not_drop": (
        Measure("gone", "candidates", "candidates", "are gone (besides those whose classes left the list)", "in_old",
                _GONE, "gone", ("shard",), ("class", "shard"), ("qid", "class_qids", "revision")),
    ),
    "rows_per_class_do_not_drop": (
        Measure("gone_per_class", "candidates", "candidates", "are gone though their class is still listed", "in_old",
                _GONE, "gone_per_class", ("class",), ("class",), ("qid", "class_qids", "revision"),
                is_total_judged=False),
    ),
    "rows_do_not_rise": (
        _new("candidates", "candidates", ("shard",), ("class", "shard"), ("qid", "class_qids"),
             "NOT new_is_listed_there"),
    ),
    "classes_are_stable": (
        _changed("reclassed", "candidates", "candidates", ("class_qids",), "are of other classes now",
                 band="reclassed", dimensions=("class",)),
    ),
    "revisions_do_not_go_back": (
        *_revisions("candidates", "candidates", ("shard",)),
        Measure("no_revision", "candidates", "candidates", "newly lack a revision", "in_new",
                "new_revision IS NULL AND old_revision IS NOT NULL OR new_revision IS NULL AND NOT in_old",
                "missing", (), ("shard",), ("qid", "revision")),
    ),
}  # fmt: skip

_MONTH_END: Final = f"(CAST($release || '-01' AS DATE) + INTERVAL {FUTURE_MONTHS + 1} MONTH)"

_FACTS: Final = {
    "entities_do_not_drop": (
        Measure("entities_gone", "facts", "candidates with facts", "have none any more",
                "in_old AND qid IS NOT NULL AND property = 'modified'", "NOT old_is_kept", "gone_with_classes",
                ("shard",), ("shard",), ("qid",)),
    ),
    "properties_do_not_drop": (
        Measure("property_lost", "facts", "properties of candidates", "are gone",
                "in_old AND old_is_kept AND property <> 'quarantined'", "NOT in_new", "coverage_lost", ("property",),
                ("property", "shard"), ("qid", "property", "lang", "value")),
    ),
    "properties_do_not_multiply": (
        Measure("property_new", "facts", "properties of candidates", "are new (of candidates that had facts before)",
                "in_new AND new_is_kept", "NOT in_old", "new", ("property",), ("property", "shard"),
                ("qid", "property", "lang", "value")),
        Measure("more_values", "facts", "properties of candidates", "have twice as many values or more", _BOTH,
                "new_n_values >= 2 * old_n_values", "dirty", ("property",), ("property", "shard"),
                ("qid", "property", "lang", "n_values")),
        Measure("quarantined", "facts", "candidates", "are newly quarantined",
                "in_new AND property IN ('quarantined', 'modified')", "property = 'quarantined' AND NOT in_old",
                "missing", (), ("shard",), ("qid", "value")),
    ),
    "values_are_stable": (
        Measure("values", "facts", "properties of candidates", "have other values now",
                f"{_BOTH} AND property NOT IN ('version', 'modified', 'quarantined')", "new_digest <> old_digest",
                "changed", ("property",), ("property", "shard"), ("qid", "property", "lang", "value")),
        Measure("rescaled", "facts", "populations", "changed by a factor of two or more",
                f"{_BOTH} AND property = 'P1082' AND old_n_values = 1 AND new_n_values = 1",
                "TRY_CAST(new_value AS DOUBLE) > 2 * TRY_CAST(old_value AS DOUBLE)"
                " OR 2 * TRY_CAST(new_value AS DOUBLE) < TRY_CAST(old_value AS DOUBLE)"
                " OR TRY_CAST(new_value AS DOUBLE) IS NULL",
                "rescaled", (), ("shard",), ("qid", "value")),
    ),
    "places_do_not_move": (
        Measure("moved", "facts", "coordinates", f"lie more than {MOVED_KM:g} km away",
                f"{_PLACED} AND property = 'P625'", _FAR, "moved", (), ("shard",), ("qid", "lat_deg", "lon_deg")),
        Measure("misplaced", "facts", "coordinates", "are newly on the equator or on the prime meridian",
                "in_new AND property = 'P625'", f"{_ZERO} AND NOT {_WAS_ZERO}", "misplaced", (), ("shard",),
                ("qid", "lat_deg", "lon_deg")),
    ),
    "revisions_do_not_go_back": (
        Measure("revision_back", "facts", "candidates", "have an older revision than before",
                f"{_BOTH} AND property = 'version'",
                "TRY_CAST(new_value AS BIGINT) < TRY_CAST(old_value AS BIGINT)", "backwards", ("shard",), ("shard",),
                ("qid", "value")),
        Measure("changes_back", "facts", "candidates whose revision changed", "have an older one than before",
                f"{_BOTH} AND property = 'version' AND new_value <> old_value",
                "TRY_CAST(new_value AS BIGINT) < TRY_CAST(old_value AS BIGINT)", "backwards_of_changed", (),
                ("shard",), ("qid", "value")),
        Measure("modified_back", "facts", "candidates", "were last edited earlier than before",
                f"{_BOTH} AND property = 'modified'", "new_value < old_value", "backwards", ("shard",), ("shard",),
                ("qid", "value")),
        Measure("future", "facts", "candidates", "were edited in the future", "in_new AND property = 'modified'",
                f"TRY_CAST(new_value AS TIMESTAMP) > {_MONTH_END} AND new_value IS DISTINCT FROM old_value", "future",
                (), ("shard",), ("qid", "value")),
    ),
    "values_are_filled": (
        Measure("no_label", "facts", "candidates", "newly have a class without an English label",
                "in_new AND property = 'P31'", "new_has_no_label AND NOT coalesce(old_has_no_label, FALSE)", "missing",
                (), ("shard",), ("qid", "value")),
        Measure("no_country", "facts", "candidates", "newly have a country without a code",
                "in_new AND property = 'P17'", "new_has_no_country AND NOT coalesce(old_has_no_country, FALSE)",
                "missing", (), ("shard",), ("qid", "value")),
        Measure("no_place", "facts", "coordinates", "newly lack a number or the globe",
                "in_new AND property = 'P625'", "new_has_no_place AND NOT coalesce(old_has_no_place, FALSE)",
                "missing", (), ("shard",), ("qid", "value")),
    ),
}  # fmt: skip

_SETTLEMENTS: Final = {
    "rows_do_not_drop": (
        Measure("gone", "settlements", _S, "are gone (besides those whose classes left the list)", "in_old", _GONE,
                "gone", ("shard",), _SETTLEMENT_LOOK, ("qid", "label", "country_code", "class_qids", "reason_there")),
    ),
    "rows_per_country_do_not_drop": (
        Measure("gone_per_country", "settlements", _S, "are gone", "in_old", _GONE, "gone", _C, _SETTLEMENT_LOOK,
                ("qid", "label", "country_code", "class_qids", "reason_there"), is_total_judged=False),
    ),
    "rows_per_class_do_not_drop": (
        Measure("gone_per_class", "settlements", _S, "are gone though their class is still listed", "in_old", _GONE,
                "gone_per_class", ("class",), _SETTLEMENT_LOOK,
                ("qid", "label", "country_code", "class_qids", "reason_there"), is_total_judged=False),
    ),
    "rows_do_not_rise": (
        _new("settlements", _S, ("country", "shard"), _SETTLEMENT_LOOK, ("qid", "label", "country_code", "class_qids"),
             "NOT new_is_listed_there"),
        Measure("copies", "settlements", _S, "stand there more than once", "in_new", "new_n_copies > 1", "repeated",
                (), ("shard",), ("qid", "label", "n_copies")),
    ),
    "coverage_does_not_drop": (
        Measure("articles_lost", "articles", "articles of settlements", "are gone", "in_old AND old_is_kept",
                "NOT in_new", "coverage_lost", ("lang", "country"), ("lang", "country", "class", "shard"),
                ("qid", "lang", "title", "country_code")),
        Measure("files_lost", "files", "files of settlements", "are gone", "in_old AND old_is_kept", "NOT in_new",
                "coverage_lost", ("country", "property"), ("country", "property", "shard"),
                ("qid", "file", "property", "country_code")),
        Measure("articles_new", "articles", "articles of settlements", "are new (of settlements that were there)",
                "in_new AND new_is_kept", "NOT in_old", "new", ("lang",), ("lang", "country", "shard"),
                ("qid", "lang", "title")),
        Measure("files_new", "files", "files of settlements", "are new (of settlements that were there)",
                "in_new AND new_is_kept", "NOT in_old", "new", ("country",), ("country", "property", "shard"),
                ("qid", "file", "property")),
    ),
    "places_do_not_move": (
        Measure("moved", "settlements", _S, f"lie more than {MOVED_KM:g} km away", _PLACED, _FAR, "moved", _C,
                _SETTLEMENT_LOOK, ("qid", "label", "lat_deg", "lon_deg", "country_code")),
        Measure("zero", "settlements", _S, "are newly on the equator or on the prime meridian", "in_new",
                f"{_ZERO} AND NOT {_WAS_ZERO}", "misplaced", _C, _SETTLEMENT_LOOK,
                ("qid", "label", "lat_deg", "lon_deg")),
        Measure("coarse", "settlements", _S, "are newly on whole degrees", "in_new",
                "new_is_coarse AND NOT coalesce(old_is_coarse, FALSE)", "misplaced", _C, _SETTLEMENT_LOOK,
                ("qid", "label", "lat_deg", "lon_deg")),
        Measure("crowded", "settlements", _S, "newly lie exactly where three others do", "in_new",
                "new_n_here > 3 AND coalesce(old_n_here, 0) <= 3", "misplaced", _C, _SETTLEMENT_LOOK,
                ("qid", "label", "lat_deg", "lon_deg", "n_here")),
    ),
    "countries_are_stable": (
        _changed("recountried", "settlements", _S, ("country_code",), "lie in another country now",
                 band="recountried", dimensions=_C),
        Measure("undocumented", "settlements", _S, "newly have no country (P17), but one guessed from their place",
                _BOTH, "old_country_source = 'wikidata_p17' AND new_country_source <> 'wikidata_p17'", "recountried",
                _C, _C, ("qid", "country_code", "country_source")),
    ),
    "classes_are_stable": (
        _changed("reclassed", "settlements", _S, ("class_qids",), "are of other classes now", band="reclassed",
                 dimensions=("country", "class")),
        replace(
            _changed("class_labels", "settlements", _S, ("class_labels",), "have other class labels though the same "
                     "classes", band="reclassed", dimensions=("class",)),
            changed="new_class_labels IS DISTINCT FROM old_class_labels AND new_class_qids = old_class_qids",
        ),
    ),
    "labels_are_stable": (
        _changed("relabelled", "settlements", _S, ("label",), "are called otherwise now", dimensions=_C),
        Measure("unnamed", "settlements", _S, "newly have no name but their QID", "in_new",
                "new_label = qid AND coalesce(old_label <> qid, FALSE)", "missing", _C, _C, ("qid", "label")),
        Measure("garbled", "settlements", _S, "newly have broken characters in their name", "in_new",
                "regexp_matches(new_label, '\\x{FFFD}|Ã[\\x{80}-\\x{BF}]|â\\x{20AC}|<[a-z/]|&[a-z]+;')"
                " AND new_label IS DISTINCT FROM old_label", "dirty", _C, _C, ("qid", "label")),
    ),
    "populations_are_stable": (
        Measure("rescaled", "settlements", "settlements with a population", "have more than twice or under half of it",
                f"{_BOTH} AND old_population > 0 AND new_population IS NOT NULL",
                "new_population > 2 * old_population OR 2 * new_population < old_population", "rescaled", _C,
                ("country", "class"), ("qid", "label", "population", "country_code")),
        Measure("repopulated", "settlements", "settlements with a population", "have another one or none",
                f"{_BOTH} AND old_population IS NOT NULL", _differs("population"), "changed", _C, ("country",),
                ("qid", "label", "population", "country_code")),
    ),
    "revisions_do_not_go_back": (
        *_revisions("settlements", _S, _C),
        Measure("modified_back", "settlements", _S, "were last edited earlier than before",
                f"{_BOTH} AND old_modified_at IS NOT NULL", "new_modified_at < old_modified_at", "backwards", _C, _C,
                ("qid", "modified_at")),
        Measure("future", "settlements", _S, "were edited in the future", "in_new",
                f"TRY_CAST(new_modified_at AS TIMESTAMP) > {_MONTH_END}"
                " AND new_modified_at IS DISTINCT FROM old_modified_at", "future", (), _C, ("qid", "modified_at")),
        Measure("no_revision", "settlements", _S, "newly lack a revision or a date", "in_new",
                "(new_revision IS NULL OR new_modified_at IS NULL)"
                " AND NOT coalesce(in_old AND (old_revision IS NULL OR old_modified_at IS NULL), FALSE)",
                "missing", (), _C, ("qid", "revision", "modified_at")),
        Measure("unedited", "settlements", "settlements of the same revision", "changed all the same",
                f"{_REVISED} AND old_revision = new_revision",
                _differs("label", "lat_deg", "lon_deg", "class_qids", "population", "sitelinks"), "unedited", _C,
                ("country", "class"), ("qid", "label", "lat_deg", "lon_deg", "population", "revision")),
    ),
}  # fmt: skip

_SUMMARY_LOOK: Final = ("lang", "country", "shard")
_L: Final = ("lang",)
_OK: Final = "in_new AND new_is_ok"
_OK_BOTH: Final = f"{_BOTH} AND old_is_ok AND new_is_ok"
_TEXTS: Final = "lead texts"

_SUMMARIES: Final = {
    "texts_do_not_drop": (
        Measure("texts_lost", "summaries", f"{_TEXTS} (of settlements that are still there)", "are gone",
                "in_old AND old_is_ok AND old_is_kept", "NOT in_new OR NOT new_is_ok", "coverage_lost",
                ("lang", "country"), _SUMMARY_LOOK, ("qid", "lang", "title", "status", "country_code")),
    ),
    "rows_do_not_rise": (
        _new("summaries", "articles", _L, _SUMMARY_LOOK, ("qid", "lang", "title"), "NOT new_is_kept"),
        Measure("unavailable", "summaries", "articles", "newly could not be had", "in_new",
                "new_status = 'unavailable' AND coalesce(old_status <> 'unavailable', TRUE)", "missing", _L,
                _SUMMARY_LOOK, ("qid", "lang", "title", "status")),
    ),
    "texts_are_stable": (
        _changed("retexted", "summaries", _TEXTS, ("text_sha256",), "are other texts now", band="retexted",
                 dimensions=_SUMMARY_LOOK, key=("qid", "lang", "text"), population=_OK_BOTH),
        Measure("unedited", "summaries", f"{_TEXTS} of the same revision", "changed all the same",
                f"{_OK_BOTH} AND old_revision = new_revision", _differs("text_sha256"), "unedited", _L, _SUMMARY_LOOK,
                ("qid", "lang", "text", "revision")),
    ),
    "texts_are_whole": (
        Measure("collapsed", "summaries", _TEXTS, "have less than half of their length", _OK_BOTH,
                "2 * new_n_characters < old_n_characters", "collapsed", _L, _SUMMARY_LOOK,
                ("qid", "lang", "text", "n_characters")),
        Measure("cut", "summaries", _TEXTS, "are the mere beginning of what they were", _OK_BOTH,
                "new_n_characters < old_n_characters AND new_is_touched"
                " AND starts_with(old_text, rtrim(new_text, '. …'))", "cut", _L, _SUMMARY_LOOK,
                ("qid", "lang", "text", "n_characters")),
        Measure("one_length", "summaries", _TEXTS, "are exactly as long as the longest", _OK,
                "new_is_longest AND new_is_touched", "one_length", _L, _SUMMARY_LOOK,
                ("qid", "lang", "text", "n_characters")),
    ),
    "texts_are_clean": (
        Measure("markup", "summaries", _TEXTS, "newly hold markup", _OK,
                "new_has_markup AND NOT coalesce(old_has_markup, FALSE)", "dirty", _L, _SUMMARY_LOOK,
                ("qid", "lang", "text")),
        Measure("garbled", "summaries", _TEXTS, "newly hold broken characters", _OK,
                "new_is_garbled AND NOT coalesce(old_is_garbled, FALSE)", "dirty", _L, _SUMMARY_LOOK,
                ("qid", "lang", "text")),
        Measure("repeated", "summaries", _TEXTS, "newly stand under several settlements", _OK,
                "new_n_places > 1 AND coalesce(old_n_places, 1) <= 1", "repeated", _L, _SUMMARY_LOOK,
                ("qid", "lang", "text", "n_places")),
    ),
    "texts_speak_their_language": (
        Measure("foreign", "summaries", _TEXTS, "newly speak another language", _OK,
                "new_is_foreign AND NOT coalesce(old_is_foreign, FALSE)", "dirty", _L, _SUMMARY_LOOK,
                ("qid", "lang", "text")),
    ),
    "titles_are_stable": (
        _changed("retitled", "summaries", "articles", ("title",), "stand under another title", band="retitled",
                 dimensions=_L, key=("qid", "lang"), population=f"{_BOTH} AND old_title IS NOT NULL"
                 " AND new_title IS NOT NULL"),
        Measure("misnamed", "summaries", _TEXTS, "no longer name their place", _OK_BOTH,
                "new_is_touched AND contains(old_text, split_part(old_title, ' (', 1))"
                " AND NOT contains(new_text, split_part(new_title, ' (', 1))"
                " AND NOT contains(new_text, split_part(old_title, ' (', 1))", "dirty", _L, _SUMMARY_LOOK,
                ("qid", "lang", "title", "text")),
    ),
    "licences_are_given": (
        Measure("no_licence", "summaries", _TEXTS, "newly lack a licence", _OK,
                "new_licence IS NULL AND NOT coalesce(in_old AND old_licence IS NULL AND old_is_ok, FALSE)",
                "missing", _L, _SUMMARY_LOOK, ("qid", "lang", "licence")),
        _changed("relicensed", "summaries", _TEXTS, ("licence",), "stand under another licence", band="relicensed",
                 dimensions=_L, key=("qid", "lang"), population=_OK_BOTH),
    ),
    "revisions_do_not_go_back": (
        *_revisions("summaries", "articles", _L),
        Measure("no_revision", "summaries", _TEXTS, "newly lack a revision", _OK,
                "new_revision IS NULL AND NOT coalesce(in_old AND old_revision IS NULL AND old_is_ok, FALSE)",
                "missing", _L, _SUMMARY_LOOK, ("qid", "lang", "revision")),
    ),
}  # fmt: skip

_IMAGE_LOOK: Final = ("country", "property", "mime", "shard")
_PICTURES: Final = "pictures"
_SAME_FILE: Final = f"{_OK_BOTH} AND old_file_sha1 = new_file_sha1"

_IMAGES: Final = {
    "pictures_do_not_drop": (
        Measure("pictures_lost", "images", f"{_PICTURES} (of settlements that are still there)", "are gone",
                "in_old AND old_is_ok AND old_is_kept", "NOT in_new OR NOT new_is_ok", "coverage_lost",
                ("country", "property"), _IMAGE_LOOK, ("qid", "file", "status", "country_code", "property")),
    ),
    "rows_do_not_rise": (
        _new("images", "files", _C, _IMAGE_LOOK, ("qid", "file", "property"), "NOT new_is_kept"),
        Measure("unavailable", "images", "files", "newly could not be had", "in_new",
                "new_status = 'unavailable' AND coalesce(old_status <> 'unavailable', TRUE)", "missing", _C,
                _IMAGE_LOOK, ("qid", "file", "status")),
    ),
    "pictures_are_stable": (
        _changed("repictured", "images", _PICTURES, ("picture_sha256",), "are other pictures now", band="repictured",
                 dimensions=("country", "property"), key=("qid", "file", "path"), population=_OK_BOTH),
    ),
    "pictures_change_only_with_files": (
        Measure("unedited", "images", f"{_PICTURES} of an unchanged file", "changed all the same", _SAME_FILE,
                _differs("picture_sha256", "width_px", "height_px", "size_bytes"), "unedited_picture", _C, _IMAGE_LOOK,
                ("qid", "file", "picture_sha256", "width_px", "size_bytes")),
    ),
    "pictures_are_distinct": (
        Measure("repeated", "images", _PICTURES, "are newly the same picture as that of another file", _OK,
                "new_n_files > 1 AND coalesce(old_n_files, 1) <= 1", "repeated", _C, _IMAGE_LOOK,
                ("qid", "file", "picture_sha256", "n_files")),
    ),
    "licences_are_given": (
        Measure("no_licence", "images", _PICTURES, "newly lack a licence", _OK,
                "new_licence IS NULL AND NOT coalesce(in_old AND old_licence IS NULL AND old_is_ok, FALSE)", "missing",
                _C, _IMAGE_LOOK, ("qid", "file", "licence")),
        Measure("no_author", "images", _PICTURES, "newly lack an author", _OK,
                "new_author IS NULL AND NOT coalesce(in_old AND old_author IS NULL AND old_is_ok, FALSE)", "missing",
                _C, _IMAGE_LOOK, ("qid", "file", "author")),
        _changed("relicensed", "images", _PICTURES, ("licence",), "stand under another licence", band="relicensed",
                 dimensions=_C, key=("qid", "file"), population=_OK_BOTH),
        _changed("reattributed", "images", _PICTURES, ("author", "credit"), "have another author or credit",
                 band="relicensed", dimensions=_C, key=("qid", "file"), population=_OK_BOTH),
    ),
    "kinds_are_stable": (
        _changed("kinds", "images", _PICTURES, ("mime", "is_svg", "property"), "are of another kind or property",
                 band="relicensed", dimensions=_C, key=("qid", "file"), population=_OK_BOTH),
    ),
}  # fmt: skip

_CANDIDATE_BOTH: Final = f"{_BOTH}"
_REJECTIONS: Final = {
    "reasons_do_not_rise": tuple(
        Measure(f"newly_{reason}", "rejections", "candidates", f"are newly rejected for {reason}", _BOTH,
                f"new_reason = '{reason}' AND old_reason IS DISTINCT FROM '{reason}'", "newly_rejected", (),
                ("country",), ("qid", "reason", "evidence"), values=reason)
        for reason in REJECTION_REASONS
    ),
    "reasons_do_not_drop": (
        Measure("no_longer_rejected", "rejections", "rejected candidates", "are settlements now",
                f"{_BOTH} AND old_is_rejected", "NOT new_is_rejected", "no_longer_rejected", ("reason",), ("reason",),
                ("qid", "reason", "evidence")),
    ),
    "revisions_do_not_go_back": _revisions("rejections", "candidates", ()),
}  # fmt: skip

_V: Final = ("variant",)
_IN_VARIANT: Final = "in_old AND old_reason IS NULL"
_ELIGIBLE: Final = {
    "rows_do_not_drop": (
        Measure("gone", "eligible", "settlements in variants", "are gone", "in_old", "NOT in_new", "member_lost", _V,
                ("variant", "country"), ("variant", "qid", "country_code")),
    ),
    "rows_per_country_do_not_drop": (
        Measure("out_per_country", "eligible", "eligible settlements", "are eligible no more", _IN_VARIANT,
                "NOT in_new OR new_reason IS NOT NULL", "member_lost", _C, ("variant", "country"),
                ("variant", "qid", "country_code", "reason"), is_total_judged=False),
    ),
    "reasons_do_not_rise": (
        Measure("excluded", "eligible", "eligible settlements", "are left out now", f"{_BOTH} AND old_reason IS NULL",
                "new_reason IS NOT NULL", "member_lost", _V, ("variant", "country"),
                ("variant", "qid", "country_code", "reason")),
    ),
    "coverage_does_not_drop": (
        Measure("fewer_texts", "eligible", "settlements in variants", "have fewer lead texts",
                f"{_BOTH} AND old_n_summaries > 0", "new_n_summaries < old_n_summaries", "coverage_lost", _V,
                ("variant", "country"), ("variant", "qid", "n_summaries")),
        Measure("fewer_pictures", "eligible", "settlements in variants", "have fewer pictures",
                f"{_BOTH} AND old_n_images > 0", "new_n_images < old_n_images", "coverage_lost", _V,
                ("variant", "country"), ("variant", "qid", "n_images")),
    ),
    "countries_are_stable": (
        _changed("recountried", "eligible", "settlements in variants", ("country_code",), "lie in another country now",
                 band="recountried", dimensions=_C, key=("variant", "qid")),
    ),
    "places_do_not_move": (
        Measure("moved", "eligible", "settlements in variants", f"lie more than {MOVED_KM:g} km away", _PLACED, _FAR,
                "moved", _V, ("variant", "country"), ("variant", "qid", "lat_deg", "lon_deg")),
    ),
}  # fmt: skip

_GEO_CELLS: Final = {
    "cells_do_not_drop": (
        Measure("gone", "geo_cells", "cells", "are gone", "in_old", "NOT in_new", "cell_changed", _V,
                ("variant", "level"), ("variant", "cell_token", "level", "n_settlements")),
    ),
    "cells_do_not_rise": (
        _new("geo_cells", "cells", _V, ("variant", "level"), ("variant", "cell_token", "level", "n_settlements"),
             band="cell_changed"),
    ),
    "cells_keep_their_size": (
        Measure("resized", "geo_cells", "cells", "have gained or lost a third and three settlements or more", _BOTH,
                "abs(new_n_settlements - old_n_settlements) > greatest(3, old_n_settlements / 3)", "cell_changed", _V,
                ("variant", "level"), ("variant", "cell_token", "n_settlements")),
    ),
}  # fmt: skip

_MEMBERS: Final = {
    "members_do_not_drop": (
        Measure("lost", "members", "members of variants", "are members no more", "in_old AND old_is_member",
                "NOT in_new OR NOT new_is_member", "member_lost", _V, ("variant", "cell"),
                ("variant", "qid", "reason", "cell_token")),
    ),
    "members_do_not_rise": (
        Measure("new", "members", "members of variants", "are new", "in_new AND new_is_member",
                "NOT in_old OR NOT old_is_member", "new", _V, ("variant", "cell"), ("variant", "qid", "cell_token")),
    ),
    "cells_are_stable": (
        _changed("recelled", "members", "members of variants", ("cell_token",), "lie in another cell",
                 band="cell_changed", dimensions=_V, key=("variant", "qid"),
                 population=f"{_BOTH} AND old_is_member AND new_is_member"),
    ),
    "splits_are_stable": (
        _changed("resplit", "members", "settlements in variants", ("split",), "are in another split", band="resplit",
                 dimensions=_V, key=("variant", "qid")),
    ),
}  # fmt: skip


def _dataset_measures(variant: str) -> dict[str, tuple[Measure, ...]]:
    """Return the measures of one variant's dataset."""
    texts, pictures = f"{variant}_texts", f"{variant}_images"
    of = f"settlements of {variant}"
    look = ("country", "class", "split")
    return {
        "rows_do_not_drop": (
            Measure("gone", variant, of, "are gone", "in_old", "NOT in_new", "member_lost", (), look,
                    ("qid", "label", "country_code")),
        ),
        "rows_per_country_do_not_drop": (
            Measure("gone_per_country", variant, of, "are gone", "in_old", "NOT in_new", "member_lost", _C, look,
                    ("qid", "label", "country_code"), is_total_judged=False),
        ),
        "rows_do_not_rise": (_new(variant, of, _C, look, ("qid", "label", "country_code")),),
        "texts_per_language_do_not_drop": (
            Measure("texts_lost", texts, "lead texts (of settlements that are still there)", "are gone",
                    "in_old AND old_is_kept", "NOT in_new", "coverage_lost", ("lang", "country"), ("lang", "country"),
                    ("qid", "lang", "country_code")),
        ),
        "pictures_do_not_drop": (
            Measure("pictures_lost", pictures, "pictures (of settlements that are still there)", "are gone",
                    "in_old AND old_is_kept", "NOT in_new", "coverage_lost", ("country", "property"),
                    ("country", "property"), ("qid", "file", "country_code")),
        ),
        "values_are_stable": (
            _changed("relabelled", variant, of, ("label",), "are called otherwise now", dimensions=_C),
            _changed("recountried", variant, of, ("country_code",), "lie in another country now", band="recountried",
                     dimensions=_C),
            _changed("reclassed", variant, of, ("class_qids",), "are of other classes now", band="reclassed"),
            Measure("moved", variant, of, f"lie more than {MOVED_KM:g} km away", _PLACED, _FAR, "moved", _C, look,
                    ("qid", "label", "lat_deg", "lon_deg")),
            _changed("retexted", texts, "lead texts", ("digest",), "are other texts now", band="retexted",
                     dimensions=_L, key=("qid", "lang")),
            _changed("repictured", pictures, "pictures", ("path",), "are other pictures now", band="repictured",
                     dimensions=_C, key=("qid", "file")),
        ),
        "credits_are_given": (
            Measure("no_credit", pictures, "pictures", "newly lack a licence or an author", "in_new",
                    "(new_licence IS NULL OR new_author IS NULL)"
                    " AND NOT coalesce(in_old AND (old_licence IS NULL OR old_author IS NULL), FALSE)", "missing", _C,
                    ("country", "property"), ("qid", "file", "licence", "author")),
        ),
        "splits_are_stable": (
            _changed("resplit", variant, of, ("split",), "are in another split", band="resplit"),
        ),
    }  # fmt: skip


_PER_TABLE: Final[dict[str, Mapping[str, tuple[Measure, ...]]]] = {
    "settlement_classes": _CLASSES,
    "candidates": _CANDIDATES,
    "facts": _FACTS,
    "settlements": _SETTLEMENTS,
    "rejections": _REJECTIONS,
    "summaries": _SUMMARIES,
    "images": _IMAGES,
    "eligible": _ELIGIBLE,
    "geo_cells": _GEO_CELLS,
    "members": _MEMBERS,
    **{variant: _dataset_measures(variant) for variant in VARIANTS},
}


def _together(*parts: tuple[str, str]) -> tuple[Measure, ...]:
    """Return the measures of (table, check) pairs, each named after its table too."""
    return tuple(
        replace(measure, name=f"{table}.{measure.name}")
        for table, check in parts
        for measure in _PER_TABLE[table][check]
    )


def _rest(table: str, *but: str) -> tuple[tuple[str, str], ...]:
    return tuple((table, check) for check in _PER_TABLE[table] if check not in but)


_BACK: Final = "revisions_do_not_go_back"
_DROPS: Final = ("rows_do_not_drop", "rows_per_country_do_not_drop", "rows_per_class_do_not_drop",
                 "coverage_does_not_drop")  # fmt: skip
_PER_TABLE["refresh"] = {
    "classes_are_stable": _together(*_rest("settlement_classes")),
    "candidates_are_stable": _together(*_rest("candidates", _BACK)),
    "facts_are_stable": _together(*_rest("facts", _BACK)),
    "settlements_do_not_drop": _together(*(("settlements", check) for check in _DROPS)),
    "settlements_are_stable": _together(*_rest("settlements", _BACK, *_DROPS)),
    "rejections_are_stable": _together(*_rest("rejections", _BACK)),
    "summaries_do_not_drop": _together(("summaries", "texts_do_not_drop")),
    "summaries_are_stable": _together(*_rest("summaries", _BACK, "texts_do_not_drop")),
    "images_do_not_drop": _together(("images", "pictures_do_not_drop")),
    "images_are_stable": _together(*_rest("images", "pictures_do_not_drop")),
    "revisions_do_not_go_back": _together(
        *((table, _BACK) for table in ("candidates", "facts", "settlements", "rejections", "summaries"))
    ),
}

MEASURES: Final = _PER_TABLE
"""Measures by table and check."""

CONTEXT: Final[dict[str, tuple[str, ...]]] = {
    "settlement_classes": ("candidates",),
    "candidates": ("settlement_classes",),
    "settlements": ("settlement_classes", "rejections"),
    "rejections": ("settlements",),
    "summaries": ("settlements",),
    "images": ("settlements",),
    "refresh": ("settlement_classes", "candidates", "facts", "settlements", "rejections", "summaries", "images"),
    **{f"{variant}/{task}_model": (variant,) for variant in TRAINED_VARIANTS for task in MODEL_TASKS},
}
"""Tables besides its own whose versions judging a table wants, of the same shard; missing ones explain nothing."""

assert set(_PER_TABLE) <= set(TABLES)
