"""Figures of retrieval and location, their chance, their intervals and paired tests."""

from dataclasses import replace

import numpy as np
import pytest
from evaluation_worlds import blind, honest, world
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import precision_recall_fscore_support

from mlm_assets.errors import Refused
from mlm_assets.ml.evaluation.intervals import compared, measured, resample_weights, weighted_medians
from mlm_assets.ml.evaluation.location import (
    FARTHEST_KM,
    Located,
    chance_location,
    great_circle_km,
    located,
)
from mlm_assets.ml.evaluation.ranking import Ranks
from mlm_assets.ml.evaluation.retrieval import (
    Retrieved,
    chance_retrieval,
    full_retrieval,
    protocol_draws,
    protocol_retrieval,
    summed_over_languages,
)
from mlm_assets.ml.evaluation.views import (
    Views,
    language_views,
    pooled_views,
    protocol_views,
    unit,
    views_per_language,
)
from mlm_assets.ml.material import TEST, TRAIN


def ones(n: int):
    return np.ones((1, n), np.float32)


def vectors_only(images, texts) -> Views:
    return Views(np.arange(len(images)), images, texts, None, None)


def guesses(truth, guess) -> Located:
    truth, guess = np.asarray(truth), np.asarray(guess)
    km = np.where(truth == guess, 10.0, 3000.0)
    return Located(truth, guess, (truth == guess).astype(np.float32), km)


class TestProtocol:
    def test_draws_are_ten_times_five_hundred_without_replacement(self):
        draws = protocol_draws(2000, seed=3)
        assert len(draws) == 10
        assert all(len(np.unique(draw)) == 500 and draw.max() < 2000 for draw in draws)
        assert len({draw.tobytes() for draw in draws}) == 10
        assert [draw.tobytes() for draw in protocol_draws(2000, seed=3)] == [draw.tobytes() for draw in draws]
        assert protocol_draws(2000, seed=4)[0].tobytes() != draws[0].tobytes()

    @pytest.mark.parametrize("n", [1, 12, 500])
    def test_fewer_items_are_taken_all_once(self, n):
        (draw,) = protocol_draws(n, seed=3)
        np.testing.assert_array_equal(draw, np.arange(n))

    @pytest.mark.parametrize("n", [1, 30, 501, 1200])
    def test_perfect_vectors_are_found_first(self, n):
        vectors = unit(np.random.default_rng(1).standard_normal((n, 64)))
        for results in (protocol_retrieval, lambda views, _: full_retrieval(views)):
            for outcome in results(vectors_only(vectors, vectors), 1).values():
                found = measured(outcome, 1)
                assert found["medR"] == 1
                assert found["R@1"] == found["R@5"] == found["R@10"] == 1
                assert found["n"] == n

    @pytest.mark.parametrize("n", [40, 900])
    def test_random_vectors_give_what_theory_says(self, n):
        """Of a gallery of m a rank is uniform on 1 to m: its median is expected at (m + 1) / 2, R@k at k / m."""
        m = min(n, 500)
        chance = chance_retrieval(n, m)
        assert chance["medR"] == (m + 1) / 2
        assert chance["R@10"] == pytest.approx(10 / m)
        rng = np.random.default_rng(8)
        inside = []
        for _ in range(20):
            a, b = unit(rng.standard_normal((n, 32))), unit(rng.standard_normal((n, 32)))
            for outcome in protocol_retrieval(vectors_only(a, b), 1).values():
                figures = outcome.figures(ones(n))
                inside += [
                    chance[f"{name}_low"] <= value[0] <= chance[f"{name}_high"] for name, value in figures.items()
                ]
        assert np.mean(inside) > 0.85  # 95 % in expectation; figures and directions hang together
        means = np.mean([protocol_retrieval(vectors_only(unit(rng.standard_normal((n, 32))),
                         unit(rng.standard_normal((n, 32)))), 1)["image_to_text"].figures(ones(n))["medR"][0]
                         for _ in range(20)])  # fmt: skip
        assert means == pytest.approx((m + 1) / 2, rel=0.15)

    def test_constant_vectors_are_at_chance(self):
        same = unit(np.full((60, 8), 0.3))
        found = measured(protocol_retrieval(vectors_only(same, same), 1)["image_to_text"], 1)
        assert found["medR"] == 30.5
        assert found["R@1"] == pytest.approx(1 / 60, abs=1e-6)

    def test_figures_are_averaged_over_the_galleries(self):
        draws = tuple((np.array([0, 1]), Ranks(np.array(better), np.zeros(2, int), 9)) for better in ([0, 2], [4, 6]))
        found = Retrieved(2, draws).figures(ones(2))
        assert found["medR"][0] == ((1 + 3) / 2 + (5 + 7) / 2) / 2
        assert found["R@1"][0] == 0.25
        assert found["R@5"][0] == 0.75

    def test_only_one_gallery_can_be_taken_apart(self):
        ranks = Ranks(np.array([0, 5, 8]), np.zeros(3, int), 9)
        part = Retrieved(3, ((np.arange(3), ranks),)).only(np.array([1, 2]))
        assert part.figures(ones(2))["medR"][0] == 7.5
        assert part.gallery == 9
        with pytest.raises(ValueError, match="one gallery"):
            Retrieved(3, ((np.arange(3), ranks),) * 2).only(np.array([1]))

    def test_recall_summed_over_three_languages_is_three_for_perfect_retrieval(self):
        material = world(400, noise=0.0)
        said = honest(material)
        views = views_per_language(material, said, protocol_views(material, said))
        found = summed_over_languages(views, 1)["image_to_text"].figures(ones(40))
        assert found["R@1"][0] == pytest.approx(3.0)
        assert found["medR"][0] == 1


