"""Group models: three models per variant and release, and the benchmark that judges them (paper, sections 5 and 6)."""

import time
from collections.abc import Callable, Iterator
from typing import Any, Final

import dagster as dg

from mlm_assets.assets.entities import rows_of
from mlm_assets.assets.reporting import asset_key, picture
from mlm_assets.assets.stage import Rule, Stage, described_spec
from mlm_assets.automation.conditions import JUDGE_NEW_MODELS, TRAIN_ON_A_NEW_DATASET
from mlm_assets.ml.recipe import TASKS, Task
from mlm_assets.partitions import RELEASES
from mlm_assets.resources.device import DeviceResource
from mlm_assets.resources.encoders import EncoderResource
from mlm_assets.resources.services import LakeResource
from mlm_assets.tables import MODEL_TASKS, TRAINED_VARIANTS

GPU_POOL: Final = "gpu"
LEARNT_RULE: Final = "better_than_chance"
GUARD_RULE: Final = "shuffled_scores_are_chance"
_SHOWN_EVERY_S: Final = 20.0
_FEATURES: Final = [
    dg.AssetDep(name, partition_mapping=dg.AllPartitionMapping()) for name in ("image_features", "text_features")
]


def skippable_asset(spec: dg.AssetSpec) -> Callable[..., dg.AssetsDefinition]:
    """Return the decorator of an asset of this group: by release, one at a time on the GPU, and it may give nothing."""
    return dg.multi_asset(name="__".join(spec.key.path), specs=[spec], pool=GPU_POOL, partitions_def=RELEASES)


def model_asset(variant: str, task: Task) -> dg.AssetsDefinition:
    """Return the asset that trains the model of a task on a variant."""
    name = f"{variant}/{task}_model"

    @skippable_asset(
        described_spec(
            name,
            {"torch", "safetensors"},
            deps=[variant, "geo_cells", *_FEATURES, "class_features"],
            automation_condition=TRAIN_ON_A_NEW_DATASET,
            skippable=True,
            advisory={LEARNT_RULE: "Validation beats guessing."},
        )
    )
    def model(
        context: dg.AssetExecutionContext, lake: LakeResource, encoders: EncoderResource, device: DeviceResource
    ) -> Iterator[dg.MaterializeResult]:
        from mlm_assets.ml.experiment import fit

        stage = Stage(context, lake)
        experiment = experiment_of(context, stage, variant, encoders, device)
        if why := untrainable_reason(experiment):
            yield from skipped(context, name, why)
            return
        shown = ShownTraining(context, name)
        finished = fit(experiment, task, shown.epoch)
        yield from stage.publish_one(
            name,
            rows_of(name, finished.rows()),
            rules=[learnt_rule(finished.about, experiment)],
            metadata=model_metadata(finished, shown.history),
        )

    model.__doc__ = f"Train {MODEL_TASKS[task]}."
    return model


def benchmark_asset(variant: str) -> dg.AssetsDefinition:
    """Return the asset that judges the three models of a variant."""
    name = f"{variant}/benchmark"

    @skippable_asset(
        described_spec(
            name,
            {"python", "json"},
            deps=[variant, *(asset_key(f"{variant}/{task}_model") for task in TASKS)],
            automation_condition=JUDGE_NEW_MODELS,
            skippable=True,
            advisory={GUARD_RULE: "With texts or images shuffled, scores fall to chance."},
        )
    )
    def benchmark(
        context: dg.AssetExecutionContext, lake: LakeResource, encoders: EncoderResource, device: DeviceResource
    ) -> Iterator[dg.MaterializeResult]:
        from mlm_assets.ml.evaluation.tables import rows
        from mlm_assets.ml.experiment import judge

        stage = Stage(context, lake)
        experiment = experiment_of(context, stage, variant, encoders, device)
        if why := untrainable_reason(experiment):
            yield from skipped(context, name, why)
            return
        for task in TASKS:
            stage.version(f"{variant}/{task}_model", stage.partition)
        report, plots = judge(experiment, ShownTraining(context, name).epoch)
        yield from stage.publish_one(
            name,
            rows_of(name, rows(report)),
            rules=[guard_rule(report)],
            metadata=benchmark_metadata(stage, report, plots),
        )

    benchmark.__doc__ = "Measure the three models by the paper's protocol, and by our additions."
    return benchmark


models = [model_asset(variant, task) for variant in TRAINED_VARIANTS for task in TASKS]
benchmarks = [benchmark_asset(variant) for variant in TRAINED_VARIANTS]


def experiment_of(
    context: dg.AssetExecutionContext, stage: Stage, variant: str, encoders: EncoderResource, device: DeviceResource
) -> Any:
    """Return what is trained on, how, and where; its inputs are recorded with the stage."""
    from mlm_assets.ml.experiment import Experiment

    stage.version(variant, stage.partition)
    stage.version("geo_cells", stage.partition)
    for setting in ("image_encoder", "text_encoder", "seed"):
        stage.setting(setting)
    recipe = stage.recipe()
    return Experiment(
        stage.settings.home,
        encoders.open().for_recipe(recipe).training_material(stage.partition, variant, context.log.info),
        recipe,
        device.open(),
        stage.settings.seed,
        device.n_processes(),
        _logged(context),
    )


