"""Identifiers of Wikidata, and what a QID decides for ever: the shard, the split, the place in a quota.

Nothing reaches a query or a path that has not passed `parse_qid`. Shard, split and quota use salts of their own,
so that knowing one tells nothing about another. Numbers that depend on a home (how many shards) are arguments.
"""

import hashlib
import re
from typing import Final, Literal

from mlm_assets.errors import Refused

Split = Literal["train", "validation", "test"]

QID_PATTERN: Final = r"^Q[1-9][0-9]{0,17}$"
_QID = re.compile(QID_PATTERN, re.ASCII)
_ENTITY_PREFIXES: Final = (
    "http://www.wikidata.org/entity/",
    "https://www.wikidata.org/entity/",
    "https://www.wikidata.org/wiki/",
)

_SHARD_SALT: Final = "mlm/shard/1"
_SPLIT_SALT: Final = "mlm/split/1"
_QUOTA_SALT: Final = "mlm/quota/1"


def parse_qid(text: str) -> str:
    """Return the QID in `text` ("Q64", or its entity address).

    Raises:
        Refused: `text` is no QID.
    """
    candidate = text.strip()
    for prefix in _ENTITY_PREFIXES:
        candidate = candidate.removeprefix(prefix)
    if not _QID.fullmatch(candidate):
        raise Refused(f"{text!r} is not a Wikidata identifier. Write a capital Q and a number, such as Q64.")
    return candidate


def qid_number(qid: str) -> int:
    """Return the number of a QID; items are sorted by it, so that Q9 comes before Q10."""
    return int(qid[1:])


def salted_fraction(salt: str, qid: str) -> float:
    """Return a number in [0, 1) that depends on `salt` and `qid` alone (48 bits of SHA-256)."""
    digest = hashlib.sha256(f"{salt}:{qid}".encode()).digest()
    return int.from_bytes(digest[:6], "big") / 2**48


def shard_of(qid: str, n_shards: int) -> str:
    """Return the shard of a QID, as two or more hexadecimal digits ("00", "01", ...)."""
    return shard_name(int(salted_fraction(_SHARD_SALT, qid) * n_shards))


def shard_name(number: int) -> str:
    """Return the name of the shard with this number."""
    return f"{number:02x}"


def split_of(qid: str) -> Split:
    """Return the split of a QID: train 80, validation 10, test 10 % (paper, section 4)."""
    fraction = salted_fraction(_SPLIT_SALT, qid)
    if fraction < 0.8:
        return "train"
    return "validation" if fraction < 0.9 else "test"


def quota_rank(qid: str) -> float:
    """Return a settlement's place in the queue for its country's quota, in [0, 1); the smallest go in first."""
    return salted_fraction(_QUOTA_SALT, qid)
