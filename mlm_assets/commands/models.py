"""`mlm train` and `mlm evaluate`: models of a release of the lake through Dagster, of imported files directly.

What training and judging are is said by `ml.experiment`; here it is decided on what, and shown how it goes.
"""

import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markdown import Markdown
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from mlm_assets.errors import Refused
from mlm_assets.ml.layout import MODEL_FILE, benchmark_file, imported_folder, model_folder, model_name
from mlm_assets.ml.recipe import TASKS, Recipe, Task, load_recipe
from mlm_assets.settings import Settings, load_settings, use_home
from mlm_assets.tables import TRAINED_VARIANTS


@dataclass(frozen=True)
class TrainRequest:
    """What `mlm train` was asked for; empty means all there is."""

    home: Path
    release: str | None
    variants: tuple[str, ...]
    tasks: tuple[Task, ...]
    recipe: str | None
    seed: int | None
    is_anew: bool = False


def train(request: TrainRequest, console: Console) -> None:
    """Train models and judge them where all three of a variant are there; print the tables.

    Raises:
        Refused: the release, the recipe or the device does not exist, or there is nothing to train on.
    """
    settings = _settings(request)
    load_recipe(settings.recipe)
    release = chosen_release(settings, request.release)
    variants = _variants(settings, release, request.variants)
    if _is_imported(settings, release):
        _train_imported(settings, release, variants, request, console)
    else:
        _refuse_untrainable(settings, release, variants)
        _walk(settings, release, variants, request.tasks, console, is_anew=request.is_anew)
    for variant in variants:
        show_benchmark(settings.home, release, variant, console)


def evaluate(home: Path, release: str | None, variants: tuple[str, ...], console: Console) -> None:
    """Judge trained models again, by the recipe and seed that they were trained by, and print the tables.

    Raises:
        Refused: a model is missing.
    """
    settings = load_settings(home)
    release = chosen_release(settings, release)
    for variant in _variants(settings, release, variants):
        about = trained_by(settings.home, release, variant)
        if _is_imported(settings, release):
            from mlm_assets.ml.experiment import judge

            experiment = _experiment(settings, release, variant, about["recipe"], about["seed"], console)
            with _bars(console) as bar:
                judge(experiment, bar(f"{variant} blocked"))
        else:
            os.environ |= {"MLM_RECIPE": about["source"], "MLM_SEED": str(about["seed"])}
            _walk(load_settings(home), release, (variant,), TASKS, console, only="benchmark", is_anew=True)
        show_benchmark(settings.home, release, variant, console)


def trained_by(home: Path, release: str, variant: str, tasks: Sequence[Task] = TASKS) -> dict[str, Any]:
    """Return recipe (`recipe`, and its name `source`) and seed of the models of a variant.

    Raises:
        Refused: a model is missing.
    """
    from mlm_assets.ml.inference import load_trained

    for task in tasks:
        if not (model_folder(home, release, variant, task) / MODEL_FILE).is_file():
            raise Refused(
                f"There is no {model_name(task)} of {variant} {release} in {home}. "
                f"Train it: mlm train --home {home} --release {release} --variant {variant}"
            )
    trained = load_trained(model_folder(home, release, variant, "mtl") / MODEL_FILE)
    return {"recipe": trained.recipe, "source": trained.recipe.name, "seed": trained.about["seed"]}


def chosen_release(settings: Settings, release: str | None) -> str:
    """Return the release that was asked for, or the newest one with datasets.

    Raises:
        Refused: there is no such release in this home, as a release or as imported files.
    """
    from mlm_assets.resources.lake import open_lake

    lake = open_lake(settings)
    made = sorted(one.partition for variant in TRAINED_VARIANTS for one in lake.accepted_all(variant))
    if release is None:
        if made:
            return made[-1]
        raise Refused(f"{settings.home} has no release with datasets yet. Make one with `mlm run`, or name --release.")
    if release in made or _is_imported(settings, release):
        return release
    there = ", ".join(sorted({*made, *_imported(settings)})) or "none"
    raise Refused(f"{settings.home} has no datasets of {release}; there are: {there}.")


def show_benchmark(home: Path, release: str, variant: str, console: Console) -> None:
    """Print the tables of a benchmark beside the paper's, if it is there."""
    from mlm_assets.ml.evaluation.tables import markdown_tables

    file = benchmark_file(home, release, variant)
    if not file.is_file():
        return
    tables = markdown_tables(json.loads(file.read_text("utf-8")))
    if console.is_terminal:
        console.print(Markdown(tables))
    else:
        console.print(tables)
    console.print(f"Report: {file}")


