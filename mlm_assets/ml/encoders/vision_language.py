"""`hf:<model id or folder>`: one side of a model of Hugging Face that knows texts and pictures (SigLIP 2, CLIP, ...).

The text side gives vectors of texts, the picture side of pictures, in one space. Vectors are of unit length: these
models are trained by the angle between vectors, and their lengths mean nothing. These models take short texts (64 or
77 tokens), so a text goes in by sentence and its vector is the mean of its sentences' unit vectors, again brought to
unit length.
"""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from mlm_assets.errors import Refused
from mlm_assets.ml.encoders.base import Batch, Encoder, Float32, Modality, UnusableVector
from mlm_assets.ml.encoders.hub import HubModel
from mlm_assets.ml.encoders.needs import running
from mlm_assets.ml.encoders.pieces import Piece, batches, padded, windows
from mlm_assets.ml.encoders.sentences import RULE, sentences

_OWN_RULE: Final = 1
# Trained on lower case, on texts padded to the full length, and without masking that padding.
_SIGLIP: Final = ("siglip", "siglip2")


class VisionLanguageEncoder(Encoder):
    """One side, text or image, of a model with `get_text_features` and `get_image_features`."""

    def __init__(self, name: str, model: str, modality: Modality, device: str, precision: str, batch: int) -> None:
        super().__init__(name, modality, precision)
        self._hub = HubModel(model, self.family)
        sides = [side for side in ("text_config", "vision_config") if side not in self._hub.described]
        if sides:
            raise Refused(
                f"{model} is no model of texts and pictures: its config.json has no {' and no '.join(sides)}."
            )
        self._device, self._batch = device, batch
        self._model: Any = None

    @property
    def version(self) -> str:
        """Kind of model, side, fingerprint of its files, and edition of our rules."""
        rules = f"{RULE}.{_OWN_RULE}" if self.modality == "text" else f"{_OWN_RULE}"
        return f"{self._kind}-{self.modality}-{self._hub.fingerprint}r{rules}"

    @property
    def dimension(self) -> int:
        """Width of the common space.

        Raises:
            Refused: the configuration does not say it where CLIP's and SigLIP's relatives do.
        """
        config = self._hub.config
        if self._kind in _SIGLIP:
            text, image = config.text_config, config.vision_config
            width = (text.projection_size or text.hidden_size) if self.modality == "text" else image.hidden_size
        else:
            width = getattr(config, "projection_dim", None)
        if not width:
            raise Refused(f"{self._hub.folder} is a {self._kind}; the length of its vectors is not known here.")
        return int(width)

    def vectors(self, batch: Batch) -> Float32:
        """Return unit vectors, (n, dimension) float32."""
        if self._model is None:
            model = self._hub.model(self._device)
            if not (hasattr(model, "get_text_features") and hasattr(model, "get_image_features")):
                raise Refused(f"{self._hub.folder} is a {self._kind}; it gives no vectors of texts and pictures.")
            self._model = model
        made = self._of_texts(batch) if self.modality == "text" else self._of_pictures(batch)
        single: Float32 = made.astype(np.float32)
        return single

    @property
    def _kind(self) -> str:
        return str(self._hub.described.get("model_type", "model"))

    def _of_texts(self, texts: Sequence[str]) -> Any:
        if self._kind in _SIGLIP:
            texts = [text.lower() for text in texts]
        capacity = self._hub.capacity(self._hub.config.text_config)
        sums = np.zeros((len(texts), self.dimension))
        for some in batches(windows([sentences(text) for text in texts], self._hub.tokenizer, capacity), self._batch):
            positions = [piece.text for piece in some]
            np.add.at(sums, positions, _unit(self._features("text", self._inputs(some, capacity)), positions))
        return _unit(sums, range(len(texts)))

    def _inputs(self, pieces: Sequence[Piece], capacity: int) -> dict[str, Any]:
        # A tokeniser without a padding token (an old CLIP's) pads with anything: it comes after the end, and is masked.
        padding = self._hub.tokenizer.pad_token_id or 0
        if self._kind in _SIGLIP:
            return {"input_ids": padded(pieces, padding, capacity)[0]}
        ids, attention, _ = padded(pieces, padding)
        return {"input_ids": ids, "attention_mask": attention}

    def _of_pictures(self, pictures: Sequence[Any]) -> Any:
        made = []
        for start in range(0, len(pictures), self._batch):
            some = [picture.convert("RGB") for picture in pictures[start : start + self._batch]]
            inputs = self._hub.image_processor(images=some, return_tensors="pt")
            made.append(_unit(self._features("image", inputs), range(start, start + len(some))))
        return np.concatenate(made)

    def _features(self, side: str, inputs: Any) -> Any:
        """Return the features of one side as float64; a tensor in transformers 4, the output of a tower since 5."""
        with running(self._device, self.precision):
            there = {key: value.to(self._device) for key, value in inputs.items()}
            made = getattr(self._model, f"get_{side}_features")(**there)
            made = getattr(made, "pooler_output", made)
        return made.double().cpu().numpy()


def _unit(vectors: Any, positions: Sequence[int]) -> Any:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    wrong = np.flatnonzero(~(lengths[:, 0] > 0) | ~np.isfinite(lengths[:, 0]))
    if len(wrong):
        position = int(positions[wrong[0]])
        raise UnusableVector(f"The vector of input {position} is zero or not finite, so it has no direction.", position)
    return vectors / lengths
