"""Pictures made here with Pillow, then broken, oversized, turned, see-through or of the wrong kind."""

import io
import os
import struct
import threading
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFile

from mlm_assets.media import pictures
from mlm_assets.media.pictures import PictureError, check_picture, sniff_mime, square_rgb

RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)
FORMATS = {"JPEG": "image/jpeg", "PNG": "image/png", "GIF": "image/gif", "WEBP": "image/webp", "TIFF": "image/tiff"}


def noise(width: int, height: int, mode: str = "RGB") -> Image.Image:
    pixels = np.random.default_rng(width * 1000 + height).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(pixels).convert(mode)


def encoded(image: Image.Image, format: str, **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, format=format, **options)
    return out.getvalue()


def pixels_of(jpeg: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(jpeg)) as image:
        assert image.format == "JPEG"
        assert image.mode == "RGB"
        return np.asarray(image).astype(int)


def assert_colour(pixels: np.ndarray, x: int, y: int, colour: tuple[int, int, int]) -> None:
    assert np.abs(pixels[y, x] - np.array(colour)).max() < 40, f"{pixels[y, x]} at {x},{y} is not {colour}"


def refused(body: bytes, **bounds: int) -> str:
    with pytest.raises(PictureError) as caught:
        square_rgb(body, **bounds)
    return caught.value.reason


