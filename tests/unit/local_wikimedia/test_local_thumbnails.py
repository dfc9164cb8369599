"""Thumbnails have the size, type and name that Commons gives them."""

import io

import pytest
from PIL import Image

from mlm_assets.local_wikimedia.model import MediaFile
from mlm_assets.local_wikimedia.thumbnails import (
    draw,
    height_at,
    is_original,
    picture_size,
    thumbnail_name,
    width_in_name,
)

SVG = b'<svg xmlns="http://www.w3.org/2000/svg" width="90" height="60"><rect width="90" height="60" fill="red"/></svg>'


def body(kind: str, mode: str = "RGB", size: tuple[int, int] = (400, 300)) -> bytes:
    target = io.BytesIO()
    Image.new(mode, size).save(target, kind)
    return target.getvalue()


def file(name: str, mime: str, width_px: int = 400, height_px: int = 300) -> MediaFile:
    return MediaFile(name, mime, width_px, height_px, 1, "ab", "2020-01-01T00:00:00Z", 1)


@pytest.mark.parametrize(
    ("mime", "original", "kind"),
    [
        ("image/jpeg", body("JPEG"), "JPEG"),
        ("image/jpeg", body("JPEG", "CMYK"), "JPEG"),
        ("image/jpeg", body("JPEG", "L"), "JPEG"),
        ("image/png", body("PNG"), "PNG"),
        ("image/png", body("PNG", "P"), "PNG"),
        ("image/png", body("PNG", "I;16"), "PNG"),
        ("image/png", body("PNG", "RGBA"), "PNG"),
        ("image/gif", body("GIF", "P"), "GIF"),
        ("image/webp", body("WEBP"), "WEBP"),
        ("image/tiff", body("TIFF", "CMYK"), "JPEG"),
        ("image/svg+xml", SVG, "PNG"),
        ("application/pdf", b"%PDF", "JPEG"),
        ("video/webm", b"x", "JPEG"),
    ],
)
def test_thumbnail_has_the_width_asked_for(mime: str, original: bytes, kind: str) -> None:
    drawn, drawn_mime = draw(original, mime, 120)
    with Image.open(io.BytesIO(drawn)) as picture:
        assert picture.width == 120
        assert picture.format == kind
    assert drawn_mime == f"image/{kind.lower()}"


@pytest.mark.parametrize(
    ("mime", "broken"), [("image/jpeg", body("JPEG")[:500]), ("image/png", b"x"), ("image/svg+xml", b"<")]
)
def test_broken_original_stays_broken(mime: str, broken: bytes) -> None:
    assert draw(broken, mime, 120)[0] == broken


def test_names_follow_the_kind_of_file() -> None:
    assert thumbnail_name(file("A b.jpg", "image/jpeg"), 330) == "330px-A_b.jpg"
    assert thumbnail_name(file("A.svg", "image/svg+xml"), 330) == "330px-A.svg.png"
    assert thumbnail_name(file("A.tif", "image/tiff"), 330) == "lossy-page1-330px-A.tif.jpg"
    assert thumbnail_name(file("A.pdf", "application/pdf"), 330) == "page1-330px-A.pdf.jpg"
    assert thumbnail_name(file("A.webm", "video/webm"), 330) == "330px--A.webm.jpg"
    assert thumbnail_name(file("é" * 90 + ".jpg", "image/jpeg"), 330) == "330px-thumbnail.jpg"


@pytest.mark.parametrize(
    ("name", "width"), [("330px-A.jpg", 330), ("page1-20px-A.pdf.jpg", 20), ("A.jpg", None), ("px-A.jpg", None)]
)
def test_width_is_read_from_the_name(name: str, width: int | None) -> None:
    assert width_in_name(name) == width


def test_pictures_are_never_scaled_up_and_never_flat() -> None:
    assert is_original(file("A.jpg", "image/jpeg", 330), 330)
    assert not is_original(file("A.jpg", "image/jpeg", 331), 330)
    assert not is_original(file("A.svg", "image/svg+xml", 10), 330)
    assert height_at(file("A.jpg", "image/jpeg", 10_000, 1), 330) == 1


def test_size_is_read_from_the_body() -> None:
    assert picture_size(body("PNG"), "image/png") == (400, 300)
    assert picture_size(SVG, "image/svg+xml") == (90, 60)
    assert picture_size(b"x", "image/png") == (0, 0)
    assert picture_size(None, "image/png") == (0, 0)
