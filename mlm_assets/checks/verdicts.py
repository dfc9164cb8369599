"""What a check is, and what it says of one version. Nothing of Great Expectations or Dagster is known here."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

Severity = Literal["ERROR", "WARN"]
ACCEPTED_CHECK: Final = "accepted"
"""Name of the verdict on a version as a whole, beside the checks of every table."""


@dataclass(frozen=True)
class Check:
    """A check as it is declared: `is_blocking` tells whether a failure keeps a version from readers.

    A blocking check that fails with severity WARN has seen something, but less than what blocks.
    """

    name: str
    description: str
    is_blocking: bool = True


@dataclass(frozen=True)
class Verdict:
    """What one check says of one version of one table partition.

    `figures` are counts and measures by name. `sample` are at most a few failing rows; all of them are in the Parquet
    file at `rows_path` (path in the lake). `cause` names what explains most of it, where that is known.
    """

    table: str
    check: str
    passed: bool
    sentence: str
    severity: Severity = "ERROR"
    is_blocking: bool = True
    figures: Mapping[str, Any] = field(default_factory=dict)
    sample: tuple[Mapping[str, Any], ...] = ()
    rows_path: str | None = None
    cause: str | None = None
    has_crashed: bool = False
    excuse: str | None = None
    """What a maintainer has said that covers it; it is shown, and nobody is told of it again."""

    @property
    def blocks(self) -> bool:
        """Whether this verdict keeps the version from readers; a check that crashed has vouched for nothing."""
        return not self.passed and (self.has_crashed or (self.is_blocking and self.severity == "ERROR"))


def crashed(table: str, check: Check, error: BaseException) -> Verdict:
    """Return the verdict of a check that could not come to one."""
    return Verdict(
        table,
        check.name,
        False,
        f"The check itself crashed, so nothing vouches for this version: {type(error).__name__}: {error}",
        is_blocking=check.is_blocking,
        has_crashed=True,
    )
