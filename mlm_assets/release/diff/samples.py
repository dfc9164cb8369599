"""The few examples that a diff shows: settlements, texts word by word, pictures. Bounded, and the same every time.

Nothing that was taken back is among them, and no picture that is withheld on its side.
"""

from typing import Any, Final

from mlm_assets.release.diff.sides import Side, ask
from mlm_assets.release.diff.words import changed_words
from mlm_assets.tables import LANGUAGES

N_ENTITIES: Final = 12
N_TEXTS: Final = 8
N_IMAGES: Final = 6

_FACTS: Final = (
    "qid, fate, target_qid, label_before, label_after, lat_before_deg, lon_before_deg, lat_after_deg, lon_after_deg, "
    "round(distance_km, 3) AS distance_km, class_qids_before, class_qids_after, country_before, country_after, "
    "population_before, population_after, revision_before, revision_after"
)
_BY_SIZE: Final = "coalesce(population_after, population_before) DESC NULLS LAST, CAST(substr(qid, 2) AS BIGINT)"
_ENTITIES: Final = {
    "new": ("change = 'new'", _BY_SIZE),
    "gone": ("change = 'gone'", _BY_SIZE),
    "moved": ("is_moved", "distance_km DESC, CAST(substr(qid, 2) AS BIGINT)"),
    "reclassed": ("is_reclassed", _BY_SIZE),
    "renamed": ("is_renamed", _BY_SIZE),
}


def samples(connection: Any, before: Side | None, after: Side) -> dict[str, Any]:
    """Return examples of what changed: `entities` by event, `texts`, `images` by event.

    The tables of `sides.lay_out` must be on `connection`.
    """
    _hide(connection, after)
    entities = {
        # There is no base to be new against: in a first release everything would be an example.
        event: [] if before is None else _entities(connection, condition, order)
        for event, (condition, order) in _ENTITIES.items()
    }
    return {"entities": entities, "texts": _texts(connection), "images": _images(connection, before, after)}


def _hide(connection: Any, after: Side) -> None:
    import pyarrow as pa

    connection.register("hidden_items", pa.table({"qid": pa.array(list(after.taken_items), pa.string())}))
    connection.register("hidden_files", pa.table({"file": pa.array(list(after.taken_files), pa.string())}))


def _entities(connection: Any, condition: str, order: str) -> list[dict[str, Any]]:
    statement = f"""
        SELECT {_FACTS} FROM entity_changes
        WHERE variant = '' AND {condition} AND qid NOT IN (SELECT qid FROM hidden_items)
        ORDER BY {order} LIMIT {N_ENTITIES}
    """  # noqa: S608 (constants)
    return ask(connection, statement)


def _texts(connection: Any) -> list[dict[str, Any]]:
    """Return changed texts, of as many languages as possible, with the words that changed."""
    chosen = ask(
        connection,
        f"""
        WITH ranked AS (
            SELECT qid, lang, row_number() OVER (PARTITION BY lang ORDER BY md5(qid || lang), qid) AS place
            FROM text_changes
            WHERE variant = '' AND change = 'changed' AND qid NOT IN (SELECT qid FROM hidden_items)
        )
        SELECT qid, lang FROM ranked ORDER BY place, list_position($languages, lang) LIMIT {N_TEXTS}
        """,  # noqa: S608 (a constant)
        languages=list(LANGUAGES),
    )
    qids = sorted({row["qid"] for row in chosen})
    then, now = (_full_texts(connection, side, qids) for side in ("before", "after"))
    found = []
    for row in chosen:
        old, new = then[row["qid"], row["lang"]], now[row["qid"], row["lang"]]
        found.append(
            {
                "qid": row["qid"],
                "lang": row["lang"],
                "title": new["title"],
                "revision_before": old["revision"],
                "revision_after": new["revision"],
                "n_characters_before": len(old["text"]),
                "n_characters_after": len(new["text"]),
                "words": [list(part) for part in changed_words(old["text"], new["text"])],
            }
        )
    return found


def _full_texts(connection: Any, side: str, qids: list[str]) -> dict[tuple[str, str], dict[str, Any]]:
    if not qids:
        return {}
    rows = ask(
        connection,
        f"SELECT qid, summaries FROM rows_{side} WHERE qid IN (SELECT unnest($qids)) ORDER BY qid, variant",  # noqa: S608
        qids=qids,
    )
    return {(row["qid"], text["lang"]): text for row in rows for text in row["summaries"]}


def _images(connection: Any, before: Side | None, after: Side) -> dict[str, list[dict[str, Any]]]:
    found = {}
    for event in ("new", "replaced", "gone"):
        rows = ask(
            connection,
            f"""
            SELECT change.qid, change.file, change.path_before, change.path_after,
                coalesce(now.licence, past.licence) AS licence, coalesce(now.author, past.author) AS author,
                now.licence_url, now.credit,
                past.licence AS licence_before, past.licence_url AS licence_url_before,
                past.author AS author_before, past.credit AS credit_before,
                coalesce(entity.label_after, entity.label_before) AS label
            FROM image_changes AS change
            JOIN entity_changes AS entity ON entity.variant = '' AND entity.qid = change.qid
            LEFT JOIN image_after AS now ON now.variant = '' AND now.qid = change.qid AND now.file = change.file
            LEFT JOIN image_before AS past ON past.variant = '' AND past.qid = change.qid AND past.file = change.file
            WHERE change.variant = '' AND change.change = '{event}'
                AND change.qid NOT IN (SELECT qid FROM hidden_items)
                AND change.file NOT IN (SELECT file FROM hidden_files)
            ORDER BY md5(change.qid || change.file), change.qid, change.file LIMIT {N_IMAGES}
            """,  # noqa: S608 (constants)
        )
        # What left Commons, or a settlement, is named and not shown: it may have been deleted for a reason.
        found[event] = [] if before is None and event != "new" else rows
    # Rights are decided by `attribution`; without it nobody has said that a picture may be shown.
    return found if after.attribution is not None else {event: [] for event in found}
