"""Reading results documents: a complete one is rows, anything else is a failure, whatever its status says."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlm_assets.errors import QueryTimeout, RequestRejected, ServiceUnavailable
from mlm_assets.resources.failures import Retry
from mlm_assets.resources.http import Answer
from mlm_assets.resources.sparql import RESULTS_JSON, PoliteSparql, judge, read_rows
from tests.unit.resources.scripted import Clock, MemoryStore, Reply, make_settings, make_transport, serving

DOCUMENT = {
    "head": {"vars": ["item", "label", "other"]},
    "results": {
        "bindings": [
            {
                "item": {"type": "uri", "value": "http://www.wikidata.org/entity/Q64"},
                "label": {"type": "literal", "value": "Berlin", "xml:lang": "de"},
            },
            {"other": {"type": "bnode", "value": "t1"}, "label": {"type": "literal", "value": "1", "datatype": "x"}},
        ]
    },
}
BODY = json.dumps(DOCUMENT).encode()
STACK = "java.util.concurrent.TimeoutException\n\tat java.util.concurrent.FutureTask.get(FutureTask.java:205)"
TRACE = '"value" : "SPARQL-QUERY: queryStr=SELECT ?item WHERE{ ?item wdt:P31 wd:Q486972 }\n'
JETTY_429 = (
    b"<html><head><title>Error 429 Too Many Requests - Please retry in 9 seconds.</title></head><body>"
    b"<h2>HTTP ERROR 429</h2><p>Problem accessing /bigdata/namespace/wdq/sparql. Reason:<pre>    Too Many Requests - "
    b"Please retry in 9 seconds.</pre></p><hr>Powered by Jetty://</body></html>"
)


def answer(body: bytes, status: int = 200, kind: str = RESULTS_JSON + ";charset=utf-8", **headers: str) -> Answer:
    return Answer(status, {"content-type": kind, **headers}, body, "key", False)


def reply(body: bytes = BODY, status: int = 200, kind: str = RESULTS_JSON, **headers: str) -> Reply:
    return Reply(status, body, {"Content-Type": kind, **headers})


def test_rows_of_a_complete_document() -> None:
    table = read_rows(answer(BODY))
    assert table.key == "key"
    assert table.rows == [
        {"item": "http://www.wikidata.org/entity/Q64", "label": "Berlin", "label@": "de"},
        {"label": "1"},  # some value, but nobody knows which
    ]
    assert read_rows(answer(b'{"head":{"vars":["a"]},"results":{"bindings":[]}}')).rows == []


@given(st.integers(0, len(BODY) - 1))
def test_a_document_that_breaks_off_anywhere_is_never_rows(length: int) -> None:
    with pytest.raises(Retry):
        read_rows(answer(BODY[:length]))


@given(st.integers(1, len(BODY) - 1))
def test_a_document_that_breaks_off_in_a_stack_trace_is_a_timeout(length: int) -> None:
    with pytest.raises(QueryTimeout):
        read_rows(answer(BODY[:length] + TRACE.encode() + STACK.encode()))


def test_a_stack_trace_inside_valid_json_is_a_failure() -> None:
    def with_value(text: str) -> bytes:
        return json.dumps(
            {"head": {"vars": ["a"]}, "results": {"bindings": [{"a": {"type": "literal", "value": text}}]}}
        ).encode()

    with pytest.raises(QueryTimeout):
        read_rows(answer(with_value(STACK)))
    with pytest.raises(Retry):
        read_rows(answer(with_value("SPARQL-QUERY: queryStr=SELECT")))
    assert read_rows(answer(with_value("TimeoutException, a village"))).rows == [{"a": "TimeoutException, a village"}]


@pytest.mark.parametrize(
    "body",
    [
        b"[]",
        b"null",
        b"{}",
        b'{"head":{}}',
        b'{"head":{"vars":["a"]}}',
        b'{"head":{"vars":["a"]},"results":{}}',
        b'{"head":{"vars":["a"]},"results":{"bindings":{"a":1}}}',
        b'{"head":{"vars":["a"]},"results":{"bindings":[1]}}',
        b'{"head":{"vars":["a"]},"results":{"bindings":[{"b":{"type":"uri","value":"x"}}]}}',
        b'{"head":{"vars":["a"]},"results":{"bindings":[{"a":{"type":"uri"}}]}}',
        b'{"head":{"vars":["a"]},"results":{"bindings":[{"a":{"type":"uri","value":1}}]}}',
        b'{"head":{"vars":["a"]},"results":{"bindings":[{"a":{"value":"x"}}]}}',
        b'{"exception":"x","status":"ERROR"}',
    ],
)
def test_json_that_is_no_results_document_is_a_failure(body: bytes) -> None:
    with pytest.raises(Retry):
        read_rows(answer(body))


def test_html_is_a_failure_even_with_status_200() -> None:
    with pytest.raises(Retry, match="text/html"):
        read_rows(answer(BODY, kind="text/html"))


def test_the_time_limit_of_each_engine() -> None:
    for status, body in (
        (500, STACK.encode()),
        (504, b"<html>gateway</html>"),
        (503, b"TimeoutException"),
        (429, b'{"exception": "Operation timed out.", "status": "ERROR"}'),
    ):
        with pytest.raises(QueryTimeout):
            judge(answer(body, status))
    for status, body in (
        (500, b"oops"),
        (503, b"busy"),
        (429, b"slow down"),
        (200, STACK.encode()),
        (400, STACK.encode()),
    ):
        judge(answer(body, status))


def test_the_pause_in_an_html_429_is_read() -> None:
    with pytest.raises(Retry) as caught:
        judge(answer(JETTY_429, 429, "text/html"))
    assert caught.value.retry_after_s == 9
    judge(
        answer(JETTY_429, 429, "text/html", **{"retry-after": "3"})
    )  # the header, where there is one, is for the transport


def test_the_pause_in_an_html_429_is_waited(tmp_path: Path) -> None:
    clock = Clock()
    with serving(reply(JETTY_429, 429, "text/html"), reply()) as server:
        transport = make_transport(make_settings(tmp_path), clock)
        PoliteSparql(transport, server.url + "/sparql", "SELECT * { ?item ?label ?other }").select()
    assert sum(clock.pauses) == pytest.approx(9, abs=0.1)


def test_what_is_sent(tmp_path: Path) -> None:
    query = 'SELECT ?item WHERE { ?item rdfs:label "Köln & Bonn = 1+1"@de }'
    with serving(reply()) as server:
        transport = make_transport(make_settings(tmp_path))
        wrapper = PoliteSparql(transport, server.url + "/sparql", query)
        assert len(wrapper.select().rows) == 2
        # Inherited methods go through the transport too.
        assert wrapper.queryAndConvert() == DOCUMENT
        assert [(r.method, r.path) for r in server.received] == [("POST", "/sparql")] * 2
        sent = server.received[0]
    assert wrapper.as_request().form == {"query": query}
    assert sent.headers["content-type"] == "application/x-www-form-urlencoded"
    assert sent.headers["accept"].startswith(RESULTS_JSON)
    assert "tests@example.org" in sent.headers["user-agent"]
    assert transport.requests == {"sparql": 2}


def test_failures_are_asked_again_and_a_wrong_query_is_not(tmp_path: Path) -> None:
    store = MemoryStore()
    broken = (reply(BODY[:-3]), reply(b"<html>", kind="text/html"), reply(status=503))
    with serving(*broken, reply()) as server:
        wrapper = PoliteSparql(make_transport(make_settings(tmp_path), store=store), server.url, "SELECT * {}")
        assert len(wrapper.select().rows) == 2
        assert len(server.received) == 4
    assert [kept.body for kept in store.answers.values()] == [BODY]
    with (
        serving(reply(b"Malformed query", 400, "text/plain")) as server,
        pytest.raises(RequestRejected, match="Malformed"),
    ):
        PoliteSparql(make_transport(make_settings(tmp_path)), server.url, "SELECT").select()


def test_a_timeout_is_handed_on_at_once_only_where_less_can_be_asked(tmp_path: Path) -> None:
    with serving(reply(STACK.encode(), 500)) as server:
        wrapper = PoliteSparql(make_transport(make_settings(tmp_path)), server.url, "SELECT * {}")
        with pytest.raises(QueryTimeout):
            wrapper.select(can_halve=True)
        assert len(server.received) == 1
        with pytest.raises(ServiceUnavailable):
            wrapper.select()
        assert len(server.received) == 4
