"""Studies of recipes: many trainings with several seeds, judged by the paper's protocol, side by side with intervals.

python -m benchmarks.studies OUT.json --home HOME [--places FILE] [--english FOLDER] [--seeds 5] [--only faults]

`HOME` is a home with features (`mlm run --to features`). Each training is one line of OUT.json's `runs`; a study that
is started again goes on with what is missing. Trainings run in two processes of one thread each.
"""

import argparse
import json
import multiprocessing
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from mlm_assets.ml.recipe import Recipe, load_recipe

FIGURES = ("medR_image_to_text", "medR_text_to_image", "R@10", "f1_image", "f1_text", "median_km_text")

WIDTH = 256
"""Embedding and hidden layers of all trials: a fifth of the time of the recipes' 1024."""


@dataclass(frozen=True)
class Trial:
    """One training: of which study, under which name, on which material, by which recipe and seed."""

    study: str
    name: str
    material: str
    recipe: dict[str, Any]
    seed: int
    figures: dict[str, float] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """What makes a trial the same one."""
        return f"{self.study}/{self.name}/{self.seed}"


def ablation(study: str, material: str, seeds: int) -> Iterator[Trial]:
    """Yield `paper`, `modern`, and `modern` without each of its choices."""
    modern, paper = load_recipe("modern"), load_recipe("paper")
    recipes = {"modern": modern, "paper, learning rate 1e-3": _faster(paper), "paper": paper}
    yield from _trials(study, material, recipes, seeds)
    without = {
        "modern, cosine embedding loss": modern.changed(loss={"retrieval": "cosine_embedding"}),
        "modern, one text a step": modern.changed(views={"texts": 1}),
        "modern, coarser cells too (levels 2, 4)": modern.changed(loss={"hierarchy": [2, 4]}),
        "modern, dropout 0.1": modern.changed(model={"dropout": 0.1}),
        "modern, batch 512": modern.changed(training={"batch": 512}),
        "modern, one right cell": modern.changed(loss={"label_km": 0.0}),
        "modern, equal task weights": modern.changed(loss={"task_weights": "equal"}),
        "modern, three-gate branches": modern.changed(model={"branches": "gated"}),
        "modern, no input norm": modern.changed(model={"input_norm": False}),
        "modern, one class, never dropped": modern.changed(views={"classes": "one", "class_dropout": 0.0}),
        "modern, Adam at a constant 1e-4": modern.changed(
            training={"optimiser": "adam", "schedule": "constant", "learning_rate": 1e-4, "weight_decay": 0.0}
        ),
    }
    yield from _trials(study, material, without, min(seeds, 3))


def faults(study: str, material: str, seeds: int, smallest: int) -> Iterator[Trial]:
    """Yield `paper`, `paper` with each fault alone, and with all of them; `smallest` is the size of its smallest cell.

    The published LIMIT of 1000 and T_min of 20 are scaled to the size of the material: 20 per class, its smallest cell;
    the learning rate is 1e-3 and the epochs are 40, for a thousand settlements give the optimiser few steps.
    """
    paper = _faster(load_recipe("paper")).changed(training={"epochs": 40})
    alone: dict[str, dict[str, Any]] = {
        "swapped_de_fr": {"swapped_de_fr": True},
        "limit_per_class (20)": {"limit_per_class": 20},
        f"cells_removed_at ({smallest})": {"cells_removed_at": smallest},
        "class_ids_as_answered": {"class_ids_as_answered": True},
        "unseeded_splits": {"unseeded_splits": True},
        "task_weights_frozen": {"task_weights_frozen": True},
        "negatives_reach_location": {"negatives_reach_location": True},
        "dot_product_unnormalised": {"dot_product_unnormalised": True},
        "recall_summed_over_languages": {"recall_summed_over_languages": True},
        "language_by_counter": {"language_by_counter": True},
    }
    variants = {"paper": paper} | {name: paper.changed(faults=fault) for name, fault in alone.items()}
    everything: dict[str, Any] = {}
    for fault in alone.values():
        everything |= fault
    variants["all of these"] = paper.changed(faults=everything)
    yield from _trials(study, material, variants, seeds)


