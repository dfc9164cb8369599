"""Train a model and keep it; judge three models and keep the report. What assets and the command line both do.

Files are written whole, to the fixed places of `layout`. Which release and which settings is the caller's business.
"""

import hashlib
import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from mlm_assets.errors import Refused
from mlm_assets.ml.checkpoint import save_tensors
from mlm_assets.ml.device import Device, Usage
from mlm_assets.ml.distributed import Job, train_in_processes
from mlm_assets.ml.evaluation.options import Options
from mlm_assets.ml.evaluation.report import evaluate
from mlm_assets.ml.evaluation.splits import blocked_split
from mlm_assets.ml.faults import with_faults
from mlm_assets.ml.inference import Trained, check_fits, load_trained, predict
from mlm_assets.ml.layout import MODEL_FILE, benchmark_file, model_folder, model_name, work_folder
from mlm_assets.ml.material import TEST, Material, check_material, open_material, untrainable
from mlm_assets.ml.predictions import Predictions
from mlm_assets.ml.recipe import TASKS, Recipe, Task
from mlm_assets.ml.training import Epoch, Plan, train

TIMING: Final = ("duration_s", "items_per_s")
"""Figures of an epoch that no two machines have alike; shown, but no part of what a training is."""


@dataclass(frozen=True)
class Experiment:
    """One way to train on one material: where it lies, how, on what, for which home and release."""

    home: Path
    material: Path
    recipe: Recipe
    device: Device
    seed: int = 1
    processes: int = 1
    say: Callable[[str], Any] = lambda text: None

    def opened(self) -> Material:
        """Return the material, checked.

        Raises:
            Refused: it cannot be trained on: one cell, an empty split, values that are not finite.
        """
        material = open_material(self.material)
        why = untrainable(material)
        if why is not None:
            raise Refused(f"There is nothing to train: {why}.")
        check_material(material)
        return material


@dataclass(frozen=True)
class Finished:
    """A model that was trained and written: its folder, its description with the history, and the device's figures."""

    folder: Path
    about: dict[str, Any]
    weights_sha256: str
    usage: dict[str, Any]

    def rows(self) -> list[dict[str, Any]]:
        """Return one row per epoch, as the table of the model has them."""
        return [
            {
                **{name: value for name, value in figures.items() if name not in TIMING},
                "epoch": number,
                "is_best": number == self.about["best_epoch"],
                "weights_sha256": self.weights_sha256,
            }
            for number, figures in enumerate(self.about["history"], start=1)
        ]


def fit(experiment: Experiment, task: Task, report: Callable[[Epoch], Any] = lambda epoch: None) -> Finished:
    """Train a model, write it to its folder in the home, and remove the working state.

    Raises:
        Refused: the material cannot be trained on.
        MlmError: a process of several failed.
    """
    material = experiment.opened()
    work = work_folder(experiment.home, material.release, material.variant, task)
    usage = Usage(experiment.device)

    def tell(epoch: Epoch) -> None:
        usage.look()
        report(epoch)

    trained = _train(experiment, material, task, work, tell)
    finished = _keep(experiment, material, task, trained, usage)
    shutil.rmtree(work, ignore_errors=True)
    return finished


def _train(
    experiment: Experiment, material: Material, task: Task, work: Path, report: Callable[[Epoch], Any]
) -> Trained:
    device, recipe = experiment.device, experiment.recipe
    if experiment.processes > 1:
        said = recipe.model_dump(mode="json")
        job = Job(
            str(experiment.material),
            said,
            task,
            experiment.seed,
            device.name,
            device.precision,
            str(work),
            device.is_compiled,
        )
        return train_in_processes(job, experiment.processes, report, experiment.say)
    plan = Plan(material, recipe, task, device, experiment.seed, folder=work, say=experiment.say)
    return train(plan, report)


def _keep(experiment: Experiment, material: Material, task: Task, trained: Trained, usage: Usage) -> Finished:
    folder = model_folder(experiment.home, material.release, material.variant, task)
    history = trained.about["history"]
    timeless = [{name: value for name, value in row.items() if name not in TIMING} for row in history]
    # The header of the weights says everything but what differs from run to run: the same training, the same bytes.
    save_tensors(folder / MODEL_FILE, trained.model.state_dict(), {**trained.about, "history": timeless})
    config = {name: value for name, value in trained.about.items() if name not in ("history", "cell_tokens")}
    _write_json(folder / "config.json", config)
    _write_json(folder / "history.json", history)
    for name, png in curves(history).items():
        (folder / f"{name}.png").write_bytes(png)
    weights = hashlib.sha256((folder / MODEL_FILE).read_bytes()).hexdigest()
    return Finished(folder, trained.about, weights, usage.figures())


