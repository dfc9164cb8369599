"""`mlm publish` and `mlm releases`: a draft becomes a version that never changes; what there is."""

import getpass
import socket
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from rich.console import Console

from mlm_assets.release.publication import Releases, all_releases, read_manifest
from mlm_assets.settings import Settings


def publish(settings: Settings, release: str, reason: str, by: str | None, say: Callable[[str], Any]) -> dict[str, Any]:
    """Publish the draft of a release, and tell Dagster, so that its page shows who did it and why.

    Raises:
        Refused: see `automation.publishing.publish`.
    """
    from mlm_assets.automation.instance import open_instance, require_home
    from mlm_assets.automation.publishing import observation
    from mlm_assets.automation.publishing import publish as publish_draft
    from mlm_assets.resources.lake import open_lake

    require_home(settings)
    made = publish_draft(open_lake(settings), settings, release, by or _me(), reason, say)
    releases = Releases(settings.home, release)
    with open_instance(settings) as instance:
        instance.report_runless_asset_event(observation(releases, made))
    return {"release": release, "folder": str(releases.version(made.version)), **asdict(made)}


def show(said: dict[str, Any], console: Console) -> None:
    """Print what was published."""
    console.print(f"{said['release']} v{said['version']}: published by {said['by']} at {said['at']}")
    console.print(f"  {said['folder']}")
    console.print(f"  manifest {said['manifest_sha256']}")


def list_releases(settings: Settings) -> list[dict[str, Any]]:
    """Return drafts and published versions, oldest release first."""
    return [one for releases in all_releases(settings.home) for one in _of(releases)]


def show_list(said: list[dict[str, Any]], console: Console) -> None:
    """Print drafts and published versions, a line each."""
    if not said:
        console.print("There is no release yet; make one with `mlm run --to release`.")
    for one in said:
        size = f"{one['bytes'] / 1e6:,.1f} MB" if one["bytes"] is not None else "cannot be read"
        console.print(f"{one['release']}  {one['name']:<6} {size:>12}  {one['said']}")
        console.print(f"  {one['folder']}")


def _of(releases: Releases) -> list[dict[str, Any]]:
    found = []
    for number in releases.versions():
        publication = releases.publication(number)
        said = "not recorded: publish it again"
        if publication is not None:
            why = f": {publication.reason}" if publication.reason else ""
            gone = f"; {len(publication.purged):,} files purged since" if publication.purged else ""
            said = f"published by {publication.by} at {publication.at}{why}{gone}"
        about = asdict(publication) if publication is not None else {}
        found.append({**about, **_about(releases, f"v{number}"), "said": said})
    if releases.draft.is_dir():
        about = _about(releases, "draft")
        found.append({**about, "said": f"to be v{about['version']}; publish it with `mlm publish {releases.release}`"})
    return found


def _about(releases: Releases, name: str) -> dict[str, Any]:
    folder = releases.folder / name
    about = {"release": releases.release, "name": name, "folder": str(folder), "bytes": None, "version": None}
    manifest = read_manifest(folder)
    return {**about, "version": manifest["version"], "bytes": sum(file["size_bytes"] for file in manifest["files"])}


def _me() -> str:
    return f"{getpass.getuser()}@{socket.gethostname()}"
