"""Tamperings with what Commons answers: pictures and their metadata.

Where a picture is another one, hash and size are those of the other one: what is wrong is what it shows. A client that
keeps files by their hash would never ask for it otherwise.
"""

import io
from dataclasses import replace
from functools import lru_cache
from typing import Final

from PIL import Image, ImageDraw

from mlm_assets.local_wikimedia.faults import fraction
from mlm_assets.local_wikimedia.model import MediaFile
from mlm_assets.local_wikimedia.tampering.base import Picture, Tampering, View, hits

_WIDTH_PX, _HEIGHT_PX = 480, 320
_SVG: Final = "image/svg+xml"
_FORMATS: Final = {"image/jpeg": "JPEG", "image/png": "PNG"}
_LICENCE: Final = ("LicenseShortName", "LicenseUrl", "UsageTerms", "License")


@lru_cache(maxsize=512)
def _drawn(mime: str, colour: str, is_crossed: bool) -> bytes | None:
    """Return a picture in one colour, crossed out or not; None for what is no picture."""
    size = f'width="{_WIDTH_PX}" height="{_HEIGHT_PX}"'
    if mime == _SVG:
        cross = f'<path d="M0 0L{_WIDTH_PX} {_HEIGHT_PX}" stroke="#999" stroke-width="4"/>' if is_crossed else ""
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" {size}><rect {size} fill="{colour}"/>{cross}</svg>\n'
        ).encode()
    if mime not in _FORMATS:
        return None
    picture = Image.new("RGB", (_WIDTH_PX, _HEIGHT_PX), colour)
    if is_crossed:
        ImageDraw.Draw(picture).line((0, 0, _WIDTH_PX, _HEIGHT_PX), fill="#999999", width=4)
    target = io.BytesIO()
    picture.save(target, _FORMATS[mime])
    return target.getvalue()


def _picture(body: bytes | None) -> Picture | None:
    return None if body is None else Picture(body, _WIDTH_PX, _HEIGHT_PX)


def _placeholder(_: View, name: str, mime: str) -> Picture | None:
    return _picture(_drawn(mime, "#dddddd", True)) if hits(0.3, "pictures_are_placeholders", name) else None


def _blank(_: View, name: str, mime: str) -> Picture | None:
    if not hits(0.4, "pictures_blank", name):
        return None
    return _picture(_drawn(mime, f"#{int(fraction('colour', name) * 0xFFFFFF):06x}", False))


def _of_neighbour(view: View, name: str, _mime: str) -> Picture | None:
    other = view.next_file(name)
    file = view.base.file(other) if other else None
    body = view.base.body(file.name) if file else None
    return Picture(body, file.width_px, file.height_px) if file and body is not None else None


def _without(file: MediaFile, *names: str) -> MediaFile:
    return replace(file, extmetadata={key: value for key, value in file.extmetadata.items() if key not in names})


def _no_licence(_: View, file: MediaFile) -> MediaFile:
    return _without(file, *_LICENCE)


def _no_author(_: View, file: MediaFile) -> MediaFile:
    return _without(file, "Artist")


def _as_svg(_: View, file: MediaFile) -> MediaFile:
    is_hit = file.mime in _FORMATS and hits(0.5, "files_reported_as_svg", file.name)
    return replace(file, mime=_SVG) if is_hit else file


def _missing(_: View, file: MediaFile) -> MediaFile | None:
    return None if hits(0.3, "files_missing", file.name) else file


FILES: Final = (
    Tampering("pictures_are_placeholders", "30 % of files, and their thumbnails, are one and the same placeholder",
              True, "world", picture=_placeholder),
    Tampering("pictures_blank", "40 % of files, and their thumbnails, show one colour", True, "world", picture=_blank),
    Tampering("pictures_swapped", "every file, and its thumbnail, is the next one of its type", True, "world",
              picture=_of_neighbour),
    Tampering("licences_missing", "no file says its licence", True, "answers", file=_no_licence),
    Tampering("authors_missing", "no file says its author", True, "answers", file=_no_author),
    Tampering("files_reported_as_svg", "half of the JPEG and PNG files are reported as SVG", True, "answers",
              file=_as_svg),
    Tampering("files_missing", "30 % of files are not known to Commons", True, "answers", file=_missing),
)  # fmt: skip
"""The kinds of this module."""
