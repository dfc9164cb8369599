"""`mlm deposit`: a published version as a folder for an archive, and as a draft in the archive.

What was deposited where is kept in `releases/<release>/deposits.json`, and written before the first file is sent: the
same command goes on where a killed one stopped. Nothing is published here; a person does that on the archive's page.
"""

import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

from filelock import FileLock, Timeout
from rich.console import Console

from mlm_assets.errors import MlmError, Refused
from mlm_assets.release.deposit import Deposit, write_deposit
from mlm_assets.release.publication import Releases, all_releases, write_whole
from mlm_assets.settings import Settings

DEPOSITS_FILE: Final = "deposits.json"
Say = Callable[[str], Any]


@dataclass(frozen=True)
class Deposited:
    """A version in an archive: `deposition` is its number there, `is_complete` whether all files have arrived."""

    version: int
    url: str
    deposition: int
    doi: str
    page_url: str
    manifest_sha256: str
    is_complete: bool


def deposit(settings: Settings, release: str, into: Path | None, url: str | None, say: Say) -> dict[str, Any]:
    """Write the deposit folder of the newest published version; with `url`, fill a draft in that archive.

    Returns `folder`, `files` and, after an upload, `deposited`. The home's own folder is removed after an upload.

    Raises:
        Refused: the release has no published version that may be deposited, or see `release.deposit`.
    """
    releases = Releases(settings.home, release)
    published = _published(releases)
    folder = into.absolute() if into is not None else settings.home / "deposits" / release / published.name
    client = _client(settings, url) if url is not None else None
    if client is None:
        made = write_deposit(published, folder, say)
        return _said(release, made)
    with _alone(settings.home, release):
        made = write_deposit(published, folder, say)
        deposited = _upload(client, settings.home, releases, made, say)
    if into is None:  # a copy in the home would have to be found again by every takedown
        shutil.rmtree(folder)
    return {**_said(release, made), "deposited": asdict(deposited)}


def _said(release: str, made: Deposit) -> dict[str, Any]:
    files = [asdict(file) for file in made.files]
    return {"release": release, "version": made.version, "folder": str(made.folder), "files": files}


@contextmanager
def _alone(home: Path, release: str) -> Iterator[None]:
    """Let one process at a time deposit a release: two would make two drafts."""
    lock = FileLock(home / "deposits" / f".{release}.lock", timeout=0)
    Path(lock.lock_file).parent.mkdir(parents=True, exist_ok=True)
    try:
        with lock:
            yield
    except Timeout as error:
        raise Refused(f"Another process is depositing {release} from {home}.") from error


def show(said: dict[str, Any], console: Console) -> None:
    """Print the folder, its files, and the draft."""
    total = sum(file["size_bytes"] for file in said["files"])
    console.print(f"{said['release']} v{said['version']}: {len(said['files'])} files, {total / 1e6:,.1f} MB")
    if "deposited" not in said:
        console.print(f"  {said['folder']}")
    else:
        made = said["deposited"]
        console.print(f"  draft {made['deposition']} at {made['url']}, DOI {made['doi'] or 'not reserved'}")
        console.print(f"  look at it, and publish it there: {made['page_url']}")


def _published(releases: Releases) -> Path:
    """Return the folder of the newest published version, which is recorded and from which nothing was purged."""
    newest = releases.newest()
    if newest is None:
        raise Refused(
            f"{releases.release} has no published version, and only published versions are deposited. "
            f"Publish its draft first: `mlm publish {releases.release}`."
        )
    publication = releases.publication(releases.versions()[-1])
    if publication is None:
        raise Refused(
            f"The publication of {newest} is not recorded. Complete it with `mlm publish {releases.release}`."
        )
    if publication.purged:
        raise Refused(
            f"Files were purged from {newest} since it was published. Publish the next version first, and deposit that."
        )
    return newest


def _client(settings: Settings, url: str) -> Any:
    from mlm_assets.resources.zenodo import TOKEN_VARIABLE, Zenodo

    return Zenodo(
        url, os.environ.get(TOKEN_VARIABLE, ""), settings.user_agent(),
        attempts=settings.max_attempts, first_pause_s=settings.first_pause_s(url),
    )  # fmt: skip


