"""`mlm takedown`: take an item or a file of Commons back for good, from the lake, the features and the releases."""

import getpass
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.table import Table

from mlm_assets.assets.purging.taking_back import TakenBack, take_back
from mlm_assets.automation.instance import require_home
from mlm_assets.automation.run_lock import only_run
from mlm_assets.lineage.words import on_one_line
from mlm_assets.resources.lake import open_lake
from mlm_assets.resources.takedowns import Takedown, all_takedowns
from mlm_assets.settings import Settings

_NAMED: int = 20


def takedown(settings: Settings, target: str, reason: str, by: str | None, console: Console) -> TakenBack:
    """Take `target` (a QID, or the name of a file) back; a takedown that was cut short is completed.

    Raises:
        Refused: see `assets.purging.taking_back`; or a refresh is at work in the home.
    """
    require_home(settings)
    with only_run(settings.home, f"mlm takedown {target}"):
        return take_back(settings, open_lake(settings), target, reason, by or getpass.getuser(), console.print)


def as_json(done: TakenBack) -> dict[str, Any]:
    """Return what was done as plain data."""
    return asdict(done)


def show(done: TakenBack, console: Console) -> None:
    """Print what was done."""
    one = done.takedown
    already = " already" if done.was_taken_down else ""
    console.print(f"{one.target}:{already} {one.sentence} (by {one.by})")
    if done.was_taken_down and not (done.n_versions or done.answers or done.releases):
        console.print("nothing was left of it")
    for path in done.answers[:_NAMED]:
        console.print(f"  answer removed  {path}")
    if len(done.answers) > _NAMED:
        console.print(f"  … and {len(done.answers) - _NAMED:,} more answers")
    for sentence in done.releases:
        console.print(f"  {sentence}")
    console.print(
        "Copies that were downloaded, backups of this home, and what models learnt are out of its reach: docs/rights.md"
    )


def takedowns(settings: Settings) -> list[Takedown]:
    """Return everything that was taken down in a home."""
    return all_takedowns(open_lake(settings))


def show_list(found: Sequence[Takedown], console: Console) -> None:
    """Print what was taken down, one a line."""
    if not found:
        console.print("Nothing was taken down.")
        return
    table = Table(title=f"{len(found)} taken down", title_justify="left")
    for column in ("kind", "target", "when", "by", "reason"):
        table.add_column(column, overflow="fold")
    for one in found:
        table.add_row(one.kind, on_one_line(one.target), one.at[:10], one.by, on_one_line(one.reason))
    console.print(table)
