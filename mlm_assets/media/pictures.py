"""Pictures: refused before they can do harm, then brought to the 256 x 256 RGB of the dataset (paper, 3.3).

Order of the checks: bytes, type (by the first bytes, never by a name), width and height from the header, and
only then decoding, which is strict: a file that breaks off is an error. What strictness cannot see is damage
in the middle of a JPEG that still decodes; missing bytes after the last pixel are forgiven.

How a picture is brought to size: turned upright by its EXIF orientation; the first frame of an animation;
16-bit greys reduced to 8; scaled to fit (up or down, Lanczos), centred, never stretched. Padding is white,
and so is what shows through transparency, so that a coat of arms gets no frame. Colour profiles are left out
of account, and CMYK is converted without one: the difference is below what a thumbnail shows. Thread-safe;
touches nothing global.

Where pictures come from and where they are kept does not belong here.
"""

import io
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from PIL import (
    GifImagePlugin,
    Image,
    ImageFile,
    JpegImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)
from PIL.ExifTags import Base as ExifTag

PictureFault = Literal["undecodable", "too_many_pixels", "too_many_bytes", "unsupported_type"]

SIDE_PX: Final = 256
MAX_BYTES: Final = 20_000_000
MAX_PIXELS: Final = 40_000_000
JPEG_QUALITY: Final = 90
WHITE: Final = (255, 255, 255)

_READERS: Final[dict[str, Callable[[io.BytesIO], ImageFile.ImageFile]]] = {
    "image/jpeg": JpegImagePlugin.JpegImageFile,
    "image/png": PngImagePlugin.PngImageFile,
    "image/gif": GifImagePlugin.GifImageFile,
    "image/webp": WebPImagePlugin.WebPImageFile,
    "image/tiff": TiffImagePlugin.TiffImageFile,
}
MIME_TYPES: Final = tuple(_READERS)
"""The types that are taken."""

# First bytes -> type. Those without a reader are known so that they are refused by their name.
_SIGNATURES: Final = (
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"II*\x00", "image/tiff"),
    (b"MM\x00*", "image/tiff"),
    (b"%PDF-", "application/pdf"),
    (b"AT&TFORM", "image/vnd.djvu"),
    (b"OggS", "application/ogg"),
    (b"fLaC", "audio/flac"),
    (b"ID3", "audio/mpeg"),
    (b"\x1aE\xdf\xa3", "video/webm"),
    (b"gimp xcf", "image/x-xcf"),
    (b"BM", "image/bmp"),
    (b"PK\x03\x04", "application/zip"),
)
_RIFF_TYPES: Final = {b"WEBP": "image/webp", b"WAVE": "audio/wav", b"AVI ": "video/x-msvideo"}
_MARKUP_TYPES: Final = ((b"<svg", "image/svg+xml"), (b"<html", "text/html"), (b"<!doctype html", "text/html"))
_MARKUP_BYTES: Final = 4096

# What Pillow's readers raise at bytes that are not what they seem to be.
_BROKEN: Final = (OSError, SyntaxError, ValueError, EOFError, IndexError, KeyError, TypeError, struct.error)
_BOMBS: Final = (Image.DecompressionBombError, Image.DecompressionBombWarning)

_TURNS: Final = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


