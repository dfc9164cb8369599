"""Rows of a variant in slices of a fixed length, whatever the chunks of the table that they come in."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any


def slices(rows: Any, n_rows: int) -> Iterator[Any]:
    """Yield pyarrow tables of `n_rows` rows (the last is shorter), in order; none where there are no rows.

    Each is a single chunk, so that what is written of it depends on the values alone.
    """
    for start in range(0, rows.num_rows, n_rows):
        yield rows.slice(start, n_rows).combine_chunks()


def records(rows: Any, split: str | None = None) -> Iterator[dict[str, Any]]:
    """Yield rows one by one as dicts, of one split or of all."""
    import pyarrow.compute as pc

    for part in slices(rows, 2_000):
        wanted = part if split is None else part.filter(pc.equal(part["split"], split))
        yield from wanted.to_pylist()


def n_of(rows: Any, split: str) -> int:
    """Return how many rows a split has."""
    import pyarrow.compute as pc

    return int(pc.sum(pc.equal(rows["split"], split), min_count=0).as_py())


def groups(items: Iterable[Any], size: int) -> Iterator[list[Any]]:
    """Yield lists of `size` items (the last is shorter), in order; none where there are no items."""
    iterator = iter(items)
    while group := list(islice(iterator, size)):
        yield group
