"""The folder that is deposited in an archive: a published version in a few files, and what the archive is told of it.

    files/<file>                    the documents of the release, as they are
    files/mlm-2026-12-v1-json.tar   one archive per format; unpacked beside the documents they are the release again
    zenodo.json                     metadata, as Zenodo's deposit API takes it
    deposit.json                    names, sizes and MD5 of the files; written last

An archive keeps flat lists of a hundred files at most, hence the tars. The same release gives the same bytes: members
are sorted, owned by nobody and dated by the manifest; of files with the same bytes the later ones are links in the tar.
Which versions may be deposited is said by `commands.deposit`; who sends them is `resources.zenodo`.
"""

import hashlib
import io
import json
import shutil
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from html import escape
from pathlib import Path
from typing import Any, Final

from mlm_assets.errors import Refused
from mlm_assets.release.checksums import bytes_sha256, faults_of, read_sums
from mlm_assets.release.frozen import Say
from mlm_assets.release.manifest import CHECKSUMS_FILE, LICENCES, MANIFEST_FILE
from mlm_assets.release.metadata import datacite, words

FILES: Final = "files"
PLAN_FILE: Final = "deposit.json"
METADATA_FILE: Final = "zenodo.json"
MAX_BYTES: Final = 50_000_000_000
"""What Zenodo takes in one record without being asked."""
_OTHER_LICENCE: Final = "other-open"
"""Zenodo's name for open licences that are none of its list: parts of a release stand under different ones."""
_PIECE: Final = 1 << 20
_SHOWN: Final = 3


@dataclass(frozen=True)
class DepositedFile:
    """A file of the deposit; `md5` is what the archive says of what it received."""

    name: str
    size_bytes: int
    md5: str


@dataclass(frozen=True)
class Deposit:
    """A deposit folder that is complete."""

    folder: Path
    release: str
    version: int
    manifest_sha256: str
    metadata: Mapping[str, Any]
    files: tuple[DepositedFile, ...]

    def path(self, file: DepositedFile) -> Path:
        """Return where a file lies."""
        return self.folder / FILES / file.name


