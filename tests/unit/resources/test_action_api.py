"""Both Action API clients against scripted and recorded answers: titles that lead elsewhere, continuation, errors."""

import json
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlm_assets.errors import MlmError, Refused, RequestRejected, ServiceUnavailable
from mlm_assets.resources import action_api
from mlm_assets.resources.action_api import read_document
from mlm_assets.resources.commons import Commons, FileMetadata, plain_text
from mlm_assets.resources.failures import CorruptFile, FileMissing, Retry, TooManyValues
from mlm_assets.resources.http import Answer, Transport
from mlm_assets.resources.wikipedia import LeadText, Wikipedia
from tests.conftest import shared_folder
from tests.unit.resources.scripted import (
    Clock,
    MemoryStore,
    Received,
    Reply,
    ScriptedServer,
    json_reply,
    make_settings,
    make_transport,
    serving,
)


def asked(received: Received) -> dict[str, str]:
    text = received.body.decode() or urlsplit(received.path).query
    return {name: values[0] for name, values in parse_qs(text, keep_blank_values=True).items()}


def clients(
    server: ScriptedServer, folder: Path, store=None, clock=None, mode="fetch", **more
) -> tuple[Wikipedia, Commons, Transport]:
    settings = make_settings(
        folder,
        wikipedia_url=server.url + "/{lang}.wikipedia.org/w/api.php",
        commons_url=server.url + "/commons/w/api.php",
        **more,
    )
    transport = make_transport(settings, clock, store, mode)
    return Wikipedia(transport, settings), Commons(transport, settings), transport


def page(title: str, extract: str | None = "Text.", number: int = 1, **more) -> dict:
    return {"pageid": number, "ns": 0, "title": title, "extract": extract, "lastrevid": number * 100, **more}


def query(*pages: dict, **more) -> Reply:
    return json_reply({"batchcomplete": True, "query": {"pages": list(pages), **more}})


# -- Wikipedia -----------------------------------------------------------------------------------------------------


def test_what_is_asked(tmp_path: Path) -> None:
    with serving(query(page("A"))) as server:
        wikipedia, _, _ = clients(server, tmp_path, maxlag_s=7)
        list(wikipedia.lead_texts("de", ["A", "Ä B"]))
        (received,) = server.received
    assert received.method == "GET"
    assert received.path.startswith("/de.wikipedia.org/w/api.php?")
    assert asked(received) == {
        "action": "query",
        "prop": "extracts|info",
        "exintro": "1",
        "explaintext": "1",
        "exlimit": "20",
        "redirects": "1",
        "maxlag": "7",
        "format": "json",
        "formatversion": "2",
        "titles": "A|Ä B",
    }


def test_every_requested_title_comes_back_once_whatever_it_led_to(tmp_path: Path) -> None:
    reply = query(
        page("Alpha", "Alpha is a town.", 1),
        page("Beta", "", 2),
        {"ns": 0, "title": "Nowhere", "missing": True},
        {"title": "<x>", "invalidreason": "…", "invalid": True},
        {"ns": -1, "title": "Special:Version", "special": True},
        normalized=[{"fromencoded": False, "from": "alpha", "to": "Alpha"}, {"from": "old", "to": "Old"}],
        redirects=[
            {"from": "Old", "to": "Older", "tofragment": "History"},
            {"from": "Older", "to": "Alpha"},
            {"from": "Gone", "to": "Nowhere"},
            {"from": "Circle", "to": "Round"},
            {"from": "Round", "to": "Circle"},
        ],
        interwiki=[{"title": "fr:Paris", "iw": "fr"}],
    )
    titles = [
        "Alpha",
        "alpha",
        "old",
        "Gone",
        "Circle",
        "Beta",
        "<x>",
        "fr:Paris",
        "Special:Version",
        "Alpha ",
        "A|B",
        "",
        "Alpha",
    ]
    with serving(reply) as server:
        wikipedia, _, _ = clients(server, tmp_path)
        found = list(wikipedia.lead_texts("en", titles))
        assert len(server.received) == 1
        assert asked(server.received[0])["titles"] == "Alpha|alpha|old|Gone|Circle|Beta|<x>|fr:Paris|Special:Version"
    assert sorted(text.requested_title for text in found) == sorted(set(titles))
    key = found[-1].answer_key
    by_title = {text.requested_title: text for text in found}
    alpha = LeadText("Alpha", "Alpha", "ok", "Alpha is a town.", 100, 1, False, key)
    assert by_title["Alpha"] == alpha
    assert by_title["Alpha "] == alpha._replace(requested_title="Alpha ")
    assert by_title["alpha"] == alpha._replace(requested_title="alpha")
    assert by_title["old"] == alpha._replace(requested_title="old", is_redirect=True)
    assert by_title["Gone"] == LeadText("Gone", "Nowhere", "missing", None, None, None, True, key)
    assert by_title["Circle"] == LeadText("Circle", None, "missing", None, None, None, True, key)
    assert by_title["Beta"] == LeadText("Beta", "Beta", "empty", None, 200, 2, False, key)
    for title in ("<x>", "fr:Paris", "Special:Version", "A|B", ""):
        assert by_title[title].status == "invalid_title"
        assert by_title[title].text is None


