"""`bert-multilingual` and `bert-english-500`: the mean of token vectors of BERT's last four layers.

The paper describes texts by multilingual BERT, 3072-d. What was published came from an English BERT that was given the
first 500 characters of every text, in whatever language; that is `bert-english-500`, kept so that the effect of the
fault can be measured. Both are one class with other arguments.
"""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from mlm_assets.errors import Refused
from mlm_assets.ml.encoders.base import Batch, Encoder, Float32
from mlm_assets.ml.encoders.hub import HubModel
from mlm_assets.ml.encoders.needs import running
from mlm_assets.ml.encoders.pieces import Piece, batches, padded, windows
from mlm_assets.ml.encoders.sentences import RULE, sentences

LAYERS: Final = 4
_OWN_RULE: Final = 1


class BertEncoder(Encoder):
    """Texts through a BERT: the last four layers of every token concatenated (from the fourth last to the last).

    By sentence, whole text: the vector is the mean over all tokens of all sentences, special tokens and padding left
    out. With `first_characters` the text is cut there and taken as one piece instead. A text of which the tokeniser
    keeps nothing counts as one unknown word. Each text's vector depends on the batch only through rounding in
    float32 sums, that is by a unit in the last place of float16 at most, save for values near zero.
    """

    def __init__(
        self, name: str, model: str, device: str, precision: str, batch: int, first_characters: int | None = None
    ) -> None:
        super().__init__(name, "text", precision)
        self._hub = HubModel(model, self.family)
        if "text_config" in self._hub.described:
            raise Refused(f"{model} is no BERT but a model of texts and pictures; use it as hf:{model}.")
        self._device, self._batch, self._first_characters = device, batch, first_characters
        self._model: Any = None

    @property
    def version(self) -> str:
        """Fingerprint of the model's files, and edition of our rules."""
        rules = f"{RULE}.{_OWN_RULE}" if self._first_characters is None else f"{_OWN_RULE}"
        return f"{self._hub.fingerprint}r{rules}"

    @property
    def dimension(self) -> int:
        """Four times the width of the model: 3072 for a BERT of the usual size."""
        config = self._hub.config
        if int(getattr(config, "num_hidden_layers", 0)) < LAYERS:
            raise Refused(f"{self._hub.folder} holds no BERT with {LAYERS} layers or more.")
        return LAYERS * int(config.hidden_size)

    def vectors(self, batch: Batch) -> Float32:
        """Return means of token vectors, (n, dimension) float32."""
        if self._model is None:
            options = {"add_pooling_layer": False} if self._hub.config.model_type == "bert" else {}
            self._model = self._hub.model(self._device, **options)
        sums, counts = self._sums([self._parts(text) for text in batch])
        if (counts == 0).any():
            unknown, count = self._sums([[str(self._hub.tokenizer.unk_token)]])
            sums[counts == 0] = unknown[0] / count[0]
        made: Float32 = (sums / np.maximum(counts, 1)[:, None]).astype(np.float32)
        return made

    def _parts(self, text: str) -> Sequence[str]:
        return sentences(text) if self._first_characters is None else [text[: self._first_characters]]

    def _sums(self, texts: Sequence[Sequence[str]]) -> tuple[Any, Any]:
        """Return the sums of token vectors (n, dimension) float64 of each text, and its numbers of tokens (n,)."""
        sums, counts = np.zeros((len(texts), self.dimension)), np.zeros(len(texts), np.int64)
        pieces = windows(texts, self._hub.tokenizer, self._hub.capacity(self._hub.config))
        for some in batches(pieces, self._batch):
            owners = [piece.text for piece in some]
            made, tokens = self._run(some)
            np.add.at(sums, owners, made)
            np.add.at(counts, owners, tokens)
        return sums, counts

    def _run(self, pieces: Sequence[Piece]) -> tuple[Any, Any]:
        import torch

        ids, attention, content = padded(pieces, self._hub.tokenizer.pad_token_id or 0)
        with running(self._device, self.precision):
            layers = self._model(
                input_ids=ids.to(self._device), attention_mask=attention.to(self._device), output_hidden_states=True
            ).hidden_states[-LAYERS:]
            mask = content.to(self._device, torch.float32)[:, None, :]
            sums = torch.cat([torch.bmm(mask, layer.float())[:, 0] for layer in layers], dim=1)
        return sums.double().cpu().numpy(), content.sum(dim=1).numpy()
