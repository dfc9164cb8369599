"""From results to figures: recall, precision, false alarms with their interval, time to detection."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from benchmarks.quality.audits import from_rows, told_of
from benchmarks.quality.living import is_found

_Z: Final = 1.959964
Result = dict[str, Any]


@dataclass(frozen=True)
class Clean:
    """What the clean months brought. `blocked` and `warned` are (seed, month, table, check), each told once."""

    n_months: int
    n_seeds: int
    blocked: tuple[tuple[int, int, str, str], ...]
    warned: tuple[tuple[int, int, str, str], ...]

    @property
    def n_blocked_months(self) -> int:
        """How many months something was blocked in."""
        return len({one[:2] for one in self.blocked})

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval of the share of months that are blocked."""
        return wilson(self.n_blocked_months, self.n_months)


def clean_of(results: Sequence[Result]) -> Clean:
    """Sum up clean months."""
    told: dict[bool, list[tuple[int, int, str, str]]] = {True: [], False: []}
    for result in results:
        failures = from_rows(result["failures"])
        for is_blocking, found in told.items():
            pairs = sorted(told_of(failures, blocking=is_blocking))
            found += [(result["seed"], result["month"], *pair) for pair in pairs]
    return Clean(len(results), len({one["seed"] for one in results}), tuple(told[True]), tuple(told[False]))


def wilson(k: int, n: int) -> tuple[float, float]:
    """Return the 95 % interval of a share of which `k` of `n` were seen, after Wilson; (0, 1) of nothing."""
    if n == 0:
        return (0.0, 1.0)
    share, shrunk = k / n, 1 + _Z**2 / n
    centre = (share + _Z**2 / (2 * n)) / shrunk
    half = _Z * math.sqrt(share * (1 - share) / n + _Z**2 / (4 * n**2)) / shrunk
    return (max(0.0, centre - half), min(1.0, centre + half))


def figures_of(clean: Clean, faults: Sequence[Result], held_out: Sequence[Result]) -> dict[str, Any]:
    """Return the figures of the one JSON line.

    An alarm is what a maintainer is told: of a fault, or a check of a clean month that blocks or warns. Precision is
    the share of alarms that are about a fault.
    """
    n_alarmed = sum(bool(one["found"]) for one in faults)
    n_false = len(clean.blocked) + len(clean.warned)
    found = [one for one in faults if is_found(one)]
    late = sorted(one["after_months"] for one in found)
    judged = [one for one in found if one["is_cause_right"] is not None]
    return {
        "kinds": len(faults),
        "found": len(found),
        "blocking_false_alarms": clean.n_blocked_months,
        "warnings": len(clean.warned),
        "precision": round(n_alarmed / (n_alarmed + n_false), 4) if n_alarmed + n_false else None,
        "recall": round(len(found) / len(faults), 4) if faults else None,
        "clean_months": clean.n_months,
        "seeds": clean.n_seeds,
        "warnings_per_36_months": round(36 * len(clean.warned) / clean.n_months, 3) if clean.n_months else None,
        "blocked_share_interval": [round(one, 5) for one in clean.interval],
        "found_at_once": sum(one == 0 for one in late),
        "longest_months_to_detection": max(late, default=None),
        "causes_right": sum(one["is_cause_right"] for one in judged),
        "causes_judged": len(judged),
        "held_out_kinds": len(held_out),
        "held_out_found": sum(is_found(one) for one in held_out),
    }
