"""`mlm verify`: whether every file of a release still has the bytes that its tables say."""

import time
from collections.abc import Callable
from typing import Any

from rich.console import Console

from mlm_assets.errors import Refused
from mlm_assets.lineage import records, verification
from mlm_assets.resources.lake import open_lake
from mlm_assets.settings import Settings

_EVERY_S = 2.0


def verify(
    settings: Settings, release: str | None = None, sample: int | None = None, say: Callable[[str], Any] | None = None
) -> dict[str, Any]:
    """Check versions and pictures of a release (the newest by default); `n_problems` is 0 where all is well.

    `say` is told every few seconds how far it is.

    Raises:
        Refused: there is no such release, or none at all.
    """
    lake = open_lake(settings)
    present = records.releases(lake)
    if release is None and not present:
        raise Refused(f"{settings.home} has no release yet; make one with `mlm run`.")
    progress = _Progress(say) if say is not None else None
    return verification.as_json(verification.verify(lake, release or present[-1], sample, progress))


def show(said: dict[str, Any], console: Console) -> None:
    """Print the problems, and what was looked at."""
    for problem in said["problems"]:
        console.print(f"! {problem['sentence']}")
        console.print(f"  {problem['file']}")
    if said["n_problems"] > len(said["problems"]):
        console.print(f"! and {said['n_problems'] - len(said['problems']):,} problems more")
    of = f" of {said['n_pictures_of']:,}" if said["n_pictures"] < said["n_pictures_of"] else ""
    verdict = f"{said['n_problems']:,} problems" if said["n_problems"] else "all as it should be"
    looked_at = f"{said['n_versions']:,} versions and {said['n_pictures']:,}{of} pictures"
    console.print(f"{said['release']}: {looked_at} looked at, {verdict}")


class _Progress:
    """Says how far it is, at most every few seconds."""

    def __init__(self, say: Callable[[str], Any]) -> None:
        self._say = say
        self._said = time.monotonic()

    def __call__(self, what: str, n_done: int, n_all: int) -> None:
        """Note that `n_done` of `n_all` are done."""
        if time.monotonic() - self._said >= _EVERY_S:
            self._said = time.monotonic()
            self._say(f"{what}: {n_done:,} of {n_all:,}")
