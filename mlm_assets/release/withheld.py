"""Which pictures a release holds back, and the rows of a variant without them; the settlements themselves stay.

Why a picture is held back is decided in the table `attribution` (`assets.rights`) and does not belong here.
"""

from typing import Any

from mlm_assets.errors import Refused


def without_withheld(rows: Any, attribution: Any, variant: str) -> Any:
    """Return the rows of a variant without the pictures that `attribution` withholds, matched by (qid, name).

    Both are pyarrow tables of the registry. No row is left out: a settlement may end with `images: []`. Names stay as
    they are, so that a picture has one name in every variant and every version of a release.

    Raises:
        Refused: `attribution` says nothing of a picture of the rows, so that nobody knows whether it may go out.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    column = rows["images"].combine_chunks()
    images = column.flatten()
    owners = pc.list_parent_indices(column)
    keys = _keys(rows["qid"].combine_chunks().take(owners), pc.struct_field(images, "name"))
    said = attribution.filter(pc.equal(attribution["kind"], "image")).combine_chunks()
    known = _keys(said["qid"], said["name"])
    unknown = keys.filter(pc.invert(pc.is_in(keys, value_set=known)))
    if len(unknown):
        qid, _, name = unknown[0].as_py().partition("\t")
        raise Refused(
            f"attribution says nothing of {len(unknown):,} pictures of {variant}, {name} of {qid} among them. "
            "Materialise attribution again, then what follows from it."
        )
    is_kept = pc.invert(pc.is_in(keys, value_set=known.filter(pc.is_valid(said["withheld"].combine_chunks()))))
    counts = _counts(owners.filter(is_kept), len(column))
    offsets = pa.array([0, *counts], pa.int32())
    offsets = pc.cumulative_sum(offsets).cast(pa.int32())
    kept = pa.ListArray.from_arrays(offsets, images.filter(is_kept), type=column.type)
    return rows.set_column(rows.column_names.index("images"), rows.schema.field("images"), kept)


def _keys(qids: Any, names: Any) -> Any:
    import pyarrow as pa
    import pyarrow.compute as pc

    joined = pc.binary_join_element_wise(qids, names, "\t")
    return joined.combine_chunks() if isinstance(joined, pa.ChunkedArray) else joined


def _counts(owners: Any, n: int) -> list[int]:
    """Return how often each of the numbers 0 to n - 1 occurs."""
    import numpy as np

    counts: list[int] = np.bincount(owners.to_numpy(zero_copy_only=False).astype(np.int64), minlength=n).tolist()
    return counts
