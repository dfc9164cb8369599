"""What every encoder has in common: its names, the checks of what goes in, float16 that is finite coming out.

Needs numpy alone, so that names can be had without loading a network. How a single encoder makes its vectors does
not belong here; each has a module beside this one.
"""

import re
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from mlm_assets.errors import Refused

if TYPE_CHECKING:
    from PIL.Image import Image

Modality = Literal["text", "image"]
Float32 = npt.NDArray[np.float32]
Float16 = npt.NDArray[np.float16]
Batch = Sequence[Any]
"""Texts (`str`) or pictures (`PIL.Image.Image`), by the modality of the encoder."""

_FILES_AT_ONCE = 256


class UnusableVector(Refused):
    """An input cannot be encoded, or its vector does not fit into float16. `position` is its place in the batch."""

    def __init__(self, message: str, position: int) -> None:
        super().__init__(message)
        self.position = position


class Encoder(ABC):
    """A pretrained network and the exact way in which it is used.

    `name` is what it was asked for by, `version` says which weights and which rules of ours, `modality` what it takes.
    `precision` other than float32 is part of `identity`, for it changes vectors; device and batch size are not.
    """

    def __init__(self, name: str, modality: Modality, precision: str = "float32") -> None:
        self.name = name
        self.modality: Modality = modality
        self.precision = precision

    @property
    @abstractmethod
    def version(self) -> str:
        """Which weights, and which edition of our rules around them. Known without loading weights."""

    @property
    @abstractmethod
    def dimension(self) -> int:
        """Length of a vector. Known without loading weights."""

    @abstractmethod
    def vectors(self, batch: Batch) -> Float32:
        """Return the vectors of a batch that is not empty, (n, dimension) float32, unchecked. Callers use `encode`."""

    @property
    def family(self) -> str:
        """First part of `identity`: the name without anything that says where weights lie."""
        return self.name.partition(":")[0]

    @property
    def identity(self) -> str:
        """A string that changes whenever vectors would; safe as the name of a folder, without hashing of its own."""
        suffix = "" if self.precision == "float32" else f"-{self.precision}"
        return folder_safe(f"{self.family}-{self.version}-{self.dimension}{suffix}")

    def encode(self, batch: Batch) -> Float16:
        """Return the vectors of a batch, (n, dimension) float16, in the order of the batch.

        Raises:
            UnusableVector: an input is empty or of the wrong kind, or its vector is not finite in float16; the
                message and `position` say which.
        """
        check_batch(self.modality, batch)
        if not len(batch):
            return np.empty((0, self.dimension), np.float16)
        return to_float16(self.vectors(batch), self.identity, batch)


def folder_safe(text: str) -> str:
    """Return a text with everything that is not a letter of ASCII, a digit, `.`, `_` or `-` replaced by `-`."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", text)


def check_batch(modality: Modality, batch: Batch) -> None:
    """Check that every input is a text that is not blank, or a picture.

    Raises:
        UnusableVector: the first that is not.
    """
    if isinstance(batch, str):
        raise Refused("An encoder takes a list of texts, not one text.")
    for position, item in enumerate(batch):
        if modality == "image":
            if not callable(getattr(item, "convert", None)):
                raise UnusableVector(f"Input {position} is no picture but a {type(item).__name__}.", position)
        elif not isinstance(item, str):
            raise UnusableVector(f"Input {position} is no text but a {type(item).__name__}.", position)
        elif not item.strip():
            raise UnusableVector(f"Input {position} is an empty text; there is nothing to encode.", position)


def to_float16(vectors: Float32, identity: str, batch: Batch) -> Float16:
    """Return vectors as float16.

    Raises:
        UnusableVector: the first vector with a value that is NaN, infinite, or beyond float16 (65,504).
    """
    with np.errstate(over="ignore", invalid="ignore"):
        halves: Float16 = vectors.astype(np.float16)
    wrong = np.flatnonzero(~np.isfinite(halves).all(axis=1))
    if len(wrong):
        position = int(wrong[0])
        fault = "is beyond float16" if np.isfinite(vectors[position]).all() else "is not finite"
        what = f" ({batch[position][:60]!r})" if isinstance(batch[position], str) else ""
        raise UnusableVector(f"The vector that {identity} made of input {position}{what} {fault}.", position)
    return halves


def encode_files(encoder: Encoder, files: Sequence[Path]) -> Float16:
    """Return the vectors of picture files, (n, dimension) float16; a few hundred pictures are in memory at once.

    Raises:
        Refused: the encoder takes no pictures, or a file cannot be read as one; the message names it.
        UnusableVector: as in `Encoder.encode`.
    """
    if encoder.modality != "image":
        raise Refused(f"{encoder.name} was opened for texts; it takes no picture files.")
    vectors = np.empty((len(files), encoder.dimension), np.float16)
    for start in range(0, len(files), _FILES_AT_ONCE):
        pictures = [_read_picture(file) for file in files[start : start + _FILES_AT_ONCE]]
        try:
            vectors[start : start + len(pictures)] = encoder.encode(pictures)
        except UnusableVector as error:
            position = start + error.position
            raise UnusableVector(f"{files[position]}: {error}", position) from error
    return vectors


def _read_picture(file: Path) -> "Image":
    from PIL import Image

    try:
        with Image.open(file) as picture:
            return picture.convert("RGB")
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise Refused(f"{file} cannot be read as a picture ({error}).") from error
