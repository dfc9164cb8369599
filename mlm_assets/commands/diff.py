"""`mlm diff`: what changed between two releases of a home, as tables, JSON, or the page with pictures."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from mlm_assets.errors import Refused
from mlm_assets.lineage.sides import comparable, require_comparable, side_of, versions_of
from mlm_assets.lineage.words import on_one_line
from mlm_assets.release.diff import meanings
from mlm_assets.release.diff.markup import number, signed
from mlm_assets.release.diff.report import Diff
from mlm_assets.release.diff.tallies import ALL
from mlm_assets.resources.lake import Lake, open_lake
from mlm_assets.settings import Settings
from mlm_assets.tables import VARIANTS

_CUT = 100


@dataclass(frozen=True)
class Compared:
    """What was found, and the page of it where one was asked for."""

    diff: Diff
    page: bytes | None = None


def diff(settings: Settings, first: str | None = None, second: str | None = None, *, with_page: bool) -> Compared:
    """Compare two releases that are published or accepted: the newest, and the one before it, by default.

    Raises:
        Refused: a release is not there, both are the same, or there is none to compare with.
        MlmError: the lake no longer has a version that a published release pins.
    """
    from mlm_assets.release.diff.files import page_bytes
    from mlm_assets.release.diff.report import compare

    lake = open_lake(settings)
    old, new = _chosen(lake, settings.home, first, second)
    before, after = (side_of(lake, release, versions_of(lake, settings.home, release)) for release in (old, new))
    with lake.connect() as connection:
        found = compare(connection, before, after)
        return Compared(found, page_bytes(connection, found, before, after) if with_page else None)


def write_page(page: bytes, file: Path) -> None:
    """Write a page into a file.

    Raises:
        Refused: the file cannot be written.
    """
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(page)
    except (FileExistsError, IsADirectoryError, NotADirectoryError, PermissionError) as error:
        raise Refused(f"The page cannot be written to {file}: {error.strerror}. Name another file.") from error


def _chosen(lake: Lake, home: Path, first: str | None, second: str | None) -> tuple[str, str]:
    """Return the two releases to compare, the earlier first."""
    there = comparable(lake, home)
    if not there:
        raise Refused(f"{home} has no release with accepted datasets yet; make one with `mlm run`.")
    new = require_comparable(lake, home, second) if second is not None else there[-1]
    if first is not None:
        old = require_comparable(lake, home, first)
    else:
        earlier = [release for release in there if release < new]
        if not earlier:
            raise Refused(f"There is no release before {new} to compare with. There are: {', '.join(there)}.")
        old = earlier[-1]
    if old == new:
        raise Refused(f"{old} is compared with itself; name two releases. There are: {', '.join(there)}.")
    if old > new:
        raise Refused(f"{old} comes after {new}; name the earlier release first: `mlm diff {new} {old}`.")
    return old, new


def show(found: Diff, console: Console) -> None:
    """Print a diff as tables."""
    console.print(f"{found['base']} -> {found['release']}")
    console.print(_counts(found))
    console.print(_events("settlements", found["entities"], meanings.ENTITIES, [ALL, *VARIANTS]))
    _show_fates(found, console)
    console.print(_texts(found))
    console.print(_events("pictures", found["images"], meanings.IMAGES, [ALL, *VARIANTS]))
    console.print(_events("geo-cells", found["cells"], meanings.CELLS, list(VARIANTS)))
    _show_examples(found, console)
    _show_scores(found, console)
    for release, side in ((found["base"], "before"), (found["release"], "after")):
        if not found["rights_decided"][side]:
            console.print(f"rights   nobody has decided yet which pictures of {release} may be published")
    for reason, both in found["licences"]["withheld"].items():
        console.print(
            f"withheld {both['before']:,} -> {both['after']:,}: {meanings.WITHHELD.get(reason, reason)} ({reason})"
        )
    for name, both in found["settings"].items():
        console.print(f"setting  {name}: {both['before']} -> {both['after']}")
    wrong = found["splits"]["n_violations"]
    told = f"{wrong:,} settlements changed sides, which must never happen" if wrong else "no settlement changed sides"
    console.print(f"splits   {told}")


def _counts(found: Diff) -> Table:
    table = _table("counts", ["", *(f"{variant}" for variant in found["counts"])])
    for name, words in meanings.COUNTS.items():
        cells = [
            f"{number(counts[name]['after'])} ({signed(counts[name]['change'])})" if name in counts else ""
            for counts in found["counts"].values()
        ]
        table.add_row(words, *cells)
    return table


def _events(title: str, part: Mapping[str, Any], meant: Mapping[str, str], variants: list[str]) -> Table:
    table = _table(title, ["", *variants])
    for event, words in meant.items():
        if any(part[variant][event] for variant in variants):
            table.add_row(words, *(number(part[variant][event]) for variant in variants))
    return table


def _texts(found: Diff) -> Table:
    table = _table("texts", ["", found["base"], found["release"], *meanings.TEXTS.values()])
    for lang, events in found["texts"][ALL].items():
        table.add_row(lang, *(number(events[name]) for name in ("before", "after", *meanings.TEXTS)))
    return table


def _table(title: str, head: list[str]) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False)
    for at, name in enumerate(head):
        table.add_column(name, justify="right" if at else "left")
    return table


def _show_fates(found: Diff, console: Console) -> None:
    for fate, n in found["entities"][ALL]["gone_by_fate"].items():
        console.print(f"gone     {n:,}: {meanings.fate_of(fate)} ({fate})")


def _show_examples(found: Diff, console: Console) -> None:
    for event, rows in found["samples"]["entities"].items():
        for row in rows:
            console.print(f"{event:9} {row['qid']} {on_one_line(row['label_after'] or row['label_before'], _CUT)}")


def _show_scores(found: Diff, console: Console) -> None:
    for variant, scores in found["scores"].items():
        for one in scores:
            if one["verdict"] in ("better", "worse"):
                console.print(
                    f"score    {variant} {one['model']} {one['direction']} {one['figure']}: "
                    f"{number(one['before']['value'])} -> {number(one['after']['value'])}, "
                    f"{meanings.VERDICTS[one['verdict']]}"
                )
