"""Which files a candidate has, under which property, and what is wrong with them.

A plan holds what a file *is*; its bytes are made in `pictures.py` when somebody asks, and hash and size come from them.
"""

import random
from dataclasses import dataclass
from typing import Final, Literal

from mlm_assets.local_wikimedia.generator.cases import Case
from mlm_assets.local_wikimedia.generator.names import capitalised

Style = Literal["view", "night", "banner", "collage", "map", "flag", "arms", "sound", "film", "paper"]
Damage = Literal["none", "cut", "garbage", "tall", "unlisted", "bodiless"]

_NUMBER_WEIGHTS: Final = (56, 27, 11, 6)
_PROPERTY_WEIGHTS: Final = {
    "P94": 28, "P41": 24, "P242": 18, "P18": 12, "P1943": 6, "P2716": 5, "P948": 4, "P3451": 3,
}  # fmt: skip
_STYLES: Final[dict[str, Style]] = {
    "P18": "view", "P41": "flag", "P242": "map", "P2716": "collage", "P948": "banner", "P3451": "night",
    "P1943": "map", "P94": "arms",
}  # fmt: skip
_SVG_SHARE: Final = {"flag": 0.85, "arms": 0.8, "map": 0.6}
_VIEW_SIZES: Final = ((400, 300), (480, 320), (360, 480), (512, 384), (420, 420))
_SMALL_SIZES: Final = ((300, 225), (240, 320), (200, 150), (330, 248))
_FIXED_SIZES: Final[dict[str, tuple[int, int]]] = {
    "banner": (700, 100), "map": (400, 400), "flag": (450, 300), "arms": (300, 360), "sound": (0, 0),
    "film": (640, 360), "paper": (1240, 1754),
}  # fmt: skip
_WRONG_KINDS: Final[tuple[tuple[Style, str, str], ...]] = (
    ("sound", "audio/ogg", "ogg"), ("film", "video/webm", "webm"), ("paper", "application/pdf", "pdf"),
)  # fmt: skip
_EXTENSIONS: Final = {"image/jpeg": "jpg", "image/png": "png", "image/svg+xml": "svg"}
_WITHOUT: Final = ("no_image", "no_image_and_no_article", "nothing")
_TALL_SIZE: Final = (320, 130_000)
"""Truly 41.6 million pixels, and narrow enough that the "thumbnail" is the original."""


@dataclass(frozen=True, slots=True)
class FilePlan:
    """One file of Commons; `iso`, `lat_deg` and `lon_deg` say which place it shows.

    `month` is when this version was uploaded (0: before history). `likeness` is set when a file was renamed or
    replaced: the name under which it was first uploaded, and after "#", which no name holds, the month of its version.
    """

    name: str
    style: Style
    mime: str
    width_px: int
    height_px: int
    iso: str
    lat_deg: float
    lon_deg: float
    damage: Damage = "none"
    likeness: str = ""
    month: int = 0

    @property
    def drawn_by(self) -> str:
        """What the bytes depend on besides place and size; a new name alone changes nothing."""
        return self.likeness or self.name

    @property
    def first_name(self) -> str:
        """The name under which it was first uploaded."""
        return self.likeness.partition("#")[0] or self.name


@dataclass(frozen=True, slots=True)
class ImagePlan:
    """One image statement; `old_name` is set where the statement still uses a name that redirects to the file."""

    prop: str
    file: FilePlan
    old_name: str | None = None

    @property
    def stated_name(self) -> str:
        """The name in the statement."""
        return self.old_name or self.file.name


@dataclass(frozen=True, slots=True)
class Subject:
    """What the files of one candidate show."""

    number: int
    name: str
    region: str
    region_number: int
    iso: str
    lat_deg: float
    lon_deg: float
    region_lat_deg: float
    region_lon_deg: float


def file_safe(name: str) -> str:
    """Return `name` without what a file's name may not hold."""
    return capitalised(name.replace("/", "-").replace(":", "-"))


def _size(rng: random.Random, style: Style) -> tuple[int, int]:
    if style in _FIXED_SIZES:
        return _FIXED_SIZES[style]
    return rng.choice(_SMALL_SIZES if rng.random() < 0.1 else _VIEW_SIZES)


