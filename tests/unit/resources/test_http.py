"""The transport against a server that misbehaves on a script: when it asks again, waits, stores, gives up, refuses."""

import gzip
import json
import threading
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlm_assets.errors import QueryTimeout, Refused, ReplayMiss, RequestRejected, ServiceUnavailable
from mlm_assets.resources.failures import FileTooLarge, HostDown, Retry, ShutOut
from mlm_assets.resources.http import Answer, Request, retry_after_s
from tests.unit.resources.scripted import Clock, MemoryStore, Reply, json_reply, make_settings, make_transport, serving

OK = json_reply({"fine": True})


def request_to(url: str, service: str = "action_api", **more) -> Request:
    return Request(service, "wikipedia/en", "GET", url + "/w/api.php", **more)


def parse(answer: Answer) -> dict:
    try:
        return json.loads(answer.body)
    except ValueError as error:
        raise Retry(f"broken: {error}") from error


FAILURES = {
    "503": Reply(503, b"sorry"),
    "500": Reply(500, b"oops"),
    "429 in seconds": Reply(429, b"<html>slow down", {"Retry-After": "7"}),
    "reset": Reply(reset=True),
    "shorter than announced": Reply(body=b'{"fine": true}', announced=500),
    "longer than announced": Reply(body=b'{"fine": true}', announced=5),
    "broken off": Reply(body=b'{"fine": tr'),
    "html": Reply(body=b"<html>hello</html>"),
    "not gzip": Reply(body=b"{}", headers={"Content-Encoding": "gzip"}),
}


@pytest.mark.parametrize("failure", FAILURES.values(), ids=FAILURES.keys())
def test_a_failure_is_asked_again_and_never_stored(failure: Reply, tmp_path: Path) -> None:
    store = MemoryStore()
    with serving(failure, OK) as server:
        transport = make_transport(make_settings(tmp_path), store=store)
        request = request_to(server.url)
        assert transport.fetch(request, parse) == {"fine": True}
        assert len(server.received) == 2
    assert transport.requests == {"action_api": 2}
    assert store.answers[request.key].body == OK.body


def test_pauses_double_with_jitter_up_to_a_minute(tmp_path: Path) -> None:
    settings = make_settings(tmp_path, max_attempts=9, backoff_s=1.0)
    for random, factor in ((0.0, 0.75), (0.5, 1.0), (0.999999, 1.25)):
        clock = Clock()
        with serving(Reply(503)) as server, pytest.raises(ServiceUnavailable):
            make_transport(settings, clock, random=random).fetch(request_to(server.url), parse)
        pauses = [pause for pause in clock.pauses if pause > 0.1]  # without the turns of the rate
        assert pauses == pytest.approx([min(60.0, factor * 2**n) for n in range(8)], rel=1e-4)


def test_giving_up_names_host_reason_and_attempts(tmp_path: Path) -> None:
    with serving(Reply(503)) as server:
        with pytest.raises(ServiceUnavailable) as caught:
            make_transport(make_settings(tmp_path)).fetch(request_to(server.url), parse)
        assert len(server.received) == 4
    for part in (server.url.removeprefix("http://"), "HTTP 503", "4 attempts", "wikipedia/en"):
        assert part in str(caught.value)


def test_retry_after_in_seconds_is_waited_by_everybody(tmp_path: Path) -> None:
    clock, settings = Clock(), make_settings(tmp_path)
    with serving(Reply(429, headers={"Retry-After": "30"}), OK) as server:
        first = make_transport(settings, clock)
        first.fetch(request_to(server.url), parse)
        assert sum(clock.pauses) == pytest.approx(30, abs=0.1)

    clock = Clock()
    with serving(Reply(503, headers={"Retry-After": "30"}), OK) as server:
        one_attempt = make_settings(tmp_path, max_attempts=1)
        with pytest.raises(ServiceUnavailable):
            make_transport(one_attempt, clock).fetch(request_to(server.url), parse)
        assert sum(clock.pauses) == 0
        make_transport(settings, clock).fetch(request_to(server.url), parse)  # as another process would
        assert sum(clock.pauses) == pytest.approx(30, abs=0.1)


def test_retry_after_as_a_date_is_waited(tmp_path: Path) -> None:
    clock = Clock()
    date = format_datetime(datetime.fromtimestamp(clock.time + 45, UTC), usegmt=True)
    with serving(Reply(429, headers={"Retry-After": date}), OK) as server:
        make_transport(make_settings(tmp_path), clock).fetch(request_to(server.url), parse)
    assert sum(clock.pauses) == pytest.approx(45, abs=0.1)


