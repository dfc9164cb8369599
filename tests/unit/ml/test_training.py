"""Training: it learns, it goes on after a kill to the same result, it keeps the best epoch, it halves the batch."""

import dataclasses
import itertools
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from mlm_assets.errors import Refused
from mlm_assets.ml.inference import Trained, predict
from mlm_assets.ml.material import TEST, TRAIN, VALIDATION, Material, Ragged, save_material
from mlm_assets.ml.recipe import TASKS, Recipe, Task
from mlm_assets.ml.sampling import Batch
from mlm_assets.ml.training import WORK_FILE, Plan, train
from mlm_assets.ml.validation import validation_figures
from tests.unit.ml.trainings import CPU, Reports, parts_of, same_weights, small, timeless, world

pytestmark = pytest.mark.usefixtures("one_thread")


class Killed(BaseException):
    """What a report raises where a test wants the training to end."""


def killing(after: int) -> Callable[[Any], None]:
    def report(epoch: Any) -> None:
        if epoch.number == after:
            raise Killed

    return report


def fitting(name: str, epochs: int = 1) -> Recipe:
    """Return a recipe without what keeps a training from fitting its items exactly: dropout and soft labels."""
    return small(
        name,
        model={"embedding": 128, "hidden": 128, "dropout": 0.0},
        loss={"label_km": 0.0},
        views={"class_dropout": 0.0},
        training={
            "batch": 16, "epochs": epochs, "learning_rate": 1e-3, "warmup_epochs": 0.0, "weight_decay": 0.0,
            "patience": 0, "schedule": "constant",
        },
    )  # fmt: skip


def distinct(dimension: int) -> Material:
    """Return a material of which each item has a direction of its own in either modality, and little noise."""
    material, rng = world(), np.random.default_rng(1)

    def own(vectors: Ragged) -> Ragged:
        owners = np.repeat(np.arange(len(material)), vectors.counts)
        directions = rng.standard_normal((len(material), dimension))
        matrix = directions[owners] + 0.05 * rng.standard_normal((len(owners), dimension))
        return dataclasses.replace(vectors, matrix=matrix.astype(np.float16))

    return dataclasses.replace(material, images=own(material.images), texts=own(material.texts))


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("name", ["paper", "demo", "modern"])
def test_64_items_are_fitted_to_near_zero_loss(name: str, task: Task) -> None:
    material = distinct(128)
    assert len(material.items(TRAIN)) == 64
    is_paper, reports = name == "paper", Reports()
    train(Plan(material, fitting(name, epochs=120 if is_paper else 40), task, CPU), reports)
    first, last = reports.epochs[0].figures, reports.epochs[-1].figures
    # Of the 4,032 wrong pairs the paper's loss sees 32 an epoch: so many epochs show it each about once, and while
    # location pulls the items of a cell together, those it has not seen stay near.
    at_most = {"retrieval_loss": {"ir": 0.05, "mtl": 0.15}.get(task) if is_paper else 0.04, "location_loss": 0.02}
    for loss, limit in at_most.items():
        if last[loss] is not None:
            assert last[loss] < limit < 0.3 * first[loss], (first[loss], last[loss])
    assert (last["retrieval_loss"] is None) == (task == "le")
    assert (last["location_loss"] is None) == (task == "ir")


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("name", ["paper", "demo", "modern"])
def test_one_batch_of_64_is_fitted_to_zero_loss(name: str, task: Task) -> None:
    recipe = fitting(name).changed(training={"batch": 64}, model={"embedding": 64, "hidden": 64})
    model, objective, batch = parts_of(world(image_dimension=48, text_dimension=32), recipe, task)
    assert len(batch.images) == 64
    optimiser = torch.optim.Adam([*model.parameters(), *objective.parameters()], lr=4e-3)
    for _ in range(200):
        losses = objective(model(batch.images, batch.texts, batch.classes, batch.class_index), batch.targets)
        optimiser.zero_grad()
        losses.total.backward()
        optimiser.step()
        objective.keep_in_bounds()
    for loss in (losses.retrieval, losses.location):
        assert loss is None or float(loss.detach()) < 0.01


def test_a_trained_model_is_far_above_chance_and_an_untrained_one_is_not() -> None:
    material = world(400, image_dimension=48, text_dimension=32)
    recipe = small("demo", training={"batch": 64, "epochs": 25}, model={"dropout": 0.2}, loss={"hierarchy": [2, 4]})
    untrained, _, _ = parts_of(material, recipe, "mtl")
    trained = train(Plan(material, recipe, "mtl", CPU))
    items = material.items(TEST)
    before, after = (
        validation_figures(material, predict(model, material, items, recipe, CPU))
        for model in (untrained, trained.model)
    )
    assert len(items) == 40
    for way in ("image_to_text", "text_to_image"):
        assert after[f"median_rank_{way}"] <= 4 and before[f"median_rank_{way}"] > 10
    assert after["located_image"] > 0.8 and after["located_text"] > 0.8
    assert before["located_image"] < 0.5 and before["located_text"] < 0.5


