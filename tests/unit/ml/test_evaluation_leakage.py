"""What splits share, splits by place, and groups of items."""

from dataclasses import replace

import numpy as np
import pytest
from evaluation_worlds import honest, world
from hypothesis import given, settings
from hypothesis import strategies as st

from mlm_assets.errors import Refused
from mlm_assets.geo.locate import locate
from mlm_assets.ml.evaluation import neighbours
from mlm_assets.ml.evaluation.breakdown import broken_down, groups
from mlm_assets.ml.evaluation.leakage import KINDS, find_leaks, leak_report
from mlm_assets.ml.evaluation.location import located
from mlm_assets.ml.evaluation.neighbours import nearest_above
from mlm_assets.ml.evaluation.retrieval import full_retrieval
from mlm_assets.ml.evaluation.splits import blocked_split, blocks
from mlm_assets.ml.evaluation.views import protocol_views, unit
from mlm_assets.ml.material import SPLITS, TEST, TRAIN, VALIDATION, ragged
from mlm_assets.ml.synthetic import synthetic_material


def clean_material():
    """Material of 300 settlements without leaks: features at random, places far apart."""
    material = synthetic_material(300, noise=1.0, n_cells=6, image_dimension=256, text_dimension=300, seed=4)
    lat, lon = np.meshgrid(np.linspace(-60, 60, 15), np.linspace(-170, 170, 20))
    return replace(material, lat_deg=lat.ravel(), lon_deg=lon.ravel())


def with_row(vectors, row, value):
    matrix = np.asarray(vectors.matrix).copy()
    matrix[row] = value
    return replace(vectors, matrix=matrix)


def leaking(leaks):
    return {kind: set(leaks.items[leaks.other[kind] >= 0].tolist()) for kind in KINDS}


class TestLeaks:
    def test_none_are_found_where_there_are_none(self):
        material = clean_material()
        found = leaking(find_leaks(material, material.items(TEST)))
        assert found == {kind: set() for kind in KINDS}

    def test_a_shared_image_is_found_by_its_key(self):
        material = clean_material()
        test, train = int(material.items(TEST)[3]), int(material.items(TRAIN)[7])
        rows = material.images.rows.copy()
        rows[material.images.offsets[test]] = material.images.of(train)[0]
        material = replace(material, images=replace(material.images, rows=rows))
        leaks = find_leaks(material, material.items(TEST))
        assert leaking(leaks) == {**{kind: set() for kind in KINDS}, "shared_images": {test}, "near_images": {test}}
        (example,) = leak_report(material, leaks)["shared_images"]["examples"]
        assert example == {
            "qid": str(material.qids[test]),
            "other_qid": str(material.qids[train]),
            "other_split": "train",
            "key": str(material.images.keys[material.images.of(train)[0]]),
        }

    def test_a_shared_text_is_found_though_it_is_stored_twice(self):
        material = clean_material()
        test, seen = int(material.items(TEST)[5]), int(material.items(VALIDATION)[2])
        keys = material.texts.keys.copy()
        keys[material.texts.of(test)[0]] = keys[material.texts.of(seen)[0]]
        material = replace(material, texts=replace(material.texts, keys=keys))
        leaks = find_leaks(material, material.items(TEST))
        assert leaking(leaks) == {**{kind: set() for kind in KINDS}, "shared_texts": {test}}
        report = leak_report(material, leaks)
        assert report["shared_texts"]["with"] == {"train": 0, "validation": 1}
        assert report["leaking_items"] == 1

    @pytest.mark.parametrize("name", ["images", "texts"])
    def test_a_near_duplicate_is_found_and_a_less_near_one_is_not(self, name):
        material = clean_material()
        vectors = getattr(material, name)
        tests, train = material.items(TEST), int(material.items(TRAIN)[11])
        own = unit(np.asarray(vectors.matrix[vectors.of(train)[-1:]], np.float32))[0]
        rng = np.random.default_rng(1)
        aside = rng.standard_normal(len(own))
        aside = aside - own * (aside @ own)
        aside /= np.linalg.norm(aside)
        for test, cosine in ((tests[2], 0.985), (tests[4], 0.975)):
            vectors = with_row(vectors, vectors.of(int(test))[0], 3 * (cosine * own + np.sqrt(1 - cosine**2) * aside))
        material = replace(material, **{name: vectors})
        leaks = find_leaks(material, tests)
        assert leaking(leaks) == {**{kind: set() for kind in KINDS}, f"near_{name}": {int(tests[2])}}
        (example,) = leak_report(material, leaks)[f"near_{name}"]["examples"]
        assert example["cosine"] == pytest.approx(0.985, abs=2e-3)
        assert example["other_qid"] == str(material.qids[train])

    def test_a_settlement_next_door_is_found(self):
        material = clean_material()
        tests, train = material.items(TEST), int(material.items(TRAIN)[20])
        lat, lon = material.lat_deg.copy(), material.lon_deg.copy()
        for test, km in ((tests[1], 0.9), (tests[8], 1.1)):
            lat[test], lon[test] = lat[train] + km / 111.195, lon[train]
        leaks = find_leaks(replace(material, lat_deg=lat, lon_deg=lon), tests)
        assert leaking(leaks) == {**{kind: set() for kind in KINDS}, "near_places": {int(tests[1])}}
        assert leaks.evidence["near_places"][1] == pytest.approx(0.9, abs=0.01)

    def test_what_test_items_share_among_themselves_is_no_leak(self):
        material = clean_material()
        one, other = (int(item) for item in material.items(TEST)[:2])
        rows = material.images.rows.copy()
        rows[material.images.offsets[one]] = material.images.of(other)[0]
        material = replace(material, images=replace(material.images, rows=rows))
        assert not find_leaks(material, material.items(TEST)).is_leaking.any()

    def test_without_training_items_nothing_leaks(self):
        material = clean_material()
        material = material.subset(material.items(TEST))
        assert not find_leaks(material, np.arange(len(material))).is_leaking.any()


