"""From names of files to padded pictures in the lake, with a status for every name.

Metadata first (fifty names a request), then one download per distinct file (by SHA-1), two at a time. A picture that
the lake holds already is not fetched again. What Commons says and what a picture is do not belong here
(`resources.commons`, `media.pictures`).
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from mlm_assets.errors import RequestRejected, ServiceUnavailable
from mlm_assets.media.pictures import PictureError, square_rgb
from mlm_assets.resources.commons import Commons, FileMetadata
from mlm_assets.resources.failures import CorruptFile, FileMissing, FileTooLarge, HostDown, ShutOut
from mlm_assets.resources.lake import Lake
from mlm_assets.resources.takedowns import TAKEN_DOWN, FilesTakenDown, files_taken_down
from mlm_assets.settings import Settings

PICTURE_VERSION: Final = 1
"""Part of a stored picture's name; a change of how pictures are padded makes new ones beside the old."""

SVG: Final = "image/svg+xml"
DRAWABLE: Final = frozenset({"image/jpeg", "image/png", "image/gif", "image/webp", "image/tiff", "image/x-xcf", SVG})
"""Media types that Commons makes a raster thumbnail of and that are pictures (no PDF, DjVu, audio, video)."""

FAILED_FOR_GOOD: Final = ("undecodable", "too_many_bytes", "too_many_pixels", "no_thumbnail")
"""What stays as it is for as long as the file is the same and so are the limits: not tried again every month."""
_METADATA_STATUS: Final = {"missing": "missing", "invalid": "invalid_name"}


def gather_images(
    names: Sequence[str],
    commons: Commons,
    lake: Lake,
    settings: Settings,
    *,
    is_replay: bool = False,
    progress: Callable[[int], None] = lambda _: None,
    failed: Mapping[str, str] | None = None,
) -> dict[str, dict[str, Any]]:
    """Return for each name the fields of `images` that belong to the file: status, hash, path, licence, ...

    `failed` are files, by SHA-1, that could not be had before, with their status: they are not tried again. `progress`
    is told how many names are done. In a replay pictures are made again from the stored downloads.
    """
    taken_down = files_taken_down(lake)
    wanted = [name for name in names if not taken_down.has_name(name)]
    found, unanswered = _metadata(wanted, commons, settings.files_batch)
    metadata = {name: one for name, one in found.items() if not _is_taken_down(one, taken_down)}
    distinct = {one.sha1: one for one in metadata.values() if _refusal(one, settings) is None}
    gathered = {name: {"status": TAKEN_DOWN, "is_svg": False} for name in names}
    gathered |= {name: _record(one, _refusal(one, settings)) for name, one in metadata.items()}
    gathered |= {name: {"status": "unavailable", "is_svg": False} for name in unanswered}
    progress(len(names) - len(distinct))
    outcomes: dict[str, dict[str, Any]] = {}

    def fetch(one: FileMetadata) -> tuple[str, dict[str, Any]]:
        sha1 = str(one.sha1)
        if failed and sha1 in failed:
            return sha1, {"status": failed[sha1]}
        return sha1, _picture(one, commons, lake, settings, is_replay)

    with ThreadPoolExecutor(max_workers=2, thread_name_prefix="files") as threads:
        for sha1, outcome in _as_done(threads, fetch, distinct.values()):
            outcomes[sha1] = outcome
            progress(1)
    for name, one in metadata.items():
        if one.sha1 in outcomes and gathered[name]["status"] == "ok":
            gathered[name] |= outcomes[one.sha1]
    return gathered


def picture_path(sha1: str) -> str:
    """Return where the padded picture of the file with this SHA-1 lies in the lake."""
    return f"images/{sha1[:2]}/{sha1}-{PICTURE_VERSION}.jpg"


