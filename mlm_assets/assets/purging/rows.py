"""What a table is without an item or a file: pure, from rows to rows.

Rows of an item go from every table that has them. A file's row in `images` stays, as taken down; the file goes from the
records of its settlements, and a settlement that is left without a picture leaves the variant, as a refresh would have
decided. Nothing else is decided anew: quotas and geo-cells stay as they were cut, or models and scores of the release
would no longer be its own.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from mlm_assets.assets.purging.plan import Plan
from mlm_assets.ml.assembly import picture_key
from mlm_assets.resources.takedowns import ITEM, TAKEN_DOWN
from mlm_assets.tables import IRLE_VARIANTS, TABLES, VARIANTS

Blocks = Mapping[str, tuple[str, Any]]
"""Of the feature store: name of a rewritten block and the rows that it kept, by its old name."""

_NO_IMAGE: Final = "no_image_downloaded"
_SVG_ONLY: Final = "svg_only"
_OF_FEATURES: Final = {"image_features": "picture", "text_features": "text_sha256", "class_features": "label_sha256"}
_KEPT_OF_FILES: Final = ("qid", "image_index", "property", "file")
_DECIMALS: Final = 7


@dataclass(frozen=True)
class Around:
    """What the rows of a release's tables are judged by: its pinned pictures, and its members and places as purged.

    `images` are the rows of all pinned versions of `images` before the purge. `eligible`, `members` and
    `members_before` are None until they are known.
    """

    images: Any = None
    eligible: Any = None
    members: Any = None
    members_before: Any = None
    blocks: Blocks = field(default_factory=dict)


def without(table: str, rows: Any, plan: Plan, around: Around) -> Any:
    """Return the rows of a version of `table` without what the plan names; the same object where nothing has to go."""
    if table in _OF_FEATURES:
        return _features(table, rows, plan, around.blocks)
    if table == "geo_cells":
        return _cells(rows, around)
    if plan.kind == ITEM:
        return _without_item(table, rows, plan)
    makers = {"images": _images, "attribution": _without_files, "eligible": _eligible, "members": _members}
    maker = _records if table in VARIANTS else makers.get(table)
    return maker(rows, plan, around) if maker is not None else rows


def _without_item(table: str, rows: Any, plan: Plan) -> Any:
    import pyarrow.compute as pc

    if "qid" not in TABLES[table].column_names:
        return rows
    kept = rows.filter(pc.not_equal(rows["qid"], plan.target))
    return kept if kept.num_rows < rows.num_rows else rows


def _is_of_files(rows: Any, plan: Plan) -> Any:
    """Return for each row of a table of files whether it is one of those that go."""
    import pyarrow as pa
    import pyarrow.compute as pc

    by_name = pc.is_in(rows["file"], pa.array(list(plan.files), pa.string()))
    by_hash = pc.is_in(rows["file_sha1"], pa.array(list(plan.sha1s), pa.string()))
    return pc.or_(by_name, by_hash)


def _images(rows: Any, plan: Plan, _: Around) -> Any:
    """Leave a row of which nothing is known but that the file was taken down."""
    import pyarrow as pa
    import pyarrow.compute as pc

    gone = pc.and_(_is_of_files(rows, plan), pc.not_equal(rows["status"], TAKEN_DOWN))
    if not pc.any(gone).as_py():
        return rows
    fixed = {"status": TAKEN_DOWN, "is_svg": False}
    columns = {}
    for name in rows.column_names:
        column = rows[name]
        if name not in _KEPT_OF_FILES:
            column = pc.if_else(gone, pa.scalar(fixed.get(name), column.type), column)
        columns[name] = column
    return pa.table(columns, schema=rows.schema)


def _without_files(rows: Any, plan: Plan, _: Around) -> Any:
    import pyarrow.compute as pc

    gone = pc.fill_null(_is_of_files(rows, plan), False)
    return rows.filter(pc.invert(gone)) if pc.any(gone).as_py() else rows


def _records(rows: Any, plan: Plan, _: Around) -> Any:
    """Take the file out of the records of a variant; one that is left without a picture goes."""
    import pyarrow as pa

    files, sha1s, owners = set(plan.files), set(plan.sha1s), set(plan.owners)
    places = [place for place, qid in enumerate(rows["qid"].to_pylist()) if qid in owners]
    column = rows["images"]
    changed: dict[int, list[dict[str, Any]]] = {}
    for place in places:
        images = column[place].as_py()
        left = [one for one in images if one["file"] not in files and one["file_sha1"] not in sha1s]
        if len(left) < len(images):
            changed[place] = left
    if not changed:
        return rows
    lists = [changed.get(place, one) for place, one in enumerate(column.to_pylist())]
    purged = rows.set_column(
        rows.column_names.index("images"), rows.schema.field("images"), pa.array(lists, column.type)
    )
    return purged.filter(pa.array([bool(one) for one in lists]))


def _eligible(rows: Any, plan: Plan, around: Around) -> Any:
    """Count the pictures of the owners again; one that has none left is out for that reason."""
    import pyarrow as pa

    left = _pictures_left(plan, around.images)
    records = rows.to_pylist()
    is_changed = False
    for row in records:
        if row["qid"] not in left:
            continue
        n_any, n_raster = left[row["qid"]]
        n_images = n_raster if row["variant"] in IRLE_VARIANTS else n_any
        reason = _reason_of(row["reason"], n_any, n_images)
        is_changed = is_changed or (n_images, reason) != (row["n_images"], row["reason"])
        row |= {"n_images": n_images, "reason": reason}
    return pa.Table.from_pylist(records, schema=rows.schema) if is_changed else rows


def _pictures_left(plan: Plan, images: Any) -> dict[str, tuple[int, int]]:
    """Return per owner how many stored pictures it keeps: of any kind, and without drawings."""
    if images is None:
        return {}
    files, sha1s = set(plan.files), set(plan.sha1s)
    left = {qid: [0, 0] for qid in plan.owners}
    for row in images.select(["qid", "file", "file_sha1", "status", "is_svg"]).to_pylist():
        is_gone = row["file"] in files or row["file_sha1"] in sha1s
        if row["qid"] in left and row["status"] == "ok" and not is_gone:
            left[row["qid"]][0] += 1
            left[row["qid"]][1] += not row["is_svg"]
    return {qid: (n_any, n_raster) for qid, (n_any, n_raster) in left.items()}


def _reason_of(reason: str | None, n_any: int, n_images: int) -> str | None:
    """Return the first rule that keeps a settlement out, now that it has so many pictures; texts come before them."""
    if n_images or reason in ("no_article", "no_summary"):
        return reason
    return _NO_IMAGE if n_any == 0 else _SVG_ONLY


def _members(rows: Any, plan: Plan, around: Around) -> Any:
    """Put out whoever is out by the purged `eligible`."""
    import pyarrow as pa

    if around.eligible is None:
        return rows
    owners = set(plan.owners)
    judged = around.eligible.select(["variant", "qid", "reason"]).to_pylist()
    out = {(row["variant"], row["qid"]): row["reason"] for row in judged if row["qid"] in owners}
    records = rows.to_pylist()
    is_changed = False
    for row in records:
        reason = out.get((row["variant"], row["qid"]))
        if reason in (_NO_IMAGE, _SVG_ONLY) and row["reason"] != reason:
            row |= {"is_member": False, "reason": reason, "cell_token": None, "class_id": None}
            is_changed = True
    return pa.Table.from_pylist(records, schema=rows.schema) if is_changed else rows


def _cells(rows: Any, around: Around) -> Any:
    """Count the cells that somebody left again; one that nobody is left in goes, and the numbers of the others stay."""
    import pyarrow as pa

    if around.members is None or around.members_before is None:
        return rows
    before, after = _per_cell(around.members_before), _per_cell(around.members)
    left = {cell for cell in before if after.get(cell, []) != before[cell]}
    if not left:
        return rows
    places = {
        (row["variant"], row["qid"]): (row["lat_deg"], row["lon_deg"])
        for row in around.eligible.select(["variant", "qid", "lat_deg", "lon_deg"]).to_pylist()
    }
    kept = []
    for row in rows.to_pylist():
        cell = (row["variant"], row["cell_token"])
        inside = after.get(cell, [])
        if cell in left and inside:
            lat, lon = _mean([places[cell[0], qid] for qid in inside])
            row |= {"n_settlements": len(inside), "mean_lat_deg": lat, "mean_lon_deg": lon}
        if cell not in left or inside:
            kept.append(row)
    return pa.Table.from_pylist(kept, schema=rows.schema)


def _per_cell(members: Any) -> dict[tuple[str, str], list[str]]:
    found: dict[tuple[str, str], list[str]] = {}
    for row in members.select(["variant", "qid", "cell_token"]).to_pylist():
        if row["cell_token"] is not None:
            found.setdefault((row["variant"], row["cell_token"]), []).append(row["qid"])
    return found


def _mean(places: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """Return the mean position by the mean of unit vectors, in degrees."""
    x = y = z = 0.0
    for lat, lon in places:
        x += math.cos(math.radians(lat)) * math.cos(math.radians(lon))
        y += math.cos(math.radians(lat)) * math.sin(math.radians(lon))
        z += math.sin(math.radians(lat))
    lat, lon = math.degrees(math.atan2(z, math.hypot(x, y))), math.degrees(math.atan2(y, x))
    return round(lat, _DECIMALS) + 0.0, round(lon, _DECIMALS) + 0.0


def _features(table: str, rows: Any, plan: Plan, blocks: Blocks) -> Any:
    """Leave out vectors that go, and say where those lie now that shared a block with them."""
    import numpy as np
    import pyarrow as pa

    gone = forgotten_keys(plan) if table != "class_features" else set()
    records = rows.to_pylist()
    kept = []
    for row in records:
        if row[_OF_FEATURES[table]] in gone:
            continue
        if row["block"] in blocks:
            new, places = blocks[row["block"]]
            row |= {"block": new, "block_row": int(np.searchsorted(places, row["block_row"]))}
        kept.append(row)
    is_changed = kept != rows.to_pylist()
    return pa.Table.from_pylist(kept, schema=rows.schema) if is_changed else rows


def forgotten_keys(plan: Plan) -> set[str]:
    """Return the keys of the feature stores whose vectors go."""
    return {picture_key(path) for path in plan.paths} | set(plan.texts)
