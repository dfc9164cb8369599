"""The folders of one release: a draft, and published versions v1, v2, ... that never change.

    releases/<release>/draft/              made by the asset `release_files`; replaced as often as it is made
    releases/<release>/v<n>/               published; files are read-only
    releases/<release>/publications.json   who published which version, when and why, and what was purged since
    releases/<release>/publishing.json     a publication that is under way, so that it can be completed after a kill

A publication notes its intention, renames the draft, and records it: whoever is killed in between completes it with the
same command. Whether the draft's inputs are accepted does not belong here (`assets.provenance`).
"""

import json
import os
import re
import uuid
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from mlm_assets.errors import MlmError, Refused
from mlm_assets.release.builder import Documents, rendered
from mlm_assets.release.checksums import bytes_sha256, faults_of, read_sums, sums_bytes
from mlm_assets.release.formats.files import sync_folder
from mlm_assets.release.frozen import Say
from mlm_assets.release.manifest import CHECKSUMS_FILE, MANIFEST_FILE, manifest_bytes

DRAFT: Final = "draft"
PUBLICATIONS_FILE: Final = "publications.json"
_INTENTION: Final = "publishing.json"
_VERSION: Final = re.compile(r"v([1-9][0-9]*)", re.ASCII)
_SHOWN: Final = 3


@dataclass(frozen=True)
class Purged:
    """A file of a published version that was taken back: its hash then, the hash of what is there now (empty: nothing),
    when (ISO 8601 UTC), and why."""

    path: str
    sha256: str
    sha256_now: str
    at: str
    reason: str


@dataclass(frozen=True)
class Publication:
    """Who published a version, when (ISO 8601 UTC) and why, the hash of its manifest, and what was purged since."""

    version: int
    by: str
    at: str
    reason: str
    manifest_sha256: str
    purged: tuple[Purged, ...] = field(default=())


class Releases:
    """The draft and the published versions of one release."""

    def __init__(self, home: Path, release: str) -> None:
        """Look at the release of a home; nothing is made."""
        self.release = release
        self.folder = home / "releases" / release

    @property
    def draft(self) -> Path:
        """Folder of the draft."""
        return self.folder / DRAFT

    @property
    def is_publishing(self) -> bool:
        """Whether a publication was begun and is not complete; `publish` completes it."""
        return (self.folder / _INTENTION).exists()

    def version(self, number: int) -> Path:
        """Return the folder of a published version."""
        return self.folder / f"v{number}"

    def versions(self) -> list[int]:
        """Return the numbers of the published versions, oldest first."""
        names = [entry.name for entry in self.folder.iterdir() if entry.is_dir()] if self.folder.is_dir() else []
        return sorted(int(match[1]) for name in names if (match := _VERSION.fullmatch(name)))

    def newest(self) -> Path | None:
        """Return the folder of the newest published version, None where there is none."""
        numbers = self.versions()
        return self.version(numbers[-1]) if numbers else None

    def publications(self) -> list[Publication]:
        """Return what is recorded of the published versions, oldest first.

        Raises:
            MlmError: the record cannot be read.
        """
        said = _read_json(self.folder / PUBLICATIONS_FILE)
        return [_publication(one) for one in said["versions"]] if said else []

    def publication(self, number: int) -> Publication | None:
        """Return what is recorded of a version."""
        return next((one for one in self.publications() if one.version == number), None)

    def record(self, publication: Publication) -> None:
        """Keep what is said of a version, in place of what was said of it before."""
        others = [one for one in self.publications() if one.version != publication.version]
        versions = sorted([*others, publication], key=lambda one: one.version)
        said = {"release": self.release, "versions": [asdict(one) for one in versions]}
        write_whole(self.folder / PUBLICATIONS_FILE, _json_bytes(said))

    def is_begun(self) -> bool:
        """Tell whether a publication was begun and has to be completed before anything else."""
        begun = self._intention()
        return begun is not None and not (self.publication(begun.version) and self.draft.is_dir())

    def publish(self, by: str, at: str, reason: str, documents: Documents, say: Say) -> Publication:
        """Make the draft the next published version; return its record; one that was begun is completed.

        Raises:
            Refused: there is no draft, its bytes are not those of its checksums, it would be published over an existing
                version, or it is not the first version and no reason is given.
        """
        begun = self._intention()
        if begun is not None and self.is_begun():
            say(f"{self.release}: completing the publication of v{begun.version}")
            return self._complete(begun, documents, say)
        manifest = self.draft_manifest()
        self._require_next(manifest, reason)
        self.require_sound(self.draft, say)
        said = {**manifest, "reason": reason if manifest["version"] > 1 else manifest["reason"]}
        final = bytes_sha256(manifest_bytes(said))
        intention = Publication(manifest["version"], by, at, reason, final)
        write_whole(self.folder / _INTENTION, _json_bytes(asdict(intention)))
        return self._complete(intention, documents, say)

    def draft_manifest(self) -> dict[str, Any]:
        """Return the manifest of the draft.

        Raises:
            Refused: there is no draft, or one that cannot be read.
        """
        if not self.draft.is_dir():
            newest = self.newest()
            there = f" Published is {newest.name}; a draft is made once something has changed since." if newest else ""
            raise Refused(
                f"There is no draft of {self.release}.{there} Make one with `mlm run --release {self.release} "
                "--to release`, or materialise release_files."
            )
        manifest = read_manifest(self.draft)
        if manifest["release"] != self.release:
            raise Refused(f"{self.draft} is a draft of {manifest['release']}, not of {self.release}. Make it again.")
        return manifest

    def require_sound(self, folder: Path, say: Say) -> None:
        """Read every file of a folder and hold it against its checksums.

        Raises:
            Refused: something is missing, changed or extra.
        """
        faults = list(faults_of(folder, say))
        if faults:
            more = f" (and {len(faults) - _SHOWN:,} more)" if len(faults) > _SHOWN else ""
            shown = "; ".join(fault.sentence for fault in faults[:_SHOWN])
            raise Refused(
                f"{folder} is not what its {CHECKSUMS_FILE} says: {shown}{more}. Make the draft again; nothing was "
                "published."
            )

    # -- inside --------------------------------------------------------------------------------------------------

    def _require_next(self, manifest: Mapping[str, Any], reason: str) -> None:
        number, present = int(manifest["version"]), self.versions()
        if number in present or number <= max(present, default=0):
            raise Refused(
                f"v{number} of {self.release} is published already, and published files never change. Make the draft "
                "again: it becomes the next version."
            )
        if number != max(present, default=0) + 1:
            raise Refused(
                f"The draft of {self.release} is v{number}, but v{number - 1} is not published. Make it again."
            )
        if number > 1 and not reason:
            raise Refused(f"v{number} corrects what is published of {self.release}: say why (--reason).")

    def _intention(self) -> Publication | None:
        """Return the publication that somebody began and was killed in; one of a draft that is gone is forgotten."""
        said = _read_json(self.folder / _INTENTION)
        if said is None:
            return None
        begun = _publication(said)
        if self.version(begun.version).is_dir() or self._is_of_the_draft(begun):
            return begun
        (self.folder / _INTENTION).unlink()
        return None

    def _is_of_the_draft(self, begun: Publication) -> bool:
        try:
            manifest = read_manifest(self.draft)
        except Refused:
            return False
        said = {**manifest, "reason": begun.reason} if begun.version > 1 else manifest
        return bytes_sha256(manifest_bytes(said)) == begun.manifest_sha256

    def _complete(self, intention: Publication, documents: Documents, say: Say) -> Publication:
        """Do what is left of a publication: every step can be done again."""
        published = self.version(intention.version)
        if not published.is_dir():
            if intention.version > 1:
                self._give_reason(intention.reason, documents)
            self.require_sound(self.draft, say)
            self.draft.rename(published)
            sync_folder(self.folder)
        if _sha256_of(published / MANIFEST_FILE) != intention.manifest_sha256:
            raise MlmError(
                f"{published} is not the version whose publication was begun. Look at {self.folder / _INTENTION}; "
                "remove it if somebody put another folder there."
            )
        make_read_only(published)
        if self.publication(intention.version) is None:
            self.record(intention)
        (self.folder / _INTENTION).unlink(missing_ok=True)
        say(f"{self.release}: v{intention.version} is published in {published}")
        return intention

    def _give_reason(self, reason: str, documents: Documents) -> None:
        """Write the reason into the manifest of the draft and into all that is rendered from it; checksums last."""
        files = rendered({**read_manifest(self.draft), "reason": reason}, documents)
        for path, data in files.items():
            write_whole(self.draft / path, data, self.folder)
        sums = {**read_sums(self.draft), **{path: bytes_sha256(data) for path, data in files.items()}}
        write_whole(self.draft / CHECKSUMS_FILE, sums_bytes(sums), self.folder)


