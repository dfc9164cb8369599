"""Levels against the accepted past: the last month's change against all months' (median and MAD), and slow erosion.

Works on profiles alone. What was rejected is in no history: the caller sees to that.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from typing import Any, Final

from mlm_assets.bands import (
    ALPHA,
    BANDS,
    DEVIATION,
    DEVIATION_FLOOR,
    DEVIATION_FLOOR_GROUP,
    EROSION,
    EROSION_GROUP,
    EROSION_RELEASES,
    FEWEST_FOR_HISTORY,
    FEWEST_RELEASES,
    STABILITY,
)
from mlm_assets.checks.profile import Profile
from mlm_assets.checks.statistics import binomial_tail, robust_deviation, stability_index

_LEVELS: Final = ("rows", "country", "articles", "files", "property", "reason", "texts", "pictures", "variant")
"""Figures with a history. Classes have none: a class may leave the list and come back."""
_DISTRIBUTIONS: Final = (
    "latitude", "longitude", "population", "files_each", "source", "length", "width", "bytes", "mime", "hop", "split",
)  # fmt: skip
_CLASSES: Final = "class"
_SHOWN: Final = 12


@dataclass(frozen=True)
class Departure:
    """A figure that left its band: by how much of what (`measure`), and whether that warns or blocks."""

    measure: str
    figure: str
    item: str
    before: float
    now: float
    size: float
    level: str

    @property
    def as_figures(self) -> dict[str, Any]:
        """Return it for the figures of a verdict."""
        return {
            "measure": self.measure, "figure": self.figure, "item": self.item, "before": round(self.before, 2),
            "now": round(self.now, 2), "size": round(self.size, 4), "level": self.level,
        }  # fmt: skip


def usable(history: Sequence[Profile], current: Profile) -> list[Profile]:
    """Return the profiles of releases before that of `current`, one per release, oldest first."""
    by_release = {profile.release: profile for profile in history if profile.release < current.release}
    return [by_release[release] for release in sorted(by_release)]


def departures(history: Sequence[Profile], current: Profile) -> list[Departure]:
    """Return the levels of `current` that leave the course of at least `FEWEST_RELEASES` accepted releases."""
    past = usable(history, current)
    if len(past) < FEWEST_RELEASES:
        return []
    found = []
    for figure, item in _levels(past[-1]):
        counts = [_count(profile, figure, item) for profile in past]
        now = _count(current, figure, item)
        if min(counts[-1], median(counts)) < FEWEST_FOR_HISTORY or min(counts) <= 0:
            continue
        is_group = not figure.endswith(".rows")
        found += [*_sudden(figure, item, counts, now, is_group), *_slow(figure, item, counts, now, is_group)]
    return found


def _levels(profile: Profile) -> Iterator[tuple[str, str]]:
    for figure, items in profile.figures.items():
        if figure.rsplit(".", 1)[-1] in _LEVELS:
            yield from ((figure, item) for item in items)


def _count(profile: Profile, figure: str, item: str) -> int:
    return profile.figures.get(figure, {}).get(item, 0)


def _sudden(figure: str, item: str, counts: Sequence[int], now: int, is_group: bool) -> Iterator[Departure]:
    """Hold this month's change against the median and MAD of the changes of the accepted months."""
    changes = [math.log(after / before) for before, after in pairwise(counts)]
    change = math.log(max(now, 0.5) / counts[-1])
    floor = max(DEVIATION_FLOOR_GROUP if is_group else DEVIATION_FLOOR, 0.5 / math.sqrt(counts[-1]))
    deviations = abs(robust_deviation(change, changes, floor))
    if deviations > DEVIATION.warn:
        level = "ERROR" if deviations > DEVIATION.block and now < counts[-1] else "WARN"
        yield Departure("change", figure, item, counts[-1], now, math.expm1(change), level)


