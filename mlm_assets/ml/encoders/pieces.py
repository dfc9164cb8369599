"""Texts in pieces that a transformer takes: sentences, cut into windows of tokens where they are too long.

All pieces of many texts are sorted by length and run in batches of like length, so that little is spent on padding and
memory is bounded whatever the texts. What becomes of the pieces' vectors does not belong here (`bert`,
`vision_language`).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

_TEXTS_AT_ONCE: Final = 512
_TOKENS_PER_PIECE: Final = 128


@dataclass(frozen=True)
class Piece:
    """One window of tokens: which text it is of, its tokens with the special ones, and which of them are special."""

    text: int
    ids: list[int]
    is_special: list[int]


def windows(texts: Sequence[Sequence[str]], tokenizer: Any, capacity: int) -> list[Piece]:
    """Return the pieces of texts that are given in sentences; no token is left out.

    `capacity` is the number of tokens of a piece at most, special ones included.
    """
    found: list[Piece] = []
    for start in range(0, len(texts), _TEXTS_AT_ONCE):
        some = texts[start : start + _TEXTS_AT_ONCE]
        owners = [start + number for number, sentences in enumerate(some) for _ in sentences]
        made = tokenizer(
            [sentence for sentences in some for sentence in sentences],
            truncation=True, max_length=capacity, return_overflowing_tokens=True, return_special_tokens_mask=True,
        )  # fmt: skip
        found += [
            Piece(owners[sentence], ids, special)
            for sentence, ids, special in zip(
                made["overflow_to_sample_mapping"], made["input_ids"], made["special_tokens_mask"], strict=True
            )
        ]
    return found


def batches(pieces: Sequence[Piece], batch: int) -> Iterator[list[Piece]]:
    """Yield all pieces, longest first, in batches of at most `batch` pieces and `batch` x 128 tokens with padding."""
    ordered = sorted(pieces, key=lambda piece: (-len(piece.ids), piece.text))
    start = 0
    while start < len(ordered):
        count = max(1, min(batch, batch * _TOKENS_PER_PIECE // max(1, len(ordered[start].ids))))
        yield ordered[start : start + count]
        start += count


def padded(pieces: Sequence[Piece], padding: int, width: int | None = None) -> tuple[Any, Any, Any]:
    """Return tokens, attention and content of a batch, each (n, width) int64.

    Attention is 1 where there is a token, content where that token is not a special one. Without a `width` it is the
    length of the longest piece.
    """
    import torch

    width = width or max(len(piece.ids) for piece in pieces)
    ids = torch.full((len(pieces), width), padding, dtype=torch.int64)
    attention, content = torch.zeros_like(ids), torch.zeros_like(ids)
    for row, piece in enumerate(pieces):
        length = len(piece.ids)
        ids[row, :length] = torch.tensor(piece.ids)
        attention[row, :length] = 1
        content[row, :length] = 1 - torch.tensor(piece.is_special)
    return ids, attention, content
