"""Which rows a stored number counts: from a figure of a release to the table and condition that give it back."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

_SPLITS: Final = ("train", "validation", "test")
_OF_VARIANT: Final = {
    "entities": "its rows",
    "images": "the entries of `images` of its rows",
    "summaries": "the entries of `summaries` of its rows",
    "classes": "the distinct entries of `class_labels` of its rows",
    "summaries_per_language": "the entries of `summaries` in this language",
    "entities_per_continent": "its rows whose country lies on this continent",
}


@dataclass(frozen=True)
class Counted:
    """What a number counts: `what` of the rows of a table partition that meet a condition."""

    table: str
    partition: str
    what: str
    where: Mapping[str, str] = field(default_factory=dict)
    release: str | None = None

    @property
    def command(self) -> str:
        """Return the command that leads to those rows."""
        return trace_command(self.table, self.partition, where=self.where, release=self.release)


def trace_command(
    table: str,
    partition: str = "",
    *,
    check: str | None = None,
    where: Mapping[str, str] | None = None,
    release: str | None = None,
) -> str:
    """Return the line of the shell that traces rows; what a shell would take apart is quoted."""
    import shlex

    words = ["mlm", "trace", table, *([partition] if partition else [])]
    words += ["--check", check] if check else []
    for column, value in (where or {}).items():
        words += ["--where", f"{column}={value}"]
    words += ["--release", release] if release else []
    return shlex.join(words)


def counted_in(table: str, partition: str, row: Mapping[str, Any]) -> Counted | None:
    """Return what the number in a row counts; None where a row is no count."""
    if table == "dataset_statistics" and {"variant", "figure", "item"} <= row.keys():
        return _statistic(partition, row)
    if table == "geo_cells" and {"variant", "cell_token"} <= row.keys():
        where = {"variant": row["variant"], "cell_token": row["cell_token"], "is_member": "true"}
        return Counted("members", partition, "its rows", where)
    if table == "refresh" and row.get("kind") == "table":
        return Counted(row["name"], row["partition"], "its rows", {}, partition)
    return None


def _statistic(release: str, row: Mapping[str, Any]) -> Counted:
    variant, figure, item = row["variant"], row["figure"], row["item"]
    if figure == "cells":
        return Counted("geo_cells", release, "its rows", {"variant": variant})
    if figure in _SPLITS:
        return Counted(variant, release, "its rows", {"split": figure})
    if figure == "entities_per_country":
        return Counted(variant, release, "its rows", {"country_code": "" if item == "unknown" else item})
    return Counted(variant, release, _OF_VARIANT.get(figure, "its rows"))
