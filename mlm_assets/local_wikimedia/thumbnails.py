"""Thumbnails: which widths there are, how they are called, and the drawing itself (Pillow, resvg).

A broken original has a broken thumbnail: the bytes are passed on as they are, for clients to notice.
"""

import io
import re
from typing import Final, NamedTuple

import resvg_py
from PIL import Image

from mlm_assets.local_wikimedia.model import MediaFile

ALLOWED_WIDTHS: Final = (20, 40, 60, 120, 250, 330, 500, 960, 1280, 1920, 3840)
ICON_PATH: Final = "/commons.wikimedia.org/w/resources/assets/file-type-icons/fileicon-ogg.png"
ICON_PX: Final = 120
SVG_MIME: Final = "image/svg+xml"
_MAX_NAME_BYTES: Final = 160
_QUALITY: Final = 80
_WIDTH: Final = re.compile(r"^(?:lossy-page1-|page1-)?(\d{1,5})px-")


class _Form(NamedTuple):
    """How a thumbnail of one kind of file is called, and what it is."""

    before: str
    between: str
    after: str
    mime: str


_FORMS: Final = {
    "image/jpeg": _Form("", "", "", "image/jpeg"),
    "image/png": _Form("", "", "", "image/png"),
    "image/gif": _Form("", "", "", "image/gif"),
    "image/webp": _Form("", "", "", "image/webp"),
    SVG_MIME: _Form("", "", ".png", "image/png"),
    "image/tiff": _Form("lossy-page1-", "", ".jpg", "image/jpeg"),
    "application/pdf": _Form("page1-", "", ".jpg", "image/jpeg"),
    "video/webm": _Form("", "-", ".jpg", "image/jpeg"),
    "video/ogg": _Form("", "-", ".jpg", "image/jpeg"),
    "video/mp4": _Form("", "-", ".jpg", "image/jpeg"),
}


def has_thumbnails(mime: str) -> bool:
    """Tell whether files of this kind have thumbnails at all (sound has none)."""
    return mime in _FORMS


def is_original(file: MediaFile, width_px: int) -> bool:
    """Tell whether the thumbnail of this width is the original itself: pictures are never scaled up."""
    return file.mime in _FORMS and file.mime != SVG_MIME and file.width_px <= width_px


def thumbnail_name(file: MediaFile, width_px: int) -> str:
    """Return the last part of a thumbnail's address, not yet encoded."""
    form = _FORMS[file.mime]
    name = file.name.replace(" ", "_")
    if len(name.encode()) > _MAX_NAME_BYTES:
        name = f"thumbnail.{name.rpartition('.')[2]}"
    return f"{form.before}{width_px}px-{form.between}{name}{form.after}"


def width_in_name(thumbnail: str) -> int | None:
    """Return the width that the name of a thumbnail asks for."""
    found = _WIDTH.match(thumbnail)
    return int(found[1]) if found else None


def height_at(file: MediaFile, width_px: int) -> int:
    """Return the height of a thumbnail of this width, at least one pixel."""
    return max(1, round(file.height_px * width_px / file.width_px)) if file.width_px else width_px


def draw(body: bytes, mime: str, width_px: int) -> tuple[bytes, str]:
    """Return a thumbnail and its type; `body` itself where it cannot be drawn."""
    form = _FORMS[mime]
    try:
        if mime == SVG_MIME:
            drawn = resvg_py.svg_to_bytes(svg_string=body.decode(), width=width_px, skip_system_fonts=True)
            return bytes(drawn), form.mime
        if not mime.startswith("image/"):
            return _encoded(Image.new("RGB", (width_px, width_px * 2 // 3), "#444"), "JPEG"), form.mime
        return _scaled(body, width_px, form.mime), form.mime
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return body, form.mime


def _scaled(body: bytes, width_px: int, mime: str) -> bytes:
    with Image.open(io.BytesIO(body)) as opened:
        size = (width_px, max(1, round(opened.height * width_px / opened.width)))
        picture: Image.Image = opened
        if mime == "image/jpeg":
            opened.draft("RGB", size)
            picture = opened if opened.mode == "RGB" else opened.convert("RGB")
        elif opened.mode in ("1", "P"):
            picture = opened.convert("RGBA" if "transparency" in opened.info else "RGB")
        return _encoded(picture.resize(size, Image.Resampling.BILINEAR), mime.removeprefix("image/").upper())


def _encoded(picture: Image.Image, kind: str) -> bytes:
    target = io.BytesIO()
    if kind in ("JPEG", "WEBP"):
        picture.save(target, kind, quality=_QUALITY)
    elif kind == "PNG":
        picture.save(target, kind, compress_level=1)
    else:
        picture.save(target, kind)
    return target.getvalue()


def picture_size(body: bytes | None, mime: str) -> tuple[int, int]:
    """Return width and height in pixels as the body states them; zeros where it does not."""
    if body is None or not mime.startswith("image/"):
        return 0, 0
    try:
        if mime == SVG_MIME:
            body = bytes(resvg_py.svg_to_bytes(svg_string=body.decode(), skip_system_fonts=True))
        with Image.open(io.BytesIO(body)) as opened:
            return opened.width, opened.height
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return 0, 0
