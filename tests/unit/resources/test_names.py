"""Names and addresses: what an address of Wikidata names, for any name."""

import unicodedata
from urllib.parse import quote

from hypothesis import given
from hypothesis import strategies as st

from mlm_assets.resources.names import article_of, file_name, file_of, qid_of, spaced

ARTICLE = "https://{}.wikipedia.org/wiki/{}"
FILE_PATH = "http://commons.wikimedia.org/wiki/Special:FilePath/{}"
# As MediaWiki keeps them: NFC, single spaces, none at the ends, no characters that titles cannot have.
characters = st.characters(
    codec="utf-8", exclude_categories=("Cc", "Cs", "Zs", "Zl", "Zp"), exclude_characters="#<>[]|{}_\u180e"
)
words = st.text(characters, min_size=1).map(lambda word: unicodedata.normalize("NFC", word))
titles = st.lists(words, min_size=1, max_size=4).map(" ".join).filter(lambda title: spaced(title) == title)


@given(st.sampled_from(["en", "de", "pt"]), titles, st.sampled_from(["", "/()',:"]))
def test_an_articles_address_gives_its_language_and_title(lang: str, title: str, safe: str) -> None:
    assert article_of(ARTICLE.format(lang, quote(title.replace(" ", "_"), safe=safe))) == (lang, title)


@given(titles)
def test_an_address_that_is_not_escaped_gives_the_same(title: str) -> None:
    plain = title.replace(" ", "_")
    if "%" not in plain:
        assert article_of(ARTICLE.format("fr", plain)) == ("fr", title)


@given(titles)
def test_a_file_path_gives_the_file_with_its_first_letter_in_upper_case(name: str) -> None:
    found = file_of(FILE_PATH.format(quote(name, safe="")))
    assert found == file_name(name)
    assert found is not None
    assert found[1:] == name[1:]
    assert file_of(FILE_PATH.format(quote(name.replace(" ", "_"), safe=""))) == found


def test_files_of_the_real_sample() -> None:
    assert file_of(FILE_PATH.format("Flag%20of%20Asunci%C3%B3n.svg")) == "Flag of Asunción.svg"
    assert file_of(FILE_PATH.format("united_states_capitol_26757027_6717084061.jpg")) == (
        "United states capitol 26757027 6717084061.jpg"
    )
    assert file_name("ßpring.jpg") == "ßpring.jpg"  # its upper case is two letters, which MediaWiki leaves alone


@given(st.text())
def test_spaced_is_stable(title: str) -> None:
    assert spaced(spaced(title)) == spaced(title)


@given(st.text())
def test_anything_else_is_no_name(text: str) -> None:
    for url in (text, f"https://www.wikidata.org/wiki/{text}", f"https://commons.wikimedia.org/wiki/File:{text}"):
        assert article_of(url) is None
        assert file_of(url) is None
        assert qid_of(url) is None


def test_addresses_without_a_name_are_none() -> None:
    assert article_of(ARTICLE.format("en", "")) is None
    assert article_of(ARTICLE.format("en", "_%20")) is None
    assert file_of(FILE_PATH.format("")) is None
    assert article_of("https://en.wikipedia.org.evil.example/wiki/A") is None


def test_qid_of() -> None:
    assert qid_of("http://www.wikidata.org/entity/Q64") == "Q64"
    for other in (
        "http://www.wikidata.org/entity/P31",
        "http://www.wikidata.org/.well-known/genid/ab",
        "Q64",
        "",
        "http://www.wikidata.org/entity/Q64\n",
        "http://www.wikidata.org/entity/statement/Q64-1",
    ):
        assert qid_of(other) is None
