"""The Wikipedia client against a real MediaWiki and against the local Wikimedia: the same tests, the same answers."""

import gzip
import json
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests

from mlm_assets.errors import RequestRejected, ServiceUnavailable
from mlm_assets.local_wikimedia.process import running_server
from mlm_assets.resources.action_api import query
from mlm_assets.resources.http import Transport
from mlm_assets.resources.wikipedia import LeadText, Wikipedia
from mlm_assets.settings import Settings
from tests.services.mediawiki import running_mediawiki, why_not

N_TOWNS = 60
TOWNS = [f"Town {n:02d}" for n in range(N_TOWNS)]


@dataclass(frozen=True)
class Page:
    """A page as wikitext for the real MediaWiki, and what the local one is told of it."""

    wikitext: str
    extract: str = ""
    redirect_to: str | None = None


def redirect(target: str) -> Page:
    return Page(f"#REDIRECT [[{target}]]", redirect_to=target)


LONG = [
    f"Sentence {n} about a '''very''' long [[lead]], with [https://example.org a link] &amp; more." for n in range(80)
]
LONG_WIKITEXT = " ".join(LONG) + "\n\n== A ==\nNot this."
LONG_EXTRACT = " ".join(f"Sentence {n} about a very long lead, with a link & more." for n in range(80))
ALPHA_WIKITEXT = "'''Alpha''' is a [[town]].\n\nIt is old.\n\n== History ==\nOld.\n\n=== More ===\nText."
PAGES = {
    "Alpha": Page(ALPHA_WIKITEXT, "Alpha is a town.\nIt is old."),
    "Long": Page(LONG_WIKITEXT, LONG_EXTRACT),
    "Only sections": Page("== A ==\nText"),
    "Empty": Page(""),
    "Beta": redirect("Alpha#History"),
    "Gamma": redirect("Beta"),
    "Delta": redirect("Gamma"),
    "Gone": redirect("Nowhere"),
    "Circle": redirect("Round"),
    "Round": redirect("Circle"),
    "Straße": Page("Eine Straße.", "Eine Straße."),
    "Éclair": Page("Un éclair.", "Un éclair."),
    "Łódź": Page("Miasto.", "Miasto."),
    "Ōsaka 大阪": Page("大阪.", "大阪."),
    "'s-Gravenhage": Page("Den Haag.", "Den Haag."),
    "AC/DC & Co. (100% town)": Page("x &amp; y", "x & y"),
    'Why? +1="2"': Page("Because.", "Because."),
    **{town: Page(f"{town} is a town.\n\n== S ==\nx", f"{town} is a town.") for town in TOWNS},
}
RAW = {"prop": "extracts|info", "exintro": "1", "explaintext": "1", "exlimit": "20", "redirects": "1"}


class Wiki:
    """One wiki under test."""

    def __init__(self, api_url: str, folder: Path) -> None:
        self.api_url = api_url
        self._folder = folder

    def client(self, **more: Any) -> tuple[Wikipedia, Transport]:
        settings = self.settings(**more)
        transport = Transport(settings)
        return Wikipedia(transport, settings), transport

    def settings(self, **more: Any) -> Settings:
        return Settings(wikipedia_url=self.api_url, lock_dir=self._folder / "locks", **more)

    def ask(self, *titles: str) -> dict[str, LeadText]:
        """Return what the client yields, by requested title."""
        found = list(self.client()[0].lead_texts("en", titles))
        by_title = {text.requested_title: text for text in found}
        assert len(by_title) == len(found)
        return by_title

    def raw(self, titles: list[str], **params: Any) -> requests.Response:
        form = {"action": "query", "format": "json", "formatversion": "2", "titles": "|".join(titles), **RAW, **params}
        return requests.post(self.api_url, data=form, timeout=30)


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Wiki]:
    if reason := why_not():
        pytest.skip(reason)
    folder = tmp_path_factory.mktemp("mediawiki")
    with running_mediawiki(folder, {title: page.wikitext for title, page in PAGES.items()}) as api_url:
        yield Wiki(api_url, folder)


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Wiki]:
    folder = tmp_path_factory.mktemp("local")
    (folder / "files").mkdir()
    (folder / "files.jsonl").write_text("")
    (folder / "wikidata.nt.gz").write_bytes(gzip.compress(b""))
    with (folder / "pages.jsonl").open("w", encoding="utf-8") as lines:
        for title, page in PAGES.items():
            row = {"lang": "en", "title": title, "extract": page.extract, "redirect_to": page.redirect_to}
            lines.write(json.dumps({name: value for name, value in row.items() if value is not None}) + "\n")
    with running_server(world=folder) as base:
        yield Wiki(f"{base}/en.wikipedia.org/w/api.php", folder)


@pytest.fixture(params=[pytest.param("real", marks=pytest.mark.mediawiki), "local"])
def wiki(request: pytest.FixtureRequest) -> Wiki:
    return request.getfixturevalue(request.param)


