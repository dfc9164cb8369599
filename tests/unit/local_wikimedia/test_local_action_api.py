"""The Action API answers as MediaWiki does: shapes below were compared with a real MediaWiki 1.39."""

from collections.abc import Iterator
from typing import Any

import pytest

from mlm_assets.local_wikimedia.action_api import ActionApi
from mlm_assets.local_wikimedia.model import MediaFile, Page, World

BASE = "http://127.0.0.1:1"


def _page(title: str, pageid: int, extract: str = "", to: str | None = None, fragment: str | None = None) -> Page:
    return Page("en", title, f"Q{pageid}", extract, pageid, 1000 + pageid, "2026-01-01T00:00:00Z", to, fragment)


class _World(World):
    """Fifty-five villages, whose numbers run against their titles, and some redirects."""

    def __init__(self) -> None:
        pages = [_page(f"Village {number:02d}", 100 - number, f"Village {number}.") for number in range(1, 56)]
        pages += [
            _page("Old one", 201, to="Village 01"),
            _page("Older", 202, to="Old one"),
            _page("Part", 203, to="Village 02", fragment="History"),
            _page("Nowhere", 204, to="Gone"),
            _page("Round", 205, to="Circle"),
            _page("Circle", 206, to="Round"),
            _page("Empty", 207),
        ]
        self.pages = {page.title: page for page in pages}
        files = [
            MediaFile(
                "A b.jpg", "image/jpeg", 400, 300, 9, "ab", "2020-01-01T00:00:00Z", 1, {"Artist": {"value": "x"}}
            ),
            MediaFile("Small.png", "image/png", 200, 100, 9, "cd", "2020-01-01T00:00:00Z", 2),
            MediaFile("Flag.svg", "image/svg+xml", 90, 60, 9, "ef", "2020-01-01T00:00:00Z", 3),
            MediaFile("Song.ogg", "audio/ogg", 0, 0, 9, "01", "2020-01-01T00:00:00Z", 4),
            MediaFile("Paper.pdf", "application/pdf", 1240, 1754, 9, "02", "2020-01-01T00:00:00Z", 5),
            MediaFile("Old.jpg", "", 0, 0, 0, "", "2020-01-01T00:00:00Z", 6, {}, "A b.jpg"),
        ]
        self.files = {file.name: file for file in files}

    def describe(self) -> dict[str, Any]:
        return {}

    def triples(self) -> Iterator[bytes]:
        yield b""

    def page(self, lang: str, title: str) -> Page | None:
        return self.pages.get(title) if lang == "en" else None

    def page_titles(self) -> Iterator[tuple[str, str]]:
        yield from (("en", title) for title in self.pages)

    def file(self, name: str) -> MediaFile | None:
        return self.files.get(name)

    def file_names(self) -> Iterator[str]:
        yield from self.files

    def body(self, name: str) -> bytes | None:
        return None


WIKIPEDIA = ActionApi(_World(), "en.wikipedia.org")
COMMONS = ActionApi(_World(), "commons.wikimedia.org")
LEADS = {"prop": "extracts|info", "exintro": "1", "explaintext": "1", "exlimit": "20", "redirects": "1"}


def ask(api: ActionApi = WIKIPEDIA, **parameters: str) -> dict[str, Any]:
    answer, _ = api.answer({"action": "query", "format": "json", "formatversion": "2", **parameters}, BASE)
    return answer