@pytest.mark.parametrize("name", ["paper", "demo"])
def test_the_same_seed_gives_the_same_weights_and_another_seed_others(name: str) -> None:
    def trained(seed: int) -> Trained:
        return train(Plan(world(), small(name, training={"epochs": 2}), "mtl", CPU, seed=seed))

    one, same, other = trained(1), trained(1), trained(2)
    assert same_weights(one.model, same.model)
    assert timeless(one.about["history"]) == timeless(same.about["history"])
    for name, weight in one.model.named_parameters():
        assert not torch.equal(weight, other.model.state_dict()[name]), name


def test_task_weights_and_temperature_are_learned() -> None:
    trained = train(Plan(world(), small("demo"), "mtl", CPU))
    weights = [(row["retrieval_weight"], row["location_weight"]) for row in trained.about["history"]]
    assert len(set(weights)) == 6 and weights[-1][0] != pytest.approx(0.5, abs=1e-3)
    assert weights[-1][1] != pytest.approx(1.0, abs=1e-3)


def test_frozen_task_weights_stay_as_they_are() -> None:
    recipe = small("paper", faults={"task_weights_frozen": True})
    trained = train(Plan(world(), recipe, "mtl", CPU))
    assert {(row["retrieval_weight"], row["location_weight"]) for row in trained.about["history"]} == {(0.5, 1.0)}


@pytest.mark.parametrize("task", TASKS)
def test_a_training_describes_itself(task: Task) -> None:
    material, recipe, reports = world(), small("paper", training={"epochs": 3}), Reports()
    about = train(Plan(material, recipe, task, CPU, seed=5), reports).about
    assert (about["task"], about["seed"], about["batch"]) == (task, 5, 16)
    assert Recipe.model_validate(about["recipe"]) == recipe
    assert about["cell_tokens"] == [f"cell-{number}" for number in range(5)]
    assert [epoch.figures for epoch in reports.epochs] == about["history"]
    assert reports.numbers == [1, 2, 3] and {epoch.of for epoch in reports.epochs} == {3}
    assert reports.epochs[0].is_best and reports.epochs[-1].seconds_left == 0 < reports.epochs[0].seconds_left
    for row in about["history"]:
        assert row["duration_s"] > 0 and row["items_per_s"] > 0 and row["learning_rate"] == 2e-3
    json.dumps(about, allow_nan=False)


KILLABLE = """
import sys
from pathlib import Path
import torch
from mlm_assets.ml.device import Device
from mlm_assets.ml.material import open_material
from mlm_assets.ml.training import Plan, train
from tests.unit.ml.trainings import outputs_of, small
torch.set_num_threads(1)
folder, name, epochs = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
recipe = small(name, training={"epochs": epochs, "batch": 32})
plan = Plan(open_material(folder / "material"), recipe, "mtl", Device("cpu", "float32"), 7, folder=folder / "work",
            checkpoint_every_s=0)
train(plan, lambda epoch: print(epoch.number, flush=True))
"""


