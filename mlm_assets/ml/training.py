"""Training of one model: epochs, validation, the best epoch kept, going on after a kill to the same result.

Everything random is drawn from (seed, epoch), so that an epoch that is run again in another process is the same epoch.
The loss, the sampling, the network and the files are elsewhere; several processes are in `distributed`.
"""

import dataclasses
import gc
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor, nn

from mlm_assets.errors import Refused
from mlm_assets.ml.cells import CellGeometry
from mlm_assets.ml.checkpoint import below, load_tensors, named, optimiser_tensors, restore_optimiser, save_tensors
from mlm_assets.ml.device import Device
from mlm_assets.ml.faults import with_faults
from mlm_assets.ml.inference import Trained, predict
from mlm_assets.ml.losses import Losses, Objective, Targets
from mlm_assets.ml.material import TRAIN, VALIDATION, Integers, Material, digest, untrainable
from mlm_assets.ml.model import Irle, Outputs, n_parameters, shape_of
from mlm_assets.ml.recipe import Recipe, Task
from mlm_assets.ml.sampling import Batch, Sampler
from mlm_assets.ml.validation import validation_figures

WORK_FILE: Final = "training.safetensors"
VALIDATION_ITEMS: Final = 2_000
"""Validation looks at so many items at most, the first by number: it runs after every epoch."""


@dataclass(frozen=True)
class Plan:
    """One training. `folder` keeps the working state; None keeps none."""

    material: Material
    recipe: Recipe
    task: Task
    device: Device
    seed: int = 1
    folder: Path | None = None
    checkpoint_every_s: float = 30.0
    rank: int = 0
    world: int = 1
    gather: Callable[[Outputs, Targets], tuple[Outputs, Targets]] | None = None
    """How outputs of several processes come together before the loss; None in one process."""
    wrap: Callable[[nn.Module], nn.Module] = field(default=lambda module: module)
    agree: Callable[[dict[str, float | None]], dict[str, float | None]] = field(default=lambda figures: figures)
    """How several processes come to the same validation figures, for these decide when to stop."""
    say: Callable[[str], Any] = field(default=lambda text: None)

    @cached_property
    def identity(self) -> str:
        """What a working state must have been made from for this training to go on from it."""
        material = self.material
        data = f"{material.release}/{material.variant}/{material.image_encoder}/{material.text_encoder}"
        data = f"{data}/{digest(material)}"
        return f"{data}/{self.recipe.digest()}/{self.task}/{self.seed}/{self.device.precision}/{self.world}"


@dataclass(frozen=True)
class Epoch:
    """What came of one epoch (1, 2, ...): losses, validation figures, learning rate, seconds, items a second."""

    number: int
    of: int
    figures: dict[str, float | None]
    is_best: bool
    seconds_left: float


class _Parts(nn.Module):
    """Network and objective as one module, so that one optimiser and one wrapper hold every trained parameter."""

    def __init__(self, model: Irle, objective: Objective) -> None:
        super().__init__()
        self.model, self.objective = model, objective

    def forward(self, batch: Batch, gather: Any) -> Losses:
        outputs, targets = self.model(batch.images, batch.texts, batch.classes, batch.class_index), batch.targets
        if gather is not None:
            outputs, targets = gather(outputs, targets)
        losses: Losses = self.objective(outputs, targets)
        return losses


def train(plan: Plan, report: Callable[[Epoch], Any] = lambda epoch: None) -> Trained:
    """Train a model and return its best epoch by validation; goes on from the working state where there is one.

    Raises:
        Refused: the material cannot be trained on, or a loss became NaN.
    """
    why = untrainable(plan.material)
    if why is not None:
        raise Refused(f"There is nothing to train: {why}.")
    plan = dataclasses.replace(plan, material=with_faults(plan.material, plan.recipe.faults, plan.seed))
    batch = plan.recipe.training.batch
    while True:
        try:
            return Trainer(plan, batch).run(report)
        except torch.OutOfMemoryError as error:
            # The other processes of several know nothing of it and would wait for ever.
            if batch < 4 or plan.world > 1:
                raise Refused(
                    f"{plan.device.name} has not memory enough for a batch of {batch}. Lower the batch of the recipe."
                ) from error
        # Outside of the except clause: the error holds on to the tensors of the attempt that failed.
        batch //= 2
        plan.say(f"WARNING: out of memory on {plan.device.name}; going on with a batch of {batch}")
        if plan.device.torch.type == "cuda":
            gc.collect()
            torch.cuda.empty_cache()


