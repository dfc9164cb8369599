"""What the processes of the suite are given to do; the platform is imported only when they do it."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

FAULT_SEED: Final = 1
"""The seed whose clean history faults are seeded into."""


def all_kinds() -> dict[str, Any]:
    """Return every kind by its name."""
    from benchmarks.quality.held_out import HELD_OUT
    from benchmarks.quality.kinds import SERVED
    from benchmarks.quality.ours import OURS

    return {kind.name: kind for kind in (*SERVED, *OURS, *HELD_OUT)}


def live_through(work: Path, seed: int, n_months: int, n_candidates: int, needed: Sequence[int]) -> None:
    """Live through the clean months of a seed."""
    from benchmarks.quality.living import live

    live(work, seed, n_months, n_candidates, needed, _say)


def seed_some(work: Path, n_candidates: int, wanted: Sequence[tuple[str, int]]) -> None:
    """Seed some faults, given by name and month."""
    from benchmarks.quality.living import seed_faults

    kinds = all_kinds()
    seed_faults(work, FAULT_SEED, n_candidates, [(kinds[name], month) for name, month in wanted], _say)


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