@pytest.mark.parametrize("name", ["paper", "demo"])
def test_killed_in_the_middle_and_resumed_it_equals_the_undisturbed_one(tmp_path: Path, name: str) -> None:
    epochs, material = 24, world(300)
    save_material(material, tmp_path / "material")
    recipe = small(name, training={"epochs": epochs, "batch": 32})
    undisturbed = train(Plan(material, recipe, "mtl", CPU, 7))
    command = [sys.executable, "-c", KILLABLE, str(tmp_path), name, str(epochs)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as training:
        assert training.stdout is not None
        for line in training.stdout:
            if int(line) == 2:
                training.send_signal(signal.SIGKILL)
                break
    assert training.returncode == -signal.SIGKILL
    assert [file.name for file in (tmp_path / "work").iterdir() if not file.name.startswith(".tmp")] == [WORK_FILE]
    reports, said = Reports(), []
    plan = Plan(material, recipe, "mtl", CPU, 7, folder=tmp_path / "work", checkpoint_every_s=0, say=said.append)
    resumed = train(plan, reports)
    first = reports.numbers[0]
    assert 3 <= first < epochs and reports.numbers == list(range(first, epochs + 1))
    assert said == [f"going on after epoch {first - 1}, from {tmp_path / 'work' / WORK_FILE}"]
    assert same_weights(resumed.model, undisturbed.model)
    assert timeless(resumed.about["history"]) == timeless(undisturbed.about["history"])
    assert resumed.about["best_epoch"] == undisturbed.about["best_epoch"]


@pytest.mark.parametrize("name", ["paper", "modern", "as_published"])
@pytest.mark.parametrize("task", TASKS)
def test_every_task_goes_on_to_the_same_result(tmp_path: Path, name: str, task: Task) -> None:
    recipe = small(name, training={"epochs": 4, "patience": 3})
    material = world(200)
    undisturbed = train(Plan(material, recipe, task, CPU))
    # Killed twice; the second time after an epoch that was not written down.
    with pytest.raises(Killed):
        train(Plan(material, recipe, task, CPU, folder=tmp_path, checkpoint_every_s=0), killing(after=1))
    with pytest.raises(Killed):
        train(Plan(material, recipe, task, CPU, folder=tmp_path, checkpoint_every_s=1000), killing(after=3))
    reports = Reports()
    resumed = train(Plan(material, recipe, task, CPU, folder=tmp_path, checkpoint_every_s=1000), reports)
    assert reports.numbers[0] == 2
    assert same_weights(resumed.model, undisturbed.model)
    assert timeless(resumed.about["history"]) == timeless(undisturbed.about["history"])


def test_a_training_that_had_ended_is_not_trained_again(tmp_path: Path) -> None:
    plan = Plan(world(), small("demo"), "mtl", CPU, folder=tmp_path, checkpoint_every_s=0)
    one, reports = train(plan), Reports()
    other = train(plan, reports)
    assert reports.numbers == [] and same_weights(one.model, other.model) and one.about == other.about


def other_split() -> Material:
    material = world()
    first, second = material.items(TRAIN)[0], material.items(VALIDATION)[0]
    material.splits[[first, second]] = material.splits[[second, first]]
    return material


@pytest.mark.parametrize(
    "other",
    [
        {"seed": 2},
        {"recipe": small("demo", training={"epochs": 3, "learning_rate": 1e-3})},
        {"recipe": small("paper", training={"epochs": 3})},
        {"task": "le"},
        {"material": world(seed=4)},
        {"material": other_split()},
        {"material": world(n_cells=6)},
    ],
)
def test_a_working_state_of_another_training_is_not_gone_on_from(tmp_path: Path, other: dict[str, Any]) -> None:
    before = {"material": world(), "recipe": small("demo", training={"epochs": 3}), "task": "mtl", "device": CPU}
    train(Plan(**before, folder=tmp_path, checkpoint_every_s=0))
    assert (tmp_path / WORK_FILE).is_file()
    reports = Reports()
    after = train(Plan(**{**before, **other}, folder=tmp_path, checkpoint_every_s=0), reports)
    assert reports.numbers == [1, 2, 3]
    assert same_weights(after.model, train(Plan(**{**before, **other})).model)


def test_the_best_epoch_is_kept_and_not_the_last(tmp_path: Path) -> None:
    # A learning rate at which an epoch undoes what the one before it learned.
    recipe, material = small("paper", training={"epochs": 8, "learning_rate": 0.03}), world(200)
    reports = Reports()
    trained = train(Plan(material, recipe, "mtl", CPU), reports)
    scores = [row["score"] for row in trained.about["history"]]
    best = int(np.argmax(scores))
    assert scores[-1] < scores[best] and best < 6, "or this would say nothing"
    assert trained.about["best_epoch"] == best + 1
    assert [epoch.number for epoch in reports.epochs if epoch.is_best][-1] == best + 1
    said = predict(trained.model, material, material.items(VALIDATION), recipe, CPU)
    assert validation_figures(material, said)["score"] == scores[best]
    # Killed after its best epoch and resumed, it is kept all the same.
    plan = Plan(material, recipe, "mtl", CPU, folder=tmp_path, checkpoint_every_s=0)
    with pytest.raises(Killed):
        train(plan, killing(after=best + 2))
    resumed = train(plan)
    assert same_weights(resumed.model, trained.model) and resumed.about["best_epoch"] == best + 1


def test_patience_ends_a_training() -> None:
    recipe = small("paper", training={"epochs": 60, "learning_rate": 0.03, "patience": 3})
    about = train(Plan(world(200), recipe, "mtl", CPU)).about
    assert len(about["history"]) == about["best_epoch"] + 3 < 60


class Watched(nn.Module):
    """Remembers the cells of the texts of every step."""

    def __init__(self, inner: nn.Module, seen: list[list[int]]) -> None:
        super().__init__()
        self.inner, self.seen = inner, seen

    def forward(self, batch: Batch, gather: Any) -> Any:
        self.seen.append(batch.targets.text_cells.tolist())
        return self.inner(batch, gather)


def test_every_epoch_and_every_seed_has_an_order_of_its_own() -> None:
    def orders(seed: int) -> list[list[list[int]]]:
        seen: list[list[int]] = []
        recipe = small("paper", training={"epochs": 3})
        train(Plan(world(), recipe, "mtl", CPU, seed=seed, wrap=lambda module: Watched(module, seen)))
        return [seen[first : first + 4] for first in (0, 4, 8)]

    one, other = orders(1), orders(2)
    assert one == orders(1)
    assert all(a != b for a, b in itertools.combinations([*one, *other], 2))


class Cramped(nn.Module):
    """A device with room for so many settlements at once, for so many steps."""

    def __init__(self, inner: nn.Module, room: int, steps: int = 0) -> None:
        super().__init__()
        self.inner, self.room, self.steps = inner, room, steps

    def forward(self, batch: Batch, gather: Any) -> Any:
        self.steps -= 1
        if len(batch.images) > self.room and self.steps < 0:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB.")
        return self.inner(batch, gather)


def test_out_of_memory_halves_the_batch_with_a_warning() -> None:
    said: list[str] = []
    recipe, material = small("demo", training={"epochs": 3}), world()
    plan = Plan(material, recipe, "mtl", CPU, wrap=lambda module: Cramped(module, room=5), say=said.append)
    trained = train(plan)
    assert said == [f"WARNING: out of memory on cpu; going on with a batch of {batch}" for batch in (8, 4)]
    assert trained.about["batch"] == 4 and len(trained.about["history"]) == 3
    small_batch = train(Plan(material, recipe.changed(training={"batch": 4}), "mtl", CPU))
    assert same_weights(trained.model, small_batch.model)


def test_a_device_without_room_for_two_is_refused() -> None:
    plan = Plan(world(), small("demo"), "mtl", CPU, wrap=lambda module: Cramped(module, room=1))
    with pytest.raises(Refused) as refused:
        train(plan)
    assert str(refused.value) == "cpu has not memory enough for a batch of 2. Lower the batch of the recipe."


def test_a_halved_batch_stays_halved_when_a_killed_training_goes_on(tmp_path: Path) -> None:
    recipe, material = small("demo", training={"epochs": 5}), world()

    def plan(name: str) -> Plan:
        # Four steps an epoch: memory runs out in the third epoch, once.
        room = iter([2**9, *[0] * 9])
        return Plan(
            material, recipe, "mtl", CPU, folder=tmp_path / name, checkpoint_every_s=0,
            wrap=lambda module: Cramped(module, room=8, steps=10) if next(room) else Cramped(module, room=8),
        )  # fmt: skip

    reports = Reports()
    undisturbed = train(plan("undisturbed"), reports)
    assert reports.numbers == [1, 2, 3, 4, 5] and undisturbed.about["batch"] == 8
    with pytest.raises(Killed):
        train(plan("killed"), killing(after=4))
    reports = Reports()
    resumed = train(Plan(material, recipe, "mtl", CPU, folder=tmp_path / "killed", checkpoint_every_s=0), reports)
    assert reports.numbers == [5] and resumed.about["batch"] == 8
    assert same_weights(resumed.model, undisturbed.model)


def test_a_loss_that_is_not_finite_is_refused() -> None:
    recipe = small("demo", training={"learning_rate": 1e38})
    with pytest.raises(Refused, match=r"The loss is not finite in epoch \d: lower the learning rate of the recipe"):
        train(Plan(world(), recipe, "mtl", CPU))


def test_a_material_that_cannot_be_trained_on_is_refused() -> None:
    material = world()
    material.splits[material.splits == TEST] = TRAIN
    with pytest.raises(Refused) as refused:
        train(Plan(material, small("paper"), "mtl", CPU))
    assert str(refused.value) == "There is nothing to train: mlm_irle has no test items."
    with pytest.raises(Refused, match="The recipe's faults leave nothing to train on: mlm_irle has 0 geo-cell"):
        train(Plan(world(), small("paper", faults={"cells_removed_at": 100}), "mtl", CPU))


def test_the_rate_warms_up_and_falls() -> None:
    recipe = small("demo", training={"epochs": 8, "warmup_epochs": 2.0})
    rates = [row["learning_rate"] for row in train(Plan(world(), recipe, "ir", CPU)).about["history"]]
    top = rates.index(max(rates))
    assert rates[:top] == sorted(rates[:top]) and rates[top:] == sorted(rates[top:], reverse=True)
    assert 1 <= top <= 2 and max(rates) <= 2e-3 and 2e-5 <= rates[-1] < 2e-4


def test_faults_of_a_recipe_are_done_to_the_material() -> None:
    recipe = small("paper", training={"epochs": 1}, faults={"class_ids_as_answered": True})
    about = train(Plan(world(), recipe, "mtl", CPU)).about
    assert sorted(about["cell_tokens"]) == list(world().cell_tokens) != about["cell_tokens"]
