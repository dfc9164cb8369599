"""The faults of the published pipeline: each does to the material what it says, and nothing else."""

import dataclasses
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from mlm_assets.errors import Refused
from mlm_assets.ml.faults import with_faults
from mlm_assets.ml.material import TEST, TRAIN, VALIDATION, Material, digest, ragged
from mlm_assets.ml.recipe import Faults, load_recipe
from tests.unit.ml.trainings import world

FIELDS = [field.name for field in dataclasses.fields(Material)]


def assert_unchanged_but(one: Material, other: Material, *changed: str) -> None:
    for name in FIELDS:
        if name in changed:
            continue
        a, b = getattr(one, name), getattr(other, name)
        if isinstance(a, np.ndarray):
            np.testing.assert_array_equal(a, b, err_msg=name)
        else:
            assert a == b or a is b, name


def test_without_a_fault_the_material_is_the_same_one() -> None:
    material = world()
    assert with_faults(material, Faults(), 1) is material
    assert with_faults(material, load_recipe("paper").faults, 1) is material


def test_faults_of_training_and_evaluation_leave_the_material_alone() -> None:
    material = world()
    elsewhere = Faults(
        task_weights_frozen=True, negatives_reach_location=True, dot_product_unnormalised=True, first_characters=500,
        recall_summed_over_languages=True, language_by_counter=True, english_encoder="bert-english-500",
    )  # fmt: skip
    assert with_faults(material, elsewhere, 1) is material


def test_german_and_french_change_places() -> None:
    material = world()
    swapped = with_faults(material, Faults(swapped_de_fr=True), 1)
    assert_unchanged_but(material, swapped, "text_langs")
    before = [material.languages[lang] for lang in material.text_langs]
    other = {"en": "en", "de": "fr", "fr": "de"}
    assert [swapped.languages[lang] for lang in swapped.text_langs] == [other[lang] for lang in before]
    assert swapped.text_langs.dtype == material.text_langs.dtype
    twice = with_faults(swapped, Faults(swapped_de_fr=True), 1)
    assert_unchanged_but(material, twice)


def test_languages_without_german_or_french_stay() -> None:
    material = dataclasses.replace(world(), languages=("en", "de", "it"))
    assert_unchanged_but(material, with_faults(material, Faults(swapped_de_fr=True), 1))


@given(st.lists(st.sets(st.integers(0, 4), min_size=1), min_size=3, max_size=25), st.integers(1, 6))
@settings(max_examples=50, deadline=None)
def test_a_limit_per_class_keeps_the_first_of_each_class(classes_of: list[set[int]], limit: int) -> None:
    n = len(classes_of)
    base = world(80).subset(np.arange(n))
    lists = ragged(base.classes.matrix[:5].repeat(3, axis=0)[:5], [sorted(one) for one in classes_of], list("abcde"))
    material = dataclasses.replace(
        base, classes=lists, splits=np.full(n, TRAIN, np.int8), cells=np.arange(n, dtype=np.int32) % 5
    )
    kept, seen = set(), dict.fromkeys(range(5), 0)
    for item, own in enumerate(classes_of):
        for one in own:
            if seen[one] < limit:
                kept.add(item)
            seen[one] += 1
    # Splits are set so that the guard at the end has nothing to say of them.
    first = sorted(kept)
    material.splits[first[: len(first) // 3]] = TEST
    material.splits[first[len(first) // 3 : 2 * (len(first) // 3)]] = VALIDATION
    assume(len(first) >= 6)
    limited = with_faults(material, Faults(limit_per_class=limit), 1)
    assert limited.qids.tolist() == [f"Q{item + 1}" for item in first]
    assert_unchanged_but(material.subset(np.array(first)), limited, "images", "texts", "classes")
    for name in ("images", "texts", "classes"):
        for place, item in enumerate(first):
            np.testing.assert_array_equal(getattr(limited, name).of(place), getattr(material, name).of(item))


def test_cells_up_to_a_size_are_gone_with_their_items() -> None:
    material = world(200, n_cells=8)
    sizes = np.bincount(material.cells, minlength=8)
    at = int(np.sort(sizes)[3])
    kept = [cell for cell in range(8) if sizes[cell] > at]
    assert 2 <= len(kept) <= 4
    rest = with_faults(material, Faults(cells_removed_at=at), 1)
    assert rest.cell_tokens == tuple(f"cell-{cell}" for cell in kept)
    items = np.flatnonzero(np.isin(material.cells, kept))
    assert rest.qids.tolist() == material.qids[items].tolist()
    assert [rest.cell_tokens[cell] for cell in rest.cells] == [f"cell-{cell}" for cell in material.cells[items]]
    assert_unchanged_but(material.subset(items), rest, "cells", "cell_tokens", "images", "texts", "classes")
    # A cell of just that size is gone, one that is larger by one is not: `<=`, not `<`.
    assert at not in np.bincount(rest.cells)
    assert int(np.bincount(rest.cells).min()) == int(sizes[sizes > at].min())


def test_cells_are_numbered_in_another_order_by_every_seed() -> None:
    material = world(200, n_cells=8)
    faults = Faults(class_ids_as_answered=True)
    numbered = {seed: with_faults(material, faults, seed) for seed in (1, 2)}
    for one in numbered.values():
        assert_unchanged_but(material, one, "cells", "cell_tokens")
        assert sorted(one.cell_tokens) == sorted(material.cell_tokens) and one.cell_tokens != material.cell_tokens
        names = [material.cell_tokens[cell] for cell in material.cells]
        assert [one.cell_tokens[cell] for cell in one.cells] == names
        assert one.cells.dtype == material.cells.dtype
    assert numbered[1].cell_tokens != numbered[2].cell_tokens
    assert digest(with_faults(material, faults, 1)) == digest(numbered[1])


def test_splits_are_drawn_anew_by_every_seed() -> None:
    material = world(200)
    faults = Faults(unseeded_splits=True)
    drawn = {seed: with_faults(material, faults, seed) for seed in (1, 2)}
    for one in drawn.values():
        assert_unchanged_but(material, one, "splits")
        assert np.bincount(one.splits).tolist() == [160, 20, 20]
        assert one.splits.dtype == material.splits.dtype
    assert not np.array_equal(drawn[1].splits, drawn[2].splits)
    assert not np.array_equal(drawn[1].splits, material.splits)
    assert np.array_equal(with_faults(material, faults, 1).splits, drawn[1].splits)


@pytest.mark.parametrize(
    ("faults", "why"),
    [
        ({"cells_removed_at": 500}, r"mlm_irle has 0 geo-cell\(s\)"),
        ({"limit_per_class": 1, "unseeded_splits": True}, "mlm_irle has no validation items"),
    ],
)
def test_faults_that_leave_nothing_are_refused(faults: dict[str, Any], why: str) -> None:
    with pytest.raises(Refused, match=f"The recipe's faults leave nothing to train on: {why}"):
        with_faults(world(), Faults(**faults), 1)


def test_all_faults_of_the_published_pipeline_together() -> None:
    material = world(400)
    published = with_faults(material, load_recipe("as_published").faults, 1)
    assert len(published) == 400 and published.n_cells == 5, "cells of more than 20, classes of fewer than 1000"
    assert not np.array_equal(published.splits, material.splits)
    assert published.cell_tokens != material.cell_tokens
    assert not np.array_equal(published.text_langs, material.text_langs)