def titled(answer: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {page["title"]: page for page in answer["query"]["pages"]}


def test_fifty_leads_come_in_three_answers() -> None:
    titles = "|".join(f"Village {number:02d}" for number in range(50, 0, -1))
    first = ask(titles=titles, **LEADS)
    assert first["continue"] == {"excontinue": 20, "continue": "||info"}
    assert "batchcomplete" not in first
    pages = first["query"]["pages"]
    assert len(pages) == 50
    # Pages stand in the order of their numbers, extracts come in the order of titles.
    assert [page["pageid"] for page in pages] == sorted(page["pageid"] for page in pages)
    assert sorted(page["title"] for page in pages if "extract" in page) == [f"Village {n:02d}" for n in range(1, 21)]
    assert all("lastrevid" in page for page in pages)

    second = ask(titles=titles, **LEADS, **{"continue": "||info", "excontinue": "20"})
    assert second["continue"]["excontinue"] == 40
    assert not any("lastrevid" in page for page in second["query"]["pages"])
    third = ask(titles=titles, **LEADS, **{"continue": "||info", "excontinue": "40"})
    assert third["batchcomplete"] is True
    texts = {
        page["title"]: page["extract"]
        for answer in (first, second, third)
        for page in answer["query"]["pages"]
        if "extract" in page
    }
    assert texts == {f"Village {number:02d}": f"Village {number}." for number in range(1, 51)}


def test_redirects_and_chains_are_followed_and_reported() -> None:
    answer = ask(titles="old_one|Older|Part|Nowhere|Missing", **LEADS)
    assert answer["query"]["normalized"] == [{"fromencoded": False, "from": "old_one", "to": "Old one"}]
    assert answer["query"]["redirects"] == [
        {"from": "Old one", "to": "Village 01"},
        {"from": "Older", "to": "Old one"},
        {"from": "Part", "to": "Village 02", "tofragment": "History"},
        {"from": "Nowhere", "to": "Gone"},
    ]
    pages = titled(answer)
    assert set(pages) == {"Village 01", "Village 02", "Gone", "Missing"}
    assert pages["Village 01"]["extract"] == "Village 1."
    assert pages["Gone"]["missing"] is True
    assert "extract" not in pages["Gone"]


def test_redirects_in_a_circle_end() -> None:
    answer = ask(titles="Round", **LEADS)
    assert [entry["from"] for entry in answer["query"]["redirects"]] == ["Round", "Circle"]
    assert "pages" not in answer["query"]


def test_without_redirects_the_redirect_itself_comes() -> None:
    page = titled(ask(titles="Old one", prop="extracts|info", exintro="1", explaintext="1"))["Old one"]
    assert page["redirect"] is True
    assert page["extract"] == ""


def test_first_version_has_pages_by_number_and_flags_as_empty_strings() -> None:
    answer = ask(titles="Older|Missing|Bad[x", **{**LEADS, "formatversion": "1"})
    assert answer["batchcomplete"] == ""
    pages = answer["query"]["pages"]
    assert set(pages) == {"99", "-1", "-2"}
    assert pages["-1"]["invalid"] == ""
    assert pages["-2"]["missing"] == ""
    assert ask(titles="village_01", **{**LEADS, "formatversion": "1"})["query"]["normalized"] == [
        {"from": "village_01", "to": "Village 01"}
    ]


def test_titles_that_mean_the_same_page_are_merged() -> None:
    answer = ask(titles="Village 01|village_01|Village 01#x|Village 01", prop="info|pageprops", inprop="url")
    (page,) = answer["query"]["pages"]
    assert page["pageprops"] == {"wikibase_item": "Q99"}
    assert page["fullurl"] == "https://en.wikipedia.org/wiki/Village_01"
    assert len(answer["query"]["normalized"]) == 2


def test_decomposed_letters_are_reported_encoded() -> None:
    answer = ask(titles="E\u0301vreux")
    assert answer["query"]["normalized"] == [{"fromencoded": True, "from": "E%CC%81vreux", "to": "Évreux"}]
    assert "NFC" in answer["warnings"]["query"]["warnings"]


def test_page_of_another_wiki_is_no_page() -> None:
    answer = ask(titles="de:Foo")
    assert answer["query"] == {"interwiki": [{"title": "de:Foo", "iw": "de"}]}


@pytest.mark.parametrize(
    ("parameters", "code"),
    [
        ({"titles": "|".join(f"T{number}" for number in range(51))}, "toomanyvalues"),
        ({"action": "frob"}, "badvalue"),
        ({"format": "xml"}, "badvalue"),
        ({"titles": "Village 01", "maxlag": "-1"}, "maxlag"),
        ({"titles": "Village 01", "maxlag": "soon"}, "badinteger"),
        ({"titles": "Village 01", "prop": "extracts", "excontinue": "7"}, "badcontinue"),
    ],
)
def test_errors_are_json_with_a_code(parameters: dict[str, str], code: str) -> None:
    answer, headers = WIKIPEDIA.answer({"action": "query", "format": "json", "formatversion": "2", **parameters}, BASE)
    assert answer["error"]["code"] == code
    assert answer["error"]["info"]
    assert headers["MediaWiki-API-Error"] == code
    assert ("Retry-After" in headers) == (code == "maxlag")


def test_what_is_unknown_is_warned_of() -> None:
    answer = ask(titles="Village 01", prop="foo|info|bar", frob="1")
    assert answer["warnings"]["query"]["warnings"] == 'Unrecognized values for parameter "prop": foo, bar'
    assert answer["warnings"]["main"]["warnings"] == "Unrecognized parameter: frob."
    assert "lastrevid" in titled(answer)["Village 01"]
    old = ask(titles="Village 01", prop="foo", formatversion="1")
    assert old["warnings"]["query"]["*"] == 'Unrecognized value for parameter "prop": foo'


def test_whole_articles_come_one_by_one() -> None:
    answer = ask(titles="Village 01|Village 02", prop="extracts", explaintext="1")
    assert answer["continue"] == {"excontinue": 1, "continue": "||"}
    assert "lowered to 1" in answer["warnings"]["extracts"]["warnings"]


def test_nothing_asked_nothing_answered() -> None:
    assert ask() == {"batchcomplete": True}


INFO = {"prop": "imageinfo", "iiprop": "url|size|mime|mediatype|sha1|extmetadata|timestamp", "iiurlwidth": "330"}


def info_of(name: str, **parameters: str) -> dict[str, Any]:
    answer = ask(COMMONS, titles=f"File:{name}", **{**INFO, **parameters})
    (page,) = answer["query"]["pages"]
    assert page["imagerepository"] == "local"
    (info,) = page["imageinfo"]
    return dict(info)


def test_file_has_its_thumbnail_address() -> None:
    info = info_of("A b.jpg")
    root = f"{BASE}/upload.wikimedia.org/wikipedia/commons"
    folder = info["url"].removeprefix(root).removesuffix("/A_b.jpg")
    assert info["url"] == f"{root}{folder}/A_b.jpg"
    assert info["thumburl"] == f"{root}/thumb{folder}/A_b.jpg/330px-A_b.jpg"
    assert (info["thumbwidth"], info["thumbheight"]) == (330, 248)
    assert (info["width"], info["height"], info["size"], info["sha1"]) == (400, 300, 9, "ab")
    assert info["mediatype"] == "BITMAP"


def test_small_picture_is_its_own_thumbnail_and_drawings_are_scaled_up() -> None:
    small = info_of("Small.png")
    assert small["thumburl"] == small["url"]
    assert (small["thumbwidth"], small["thumbheight"]) == (200, 100)
    flag = info_of("Flag.svg")
    assert flag["thumburl"].endswith("/330px-Flag.svg.png")
    assert (flag["thumbwidth"], flag["thumbheight"], flag["mediatype"]) == (330, 220, "DRAWING")


def test_sound_shows_an_icon_and_paper_its_first_page() -> None:
    assert info_of("Song.ogg")["thumburl"].endswith("/fileicon-ogg.png")
    assert info_of("Paper.pdf")["thumburl"].endswith("/page1-330px-Paper.pdf.jpg")


def test_file_redirects_and_missing_files() -> None:
    answer = ask(COMMONS, titles="File:old.jpg|Image:None.jpg|Berlin", redirects="1", **INFO)
    assert answer["query"]["redirects"] == [{"from": "File:Old.jpg", "to": "File:A b.jpg"}]
    pages = titled(answer)
    assert pages["File:A b.jpg"]["imageinfo"][0]["sha1"] == "ab"
    assert pages["File:None.jpg"] == {
        "ns": 6, "title": "File:None.jpg", "missing": True, "imagerepository": "",
    }  # fmt: skip
    assert pages["Berlin"]["missing"] is True


def test_metadata_is_filtered() -> None:
    assert info_of("A b.jpg")["extmetadata"] == {"Artist": {"value": "x"}}
    assert info_of("A b.jpg", iiextmetadatafilter="Credit|Licence")["extmetadata"] == {}
    assert set(info_of("A b.jpg", iiprop="sha1|mime")) == {"sha1", "mime"}
