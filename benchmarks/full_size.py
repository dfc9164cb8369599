"""The full-size training: 219,000 settlements with vectors of the paper's dimensions, made up from a seed.

Seconds per epoch at batch 128 and 1024, and the share of it that is not the device's own work: an epoch is timed as it
is, and again with one batch that stays on the device, which leaves out choosing and gathering vectors. Meant for a GPU
in bf16; on a processor a small number of settlements says what to expect.
"""

import tempfile
import time
from pathlib import Path
from typing import Any

import torch

from mlm_assets.ml.device import Device, Usage, choose_device
from mlm_assets.ml.material import TRAIN, Material, open_material, save_material
from mlm_assets.ml.recipe import load_recipe
from mlm_assets.ml.sampling import Batch
from mlm_assets.ml.synthetic import synthetic_material
from mlm_assets.ml.training import Plan, Trainer

SETTLEMENTS, CELLS = 218_681, 990
BATCHES = (128, 1024)
_WARM_UP_STEPS = 5


def measure_full_size(n: int | None = None, device: str = "auto", precision: str = "auto") -> dict[str, Any]:
    """Return seconds per epoch and the share of loading, per recipe and batch; `n` settlements, all on a GPU."""
    chosen = choose_device(device, precision)
    n = n or (SETTLEMENTS if chosen.torch.type == "cuda" else 3_000)
    with tempfile.TemporaryDirectory(prefix="mlm-full-size-") as scratch:
        made = synthetic_material(n, n_cells=min(CELLS, n // 20), image_dimension=4096, text_dimension=3072)
        save_material(made, Path(scratch) / "material")
        del made
        material = open_material(Path(scratch) / "material")
        usage = Usage(chosen)
        rows = [_measure(material, name, batch, chosen) for name in ("paper", "modern") for batch in BATCHES]
    return {"settlements": n, "trained_on": len(material.items(TRAIN)), **usage.figures(), "epochs": rows}


def _measure(material: Material, name: str, batch: int, device: Device) -> dict[str, Any]:
    recipe = load_recipe(name).changed(training={"batch": batch})
    trainer = Trainer(Plan(material, recipe, "mtl", device), batch)
    batches = trainer.sampler.epoch(0, batch)
    kept: Batch = next(batches)
    for _ in range(_WARM_UP_STEPS):
        trainer.step(kept)
    whole_s, n_steps = _timed(trainer, trainer.sampler.epoch(1, batch), device)
    own_s, _ = _timed(trainer, (kept for _ in range(n_steps)), device)
    return {
        "recipe": name,
        "batch": batch,
        "seconds_per_epoch": round(whole_s, 2),
        "settlements_per_s": round(len(material.items(TRAIN)) / whole_s),
        "share_not_the_device": round(max(0.0, 1 - own_s / whole_s), 3),
    }


def _timed(trainer: Trainer, batches: Any, device: Device) -> tuple[float, int]:
    if device.torch.type == "cuda":
        torch.cuda.synchronize(device.torch)
    began, n_steps = time.perf_counter(), 0
    for one in batches:
        trainer.step(one)
        n_steps += 1
    if device.torch.type == "cuda":
        torch.cuda.synchronize(device.torch)
    return time.perf_counter() - began, n_steps