def test_a_parser_that_asks_again_gets_the_retry_after_of_its_answer(tmp_path: Path) -> None:
    clock = Clock()
    lagging = Reply(body=b"lag", headers={"Retry-After": "5"})  # maxlag: status 200
    with serving(lagging, OK) as server:
        make_transport(make_settings(tmp_path), clock).fetch(request_to(server.url), parse)
    assert sum(clock.pauses) == pytest.approx(5, abs=0.1)


def test_a_retry_after_beyond_the_limit_ends_the_run_at_once_for_everybody(tmp_path: Path) -> None:
    settings, clock = make_settings(tmp_path, max_retry_after_s=600), Clock()
    with serving(Reply(429, headers={"Retry-After": "86400"})) as server:
        with pytest.raises(HostDown, match="86400 s"):
            make_transport(settings, clock).fetch(request_to(server.url), parse)
        with pytest.raises(HostDown, match="left alone"):
            make_transport(settings, clock).fetch(request_to(server.url, params={"titles": "B"}), parse)
        assert len(server.received) == 1
    assert sum(clock.pauses) < 1


def test_what_the_service_calls_wrong_is_not_asked_again(tmp_path: Path) -> None:
    for status, kind in ((400, RequestRejected), (404, RequestRejected), (403, ShutOut)):
        with serving(Reply(status, b"<p>no such thing</p>")) as server:
            with pytest.raises(kind, match=rf"HTTP {status}.*no such thing"):
                make_transport(make_settings(tmp_path)).fetch(request_to(server.url), parse)
            assert len(server.received) == 1


def test_a_file_may_be_missing_and_a_wrong_width_is_not_asked_again(tmp_path: Path) -> None:
    with serving(Reply(404), Reply(429)) as server:
        transport = make_transport(make_settings(tmp_path))
        assert transport.fetch(request_to(server.url, "files"), lambda answer: answer.status) == 404
        with pytest.raises(RequestRejected, match="HTTP 429"):
            transport.fetch(request_to(server.url, "files", identity="other"), parse)
        assert len(server.received) == 2


def test_several_requests_given_up_in_a_row_mean_that_the_host_is_down(tmp_path: Path) -> None:
    settings = make_settings(tmp_path, max_attempts=1)
    with serving(*[Reply(503)] * 4, OK, Reply(503)) as server:
        transport = make_transport(settings)

        def ask(number: int) -> type[Exception] | None:
            try:
                transport.fetch(request_to(server.url, params={"n": str(number)}), parse)
            except ServiceUnavailable as error:
                return type(error)
            return None

        assert [ask(n) for n in range(4)] == [ServiceUnavailable] * 4
        assert ask(4) is None  # and the count begins anew
        assert [ask(5) for _ in range(6)] == [ServiceUnavailable] * 6  # the same request says nothing of the host
        assert [ask(n) for n in range(6, 10)] == [ServiceUnavailable] * 3 + [HostDown]


def test_nothing_is_sent_to_wikimedia_without_a_contact(tmp_path: Path) -> None:
    transport = make_transport(make_settings(tmp_path, contact=None))
    with pytest.raises(Refused, match="MLM_CONTACT"):
        transport.fetch(request_to("https://en.wikipedia.org"), parse)
    with serving(Reply(302, headers={"Location": "https://upload.wikimedia.org/x.jpg"})) as server:
        with pytest.raises(Refused, match=r"upload\.wikimedia\.org"):
            transport.fetch(request_to(server.url, "files"), parse)
        assert len(server.received) == 1
    assert sum(transport.requests.values()) == 1


def test_redirects_are_followed_and_counted(tmp_path: Path) -> None:
    with serving(Reply(301, headers={"Location": "/elsewhere?a=1"}), OK) as server:
        transport = make_transport(make_settings(tmp_path))
        request = Request("action_api", "wikipedia/en", "POST", server.url, form={"titles": "A"})
        assert transport.fetch(request, parse) == {"fine": True}
        assert [(r.method, r.path, r.body) for r in server.received] == [
            ("POST", "/", b"titles=A"),
            ("POST", "/elsewhere?a=1", b"titles=A"),
        ]
    assert transport.requests["action_api"] == 2
    for location in ("/", "ftp://127.0.0.1/x", "file:///etc/passwd"):
        with serving(Reply(302, headers={"Location": location})) as server, pytest.raises(RequestRejected):
            make_transport(make_settings(tmp_path)).fetch(request_to(server.url), parse)