def _slow(figure: str, item: str, counts: Sequence[int], now: int, is_group: bool) -> Iterator[Departure]:
    """Hold the level against the median of the last twelve releases, jumps that were accepted apart."""
    limits = EROSION_GROUP if is_group else EROSION
    usual = median(_without_jumps(counts[-EROSION_RELEASES:], limits.warn))
    lost = usual - now
    normal = BANDS["gone"].group.normal if is_group else BANDS["gone"].total.normal
    if lost / usual <= limits.warn or binomial_tail(round(usual), normal, math.floor(lost)) >= ALPHA:
        return
    level = "ERROR" if lost / usual > limits.block else "WARN"
    yield Departure("erosion", figure, item, usual, now, -lost / usual, level)


def _without_jumps(counts: Sequence[int], jump: float) -> list[float]:
    """Return the levels as if each month's change of more than `jump` had been there from the start.

    Such a month left its band and was approved by somebody; it must not be held against all months that follow.
    """
    levels, factor = [float(counts[-1])], 1.0
    for before, after in zip(reversed(counts[:-1]), reversed(counts[1:]), strict=True):
        if abs(after / before - 1) > jump:
            factor *= after / before
        levels.append(before * factor)
    return levels


def shifts(before: Profile, now: Profile) -> list[Departure]:
    """Return the distributions that shifted by more than chance: PSI less what two samples of one source can give."""
    found = []
    pairs = list(_distributions(before, now))
    alpha = ALPHA / max(len(pairs), 1)
    for figure, item, old, new in pairs:
        index, chance = stability_index(old, new, alpha)
        if index > STABILITY.warn and index > chance:
            level = "ERROR" if index > STABILITY.block and index - chance > STABILITY.block / 2 else "WARN"
            found.append(Departure("psi", figure, item, 0.0, 0.0, index, level))
    return sorted(found, key=lambda departure: -departure.size)


def distributions_compared(before: Profile, now: Profile) -> int:
    """Return how many distributions `shifts` compares."""
    return sum(1 for _ in _distributions(before, now))


def _distributions(before: Profile, now: Profile) -> Iterator[tuple[str, str, Mapping[str, int], Mapping[str, int]]]:
    """Yield (figure, group, counts before, counts now); bins named `group:bin` are a distribution per group."""
    for figure in sorted({*before.figures, *now.figures}):
        if figure.rsplit(".", 1)[-1] not in _DISTRIBUTIONS:
            continue
        old, new = _per_group(before.figures.get(figure, {})), _per_group(now.figures.get(figure, {}))
        for group in sorted({*old} & {*new}):
            yield figure, group, old[group], new[group]


def _per_group(items: Mapping[str, int]) -> dict[str, dict[str, int]]:
    groups: dict[str, dict[str, int]] = {}
    for item, n in items.items():
        group, _, name = item.rpartition(":")
        groups.setdefault(group, {})[name] = n
    return groups


def emptied(before: Profile, now: Profile, table: str, n_before: int, n_now: int) -> list[Departure]:
    """Return the columns with more nulls than the reference's share and chance allow."""
    old, new = before.figures.get(f"{table}.nulls", {}), now.figures.get(f"{table}.nulls", {})
    limits = BANDS["emptied"].total
    found = []
    for column, n in new.items():
        expected = n_now * old.get(column, 0) / max(n_before, 1)
        beyond = math.floor(n - expected)
        if n_now and beyond / n_now > limits.warn and binomial_tail(n_now, limits.normal, beyond) < ALPHA:
            level = "ERROR" if beyond / n_now > limits.block else "WARN"
            found.append(Departure("nulls", f"{table}.nulls", column, old.get(column, 0), n, beyond / n_now, level))
    return sorted(found, key=lambda departure: -departure.size)


def shown(found: Sequence[Departure]) -> list[dict[str, Any]]:
    """Return the worst departures for the figures of a verdict."""
    worst = sorted(found, key=lambda departure: (departure.level != "ERROR", -abs(departure.size)))
    return [departure.as_figures for departure in worst[:_SHOWN]]