def test_titles_go_in_twenties_and_none_is_asked_twice(tmp_path: Path) -> None:
    titles = [f"Town {n}" for n in range(41)] + ["Town_7", " Town  8", "Town 9"]
    with serving(query(*(page(f"Town {n}", number=n + 1) for n in range(41)))) as server:
        wikipedia, _, _ = clients(server, tmp_path)
        found = list(wikipedia.lead_texts("en", titles))
        sent = [title for received in server.received for title in asked(received)["titles"].split("|")]
        assert len(server.received) == 3
    assert sent == [f"Town {n}" for n in range(41)]
    assert {text.requested_title for text in found} == set(titles)
    assert all(text.status == "ok" for text in found)


def test_a_continued_answer_is_followed_and_put_together(tmp_path: Path) -> None:
    def without(*pages: dict) -> list[dict]:
        return [{name: value for name, value in p.items() if name != "extract"} for p in pages]

    a, b, c = (page(title, f"{title}.", number) for number, title in enumerate("ABC", 1))
    first = {"continue": {"excontinue": 1, "continue": "||info"}, "query": {"pages": [a, *without(b, c)]}}
    second = {"continue": {"excontinue": 2, "continue": "||info"}, "query": {"pages": [b, *without(a, c)]}}
    third = {"batchcomplete": True, "query": {"pages": [c, *without(a, b)]}}
    with serving(*map(json_reply, (first, second, third))) as server:
        wikipedia, _, _ = clients(server, tmp_path)
        found = list(wikipedia.lead_texts("en", ["A", "B", "C"]))
        assert [asked(received).get("excontinue") for received in server.received] == [None, "1", "2"]
        assert asked(server.received[1])["continue"] == "||info"
    assert [text.text for text in found] == ["A.", "B.", "C."]
    assert len({text.answer_key for text in found}) == 1


def test_an_answer_that_continues_for_ever_is_rejected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(action_api, "MAX_CONTINUED", 5)
    endless = {"continue": {"excontinue": 1, "continue": "||"}, "query": {"pages": [page("A")]}}
    with serving(json_reply(endless)) as server:
        wikipedia, _, _ = clients(server, tmp_path)
        with pytest.raises(RequestRejected, match="without end"):
            list(wikipedia.lead_texts("en", ["A"]))
        assert len(server.received) == 5


def test_long_requests_are_posted_under_the_same_key(tmp_path: Path) -> None:
    titles = [f"{'Ł' * 40} {n}" for n in range(20)]
    with serving(query(*(page(title) for title in titles))) as server:
        wikipedia, _, _ = clients(server, tmp_path)
        assert len(list(wikipedia.lead_texts("pl", titles))) == 20
        (received,) = server.received
    assert received.method == "POST"
    assert "?" not in received.path
    assert asked(received)["titles"] == "|".join(titles)


def test_maxlag_is_waited_for(tmp_path: Path) -> None:
    clock, store = Clock(), MemoryStore()
    lagging = json_reply(
        {"error": {"code": "maxlag", "info": "Waiting for all: 6 seconds lagged."}}, headers={"Retry-After": "5"}
    )
    with serving(lagging, lagging, query(page("A"))) as server:
        wikipedia, _, _ = clients(server, tmp_path, store, clock)
        assert [text.status for text in wikipedia.lead_texts("en", ["A"])] == ["ok"]
        assert len(server.received) == 3
    assert sum(clock.pauses) == pytest.approx(10, abs=0.1)
    assert len(store.answers) == 1


def test_too_many_values_are_halved(tmp_path: Path) -> None:
    too_many = json_reply({"error": {"code": "toomanyvalues", "info": "The limit is 2."}})
    with serving(too_many, query(page("A"), page("B")), query(page("C"))) as server:
        wikipedia, _, _ = clients(server, tmp_path)
        assert [text.status for text in wikipedia.lead_texts("en", ["A", "B", "C"])] == ["ok"] * 3
        assert [asked(received)["titles"] for received in server.received] == ["A|B|C", "A|B", "C"]
    with serving(too_many) as server, pytest.raises(TooManyValues):
        list(clients(server, tmp_path)[0].lead_texts("en", ["A"]))