def _mime(rng: random.Random, style: Style) -> str:
    if style in _SVG_SHARE:
        return "image/svg+xml" if rng.random() < _SVG_SHARE[style] else "image/png"
    return "image/png" if style == "view" and rng.random() < 0.12 else "image/jpeg"


def _file(
    rng: random.Random, subject: Subject, style: Style, place: int, mime: str, damage: Damage = "none"
) -> FilePlan:
    width, height = _TALL_SIZE if damage == "tall" else _size(rng, style)
    name = f"{file_safe(subject.name)} {style} {subject.number}-{place}.{_EXTENSIONS[mime]}"
    return FilePlan(name, style, mime, width, height, subject.iso, subject.lat_deg, subject.lon_deg, damage)


def _regional_flag(subject: Subject) -> FilePlan:
    name = f"Flag of {file_safe(subject.region)} ({subject.iso} {subject.region_number}).svg"
    width, height = _FIXED_SIZES["flag"]
    lat, lon = subject.region_lat_deg, subject.region_lon_deg
    return FilePlan(name, "flag", "image/svg+xml", width, height, subject.iso, lat, lon)


def _ordinary(rng: random.Random, subject: Subject, place: int) -> ImagePlan:
    """Return one image as most settlements have it, with the small mishaps of real life."""
    first = place == 0 and rng.random() < 0.9
    prop = "P18" if first else rng.choices(list(_PROPERTY_WEIGHTS), list(_PROPERTY_WEIGHTS.values()))[0]
    if prop == "P41" and rng.random() < 0.3:
        return ImagePlan(prop, _regional_flag(subject))
    style = _STYLES[prop]
    draw = rng.random()
    damage: Damage = "unlisted" if draw < 0.015 else "bodiless" if draw < 0.02 else "none"
    mime = _mime(rng, style)
    if 0.02 <= draw < 0.026 and mime == "image/jpeg":
        damage = "cut"
    file = _file(rng, subject, style, place, mime, damage)
    if 0.03 <= draw < 0.04:
        return ImagePlan(prop, file, f"Old {file.name}")
    return ImagePlan(prop, file)


def _only(rng: random.Random, subject: Subject, case: Case) -> list[ImagePlan] | None:
    """Return the images of the cases in which every single one is unusable; None for other cases."""
    if case == "all_images_missing":
        damages: tuple[Damage, ...] = ("unlisted", "bodiless")
        return [ImagePlan("P18", _file(rng, subject, "view", 0, "image/jpeg", rng.choice(damages)))]
    if case == "svg_only":
        properties = rng.sample(("P41", "P94", "P242"), rng.randint(1, 2))
        return [
            ImagePlan(prop, _file(rng, subject, _STYLES[prop], place, "image/svg+xml"))
            for place, prop in enumerate(properties)
        ]
    if case == "wrong_kind_only":
        style, mime, extension = rng.choice(_WRONG_KINDS)
        width, height = _FIXED_SIZES[style]
        name = f"{file_safe(subject.name)} {style} {subject.number}-0.{extension}"
        return [
            ImagePlan(
                "P18",
                FilePlan(name, style, mime, width, height, subject.iso, subject.lat_deg, subject.lon_deg),
            )
        ]
    if case == "corrupt_only":
        broken: tuple[Damage, ...] = ("cut", "garbage")
        return [ImagePlan("P18", _file(rng, subject, "view", 0, "image/jpeg", rng.choice(broken)))]
    if case == "oversized_only":
        return [ImagePlan("P18", _file(rng, subject, "view", 0, "image/png", "tall"))]
    return None


def another_image(rng: random.Random, subject: Subject, place: int) -> ImagePlan:
    """Return one more image statement, of the kinds that settlements have beside their first; `place` is its number."""
    return _ordinary(rng, subject, place)


def plan_photo(rng: random.Random, subject: Subject, place: int) -> ImagePlan:
    """Return a sound photograph under P18; `place` is its number."""
    return ImagePlan("P18", _file(rng, subject, "view", place, "image/jpeg"))


def plan_images(rng: random.Random, subject: Subject, case: Case) -> list[ImagePlan]:
    """Return the image statements of one candidate."""
    if case in _WITHOUT:
        return []
    only = _only(rng, subject, case)
    if only is not None:
        return only
    count = rng.choices((1, 2, 3, 4), _NUMBER_WEIGHTS)[0]
    return [_ordinary(rng, subject, place) for place in range(count)]
