"""Batches: every item once an epoch, only its own views, negatives, labels, and the same again from the same seed."""

import dataclasses
from collections.abc import Iterable

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mlm_assets.ml.cells import unit_points
from mlm_assets.ml.material import TRAIN, Material, Ragged
from mlm_assets.ml.recipe import Recipe
from mlm_assets.ml.sampling import Batch, Rows, mean_class
from tests.unit.ml.trainings import CPU, numbered, sampler_of, small, world

pytestmark = pytest.mark.usefixtures("one_thread")


def owners_of(vectors: Ragged) -> np.ndarray:
    """Return which item has each row; in the made-up material no two items share an image or a text."""
    owner = np.full(len(vectors.matrix), -1)
    owner[vectors.rows] = np.repeat(np.arange(len(vectors.counts)), vectors.counts)
    return owner


@dataclasses.dataclass
class Seen:
    """What the batches of an epoch were made of, read from the numbered vectors."""

    items: list[int]
    """The settlement of each place of a batch, by its texts."""
    image_items: list[int]
    """The settlement that the image of each place belongs to."""
    texts: dict[int, list[int]]
    sizes: list[int]


def seen(material: Material, batches: Iterable[Batch]) -> Seen:
    image_owner, text_owner = owners_of(material.images), owners_of(material.texts)
    found = Seen([], [], {}, [])
    for batch in batches:
        texts = batch.texts[:, 0].int().numpy()
        owners = batch.targets.owners.numpy()
        items = np.full(len(batch.images), -1)
        items[owners] = text_owner[texts]
        np.testing.assert_array_equal(text_owner[texts], items[owners])  # the texts of a place are of one settlement
        for item, text in zip(items[owners], texts, strict=True):
            found.texts.setdefault(int(item), []).append(int(text))
        found.items += items.tolist()
        found.image_items += image_owner[batch.images[:, 0].int().numpy()].tolist()
        found.sizes.append(len(items))
    return found


def epoch(material: Material, recipe: Recipe, number: int = 0, batch: int = 16, seed: int = 1) -> Seen:
    return seen(material, sampler_of(material, recipe, seed).epoch(number, batch))


@pytest.mark.parametrize("name", ["paper", "demo"])
def test_every_training_item_comes_once_an_epoch(name: str) -> None:
    material = numbered(world(200))
    found = epoch(material, small(name))
    assert sorted(found.items) == material.items(TRAIN).tolist()
    assert found.items != sorted(found.items)
    assert found.sizes == [16] * 10


@pytest.mark.parametrize("k", [1, 2, 3, 4])
def test_each_place_has_up_to_so_many_different_texts_of_its_own(k: int) -> None:
    material = numbered(world(200))
    found = epoch(material, small("demo", views={"texts": k}))
    for item, texts in found.texts.items():
        own = material.texts.of(item).tolist()
        assert len(texts) == len(set(texts)) == min(k, len(own))
        assert set(texts) <= set(own)


def test_all_views_of_an_item_come_in_time() -> None:
    material = numbered(world(40))
    sampler = sampler_of(material, small("demo", views={"texts": 1}))
    images, texts = set(), set()
    for number in range(40):
        for batch in sampler.epoch(number, 16):
            images |= set(batch.images[:, 0].int().tolist())
            texts |= set(batch.texts[:, 0].int().tolist())
    for item in material.items(TRAIN):
        assert set(material.images.of(item)) <= images and set(material.texts.of(item)) <= texts


def test_without_negatives_every_image_is_the_settlements_own() -> None:
    material = numbered(world(200))
    for recipe in (small("demo"), small("paper", loss={"negatives": 0.0})):
        found = epoch(material, recipe)
        assert found.image_items == found.items


@pytest.mark.parametrize("share", [0.2, 0.5, 0.9])
def test_negatives_are_others_in_the_share_that_is_asked_for(share: float) -> None:
    material = numbered(world(900))
    recipe = small("paper", loss={"negatives": share})
    sampler = sampler_of(material, recipe)
    wrong, n = 0, 0
    for batch in sampler.epoch(3, 64):
        one = seen(material, [batch])
        differs = np.array(one.image_items) != np.array(one.items)
        # A pair is -1 exactly where the image is another's: a negative that drew itself would show here.
        np.testing.assert_array_equal(batch.targets.pairs.numpy() == -1, differs)
        assert set(one.image_items) <= set(material.items(TRAIN).tolist())
        wrong, n = wrong + int(differs.sum()), n + len(differs)
    assert abs(wrong / n - share) < 4 * np.sqrt(share * (1 - share) / n)


def test_the_smallest_set_has_negatives_too() -> None:
    material = numbered(world(80))
    two = dataclasses.replace(material, splits=np.where(np.arange(80) < 2, 0, 1).astype(np.int8))
    sampler = sampler_of(two, small("paper", loss={"negatives": 0.99}))
    found = seen(two, [batch for number in range(20) for batch in sampler.epoch(number, 16)])
    wrong = [image for image, item in zip(found.image_items, found.items, strict=True) if image != item]
    assert len(wrong) > 30 and set(found.image_items) == {0, 1}