def test_an_api_error_is_rejected_with_its_words(tmp_path: Path) -> None:
    with serving(json_reply({"error": {"code": "unknown_action", "info": "Unrecognized value."}})) as server:
        wikipedia, _, _ = clients(server, tmp_path)
        with pytest.raises(RequestRejected, match=r"unknown_action.*Unrecognized value"):
            list(wikipedia.lead_texts("en", ["A"]))
        assert len(server.received) == 1
        with pytest.raises(Refused, match="language"):
            list(wikipedia.lead_texts("en.evil.example/", ["A"]))
        assert len(server.received) == 1


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"<html>", "text/html"),
        (b"{}", "text/html"),
        (b'{"query": {"pages": [', "application/json"),
        (b"[]", "application/json"),
        (b"{}", "application/json"),
        (b'{"query": []}', "application/json"),
        (b'{"error": {"code": "ratelimited"}}', "application/json"),
        (b'{"error": {"code": "readonly"}}', "application/json"),
        (b'{"errors": [{"code": "maxlag"}]}', "application/json"),
        (b'{"error": {"code": "internal_api_error_DBQueryError"}}', "application/json"),
    ],
)
def test_what_is_no_answer_is_asked_again(body: bytes, kind: str) -> None:
    with pytest.raises(Retry):
        read_document(Answer(200, {"content-type": kind}, body, "", False))


def test_a_document_that_breaks_off_anywhere_is_asked_again() -> None:
    body = json.dumps({"batchcomplete": True, "query": {"pages": [page("Berlin", "Ä")]}}).encode()
    for length in range(len(body)):
        with pytest.raises(Retry):
            read_document(Answer(200, {"content-type": "application/json"}, body[:length], "", False))


# -- Commons -------------------------------------------------------------------------------------------------------

SHA1 = "da39a3ee5e6b4b0d3255bfef95601890afd80709"


def file_page(title: str, url: str = "http://127.0.0.1:1/x.jpg", **more) -> dict:
    info = {
        "timestamp": "2020-01-02T03:04:05Z",
        "size": 1000,
        "width": 640,
        "height": 480,
        "mime": "image/jpeg",
        "mediatype": "BITMAP",
        "sha1": SHA1,
        "url": "http://127.0.0.1:1/original.jpg",
        "thumburl": url,
        "thumbwidth": 330,
        "thumbheight": 248,
        "extmetadata": {
            "LicenseShortName": {"value": "CC BY-SA 4.0"},
            "LicenseUrl": {"value": "https://creativecommons.org/licenses/by-sa/4.0"},
            "Artist": {"value": '<a href="//x" title="User:A">Änne &amp;<br> Söhne</a><style>.a{}</style>'},
            "Credit": {"value": " "},
        },
        **more,
    }
    return {"pageid": 5, "ns": 6, "title": title, "imagerepository": "local", "imageinfo": [info]}


def test_metadata_of_files(tmp_path: Path) -> None:
    reply = query(
        file_page("File:New name.jpg"),
        {"ns": 6, "title": "File:Nothing.png", "missing": True, "imagerepository": ""},
        {"pageid": 9, "ns": 6, "title": "File:Page only.png", "imagerepository": ""},
        {"title": "File:<x>.png", "invalid": True, "invalidreason": "…"},
        normalized=[{"from": "File:old name.jpg", "to": "File:Old name.jpg"}],
        redirects=[{"from": "File:Old name.jpg", "to": "File:New name.jpg"}],
    )
    names = ["old name.jpg", "Old_name.jpg", "Nothing.png", "Page only.png", "<x>.png", "a|b.png"]
    with serving(reply) as server:
        _, commons, _ = clients(server, tmp_path)
        found = {metadata.requested_name: metadata for metadata in commons.file_metadata(names)}
        (received,) = server.received
    assert asked(received) == {
        "action": "query",
        "prop": "imageinfo",
        "iiprop": "url|size|mime|mediatype|sha1|extmetadata|timestamp",
        "iiurlwidth": "330",
        "iiextmetadatafilter": "LicenseShortName|LicenseUrl|Artist|Attribution|Credit|DeletionReason",
        "redirects": "1",
        "maxlag": "5",
        "format": "json",
        "formatversion": "2",
        "titles": "File:old name.jpg|File:Old name.jpg|File:Nothing.png|File:Page only.png|File:<x>.png",
    }
    key = found["Nothing.png"].answer_key
    assert found["old name.jpg"] == FileMetadata(
        "old name.jpg",
        "New name.jpg",
        "ok",
        SHA1,
        "image/jpeg",
        640,
        480,
        1000,
        "http://127.0.0.1:1/x.jpg",
        330,
        248,
        "CC BY-SA 4.0",
        "https://creativecommons.org/licenses/by-sa/4.0",
        "Änne & Söhne",
        None,
        None,
        "2020-01-02T03:04:05Z",
        key,
    )
    assert found["Old_name.jpg"] == found["old name.jpg"]._replace(requested_name="Old_name.jpg")
    assert found["Nothing.png"] == FileMetadata("Nothing.png", "Nothing.png", "missing", answer_key=key)
    assert found["Page only.png"].status == "missing"
    assert found["<x>.png"].status == found["a|b.png"].status == "invalid"


