"""The network: gates against torch's LSTM, what each task gives, and that no parameter is dead."""

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from mlm_assets.ml.model import Irle, ThreeGates, n_parameters, shape_of
from mlm_assets.ml.recipe import TASKS, Recipe, Task, load_recipe, recipe_names
from tests.unit.ml.trainings import outputs_of, parts_of, small, world

pytestmark = pytest.mark.usefixtures("one_thread")
PAPER = {"image_dimension": 4096, "text_dimension": 3072, "class_dimension": 3072, "n_cells": 990}


@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 2**31))
@settings(max_examples=40, deadline=None)
def test_three_gates_are_an_lstm_of_length_one(inputs: int, outputs: int, seed: int) -> None:
    torch.manual_seed(seed)
    lstm = nn.LSTM(inputs, outputs, batch_first=True)
    x = torch.randn(7, inputs)
    with torch.no_grad():
        of_torch = lstm(x[:, None, :])[0][:, 0]
        ours = ThreeGates.of(lstm)(x)
    assert (of_torch - ours).abs().max() <= 1e-6
    assert of_torch.abs().max() > 0


def test_an_lstm_of_length_one_gives_no_gradient_to_what_the_gates_leave_out() -> None:
    torch.manual_seed(1)
    lstm, size = nn.LSTM(6, 4, batch_first=True), 4
    lstm(torch.randn(5, 1, 6))[0].square().sum().backward()
    assert not torch.as_tensor(lstm.weight_hh_l0.grad).any()
    assert not torch.as_tensor(lstm.weight_ih_l0.grad)[size : 2 * size].any()


def test_the_gates_save_a_third_of_the_parameters() -> None:
    def with_lstms(task: Task) -> tuple[int, int]:
        with torch.device("meta"):
            model = Irle(load_recipe("paper"), task, **PAPER)
            ours = n_parameters(model)
            for text_branch in (model.summary, model.classes):
                assert isinstance(text_branch[0], ThreeGates)
                text_branch[0] = nn.LSTM(3072, 1024)
            return ours, n_parameters(model)

    with torch.device("meta"):
        lstm, gates = n_parameters(nn.LSTM(3072, 1024)), n_parameters(ThreeGates(3072, 1024))
    assert (gates, lstm) == (9_440_256, 16_785_408)  # 43.8 % fewer in each branch
    assert with_lstms("mtl") == (30_387_166, 45_077_470)  # 32.6 % fewer in the whole
    assert with_lstms("ir") == (28_322_816, 43_013_120)  # 34.2 %


@pytest.mark.parametrize("name", recipe_names())
@pytest.mark.parametrize("task", TASKS)
def test_gradients_reach_every_parameter(name: str, task: Task) -> None:
    recipe = small(name, training={"batch": 64})
    model, objective, batch = parts_of(world(), recipe, task)
    objective(model(batch.images, batch.texts, batch.classes, batch.class_index), batch.targets).total.backward()
    parameters = dict([*model.named_parameters(), *objective.named_parameters()])
    frozen = {name for name, parameter in parameters.items() if not parameter.requires_grad}
    assert frozen == ({"log_variances"} if name == "as_published" and task == "mtl" else set())
    dead = [
        name
        for name, parameter in parameters.items()
        if parameter.requires_grad and (parameter.grad is None or not parameter.grad.any())
    ]
    assert dead == []
    contrastive = recipe.loss.retrieval == "contrastive"
    assert ("log_scale" in parameters) == (contrastive and task != "le")
    assert ("log_variances" in parameters) == (task == "mtl")
    assert any(name.startswith("location.") for name in parameters) == (task != "ir")


@pytest.mark.parametrize("task", TASKS)
def test_outputs_are_what_the_task_asks_for(task: Task) -> None:
    model, _, batch = parts_of(world(), small("demo"), task)
    outputs = model(batch.images, batch.texts, batch.classes, batch.class_index)
    n_texts = len(batch.texts)
    assert n_texts > 16, "two texts a settlement"
    shapes: dict[str, Any] = {
        "image_vectors": (16, 32), "text_vectors": (n_texts, 32), "image_logits": (16, 5), "text_logits": (n_texts, 5),
    }  # fmt: skip
    left_out = {"ir": ("image_logits", "text_logits"), "le": ("image_vectors", "text_vectors"), "mtl": ()}[task]
    for name, shape in shapes.items():
        said = getattr(outputs, name)
        assert said is None if name in left_out else tuple(said.shape) == shape


@pytest.mark.parametrize("name", ["paper", "demo"])
def test_vectors_have_unit_length_unless_the_fault_is_on(name: str) -> None:
    def lengths(recipe: Recipe) -> tuple[torch.Tensor, torch.Tensor]:
        model, _, batch = parts_of(world(), recipe, "mtl")
        outputs = model(batch.images, batch.texts, batch.classes, batch.class_index)
        return outputs.image_vectors.norm(dim=-1), outputs.text_vectors.norm(dim=-1)

    for found in lengths(small(name)):
        assert torch.allclose(found, torch.ones_like(found), atol=1e-5)
    image, text = lengths(small(name, faults={"dot_product_unnormalised": True}))
    assert torch.allclose(image, torch.ones_like(image), atol=1e-5)
    assert (text - 1).abs().min() > 1e-3


def test_location_head_is_shared_by_image_and_text() -> None:
    model, _, batch = parts_of(world(), small("paper"), "mtl")
    model.eval()
    assert model.location is not None
    outputs = model(batch.images, batch.texts, batch.classes, batch.class_index)
    assert torch.equal(outputs.image_logits, model.location(outputs.image_vectors))
    assert torch.equal(outputs.text_logits, model.location(outputs.text_vectors))


def test_a_material_decides_the_shape() -> None:
    assert shape_of(world()) == {"image_dimension": 24, "text_dimension": 16, "class_dimension": 16, "n_cells": 5}


@pytest.mark.parametrize("name", ["paper", "demo"])
def test_classes_that_texts_share_are_embedded_once_to_the_same_vectors(name: str) -> None:
    model, _, batch = parts_of(world(), small(name), "mtl")
    assert len(batch.classes) < len(batch.texts) or name == "demo"
    one_each = model.eval()(batch.images, batch.texts, batch.classes[batch.class_index])
    assert torch.allclose(outputs_of(model, batch).text_vectors, one_each.text_vectors, atol=1e-6)
