"""Losses against plain references: pair by pair, cell by cell."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from mlm_assets.ml.cells import EARTH_RADIUS_KM, CellGeometry, unit_points
from mlm_assets.ml.losses import LARGEST_SCALE, Objective, Targets, coarse_log_probs, contrastive_loss, soft_labels
from mlm_assets.ml.material import Material
from mlm_assets.ml.model import Outputs
from mlm_assets.ml.recipe import LossRecipe
from tests.unit.ml.trainings import CPU, parts_of, small, world

pytestmark = pytest.mark.usefixtures("one_thread")


def geometry(material: Material, *levels: int) -> CellGeometry:
    return CellGeometry(material, levels, CPU.torch)


def points_of(material: Material) -> Tensor:
    return unit_points(torch.from_numpy(material.lat_deg), torch.from_numpy(material.lon_deg))


def plain_contrastive(images: np.ndarray, texts: np.ndarray, owners: list[int], scale: float) -> float:
    """The same by two loops: each text among all images, each image-text pair among the texts of other images."""
    to_image, to_text = [], []
    for text, owner in zip(texts, owners, strict=True):
        of_images = [math.exp(scale * float(image @ text)) for image in images]
        to_image.append(-math.log(of_images[owner] / sum(of_images)))
        own = math.exp(scale * float(images[owner] @ text))
        others = sum(
            math.exp(scale * float(images[owner] @ other))
            for other, whose in zip(texts, owners, strict=True)
            if whose != owner
        )
        to_text.append(-math.log(own / (own + others)))
    return (sum(to_image) / len(owners) + sum(to_text) / len(owners)) / 2


@given(st.lists(st.integers(1, 3), min_size=2, max_size=6), st.floats(0.5, 20), st.integers(0, 2**31))
@settings(max_examples=40, deadline=None)
def test_contrastive_loss_equals_two_loops(texts_each: list[int], scale: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    owners = np.repeat(np.arange(len(texts_each)), texts_each)
    images, texts = rng.standard_normal((len(texts_each), 5)), rng.standard_normal((len(owners), 5))
    images /= np.linalg.norm(images, axis=1, keepdims=True)
    texts /= np.linalg.norm(texts, axis=1, keepdims=True)
    ours = contrastive_loss(
        torch.from_numpy(images), torch.from_numpy(texts), torch.from_numpy(owners), torch.tensor(scale)
    )
    assert float(ours) == pytest.approx(plain_contrastive(images, texts, owners.tolist(), scale), rel=1e-6, abs=1e-9)


def test_contrastive_loss_of_one_text_each_is_symmetric_cross_entropy() -> None:
    torch.manual_seed(1)
    images, texts, everyone = torch.randn(6, 4), torch.randn(6, 4), torch.arange(6)
    logits = 3.0 * images @ texts.T
    expected = (
        torch.nn.functional.cross_entropy(logits, everyone) + torch.nn.functional.cross_entropy(logits.T, everyone)
    ) / 2
    assert torch.allclose(contrastive_loss(images, texts, everyone, torch.tensor(3.0)), expected, rtol=1e-5)


def test_cosine_embedding_loss_pair_by_pair() -> None:
    recipe = small("paper")
    model, objective, batch = parts_of(world(), recipe, "ir")
    outputs = model(batch.images, batch.texts, batch.classes, batch.class_index)
    expected = []
    for image, text, pair in zip(outputs.image_vectors, outputs.text_vectors, batch.targets.pairs, strict=True):
        cosine = float((image @ text).detach())
        expected.append(1 - cosine if pair == 1 else max(0.0, cosine - 0.1))
    assert {float(pair) for pair in batch.targets.pairs} == {1.0, -1.0}
    assert float(objective(outputs, batch.targets).total.detach()) == pytest.approx(float(np.mean(expected)), rel=1e-5)


def test_location_loss_is_the_sum_of_image_and_text() -> None:
    model, objective, batch = parts_of(world(), small("paper"), "le")
    outputs = model(batch.images, batch.texts, batch.classes, batch.class_index)
    by_hand = 0.0
    for logits, cells in (
        (outputs.image_logits, batch.targets.image_cells),
        (outputs.text_logits, batch.targets.text_cells),
    ):
        probabilities = torch.softmax(logits.detach().double(), dim=-1)
        by_hand += -float(np.mean([math.log(probabilities[row, cell]) for row, cell in enumerate(cells)]))
    losses = objective(outputs, batch.targets)
    assert losses.retrieval is None
    assert float(losses.location.detach()) == float(losses.total.detach()) == pytest.approx(by_hand, rel=1e-5)


def test_hierarchical_loss_adds_the_mean_over_levels() -> None:
    material = world(n_cells=9)
    recipe = small("demo", loss={"label_km": 0.0, "hierarchy": [2, 4]})
    model, objective, batch = parts_of(material, recipe, "le")
    outputs = model(batch.images, batch.texts, batch.classes, batch.class_index)
    parents = geometry(material, 2, 4).parents
    expected = 0.0
    for logits, cells in (
        (outputs.image_logits, batch.targets.image_cells),
        (outputs.text_logits, batch.targets.text_cells),
    ):
        probabilities = torch.softmax(logits.detach().double(), dim=-1)
        for row, cell in enumerate(cells.tolist()):
            coarse = [float(probabilities[row, parent == parent[cell]].sum()) for parent in parents]
            expected -= (math.log(probabilities[row, cell]) + sum(map(math.log, coarse)) / 2) / len(cells)
    assert float(objective(outputs, batch.targets).total.detach()) == pytest.approx(expected, rel=1e-5)


def test_task_weights_follow_kendall() -> None:
    model, objective, batch = parts_of(world(), small("paper"), "mtl")
    with torch.no_grad():
        objective.log_variances.copy_(torch.tensor([0.4, -0.7]))
    losses = objective(model(batch.images, batch.texts, batch.classes, batch.class_index), batch.targets)
    retrieval, location = float(losses.retrieval.detach()), float(losses.location.detach())
    first = math.exp(-0.4) * retrieval / 2 + 0.4 / 2
    second = math.exp(0.7) * location - 0.7 / 2
    assert float(losses.total.detach()) == pytest.approx((first + second) / 2, rel=1e-5)
    assert objective.task_weights() == pytest.approx((math.exp(-0.4) / 2, math.exp(0.7)), rel=1e-5)


def test_equal_task_weights_are_the_plain_sum() -> None:
    model, objective, batch = parts_of(world(), small("paper", loss={"task_weights": "equal"}), "mtl")
    losses = objective(model(batch.images, batch.texts, batch.classes, batch.class_index), batch.targets)
    assert float(losses.total.detach()) == pytest.approx(
        float(losses.retrieval.detach()) + float(losses.location.detach()), rel=1e-6
    )
    assert objective.task_weights() is None


def test_soft_labels_sum_to_one_and_fall_off_with_distance() -> None:
    material = world(200, n_cells=12)
    cells_known = geometry(material)
    points = points_of(material)
    cells = torch.from_numpy(material.cells.astype(np.int64))
    labels = soft_labels(LossRecipe(label_km=800.0), cells_known, cells, points)
    assert torch.allclose(labels.sum(dim=1), torch.ones(200), atol=1e-5)
    distances = cells_known.distances_km(points)
    for row in range(200):
        order = [cell for cell in torch.argsort(distances[row]).tolist() if cell != int(cells[row])]
        masses = labels[row, order]
        assert (masses[:-1] >= masses[1:]).all()
        assert labels[row, cells[row]] >= 0.5
    # Of the half that is spread, two cells share as exp(-d / scale) says.
    rest = labels - 0.5 * torch.nn.functional.one_hot(cells, 12)
    gap = distances[:, 3] - distances[:, 7]
    near = gap.abs() < 4000
    assert near.any()
    assert torch.allclose((rest[:, 3] / rest[:, 7])[near], torch.exp(-gap / 800.0)[near], rtol=1e-2)


def test_labels_without_a_scale_are_one_hot() -> None:
    material = world()
    cells = torch.from_numpy(material.cells.astype(np.int64))
    labels = soft_labels(LossRecipe(), geometry(material), cells, points_of(material))
    assert torch.equal(labels.argmax(dim=1), cells) and torch.equal(labels.sum(dim=1), torch.ones(80))
    assert set(labels.unique().tolist()) == {0.0, 1.0}


def test_a_cell_without_items_takes_no_part_of_a_label() -> None:
    material = world(n_cells=6)
    material.cells[material.cells == 4] = 3
    labels = soft_labels(
        LossRecipe(label_km=100.0),
        geometry(material),
        torch.from_numpy(material.cells.astype(np.int64)),
        points_of(material),
    )
    assert labels[:, 4].max() < 1e-12


def test_distances_are_those_of_the_haversine() -> None:
    material = world(60)
    lat, lon = material.cell_centres()
    found = geometry(material).distances_km(points_of(material)).numpy()
    a, b = np.radians(material.lat_deg)[:, None], np.radians(lat)[None, :]
    east = np.radians(material.lon_deg)[:, None] - np.radians(lon)[None, :]
    half = np.sin((a - b) / 2) ** 2 + np.cos(a) * np.cos(b) * np.sin(east / 2) ** 2
    np.testing.assert_allclose(found, 2 * EARTH_RADIUS_KM * np.arcsin(np.sqrt(half)), atol=5, rtol=1e-3)


def test_coarse_log_probabilities_are_sums_of_those_below() -> None:
    torch.manual_seed(1)
    parents = torch.tensor([2, 0, 1, 0, 2, 2, 3])
    logs = torch.log_softmax(5 * torch.randn(50, 7), dim=-1)
    coarse = coarse_log_probs(logs, parents, 4)
    assert tuple(coarse.shape) == (50, 4)
    assert torch.allclose(coarse.exp().sum(dim=1), torch.ones(50), atol=1e-5)
    for number in range(4):
        direct = logs.double().exp()[:, parents == number].sum(dim=1)
        assert torch.allclose(coarse[:, number].exp().double(), direct, atol=1e-6)


def test_coarse_log_probabilities_stay_finite() -> None:
    logs = torch.log_softmax(torch.tensor([[0.0, -500.0, -500.0]]), dim=-1).requires_grad_()
    coarse = coarse_log_probs(logs, torch.tensor([0, 1, 1]), 2)
    assert torch.isfinite(coarse).all() and float(coarse[0, 0].detach()) == 0.0
    coarse.sum().backward()
    assert logs.grad is not None and torch.isfinite(logs.grad).all()


def test_coarse_cells_are_those_that_s2_puts_above() -> None:
    material = world(200, n_cells=30)
    cells = geometry(material, 2, 6)
    coarse, fine = cells.parents
    assert cells.n_coarse == [len(coarse.unique()), len(fine.unique())]
    assert 1 < len(coarse.unique()) < len(fine.unique())
    for number in fine.unique():
        assert len(coarse[fine == number].unique()) == 1, "a cell of level 6 lies in one of level 2"
    import s2sphere

    lat, lon = material.cell_centres()
    ids = [
        s2sphere.CellId.from_lat_lng(s2sphere.LatLng.from_degrees(a, b)).parent(2)
        for a, b in zip(lat, lon, strict=True)
    ]
    same = np.array([[one == other for one in ids] for other in ids])
    assert np.array_equal(same, (coarse[:, None] == coarse[None, :]).numpy())


@pytest.mark.parametrize("name", ["paper", "modern"])
def test_losses_are_float32_in_a_context_of_bf16(name: str) -> None:
    model, objective, batch = parts_of(world(n_cells=9), small(name), "mtl")
    outputs = model(batch.images, batch.texts, batch.classes, batch.class_index)
    plain = objective(outputs, batch.targets)
    with torch.autocast("cpu", torch.bfloat16):
        cast = objective(outputs, batch.targets)
    assert torch.equal(plain.total, cast.total) and cast.total.dtype == torch.float32


def test_a_temperature_at_its_bound_can_still_move() -> None:
    material = world()
    model, objective, batch = parts_of(material, small("demo", loss={"temperature": 1e-4}), "ir")
    assert math.exp(objective.log_scale.detach()) == pytest.approx(LARGEST_SCALE, rel=1e-5)
    objective(model(batch.images, batch.texts, batch.classes, batch.class_index), batch.targets).total.backward()
    assert objective.log_scale.grad is not None and float(objective.log_scale.grad) != 0
    with torch.no_grad():
        objective.log_scale.add_(1.0)
    objective.keep_in_bounds()
    assert math.exp(objective.log_scale.detach()) == pytest.approx(LARGEST_SCALE, rel=1e-5)


def test_perfect_vectors_cost_nothing() -> None:
    material = world()
    unit = torch.eye(8)
    owners = torch.arange(8)
    targets = Targets(torch.ones(8), owners, owners, torch.zeros(8, 3), torch.zeros(8, 3), owners)
    outputs = Outputs(unit, unit, None, None)
    paper = Objective(small("paper"), "ir", geometry(material))
    assert float(paper(outputs, targets).total) == pytest.approx(0.0, abs=1e-6)
    sharp = Objective(small("demo", loss={"temperature": 0.02}), "ir", geometry(material))
    assert float(sharp(outputs, targets).total.detach()) == pytest.approx(0.0, abs=1e-6)
