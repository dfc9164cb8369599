"""Whether the folders of a release are what they were: every file by its checksum, every figure by counting.

Earlier versions are held against their checksums, but for what was purged, which is listed. The lake's versions and
pictures are another matter (`lineage.verification`).
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from mlm_assets.errors import Refused
from mlm_assets.release import recount
from mlm_assets.release.checksums import Fault, bytes_sha256, faults_of, read_sums
from mlm_assets.release.frozen import Say
from mlm_assets.release.manifest import MANIFEST_FILE
from mlm_assets.release.publication import Publication, Releases, read_manifest


@dataclass
class VerifiedFolder:
    """A folder of a release that was looked at: how many files, what is wrong, what was purged from it."""

    folder: Path
    is_published: bool
    n_files: int = 0
    faults: list[Fault] = field(default_factory=list)
    purged: list[str] = field(default_factory=list)


def verify_release(releases: Releases, say: Say) -> list[VerifiedFolder]:
    """Verify every published version, oldest first, and the draft where there is one."""
    found = []
    newest = releases.newest()
    for number in releases.versions():
        publication, folder = releases.publication(number), releases.version(number)
        found.append(_verify(folder, publication, say, is_counted=folder == newest))
        if publication is None:
            sentence = f"v{number} is not in {releases.folder}'s record; run `mlm publish {releases.release}` again"
            found[-1].faults.append(Fault(MANIFEST_FILE, "unrecorded", sentence))
    if releases.draft.is_dir():
        found.append(_verify(releases.draft, None, say, is_counted=True))
        found[-1].is_published = False
    return found


def _verify(folder: Path, publication: Publication | None, say: Say, *, is_counted: bool) -> VerifiedFolder:
    purged = {one.path: one.sha256_now for one in publication.purged} if publication else {}
    found = VerifiedFolder(folder, True, purged=sorted(purged))
    try:
        found.n_files = len(read_sums(folder))
        found.faults += faults_of(folder, say, purged)
        found.faults += _of_the_manifest(folder, publication)
        if is_counted and not found.faults and not purged:
            say(f"{folder.name}: counting")
            manifest = read_manifest(folder)
            found.faults += [Fault(MANIFEST_FILE, "figures", one) for one in recount.differences(folder, manifest)]
    except (Refused, OSError) as error:
        found.faults.append(Fault("", "unreadable", str(error)))
    return found


def _of_the_manifest(folder: Path, publication: Publication | None) -> Iterator[Fault]:
    """Yield whether the manifest is the one that was published, and whether it and the checksums name one hash each."""
    if publication is not None and bytes_sha256((folder / MANIFEST_FILE).read_bytes()) != publication.manifest_sha256:
        yield Fault(MANIFEST_FILE, "changed", f"{MANIFEST_FILE} is not the one that was published")
    sums = read_sums(folder)
    for file in read_manifest(folder)["files"]:
        path = file["path"]
        if not path.endswith("/") and sums.get(path) != file["sha256"]:
            yield Fault(path, "changed", f"{path}: the manifest and the checksums name different hashes")