class PictureError(ValueError):
    """A file that is no usable picture.

    Attributes:
        reason: one of `PictureFault`, for tables.
        detail: what exactly was found, for people.
    """

    def __init__(self, reason: PictureFault, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason: PictureFault = reason
        self.detail = detail


@dataclass(frozen=True)
class PictureInfo:
    """What the header of a picture says; width and height as stored, before any turning."""

    mime: str
    width_px: int
    height_px: int


def check_picture(body: bytes, *, max_bytes: int = MAX_BYTES, max_pixels: int = MAX_PIXELS) -> PictureInfo:
    """Look at size, type and header of a file, without decoding it.

    Args:
        body: the whole file.
        max_bytes: a larger file is refused.
        max_pixels: a picture with more pixels (width times height) is refused; Pillow's own limit holds
            besides.

    Raises:
        PictureError: with the reason; a file that passes here may still turn out undecodable.
    """
    image, mime = _open(body, max_bytes, max_pixels)
    return PictureInfo(mime, image.width, image.height)


def square_rgb(
    body: bytes, side_px: int = SIDE_PX, *, max_bytes: int = MAX_BYTES, max_pixels: int = MAX_PIXELS
) -> bytes:
    """Return the picture as a JPEG of `side_px` x `side_px` RGB: scaled to fit, centred, padded with white.

    The same bytes always give the same bytes (with the same version of Pillow).

    Raises:
        PictureError: as `check_picture`, and `undecodable` if the file breaks off or is damaged.
    """
    image, mime = _open(body, max_bytes, max_pixels)
    try:
        picture = _decode(image, side_px)
    except _BROKEN as error:
        raise PictureError("undecodable", f"{mime} cannot be decoded ({error})") from error
    except _BOMBS as error:
        raise PictureError("too_many_pixels", str(error)) from error
    canvas = _pad(_fit(_plain(picture, mime), side_px), side_px)
    out = io.BytesIO()
    canvas.save(out, format="JPEG", quality=JPEG_QUALITY, subsampling="4:2:0", optimize=False)
    return out.getvalue()


def sniff_mime(body: bytes) -> str | None:
    """Return the media type that the first bytes of a file tell, or None where they tell nothing."""
    for signature, mime in _SIGNATURES:
        if body.startswith(signature):
            return mime
    if body.startswith(b"RIFF"):
        return _RIFF_TYPES.get(body[8:12])
    if body[4:8] == b"ftyp":
        return "video/mp4"
    return _sniff_markup(body[:_MARKUP_BYTES])


def _sniff_markup(head: bytes) -> str | None:
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if not text.startswith(b"<"):
        return None
    return next((mime for tag, mime in _MARKUP_TYPES if tag in text), "application/xml")


def _open(body: bytes, max_bytes: int, max_pixels: int) -> tuple[ImageFile.ImageFile, str]:
    """Return the picture with its header read, and its type.

    The readers are called directly: `Image.open` warns of large pictures through the `warnings` module, which
    can be neither silenced nor caught without changing the state of the whole process.
    """
    if len(body) > max_bytes:
        raise PictureError("too_many_bytes", f"{len(body)} bytes, at most {max_bytes} are taken")
    mime = sniff_mime(body)
    if mime is None:
        raise PictureError("undecodable", f"{len(body)} bytes that begin like no type of picture: {body[:8].hex(' ')}")
    if mime not in _READERS:
        raise PictureError("unsupported_type", mime)
    try:
        image = _READERS[mime](io.BytesIO(body))
    except _BOMBS as error:
        raise PictureError("too_many_pixels", str(error)) from error
    except _BROKEN as error:
        raise PictureError("undecodable", f"the header of this {mime} is broken ({error})") from error
    if image.width * image.height > max_pixels:
        raise PictureError("too_many_pixels", f"{image.width} x {image.height}, at most {max_pixels} pixels are taken")
    return image, mime


def _decode(image: ImageFile.ImageFile, side_px: int) -> Image.Image:
    if isinstance(image, JpegImagePlugin.JpegImageFile):
        # Lets the decoder leave out detail that would be scaled away; twice the size keeps Lanczos honest.
        image.draft(None, _fitted_size(image.size, 2 * side_px))
    image.load()
    turn = _TURNS.get(_orientation(image))
    return image if turn is None else image.transpose(turn)


def _orientation(image: Image.Image) -> int:
    try:
        return int(image.getexif().get(ExifTag.Orientation, 1))
    except _BROKEN:
        return 1  # the pixels are sound; a broken note about the camera is no reason to lose them


def _plain(image: Image.Image, mime: str) -> Image.Image:
    """Return the picture as RGB, or as RGBA where something shows through."""
    if image.mode == "F":
        raise PictureError("unsupported_type", f"{mime} of floating-point values")
    if image.mode == "I" or image.mode.startswith("I;16"):
        levels = np.clip(np.asarray(image), 0, 0xFFFF).astype(np.uint16) >> 8
        return Image.fromarray(levels.astype(np.uint8)).convert("RGB")
    is_transparent = image.has_transparency_data
    return image.convert("RGBA" if is_transparent else "RGB")


def _fitted_size(size: tuple[int, int], side_px: int) -> tuple[int, int]:
    scale = side_px / max(size)
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def _fit(image: Image.Image, side_px: int) -> Image.Image:
    size = _fitted_size(image.size, side_px)
    return image.resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0)


def _pad(image: Image.Image, side_px: int) -> Image.Image:
    canvas = Image.new("RGB", (side_px, side_px), WHITE)
    corner = ((side_px - image.width) // 2, (side_px - image.height) // 2)
    canvas.paste(image, corner, mask=image if image.mode == "RGBA" else None)
    return canvas
