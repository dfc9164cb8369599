"""Bytes of the generated files, made when somebody asks, the same for the same plan.

Place can be learnt from them: sky by latitude, ground by longitude, a band of bars by country. Drawn with flat
arrays rather than fine art, because a world has tens of thousands of them.
"""

import colorsys
import io
import struct
import zlib
from typing import Final

import numpy as np
from PIL import Image, ImageChops

from mlm_assets.local_wikimedia.generator.images import FilePlan
from mlm_assets.local_wikimedia.generator.randomness import stable_number

_BRIGHTEST: Final = 226
"""Leaves room for the noise."""
_NIGHT: Final = [value * 35 // 100 for value in range(256)] * 3
_NOISE_CELL_PX: Final = 20
_JPEG_QUALITY: Final = 72


def _rgb(hue: float, saturation: float, value: float) -> tuple[int, int, int]:
    red, green, blue = colorsys.hsv_to_rgb(hue % 1.0, saturation, value)
    return round(red * 255), round(green * 255), round(blue * 255)


def _hex(colour: tuple[int, int, int]) -> str:
    return "#{:02x}{:02x}{:02x}".format(*colour)


def place_colours(plan: FilePlan) -> list[tuple[int, int, int]]:
    """Return four colours: sky (latitude), ground (longitude), and two of the country."""
    country = stable_number("country colour", plan.iso, below=360) / 360
    return [
        _rgb(0.5 + plan.lat_deg / 260, 0.55, 0.9),
        _rgb(0.1 + (plan.lon_deg + 180) / 480, 0.6, 0.6),
        _rgb(country, 0.85, 0.8),
        _rgb(country + 0.37, 0.7, 0.95),
    ]


def _noise(plan: FilePlan) -> Image.Image:
    """Return coarse noise of 0 to 28, so that no two pictures are alike."""
    rng = np.random.default_rng(stable_number("noise", plan.drawn_by, below=2**63))
    rows, columns = -(-plan.height_px // _NOISE_CELL_PX), -(-plan.width_px // _NOISE_CELL_PX)
    coarse = rng.integers(0, 29, (rows, columns, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize((plan.width_px, plan.height_px), Image.Resampling.NEAREST)


def _backdrop(plan: FilePlan, horizon: int) -> Image.Image:
    """Return sky above ground, each a little darker towards the top."""
    sky, ground, _, _ = place_colours(plan)
    rows = np.empty((plan.height_px, 1, 3), np.float32)
    rows[:horizon], rows[horizon:] = sky, ground
    rows *= np.linspace(0.75, 1.0, plan.height_px, dtype=np.float32)[:, None, None]
    column = Image.fromarray(np.minimum(rows, _BRIGHTEST).astype(np.uint8))
    return column.resize((plan.width_px, plan.height_px), Image.Resampling.NEAREST)


def _scene(plan: FilePlan) -> Image.Image:
    """Return the picture: sky, ground, and bars of the country between them."""
    height, width = plan.height_px, plan.width_px
    horizon = height * (4 + stable_number("horizon", plan.drawn_by, below=3)) // 10
    scene = _backdrop(plan, horizon)
    colours = [(min(r, _BRIGHTEST), min(g, _BRIGHTEST), min(b, _BRIGHTEST)) for r, g, b in place_colours(plan)[2:]]
    n_bars = 3 + stable_number("bars", plan.iso, below=8)
    bar = max(1, width // (2 * n_bars))
    top = max(0, horizon - height // 6)
    for number in range(n_bars):
        left = number * 2 * bar
        scene.paste(colours[number % 2], (left, top, left + bar, horizon))
    scene = ImageChops.add(scene, _noise(plan))
    return scene.point(_NIGHT) if plan.style == "night" else scene


def _encode(picture: Image.Image, mime: str) -> bytes:
    target = io.BytesIO()
    if mime == "image/png":
        picture.save(target, "PNG", compress_level=1)
    else:
        picture.save(target, "JPEG", quality=_JPEG_QUALITY)
    return target.getvalue()


def _svg(plan: FilePlan) -> bytes:
    """Return a flag, a coat of arms or a locator map as SVG, without text (fonts differ between machines)."""
    sky, ground, first, second = (_hex(colour) for colour in place_colours(plan))
    width, height = plan.width_px, plan.height_px
    third = height // 3
    x = round((plan.lon_deg + 180) / 360 * width, 1)
    y = round((90 - plan.lat_deg) / 180 * height, 1)
    shapes = {
        "flag": f'<rect width="{width}" height="{height}" fill="{first}"/>'
        f'<rect y="{third}" width="{width}" height="{third}" fill="{second}"/>'
        f'<rect y="{2 * third}" width="{width}" height="{third}" fill="{ground}"/>',
        "arms": f'<path d="M0 0H{width}V{height * 0.6:.0f}L{width // 2} {height}L0 {height * 0.6:.0f}Z" '
        f'fill="{first}"/><circle cx="{width // 2}" cy="{height * 0.4:.0f}" r="{width // 4}" fill="{sky}"/>',
        "map": f'<rect width="{width}" height="{height}" fill="{sky}"/>'
        f'<rect x="{width // 8}" y="{height // 8}" width="{width * 3 // 4}" height="{height * 3 // 4}" '
        f'fill="{ground}"/><circle cx="{x}" cy="{y}" r="12" fill="{first}"/>',
    }
    version = plan.drawn_by.partition("#")[2]
    note = f"<!-- version {version} -->" if version else ""
    mark = stable_number("mark", plan.drawn_by, below=max(1, width - 20))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}">{shapes.get(plan.style, shapes["flag"])}'
        f'<rect x="{mark}" y="8" width="12" height="12" fill="{second}"/>{note}</svg>\n'
    ).encode()


def _tall(plan: FilePlan) -> bytes:
    """Return a valid PNG of one bit per pixel: more pixels than anyone decodes, in a few kilobytes."""
    row = b"\0" + b"\xaa" * (plan.width_px // 8)
    header = struct.pack(">IIBBBBB", plan.width_px, plan.height_px, 1, 0, 0, 0, 0)
    chunks = (b"IHDR", header), (b"IDAT", zlib.compress(row * plan.height_px, 9)), (b"IEND", b"")
    body = b"\x89PNG\r\n\x1a\n"
    for kind, data in chunks:
        body += struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    # A comment after the end keeps two such files apart.
    return body + plan.drawn_by.encode()


def _garbage(plan: FilePlan) -> bytes:
    """Return bytes that no decoder takes for a picture."""
    rng = np.random.default_rng(stable_number("garbage", plan.drawn_by, below=2**63))
    return b"\0broken " + rng.bytes(3_000)


_MAGIC: Final = {"audio/ogg": b"OggS\0\2", "video/webm": b"\x1aE\xdf\xa3", "application/pdf": b"%PDF-1.4\n"}


def file_body(plan: FilePlan) -> bytes:
    """Return the original file of `plan`."""
    if plan.mime in _MAGIC:
        return _MAGIC[plan.mime] + plan.drawn_by.encode() * 20
    if plan.damage == "tall":
        return _tall(plan)
    if plan.damage == "garbage":
        return _garbage(plan)
    if plan.mime == "image/svg+xml":
        return _svg(plan)
    body = _encode(_scene(plan), plan.mime)
    return body[: len(body) * 6 // 10] if plan.damage == "cut" else body
