"""Random generators that depend on a seed and a name alone, so that one part of the world never shifts another."""

import hashlib
import random


def generator(seed: int, *name: object) -> random.Random:
    """Return a generator of its own for `name` in the world of `seed`."""
    return random.Random("/".join(map(str, (seed, *name))))


def stable_number(*name: object, below: int) -> int:
    """Return a number in [0, below) that depends on `name` alone."""
    digest = hashlib.sha256("/".join(map(str, name)).encode()).digest()
    return int.from_bytes(digest[:8], "big") % below
