"""What researchers download, without an item or a file: datasets of the home, diffs, drafts, published versions.

A published version is purged of the files that hold the target, which are listed in the record of publications; what it
should have been is then published as the next version, made from the same inputs, purged. Drafts are made again.
"""

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any, Final

from mlm_assets.assets.purging.plan import Plan, keep_plan, place_of
from mlm_assets.assets.purging.versions import remove_old, turn_records
from mlm_assets.release.holding import Traces, holds
from mlm_assets.release.layout import write_dataset
from mlm_assets.release.manifest import CHECKSUMS_FILE, MANIFEST_FILE
from mlm_assets.release.publication import Publication, Purged, Releases, all_releases, read_manifest
from mlm_assets.resources.lake import Lake
from mlm_assets.resources.takedowns import Takedown, takedowns
from mlm_assets.settings import Settings
from mlm_assets.tables import VARIANTS

Say = Callable[[str], Any]
_DIFF: Final = "release_diff"
_FILES: Final = "release_files"
_PICTURES: Final = (".jpg", ".jpeg", ".png")
_NEVER_PURGED: Final = (MANIFEST_FILE, CHECKSUMS_FILE)
"""They say what a version was; neither holds a text or a picture."""


def rewrite_datasets(lake: Lake, plan: Plan, say: Say) -> None:
    """Write the folder of every variant that changed anew, from the version that readers see."""
    for place in sorted(plan.versions):
        table, _, release = place.partition("/")
        accepted = lake.accepted(table, release) if table in VARIANTS else None
        if accepted is not None:
            write_dataset(lake, release, table, lake.read(accepted), say)


def remake_diffs(lake: Lake, settings: Settings, plan: Plan, release: str, say: Say) -> Plan:
    """Compare a release with the one before again, where its diff shows the target or one of them changed.

    Return the plan with the new name of the version of `release_diff`.
    """
    from mlm_assets.assets.diffs import remake_diff

    accepted = lake.accepted(_DIFF, release)
    folder = settings.home / "diffs" / release
    is_made = place_of(_DIFF, release) in plan.versions
    if accepted is None or is_made or not (_any_holds(folder, plan.traces) or _is_changed(plan, accepted.inputs)):
        return plan
    rows = remake_diff(lake, settings, release)
    say(f"{release}: compared again")
    return _renamed(lake, plan, _DIFF, release, rows)


def correct_release(
    lake: Lake, settings: Settings, plan: Plan, takedown: Takedown, release: str, say: Say
) -> tuple[Plan, str | None]:
    """Purge the published versions of a release, and publish what is left as the next; make a draft again.

    Return the plan, and what happened in a sentence, None where the release does not hold the target.
    """
    from mlm_assets.assets.releases import release_lock

    releases = Releases(settings.home, release)
    with release_lock(settings, release):
        _clear_temporary(releases.folder)
        reason = f"takedown: {takedown.reason}"
        n_purged = sum(_purge(releases, number, plan.traces, takedown, reason) for number in releases.versions())
        if n_purged:
            say(f"{release}: {n_purged:,} published files are purged")
        _remove_deposits(settings.home, releases)
        newest = releases.newest()
        is_corrected = newest is not None and _has_tombstone(newest, takedown)
        if newest is not None and is_corrected and _is_interrupted(releases, newest):
            return plan, _published(releases, takedown, reason, say)
        if newest is not None and not is_corrected and _is_purged(releases, takedown, reason):
            shutil.rmtree(releases.draft, ignore_errors=True)
            manifest = read_manifest(newest)
            manifest |= {"version": manifest["version"] + 1, "reason": reason}
            plan = _build(lake, settings, plan, releases, newest, manifest, say)
            say(f"{release}: v{manifest['version']} is built")
            return plan, _published(releases, takedown, reason, say)
        if releases.draft.is_dir() and _any_holds(releases.draft, plan.traces):
            manifest = read_manifest(releases.draft)
            plan = _build(lake, settings, plan, releases, releases.draft, manifest, say)
            return plan, f"{release}: the draft is made again without it"
    return plan, None


def releases_of(home: Path) -> list[str]:
    """Return the releases that have a folder of files or a diff, oldest first."""
    diffs = home / "diffs"
    names = {entry.name for entry in diffs.iterdir() if entry.is_dir()} if diffs.is_dir() else set()
    return sorted({one.release for one in all_releases(home)} | {name for name in names if not name.startswith(".")})


def _is_interrupted(releases: Releases, newest: Path) -> bool:
    """Tell whether somebody was killed in the publication of the corrected version."""
    return releases.is_publishing or releases.publication(read_manifest(newest)["version"]) is None


def _published(releases: Releases, takedown: Takedown, reason: str, say: Say) -> str:
    from mlm_assets.release.metadata import documents

    publication = releases.publish(takedown.by, takedown.at, reason, documents, say)
    return f"{releases.release}: v{publication.version} is published without it"


def _is_purged(releases: Releases, takedown: Takedown, reason: str) -> bool:
    """Tell whether a published version was purged for this takedown."""
    purged = [one for publication in releases.publications() for one in publication.purged]
    return any((one.reason, one.at) == (reason, takedown.at) for one in purged)