class TestViews:
    def test_the_text_hangs_on_the_qid_and_not_on_the_order(self):
        material = world(600)
        reversed_material = material.subset(np.arange(600)[::-1])
        for by_counter, is_same in ((False, True), (True, False)):
            views = protocol_views(material, honest(material), by_counter=by_counter)
            turned = protocol_views(reversed_material, honest(reversed_material), by_counter=by_counter)
            assert list(material.qids[views.items]) == list(reversed_material.qids[turned.items][::-1])
            assert np.array_equal(views.text_vectors, turned.text_vectors[::-1]) is is_same
            np.testing.assert_array_equal(views.image_vectors, turned.image_vectors[::-1])

    def test_all_languages_are_chosen_and_the_image_is_the_first(self):
        material = world(900)
        said = honest(material)
        views = protocol_views(material, said)
        rows = [int(np.flatnonzero((said.text_vectors == text).all(axis=1))[0]) for text in views.text_vectors]
        assert set(said.text_langs[rows]) == {0, 1, 2}
        np.testing.assert_array_equal(said.text_items[rows], np.arange(len(views.items)))
        first = [int(np.flatnonzero(said.image_items == item)[0]) for item in range(len(views.items))]
        np.testing.assert_array_equal(views.image_vectors, said.image_vectors[first])

    def test_a_language_takes_the_items_that_have_it(self):
        material = world(300)
        said = honest(material)
        for language in range(3):
            views = language_views(said, language)
            expected = [
                item for item in material.items(TEST) if language in material.subset(np.array([item])).text_langs
            ]
            np.testing.assert_array_equal(views.items, expected)
            own = said.text_vectors[said.text_langs == language]
            np.testing.assert_array_equal(views.text_vectors, own)

    def test_pooled_views_are_means(self):
        material = world(200)
        said = honest(material)
        views = pooled_views(said)
        for item in range(len(views.items)):
            mean = said.image_vectors[said.image_items == item].mean(axis=0)
            np.testing.assert_allclose(views.image_vectors[item], mean / np.linalg.norm(mean), atol=1e-6)
            logs = said.text_log_probs[said.text_items == item].mean(axis=0)
            np.testing.assert_allclose(views.text_log_probs[item], logs, atol=1e-5)

    def test_items_without_a_text_are_left_out(self):
        material = world(200)
        said = honest(material)
        kept = said.text_items != 3
        said = replace(
            said, text_items=said.text_items[kept], text_langs=said.text_langs[kept],
            text_vectors=said.text_vectors[kept], text_log_probs=said.text_log_probs[kept],
        )  # fmt: skip
        expected = np.delete(said.items, 3)
        for views in (protocol_views(material, said), pooled_views(said)):
            np.testing.assert_array_equal(views.items, expected)
            assert len(views.text_vectors) == len(views.image_vectors) == len(expected)
        np.testing.assert_allclose(
            pooled_views(said).text_vectors[-1],
            unit(said.text_vectors[said.text_items == len(said.items) - 1].mean(axis=0, keepdims=True))[0],
            atol=1e-6,
        )

    @pytest.mark.parametrize("name", ["image_vectors", "text_log_probs"])
    def test_what_is_no_number_is_refused(self, name):
        material = world(100)
        said = honest(material)
        broken = getattr(said, name).copy()
        broken[2, 1] = np.nan
        with pytest.raises(Refused, match=r"not finite \(row 2\)"):
            protocol_views(material, replace(said, **{name: broken}))


