"""What the checks said of a month, read from the audits in the lake, and never from a log."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Final

from mlm_assets.resources.lake import Lake
from mlm_assets.tables import TABLES

MAINTAINER: Final = "the fault suite"
"""Who approves clean months that are blocked; what follows from an approval names him."""
RUN: Final = "run"
"""The check of a run that failed without a verdict: nothing is published either."""


@dataclass(frozen=True)
class Failure:
    """A failed check of one version. `cause` is the group that it blames, in words; `blames` its dimension and value.

    `is_excused` tells that it only repeats what was approved further up.
    """

    table: str
    partition: str
    check: str
    blocks: bool
    sentence: str = ""
    cause: str = ""
    blames: tuple[str, str] = ("", "")
    has_crashed: bool = False
    is_excused: bool = False

    @property
    def told(self) -> tuple[str, str]:
        """Return what a maintainer is told once, however many partitions it is said of."""
        return (self.table, self.check)


def failures_of(lake: Lake, release: str) -> list[Failure]:
    """Return the failed checks of everything that was audited for a release, in the order of the tables."""
    return [
        _failure(audit, said)
        for name in TABLES
        for audit in lake.audits(name)
        if audit["release"] == release
        for said in audit["checks"]
        if not said["passed"]
    ]


def _failure(audit: dict[str, Any], said: dict[str, Any]) -> Failure:
    figures = said["figures"] or {}
    return Failure(
        audit["table"],
        audit["partition"],
        said["check"],
        said["crashed"] or (said["blocking"] and said["severity"] == "ERROR"),
        said["sentence"][:300],
        said["cause"] or "",
        (str(figures.get("cause_dimension", "")), str(figures.get("cause_value", ""))),
        said["crashed"],
        MAINTAINER in said["sentence"],
    )


def failed_run(table: str, partition: str, error: BaseException) -> Failure:
    """Return the failure of a run that came to no verdict."""
    return Failure(table, partition, RUN, True, f"{type(error).__name__}: {error}"[:300])


def told_of(failures: Iterable[Failure], *, blocking: bool) -> set[tuple[str, str]]:
    """Return what a maintainer is told: the checks that block, or else those that only warn, each once."""
    blocked = {one.told for one in failures if one.blocks}
    warned = {one.told for one in failures if not one.blocks and not one.is_excused}
    return blocked if blocking else warned - blocked


def as_rows(failures: Iterable[Failure]) -> list[dict[str, Any]]:
    """Return failures as plain data."""
    return [asdict(one) for one in failures]


def from_rows(rows: Iterable[dict[str, Any]]) -> list[Failure]:
    """Return the failures that `as_rows` wrote."""
    return [Failure(**{**row, "blames": tuple(row["blames"])}) for row in rows]
