"""Titles are normalised, refused and written into addresses as MediaWiki does it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlm_assets.local_wikimedia.titles import (
    InvalidTitle,
    article_path,
    file_key,
    parse_title,
    upload_path,
)


@pytest.mark.parametrize(
    ("raw", "full"),
    [
        ("old_one", "Old one"),
        ("Test  03", "Test 03"),
        (" test 03 ", "Test 03"),
        (":Test 04", "Test 04"),
        ("Test 03#History", "Test 03"),
        ("E\u0301vreux & Co?", "Évreux & Co?"),
        ("a&amp;b", "A&b"),
        ("image:Bar_x.jpg", "File:Bar x.jpg"),
        ("file: baz.svg", "File:Baz.svg"),
        ("\u200eBerlin\u200f", "Berlin"),
        ("Rock+Roll", "Rock+Roll"),
        ("'s-Foo", "'s-Foo"),
        ("de:Foo", "de:Foo"),
        ("#fragment only", ""),
        ("Foo: bar", "Foo: bar"),
    ],
)
def test_normalises_like_mediawiki(raw: str, full: str) -> None:
    assert parse_title(raw).full == full


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        ("Bad[x", 'invalid characters: "["'),
        ("%41", 'invalid characters: "%41"'),
        ("Foo{bar}", 'invalid characters: "{"'),
        ("..", "relative path"),
        ("a/../b", "relative path"),
        ("~~~~", "magic tilde"),
        ("x" * 300, "no longer than 255 bytes"),
        ("é" * 128, "no longer than 255 bytes"),
        ("File:", "is empty"),
        (":", "is empty"),
        ("::a", "invalid colon"),
    ],
)
def test_refuses_like_mediawiki(raw: str, reason: str) -> None:
    with pytest.raises(InvalidTitle, match=reason.replace("[", r"\[").replace("{", r"\{")):
        parse_title(raw)


@given(st.text(max_size=40))
def test_normalising_twice_changes_nothing(raw: str) -> None:
    try:
        once = parse_title(raw)
    except InvalidTitle:
        return
    if once.text and not once.interwiki:
        assert parse_title(once.full) == once


def test_files_lie_where_commons_has_them() -> None:
    assert upload_path("Python-logo-notext.svg") == "c/c3/Python-logo-notext.svg"
    assert upload_path("Albert Einstein Head.jpg") == "d/d3/Albert_Einstein_Head.jpg"
    assert upload_path("Café (x).jpg").endswith("/Caf%C3%A9_%28x%29.jpg")
    assert file_key("united_states_capitol.jpg") == "United states capitol.jpg"


def test_articles_are_addressed_as_in_wikidata() -> None:
    assert article_path("São Foo (Bar)?") == "S%C3%A3o_Foo_(Bar)%3F"
    assert article_path("Rock & Roll+'s") == "Rock_%26_Roll%2B%27s"
