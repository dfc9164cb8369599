"""The diff of two releases as one dict: what `diff.json` holds, and what page, notes and table are made from.

Its keys are documented in docs/releases.md. Every list in it is bounded; full lists of settlements are the rows of
`entity_rows`. The same two sides give the same dict.
"""

from collections.abc import Mapping
from typing import Any, Final

from mlm_assets.release.diff import samples, tallies
from mlm_assets.release.diff.cells import cell_changes
from mlm_assets.release.diff.scores import score_changes
from mlm_assets.release.diff.sides import MOVED_KM, Side, lay_out
from mlm_assets.release.diff.tallies import ALL, ENTITY_EVENTS, IMAGE_EVENTS, TEXT_EVENTS

DIFF_VERSION: Final = 1
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
        "counts": tallies.counts(connection, cells),
        "entities": tallies.entities(connection),
        "texts": tallies.texts(connection),
        "images": tallies.images(connection),
        "cells": cells,
        "splits": tallies.splits(connection),
        "scores": score_changes(_scores(before), _scores(after)),
        "licences": tallies.licences(connection, before, after),
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


def _settings(before: Side | None, after: Side) -> dict[str, Any]:
    if before is None:
        return {}
    names = sorted({*before.parameters, *after.parameters})
    return {
        name: {"before": before.parameters.get(name), "after": after.parameters.get(name)}
        for name in names
        if before.parameters.get(name) != after.parameters.get(name)
    }