def encoder_faults(study: str, home: Path, english: str, seeds: int) -> Iterator[Trial]:
    """Yield `paper` on texts as they are, cut after 500 characters, and read by an English encoder.

    The original's English BERT comes from a hub; `english` is an English model of the same kind in a folder.
    """
    paper = _faster(load_recipe("paper")).changed(training={"epochs": 40})
    faults: dict[str, dict[str, Any]] = {
        "paper": {},
        "first_characters (500)": {"first_characters": 500},
        "english_encoder (and 500 characters)": {"english_encoder": f"bert-english-500:{english}"},
    }
    for name, fault in faults.items():
        recipe = paper.changed(faults=fault)
        yield from _trials(study, str(_generated(home, recipe)), {name: recipe}, seeds)


def _faster(recipe: Recipe) -> Recipe:
    return recipe.changed(training={"learning_rate": 1e-3})


def _trials(study: str, material: str, variants: dict[str, Recipe], seeds: int) -> Iterator[Trial]:
    for name, recipe in variants.items():
        narrow = recipe.changed(model={"embedding": WIDTH, "hidden": WIDTH})
        for seed in range(1, seeds + 1):
            yield Trial(study, name, material, narrow.model_dump(mode="json"), seed)


def run_trial(trial: Trial) -> Trial:
    """Train and judge one trial on one thread."""
    import torch

    from mlm_assets.ml.device import choose_device
    from mlm_assets.ml.evaluation.location import located
    from mlm_assets.ml.evaluation.retrieval import protocol_retrieval
    from mlm_assets.ml.evaluation.views import protocol_views
    from mlm_assets.ml.faults import with_faults
    from mlm_assets.ml.inference import predict
    from mlm_assets.ml.material import TEST, open_material
    from mlm_assets.ml.recipe import parse_recipe
    from mlm_assets.ml.training import Plan, train

    torch.set_num_threads(1)
    began = time.monotonic()
    recipe, device = parse_recipe(trial.recipe, trial.name), choose_device("cpu", "float32")
    whole = open_material(Path(trial.material))
    trained = train(Plan(whole, recipe, "mtl", device, trial.seed))
    material = with_faults(whole, recipe.faults, trial.seed)
    said = predict(trained.model, material, material.items(TEST), recipe, device)
    views = protocol_views(material, said, by_counter=recipe.faults.language_by_counter)
    ones = np.ones((1, len(views.items)))
    ranks = {name: one.figures(ones) for name, one in protocol_retrieval(views, 1).items()}
    cells = {
        source: located(material, views.items, getattr(views, f"{source}_log_probs")).figures(ones)
        for source in ("image", "text")
    }
    factor = 3.0 if recipe.faults.recall_summed_over_languages else 1.0
    figures = {
        **{f"medR_{name}": float(one["medR"][0]) for name, one in ranks.items()},
        "R@10": factor * float(np.mean([one["R@10"][0] for one in ranks.values()])),
        **{f"f1_{source}": float(one["f1"][0]) for source, one in cells.items()},
        "median_km_text": float(cells["text"]["median_km"][0]),
        "test_items": float(len(views.items)),
        "seconds": time.monotonic() - began,
    }
    return Trial(**{**asdict(trial), "figures": figures})


def summarised(trials: list[Trial]) -> list[dict[str, Any]]:
    """Return per study and name the mean of each figure over seeds, with its 95 % interval (Student's t)."""
    from scipy.stats import t

    rows: list[dict[str, Any]] = []
    for study, name in dict.fromkeys((trial.study, trial.name) for trial in trials):
        mine = [trial.figures for trial in trials if (trial.study, trial.name) == (study, name)]
        row: dict[str, Any] = {"study": study, "name": name, "seeds": len(mine)}
        for figure in (*FIGURES, "test_items", "seconds"):
            values = np.array([figures[figure] for figures in mine])
            error = values.std(ddof=1) / len(values) ** 0.5 if len(values) > 1 else np.nan
            row[figure] = (round(float(values.mean()), 3), round(float(t.ppf(0.975, len(values) - 1) * error), 3))
        rows.append(row)
    return rows


