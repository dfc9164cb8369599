"""Where sentences end, in several languages, and that nothing is lost."""

import time
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlm_assets.ml.encoders.sentences import LONGEST, sentences, stretches

TEXTS = st.one_of(
    st.text(max_size=400),
    st.lists(
        st.sampled_from(["Ab", "cd", "St", ".", "...", "! ", "? ", "。", "\n", " ", "”", "x" * 700]), max_size=30
    ).map("".join),
)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("Avrig is a town. It lies in Romania.", ["Avrig is a town.", "It lies in Romania."]),
        ("Il est né à St. Gallen. Puis il part.", ["Il est né à St. Gallen.", "Puis il part."]),
        ("Am 3. Oktober 1990 wurde sie Stadt. Heute nicht.", ["Am 3. Oktober 1990 wurde sie Stadt.", "Heute nicht."]),
        ("Założone w 1241 r. Pozostało miastem.", ["Założone w 1241 r. Pozostało miastem."]),
        ("The river (approx. 3 km) is long. Yes!", ["The river (approx. 3 km) is long.", "Yes!"]),
        ("„Wirklich?“ Ja. Über 1.000 Einwohner.", ["„Wirklich?“", "Ja. Über 1.000 Einwohner."]),
        ("它是一座城市。人口很多!", ["它是一座城市。", "人口很多!"]),
        ("Heading\nText below it", ["Heading", "Text below it"]),
        ("Wait... what? Nothing", ["Wait... what?", "Nothing"]),
        ("no mark at all", ["no mark at all"]),
    ],
)
def test_sentences_of_many_languages(text, wanted):
    assert sentences(text) == wanted


@given(TEXTS)
def test_nothing_is_lost_and_no_piece_is_long_or_empty(text):
    found = sentences(text)
    assert "".join("".join(found).split()) == "".join(text.split())
    assert all(piece.strip() == piece and 0 < len(piece) <= LONGEST for piece in found)
    assert bool(found) == bool(text.strip())


@given(TEXTS, st.integers(LONGEST, 3000))
def test_stretches_are_full_and_bounded(text, longest):
    found = stretches(text, longest)
    assert "".join("".join(found).split()) == "".join(text.split())
    assert all(len(piece) <= longest for piece in found)
    for stretch, following in pairwise(found):
        assert len(stretch) + 1 + len(sentences(following)[0]) > longest


@pytest.mark.parametrize(
    "text", ["." * 300_000, '."' * 150_000, ". a" * 100_000, "\n" * 300_000, "a" * 300_000, "a " * 150_000]
)
def test_time_is_linear_for_hostile_texts(text):
    started = time.process_time()
    sentences(text)
    assert time.process_time() - started < 3
