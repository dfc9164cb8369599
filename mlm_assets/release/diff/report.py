"""The diff of two releases as one dict: what `diff.json` holds, and what page, notes and table are made from.

Its keys are documented in docs/releases.md. Every list in it is bounded; full lists of settlements are the rows of
`entity_rows`. The same two sides give the same dict.
"""

from collections.abc import Mapping
from typing import Any, Final

from mlm_assets.release.diff import samples
from mlm_assets.release.diff.cells import cell_changes
from mlm_assets.release.diff.scores import score_changes
from mlm_assets.release.diff.sides import MOVED_KM, WHOLE, Side, ask, lay_out
from mlm_assets.tables import VARIANT_LANGUAGES, VARIANTS

DIFF_VERSION: Final = 1
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

Diff = dict[str, Any]


def compare(connection: Any, before: Side | None, after: Side) -> Diff:
    """Return what changed from `before` to `after`; `before` is None for the first release.

    `connection` is a DuckDB connection of its own, in memory; the tables of `sides.lay_out` stay on it, and
    `entity_rows` reads them.
    """
    lay_out(connection, before, after)
    cells = cell_changes(_rows(before and before.geo_cells), _rows(after.geo_cells))
    found: Diff = {
        "diff_version": DIFF_VERSION,
        "release": after.release,
        "base": before.release if before is not None else None,
        "moved_km": MOVED_KM,
        "counts": _counts(connection, cells),
        "entities": _entities(connection),
        "texts": _texts(connection),
        "images": _images(connection),
        "cells": cells,
        "splits": _splits(connection),
        "scores": score_changes(_scores(before), _scores(after)),
        "licences": _licences(connection, before, after),
        "settings": _settings(before, after),
        "approvals": [dict(row) for row in after.approvals],
        "taken_back": {"items": len(after.taken_items), "files": len(after.taken_files)},
        "rights_decided": {"before": before is None or before.attribution is not None,
                           "after": after.attribution is not None},
    }  # fmt: skip
    found["samples"] = samples.samples(connection, before, after)
    return found


def entity_rows(connection: Any) -> Any:
    """Return every settlement that is not the same, per variant, as a pyarrow table: `diff/entities.parquet`.

    Columns are those of `sql/diff/entity_changes.sql`; variant `all` is the release as a whole.
    """
    statement = f"""
        SELECT
            CASE variant WHEN '' THEN '{ALL}' ELSE variant END AS variant, qid, change, fate, target_qid,
            -- What was taken back is counted, and told no more.
            CASE WHEN qid NOT IN (SELECT qid FROM taken_back) THEN label_before END AS label_before,
            CASE WHEN qid NOT IN (SELECT qid FROM taken_back) THEN label_after END AS label_after,
            lat_before_deg, lon_before_deg, lat_after_deg, lon_after_deg, distance_km,
            class_qids_before, class_qids_after, country_before, country_after, population_before, population_after,
            cell_before, cell_after, split_before, split_after, revision_before, revision_after,
            is_renamed, is_moved, is_nudged, is_reclassed, has_other_country, has_other_population, has_other_cell,
            has_other_split, n_texts_new, n_texts_changed, n_texts_gone, n_images_new, n_images_changed, n_images_gone
        FROM entity_changes WHERE change <> 'same' ORDER BY entity_changes.variant, CAST(substr(qid, 2) AS BIGINT)
    """  # noqa: S608 (a constant)
    return connection.sql(statement).to_arrow_table()