def markdown(rows: list[dict[str, Any]]) -> str:
    """Return the rows as Markdown tables, one per study."""
    lines: list[str] = []
    for study in dict.fromkeys(row["study"] for row in rows):
        lines += [f"\n### {study}\n", "| recipe | " + " | ".join(FIGURES) + " |", "| --- |" + " ---: |" * len(FIGURES)]
        for row in (one for one in rows if one["study"] == study):
            cells = (f"{row[figure][0]:.2f} ± {row[figure][1]:.2f}" for figure in FIGURES)
            lines.append(f"| {row['name']} ({row['seeds']}) | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def run(trials: list[Trial], out: Path) -> None:
    """Run what is missing of `trials`, two at a time, and keep every result as soon as it is there."""
    done = [Trial(**one) for one in json.loads(out.read_text())["runs"]] if out.is_file() else []
    known = {trial.key for trial in done}
    missing = [trial for trial in trials if trial.key not in known]
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        for trial in pool.imap_unordered(run_trial, missing):
            done.append(trial)
            sys.stderr.write(f"{len(done)} of {len(known) + len(missing)}: {trial.key} {trial.figures}\n")
            said = {"summary": summarised(done), "runs": [asdict(one) for one in done]}
            out.write_text(json.dumps(said, indent=1), "utf-8")
    sys.stdout.write(markdown(summarised(done)) + "\n")


def main() -> None:
    """Parse the arguments, prepare the materials, run the studies."""
    from mlm_assets.ml.material import open_material, save_material

    parser = argparse.ArgumentParser(prog="python -m benchmarks.studies")
    parser.add_argument("out", type=Path)
    parser.add_argument("--home", type=Path, required=True, help="a home with features")
    parser.add_argument("--places", type=Path, help="the file of real places")
    parser.add_argument("--english", help="folder of an English model in the BERT family")
    parser.add_argument("--n-places", type=int, default=2500)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--only", nargs="*", default=["ablation", "faults", "places", "encoders"])
    arguments = parser.parse_args()
    material = _generated(arguments.home)
    trials: list[Trial] = []
    if "ablation" in arguments.only:
        trials += ablation("ablation on the generated world", str(material), arguments.seeds)
    if arguments.places and "places" in arguments.only:
        from benchmarks.real_places import places_material

        folder = arguments.out.with_suffix(".places")
        if not folder.exists():
            save_material(places_material(arguments.places, arguments.n_places), folder)
        paper, modern = load_recipe("paper"), load_recipe("modern")
        pairs = {"modern": modern, "paper, learning rate 1e-3": _faster(paper), "paper": paper}
        trials += _trials("real places: names in several languages", str(folder), pairs, arguments.seeds)
    if "faults" in arguments.only:
        opened = open_material(material)
        smallest = int(np.bincount(opened.cells, minlength=opened.n_cells).min())
        trials += faults("faults of the original, each alone", str(material), arguments.seeds, smallest)
    if arguments.english and "encoders" in arguments.only:
        study = "faults of the original in the encoder"
        trials += encoder_faults(study, arguments.home, arguments.english, arguments.seeds)
    run(trials, arguments.out)


def _generated(home: Path, recipe: Recipe | None = None) -> Path:
    from mlm_assets.resources.encoders import Encoders
    from mlm_assets.resources.lake import open_lake
    from mlm_assets.settings import load_settings, use_home

    use_home(home)
    settings = load_settings(home)
    lake = open_lake(settings)
    release = lake.accepted_all("mlm_irle")[-1].partition
    encoders = Encoders(settings, lake)
    chosen = encoders if recipe is None else encoders.for_recipe(recipe)
    return chosen.training_material(release, "mlm_irle")


if __name__ == "__main__":
    main()
