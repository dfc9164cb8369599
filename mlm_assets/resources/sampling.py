"""Samples that are the same whenever they are drawn: by the hash of a name, never from a running generator."""

import hashlib
import heapq
from collections.abc import Iterable


def sample(names: Iterable[str], n: int, *salt: str) -> list[str]:
    """Return the `n` names (all, if there are fewer) with the smallest hashes; another salt draws others."""
    return heapq.nsmallest(n, names, key=lambda name: _digest(*salt, name))


def is_drawn(one_in: int, *name: str) -> bool:
    """Tell whether a name is among those of which one in `one_in` is drawn."""
    return int.from_bytes(_digest(*name)[:8], "big") % one_in == 0


def n_rechecks(n_asked: int, n_carried: int, share: float, batch: int) -> int:
    """Return how many names that were taken over are asked again, beside `n_asked` that have to be, in full batches.

    They fill the last batch; where that is less than `share` of those taken over, one more batch is added.
    """
    free = -n_asked % batch
    more = batch if free < share * n_carried else 0
    return min(n_carried, free + more)


def _digest(*parts: str) -> bytes:
    return hashlib.sha256("|".join(parts).encode()).digest()
