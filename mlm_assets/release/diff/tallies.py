"""What is counted of the tables of `sides.lay_out`: per variant, and for the release as a whole (`ALL`)."""

from collections.abc import Mapping
from typing import Any, Final

from mlm_assets.release.diff.sides import WHOLE, Side, ask
from mlm_assets.tables import VARIANT_LANGUAGES, VARIANTS

ALL: Final = "all"
"""Name of the release as a whole where variants are keys."""
SPLITS: Final = ("train", "validation", "test")
ENTITY_EVENTS: Final = (
    *("new", "gone", "changed", "same", "renamed", "moved", "nudged", "reclassed", "other_country"),
    *("other_population", "other_cell"),
)
IMAGE_EVENTS: Final = (
    *("new", "published", "gone", "withheld", "replaced", "redrawn", "renamed", "renumbered", "same"),
)
TEXT_EVENTS: Final = ("new", "changed", "gone", "same")
_COUNTS: Final = ("entities", "summaries", "images", "images_withheld", "entities_without_image", "classes", "cells")
_MAX_VIOLATIONS: Final = 50


def counts(connection: Any, cells: Mapping[str, Any]) -> dict[str, Any]:
    """Return per variant what there is on both sides; pictures are those that are published."""
    sides = []
    for side, absent in (("before", "new"), ("after", "gone")):
        sides.append(
            _per_variant(
                ask(
                    connection,
                    f"""
                    WITH pictures AS (
                        SELECT variant, qid, count(*) FILTER (WHERE withheld IS NULL) AS n_out, count(*) AS n
                        FROM image_{side} GROUP BY variant, qid
                    ),
                    texts AS (
                        SELECT variant, count(*) AS n FROM text_changes WHERE change <> '{absent}' GROUP BY variant
                    ),
                    labels AS (
                        SELECT variant, count(DISTINCT label) AS n
                        FROM (SELECT variant, unnest(class_labels) AS label FROM entity_{side}) GROUP BY variant
                    )
                    SELECT
                        entity.variant, count(*) AS entities, any_value(texts.n) AS summaries,
                        sum(coalesce(n_out, 0)) AS images, sum(coalesce(pictures.n - n_out, 0)) AS images_withheld,
                        count(*) FILTER (WHERE coalesce(n_out, 0) = 0) AS entities_without_image,
                        any_value(labels.n) AS classes
                    FROM entity_{side} AS entity
                    LEFT JOIN pictures ON pictures.variant = entity.variant AND pictures.qid = entity.qid
                    LEFT JOIN texts ON texts.variant = entity.variant
                    LEFT JOIN labels ON labels.variant = entity.variant
                    GROUP BY entity.variant
                    """,  # noqa: S608 (constants)
                )
            )
        )
    then, now = sides
    found: dict[str, Any] = {}
    for variant in (ALL, *VARIANTS):
        old, new = then.get(variant, {}), now.get(variant, {})
        if variant in cells:
            old, new = {**old, "cells": cells[variant]["before"]}, {**new, "cells": cells[variant]["after"]}
        names = [name for name in _COUNTS if name != "cells" or variant in cells]
        found[variant] = {name: _both(int(old.get(name) or 0), int(new.get(name) or 0)) for name in names}
    return found


def entities(connection: Any) -> dict[str, Any]:
    """Return per variant what became of the settlements, and why those that are gone are."""
    events = _per_variant(
        ask(
            connection,
            """
            SELECT
                variant, count(*) FILTER (WHERE change = 'new') AS new, count(*) FILTER (WHERE change = 'gone') AS gone,
                count(*) FILTER (WHERE change = 'changed') AS changed, count(*) FILTER (WHERE change = 'same') AS same,
                count(*) FILTER (WHERE is_renamed) AS renamed, count(*) FILTER (WHERE is_moved) AS moved,
                count(*) FILTER (WHERE is_nudged) AS nudged, count(*) FILTER (WHERE is_reclassed) AS reclassed,
                count(*) FILTER (WHERE has_other_country) AS other_country,
                count(*) FILTER (WHERE has_other_population) AS other_population,
                count(*) FILTER (WHERE has_other_cell) AS other_cell
            FROM entity_changes GROUP BY variant
            """,
        )
    )
    fates: dict[str, dict[str, int]] = {}
    statement = "SELECT variant, fate, count(*) AS n FROM fates GROUP BY variant, fate ORDER BY n DESC, fate"
    for row in ask(connection, statement):
        fates.setdefault(_key(row["variant"]), {})[row["fate"]] = row["n"]
    return {
        variant: {
            **{event: events.get(variant, {}).get(event, 0) for event in ENTITY_EVENTS},
            "gone_by_fate": fates.get(variant, {}),
        }
        for variant in (ALL, *VARIANTS)
    }