def zenodo_metadata(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Return what Zenodo's deposit API is told: derived from the DataCite record, so that both say the same."""
    record = datacite.record(manifest)
    licences = "".join(f"<li>{key}: {escape(meaning.replace('`', ''))}</li>" for key, meaning in LICENCES.items())
    paragraphs = "".join(f"<p>{escape(text)}</p>" for text in (words.about(manifest), words.COLLECTION))
    return {
        "title": record["titles"][0]["title"],
        "upload_type": "dataset",
        "publication_date": manifest["created"],
        "creators": [{"name": one["name"]} for one in record["creators"]],
        "description": f"{paragraphs}<p>Parts stand under different licences:</p><ul>{licences}</ul>",
        "access_right": "open",
        "license": _OTHER_LICENCE,
        "version": record["version"],
        "language": record["language"],
        "keywords": [one["subject"] for one in record["subjects"]],
        "related_identifiers": [
            {
                "identifier": one["relatedIdentifier"],
                "relation": one["relationType"][0].lower() + one["relationType"][1:],
                "scheme": one["relatedIdentifierType"].lower(),
            }
            for one in record["relatedIdentifiers"]
        ],
        "notes": f"SHA-256 of {MANIFEST_FILE} and of every other file: {CHECKSUMS_FILE}.",
    }


def packed(paths: Sequence[str], manifest: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """Return the files of the deposit: name -> the files of the release in it, of one that is no tar itself."""
    found: dict[str, list[str]] = {}
    for path in sorted(paths):
        top, _, below = path.partition("/")
        name = f"mlm-{manifest['release']}-v{manifest['version']}-{top}.tar" if below else path
        found.setdefault(name, []).append(path)
    return {name: tuple(inside) for name, inside in sorted(found.items())}


def write_deposit(release: Path, folder: Path, say: Say) -> Deposit:
    """Write the deposit folder of a published version, or return the one that is there and complete.

    Raises:
        Refused: a file of the release is not what its checksum says, `folder` holds something else, or the deposit
            is larger than the archive takes.
    """
    manifest_bytes = (release / MANIFEST_FILE).read_bytes()
    manifest = json.loads(manifest_bytes)
    _require_ours(folder)
    made = _complete(folder, manifest, bytes_sha256(manifest_bytes))
    if made is not None:
        say(f"{folder} is complete")
        return made
    sums = _sound_sums(release, say)
    (folder / PLAN_FILE).unlink(missing_ok=True)
    shutil.rmtree(folder / FILES, ignore_errors=True)
    (folder / FILES).mkdir(parents=True)
    files = []
    for name, inside in packed([*sums, CHECKSUMS_FILE], manifest).items():
        say(f"{name}: {len(inside):,} files")
        files.append(_write_one(release, folder / FILES / name, inside, sums, manifest))
    _require_room(files)
    metadata = zenodo_metadata(manifest)
    (folder / METADATA_FILE).write_bytes(_json_bytes({"metadata": metadata}))
    deposit = Deposit(
        folder, manifest["release"], manifest["version"], bytes_sha256(manifest_bytes), metadata, tuple(files)
    )
    _write_plan(deposit)
    return deposit


def _require_ours(folder: Path) -> None:
    known = {FILES, PLAN_FILE, METADATA_FILE}
    others = sorted(entry.name for entry in folder.iterdir() if entry.name not in known) if folder.is_dir() else []
    if others or folder.is_file():
        raise Refused(f"{folder} holds something else ({', '.join(others[:_SHOWN])}). Name a new or an empty folder.")


def _sound_sums(release: Path, say: Say) -> dict[str, str]:
    """Return the checksums of a release whose every file is what they say."""
    faults = list(faults_of(release, say))
    if faults:
        shown = "; ".join(fault.sentence for fault in faults[:_SHOWN])
        raise Refused(
            f"{release} is not what its {CHECKSUMS_FILE} says: {shown}. It is not deposited; see `mlm verify`."
        )
    return read_sums(release)


def _require_room(files: Sequence[DepositedFile]) -> None:
    total = sum(file.size_bytes for file in files)
    if total > MAX_BYTES:
        raise Refused(
            f"The deposit has {total / 1e9:.1f} GB, and one record takes {MAX_BYTES / 1e9:.0f} GB. "
            "Make the release with fewer formats (MLM_RELEASE_FORMATS), or ask the archive for room."
        )


def _complete(folder: Path, manifest: Mapping[str, Any], manifest_sha256: str) -> Deposit | None:
    """Return the deposit that lies in `folder`, None where it is not whole or of another version."""
    try:
        plan = json.loads((folder / PLAN_FILE).read_text("utf-8"))
        files = tuple(DepositedFile(**one) for one in plan["files"])
        is_whole = plan["manifest_sha256"] == manifest_sha256 and all(
            (folder / FILES / file.name).stat().st_size == file.size_bytes
            and _md5_of(folder / FILES / file.name) == file.md5
            for file in files
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None
    if not is_whole:
        return None
    metadata = zenodo_metadata(manifest)
    return Deposit(folder, manifest["release"], manifest["version"], manifest_sha256, metadata, files)


def _write_plan(deposit: Deposit) -> None:
    said = {
        "release": deposit.release,
        "version": deposit.version,
        "manifest_sha256": deposit.manifest_sha256,
        "files": [asdict(file) for file in deposit.files],
    }
    unfinished = deposit.folder / FILES / f".{PLAN_FILE}"
    unfinished.write_bytes(_json_bytes(said))
    unfinished.replace(deposit.folder / PLAN_FILE)


def _write_one(
    release: Path, target: Path, inside: Sequence[str], sums: Mapping[str, str], manifest: Mapping[str, Any]
) -> DepositedFile:
    with target.open("wb") as file:
        out = _Hashed(file)
        if inside == (target.name,):
            with (release / target.name).open("rb") as source:
                shutil.copyfileobj(source, out, _PIECE)
        else:
            _write_tar(release, out, inside, sums, manifest["created"])
    return DepositedFile(target.name, out.size_bytes, out.md5())


def _write_tar(release: Path, out: "_Hashed", paths: Sequence[str], sums: Mapping[str, str], created: str) -> None:
    """Write a tar whose bytes depend on the names and bytes of its members and on the day of the release alone."""
    day = int(datetime.strptime(created, "%Y-%m-%d").replace(tzinfo=UTC).timestamp())
    first: dict[str, str] = {}
    with tarfile.open(fileobj=out, mode="w|", format=tarfile.PAX_FORMAT) as archive:
        for path in paths:
            info = tarfile.TarInfo(path)
            info.mtime, info.mode = day, 0o644
            same = first.setdefault(sums[path], path)
            if same != path:
                info.type, info.linkname = tarfile.LNKTYPE, same
                archive.addfile(info)
                continue
            info.size = (release / path).stat().st_size
            with (release / path).open("rb") as source:
                archive.addfile(info, source)


class _Hashed(io.RawIOBase):
    """A file that is written from its beginning to its end, and knows its size and MD5."""

    def __init__(self, file: Any) -> None:
        self._file = file
        self._digest = hashlib.md5(usedforsecurity=False)
        self.size_bytes = 0

    def writable(self) -> bool:
        """Return True."""
        return True

    def write(self, data: Any) -> int:
        """Append bytes."""
        self._file.write(data)
        self._digest.update(data)
        self.size_bytes += len(data)
        return len(data)

    def md5(self) -> str:
        """Return the MD5 of what was written."""
        return self._digest.hexdigest()


def _md5_of(path: Path) -> str:
    digest = hashlib.md5(usedforsecurity=False)
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            digest.update(piece)
    return digest.hexdigest()


def _json_bytes(said: Mapping[str, Any]) -> bytes:
    return (json.dumps(said, indent=1, ensure_ascii=False) + "\n").encode()