def png_claiming(width: int, height: int) -> bytes:
    """A PNG whose header promises a picture of this size, with nothing behind it."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


@pytest.mark.parametrize("format", FORMATS)
def test_header_tells_type_and_size(format: str) -> None:
    info = check_picture(encoded(noise(61, 37), format))
    assert (info.mime, info.width_px, info.height_px) == (FORMATS[format], 61, 37)


@pytest.mark.parametrize(
    ("format", "mode"),
    [
        *(("JPEG", mode) for mode in ("RGB", "L", "CMYK", "YCbCr")),
        *(("PNG", mode) for mode in ("RGB", "L", "P", "1", "RGBA", "LA")),
        *(("GIF", mode) for mode in ("RGB", "L", "P", "1", "RGBA")),
        *(("WEBP", mode) for mode in ("RGB", "L", "RGBA")),
        *(("TIFF", mode) for mode in ("RGB", "L", "P", "1", "CMYK", "YCbCr", "RGBA", "LA")),
    ],
)
def test_every_mode_becomes_256_rgb(format: str, mode: str) -> None:
    pixels = pixels_of(square_rgb(encoded(noise(330, 200).convert(mode), format)))
    assert pixels.shape == (256, 256, 3)
    assert_colour(pixels, 128, 2, WHITE)  # padding
    assert np.abs(pixels[128, :, :] - 255).max() > 20  # picture


def test_wide_and_tall_pictures_are_padded_not_stretched() -> None:
    wide = pixels_of(square_rgb(encoded(Image.new("RGB", (512, 256), RED), "PNG")))
    for y, colour in ((10, WHITE), (55, WHITE), (74, RED), (128, RED), (182, RED), (200, WHITE)):
        assert_colour(wide, 5, y, colour)
        assert_colour(wide, 250, y, colour)
    tall = pixels_of(square_rgb(encoded(Image.new("RGB", (256, 512), RED), "PNG")))
    for x, colour in ((10, WHITE), (55, WHITE), (74, RED), (182, RED), (200, WHITE)):
        assert_colour(tall, x, 5, colour)


def test_small_pictures_are_scaled_up() -> None:
    assert_colour(pixels_of(square_rgb(encoded(Image.new("RGB", (8, 8), BLUE), "PNG"))), 2, 2, BLUE)


@pytest.mark.parametrize("size", [(1, 1), (1, 3000), (3000, 1), (257, 256), (256, 256)])
def test_extreme_shapes(size: tuple[int, int]) -> None:
    assert pixels_of(square_rgb(encoded(Image.new("RGB", size, RED), "PNG"))).shape == (256, 256, 3)


def test_other_sides() -> None:
    assert pixels_of(square_rgb(encoded(noise(90, 60), "PNG"), 64)).shape == (64, 64, 3)


def test_a_large_jpeg_looks_like_the_same_picture_without_shortcuts() -> None:
    left_red = Image.new("RGB", (4000, 3000), BLUE)
    left_red.paste(RED, (0, 0, 2000, 3000))
    pixels = pixels_of(square_rgb(encoded(left_red, "JPEG")))
    exact = pixels_of(square_rgb(encoded(left_red, "PNG")))
    assert np.abs(pixels - exact).mean() < 3


# What a camera held that way stores, for a picture that is red in its upper left quarter and blue elsewhere.
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_followed(orientation: int) -> None:
    upright = Image.new("RGB", (400, 200), BLUE)
    upright.paste(RED, (0, 0, 200, 100))
    undo = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }.get(orientation)
    stored = upright if undo is None else upright.transpose(undo)
    exif = Image.Exif()
    exif[0x0112] = orientation
    pixels = pixels_of(square_rgb(encoded(stored, "JPEG", exif=exif)))
    assert_colour(pixels, 60, 90, RED)
    assert_colour(pixels, 200, 90, BLUE)
    assert_colour(pixels, 60, 165, BLUE)
    assert_colour(pixels, 60, 20, WHITE)


@pytest.mark.filterwarnings("ignore::UserWarning:PIL.TiffImagePlugin")
def test_a_broken_exif_block_does_not_cost_the_picture() -> None:
    body = encoded(Image.new("RGB", (50, 50), RED), "JPEG", exif=b"Exif\x00\x00MM\x00*\x00\x00\xff\xff\x00\x01")
    assert_colour(pixels_of(square_rgb(body)), 128, 128, RED)


def test_transparency_shows_white() -> None:
    half = Image.new("RGBA", (100, 100), (255, 0, 0, 255))
    half.paste((0, 0, 0, 0), (50, 0, 100, 100))
    for body in (encoded(half, "PNG"), encoded(half, "WEBP", lossless=True), encoded(half, "TIFF")):
        pixels = pixels_of(square_rgb(body))
        assert_colour(pixels, 30, 128, RED)
        assert_colour(pixels, 220, 128, WHITE)


def test_transparent_palette_entry_shows_white() -> None:
    image = Image.new("P", (100, 100), 0)
    image.putpalette([*RED, *GREEN])
    image.paste(1, (50, 0, 100, 100))
    for format in ("PNG", "GIF"):
        pixels = pixels_of(square_rgb(encoded(image, format, transparency=1)))
        assert_colour(pixels, 30, 128, RED)
        assert_colour(pixels, 220, 128, WHITE)


@pytest.mark.parametrize("format", ["PNG", "TIFF"])
def test_16_bit_greys_are_scaled_not_clipped(format: str) -> None:
    grey = Image.fromarray(np.full((64, 64), 0x8000, dtype=np.uint16))
    assert_colour(pixels_of(square_rgb(encoded(grey, format))), 128, 128, (128, 128, 128))


def test_floating_point_tiff_is_refused() -> None:
    assert refused(encoded(Image.fromarray(np.ones((8, 8), dtype=np.float32)), "TIFF")) == "unsupported_type"


@pytest.mark.parametrize("format", ["GIF", "WEBP", "PNG"])
def test_first_frame_of_an_animation(format: str) -> None:
    frames = [Image.new("RGB", (60, 60), colour) for colour in (RED, GREEN, BLUE)]
    body = encoded(frames[0], format, save_all=True, append_images=frames[1:])
    assert_colour(pixels_of(square_rgb(body)), 128, 128, RED)


def test_cmyk_jpeg() -> None:
    body = encoded(Image.new("CMYK", (60, 60), (0, 255, 255, 0)), "JPEG")
    assert_colour(pixels_of(square_rgb(body)), 128, 128, RED)


@pytest.mark.parametrize("format", FORMATS)
def test_same_bytes_every_time_and_no_metadata(format: str) -> None:
    body = encoded(noise(330, 247), format)
    assert square_rgb(body) == square_rgb(body)
    exif = Image.Exif()
    exif[0x010F] = "camera"
    noisy = noise(330, 247)
    with_notes = encoded(noisy, "JPEG", exif=exif, comment=b"me", icc_profile=b"x" * 200)
    assert square_rgb(with_notes) == square_rgb(encoded(noisy, "JPEG"))


def test_output_is_a_fixed_point_of_size() -> None:
    once = square_rgb(encoded(noise(330, 247), "JPEG"))
    assert np.abs(pixels_of(square_rgb(once)) - pixels_of(once)).mean() < 3


@given(st.integers(0, 10_000), st.sampled_from(["JPEG", "PNG", "WEBP", "GIF"]))
@settings(max_examples=300, deadline=None)
def test_a_file_that_breaks_off_is_undecodable_unless_every_pixel_was_there(where: int, format: str) -> None:
    body = BODIES[format]
    cut = body[: where * (len(body) - 1) // 10_000]
    if len(body) - len(cut) > 20:
        assert refused(cut) == "undecodable"
        return
    try:
        assert square_rgb(cut) == square_rgb(body)
    except PictureError as error:
        assert error.reason == "undecodable"


BODIES = {format: encoded(noise(120, 90), format) for format in FORMATS}


@given(st.binary(max_size=300))
@settings(max_examples=300, deadline=None)
def test_garbage_is_refused_with_a_reason(body: bytes) -> None:
    assert refused(body) in {"undecodable", "unsupported_type"}


@pytest.mark.filterwarnings("ignore::UserWarning:PIL.TiffImagePlugin")
@given(st.sampled_from(list(FORMATS)), st.lists(st.tuples(st.integers(0, 2**31), st.integers(0, 255)), max_size=30))
@settings(max_examples=400, deadline=None)
def test_damage_is_survived_or_refused(format: str, damage: list[tuple[int, int]]) -> None:
    body = bytearray(BODIES[format])
    for place, value in damage:
        body[place % min(len(body), 400)] = value
    try:
        assert pixels_of(square_rgb(bytes(body), max_pixels=10**6)).shape == (256, 256, 3)
    except PictureError as error:
        assert error.reason in {"undecodable", "unsupported_type", "too_many_pixels"}


@pytest.mark.parametrize(
    ("body", "mime"),
    [
        (b'<?xml version="1.0"?>\n<!-- made by hand -->\n<svg xmlns="http://www.w3.org/2000/svg"/>', "image/svg+xml"),
        (b"\xef\xbb\xbf  <svg/>", "image/svg+xml"),
        (b"<!DOCTYPE html><html><title>429</title></html>", "text/html"),
        (b"<rss/>", "application/xml"),
        (b"%PDF-1.7\n", "application/pdf"),
        (b"AT&TFORM\x00\x00\x10\x00DJVU", "image/vnd.djvu"),
        (b"OggS\x00\x02", "application/ogg"),
        (b"\x1aE\xdf\xa3\x01", "video/webm"),
        (b"RIFF\x24\x00\x00\x00WAVEfmt ", "audio/wav"),
        (b"\x00\x00\x00\x20ftypisom", "video/mp4"),
        (encoded(noise(5, 5), "BMP"), "image/bmp"),
    ],
)
def test_other_types_are_refused_by_their_name(body: bytes, mime: str) -> None:
    assert sniff_mime(body) == mime
    with pytest.raises(PictureError, match=mime.replace("+", r"\+")) as caught:
        check_picture(body)
    assert caught.value.reason == "unsupported_type"


def test_bytes_that_tell_nothing_are_undecodable() -> None:
    for body in (b"", b"\x00" * 50, b"hello", b"RIFF\x00\x00\x00\x00????"):
        assert sniff_mime(body) is None
        assert refused(body) == "undecodable"


def test_too_many_bytes_is_seen_before_anything_else() -> None:
    body = BODIES["PNG"]
    check_picture(body, max_bytes=len(body))
    with pytest.raises(PictureError) as caught:
        check_picture(body, max_bytes=len(body) - 1)
    assert caught.value.reason == "too_many_bytes"


def test_too_many_pixels_is_seen_before_decoding() -> None:
    check_picture(BODIES["PNG"], max_pixels=120 * 90)
    with pytest.raises(PictureError) as caught:
        check_picture(BODIES["PNG"], max_pixels=120 * 90 - 1)
    assert caught.value.reason == "too_many_pixels"


@pytest.mark.parametrize(
    ("width", "height"), [(10_000, 10_000), (50_000, 50_000), (2**31 - 1, 2**31 - 1), (40_000_001, 1)]
)
def test_decompression_bombs_are_refused_without_a_warning(width: int, height: int) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert refused(png_claiming(width, height)) == "too_many_pixels"


def test_a_webp_bomb_is_refused() -> None:
    canvas = b"VP8X" + struct.pack("<I", 10) + b"\x00\x00\x00\x00" + (16_382).to_bytes(3, "little") * 2
    body = b"RIFF" + struct.pack("<I", 4 + len(canvas)) + b"WEBP" + canvas
    assert refused(body) in {"too_many_pixels", "undecodable"}


def test_nothing_global_is_changed() -> None:
    before = (Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES, warnings.filters[:])
    square_rgb(BODIES["JPEG"])
    refused(png_claiming(60_000, 60_000))
    assert (Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES, warnings.filters[:]) == before
    assert ImageFile.LOAD_TRUNCATED_IMAGES is False


def test_the_same_from_several_threads() -> None:
    expected = square_rgb(BODIES["WEBP"])
    results: list[bytes] = []
    threads = [threading.Thread(target=lambda: results.append(square_rgb(BODIES["WEBP"]))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [expected] * 8


def test_errors_are_values_that_say_what_was_found() -> None:
    with pytest.raises(ValueError, match="unsupported_type: application/pdf") as caught:
        check_picture(b"%PDF-1.4")
    assert isinstance(caught.value, PictureError)
    assert caught.value.detail == "application/pdf"
    assert "image/jpeg" in pictures.MIME_TYPES


@pytest.mark.realworld
def test_real_files_of_commons() -> None:
    shared = Path(os.environ.get("MLM_SHARED", Path(__file__).resolve().parents[4] / "shared"))
    folder = shared / "realworld" / "files"
    if not folder.is_dir():
        pytest.skip(f"the real files are not at {folder}")
    n_taken = 0
    for path in sorted(folder.iterdir()):
        body = path.read_bytes()
        if path.suffix == ".svg":
            assert refused(body) == "unsupported_type"
        else:
            assert pixels_of(square_rgb(body)).shape == (256, 256, 3)
            n_taken += 1
    assert n_taken > 50
