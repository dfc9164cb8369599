import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlm_assets.ml.evaluation import ranking
from mlm_assets.ml.evaluation.ranking import full_ranks, plain_ranks, rank_table
from mlm_assets.ml.evaluation.views import unit


def assert_same(one, other):
    for ours, theirs in zip(one, other, strict=True):
        assert ours.gallery == theirs.gallery
        np.testing.assert_array_equal(ours.better, theirs.better)
        np.testing.assert_array_equal(ours.ties, theirs.ties)


@st.composite
def exact_pairs(draw):
    """Vectors of quarters: their products are exact in float32, in whatever order they are summed; ties abound."""
    n, d = draw(st.integers(1, 40)), draw(st.integers(1, 6))
    quarters = st.lists(st.integers(-4, 4), min_size=2 * n * d, max_size=2 * n * d)
    return np.array(draw(quarters), np.float32).reshape(2, n, d) / 4


@given(exact_pairs())
@settings(max_examples=200, deadline=None)
def test_counting_and_sorting_give_the_same_ranks(pair):
    assert_same(full_ranks(*pair), plain_ranks(*pair))


@given(exact_pairs())
@settings(max_examples=100, deadline=None)
def test_ranks_are_what_their_definition_says(pair):
    a, b = pair
    scores = (a.astype(np.float64) @ b.T.astype(np.float64)).round(9)
    for ranks, table in zip(full_ranks(a, b), (scores, scores.T), strict=True):
        own = np.diagonal(table)[:, None]
        np.testing.assert_array_equal(ranks.better, (table > own).sum(axis=1))
        np.testing.assert_array_equal(ranks.ties, (table == own).sum(axis=1) - 1)


@pytest.mark.parametrize(("rows", "columns", "strip"), [(7, 11, 3), (64, 32, 16), (301, 301, 255), (5, 1, 2)])
def test_blocks_of_any_shape_give_the_same_ranks(monkeypatch, rows, columns, strip):
    rng = np.random.default_rng(rows)
    a = np.round(4 * rng.standard_normal((301, 5))).astype(np.float32)
    b = np.round(a + rng.standard_normal(a.shape)).astype(np.float32)
    expected = plain_ranks(a, b)
    monkeypatch.setattr(ranking, "_BLOCK_ROWS", rows)
    monkeypatch.setattr(ranking, "_BLOCK_COLUMNS", columns)
    monkeypatch.setattr(ranking, "_STRIP", strip)
    assert_same(full_ranks(a, b), expected)


def test_more_items_than_a_block_holds():
    rng = np.random.default_rng(2)
    a = unit(rng.standard_normal((2500, 16)))
    b = unit(a + 0.3 * rng.standard_normal(a.shape))
    assert_same(full_ranks(a, b), plain_ranks(a, b))


def test_without_ties_the_rank_is_the_place_in_the_sorted_row():
    rng = np.random.default_rng(3)
    a, b = unit(rng.standard_normal((200, 12))), unit(rng.standard_normal((200, 12)))
    ranks, _ = full_ranks(a, b)
    places = [int(np.flatnonzero(np.argsort(-row) == item)[0]) + 1 for item, row in enumerate(a @ b.T)]
    np.testing.assert_array_equal(ranks.expected, places)


@pytest.mark.parametrize("n", [2, 37, 600])
def test_constant_vectors_get_the_ranks_of_chance(n):
    vectors = unit(np.full((n, 33), 0.1234567))
    for ranks in full_ranks(vectors, vectors):
        np.testing.assert_allclose(ranks.expected, (n + 1) / 2)
        np.testing.assert_allclose(ranks.recall(1), 1 / n)
        np.testing.assert_allclose(ranks.recall(10), min(1, 10 / n))


def test_vectors_of_noughts_get_the_ranks_of_chance():
    ranks, back = full_ranks(np.zeros((9, 4)), np.eye(9, 4))
    np.testing.assert_allclose(ranks.expected, 5)
    assert (back.expected == 5).all()


def test_a_twin_shares_the_first_place():
    vectors = np.eye(6, dtype=np.float32)[[0, 1, 2, 3, 4, 4]]
    ranks, _ = full_ranks(vectors, vectors)
    np.testing.assert_array_equal(ranks.expected, [1, 1, 1, 1, 1.5, 1.5])
    np.testing.assert_array_equal(ranks.recall(1), [1, 1, 1, 1, 0.5, 0.5])
    np.testing.assert_array_equal(ranks.recall(2), 1)


@given(exact_pairs())
@settings(max_examples=100, deadline=None)
def test_the_table_of_all_pairings_agrees_on_the_true_ones(pair):
    ranks, _ = full_ranks(*pair)
    better, ties = rank_table(pair[0] @ pair[1].T)
    np.testing.assert_array_equal(np.diagonal(better), ranks.better)
    np.testing.assert_array_equal(np.diagonal(ties), ranks.ties)


def test_vectors_without_counterparts_are_refused():
    with pytest.raises(ValueError, match="no counterparts"):
        full_ranks(np.zeros((3, 4)), np.zeros((3, 5)))


def test_nothing_has_no_ranks():
    assert all(len(ranks.expected) == 0 for ranks in full_ranks(np.zeros((0, 4)), np.zeros((0, 4))))