class Trainer:
    """The state of a training between its first epoch and its last."""

    def __init__(self, plan: Plan, batch: int) -> None:
        self.plan, self.batch = plan, batch
        torch.manual_seed(plan.seed)
        device = plan.device.torch
        self.sampler = Sampler(plan.material, plan.material.items(TRAIN), plan.recipe, device, seed=plan.seed)
        model = Irle(plan.recipe, plan.task, **shape_of(plan.material))
        model.mean_class.copy_(self.sampler.mean_class)
        geometry = CellGeometry(plan.material, plan.recipe.loss.hierarchy, device)
        self.parts = _Parts(model, Objective(plan.recipe, plan.task, geometry)).to(device)
        self.wrapped: Any = plan.wrap(self.parts)
        if plan.device.is_compiled:
            self.wrapped = torch.compile(self.wrapped)
        self.optimiser = _optimiser(self.parts, plan.recipe)
        self.history: list[dict[str, float | None]] = []
        self.best: dict[str, Tensor] = {}
        self.best_score = -math.inf
        self.saved_at = time.monotonic()
        self._restore()

    def run(self, report: Callable[[Epoch], Any]) -> Trained:
        """Run the epochs that are left."""
        recipe, began, first = self.plan.recipe.training, time.monotonic(), len(self.history)
        while len(self.history) < recipe.epochs and not self._is_out_of_patience():
            number = len(self.history)
            figures = {**self._epoch(number), **self._validate()}
            self.history.append(figures)
            is_best = self._keep_best(figures)
            self._checkpoint()
            per_epoch = (time.monotonic() - began) / (number + 1 - first)
            report(Epoch(number + 1, recipe.epochs, figures, is_best, per_epoch * (recipe.epochs - number - 1)))
        return self._finished()

    def _epoch(self, number: int) -> dict[str, float | None]:
        plan, began, n_items = self.plan, time.monotonic(), 0
        # Added up on the device: to read a loss after every step would make the processor wait for it.
        sums = torch.zeros(3, dtype=torch.float64, device=plan.device.torch)
        # Dropout is drawn from (seed, epoch) too; each process of several has its own.
        torch.manual_seed((plan.seed * 100_003 + number) * 64 + plan.rank)
        n_batches = self.sampler.n_batches(self.batch, plan.world)
        self.parts.train()
        for step, batch in enumerate(self.sampler.epoch(number, self.batch, rank=plan.rank, world=plan.world)):
            _set_rate(self.optimiser, plan.recipe, number + step / n_batches)
            losses = self.step(batch)
            sums += torch.stack([_value(loss, sums) for loss in (losses.total, losses.retrieval, losses.location)])
            n_items += len(batch.images) * plan.world
        means = (sums / max(1, n_batches)).tolist()
        if not math.isfinite(means[0]):
            raise Refused(f"The loss is not finite in epoch {number + 1}: lower the learning rate of the recipe.")
        seconds = time.monotonic() - began
        weights = self.parts.objective.task_weights() or (None, None)
        return {
            "loss": means[0],
            "retrieval_loss": means[1] if plan.task != "le" else None,
            "location_loss": means[2] if plan.task != "ir" else None,
            "retrieval_weight": weights[0],
            "location_weight": weights[1],
            "learning_rate": float(self.optimiser.param_groups[0]["lr"]),
            "duration_s": seconds,
            "items_per_s": n_items / max(seconds, 1e-9),
        }

    def step(self, batch: Batch) -> Losses:
        """Take one step of the optimiser and return the losses before it."""
        with self.plan.device.autocast():
            losses: Losses = self.wrapped(batch, self.plan.gather)
        self.optimiser.zero_grad(set_to_none=True)
        losses.total.backward()  # type: ignore[no-untyped-call]
        self.optimiser.step()
        self.parts.objective.keep_in_bounds()
        return losses

    def _validate(self) -> dict[str, float | None]:
        material = self.plan.material
        items: Integers = material.items(VALIDATION)[:VALIDATION_ITEMS]
        said = predict(self.parts.model, material, items, self.plan.recipe, self.plan.device)
        return self.plan.agree(validation_figures(material, said))

    def _keep_best(self, figures: dict[str, float | None]) -> bool:
        score = figures["score"] or 0.0
        if score <= self.best_score:
            return False
        self.best_score = score
        self.best = {name: tensor.detach().cpu().clone() for name, tensor in self.parts.model.state_dict().items()}
        return True

    def _is_out_of_patience(self) -> bool:
        patience = self.plan.recipe.training.patience
        scores = [figures["score"] or 0.0 for figures in self.history]
        return bool(patience and scores and len(scores) - 1 - int(np.argmax(scores)) >= patience)

    def _checkpoint(self) -> None:
        folder = self.plan.folder
        if folder is None or self.plan.rank or time.monotonic() - self.saved_at < self.plan.checkpoint_every_s:
            return
        tensors = {
            **named("parts", self.parts.state_dict()),
            **named("best", self.best),
            **named("optimiser", optimiser_tensors(self.optimiser)),
        }
        about = {
            "identity": self.plan.identity,
            "history": self.history,
            "best_score": self.best_score,
            "batch": self.batch,
        }
        save_tensors(folder / WORK_FILE, tensors, about)
        self.saved_at = time.monotonic()

    def _restore(self) -> None:
        folder = self.plan.folder
        if folder is None or not (folder / WORK_FILE).is_file():
            return
        tensors, about = load_tensors(folder / WORK_FILE)
        if about.get("identity") != self.plan.identity:
            return
        # A batch that had to be halved before stays halved.
        self.batch = min(self.batch, about["batch"])
        self.parts.load_state_dict(below("parts", tensors))
        restore_optimiser(self.optimiser, below("optimiser", tensors))
        self.best = below("best", tensors)
        self.best_score, self.history = about["best_score"], about["history"]
        self.plan.say(f"going on after epoch {len(self.history)}, from {folder / WORK_FILE}")

    def _finished(self) -> Trained:
        plan, model = self.plan, self.parts.model
        model.load_state_dict(self.best)
        scores = [figures["score"] or 0.0 for figures in self.history]
        about = {
            "task": plan.task,
            "recipe": plan.recipe.model_dump(mode="json"),
            "shape": shape_of(plan.material),
            "release": plan.material.release,
            "variant": plan.material.variant,
            "image_encoder": plan.material.image_encoder,
            "text_encoder": plan.material.text_encoder,
            "cell_tokens": list(plan.material.cell_tokens),
            "seed": plan.seed,
            "batch": self.batch,
            "best_epoch": int(np.argmax(scores)) + 1,
            "n_parameters": n_parameters(model),
            "history": self.history,
        }
        return Trained(model.eval(), about)


