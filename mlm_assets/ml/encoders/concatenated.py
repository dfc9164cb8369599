"""`a+b`: several encoders of one modality, their vectors brought to unit length and joined."""

from collections.abc import Sequence

import numpy as np

from mlm_assets.ml.encoders.base import Batch, Encoder, Float32, UnusableVector


class ConcatenatedEncoder(Encoder):
    """The vectors of all `parts` side by side, each part of unit length, so that none outweighs another."""

    def __init__(self, parts: Sequence[Encoder]) -> None:
        super().__init__("+".join(part.name for part in parts), parts[0].modality)
        self._parts = tuple(parts)

    @property
    def version(self) -> str:
        """Versions of the parts."""
        return "+".join(part.version for part in self._parts)

    @property
    def dimension(self) -> int:
        """Sum of the parts' dimensions."""
        return sum(part.dimension for part in self._parts)

    @property
    def identity(self) -> str:
        """Identities of the parts, in their order."""
        return "+".join(part.identity for part in self._parts)

    def vectors(self, batch: Batch) -> Float32:
        """Return joined unit vectors, (n, dimension) float32."""
        return np.concatenate([_unit(part.vectors(batch), part.identity) for part in self._parts], axis=1)


def _unit(vectors: Float32, identity: str) -> Float32:
    lengths = np.linalg.norm(vectors.astype(np.float64), axis=1, keepdims=True)
    wrong = np.flatnonzero(~((lengths[:, 0] > 0) & np.isfinite(lengths[:, 0])))
    if len(wrong):
        position = int(wrong[0])
        raise UnusableVector(f"The vector that {identity} made of input {position} is zero or not finite.", position)
    unit: Float32 = (vectors / lengths).astype(np.float32)
    return unit