@pytest.mark.parametrize("fault", [False, True])
def test_an_image_is_located_where_it_was_taken_unless_the_fault_is_on(fault: bool) -> None:
    material = numbered(world(300))
    points = unit_points(torch.from_numpy(material.lat_deg), torch.from_numpy(material.lon_deg))
    recipe = small("paper", faults={"negatives_reach_location": fault})
    n_told_apart = 0
    for batch in sampler_of(material, recipe).epoch(0, 32):
        found = seen(material, [batch])
        label_of = np.array(found.items if fault else found.image_items)
        np.testing.assert_array_equal(batch.targets.image_cells.numpy(), material.cells[label_of])
        assert torch.equal(batch.targets.image_points, points[label_of])
        own = np.array(found.items)[batch.targets.owners.numpy()]
        np.testing.assert_array_equal(batch.targets.text_cells.numpy(), material.cells[own])
        assert torch.equal(batch.targets.text_points, points[own])
        n_told_apart += int((material.cells[found.items] != material.cells[found.image_items]).sum())
    assert n_told_apart > 50


def tensors(batch: Batch) -> list[torch.Tensor]:
    return [batch.images, batch.texts, batch.classes[batch.class_index], *vars(batch.targets).values()]


def equal(one: list[Batch], other: list[Batch]) -> bool:
    return len(one) == len(other) and all(
        torch.equal(a, b)
        for left, right in zip(one, other, strict=True)
        for a, b in zip(tensors(left), tensors(right), strict=True)
    )


@pytest.mark.parametrize("name", ["paper", "demo"])
def test_the_same_seed_and_epoch_are_the_same_batches(name: str) -> None:
    material, recipe = world(), small(name)
    running = sampler_of(material, recipe)
    epochs = [list(running.epoch(number, 16)) for number in range(3)]
    fresh = list(sampler_of(material, recipe).epoch(2, 16))
    assert equal(epochs[2], fresh)
    assert not equal(epochs[1], fresh)
    assert not equal(list(sampler_of(material, recipe, seed=2).epoch(2, 16)), fresh)


def test_a_last_batch_of_one_is_left_out() -> None:
    material = numbered(world(80))
    sampler = sampler_of(material, small("demo"))
    sizes = {batch: seen(material, sampler.epoch(0, batch)).sizes for batch in (21, 31, 16, 100)}
    assert sizes == {21: [21, 21, 21], 31: [31, 31, 2], 16: [16] * 4, 100: [64]}
    assert {batch: sampler.n_batches(batch) for batch in sizes} == {batch: len(one) for batch, one in sizes.items()}


@given(st.integers(2, 4), st.integers(2, 40), st.sampled_from(["paper", "demo"]))
@settings(max_examples=20, deadline=None)
def test_processes_share_every_batch(n_processes: int, batch: int, name: str) -> None:
    material = numbered(world(80))
    sampler = sampler_of(material, small(name))
    parts = [list(sampler.epoch(1, batch, rank=rank, world=n_processes)) for rank in range(n_processes)]
    assert {len(part) for part in parts} == {sampler.n_batches(batch, n_processes)}
    items: list[int] = []
    for of_all in zip(*parts, strict=True):
        assert len({len(one.images) for one in of_all}) == 1
        items += [item for one in of_all for item in seen(material, [one]).items]
    assert len(items) == len(set(items)) > 64 - n_processes - 1
    assert set(items) <= set(material.items(TRAIN).tolist())


def test_classes_are_one_of_the_settlements_own_or_their_mean() -> None:
    material = world(80)
    classes = np.asarray(material.classes.matrix, np.float32)
    one = numbered(material)
    several = 0
    for batch in sampler_of(one, small("paper")).epoch(0, 16):
        places = np.array(seen(one, [batch]).items)[batch.targets.owners.numpy()]
        for row, item in zip(batch.classes[batch.class_index][:, 0].int().tolist(), places, strict=True):
            assert row in one.classes.of(item)
    for batch in sampler_of(one, small("demo", views={"class_dropout": 0.0})).epoch(0, 16):
        places = np.array(seen(one, [batch]).items)[batch.targets.owners.numpy()]
        for found, item in zip(batch.classes[batch.class_index].numpy(), places, strict=True):
            rows = material.classes.of(item)
            several += len(rows) > 1
            np.testing.assert_allclose(found[1:], classes[rows].mean(axis=0)[1:], rtol=1e-5, atol=1e-6)
    assert several > 10


@pytest.mark.parametrize("name", ["paper", "demo"])
def test_texts_without_class_are_given_the_mean_class(name: str) -> None:
    material = world(900)
    recipe = small(name, views={"class_dropout": 0.3})
    middle = mean_class(material)
    np.testing.assert_allclose(middle.numpy(), np.asarray(material.classes.matrix, np.float32).mean(axis=0), atol=1e-6)
    without = torch.cat(
        [(batch.classes[batch.class_index] == middle).all(dim=1) for batch in sampler_of(material, recipe).epoch(0, 64)]
    ).float()
    assert abs(float(without.mean()) - 0.3) < 4 * np.sqrt(0.21 / len(without))


def test_a_matrix_on_the_device_gives_the_same_rows_as_a_memory_map() -> None:
    vectors = world().images
    rows = np.array([5, 0, 5, 40])
    kept, mapped = (Rows(vectors, CPU.torch, is_resident).take(rows) for is_resident in (True, False))
    assert torch.equal(kept, mapped) and kept.dtype == torch.float32
    np.testing.assert_array_equal(kept.numpy(), np.asarray(vectors.matrix, np.float32)[rows])
