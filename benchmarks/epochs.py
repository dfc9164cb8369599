"""An epoch of our training against one of a loader and a step written as the original's, back to back.

Both train the multitask model of the paper on the same generated file set of the paper's dimensions, loading included,
validation not. The original runs in float32. They take turns, epoch by epoch, so that whatever else the machine does
meets both; the first epoch of each warms up and is not counted.
"""

import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import torch

from benchmarks.original import OriginalIrle, PublishedEntities, adam, loader, train_epoch
from mlm_assets.ml.device import Device, choose_device
from mlm_assets.ml.hdf5 import FILES, import_hdf5, write_published_sample
from mlm_assets.ml.material import TRAIN, Material
from mlm_assets.ml.recipe import load_recipe
from mlm_assets.ml.training import Epoch, Plan, train

PAPER_BATCH = 128
FLOAT32_BAR, BF16_BAR = 4.5, 15.0
_EPOCHS = 3


def measure_epochs(
    n: int = 3_000, device: str = "cpu", precision: str = "float32", batch: int = PAPER_BATCH
) -> dict[str, Any]:
    """Return seconds per epoch over `n` entities (80 % train) of both, with ratio and bar.

    Where `batch` is not the paper's, the original is measured with either, and the faster counts.
    """
    chosen, sizes = choose_device(device, precision), sorted({PAPER_BATCH, batch})
    with tempfile.TemporaryDirectory(prefix="mlm-epochs-") as scratch:
        folder = Path(scratch)
        write_published_sample(folder / "published", n)
        material = import_hdf5(folder / "published", folder / "ours", "mlm_irle")
        theirs = [_Original(folder / "published" / FILES[TRAIN], material.n_cells, chosen, size) for size in sizes]
        ours = _take_turns(material, chosen, batch, theirs)
    ratio = min(statistics.median(one.seconds[1:]) for one in theirs) / statistics.median(ours)
    bar = BF16_BAR if chosen.precision == "bf16" else FLOAT32_BAR
    return {
        "entities": n,
        "trained_on": len(material.items(TRAIN)),
        "device": torch.cuda.get_device_name(chosen.torch) if chosen.torch.type == "cuda" else chosen.name,
        "threads": torch.get_num_threads(),
        "precision": chosen.precision,
        "batch": batch,
        "seconds": {
            **{f"original_at_{one.batch}": [round(seconds, 3) for seconds in one.seconds[1:]] for one in theirs},
            "ours": [round(one, 3) for one in ours],
        },
        "ratio": round(ratio, 2),
        "bar": bar,
        "is_met": ratio >= bar,
    }


class _Original:
    """A training as the original's, and the seconds of its epochs so far."""

    def __init__(self, path: Path, n_cells: int, device: Device, batch: int) -> None:
        torch.manual_seed(1)
        self.entities, self.device, self.batch = PublishedEntities(path, 1), device.torch, batch
        self.model = OriginalIrle(n_cells).to(self.device)
        self.optimiser = adam(self.model)
        self.seconds: list[float] = []

    def epoch(self) -> None:
        """Train one epoch."""
        began = time.perf_counter()
        batches = loader(self.entities, self.batch, len(self.seconds))
        train_epoch(self.model, self.optimiser, batches, self.device)
        self.seconds.append(time.perf_counter() - began)


def _take_turns(material: Material, device: Device, batch: int, theirs: list[_Original]) -> list[float]:
    """Train ours, and after each of its epochs one of every other; return the seconds of ours."""
    recipe = load_recipe("paper").changed(training={"epochs": _EPOCHS + 1, "batch": batch})
    seconds: list[float] = []

    def turn(epoch: Epoch) -> None:
        seconds.append(float(epoch.figures["duration_s"] or 0))
        for one in theirs:
            one.epoch()

    train(Plan(material, recipe, "mtl", device), turn)
    return seconds[1:]