def _upload(client: Any, home: Path, releases: Releases, made: Deposit, say: Say) -> Deposited:
    """Fill a draft: files that are there with the right MD5 are not sent again, others of it are removed."""
    draft, is_published = _draft(client, home, releases, made, say)
    record = Deposited(
        made.version, client.url, draft.id, draft.doi, draft.page_url, made.manifest_sha256, is_published
    )
    if is_published:
        say(f"{made.release} v{made.version} is published at {client.url} as {draft.doi or draft.id}")
        return record
    _record(releases, record)
    wanted = {file.name: file for file in made.files}
    for file in draft.files:
        if file.name not in wanted:
            say(f"{file.name}: removed from the draft")
            client.remove(draft, file)
    there = {file.name: file.md5 for file in draft.files}
    for name, one in wanted.items():
        if there.get(name) == one.md5:
            say(f"{name}: there already")
            continue
        say(f"{name}: {one.size_bytes / 1e6:,.1f} MB")
        client.upload(draft, made.path(one), name, one.md5)
    client.set_metadata(draft, made.metadata)
    _require_complete(client, draft.id, {name: file.md5 for name, file in wanted.items()})
    record = replace(record, is_complete=True)
    _record(releases, record)
    return record


def _require_complete(client: Any, deposition: int, wanted: dict[str, str]) -> None:
    """Hold what the archive has in the end against what was meant."""
    found = client.get(deposition)
    there = {file.name: file.md5 for file in found.files} if found is not None else {}
    wrong = sorted(name for name in {*there, *wanted} if there.get(name) != wanted.get(name))
    if wrong:
        raise MlmError(
            f"{client.url}: draft {deposition} does not hold what was sent ({', '.join(wrong[:3])}). "
            "Run the command again; do not publish this draft."
        )


def _draft(client: Any, home: Path, releases: Releases, made: Deposit, say: Say) -> tuple[Any, bool]:
    """Return the deposition of this version, and whether a person has published it already."""
    for record in _records(releases):
        if (record.version, record.url, record.manifest_sha256) == (made.version, client.url, made.manifest_sha256):
            found = client.get(record.deposition)
            if found is not None:
                return found, found.is_published
            say(f"draft {record.deposition} is gone from {client.url}; a new one is made")
    for release, record in _earlier(home, releases, made.version, client.url):
        parent = client.get(record.deposition)
        if parent is None:
            continue
        if not parent.is_published:
            raise Refused(
                f"{release} v{record.version} is still a draft at {client.url} (number {parent.id}). Publish it there, "
                "or delete it, before the next version is deposited: versions of one record follow each other."
            )
        say(f"a new version of {release} v{record.version} ({parent.id})")
        return client.new_version(parent), False
    return client.draft(made.metadata), False


def _earlier(home: Path, releases: Releases, version: int, url: str) -> Iterator[tuple[str, Deposited]]:
    """Give what was deposited before this version at the same archive, newest first."""
    for one in reversed(all_releases(home)):
        if one.release > releases.release:
            continue
        for record in sorted(_records(one), key=lambda record: -record.version):
            is_before = one.release < releases.release or record.version < version
            if is_before and record.url == url:
                yield one.release, record


def _records(releases: Releases) -> list[Deposited]:
    path = releases.folder / DEPOSITS_FILE
    try:
        return [Deposited(**one) for one in json.loads(path.read_text("utf-8"))["deposits"]]
    except FileNotFoundError:
        return []
    except (ValueError, KeyError, TypeError) as error:
        raise MlmError(f"{path} cannot be read ({error}). Bring it back from a copy of the home.") from error


def _record(releases: Releases, record: Deposited) -> None:
    """Keep where a version was deposited, in place of what was known of it there."""
    others = [one for one in _records(releases) if (one.version, one.url) != (record.version, record.url)]
    said = {"release": releases.release, "deposits": [asdict(one) for one in [*others, record]]}
    write_whole(releases.folder / DEPOSITS_FILE, (json.dumps(said, indent=1) + "\n").encode())
