"""What a constraint needs to know that no table says, looked up first and given to its query as a view.

Each probe returns rows about the audited version: the columns of its file, what the lake holds of the versions that a
manifest pins, what was found of a sample of pictures. Judging them is the business of the query.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from mlm_assets.checks.picture_files import stored_pictures
from mlm_assets.resources.lake import Lake, Version


def stored_columns(lake: Lake, version: Version, connection: Any) -> Any:
    """Return (place, name, type): the columns of the version's file as DuckDB reads them."""
    import pyarrow as pa

    described = connection.execute("DESCRIBE SELECT * FROM audited").fetchall()
    return pa.table(
        {
            "place": pa.array(range(len(described)), pa.int32()),
            "name": pa.array([row[0] for row in described], pa.string()),
            "type": pa.array([row[1] for row in described], pa.string()),
        }
    )


def stored_versions(lake: Lake, version: Version, connection: Any) -> Any:
    """Return (name, partition, value, n_stored): the rows of each version that a manifest pins, by its file's footer.

    A version that the lake does not hold, or that is no Parquet file, is left out.
    """
    import pyarrow as pa

    pinned = connection.execute("SELECT name, partition, value FROM audited WHERE kind = 'table'").fetchall()
    counted = [
        (name, partition, value, _rows_stored(lake, Version(name, partition, value, 0)))
        for name, partition, value in pinned
    ]
    records = [one for one in counted if one[3] is not None]
    return pa.table(
        {
            "name": pa.array([one[0] for one in records], pa.string()),
            "partition": pa.array([one[1] for one in records], pa.string()),
            "value": pa.array([one[2] for one in records], pa.string()),
            "n_stored": pa.array([one[3] for one in records], pa.int64()),
        }
    )


def _rows_stored(lake: Lake, version: Version) -> int | None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with lake.fs.open(lake.full_path(version.path), "rb") as file:
            return int(pq.read_metadata(file).num_rows)
    except (FileNotFoundError, pa.ArrowInvalid):
        return None


PROBES: Final[Mapping[str, Callable[[Lake, Version, Any], Any]]] = {
    "stored_columns": stored_columns,
    "stored_versions": stored_versions,
    "stored_pictures": stored_pictures,
}