def _metadata(names: Sequence[str], commons: Commons, batch: int) -> tuple[dict[str, FileMetadata], list[str]]:
    """Return what Commons says of each name, and the names of requests that it did not answer."""
    found: dict[str, FileMetadata] = {}
    unanswered: list[str] = []
    for start in range(0, len(names), batch):
        asked = names[start : start + batch]
        try:
            found |= {one.requested_name: one for one in commons.file_metadata(asked)}
        except HostDown:
            raise
        except (ServiceUnavailable, RequestRejected):
            unanswered += asked
    return found, unanswered


def _is_taken_down(one: FileMetadata, taken_down: FilesTakenDown) -> bool:
    """Tell whether a name led to a file that was taken down: by a redirect, or because it was uploaded anew."""
    return taken_down.has_sha1(one.sha1) or (one.name is not None and taken_down.has_name(one.name))


def _as_done(
    threads: ThreadPoolExecutor,
    work: Callable[[FileMetadata], tuple[str, dict[str, Any]]],
    items: Iterable[FileMetadata],
) -> Iterator[tuple[str, dict[str, Any]]]:
    futures = [threads.submit(work, item) for item in items]
    try:
        for future in futures:
            yield future.result()
    except BaseException:
        # One failure that ends the run must not wait for thousands of queued downloads.
        threads.shutdown(wait=False, cancel_futures=True)
        raise


def _refusal(one: FileMetadata, settings: Settings) -> str | None:
    """Return the status of a file that is not even downloaded, None for one that is."""
    if one.status != "ok":
        return _METADATA_STATUS[one.status]
    if one.mime not in DRAWABLE:
        return "unsupported_type"
    if not one.sha1 or not one.thumb_url:
        return "no_thumbnail"
    # Vectors have no pixels of their own: what is downloaded is a small drawing of them.
    if one.mime != SVG and (one.width_px or 0) * (one.height_px or 0) > settings.max_file_pixels:
        return "too_many_pixels"
    return None


def _picture(one: FileMetadata, commons: Commons, lake: Lake, settings: Settings, is_replay: bool) -> dict[str, Any]:
    """Return the fields that a download decides: status, and path and hash of the picture where there is one."""
    path = picture_path(str(one.sha1))
    if not is_replay and lake.exists(path):
        return _stored(path, lake.read_bytes(path))

    def check(body: bytes) -> bytes:
        return square_rgb(body, max_bytes=settings.max_file_bytes, max_pixels=settings.max_file_pixels)

    try:
        data = commons.download(one, check)
    except (HostDown, ShutOut):
        raise
    except (
        CorruptFile,
        FileMissing,
        FileTooLarge,
        PictureError,
        RequestRejected,
        ServiceUnavailable,
    ) as error:
        return {"status": _failure(error)}
    lake.write_bytes(path, data)
    return _stored(path, data)


def _failure(error: Exception) -> str:
    if isinstance(error, PictureError):
        return str(error.reason)
    statuses: tuple[tuple[type[Exception], str], ...] = (
        (CorruptFile, "undecodable"),
        (FileTooLarge, "too_many_bytes"),
        (RequestRejected, "no_thumbnail"),
        (ServiceUnavailable, "unavailable"),
    )
    return next(status for kind, status in statuses if isinstance(error, kind))


def _stored(path: str, data: bytes) -> dict[str, Any]:
    return {"status": "ok", "path": path, "picture_sha256": hashlib.sha256(data).hexdigest()}


def _record(one: FileMetadata, refusal: str | None) -> dict[str, Any]:
    return {
        "status": refusal or "ok",
        "file_sha1": one.sha1,
        "mime": one.mime,
        "is_svg": one.mime == SVG,
        "width_px": one.width_px,
        "height_px": one.height_px,
        "size_bytes": one.size_bytes,
        "licence": one.licence,
        "licence_url": one.licence_url,
        "author": one.author,
        "credit": one.credit,
        "deletion_reason": one.deletion_reason,
        "answer_key": one.answer_key,
    }
