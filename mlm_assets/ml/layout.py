"""Where models, benchmarks and imported material lie below a home. The names are fixed: scripts of others use them."""

from pathlib import Path
from typing import Final

from mlm_assets.ml.recipe import TASKS, Task

MODEL_FILE: Final = "model.safetensors"
REPORT_SUFFIX: Final = ".json"


def model_name(task: Task) -> str:
    """Return the name of the model of a task."""
    return f"{task}_model"


MODEL_NAMES: Final = tuple(model_name(task) for task in TASKS)


def model_folder(home: Path, release: str, variant: str, task: Task) -> Path:
    """Return the folder of a finished model: weights, `config.json`, `history.json`, curves."""
    return home / "models" / release / variant / model_name(task)


def work_folder(home: Path, release: str, variant: str, task: Task) -> Path:
    """Return where a training keeps its working state, so that it goes on after a kill."""
    return home / "models" / release / variant / f".training-{model_name(task)}"


def benchmark_file(home: Path, release: str, variant: str) -> Path:
    """Return the JSON of a benchmark; its plots lie in the folder of the same name beside it."""
    return home / "benchmark" / release / f"{variant}{REPORT_SUFFIX}"


def imported_folder(home: Path, name: str, variant: str) -> Path:
    """Return the folder of material that was imported from the published files."""
    return home / "imported" / name / variant
