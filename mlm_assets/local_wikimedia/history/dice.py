"""Draws that depend on a seed, a month and a name alone; and what a month stamps on what it edits."""

import hashlib
import heapq
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from mlm_assets.local_wikimedia.generator.randomness import stable_number

T = TypeVar("T")

FIRST_YEAR: Final = 2026
FIRST_MONTH: Final = 12
_PER_MONTH: Final = 10_000_000
_FIRST_ITEM_REVISION: Final = 2_000_000_000
"""Above every revision of month 0."""
_FIRST_PAGE_REVISION: Final = 1_000_000_000
_LIMIT: Final = 9_007_199_254_740_992
"""2 to the power of 53: as fine as a float in [0, 1) can be."""


def month_name(month: int) -> str:
    """Return a month as YYYY-MM; month 0 is 2026-12."""
    years, index = divmod(FIRST_MONTH - 1 + month, 12)
    return f"{FIRST_YEAR + years}-{index + 1:02d}"


@dataclass(frozen=True, slots=True)
class Dice:
    """The draws of one month of one world; every draw is named, and the same name brings the same draw."""

    seed: int
    month: int

    def below(self, limit: int, *name: object) -> int:
        """Return a number in [0, limit)."""
        return stable_number("history", self.seed, self.month, *name, below=limit)

    def between(self, low: float, high: float, *name: object) -> float:
        """Return a number in [low, high)."""
        return low + (high - low) * (self.below(_LIMIT, *name) / _LIMIT)

    def one_of(self, options: Sequence[T], *name: object) -> T:
        """Return one of `options`, which must not be empty."""
        return options[self.below(len(options), *name)]

    def weighted(self, weights: Mapping[T, float], *name: object) -> T:
        """Return one of the keys, by weight."""
        left = self.between(0, sum(weights.values()), *name)
        for key, weight in weights.items():
            left -= weight
            if left < 0:
                return key
        return next(reversed(list(weights)))

    def some(self, options: Iterable[T], count: int, *name: object) -> list[T]:
        """Return `count` of `options` (all, if there are fewer) in an order of their own."""
        begun = hashlib.sha256("/".join(map(str, ("history", self.seed, self.month, *name, ""))).encode())

        def key(option: T) -> bytes:
            digest = begun.copy()
            digest.update(str(option).encode())
            return digest.digest()

        return heapq.nsmallest(count, options, key=key)

    def moment(self, *name: object) -> str:
        """Return a moment of the month, ISO 8601 in UTC."""
        second = self.below(28 * 86_400, "moment", *name)
        day, second = divmod(second, 86_400)
        hour, second = divmod(second, 3_600)
        return f"{month_name(self.month)}-{day + 1:02d}T{hour:02d}:{second // 60:02d}:{second % 60:02d}Z"

    def item_revision(self, qid: str) -> int:
        """Return the revision of an item edited this month, above those of earlier months."""
        return _FIRST_ITEM_REVISION + (self.month - 1) * _PER_MONTH + self.below(_PER_MONTH, "revision", qid)

    def page_revision(self, lang: str, title: str) -> int:
        """Return the revision of a page edited this month, above those of earlier months."""
        return _FIRST_PAGE_REVISION + (self.month - 1) * _PER_MONTH + self.below(_PER_MONTH, "page", lang, title)