def test_the_credit_is_what_the_author_prescribes_else_the_source(tmp_path: Path) -> None:
    pages = []
    for name, said in (
        ("Own.jpg", {"Credit": "<span>Own work</span>"}),
        ("Asked.jpg", {"Credit": "Own work", "Attribution": "© Änne <b>Söhne</b>, via a fair"}),
        ("Blank.jpg", {"Credit": "An album", "Attribution": " "}),
    ):
        page = file_page(f"File:{name}")
        page["imageinfo"][0]["extmetadata"] = {key: {"value": value} for key, value in said.items()}
        pages.append(page)
    with serving(json_reply({"query": {"pages": pages}})) as server:
        _, commons, _ = clients(server, tmp_path)
        found = {one.requested_name: one.credit for one in commons.file_metadata(["Own.jpg", "Asked.jpg", "Blank.jpg"])}
    assert found == {"Own.jpg": "Own work", "Asked.jpg": "© Änne Söhne, via a fair", "Blank.jpg": "An album"}


def test_files_go_in_fifties_and_their_history_is_not_followed(tmp_path: Path) -> None:
    names = [f"F{n}.jpg" for n in range(101)]
    reply = {
        "continue": {"iistart": "2008-06-06T22:27:45Z", "continue": "||"},
        "query": {"pages": [file_page(f"File:{name}") for name in names]},
    }
    with serving(json_reply(reply)) as server:
        _, commons, _ = clients(server, tmp_path)
        assert sum(metadata.status == "ok" for metadata in commons.file_metadata(names)) == 101
        assert [len(asked(received)["titles"].split("|")) for received in server.received] == [50, 50, 1]


def thumbnail(server: ScriptedServer) -> FileMetadata:
    return FileMetadata(
        "A.jpg", "A.jpg", "ok", SHA1, "image/jpeg", thumb_url=server.url + "/330px-A.jpg", thumb_width_px=330
    )


def check(body: bytes) -> int:
    if not body.startswith(b"picture"):
        raise ValueError("no picture")
    return len(body)


def test_a_download_is_checked_before_it_counts(tmp_path: Path) -> None:
    store = MemoryStore()
    with serving(
        Reply(body=b"garbage"), Reply(body=b"picture" * 100, announced=7000), Reply(body=b"picture!")
    ) as server:
        _, commons, transport = clients(server, tmp_path, store)
        metadata = thumbnail(server)
        assert commons.download(metadata, check) == 8
        assert commons.download(metadata._replace(thumb_url="http://127.0.0.1:1/elsewhere.jpg"), check) == 8
        assert transport.requests["files"] == 3
    assert [answer.body for answer in store.answers.values()] == [b"picture!"]


def test_a_file_that_is_missing_is_an_answer_and_is_asked_once(tmp_path: Path) -> None:
    store = MemoryStore()
    with serving(Reply(404)) as server:
        for mode in ("fetch", "fetch", "replay"):
            with pytest.raises(FileMissing):
                clients(server, tmp_path, store, mode=mode)[1].download(thumbnail(server), check)
        assert len(server.received) == 1


def test_a_corrupt_file_is_given_up_and_a_replay_knows(tmp_path: Path) -> None:
    different = [Reply(body=b"garbage %d" % n) for n in range(8)]
    for script, times in (
        ([Reply(body=b"garbage")], 4),
        (different, 8),
        ([Reply(body=b"")], 1),
    ):  # the last has the named hash
        store = MemoryStore()
        with serving(*script) as server:
            with pytest.raises(CorruptFile, match=r"A\.jpg"):
                clients(server, tmp_path, store, max_attempts=8)[1].download(thumbnail(server), check)
            assert len(server.received) == times
            with pytest.raises(CorruptFile):
                clients(server, tmp_path, store, mode="replay")[1].download(thumbnail(server), check)
            assert len(server.received) == times