def _settings(request: TrainRequest) -> Settings:
    """Return the home's settings with recipe and seed of the request, which the home keeps, as `mlm run` does."""
    from mlm_assets.automation.instance import is_home, keep_settings, make_home

    given = {"recipe": request.recipe, "seed": request.seed}
    said: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    if "recipe" in said:
        load_recipe(str(said["recipe"]))
    settings = load_settings(request.home, **said)
    if not is_home(settings.home):
        raise Refused(f"{settings.home} is no home of mlm. Make one with `mlm run` or `mlm import-hdf5`.")
    make_home(settings.home)
    keep_settings(settings, said)
    os.environ.update({f"MLM_{name.upper()}": str(value) for name, value in said.items()})
    use_home(settings.home)
    return settings


def _imported(settings: Settings) -> list[str]:
    folder = settings.home / "imported"
    return sorted(one.name for one in folder.iterdir() if one.is_dir()) if folder.is_dir() else []


def _is_imported(settings: Settings, release: str) -> bool:
    return release in _imported(settings)


def _variants(settings: Settings, release: str, asked: Sequence[str]) -> tuple[str, ...]:
    if not _is_imported(settings, release):
        return tuple(asked) or TRAINED_VARIANTS
    there = tuple(one for one in TRAINED_VARIANTS if imported_folder(settings.home, release, one).is_dir())
    missing = sorted(set(asked) - set(there))
    if missing:
        raise Refused(f"{release} was imported with {', '.join(there)}, not with {', '.join(missing)}.")
    return tuple(asked) or there


def _refuse_untrainable(settings: Settings, release: str, variants: Sequence[str]) -> None:
    """Refuse what automation would skip: somebody asked for it by name."""
    from mlm_assets.resources.lake import open_lake

    lake = open_lake(settings)
    for variant in variants:
        rows = lake.read(lake.require(variant, release))
        splits = set(rows["split"].to_pylist())
        n_cells = lake.read(lake.require("geo_cells", release), {"variant": variant}).num_rows
        missing = [split for split in ("train", "validation", "test") if split not in splits]
        if n_cells < 2:
            raise Refused(f"{variant} of {release} has {n_cells} geo-cell(s); location estimation needs two at least.")
        if missing:
            raise Refused(f"{variant} of {release} has no {missing[0]} items; there is nothing to train and judge on.")


def _walk(
    settings: Settings, release: str, variants: Sequence[str], tasks: Sequence[Task], console: Console,
    *, is_anew: bool = False, only: str = "",
) -> None:  # fmt: skip
    from mlm_assets.automation.headless import Walk, model_legs
    from mlm_assets.automation.instance import open_instance
    from mlm_assets.resources.lake import open_lake

    legs = [leg for leg in model_legs(release, variants, tasks) if leg.tables[0].endswith(only)]
    with open_instance(settings) as instance:
        walk = Walk(settings, open_lake(settings), instance, release, "replay" if is_anew else "fetch")
        for step in walk.steps(legs, lambda what: console.print(f"  {what}")):
            if step.was_current:
                console.print(f"  {step.leg.tables[0]} {release} was up to date already")
            if step.skipped:
                console.print(f"  {step.leg.tables[0]} is skipped: {step.skipped}")


def _train_imported(
    settings: Settings, release: str, variants: Sequence[str], request: TrainRequest, console: Console
) -> None:
    from mlm_assets.ml.experiment import fit, judge

    for variant in variants:
        recipe = load_recipe(settings.recipe)
        experiment = _experiment(settings, release, variant, recipe, settings.seed, console)
        with _bars(console) as bar:
            for task in request.tasks:
                fit(experiment, task, bar(f"{variant}/{model_name(task)}"))
            if set(request.tasks) == set(TASKS):
                judge(experiment, bar(f"{variant} blocked"))


def _experiment(settings: Settings, release: str, variant: str, recipe: Recipe, seed: int, console: Console) -> Any:
    from mlm_assets.ml.device import choose_device
    from mlm_assets.ml.experiment import Experiment

    device = choose_device(settings.device, settings.precision, is_compiled=settings.compile_models)
    folder = imported_folder(settings.home, release, variant)
    return Experiment(settings.home, folder, recipe, device, seed, settings.training_processes, console.print)


@contextmanager
def _bars(console: Console) -> Iterator[Callable[[str], Callable[[Any], None]]]:
    """Yield a maker of progress bars: name in, a function that is told of each epoch out."""
    columns = (
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(),
        TextColumn("{task.fields[said]}"),
    )  # fmt: skip
    with Progress(*columns, console=console) as bars:

        def bar(name: str) -> Callable[[Any], None]:
            task = bars.add_task(name, total=None, said="")

            def tell(epoch: Any) -> None:
                said = f"loss {epoch.figures['loss']:.3f}, validation {epoch.figures['score']:.3f}"
                bars.update(task, total=epoch.of, completed=epoch.number, said=said)

            return tell

        yield bar