class TestEitherWiki:
    def test_the_text_before_the_first_heading(self, wiki: Wiki) -> None:
        found = wiki.ask("Alpha", "Long", "Straße", "Ōsaka 大阪")
        for title, text in found.items():
            assert (text.status, text.text, text.title, text.is_redirect) == ("ok", PAGES[title].extract, title, False)
            assert text.revision is not None
            assert text.pageid is not None
        assert len(found["Long"].text or "") > 4000

    def test_pages_without_a_lead_are_empty(self, wiki: Wiki) -> None:
        for text in wiki.ask("Empty", "Only sections").values():
            assert (text.status, text.text) == ("empty", None)
            assert text.pageid is not None

    def test_redirects_lead_to_their_page_through_chains_and_to_sections(self, wiki: Wiki) -> None:
        found = wiki.ask("Beta", "Gamma", "Delta", "Alpha", "gamma")
        assert {text.text for text in found.values()} == {PAGES["Alpha"].extract}
        assert {title for title, text in found.items() if text.is_redirect} == {"Beta", "Gamma", "Delta", "gamma"}
        assert {text.pageid for text in found.values()} == {found["Alpha"].pageid}

    def test_redirects_to_nowhere_and_in_a_circle_are_missing(self, wiki: Wiki) -> None:
        for text in wiki.ask("Gone", "Circle", "Round").values():
            assert (text.status, text.text, text.is_redirect) == ("missing", None, True)
        assert wiki.ask("Circle")["Circle"].status == "missing"

    def test_titles_are_normalised_and_come_back_as_they_were_asked(self, wiki: Wiki) -> None:
        ways = {
            "alpha": "Alpha",
            "Alpha_": "Alpha",
            " Alpha": "Alpha",
            "Town__07": "Town 07",
            "town 08": "Town 08",
            "straße": "Straße",
            "łódź": "Łódź",
            unicodedata.normalize("NFD", "Éclair"): "Éclair",
            unicodedata.normalize("NFD", "éclair"): "Éclair",
            ":Alpha": "Alpha",
            "Alpha#History": "Alpha",
        }
        found = wiki.ask(*ways)
        assert {requested: text.title for requested, text in found.items()} == ways
        assert {text.status for text in found.values()} == {"ok"}

    def test_special_characters_in_titles(self, wiki: Wiki) -> None:
        titles = ["'s-Gravenhage", "AC/DC & Co. (100% town)", 'Why? +1="2"', "Łódź"]
        assert {title: text.text for title, text in wiki.ask(*titles).items()} == {t: PAGES[t].extract for t in titles}

    def test_missing_and_invalid_titles(self, wiki: Wiki) -> None:
        missing = ["Nowhere", "nowhere else", "Ünbekannt", "é" * 127]
        invalid = ["<b>", "[x]", "a{{b", "./x", "a/../b", "~~~~", "%41lpha", "x" * 256, "é" * 128, "#x", "A|B", ""]
        found = wiki.ask(*missing, *invalid)
        assert {title for title, text in found.items() if text.status == "missing"} == set(missing)
        assert {title for title, text in found.items() if text.status == "invalid_title"} == set(invalid)
        assert all(text.text is text.revision is None for text in found.values())

    def test_twenty_titles_a_request(self, wiki: Wiki) -> None:
        wikipedia, transport = wiki.client()
        found = list(wikipedia.lead_texts("en", TOWNS))
        assert transport.requests == {"action_api": 3}
        assert [text.text for text in found] == [PAGES[town].extract for town in TOWNS]

    def test_long_requests_go_by_post(self, wiki: Wiki) -> None:
        titles = [f"{'Ł' * 50} {n}" for n in range(19)] + ["Alpha"]
        assert [text.status for text in wiki.ask(*titles).values()] == ["missing"] * 19 + ["ok"]

    def test_fifty_titles_come_in_three_answers(self, wiki: Wiki) -> None:
        extracts, more, n_answers = {}, {}, 0
        while True:
            document = wiki.raw(TOWNS[:50], **more).json()
            pages = document["query"]["pages"]
            assert len(pages) == 50
            extracts |= {page["title"]: page["extract"] for page in pages if "extract" in page}
            n_answers += 1
            if "continue" not in document:
                assert document["batchcomplete"] is True
                break
            more = document["continue"]
            assert set(more) == {"excontinue", "continue"}
        assert n_answers == 3
        assert extracts == {town: PAGES[town].extract for town in TOWNS[:50]}

    def test_the_client_follows_what_is_continued(self, wiki: Wiki) -> None:
        settings = wiki.settings()
        transport = Transport(settings)
        params = {**RAW, "titles": "|".join(TOWNS[:50])}
        pages = query(transport, settings, "wikipedia/en", wiki.api_url, params, ("excontinue",))
        assert transport.requests == {"action_api": 3}
        assert {title: page["extract"] for title, page in pages.by_title.items()} == {
            t: PAGES[t].extract for t in TOWNS[:50]
        }

    def test_more_than_fifty_titles_are_too_many(self, wiki: Wiki) -> None:
        assert wiki.raw(TOWNS[:51]).json()["error"]["code"] == "toomanyvalues"
        settings = wiki.settings()
        params = {**RAW, "titles": "|".join(TOWNS[:51])}
        with pytest.raises(RequestRejected, match="toomanyvalues"):
            query(Transport(settings), settings, "wikipedia/en", wiki.api_url, params, ())

    def test_maxlag_is_an_error_with_status_200_and_a_retry_after(self, wiki: Wiki) -> None:
        # A server without replicas never lags by more than -1 s: a limit below that is always exceeded.
        answer = wiki.raw(["Alpha"], maxlag="-2")
        assert answer.status_code == 200
        assert answer.headers["Retry-After"] == "5"
        assert answer.headers["Content-Type"] == "application/json; charset=utf-8"
        assert answer.json()["error"]["code"] == "maxlag"
        assert wiki.raw(["Alpha"], maxlag="5").json()["query"]["pages"][0]["title"] == "Alpha"

    def test_the_client_waits_for_maxlag_and_gives_up_after_its_attempts(self, wiki: Wiki, tmp_path: Path) -> None:
        settings = wiki.settings(max_attempts=3).model_copy(update={"maxlag_s": -2, "lock_dir": tmp_path})
        time, pauses = [1_700_000_000.0], []

        def sleep(seconds: float) -> None:
            pauses.append(seconds)
            time[0] += seconds

        transport = Transport(settings, sleep=sleep, now=lambda: time[0])
        with pytest.raises(ServiceUnavailable, match="maxlag"):
            list(Wikipedia(transport, settings).lead_texts("en", ["Alpha"]))
        assert transport.requests == {"action_api": 3}
        assert sum(pauses) == pytest.approx(2 * 5, abs=0.1)