class TestNeighbours:
    @given(st.integers(0, 10_000), st.integers(1, 60), st.integers(1, 60), st.sampled_from([3, 140, 200]))
    @settings(max_examples=60, deadline=None)
    def test_none_is_missed_and_none_invented(self, seed, n, m, dimension):
        rng = np.random.default_rng(seed)
        others = rng.standard_normal((m, dimension))
        vectors = others[rng.integers(0, m, n)] + rng.uniform(0, 0.5, (n, 1)) * rng.standard_normal((n, dimension))
        found = nearest_above(vectors.astype(np.float16), others.astype(np.float16), 0.95)
        cosines = unit(vectors.astype(np.float16)) @ unit(others.astype(np.float16)).T
        best = cosines.max(axis=1)
        clear = np.abs(best - 0.95) > 1e-5
        np.testing.assert_array_equal((found.other >= 0)[clear], (best > 0.95)[clear])
        near = np.flatnonzero(found.other >= 0)
        np.testing.assert_allclose(cosines[near, found.other[near]], best[near], atol=1e-5)
        np.testing.assert_allclose(found.cosine[near], best[near], atol=1e-5)

    def test_blocks_and_both_ways_of_computing_agree(self, monkeypatch):
        rng = np.random.default_rng(2)
        others = rng.standard_normal((500, 150)).astype(np.float16)
        vectors = (others[rng.integers(0, 500, 300)] + 0.2 * rng.standard_normal((300, 150))).astype(np.float16)
        whole = nearest_above(vectors, others, 0.97)
        assert 0 < (whole.other >= 0).sum() < 300
        for rows, columns, many in ((7, 11, 1.0), (64, 33, 0.0)):
            monkeypatch.setattr(neighbours, "_ROWS", rows)
            monkeypatch.setattr(neighbours, "_COLUMNS", columns)
            monkeypatch.setattr(neighbours, "_MANY", many)
            np.testing.assert_array_equal(nearest_above(vectors, others, 0.97).other, whole.other)

    def test_noughts_are_near_nothing(self):
        assert (nearest_above(np.zeros((3, 4)), np.zeros((2, 4)), 0.98).other == -1).all()