def texts(connection: Any) -> dict[str, Any]:
    """Return per variant and language of it how many lead texts there are, and what became of them."""
    rows = ask(
        connection,
        """
        SELECT
            variant, lang, count(*) FILTER (WHERE change <> 'new') AS before,
            count(*) FILTER (WHERE change <> 'gone') AS after, count(*) FILTER (WHERE change = 'new') AS new,
            count(*) FILTER (WHERE change = 'changed') AS changed, count(*) FILTER (WHERE change = 'gone') AS gone,
            count(*) FILTER (WHERE change = 'same') AS same
        FROM text_changes GROUP BY variant, lang
        """,
    )
    counted = {(_key(row["variant"]), row["lang"]): row for row in rows}
    return {
        variant: {
            lang: {name: counted.get((variant, lang), {}).get(name, 0) for name in ("before", "after", *TEXT_EVENTS)}
            for lang in VARIANT_LANGUAGES["mlm_v2" if variant == ALL else variant]
        }
        for variant in (ALL, *VARIANTS)
    }


def images(connection: Any) -> dict[str, Any]:
    """Return per variant what became of the pictures that are published on either side."""
    rows = ask(
        connection,
        """
        SELECT
            variant, change, count(*) AS n
        FROM image_changes GROUP BY variant, change
        """,
    )
    counted = {(_key(row["variant"]), row["change"]): row["n"] for row in rows}
    return {
        variant: {event: counted.get((variant, event), 0) for event in IMAGE_EVENTS} for variant in (ALL, *VARIANTS)
    }


def splits(connection: Any) -> dict[str, Any]:
    """Return sizes of the splits on both sides, and the settlements that changed sides: there must be none."""
    rows = ask(
        connection,
        """
        SELECT
            variant, split, count(*) FILTER (WHERE side = 'before') AS before,
            count(*) FILTER (WHERE side = 'after') AS after
        FROM (
            SELECT variant, split, 'before' AS side FROM entity_before
            UNION ALL SELECT variant, split, 'after' AS side FROM entity_after
        ) GROUP BY variant, split
        """,
    )
    counted = {(_key(row["variant"]), row["split"]): row for row in rows}
    # Across variants too: what is train in one and test in another is as wrong.
    violations = ask(
        connection,
        """
        WITH pairs AS (
            SELECT DISTINCT past.qid, past.split AS before, now.split AS after
            FROM entity_before AS past JOIN entity_after AS now ON now.qid = past.qid
            WHERE now.split <> past.split
        )
        SELECT qid, before, after FROM pairs ORDER BY CAST(substr(qid, 2) AS BIGINT), before, after
        """,
    )
    return {
        "sizes": {
            variant: {
                split: _both(*(counted.get((variant, split), {}).get(side, 0) for side in ("before", "after")))
                for split in SPLITS
            }
            for variant in (ALL, *VARIANTS)
        },
        "n_violations": len({row["qid"] for row in violations}),
        "violations": violations[:_MAX_VIOLATIONS],
    }


def licences(connection: Any, before: Side | None, after: Side) -> dict[str, Any]:
    """Return published files of Commons per licence, and withheld ones per reason, each file once.

    A side whose rights nobody has decided (`attribution`) has none.
    """
    sides: dict[str, Any] = {}
    for side, known in (("before", before), ("after", after)):
        sides[side] = {"images_per_licence": {}, "withheld": {}}
        if known is None or known.attribution is None:
            continue
        rows = ask(
            connection,
            f"""
            SELECT licence, withheld, count(DISTINCT file) AS n FROM image_{side} WHERE variant = ''
            GROUP BY licence, withheld
            """,  # noqa: S608 (a constant)
        )
        licences: dict[str, int] = {}
        reasons: dict[str, int] = {}
        for row in rows:
            where, name = (licences, row["licence"]) if row["withheld"] is None else (reasons, row["withheld"])
            where[name] = where.get(name, 0) + row["n"]
        sides[side] = {"images_per_licence": licences, "withheld": reasons}
    return {
        name: {
            key: _both(sides["before"][name].get(key), sides["after"][name].get(key))
            for key in sorted({*sides["before"][name], *sides["after"][name]})
        }
        for name in ("images_per_licence", "withheld")
    }


def _key(variant: str) -> str:
    return ALL if variant == WHOLE else variant


def _per_variant(rows: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {_key(row.pop("variant")): row for row in rows}


def _both(before: Any, after: Any) -> dict[str, Any]:
    old, new = before or 0, after or 0
    return {"before": old, "after": new, "change": new - old}