@pytest.mark.mediawiki
class TestBothAlike:
    ASKED = (
        *PAGES,
        "alpha",
        "Alpha_",
        "gamma",
        "nowhere",
        "<b>",
        "[x]",
        "a{{b",
        "./x",
        "x" * 256,
        "é" * 128,
        ":Alpha",
        "Alpha#History",
        unicodedata.normalize("NFD", "Éclair"),
        "Town__01",
        "Alpha#",
        "aC/DC & Co. (100% town)",
    )

    def test_the_client_sees_the_same(self, real: Wiki, local: Wiki) -> None:
        def seen(wiki: Wiki) -> dict[str, LeadText]:
            return {title: text._replace(revision=None, pageid=None) for title, text in wiki.ask(*self.ASKED).items()}

        assert seen(real) == seen(local)

    @pytest.mark.parametrize("version", ["1", "2"])
    @pytest.mark.parametrize(
        "params",
        [
            {},
            {"redirects": None},
            {"exlimit": "max"},
            {"exlimit": "21"},
            {"prop": "info"},
            {"prop": "nonsense"},
            {"maxlag": "5"},
        ],
        ids=str,
    )
    def test_the_documents_are_the_same(
        self, real: Wiki, local: Wiki, params: dict[str, str | None], version: str
    ) -> None:
        for start in range(0, len(self.ASKED), 50):
            titles = list(self.ASKED[start : start + 50])
            documents = [wiki.raw(titles, formatversion=version, **params).json() for wiki in (real, local)]
            assert comparable(documents[0]) == comparable(documents[1])

    def test_the_errors_are_the_same(self, real: Wiki, local: Wiki) -> None:
        for titles, params in (
            (TOWNS[:51], {}),
            (TOWNS[:50], {"excontinue": "99", "continue": "||info"}),
            (["Alpha"], {"maxlag": "-2"}),
            (["Alpha"], {"maxlag": "x"}),
            (["Alpha"], {"action": "nonsense"}),
        ):
            answers = [wiki.raw(titles, **params) for wiki in (real, local)]
            for name in ("Content-Type", "Retry-After", "MediaWiki-API-Error"):
                assert len({answer.headers.get(name) for answer in answers}) == 1
            assert len({(answer.status_code, answer.json()["error"]["code"]) for answer in answers}) == 1


def comparable(document: dict[str, Any]) -> Any:
    """Return a document without what no two wikis share: numbers, times, sizes, the order of pages.

    Nor is a warning about parameters that no module took compared: it depends on what is installed.
    """
    document.get("warnings", {}).pop("main", None)
    if not document.get("warnings", True):
        del document["warnings"]
    pages = document.get("query", {}).get("pages", [])
    listed = list(pages.values()) if isinstance(pages, dict) else pages
    for page in listed:
        for name in ("pageid", "lastrevid", "touched", "length", "new"):
            page.pop(name, None)
    if listed:
        document["query"]["pages"] = listed
    for name, values in document.get("query", {}).items():
        document["query"][name] = sorted(values, key=lambda value: json.dumps(value, sort_keys=True))
    return document