def _purge(releases: Releases, number: int, traces: Traces, takedown: Takedown, reason: str) -> int:
    """Note and remove the files of a published version that hold the target; return how many there were."""
    from mlm_assets.release.checksums import read_sums

    publication, folder = releases.publication(number), releases.version(number)
    if publication is None:
        return 0
    sums = read_sums(folder)
    found = [path for path in _paths(folder) if path not in _NEVER_PURGED and _is_held(folder, path, sums, traces)]
    if _has_tombstone(folder, takedown) or not found:
        return 0
    purged = {one.path: one for one in publication.purged}
    for path in found:
        purged.setdefault(path, Purged(path, sums.get(path, ""), "", takedown.at, reason))
    releases.record(_with_purged(publication, [purged[path] for path in sorted(purged)]))
    for path in found:
        (folder / path).unlink()
    return len(found)


def _remove_deposits(home: Path, releases: Releases) -> None:
    """Remove the home's own deposit folders of versions that files were purged from: their tars hold these files."""
    for publication in releases.publications():
        if publication.purged:
            shutil.rmtree(home / "deposits" / releases.release / f"v{publication.version}", ignore_errors=True)


def _with_purged(publication: Publication, purged: Sequence[Purged]) -> Publication:
    return replace(publication, purged=tuple(purged))


def _has_tombstone(folder: Path, takedown: Takedown) -> bool:
    said = read_manifest(folder)["tombstones"]
    return any((one["kind"], one["target"]) == (takedown.kind, takedown.target) for one in said)


def _is_held(folder: Path, path: str, sums: Mapping[str, str], traces: Traces) -> bool:
    if PurePosixPath(path).suffix in _PICTURES and path in sums:  # its hash is known: no need to read it
        return sums[path] in traces.picture_sha256s or traces.in_text(PurePosixPath(path).name.encode())
    return holds(folder / path, traces)


def _any_holds(folder: Path, traces: Traces) -> bool:
    if not folder.is_dir():
        return False
    return any(holds(folder / path, traces) for path in _paths(folder) if path not in _NEVER_PURGED)


def _paths(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def _is_changed(plan: Plan, inputs: Mapping[str, str]) -> bool:
    """Tell whether one of the inputs of a version is a purged version."""
    return bool(set(inputs.values()) & set(plan.n_rows))


def _build(
    lake: Lake,
    settings: Settings,
    plan: Plan,
    releases: Releases,
    folder: Path,
    manifest: Mapping[str, Any],
    say: Say,
) -> Plan:
    """Make the draft of a release from a manifest with its inputs purged; return the plan with its table's new name."""
    from mlm_assets.assets.entities import rows_of
    from mlm_assets.assets.freezing import checks_of, frozen_from_manifest, kept_files, software
    from mlm_assets.release.builder import build
    from mlm_assets.release.metadata import documents

    edited = {
        **manifest,
        "inputs": [_input(plan, one) for one in manifest["inputs"]],
        "tombstones": [],
        "software": software(),
        "files": [one for one in manifest["files"] if _is_left(folder, one)],
    }
    frozen = frozen_from_manifest(lake, settings, edited, folder)
    diff = kept_files(lake, settings.home, releases.release, {})
    frozen = replace(frozen, tombstones=takedowns(lake), kept=sorted([*frozen.kept, *diff], key=lambda one: one.path))
    made = build(frozen, releases.draft, documents, checks_of(lake, frozen), say)
    if lake.accepted(_FILES, releases.release) is None:
        return plan
    return _renamed(lake, plan, _FILES, releases.release, rows_of(_FILES, made["files"]))


def _is_left(folder: Path, file: Mapping[str, Any]) -> bool:
    """Tell whether a file of a manifest may be copied as it is: it was not purged, and is not made again (a diff)."""
    return file["format"] != "diff" and (folder / file["path"]).exists()


def _input(plan: Plan, said: Mapping[str, Any]) -> dict[str, Any]:
    new = plan.versions.get(place_of(said["table"], said["partition"]), {}).get(said["version"])
    return {**said, "version": new, "n_rows": plan.n_rows[new]} if new is not None else dict(said)


def _renamed(lake: Lake, plan: Plan, table: str, release: str, rows: Any) -> Plan:
    """Write new rows of a release's table in the place of its accepted version, as if it had been purged."""
    accepted = lake.require(table, release)
    written = lake.write(table, release, rows)
    if written.version == accepted.version:
        return plan
    mine = {**plan.versions.get(place_of(table, release), {}), accepted.version: written.version}
    plan = replace(
        plan,
        versions={**plan.versions, place_of(table, release): mine},
        n_rows={**plan.n_rows, written.version: written.n_rows},
    )
    keep_plan(lake, plan)
    turn_records(lake, plan)
    remove_old(lake, plan)
    return plan


def _clear_temporary(folder: Path) -> None:
    for left in folder.glob(".tmp-*") if folder.is_dir() else []:
        shutil.rmtree(left) if left.is_dir() else left.unlink()