def test_corrupt_files_do_not_mean_that_the_host_is_down(tmp_path: Path) -> None:
    with serving(Reply(body=b"garbage")) as server:
        _, commons, _ = clients(server, tmp_path, max_attempts=1)
        for n in range(7):
            with pytest.raises(MlmError) as caught:
                commons.download(thumbnail(server)._replace(sha1=f"{n:040x}"), check)
            assert type(caught.value) is CorruptFile


def test_there_is_nothing_to_download_of_a_missing_file(tmp_path: Path) -> None:
    with serving(Reply()) as server, pytest.raises(RequestRejected, match="missing"):
        clients(server, tmp_path)[1].download(FileMetadata("A.jpg", "A.jpg", "missing"), check)


def test_plain_text() -> None:
    assert plain_text('<div>A<p>B</p></div><a href="x">C &lt;D&gt;</a><script>no()</script>') == "A B C <D>"
    assert plain_text("no html & 1 < 2") == "no html & 1 < 2"
    assert plain_text("") == ""


@given(st.text())
def test_plain_text_of_anything_is_one_line(html: str) -> None:
    text = plain_text(html)
    assert text == " ".join(text.split())


# -- answers of the real services, recorded ------------------------------------------------------------------------


@pytest.fixture(scope="module")
def recorded() -> Path:
    folder = shared_folder("fixtures") / "mediawiki"
    if not folder.is_dir():
        pytest.skip("the recorded answers (shared/fixtures) are not beside this checkout")
    return folder


def interactions(folder: Path, prop: str) -> list[tuple[dict[str, str], Reply]]:
    found = []
    for path in sorted(folder.glob("TestVcr*.json")):
        for exchange in json.loads(path.read_text("utf-8"))["interactions"]:
            params = {name: values[0] for name, values in parse_qs(urlsplit(exchange["request"]["uri"]).query).items()}
            response = exchange["response"]
            if params.get("prop") == prop:
                headers = {"Content-Type": response["headers"]["content-type"][0]}
                found.append((params, Reply(response["status"]["code"], response["body"]["string"].encode(), headers)))
    return found


def test_recorded_articles(recorded: Path, tmp_path: Path) -> None:
    seen = []
    for prop in ("extracts", "info"):
        for params, reply in interactions(recorded, prop):
            with serving(reply) as server:
                (text,) = clients(server, tmp_path)[0].lead_texts("en", [params["titles"]])
                assert len(server.received) == 1
            assert text.requested_title == params["titles"]
            seen.append((prop, text.title, text.status))
            if prop == "extracts":
                assert text.text is not None
                assert text.text.startswith("Python is a high-level, general-purpose programming language.")
            elif text.status != "missing":
                assert text.revision is not None
    python, nothing = "Python (programming language)", "NonExistentPage WikiAPI Test 12345"
    assert {("extracts", python, "ok"), ("info", python, "empty"), ("info", nothing, "missing")} == set(seen)


def test_recorded_files(recorded: Path, tmp_path: Path) -> None:
    found = {}
    for params, reply in interactions(recorded, "imageinfo"):
        with serving(reply) as server:
            (metadata,) = clients(server, tmp_path)[1].file_metadata([params["titles"].removeprefix("File:")])
            assert len(server.received) == 1
        if "sha1" in params["iiprop"]:
            found[metadata.requested_name] = metadata
        else:
            assert metadata.status == "missing"  # nothing to know a file by
    einstein, logo = found["Albert_Einstein_Head.jpg"], found["Python-logo-notext.svg"]
    assert (einstein.status, einstein.name, einstein.mime) == ("ok", "Albert Einstein Head.jpg", "image/jpeg")
    assert (einstein.width_px, einstein.height_px) == (3250, 4333)
    assert (logo.status, logo.mime, logo.size_bytes, logo.width_px) == ("ok", "image/svg+xml", 2247, 110)
    assert found["ThisFileDoesNotExist12345.png"].status == "missing"


def test_recorded_errors_are_asked_again(recorded: Path, tmp_path: Path) -> None:
    bodies = [path.read_bytes() for path in sorted(recorded.glob("error-maxlag*.json"))]
    assert len(bodies) == 2
    for body in bodies:
        with serving(Reply(body=body, headers={"Retry-After": "1"}), query(page("A"))) as server:
            assert [text.status for text in clients(server, tmp_path)[0].lead_texts("en", ["A"])] == ["ok"]
            assert len(server.received) == 2
        with serving(Reply(body=body)) as server, pytest.raises(ServiceUnavailable, match="maxlag"):
            list(clients(server, tmp_path)[0].lead_texts("en", ["A"]))
