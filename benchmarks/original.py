"""The loader and the training step of the published baseline, as a yardstick; nothing of the platform uses them.

Our own writing after the description (paper, section 5; design, sections 2 and 9): HDF5 files with gzip datasets per
entity, opened by name one entity at a time in the main process; text branches as `nn.LSTM` over sequences of length
one; float32; Adam. Nothing is slowed down on purpose: files are opened once, each dataset is read whole in one call
(the fastest way for such small ones), and there is no logging. What the platform does instead is in `mlm_assets.ml`.
"""

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader, Dataset

MISMATCH = 0.5
"""Probability that the image of a pair is another settlement's."""
Example = tuple[Tensor, Tensor, Tensor, Tensor, Tensor]


class PublishedEntities(Dataset[Example]):
    """One split. Item: image (4096,), summary (3072,), class (3072,), number of the cell, and +1 or -1 for the pair."""

    def __init__(self, path: Path, seed: int) -> None:
        self.file = h5py.File(path, "r")
        self.ids = self.file["ids"][()]
        self.random = np.random.default_rng(seed)

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, number: int) -> Example:
        own = int(self.ids[number])
        is_match = self.random.random() >= MISMATCH
        pictured = own if is_match else self._other(number)
        cell = int(self.file[f"{own}_onehot"][()].argmax())
        return (
            torch.from_numpy(self._any(f"{pictured}_images")),
            torch.from_numpy(self._any(f"{own}_summaries")),
            torch.from_numpy(self._any(f"{own}_classes")),
            torch.tensor(cell),
            torch.tensor(1.0 if is_match else -1.0),
        )

    def close(self) -> None:
        """Close the file, so that its pages can leave the cache."""
        self.file.close()

    def _other(self, number: int) -> int:
        other = int(self.random.integers(len(self.ids) - 1))
        return int(self.ids[other + (other >= number)])

    def _any(self, name: str) -> Any:
        vectors = self.file[name][()]
        return vectors[self.random.integers(len(vectors))]


def loader(entities: PublishedEntities, batch: int, seed: int) -> "DataLoader[Example]":
    """Return the loader: shuffled, in the main process."""
    order = torch.Generator().manual_seed(seed)
    return DataLoader(entities, batch_size=batch, shuffle=True, num_workers=0, generator=order)


class TextBranch(nn.Module):
    """Features (n, 3072) to unit vectors (n, 1024) by an LSTM that sees one step."""

    def __init__(self, inputs: int, embedding: int) -> None:
        super().__init__()
        self.lstm = nn.LSTM(inputs, embedding, batch_first=True)
        self.out = nn.Sequential(nn.ReLU(), nn.Dropout(0.1), nn.Linear(embedding, embedding), nn.Tanh())

    def forward(self, x: Tensor) -> Tensor:
        """Return unit vectors."""
        hidden, _ = self.lstm(x.unsqueeze(1))
        return functional.normalize(self.out(hidden.squeeze(1)))


class OriginalIrle(nn.Module):
    """The multitask baseline with its losses."""

    def __init__(self, n_cells: int, image_dimension: int = 4096, text_dimension: int = 3072, embedding: int = 1024):
        super().__init__()
        self.image = nn.Sequential(
            nn.Linear(image_dimension, embedding),
            nn.ReLU(),
            nn.Dropout(0.1),
            nn.Linear(embedding, embedding),
            nn.Tanh(),
        )
        self.summary = TextBranch(text_dimension, embedding)
        self.classes = TextBranch(text_dimension, embedding)
        self.fusion = nn.Linear(2 * embedding, embedding)
        self.location = nn.Sequential(
            nn.Linear(embedding, embedding), nn.ReLU(), nn.Dropout(0.1), nn.Linear(embedding, n_cells)
        )
        self.retrieval_loss = nn.CosineEmbeddingLoss(0.1)
        self.location_loss = nn.CrossEntropyLoss()

    def forward(self, images: Tensor, summaries: Tensor, classes: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return vectors of images and texts, and their logits over cells."""
        image = functional.normalize(self.image(images))
        text = functional.normalize(self.fusion(torch.cat([self.summary(summaries), self.classes(classes)], dim=1)))
        return image, text, self.location(image), self.location(text)

    def loss(self, images: Tensor, summaries: Tensor, classes: Tensor, cells: Tensor, pairs: Tensor) -> Tensor:
        """Return the sum of the losses of a batch."""
        image, text, image_logits, text_logits = self(images, summaries, classes)
        located = self.location_loss(image_logits, cells) + self.location_loss(text_logits, cells)
        return self.retrieval_loss(image, text, pairs) + located


def train_epoch(
    model: OriginalIrle, optimiser: torch.optim.Optimizer, batches: "DataLoader[Example]", device: torch.device
) -> float:
    """Train one epoch and return the mean loss."""
    model.train()
    losses = []
    for batch in batches:
        optimiser.zero_grad()
        loss = model.loss(*(part.to(device) for part in batch))
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    return float(np.mean(losses))


def adam(model: OriginalIrle) -> torch.optim.Optimizer:
    """Return the optimiser of the paper."""
    return torch.optim.Adam(model.parameters(), lr=1e-4)