@pytest.mark.parametrize("chunked", [False, True])
def test_a_file_beyond_the_cap_is_not_taken(chunked: bool, tmp_path: Path) -> None:
    with serving(Reply(body=b"x" * 300_000, chunked=chunked)) as server:
        transport = make_transport(make_settings(tmp_path, max_file_bytes=100_000))
        with pytest.raises(FileTooLarge, match="100000"):
            transport.fetch(request_to(server.url, "files"), parse)
        assert len(server.received) == 1
        if not chunked:
            assert transport.bytes["files"] < 100_000


def test_an_address_that_cannot_be_asked_is_rejected(tmp_path: Path) -> None:
    transport = make_transport(make_settings(tmp_path))
    for url in ("http://127.0.0.1:port/", "gopher://127.0.0.1/", "http://"):
        with pytest.raises(RequestRejected):
            transport.fetch(Request("files", "upload", "GET", url), parse)


def test_a_sparql_request_that_takes_too_long_is_a_query_timeout(tmp_path: Path) -> None:
    settings = make_settings(tmp_path, sparql_timeout_s=0.15)
    with serving(Reply(delay_s=0.4)) as server:
        with pytest.raises(QueryTimeout):
            make_transport(settings).fetch(request_to(server.url, "sparql"), parse, can_halve=True)
        assert len(server.received) == 1
        with pytest.raises(QueryTimeout):
            make_transport(settings).fetch(request_to(server.url, "sparql"), parse)
        assert len(server.received) == 1 + 3


def test_another_request_that_takes_too_long_is_asked_again(tmp_path: Path) -> None:
    with serving(Reply(delay_s=0.4), OK) as server:
        transport = make_transport(make_settings(tmp_path, http_timeout_s=0.15))
        assert transport.fetch(request_to(server.url), parse) == {"fine": True}


def test_what_goes_over_the_wire(tmp_path: Path) -> None:
    body = gzip.compress(b'{"fine": true, "cookies": "kept by nobody"}')
    packed = Reply(body=body, headers={"Content-Encoding": "gzip", "Set-Cookie": "a=b", "Retry-After": "x"})
    store = MemoryStore()
    with serving(packed) as server:
        transport = make_transport(make_settings(tmp_path), store=store)
        for n in range(2):
            assert transport.fetch(request_to(server.url, params={"n": str(n)}), parse)["fine"]
        first, second = server.received
    assert "tests@example.org" in first.headers["user-agent"]
    assert "mlm_assets/" in first.headers["user-agent"]
    assert first.headers["accept-encoding"] == "gzip"
    assert "cookie" not in second.headers
    assert transport.bytes["action_api"] == 2 * len(body)
    assert all("set-cookie" not in answer.headers for answer in store.answers.values())


def test_the_store_answers_first_and_a_replay_never_touches_the_network(tmp_path: Path) -> None:
    store, settings = MemoryStore(), make_settings(tmp_path)
    with serving(json_reply({"n": 1}), json_reply({"n": 2})) as server:
        request = request_to(server.url)
        assert make_transport(settings, store=store).fetch(request, parse) == {"n": 1}
        fetching = make_transport(settings, store=store)
        assert fetching.fetch(request, parse) == {"n": 1}
        assert not fetching.requests
        assert make_transport(settings, store=store, mode="refetch").fetch(request, parse) == {"n": 2}
        assert fetching.fetch(request, parse, again=True) == {"n": 2}
        assert len(server.received) == 3
    replaying = make_transport(settings, store=store, mode="replay")
    elsewhere = request_to("http://127.0.0.1:1")
    assert replaying.fetch(elsewhere, parse) == {"n": 2}
    assert replaying.fetch(elsewhere, parse, again=True) == {"n": 2}
    with pytest.raises(ReplayMiss):
        replaying.fetch(request_to("http://127.0.0.1:1", params={"titles": "never asked"}), parse)
    assert not replaying.requests


def test_a_replay_meets_what_was_given_up_and_a_fetch_asks_again(tmp_path: Path) -> None:
    store, settings = MemoryStore(), make_settings(tmp_path, max_attempts=1)
    with serving(Reply(503), Reply(400), OK) as server:
        unavailable, rejected = (request_to(server.url, params={"n": n}) for n in "ab")
        for request, error in ((unavailable, ServiceUnavailable), (rejected, RequestRejected)):
            with pytest.raises(error) as first:
                make_transport(settings, store=store).fetch(request, parse)
            with pytest.raises(error) as second:
                make_transport(settings, store=store, mode="replay").fetch(request, parse)
            assert str(first.value) == str(second.value)
        assert make_transport(settings, store=store).fetch(unavailable, parse) == {"fine": True}
        assert make_transport(settings, store=store, mode="replay").fetch(unavailable, parse) == {"fine": True}


