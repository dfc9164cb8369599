"""`mlm verify`: whether every file of a release still has the bytes that tables, checksums and manifests say."""

import time
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from rich.console import Console

from mlm_assets.errors import Refused
from mlm_assets.lineage import records, verification
from mlm_assets.release.publication import Releases
from mlm_assets.release.verification import VerifiedFolder, verify_release
from mlm_assets.resources.lake import open_lake
from mlm_assets.settings import Settings

_EVERY_S = 2.0
_SHOWN = 50


def verify(
    settings: Settings, release: str | None = None, sample: int | None = None, say: Callable[[str], Any] | None = None
) -> dict[str, Any]:
    """Check versions and pictures of a release (the newest by default), and its draft and published versions.

    `n_problems` is 0 where all is well; `folders` has one entry per draft or version. `say` is told
    every few seconds how far it is.

    Raises:
        Refused: there is no such release, or none at all.
    """
    lake = open_lake(settings)
    present = records.releases(lake)
    if release is None and not present:
        raise Refused(f"{settings.home} has no release yet; make one with `mlm run`.")
    progress = _Progress(say) if say is not None else None
    wanted = release or present[-1]
    of_the_lake = verification.as_json(verification.verify(lake, wanted, sample, progress))
    folders = verify_release(Releases(settings.home, wanted), say or (lambda _: None))
    return {
        **of_the_lake,
        "n_problems": of_the_lake["n_problems"] + sum(len(one.faults) for one in folders),
        "n_problems_of_the_lake": of_the_lake["n_problems"],
        "folders": [_as_json(one) for one in folders],
    }


def show(said: dict[str, Any], console: Console) -> None:
    """Print the problems, and what was looked at."""
    for problem in said["problems"]:
        console.print(f"! {problem['sentence']}")
        console.print(f"  {problem['file']}")
    n_problems = said["n_problems_of_the_lake"]
    if n_problems > len(said["problems"]):
        console.print(f"! and {n_problems - len(said['problems']):,} problems more")
    of = f" of {said['n_pictures_of']:,}" if said["n_pictures"] < said["n_pictures_of"] else ""
    verdict = _verdict(n_problems)
    looked_at = f"{said['n_versions']:,} versions and {said['n_pictures']:,}{of} pictures"
    console.print(f"{said['release']}: {looked_at} looked at, {verdict}")
    for folder in said["folders"]:
        _show_folder(said["release"], folder, console)


def _show_folder(release: str, said: dict[str, Any], console: Console) -> None:
    for fault in said["faults"][:_SHOWN]:
        console.print(f"! {said['name']}: {fault['sentence']}")
    if len(said["faults"]) > _SHOWN:
        console.print(f"! {said['name']}: and {len(said['faults']) - _SHOWN:,} problems more")
    for path in said["purged"]:
        console.print(f"  {said['name']}: {path} was purged")
    gone = f", {len(said['purged']):,} purged" if said["purged"] else ""
    verdict = _verdict(len(said["faults"]))
    console.print(f"{release} {said['name']}: {said['n_files']:,} files held against their checksums{gone}, {verdict}")


def _verdict(n_problems: int) -> str:
    return f"{n_problems:,} problems" if n_problems else "all as it should be"


def _as_json(found: VerifiedFolder) -> dict[str, Any]:
    return {
        "name": found.folder.name,
        "folder": str(found.folder),
        "is_published": found.is_published,
        "n_files": found.n_files,
        "faults": [asdict(fault) for fault in found.faults],
        "purged": found.purged,
    }


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