def _optimiser(parts: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    """Return the optimiser; weight decay goes to matrices only, not to biases, norms and loss weights."""
    trained = [parameter for parameter in parts.parameters() if parameter.requires_grad]
    groups = [
        {"params": [one for one in trained if one.dim() >= 2], "weight_decay": recipe.training.weight_decay},
        {"params": [one for one in trained if one.dim() < 2], "weight_decay": 0.0},
    ]
    kind = torch.optim.AdamW if recipe.training.optimiser == "adamw" else torch.optim.Adam
    # Fused: one pass over the weights, which on a processor is a seventh of the time of the plain loop.
    return kind(groups, lr=recipe.training.learning_rate, fused=True)


def _set_rate(optimiser: torch.optim.Optimizer, recipe: Recipe, epoch: float) -> None:
    training = recipe.training
    rate = training.learning_rate
    if epoch < training.warmup_epochs:
        rate *= (epoch + 0.02) / training.warmup_epochs
    elif training.schedule == "cosine":
        done = (epoch - training.warmup_epochs) / max(training.epochs - training.warmup_epochs, 1e-9)
        rate *= 0.01 + 0.99 * (1 + math.cos(math.pi * min(done, 1.0))) / 2
    for group in optimiser.param_groups:
        group["lr"] = rate


def _value(loss: Tensor | None, like: Tensor) -> Tensor:
    return loss.detach().to(like.dtype) if loss is not None else like.new_zeros(())
