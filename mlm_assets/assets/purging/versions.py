"""Purged versions and their names: every version without what goes, and its new name wherever the old one stood.

A version is named by its bytes, so that a purged one has another name. Whoever refers to it (pointers, histories,
audits, manifests, inputs of what follows) is told, or nothing would be current, traceable or fit for a release any
more. First everything is written, then every reference is turned, then the old files go.
"""

import gzip
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

from mlm_assets.assets.purging.plan import Plan, place_of, written_versions
from mlm_assets.assets.purging.rows import Around, Blocks, without
from mlm_assets.resources.lake import Lake, Version, arrow_schema, conform
from mlm_assets.tables import TABLES, VARIANTS

Say = Callable[[str], Any]
_PLAIN: Final = ("attribution", *VARIANTS)
"""Tables of a release that are purged row by row, knowing nothing of the others."""
_RECORDS: Final = ("accepted", "acceptances", "audits")


def write_purged(lake: Lake, plan: Plan, blocks: Blocks, say: Say) -> Plan:
    """Write every version that holds something of the target anew without it; return the plan with the new names."""
    names: dict[str, dict[str, str]] = {}
    n_rows: dict[str, int] = {}

    def purge(version: Version, around: Around) -> None:
        rows = lake.read(version)
        keep(version, without(version.table, rows, plan, around))

    def keep(version: Version, rows: Any) -> None:
        if rows.equals(lake.read(version)):
            return
        written = lake.write(version.table, version.partition, _complete(version.table, rows))
        if written.version != version.version:
            names.setdefault(place_of(version.table, version.partition), {})[version.version] = written.version
            n_rows[written.version] = written.n_rows

    everything = list(written_versions(lake))
    of_shards = [one for one in everything if "release" not in TABLES[one.table].partitioned_by]
    for version in of_shards:
        purge(version, Around(blocks=blocks))
    say(f"{len(n_rows):,} versions of shards are written without {plan.target}")
    for release in sorted({one.partition for one in everything if one not in of_shards}):
        own = [one for one in everything if one not in of_shards and one.partition == release]
        _of_a_release(lake, own, names, n_rows, purge, keep)
    say(f"{len(n_rows):,} versions in all are written without {plan.target}")
    return replace(plan, versions=names, n_rows=n_rows, step="written")


def _of_a_release(
    lake: Lake,
    own: list[Version],
    names: Mapping[str, Mapping[str, str]],
    n_rows: Mapping[str, int],
    purge: Callable[[Version, Around], None],
    keep: Callable[[Version, Any], None],
) -> None:
    """Write the tables of one release anew, each judged by the accepted ones that it hangs on."""
    release = own[0].partition

    def each(work: Callable[[Version], None], *tables: str) -> None:
        for table in tables:
            for version in own:
                if version.table == table:
                    work(version)

    around = Around(images=_pinned_images(lake, release))
    each(lambda one: purge(one, around), "eligible")
    judged = Around(eligible=_accepted_rows(lake, "eligible", release, names))
    each(lambda one: purge(one, judged), "members")
    settled = replace(
        judged,
        members=_accepted_rows(lake, "members", release, names),
        members_before=_accepted_rows(lake, "members", release, {}),
    )
    each(lambda one: purge(one, settled), "geo_cells")
    each(lambda one: purge(one, Around()), *_PLAIN)
    counted = lake.accepted("dataset_statistics", release)
    if counted is not None:
        keep(counted, _statistics(lake, counted, names))
    each(lambda one: keep(one, _renamed_rows(lake.read(one), names, n_rows)), "refresh", "approvals")


def _complete(table: str, rows: Any) -> Any:
    """Return rows with the columns of today's registry; those that an older version lacks are null."""
    import pyarrow as pa

    for field in arrow_schema(table):
        if field.name not in rows.column_names:
            rows = rows.append_column(field, pa.nulls(rows.num_rows, field.type))
    return conform(TABLES[table], rows)


def _accepted_rows(lake: Lake, table: str, partition: str, names: Mapping[str, Mapping[str, str]]) -> Any:
    """Return the rows of the accepted version of a table, as purged."""
    accepted = lake.accepted(table, partition)
    return lake.read(_new(accepted, names)) if accepted is not None else None


def _new(version: Version, names: Mapping[str, Mapping[str, str]]) -> Version:
    mine = names.get(place_of(version.table, version.partition), {})
    return Version(version.table, version.partition, mine.get(version.version, version.version), -1)


def _pinned_images(lake: Lake, release: str) -> Any:
    """Return the rows of the versions of `images` that a release pins, as far as they are kept; None without any."""
    import pyarrow as pa

    refresh = lake.accepted("refresh", release)
    rows = lake.read(refresh).to_pylist() if refresh is not None else []
    pinned = [Version("images", row["partition"], row["value"], -1) for row in rows if row["name"] == "images"]
    tables = [lake.read(one) for one in pinned if lake.exists(one.path)]
    return pa.concat_tables(tables, promote_options="default") if tables else None