def table_rows(diff: Diff) -> Any:
    """Return the figures of a diff as rows of the table `release_diff`; what happened is counted under `after`."""
    import pyarrow as pa

    rows: list[tuple[str, str, str, float | None, float | None]] = []
    for variant, counts in diff["counts"].items():
        rows += [("counts", variant, item, both["before"], both["after"]) for item, both in counts.items()]
    for variant, events in diff["entities"].items():
        rows += [("entities", variant, event, None, events[event]) for event in ENTITY_EVENTS]
        rows += [("entities", variant, f"gone: {fate}", None, n) for fate, n in events["gone_by_fate"].items()]
    for variant, languages in diff["texts"].items():
        for lang, events in languages.items():
            rows.append(("texts", variant, lang, events["before"], events["after"]))
            rows += [("texts", variant, f"{lang} {event}", None, events[event]) for event in TEXT_EVENTS]
    for variant, events in diff["images"].items():
        rows += [("images", variant, event, None, events[event]) for event in IMAGE_EVENTS]
    for variant, events in diff["cells"].items():
        rows += [
            ("cells", variant, event, None, n)
            for event, n in events.items()
            if event not in ("before", "after", "tokens")
        ]
    rows += _rows_of_both("splits", diff["splits"]["sizes"])
    rows.append(("splits", ALL, "changed_sides", None, diff["splits"]["n_violations"]))
    for variant, scores in diff["scores"].items():
        rows += [
            ("scores", variant, f"{one['section']} {one['model']} {one['direction']} {one['figure']}",
             _value(one["before"]), _value(one["after"]))
            for one in scores
        ]  # fmt: skip
    rows += _rows_of_both("licences", {ALL: {**diff["licences"]["images_per_licence"]}})
    withheld = {f"withheld: {reason}": both for reason, both in diff["licences"]["withheld"].items()}
    rows += _rows_of_both("licences", {ALL: withheld})
    is_first = diff["base"] is None
    return pa.Table.from_pylist(
        [
            {
                "section": section, "variant": "" if variant == ALL else variant, "item": item,
                "before": None if is_first else before, "after": after, "base": diff["base"] or "",
            }
            for section, variant, item, before, after in rows
        ],
        schema=pa.schema(
            [("section", pa.string()), ("variant", pa.string()), ("item", pa.string()), ("before", pa.float64()),
             ("after", pa.float64()), ("base", pa.string())]
        ),
    )  # fmt: skip


def _rows_of_both(section: str, parts: Mapping[str, Mapping[str, Any]]) -> list[tuple[str, str, str, Any, Any]]:
    return [
        (section, variant, item, both["before"], both["after"])
        for variant, items in parts.items()
        for item, both in items.items()
    ]


def _value(figures: Mapping[str, Any] | None) -> float | None:
    return None if figures is None else figures["value"]


def _rows(table: Any) -> list[dict[str, Any]]:
    return [] if table is None else list(table.to_pylist())


def _scores(side: Side | None) -> dict[str, list[dict[str, Any]]]:
    return {} if side is None else {variant: _rows(rows) for variant, rows in side.scores.items()}


def _key(variant: str) -> str:
    return ALL if variant == WHOLE else variant


def _per_variant(rows: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {_key(row.pop("variant")): row for row in rows}


def _both(before: Any, after: Any) -> dict[str, Any]:
    old, new = before or 0, after or 0
    return {"before": old, "after": new, "change": new - old}


def _counts(connection: Any, cells: Mapping[str, Any]) -> dict[str, Any]:
    """Return per variant what there is on both sides; pictures are those that are published."""
    sides = []
    for side in ("before", "after"):
        sides.append(
            _per_variant(
                ask(
                    connection,
                    f"""
                    WITH pictures AS (
                        SELECT variant, qid, count(*) FILTER (WHERE withheld IS NULL) AS n_out, count(*) AS n
                        FROM image_{side} GROUP BY variant, qid
                    ),
                    texts AS (SELECT variant, count(*) AS n FROM text_{side} GROUP BY variant),
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


def _entities(connection: Any) -> dict[str, Any]:
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


def _texts(connection: Any) -> dict[str, Any]:
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


def _images(connection: Any) -> dict[str, Any]:
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


def _splits(connection: Any) -> dict[str, Any]:
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


def _licences(connection: Any, before: Side | None, after: Side) -> dict[str, Any]:
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


def _settings(before: Side | None, after: Side) -> dict[str, Any]:
    if before is None:
        return {}
    names = sorted({*before.parameters, *after.parameters})
    return {
        name: {"before": before.parameters.get(name), "after": after.parameters.get(name)}
        for name in names
        if before.parameters.get(name) != after.parameters.get(name)
    }