class TestLocation:
    @given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=1, max_size=60))
    @settings(max_examples=150, deadline=None)
    def test_weighted_figures_are_those_of_scikit_learn(self, pairs):
        truth, guess = np.array(pairs).T
        expected = precision_recall_fscore_support(truth, guess, average="weighted", zero_division=0)[:3]
        found = guesses(truth, guess).figures(ones(len(truth)))
        assert [found[name][0] for name in ("precision", "recall", "f1")] == pytest.approx(list(expected), abs=1e-6)
        assert found["accuracy"][0] == pytest.approx((truth == guess).mean(), abs=1e-6)

    @given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4), st.integers(0, 3)), min_size=1, max_size=40))
    @settings(max_examples=100, deadline=None)
    def test_a_weight_is_as_good_as_repeating_an_item(self, triples):
        truth, guess, times = np.array(triples).T
        times[0] = max(times[0], 1)
        weighted = guesses(truth, guess).figures(times[None].astype(np.float32))
        repeated = guesses(np.repeat(truth, times), np.repeat(guess, times)).figures(ones(int(times.sum())))
        for name, value in repeated.items():
            assert weighted[name][0] == pytest.approx(value[0], rel=1e-5, abs=1e-6), name

    def test_distances_are_those_of_the_great_circle(self):
        assert great_circle_km(52.52, 13.405, 48.8566, 2.3522) == pytest.approx(877.5, abs=1)
        assert great_circle_km(0.0, 179.5, 0.0, -179.5) == pytest.approx(111.2, abs=0.1)
        assert great_circle_km(90.0, 0.0, -90.0, 77.0) == pytest.approx(FARTHEST_KM)

    def test_kilometres_are_from_the_middle_of_the_guessed_cell(self):
        material = world(400)
        items = material.items(TEST)
        right = np.eye(material.n_cells, dtype=np.float32)[material.cells[items]]
        found = located(material, items, np.log(right + 1e-9)).figures(ones(len(items)))
        assert found["f1"][0] == 1
        lat, lon = material.cell_centres()
        own = material.cells[items]
        km = great_circle_km(lat[own], lon[own], material.lat_deg[items], material.lon_deg[items])
        assert found["mean_km"][0] == pytest.approx(km.mean(), rel=1e-5)
        assert found["median_km"][0] == pytest.approx(np.median(km))
        assert found["within_200_km"][0] == pytest.approx((km <= 200).mean())
        assert found["within_2500_km"][0] == 1

    def test_a_guess_of_a_cell_that_lies_nowhere_is_as_wrong_as_can_be(self):
        material = world(100)
        material = replace(material, cell_tokens=(*material.cell_tokens, "nowhere"))
        items = material.items(TEST)
        log_probs = np.full((len(items), material.n_cells), -5.0, np.float32)
        log_probs[:, -1] = -0.1
        assert (located(material, items, log_probs).error_km == FARTHEST_KM).all()

    def test_the_first_five_count(self):
        material = world(100, n_cells=8)
        items = material.items(TEST)
        place = np.arange(len(items)) % 8
        scores = np.tile(-np.arange(8, dtype=np.float32), (len(items), 1))
        log_probs = np.array(
            [np.roll(row, material.cells[item] - p) for row, item, p in zip(scores, items, place, strict=True)]
        )
        outcome = located(material, items, log_probs)
        np.testing.assert_array_equal(outcome.is_in_top_5, place < 5)
        np.testing.assert_array_equal(outcome.guess == outcome.truth, place == 0)

    def test_constant_probabilities_are_no_knowledge(self):
        material = world(800, n_cells=8)
        items = material.items(TEST)
        outcome = located(material, items, np.full((len(items), 8), -np.log(8), np.float32))
        assert outcome.is_in_top_5.mean() == pytest.approx((material.cells[items] < 5).mean())
        assert (outcome.guess == 0).all()

    def test_chance_is_that_of_the_shares_in_training(self):
        material = world(3000)
        items = material.items(TEST)
        shares = np.bincount(material.cells[material.splits == TRAIN], minlength=8) / (material.splits == TRAIN).sum()
        truth = np.bincount(material.cells[items], minlength=8) / len(items)
        found = chance_location(material, items, 1)
        assert found["accuracy"] == pytest.approx((shares * truth).sum(), abs=0.01)
        assert found["accuracy_low"] < (shares * truth).sum() < found["accuracy_high"]
        commonest = int(np.argmax(shares))
        assert found["majority"]["accuracy"] == pytest.approx(truth[commonest], abs=1e-5)
        assert found["majority"]["f1"] == pytest.approx(2 * truth[commonest] ** 2 / (1 + truth[commonest]), abs=1e-5)
        said = protocol_views(material, blind(material))
        random = located(material, said.items, said.text_log_probs).figures(ones(len(items)))
        assert found["f1_low"] - 0.03 < random["f1"][0] < found["f1_high"] + 0.03