def _statistics(lake: Lake, version: Version, names: Mapping[str, Mapping[str, str]]) -> Any:
    """Return the statistics of a release, counted again in its purged variants."""
    from mlm_assets.assets.datasets import statistics_rows

    accepted = {name: lake.accepted(name, version.partition) for name in (*VARIANTS, "geo_cells")}
    if any(one is None for one in accepted.values()):
        return lake.read(version)
    return statistics_rows(lake, {name: [_new(one, names)] for name, one in accepted.items() if one is not None})


def _renamed_rows(rows: Any, names: Mapping[str, Mapping[str, str]], n_rows: Mapping[str, int]) -> Any:
    """Return the rows of a manifest, or of approvals, with the new names of versions and the rows that they have."""
    import pyarrow as pa

    is_manifest = "value" in rows.column_names
    table, column = ("name", "value") if is_manifest else ("table_name", "version")
    records = rows.to_pylist()
    for row in records:
        mine = names.get(place_of(row[table], row["partition"]), {})
        if row[column] in mine:
            row[column] = mine[row[column]]
            if is_manifest:
                row["n_rows"] = n_rows[row[column]]
    return pa.Table.from_pylist(records, schema=rows.schema)


def turn_records(lake: Lake, plan: Plan) -> int:
    """Give purged versions their new names in pointers, histories and audits; return how many files changed.

    Rows of the target that checks have shown as samples go with it.
    """
    n_changed = 0
    for path in _json_files(lake):
        data = lake.read_bytes(path)
        is_packed = path.endswith(".gz")
        said = json.loads(gzip.decompress(data) if is_packed else data)
        turned = turned_record(said, plan)
        if turned != said:
            indent = None if is_packed else 1
            text = json.dumps(turned, indent=indent, ensure_ascii=False).encode()
            lake.write_bytes(path, gzip.compress(text, mtime=0) if is_packed else text)
            n_changed += 1
    return n_changed


def turned_record(said: Any, plan: Plan) -> Any:
    """Return a record (plain data) with the new names of versions, and without samples that show the target."""
    new = {old: name for mine in plan.versions.values() for old, name in mine.items()}
    traces = plan.traces

    def shows(one: Any) -> bool:
        return isinstance(one, dict) and traces.in_value(one)

    def turn(one: Any) -> Any:
        if isinstance(one, dict):
            turned = {key: turn(value) for key, value in one.items()}
            name = one.get("version")
            if name in new and "n_rows" in one:
                turned["n_rows"] = plan.n_rows[new[name]]
            if "sample" in one and isinstance(one["sample"], list):
                turned["sample"] = [turn(row) for row in one["sample"] if not shows(row)]
            return turned
        if isinstance(one, list):
            return [turn(value) for value in one]
        if isinstance(one, str):
            if one in new:
                return new[one]
            parts = one.split("/")
            return "/".join(new.get(part, part) for part in parts) if len(parts) > 1 else one
        return one

    return turn(said)


def _json_files(lake: Lake) -> Iterator[str]:
    for root in _RECORDS:
        yield from files_below(lake, root)


def files_below(lake: Lake, folder: str) -> list[str]:
    """Return the paths of all files below a folder of the lake, sorted."""
    full = lake.full_path(folder)
    if not lake.fs.exists(full):
        return []
    prefix = str(lake.fs._strip_protocol(lake.full_path(""))).rstrip("/")
    return sorted(str(path)[len(prefix) + 1 :] for path in lake.fs.find(full))


def move_about(lake: Lake, plan: Plan) -> None:
    """Move what is kept about purged versions (failing rows) to their new names, without the target's rows; figures of
    versions are counted again when they are needed."""
    import io

    import pyarrow.parquet as pq

    for place, mine in plan.versions.items():
        for old, new in mine.items():
            lake.remove_tree(f"profiles/{place}/{old}.json")
            for file in lake.list_names(f"failing/{place}/{old}"):
                rows = lake.read_rows(f"failing/{place}/{old}/{file}")
                kept = [row for row in rows.to_pylist() if not plan.traces.in_value(row)]
                buffer = io.BytesIO()
                pq.write_table(rows.from_pylist(kept, schema=rows.schema), buffer, compression="zstd")
                lake.write_bytes(f"failing/{place}/{new}/{file}", buffer.getvalue())
            lake.remove_tree(f"failing/{place}/{old}")


def remove_old(lake: Lake, plan: Plan) -> int:
    """Remove the files of the versions that were purged; return how many there were."""
    n_gone = 0
    for place, mine in plan.versions.items():
        for old in mine:
            path = f"tables/{place}/{old}.parquet"
            if lake.exists(path):
                lake.remove_tree(path)
                n_gone += 1
    return n_gone