def _logged(context: dg.AssetExecutionContext) -> Callable[[str], Any]:
    def say(text: str) -> None:
        (context.log.warning if text.startswith("WARNING: ") else context.log.info)(text.removeprefix("WARNING: "))

    return say


def untrainable_reason(experiment: Any) -> str | None:
    """Return why nothing can be learnt from the material of an experiment, None where it can."""
    from mlm_assets.ml.material import open_material, untrainable

    return untrainable(open_material(experiment.material))


def skipped(context: dg.AssetExecutionContext, name: str, why: str) -> Iterator[dg.MaterializeResult]:
    """Say in the log and on the page of the asset why it was skipped; nothing is materialised."""
    context.log.warning(f"{name} is skipped: {why}")
    said = {"skipped": why}
    context.log_event(dg.AssetObservation(asset_key(name), f"Skipped: {why}", said, partition=context.partition_key))
    yield from ()


class ShownTraining:
    """Shows how a training goes on the page of its asset: figures, time left, and curves, every so often."""

    def __init__(self, context: dg.AssetExecutionContext, name: str) -> None:
        """Show the training of asset `name`."""
        self._context, self._name = context, name
        self.history: list[dict[str, float | None]] = []
        self._shown_at = time.monotonic()

    def epoch(self, epoch: Any) -> None:
        """Take note of a finished epoch."""
        self.history.append(epoch.figures)
        is_due = time.monotonic() - self._shown_at >= _SHOWN_EVERY_S
        if is_due or epoch.number in (1, epoch.of):
            self._context.log.info(
                f"{self._name}: epoch {epoch.number} of {epoch.of}, loss {epoch.figures['loss']:.4f}, "
                f"validation {epoch.figures['score']:.3f}, about {epoch.seconds_left:.0f} s left"
            )
        if is_due:
            self._shown_at = time.monotonic()
            self._context.log_event(
                dg.AssetObservation(
                    asset_key(self._name),
                    f"Epoch {epoch.number} of {epoch.of}",
                    self._figures(epoch),
                    partition=self._context.partition_key,
                )
            )

    def _figures(self, epoch: Any) -> dict[str, Any]:
        from mlm_assets.ml.experiment import curves, figures_of

        shown: dict[str, Any] = {name: value for name, value in figures_of(epoch).items() if value is not None}
        return shown | {name: picture(png, name) for name, png in curves(self.history).items()}


def learnt_rule(about: dict[str, Any], experiment: Any) -> Rule:
    """Return the verdict on whether validation of the kept epoch beats guessing."""
    import numpy as np

    from mlm_assets.ml.material import VALIDATION, open_material

    material = open_material(experiment.material)
    n = max(1, len(material.items(VALIDATION)))
    guessed = []
    if about["task"] != "le":
        guessed.append(sum(1 / rank for rank in range(1, n + 1)) / n)
    if about["task"] != "ir":
        guessed.append(float(np.bincount(material.cells).max() / len(material)))
    chance, score = sum(guessed) / len(guessed), about["history"][about["best_epoch"] - 1]["score"]
    return Rule(
        LEARNT_RULE,
        score > chance,
        f"validation {score:.3f}, guessing {chance:.3f}",
        {"score": score, "chance": chance, "validation_items": n},
        is_blocking=False,
    )


def guard_rule(report: dict[str, Any]) -> Rule:
    """Return the verdict on whether scores fall to chance when texts or images are shuffled."""
    guards = report["guards"]
    broken = [str(one["what"]) for one in guards["verdicts"] if not one["holds"]]
    unknown = [f"{model}: {one['reason']}" for model, one in guards["models"].items() if one["passed"] is None]
    n = len(guards["verdicts"])
    sentence = f"{n - len(broken)} of {n} scores fall to chance" + (f"; not: {', '.join(broken)}" if broken else "")
    return Rule(GUARD_RULE, not broken, "; ".join([sentence, *unknown]), {"scores": n}, is_blocking=False)


def model_metadata(finished: Any, history: list[dict[str, float | None]]) -> dict[str, Any]:
    """Return what is shown of a finished model."""
    from mlm_assets.ml.experiment import curves

    about = finished.about
    speeds = [speed for row in history if (speed := row.get("items_per_s"))]
    return {
        "model": dg.MetadataValue.path(str(finished.folder)),
        "weights_sha256": finished.weights_sha256,
        "recipe": about["recipe"]["name"],
        "encoders": f"{about['image_encoder']}, {about['text_encoder']}",
        "parameters": about["n_parameters"],
        "best_epoch": about["best_epoch"],
        "batch": about["batch"],
        "items_per_s": round(sum(speeds) / len(speeds), 1) if speeds else 0.0,
        **{name: value for name, value in finished.usage.items() if value is not None},
        **{name: picture(png, name) for name, png in curves(about["history"]).items()},
    }


def benchmark_metadata(stage: Stage, report: dict[str, Any], plots: dict[str, bytes]) -> dict[str, Any]:
    """Return what is shown of a benchmark: its tables beside the paper's, its plots, and where the JSON lies."""
    from mlm_assets.ml.evaluation.tables import markdown_tables
    from mlm_assets.ml.layout import benchmark_file

    file = benchmark_file(stage.settings.home, report["release"], report["variant"])
    return {
        "tables": dg.MetadataValue.md(markdown_tables(report)),
        "report": dg.MetadataValue.path(str(file)),
        **{name: picture(png, name) for name, png in plots.items()},
    }