def curves(history: list[dict[str, float | None]]) -> dict[str, bytes]:
    """Return the curves of a training as PNGs: losses, and what validation says."""
    from mlm_assets.geo.plots import lines_png

    def series(*names: str) -> dict[str, list[float | None]]:
        return {name.replace("_", " "): [row.get(name) for row in history] for name in names}

    return {
        "losses": lines_png(series("loss", "retrieval_loss", "location_loss"), "Losses", "epoch", "training loss"),
        "validation": lines_png(series("score", "located_image", "located_text"), "Validation", "epoch", "share"),
    }


def judge(
    experiment: Experiment, report_epoch: Callable[[Epoch], Any] = lambda epoch: None
) -> tuple[dict[str, Any], dict[str, bytes]]:
    """Judge the three models of a variant by the benchmark, write its JSON and plots, and return both.

    The spatially blocked part trains a multitask model of its own on a split in which whole regions are kept aside.

    Raises:
        Refused: a model is missing, or was trained on other features or cells.
    """
    from mlm_assets.ml.evaluation.plots import plots

    whole = experiment.opened()
    material = with_faults(whole, experiment.recipe.faults, experiment.seed)
    models = {model_name(task): _trained(experiment, material, task) for task in TASKS}
    test, recipe, device = material.items(TEST), experiment.recipe, experiment.device

    def seen_by(trained: Trained) -> Callable[[Material], Predictions]:
        return lambda shown: predict(trained.model, shown, test, recipe, device)

    said = {}
    for name, trained in models.items():
        experiment.say(f"{name}: predicting {len(test):,} test items")
        said[name] = seen_by(trained)(material)
    report = evaluate(
        material,
        said,
        seed=experiment.seed,
        blocked=_blocked(experiment, whole, report_epoch),
        predict={name: seen_by(trained) for name, trained in models.items()},
        options=Options(recipe.faults.recall_summed_over_languages, recipe.faults.language_by_counter),
        progress=experiment.say,
    )
    report = {**_origin(experiment, material), **report}
    file = benchmark_file(experiment.home, material.release, material.variant)
    pictures = plots(report, material, said)
    folder = file.with_suffix("")
    folder.mkdir(parents=True, exist_ok=True)
    for name, png in pictures.items():
        (folder / f"{name}.png").write_bytes(png)
    _write_json(file, report)
    return report, pictures


def _trained(experiment: Experiment, material: Material, task: Task) -> Trained:
    path = model_folder(experiment.home, material.release, material.variant, task) / MODEL_FILE
    if not path.is_file():
        raise Refused(f"There is no {model_name(task)} of {material.variant} {material.release} yet. Train it first.")
    trained = load_trained(path)
    check_fits(trained, material)
    if trained.recipe.digest() != experiment.recipe.digest() or trained.about["seed"] != experiment.seed:
        raise Refused(
            f"{model_name(task)} of {material.variant} {material.release} was trained by the recipe "
            f"{trained.recipe.name} (seed {trained.about['seed']}), not by {experiment.recipe.name} "
            f"(seed {experiment.seed}). Name that recipe and seed, or train it again."
        )
    return trained


def _blocked(
    experiment: Experiment, material: Material, report: Callable[[Epoch], Any]
) -> tuple[Material, Predictions] | None:
    apart = blocked_split(material, seed=experiment.seed)
    if untrainable(apart) is not None:
        return None
    sound = experiment.recipe.changed(faults={"unseeded_splits": False})
    work = work_folder(experiment.home, material.release, f"{material.variant}-blocked", "mtl")
    experiment.say(f"{material.variant}: training on the spatially blocked split")
    plan = Plan(apart, sound, "mtl", experiment.device, experiment.seed, folder=work, say=experiment.say)
    trained = train(plan, report)
    shutil.rmtree(work.parent, ignore_errors=True)
    apart = with_faults(apart, sound.faults, experiment.seed)
    return apart, predict(trained.model, apart, apart.items(TEST), sound, experiment.device)


def _origin(experiment: Experiment, material: Material) -> dict[str, Any]:
    return {
        "release": material.release,
        "variant": material.variant,
        "recipe": experiment.recipe.name,
        "recipe_digest": experiment.recipe.digest(),
        "seed": experiment.seed,
        "image_encoder": material.image_encoder,
        "text_encoder": material.text_encoder,
    }


def _write_json(path: Path, said: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".tmp-{path.name}")
    temporary.write_text(json.dumps(said, indent=1, ensure_ascii=False, allow_nan=False) + "\n", "utf-8")
    temporary.replace(path)


def figures_of(epoch: Epoch) -> Mapping[str, float | None]:
    """Return the figures of an epoch as they are shown while it runs."""
    return {"epoch": epoch.number, "epochs": epoch.of, **epoch.figures, "seconds_left": round(epoch.seconds_left, 1)}
