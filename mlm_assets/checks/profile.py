"""The figures of a version: counts by group and bins of distributions, as plain data, kept beside the version.

All of them are counts, so that those of a whole table are the sums over its partitions. They serve histories and
distributions, which need no rows of the past. Comparing rows with rows belongs to `checks.drift`.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Final

from mlm_assets.shipped import shipped_file
from mlm_assets.tables import TABLES, VARIANTS

if TYPE_CHECKING:
    from mlm_assets.resources.lake import Lake, Version

FORMAT: Final = 1
"""Raised when a figure changes its meaning; figures that were kept before are then counted again."""
_FILES: Final = {
    **{
        name: f"{name}_figures"
        for name in (
            "settlement_classes", "candidates", "facts", "settlements", "rejections", "summaries", "images",
            "eligible", "geo_cells", "members",
        )
    },
    **dict.fromkeys(VARIANTS, "dataset_figures"),
}  # fmt: skip

Counts = dict[str, dict[str, int]]


@dataclass(frozen=True)
class Sides:
    """One side of a comparison: the versions of a table, and of the tables that explain it, in one release.

    `versions` maps table names to versions. For a shard they are those of the shard; for `refresh` all that it pins.
    """

    table: str
    partition: str
    release: str
    versions: "Mapping[str, Sequence[Version]]"

    @property
    def own(self) -> "Sequence[Version]":
        """The versions of the table itself."""
        return self.versions.get(self.table, ())

    def of(self, table: str) -> "Sequence[Version]":
        """Return the versions of a table, none where the side does not have it."""
        return self.versions.get(table, ())


@dataclass(frozen=True)
class Profile:
    """Figures of a version: `figures["settlements.country"]["FR"]` is a count. Plain data, additive over partitions."""

    table: str
    partition: str
    release: str
    version: str
    n_rows: int
    figures: Mapping[str, Mapping[str, int]] = field(default_factory=dict)


def profile_of(lake: "Lake", sides: Sides, connection: Any = None) -> Profile:
    """Return the figures of one side; of `refresh` those of everything that it pins.

    Each version is counted once, ever: its figures are kept at `profiles/<table>/<partition>/<version>.json`. What is
    not yet counted is counted in `connection`, a DuckDB connection of the lake's, or in one of its own.
    """
    tables = [name for name in sides.versions if name != "refresh"] if sides.table == "refresh" else [sides.table]
    versions = [version for table in tables for version in sides.of(table)]
    figures = _sum(_figures_of(lake, version, connection) for version in versions)
    own = sides.own
    return Profile(
        sides.table,
        sides.partition,
        sides.release,
        own[0].version if own else "",
        sum(version.n_rows for version in own),
        figures,
    )


def profile_path(version: "Version") -> str:
    """Return where the figures of a version lie in the lake."""
    return f"profiles/{version.path.removeprefix('tables/').removesuffix('.parquet')}.json"


def view_of(lake: "Lake", connection: Any, name: str, table: str, versions: "Sequence[Version]") -> dict[str, str]:
    """Make the view `name` of versions of a table, with the registry's columns and `part`, the shard of a row.

    Columns that an older version lacks are null. Returns the columns that the files really have, with their types.
    """
    columns = TABLES[table].columns
    if not versions:
        nulls = ", ".join(f'CAST(NULL AS {column.type}) AS "{column.name}"' for column in columns)
        connection.execute(f"CREATE OR REPLACE TEMP VIEW \"{name}\" AS SELECT {nulls}, '' AS part WHERE FALSE")
        return {}
    files = ", ".join("'" + source.replace("'", "''") + "'" for source in lake.sources(versions))
    source = f"read_parquet([{files}], union_by_name = true, filename = true)"
    described = connection.execute(f"DESCRIBE SELECT * EXCLUDE (filename) FROM {source}").fetchall()  # noqa: S608
    present = {row[0]: row[1] for row in described}
    chosen = ", ".join(
        f'"{column.name}"' if column.name in present else f'CAST(NULL AS {column.type}) AS "{column.name}"'
        for column in columns
    )
    part = r"regexp_extract(filename, '([^/-]+)/[^/]+$', 1)"
    connection.execute(
        f'CREATE OR REPLACE TEMP VIEW "{name}" AS SELECT {chosen}, {part} AS part FROM {source}'  # noqa: S608
    )
    return present


def _figures_of(lake: "Lake", version: "Version", connection: Any) -> Counts:
    """Return the figures of one version, from where they are kept or counted now."""
    path = profile_path(version)
    try:
        said = json.loads(lake.read_bytes(path))
        if said["format"] == FORMAT:
            figures: Counts = said["figures"]
            return figures
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        pass  # never counted, or not readable: counting again is cheap and right
    if connection is not None:
        figures = _counted(lake, version, connection)
    else:
        with lake.connect() as own:
            figures = _counted(lake, version, own)
    kept = {"format": FORMAT, "table": version.table, "n_rows": version.n_rows, "figures": figures}
    lake.write_bytes(path, json.dumps(kept, ensure_ascii=False, sort_keys=True).encode())
    return figures


def _counted(lake: "Lake", version: "Version", connection: Any) -> Counts:
    table = TABLES[version.table]
    view_of(lake, connection, "counted", version.table, [version])
    statement = shipped_file(f"sql/profiles/{_FILES.get(version.table, 'rows_figures')}.sql").read_text("utf-8")
    rows = connection.execute(statement).fetchall()
    nullable = [column.name for column in table.columns if column.nullable]
    if nullable:
        counts = ", ".join(f'count(*) - count("{name}")' for name in nullable)
        nulls = connection.execute(f"SELECT {counts} FROM counted").fetchall()[0]  # noqa: S608 (registry's names)
        rows += [("nulls", name, n) for name, n in zip(nullable, nulls, strict=True)]
    figures: Counts = {}
    for figure, item, n in rows:
        if n:
            figures.setdefault(f"{version.table}.{figure}", {})[item] = int(n)
    return figures


def _sum(parts: Iterable[Mapping[str, Mapping[str, int]]]) -> Counts:
    total: Counts = {}
    for part in parts:
        for figure, items in part.items():
            into = total.setdefault(figure, {})
            for item, n in items.items():
                into[item] = into.get(item, 0) + n
    return total


def as_json(profile: Profile) -> dict[str, Any]:
    """Return a profile as plain data; `from_json` reads it."""
    return asdict(profile)


def from_json(said: Mapping[str, Any]) -> Profile:
    """Return the profile that `as_json` wrote."""
    return Profile(**said)