def all_releases(home: Path) -> list[Releases]:
    """Return the releases of a home that have a draft or a published version, oldest first."""
    root = home / "releases"
    names = sorted(entry.name for entry in root.iterdir() if entry.is_dir()) if root.is_dir() else []
    found = [Releases(home, name) for name in names]
    return [one for one in found if one.versions() or one.draft.is_dir()]


def read_manifest(folder: Path) -> dict[str, Any]:
    """Return the manifest of a folder.

    Raises:
        Refused: there is none, or it cannot be read.
    """
    path = folder / MANIFEST_FILE
    try:
        return dict(json.loads(path.read_text("utf-8")))
    except (OSError, ValueError) as error:
        raise Refused(f"{path} cannot be read ({error}). It is no release, or a damaged one.") from error


def make_read_only(folder: Path) -> None:
    """Take the right to write away from every file below a folder; folders keep it, so that a purge can remove files.

    A picture is a hard link to the lake's, which is never written again either.
    """
    for parent, _, names in os.walk(folder):
        for name in names:
            file = Path(parent) / name
            mode = file.stat().st_mode
            if mode & 0o222:
                file.chmod(mode & ~0o222)


def write_whole(path: Path, data: bytes, scratch: Path | None = None) -> None:
    """Write a file whole or not at all, safe on disk when it returns.

    Until then it lies in the folder `scratch`, where a killed process leaves nothing that would be taken for a file of
    a release.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = (scratch or path.parent) / f".tmp-{path.name}-{uuid.uuid4().hex}"
    try:
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        with suppress(FileNotFoundError):
            temporary.unlink()
    sync_folder(path.parent)


def _publication(said: Mapping[str, Any]) -> Publication:
    return Publication(**{**said, "purged": tuple(Purged(**one) for one in said["purged"])})


def _read_json(path: Path) -> dict[str, Any] | None:
    try:
        return dict(json.loads(path.read_text("utf-8")))
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise MlmError(f"{path} cannot be read as JSON ({error}). Bring it back from a copy of the home.") from error


def _json_bytes(said: Mapping[str, Any]) -> bytes:
    return (json.dumps(said, indent=1, ensure_ascii=False) + "\n").encode()


def _sha256_of(path: Path) -> str:
    try:
        return bytes_sha256(path.read_bytes())
    except FileNotFoundError:
        return ""