class TestBlockedSplit:
    @given(st.integers(0, 1000), st.integers(2, 8))
    @settings(max_examples=25, deadline=None)
    def test_no_block_is_in_two_splits(self, seed, level):
        material = synthetic_material(400, n_cells=30, image_dimension=2, text_dimension=2)
        split = blocked_split(material, level, seed)
        tokens, block_of = blocks(split, level)
        for block in range(len(tokens)):
            assert len(np.unique(split.splits[block_of == block])) == 1
        assert {len(split.items(number)) > 0 for number in range(len(SPLITS))} == {True}
        np.testing.assert_array_equal(locate(tokens, material.lat_deg, material.lon_deg), block_of)

    def test_most_blocks_train_and_the_seed_decides(self):
        material = synthetic_material(4000, n_cells=600, image_dimension=2, text_dimension=2)
        split = blocked_split(material, 5, 1)
        _, block_of = blocks(material)
        of_block = split.splits[np.unique(block_of, return_index=True)[1]]
        shares = np.bincount(of_block) / len(of_block)
        np.testing.assert_allclose(shares, [0.8, 0.1, 0.1], atol=0.05)
        np.testing.assert_array_equal(blocked_split(material, 5, 1).splits, split.splits)
        assert (blocked_split(material, 5, 2).splits != split.splits).any()

    @pytest.mark.parametrize("seed", range(30))
    def test_three_blocks_are_enough_for_three_splits(self, seed):
        material = synthetic_material(9, image_dimension=2, text_dimension=2)
        places = np.repeat([[50.0, 10.0], [-30.0, 140.0], [0.0, -60.0]], 3, axis=0)
        material = replace(material, lat_deg=places[:, 0], lon_deg=places[:, 1])
        assert sorted(np.unique(blocked_split(material, 5, seed).splits)) == [TRAIN, VALIDATION, TEST]

    def test_one_block_is_not_torn(self):
        material = synthetic_material(9, image_dimension=2, text_dimension=2)
        material = replace(material, lat_deg=np.full(9, 50.0), lon_deg=np.full(9, 10.0))
        assert len(np.unique(blocked_split(material).splits)) == 1

    def test_a_level_that_s2_has_not_is_refused(self):
        with pytest.raises(Refused, match="no S2 level 31"):
            blocked_split(world(20), 31)


class TestBreakdown:
    def test_every_item_is_in_its_groups(self):
        material = world(2000)
        items = material.items(TEST)
        found = groups(material, items)
        for name, (low, high) in {"1": (1, 1), "2": (2, 2), "3-4": (3, 4)}.items():
            counts = material.images.counts[items[found["n_images"][name]]]
            assert ((counts >= low) & (counts <= high)).all()
        assert "5+" not in found["n_images"]
        assert sum(map(len, found["n_images"].values())) == sum(map(len, found["country"].values())) == len(items)
        for name, positions in found["country"].items():
            assert name == "other" or set(material.countries[items[positions]]) == {name}
        for name, positions in found["class"].items():
            for item in items[positions] if name != "other" else ():
                assert name in material.classes.keys[material.classes.of(int(item))]

    def test_small_groups_are_measured_together(self):
        material = world(100)
        items = material.items(TEST)
        names = ["AA"] * 6 + ["BB"] * 2 + ["", "CC"]
        countries = material.countries.astype("U8").copy()
        countries[items] = names
        found = groups(replace(material, countries=countries), items)["country"]
        assert {name: list(positions) for name, positions in found.items()} == {
            "AA": [0, 1, 2, 3, 4, 5],
            "other": [6, 7, 8, 9],
        }

    def test_an_item_with_two_classes_counts_in_both(self):
        material = world(100)
        per_item = [[0, 1] if number % 2 else [0] for number in range(100)]
        classes = ragged(material.classes.matrix[:2], per_item, ["town", "port"])
        found = groups(replace(material, classes=classes), np.arange(100))["class"]
        assert (len(found["town"]), len(found["port"])) == (100, 50)

    def test_figures_are_those_of_the_group(self):
        material = world(600, noise=0.6)
        views = protocol_views(material, honest(material))
        outcomes = full_retrieval(views) | {"text": located(material, views.items, views.text_log_probs)}
        members = {"country": {"some": np.array([1, 4, 9, 20, 33])}}
        found = broken_down(members, outcomes, 1)["country"]["some"]
        ranks = outcomes["text_to_image"].draws[0][1].expected[members["country"]["some"]]
        assert found["text_to_image"]["medR"] == np.median(ranks)
        assert found["text_to_image"]["R@10"] == pytest.approx((ranks <= 10).mean())
        assert set(found["text"]) == {
            f"{name}{end}" for name in ("f1", "median_km") for end in ("", "_low", "_high")
        } | {"n"}
        assert found["text"]["n"] == 5
