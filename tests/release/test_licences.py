"""Licences as Commons writes them, as identifiers; the allow-list; and text in which no markup is left."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlm_assets.release.licences import UNKNOWN, allow_list, is_allowed, licence_id
from mlm_assets.release.plain import plain
from mlm_assets.release.rights import RightsPolicy, of_the_picture, withheld
from mlm_assets.settings import Settings
from mlm_assets.tables import WITHHELD_REASONS

DEFAULT = allow_list(Settings.model_fields["allowed_licences"].default)
TAG = re.compile(r"</?[a-zA-Z][^>]*>")
"""What the constraint `no_markup` of `attribution` calls a tag."""


@pytest.mark.parametrize(
    ("name", "url", "identifier"),
    [
        ("CC BY-SA 4.0", "https://creativecommons.org/licenses/by-sa/4.0", "CC-BY-SA-4.0"),
        ("CC BY-SA 3.0 de", None, "CC-BY-SA-3.0-DE"),
        ("CC BY 3.0 igo", None, "CC-BY-3.0-IGO"),
        ("CC BY-SA 2.5,2.0,1.0", None, "CC-BY-SA-2.5"),
        ("CC BY-SA 4.0-3.0-2.5-2.0-1.0", None, "CC-BY-SA-4.0"),
        ("Cc-by-sa-3.0", None, "CC-BY-SA-3.0"),
        ("CC BY-NC-ND 2.0", None, "CC-BY-NC-ND-2.0"),
        ("Public domain", "", "PD"),
        ("CC0", "http://creativecommons.org/publicdomain/zero/1.0/deed.en", "CC0-1.0"),
        ("PDM-owner", "https://creativecommons.org/publicdomain/mark/1.0/", "CC-PDM-1.0"),
        ("GFDL", "http://www.gnu.org/copyleft/fdl.html", "GFDL-1.2-or-later"),
        ("GFDL 1.3 only", None, "GFDL-1.3-only"),
        ("FAL", "http://artlibre.org/licence/lal/en", "LAL-1.3"),
        ("Attribution", None, "Attribution"),
        ("OGL 3", "https://www.nationalarchives.gov.uk/doc/open-government-licence/version/3/", "OGL-UK-3.0"),
        ("No restrictions", "https://www.flickr.com/commons/usage/", "No-Restrictions"),
        ("Copyrighted free use", None, "Copyrighted-Free-Use"),
        ("see below", "https://creativecommons.org/licenses/by-sa/3.0/de/deed.en", "CC-BY-SA-3.0-DE"),
        (None, "https://creativecommons.org/licenses/by/4.0/deed.fr", "CC-BY-4.0"),
        (None, "https://creativecommons.org/licenses/by/4.0/deed", "CC-BY-4.0"),
        ("", "https://creativecommons.org/publicdomain/mark/1.0/", "CC-PDM-1.0"),
        (None, None, UNKNOWN),
        ("unknown", None, UNKNOWN),
        ("All rights reserved", "https://example.org/creativecommons.org/licenses/by/4.0", UNKNOWN),
        ("CC BY-SA", None, UNKNOWN),
        ("Fair use", None, UNKNOWN),
        ("  CC\u00a0BY-SA\n4.0 ", None, "CC-BY-SA-4.0"),
    ],
)
def test_what_commons_says_is_one_identifier(name: str | None, url: str | None, identifier: str) -> None:
    assert licence_id(name, url) == identifier


@pytest.mark.parametrize(
    "name",
    ["CC BY-SA 4.0", "CC BY 2.0 kr", "CC BY-SA 3.0 nl", "CC0", "Public domain", "PDM-owner", "GFDL", "FAL", "OGL 3",
     "Attribution", "No restrictions", "Copyrighted free use"],
)  # fmt: skip
def test_what_commons_admits_may_be_published_by_default(name: str) -> None:
    assert is_allowed(licence_id(name), DEFAULT)


@pytest.mark.parametrize("version", ["1.0", "2.0", "2.5", "3.0", "4.0"])
@pytest.mark.parametrize("kind", ["NC", "ND", "NC-SA", "NC-ND"])
def test_no_commerce_and_no_derivatives_never_pass_by_default(kind: str, version: str) -> None:
    assert not is_allowed(licence_id(f"CC BY-{kind} {version}"), DEFAULT)
    assert not is_allowed(
        licence_id(None, f"https://creativecommons.org/licenses/by-{kind}/{version}/".lower()), DEFAULT
    )


def test_unknown_passes_only_where_it_is_listed_by_name() -> None:
    assert not is_allowed(UNKNOWN, DEFAULT)
    assert not is_allowed(UNKNOWN, allow_list("*, u*"))
    assert is_allowed(UNKNOWN, allow_list("CC0-1.0, unknown"))


def test_an_empty_list_lets_nothing_through() -> None:
    assert allow_list(" , ") == ()
    assert not is_allowed("CC0-1.0", ())


POLICY = RightsPolicy(("CC0-1.0", "CC-BY-[0-9]*"), "centerface", 0.1)


@pytest.mark.parametrize(
    ("licence", "nomination", "face", "reason"),
    [
        ("unknown", "copyvio", 0.9, "licence_unknown"),
        ("CC-BY-NC-2.0", "copyvio", 0.9, "licence_not_allowed"),
        ("CC0-1.0", "copyvio", 0.9, "nominated_for_deletion"),
        ("CC0-1.0", None, 0.9, "face"),
        ("CC-BY-4.0", " ", 0.1, None),
        ("CC0-1.0", None, None, None),
    ],
)
def test_the_first_reason_in_order_is_the_reason(
    licence: str, nomination: str | None, face: float | None, reason: str | None
) -> None:
    assert withheld(POLICY, licence, nomination, face) == reason
    assert reason is None or reason in WITHHELD_REASONS


def test_the_reasons_are_tried_in_the_order_of_the_registry() -> None:
    worst = ["unknown", "CC-BY-NC-2.0", "CC0-1.0", "CC0-1.0"]
    nominated = ["x", "x", "x", None]
    found = [withheld(POLICY, one, why, 0.9) for one, why in zip(worst, nominated, strict=True)]
    assert found == list(WITHHELD_REASONS)


def test_the_white_around_a_picture_is_no_part_of_it() -> None:
    assert of_the_picture(0.08, 800, 400) == 0.16
    assert of_the_picture(0.08, 400, 800) == 0.16
    assert of_the_picture(0.08, 300, 300) == 0.08
    assert of_the_picture(0.9, 800, 100) == 1.0
    assert of_the_picture(0.08, None, 0) == 0.08


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ('<a href="//x" title="User:A">Änne</a> &amp; Söhne', "Änne & Söhne"),
        ("&lt;b&gt;Ann&lt;/b&gt;", "Ann"),
        ("&amp;lt;i&amp;gt;deep&amp;lt;/i&amp;gt;", "deep"),
        ("<script>alert(1)</script>Ann<!-- a note -->", "Ann"),
        ("Ann <img src=x onerror=alert(1)", "Ann ‹img src=x onerror=alert(1)"),
        ("1 < 2 > 0, said Ann", "1 < 2 > 0, said Ann"),
        ("Ann\u2028\x00Bob\n", "Ann Bob"),
        (" <br> ", None),
        (None, None),
    ],
)
def test_text_is_left_without_markup(said: str | None, shown: str | None) -> None:
    assert plain(said) == shown


@given(st.text(alphabet="<>/!-ab &;lgt\"'=?x", max_size=60), st.text(alphabet="<>/!-ab &;lgt", max_size=30))
def test_no_author_and_no_credit_make_a_tag_together(author: str, credit: str) -> None:
    together = f"{plain(author) or ''} {plain(credit) or ''}"
    assert TAG.search(together) is None
    assert plain(together.strip()) is None or TAG.search(plain(together) or "") is None