def test_a_query_that_was_too_much_is_not_asked_twice_where_less_can_be_asked(tmp_path: Path) -> None:
    store, settings = MemoryStore(), make_settings(tmp_path)
    with serving(Reply(504), OK) as server:
        request = request_to(server.url, "sparql")

        def judge(answer: Answer) -> None:
            if answer.status == 504:
                raise QueryTimeout("too much")

        for _ in range(2):
            with pytest.raises(QueryTimeout, match="too much"):
                make_transport(settings, store=store).fetch(request, parse, judge=judge, can_halve=True)
            assert len(server.received) == 1
        assert make_transport(settings, store=store).fetch(request, parse, judge=judge) == {"fine": True}


def test_a_proxy_of_the_environment_is_not_for_this_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    with serving(OK) as server:
        assert make_transport(make_settings(tmp_path)).fetch(request_to(server.url), parse) == {"fine": True}


def test_giving_up_never_replaces_an_answer(tmp_path: Path) -> None:
    store, settings = MemoryStore(), make_settings(tmp_path, max_attempts=1)
    with serving(OK, Reply(503)) as server:
        request = request_to(server.url)
        make_transport(settings, store=store).fetch(request, parse)
        with pytest.raises(ServiceUnavailable):
            make_transport(settings, store=store, mode="refetch").fetch(request, parse)
    assert make_transport(settings, store=store, mode="replay").fetch(request, parse) == {"fine": True}


def test_a_stored_answer_that_a_stricter_parser_refuses_is_asked_again(tmp_path: Path) -> None:
    store, settings = MemoryStore(), make_settings(tmp_path)
    with serving(OK) as server:
        request = request_to(server.url)
        store.put(request, Answer(200, {}, b"{broken", request.key, False))
        with pytest.raises(ReplayMiss, match="cannot be used"):
            make_transport(settings, store=store, mode="replay").fetch(request, parse)
        assert make_transport(settings, store=store).fetch(request, parse) == {"fine": True}


def test_threads_share_a_transport(tmp_path: Path) -> None:
    settings = make_settings(tmp_path, action_api_parallel=4)
    with serving(OK) as server:
        transport = make_transport(settings)
        threads = [
            threading.Thread(target=transport.fetch, args=(request_to(server.url, params={"n": str(n)}), parse))
            for n in range(12)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(server.received) == transport.requests["action_api"] == 12


def test_a_key_says_what_is_asked_and_not_where_or_how() -> None:
    params = {"titles": "A|B", "maxlag": "5"}
    here = request_to("http://127.0.0.1:8000", params=params)
    same = [
        request_to("https://en.wikipedia.org", params={"maxlag": "9", "titles": "A|B"}, headers={"Accept": "x"}),
        Request("action_api", "wikipedia/en", "POST", "http://127.0.0.1:8000/w/api.php", form=params),
    ]
    others = [
        request_to("http://127.0.0.1:8000", params={"titles": "A|C"}),
        replace(here, endpoint="wikipedia/de"),
        replace(here, service="sparql"),
    ]
    assert {request.key for request in same} == {here.key}
    assert here.key not in {request.key for request in others}
    assert len({request.key for request in others}) == 3
    file = Request("files", "upload", "GET", "http://127.0.0.1:1/a/ab/X.jpg")
    assert file.key == replace(file, url="https://upload.wikimedia.org/a/ab/X.jpg").key
    assert file.key != replace(file, url="https://upload.wikimedia.org/a/ab/Y.jpg").key
    assert replace(file, identity="s/330").key == replace(file, identity="s/330", url="http://127.0.0.1/other").key


NOW = 1_700_000_000.0


@given(st.integers(0, 10**30))
def test_retry_after_seconds(seconds: int) -> None:
    assert retry_after_s(f" {seconds} ", NOW) == min(seconds, 1e9)


@given(st.integers(-(10**8), 10**8))
def test_retry_after_dates(offset: int) -> None:
    date = format_datetime(datetime.fromtimestamp(NOW + offset, UTC), usegmt=True)
    assert retry_after_s(date, NOW) == max(0, offset)


@given(st.none() | st.text())
def test_retry_after_is_never_negative_and_never_fails(text: str | None) -> None:
    seconds = retry_after_s(text, NOW)
    assert seconds is None or 0 <= seconds <= 1e9


def test_retry_after_odd_forms() -> None:
    assert retry_after_s("Tue, 14 Nov 2023 22:13:30 -0000", NOW) == 10
    assert retry_after_s("Tuesday, 14-Nov-23 22:13:30 GMT", NOW) == 10
    assert retry_after_s("soon", NOW) is retry_after_s("", NOW) is retry_after_s("-5", NOW) is None
