"""The pictures of a diff: maps of what came, went and moved, and bars of both sides, as bytes of small PNGs."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from mlm_assets.geo.plots import bars_png, map_png
from mlm_assets.release.diff.report import Diff
from mlm_assets.release.diff.sides import WHOLE, Side, ask
from mlm_assets.release.diff.tallies import ALL
from mlm_assets.tables import IRLE_VARIANTS, VARIANTS

_MAX_COUNTRIES: Final = 12
_MAX_BEHIND: Final = 10_000
_COLOURS: Final = {"new": "#1f6f8b", "gone": "#d1495b", "moved": "#e08a1e"}


def drawings(connection: Any, diff: Diff, before: Side | None, after: Side) -> dict[str, bytes]:
    """Return the PNGs of a page by name; one that would show nothing is left out.

    The tables of `sides.lay_out` must be on `connection`.
    """
    found = {"settlements": _settlements(connection, diff), "variants": _variants(diff), "texts": _texts(diff)}
    if diff["base"] is not None:
        found["cells"] = _cells(connection, diff, before, after)
        found["countries"] = _countries(connection)
    return {name: png for name, png in found.items() if png is not None}


def _settlements(connection: Any, diff: Diff) -> bytes | None:
    rows = ask(
        connection,
        """
        SELECT CASE WHEN is_moved THEN 'moved' ELSE change END AS change,
            coalesce(lat_after_deg, lat_before_deg) AS lat_deg, coalesce(lon_after_deg, lon_before_deg) AS lon_deg
        FROM entity_changes WHERE variant = '' AND (change IN ('new', 'gone') OR is_moved)
        ORDER BY CAST(substr(qid, 2) AS BIGINT)
        """,
    )
    if not rows:
        return None
    lat, lon = [row["lat_deg"] for row in rows], [row["lon_deg"] for row in rows]
    if diff["base"] is None:
        return map_png(lat, lon, f"Settlements of {diff['release']}")
    title = f"Settlements that came, went and moved since {diff['base']}"
    labels = [row["change"] for row in rows]
    return map_png(lat, lon, title, labels, colours=_COLOURS, behind=_behind(connection, WHOLE))


def _behind(connection: Any, variant: str) -> tuple[list[float], list[float]]:
    """Return where the settlements of a variant lie, an even choice of them: the continents draw themselves."""
    rows = ask(
        connection,
        """
        SELECT lat_deg, lon_deg FROM entity_after
        WHERE variant = $variant ORDER BY md5(qid), qid LIMIT $n
        """,
        variant=variant,
        n=_MAX_BEHIND,
    )
    return [row["lat_deg"] for row in rows], [row["lon_deg"] for row in rows]


def _cells(connection: Any, diff: Diff, before: Side | None, after: Side) -> bytes | None:
    """Return a map of the cells of the first IRLE variant that are not the same: where their settlements lie."""
    variant = IRLE_VARIANTS[0]
    then = _centres(before.geo_cells if before is not None else None, variant)
    now = _centres(after.geo_cells, variant)
    gone = [token for token in then if token not in now]
    new = [token for token in now if token not in then]
    if not gone and not new:
        return None
    places = [*(then[token] for token in gone), *(now[token] for token in new)]
    labels = [*("gone" for _ in gone), *("new" for _ in new)]
    title = f"{variant}: geo-cells that changed since {diff['base']}"
    lat, lon = [lat for lat, _ in places], [lon for _, lon in places]
    return map_png(lat, lon, title, labels, colours=_COLOURS, behind=_behind(connection, variant))


def _centres(cells: Any, variant: str) -> dict[str, tuple[float, float]]:
    rows = [] if cells is None else cells.to_pylist()
    return {
        row["cell_token"]: (row["mean_lat_deg"], row["mean_lon_deg"])
        for row in sorted(rows, key=lambda row: row["cell_token"])
        if row["variant"] == variant
    }


def _variants(diff: Diff) -> bytes:
    both = [diff["counts"][variant]["entities"] for variant in VARIANTS]
    return _bars(diff, VARIANTS, both, "Settlements per variant")


def _texts(diff: Diff) -> bytes:
    languages = diff["texts"][ALL]
    return _bars(diff, list(languages), list(languages.values()), "Lead texts per language")


def _bars(diff: Diff, labels: Sequence[str], both: Sequence[Mapping[str, Any]], title: str) -> bytes:
    values = [one["after"] for one in both]
    if diff["base"] is None:
        return bars_png(labels, values, title)
    old = [one["before"] for one in both]
    return bars_png(labels, values, title, old, reference_label=diff["base"], label=diff["release"])


def _countries(connection: Any) -> bytes | None:
    """Return the countries with the most settlements new; beside them those that are gone."""
    rows = ask(
        connection,
        f"""
        SELECT
            coalesce(CASE WHEN change = 'new' THEN country_after ELSE country_before END, '?') AS country,
            count(*) FILTER (WHERE change = 'new') AS new, count(*) FILTER (WHERE change = 'gone') AS gone
        FROM entity_changes WHERE variant = '' AND change IN ('new', 'gone')
        GROUP BY country ORDER BY new + gone DESC, country LIMIT {_MAX_COUNTRIES}
        """,  # noqa: S608 (a constant)
    )
    if not rows:
        return None
    title = "New settlements per country, and those that are gone"
    gone = [row["gone"] for row in rows]
    return bars_png(
        [row["country"] for row in rows], [row["new"] for row in rows], title, gone, reference_label="gone", label="new"
    )
