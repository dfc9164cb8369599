"""Several processes through torchrun: the result of one, sentences that arrive, resumption."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from mlm_assets.errors import Refused
from mlm_assets.ml.distributed import MODEL_FILE, Job, train_in_processes
from mlm_assets.ml.inference import Trained, load_trained
from mlm_assets.ml.material import Material, save_material
from mlm_assets.ml.recipe import Recipe
from mlm_assets.ml.training import Plan, train
from tests.unit.ml.trainings import CPU, Reports, small, world

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(autouse=True)
def same_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


def job(tmp_path: Path, material: Material, recipe: Recipe, **more: Any) -> Job:
    save_material(material, tmp_path / "material")
    said = {"task": "mtl", "seed": 3, "device": "cpu", "precision": "float32", "folder": str(tmp_path / "work"), **more}
    return Job(str(tmp_path / "material"), recipe.model_dump(mode="json"), **said)


def without_dropout(name: str, **training: object) -> Recipe:
    """Return a recipe whose only chance is in the choice of views, which all processes draw alike."""
    return small(name, model={"dropout": 0.0}, training={"learning_rate": 1e-3, "epochs": 4, **training})


def assert_close(one: Trained, other: Trained) -> None:
    weights = other.model.state_dict()
    for name, weight in one.model.state_dict().items():
        assert torch.allclose(weight, weights[name], rtol=0, atol=1e-5), (name, (weight - weights[name]).abs().max())


@pytest.mark.slow
@pytest.mark.parametrize("name", ["paper", "demo"])
def test_two_processes_train_what_one_trains(tmp_path: Path, name: str) -> None:
    # 160 items in batches of 24: the last batch is smaller, and processes have different numbers of texts.
    material, recipe = world(200), without_dropout(name, batch=24)
    alone, reports, said = Reports(), Reports(), []
    one = train(Plan(material, recipe, "mtl", CPU, seed=3), alone)
    two = train_in_processes(job(tmp_path, material, recipe), 2, reports, said.append)
    assert_close(two, one)
    assert reports.numbers == [1, 2, 3, 4] and {epoch.of for epoch in reports.epochs} == {4}
    for ours, theirs in zip(alone.epochs, reports.epochs, strict=True):
        assert theirs.figures["loss"] == pytest.approx(ours.figures["loss"], rel=1e-5)
        assert theirs.figures["score"] == pytest.approx(ours.figures["score"], abs=0.05)
    assert two.about["best_epoch"] == reports.numbers[int(np.argmax([e.figures["score"] for e in reports.epochs]))]
    kept = load_trained(tmp_path / "work" / MODEL_FILE)
    assert kept.about == two.about
    # Training has moved the weights by far more than the tolerance.
    fresh = train(Plan(material, recipe.changed(training={"learning_rate": 1e-12}), "mtl", CPU, seed=3))
    with pytest.raises(AssertionError):
        assert_close(two, fresh)


@pytest.mark.slow
def test_a_refusal_in_a_process_arrives_as_its_sentence(tmp_path: Path) -> None:
    recipe = small("paper", faults={"cells_removed_at": 100})
    with pytest.raises(Refused) as refused:
        train_in_processes(job(tmp_path, world(), recipe), 2, Reports(), lambda line: None)
    assert str(refused.value) == (
        r"The recipe's faults leave nothing to train on: mlm_irle has 0 geo-cell(s); "
        "location estimation needs two at least."
    )
    assert not (tmp_path / "work" / MODEL_FILE).exists()


@pytest.mark.slow
def test_whoever_stops_the_report_stops_the_processes(tmp_path: Path) -> None:
    def stop(epoch: Any) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_in_processes(job(tmp_path, world(), small("demo", training={"epochs": 100_000})), 2, stop, print)
    # Had the processes not been stopped, this line would come after 100,000 epochs.


def test_processes_on_a_device_that_is_not_there_are_refused(tmp_path: Path) -> None:
    beyond = f"cuda:{torch.cuda.device_count() + 7}"
    with pytest.raises(Refused, match=f"There is no device {beyond}"):
        train_in_processes(job(tmp_path, world(), small("demo"), device=beyond), 2, Reports(), print)