class TestIntervals:
    @given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 4)), min_size=1, max_size=50))
    @settings(max_examples=200, deadline=None)
    def test_weighted_medians_are_medians_of_the_repeated(self, pairs):
        values, times = np.array(pairs).T
        found = weighted_medians(values.astype(float), times[None].astype(np.float32))[0]
        repeated = np.repeat(values, times)
        assert np.isnan(found) if not len(repeated) else found == np.median(repeated)

    def test_resamples_draw_every_item_as_often_as_another(self):
        weights = resample_weights(50, 2000, 1)
        np.testing.assert_array_equal(weights.sum(axis=1), 50)
        np.testing.assert_allclose(weights.mean(axis=0), 1, atol=0.15)
        assert weights.var() == pytest.approx(1 - 1 / 50, rel=0.05)

    def test_intervals_cover_the_truth(self):
        """Of 95 % intervals for shares of 0.3 and for medians, most hold the true value."""
        rng = np.random.default_rng(4)
        covered = {"accuracy": [], "median_km": []}
        for seed in range(150):
            is_right = rng.random(120) < 0.3
            km = rng.exponential(100, 120)
            outcome = Located(np.zeros(120, int), np.where(is_right, 0, 1), is_right.astype(np.float32), km)
            found = measured(outcome, seed, 200)
            for name, truth in (("accuracy", 0.3), ("median_km", 100 * np.log(2))):
                covered[name].append(found[f"{name}_low"] <= truth <= found[f"{name}_high"])
        assert 0.88 <= np.mean(covered["accuracy"]) <= 0.995
        assert 0.88 <= np.mean(covered["median_km"]) <= 0.995

    def test_one_item_has_no_interval(self):
        found = measured(guesses([1], [1]), 1)
        assert (found["f1"], found["f1_low"], found["f1_high"], found["n"]) == (1, None, None, 1)

    def test_a_model_does_not_differ_from_itself(self):
        outcome = guesses([0, 1, 2, 0, 1], [0, 1, 1, 0, 2])
        found = compared(outcome, outcome, 1)["f1"]
        assert (found["difference"], found["difference_low"], found["difference_high"], found["p"]) == (0, 0, 0, 1)

    def test_a_clear_difference_is_seen_on_ranks_and_on_cells(self):
        rng = np.random.default_rng(6)
        good, bad = (Retrieved(80, ((np.arange(80), Ranks(rng.integers(0, top, 80), np.zeros(80, int), 100)),))
                     for top in (12, 90))  # fmt: skip
        found = compared(bad, good, 1)
        assert found["medR"]["difference"] < 0
        assert found["medR"]["difference_high"] < 0
        assert found["medR"]["p"] < 0.01
        truth = rng.integers(0, 5, 80)
        better, worse = (np.where(rng.random(80) < share, truth, (truth + 1) % 5) for share in (0.9, 0.4))
        found = compared(guesses(truth, worse), guesses(truth, better), 1)["f1"]
        assert found["difference_low"] > 0
        assert found["p"] < 0.01

    def test_where_there_is_no_difference_small_p_are_rare(self):
        rng = np.random.default_rng(9)
        small = []
        for seed in range(100):
            truth = rng.integers(0, 3, 60)
            one, other = (np.where(rng.random(60) < 0.6, truth, (truth + 1) % 3) for _ in range(2))
            small.append(compared(guesses(truth, one), guesses(truth, other), seed, 99)["accuracy"]["p"] <= 0.05)
        assert np.mean(small) <= 0.13  # 5 % in expectation

    def test_other_items_cannot_be_compared(self):
        with pytest.raises(ValueError, match="in pairs"):
            compared(guesses([1], [1]), guesses([1, 2], [1, 2]), 1)
