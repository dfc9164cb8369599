"""What a trained model says of a gallery: order, shapes, lengths; and which materials it may be used on."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from mlm_assets.errors import Refused
from mlm_assets.ml.device import Device
from mlm_assets.ml.distributed import save_trained
from mlm_assets.ml.inference import Trained, check_fits, load_trained, predict
from mlm_assets.ml.material import TEST, Material
from mlm_assets.ml.predictions import Predictions
from mlm_assets.ml.recipe import TASKS, Recipe, Task
from mlm_assets.ml.training import Plan, train
from mlm_assets.ml.validation import validation_figures
from tests.unit.ml.trainings import CPU, parts_of, same_weights, small, world

pytestmark = pytest.mark.usefixtures("one_thread")
SAID = ("image_vectors", "image_log_probs", "text_vectors", "text_log_probs")


def said_by(material: Material, items: np.ndarray, recipe: Recipe, task: Task = "mtl") -> Predictions:
    model, _, _ = parts_of(material, recipe, task)
    return predict(model, material, items, recipe, CPU)


@pytest.mark.parametrize("name", ["paper", "demo"])
def test_views_come_in_the_order_of_the_items(name: str) -> None:
    material, recipe, items = world(), small(name), np.array([40, 3, 77, 12])
    model, _, _ = parts_of(material, recipe, "mtl")
    found = predict(model, material, items, recipe, CPU)
    assert found.items.tolist() == [40, 3, 77, 12]
    assert found.image_items.tolist() == [p for p, item in enumerate(items) for _ in material.images.of(item)]
    assert found.text_items.tolist() == [p for p, item in enumerate(items) for _ in material.texts.of(item)]
    langs = [material.text_langs[slice(*material.texts.offsets[[item, item + 1]])].tolist() for item in items]
    assert found.text_langs.tolist() == [lang for one in langs for lang in one]
    model.eval()
    with torch.no_grad():
        for place, item in enumerate(items):
            images = torch.from_numpy(np.asarray(material.images.matrix[material.images.of(item)], np.float32))
            texts = torch.from_numpy(np.asarray(material.texts.matrix[material.texts.of(item)], np.float32))
            own = np.asarray(material.classes.matrix[material.classes.of(item)], np.float32)
            classes = torch.from_numpy(own[0] if name == "paper" else own.mean(axis=0)).expand(len(texts), -1)
            image_vectors, text_vectors = model.embed_images(images), model.embed_texts(texts, classes)
            assert model.location is not None
            for expected, got in (
                (image_vectors, found.image_vectors[found.image_items == place]),
                (text_vectors, found.text_vectors[found.text_items == place]),
                (
                    torch.log_softmax(model.location(image_vectors), -1),
                    found.image_log_probs[found.image_items == place],
                ),
                (torch.log_softmax(model.location(text_vectors), -1), found.text_log_probs[found.text_items == place]),
            ):
                np.testing.assert_allclose(got, expected.numpy(), atol=1e-5)


@pytest.mark.parametrize("task", TASKS)
def test_a_task_says_what_it_can(task: Task) -> None:
    material = world()
    items = material.items(TEST)
    found = said_by(material, items, small("demo"), task)
    n_images, n_texts = int(material.images.counts[items].sum()), int(material.texts.counts[items].sum())
    shapes = {"image_vectors": (n_images, 32), "image_log_probs": (n_images, 5)} | {
        "text_vectors": (n_texts, 32), "text_log_probs": (n_texts, 5),
    }  # fmt: skip
    missing = {"ir": "log_probs", "le": "vectors", "mtl": "nothing"}[task]
    for name in SAID:
        one = getattr(found, name)
        if name.endswith(missing):
            assert one is None
        else:
            assert one.shape == shapes[name] and one.dtype == np.float32
    if task != "ir":
        for name in ("image_log_probs", "text_log_probs"):
            np.testing.assert_allclose(np.exp(getattr(found, name)).sum(axis=1), 1, atol=1e-5)


def test_vectors_have_unit_length_unless_the_fault_is_on() -> None:
    material = world()
    items = material.items(TEST)
    sound = said_by(material, items, small("paper"))
    for name in ("image_vectors", "text_vectors"):
        np.testing.assert_allclose(np.linalg.norm(getattr(sound, name), axis=1), 1, atol=1e-5)
    faulty = said_by(material, items, small("paper", faults={"dot_product_unnormalised": True}))
    np.testing.assert_allclose(np.linalg.norm(faulty.image_vectors, axis=1), 1, atol=1e-5)
    assert np.abs(np.linalg.norm(faulty.text_vectors, axis=1) - 1).min() > 1e-3


@pytest.mark.parametrize("name", ["paper", "demo"])
def test_what_is_said_of_an_item_does_not_depend_on_the_others(name: str) -> None:
    # More views than are looked at at once, so that the gallery is cut in the middle of an item.
    material, recipe = world(2100), small(name)
    model, _, _ = parts_of(material, recipe, "mtl")
    whole = predict(model, material, np.arange(2100), recipe, CPU)
    assert len(whole.image_items) > 2048 and len(whole.text_items) > 2048
    rng = np.random.default_rng(1)
    for item in [0, 2099, *rng.integers(0, 2100, 20)]:
        alone = predict(model, material, np.array([item]), recipe, CPU)
        for said in SAID:
            owner = whole.image_items if said.startswith("image") else whole.text_items
            np.testing.assert_allclose(getattr(alone, said), getattr(whole, said)[owner == item], atol=1e-5)


def test_dropout_is_off() -> None:
    material, recipe = world(), small("demo", model={"dropout": 0.5})
    model, _, _ = parts_of(material, recipe, "mtl")
    model.train()
    one, other = (predict(model, material, material.items(TEST), recipe, CPU) for _ in range(2))
    for name in SAID:
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


def test_predictions_in_bf16_are_float32_of_unit_length() -> None:
    material, recipe = world(), small("demo")
    model, _, _ = parts_of(material, recipe, "mtl")
    found = predict(model, material, material.items(TEST), recipe, Device("cpu", "bf16"))
    exact = predict(model, material, material.items(TEST), recipe, CPU)
    np.testing.assert_allclose(np.linalg.norm(found.text_vectors, axis=1), 1, atol=1e-4)
    for name in SAID:
        assert getattr(found, name).dtype == np.float32
        np.testing.assert_allclose(getattr(found, name), getattr(exact, name), atol=0.1)


@pytest.fixture(scope="module")
def trained() -> Trained:
    return train(Plan(world(), small("demo", training={"epochs": 2}), "mtl", CPU, seed=3))


def test_a_model_comes_back_from_its_file(tmp_path: Path, trained: Trained) -> None:
    save_trained(trained, tmp_path / "model.safetensors")
    found = load_trained(tmp_path / "model.safetensors")
    assert same_weights(found.model, trained.model) and not found.model.training
    assert found.about == trained.about
    assert found.recipe == small("demo", training={"epochs": 2})
    assert (found.about["task"], found.about["seed"], found.about["variant"]) == ("mtl", 3, "mlm_irle")
    check_fits(found, world())
    check_fits(found, world(30, seed=9))


def material_of(**more: Any) -> Material:
    return dataclasses.replace(world(), **more)


@pytest.mark.parametrize("modality", ["image", "text"])
def test_features_of_another_encoder_are_refused(trained: Trained, modality: str) -> None:
    of = {"image": "synthetic-24", "text": "synthetic-16"}[modality]
    with pytest.raises(Refused) as refused:
        check_fits(trained, material_of(**{f"{modality}_encoder": "clip-7"}))
    assert f"The model was trained on {modality} features of {of}, these are of clip-7. Train it again" in str(
        refused.value
    )


def test_features_of_another_dimension_are_refused(trained: Trained) -> None:
    other = dataclasses.replace(
        world(image_dimension=25, text_dimension=17), image_encoder="synthetic-24", text_encoder="synthetic-16"
    )
    with pytest.raises(Refused) as refused:
        check_fits(trained, other)
    assert str(refused.value) == (
        "The model does not fit the features: image_dimension 24 and 25, text_dimension 16 and 17, "
        "class_dimension 16 and 17. Train it again on this release."
    )


def test_other_cells_are_refused(trained: Trained) -> None:
    with pytest.raises(Refused, match="does not fit the features: n_cells 5 and 6"):
        check_fits(trained, world(n_cells=6))
    turned = material_of(cell_tokens=tuple(reversed(world().cell_tokens)))
    with pytest.raises(Refused, match="The model was trained on other geo-cells than this release has"):
        check_fits(trained, turned)
    retrieval = dataclasses.replace(trained, about={**trained.about, "task": "ir"})
    check_fits(retrieval, turned)


def perfect(n: int) -> Predictions:
    unit, hot = np.eye(n, dtype=np.float32), np.log(np.eye(n, 5, dtype=np.float32) + 1e-6)
    twice = np.repeat(np.arange(n), 2)
    return Predictions(np.arange(n), twice, unit[twice], hot[twice], np.arange(n), np.zeros(n, int), unit, hot)


def test_validation_figures_of_perfect_and_of_useless_predictions() -> None:
    material = material_of(cells=np.arange(80, dtype=np.int32) % 5)
    best = validation_figures(material, perfect(5))
    assert best == {
        "median_rank_image_to_text": 1.0, "median_rank_text_to_image": 1.0,
        "located_image": 1.0, "located_text": 1.0, "score": 1.0,
    }  # fmt: skip
    for value in (1.0, np.nan):
        same = np.full((10, 5), value, np.float32)
        worst = validation_figures(
            material, dataclasses.replace(perfect(5), image_vectors=same, text_vectors=same[:5], image_log_probs=None)
        )
        assert worst["median_rank_image_to_text"] == worst["median_rank_text_to_image"] == 5.0
        assert worst["score"] == pytest.approx(0.2)
        assert "located_image" not in worst


def test_validation_ranks_by_hand() -> None:
    material = world()
    images = np.array([[1, 0], [0, 1], [0.8, 0.6]], np.float32)
    texts = np.array([[0.6, 0.8], [0, 1], [1, 0]], np.float32)
    one = np.arange(3)
    said = Predictions(one, one, images, None, one, one * 0, texts, None)
    # Images against texts: 0.6 is second to 1.0; 1.0 is first; 0.8 is second to 0.96.
    figures = validation_figures(material, said)
    assert figures["median_rank_image_to_text"] == 2.0
    # Texts against images: 0.6 is third; 1.0 is first; 0.8 is second to 1.0.
    assert figures["median_rank_text_to_image"] == 2.0
    assert figures["score"] == pytest.approx(((1 / 2 + 1 + 1 / 2) / 3 + (1 / 3 + 1 + 1 / 2) / 3) / 2)
