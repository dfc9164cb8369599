"""Commons files: originals and thumbnails under the addresses that the Action API gives out."""

import hashlib
import io
import mimetypes
from functools import cache
from typing import Final

from PIL import Image
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from mlm_assets.local_wikimedia.cache import ByteCache
from mlm_assets.local_wikimedia.model import MediaFile, World
from mlm_assets.local_wikimedia.thumbnails import (
    ALLOWED_WIDTHS,
    ICON_PX,
    draw,
    has_thumbnails,
    is_original,
    thumbnail_name,
    width_in_name,
)
from mlm_assets.local_wikimedia.titles import InvalidTitle, file_key, upload_path

_THUMBNAILS_BYTES: Final = 192 * 2**20


def _page(status: int, title: str, text: str) -> HTMLResponse:
    return HTMLResponse(
        f"<!DOCTYPE html>\n<html><head><title>{title}</title></head>\n"
        f"<body><h1>{title}</h1><p>{text}</p></body></html>\n",
        status,
    )


def _not_found() -> HTMLResponse:
    return _page(404, "Not found", "The resource could not be found.")


class FilesService:
    """Serves what lies below `/wikipedia/commons/`."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._thumbnails = ByteCache(_THUMBNAILS_BYTES)

    async def __call__(self, request: Request) -> Response:
        """Return an original or a thumbnail; 404 where there is none, 400 for a width that is not allowed."""
        parts = request.path_params["path"].split("/")
        is_thumbnail = parts[0] == "thumb"
        parts = parts[1:] if is_thumbnail else parts
        if len(parts) != (4 if is_thumbnail else 3):
            return _not_found()
        try:
            name = file_key(parts[2])
        except InvalidTitle:
            return _not_found()
        if not upload_path(name).startswith(f"{parts[0]}/{parts[1]}/"):
            return _not_found()
        if is_thumbnail:
            return await self._thumbnail(name, parts[3])
        return await run_in_threadpool(self._original, name)

    def _original(self, name: str) -> Response:
        file = self._world.file(name)
        body = self._world.body(name) if file and not file.redirect_to else None
        return _not_found() if file is None or body is None else _file_response(body, file.mime)

    async def _thumbnail(self, name: str, thumbnail: str) -> Response:
        width = width_in_name(thumbnail)
        if width is None:
            return _not_found()
        if width not in ALLOWED_WIDTHS:
            return _page(400, "Error", "Use thumbnail sizes listed on https://w.wiki/GHai.")
        kept = self._thumbnails.get((name, thumbnail))
        if kept is not None:
            # Thumbnails are called by what they are, whatever their original is.
            return _file_response(kept, mimetypes.guess_type(thumbnail)[0] or "application/octet-stream")
        return await run_in_threadpool(self._draw, name, thumbnail, width)

    def _draw(self, name: str, thumbnail: str, width: int) -> Response:
        file = self._world.file(name)
        if file is None or file.redirect_to or not _is_its_thumbnail(file, thumbnail, width):
            return _not_found()
        if is_original(file, width) and file.width_px < width:
            return _page(400, "Error", "The requested width is larger than the original.")
        body = self._world.body(name)
        if body is None:
            return _not_found()
        drawn, mime = draw(body, file.mime, width)
        self._thumbnails.put((name, thumbnail), drawn)
        return _file_response(drawn, mime)


async def file_type_icon(_request: Request) -> Response:
    """Return the picture that the wiki shows for files without a picture of their own, such as sound."""
    return _file_response(_icon(), "image/png")


@cache
def _icon() -> bytes:
    target = io.BytesIO()
    Image.new("RGB", (ICON_PX, ICON_PX), "#888").save(target, "PNG")
    return target.getvalue()


def _is_its_thumbnail(file: MediaFile, thumbnail: str, width: int) -> bool:
    return has_thumbnails(file.mime) and thumbnail_name(file, width) == thumbnail.replace(" ", "_")


def _file_response(body: bytes, mime: str) -> Response:
    etag = hashlib.md5(body, usedforsecurity=False).hexdigest()
    return Response(body, media_type=mime, headers={"ETag": f'"{etag}"', "Cache-Control": "max-age=86400"})
