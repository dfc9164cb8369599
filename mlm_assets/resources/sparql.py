"""SPARQL over HTTP: SPARQLWrapper builds the request, the transport sends it, the results are read strictly.

A query service fails in the middle of an answer with status 200: JSON that breaks off, JSON with a stack trace for a
value. Only a complete results document is an answer; anything else is asked again, or asked for less when the
service ran into its time limit. Does not belong here: what is asked (`wikidata`, `wikidata_queries`).
Follows https://www.w3.org/TR/sparql11-protocol/ and https://www.w3.org/TR/sparql11-results-json/.
"""

import io
import json
import re
from email.message import Message
from typing import Any, Final, NamedTuple
from urllib.parse import parse_qsl
from urllib.response import addinfourl

from SPARQLWrapper import JSON, POST, SPARQLWrapper

from mlm_assets.errors import QueryTimeout
from mlm_assets.resources.failures import Retry
from mlm_assets.resources.http import Answer, Request, Transport, text_of

Row = dict[str, str]
"""One solution: variable -> value; unbound variables are absent. `name@` holds the language of a text."""

RESULTS_JSON: Final = "application/sparql-results+json"
_JSON_TYPES: Final = (RESULTS_JSON, "application/json")
_TIMEOUT_SIGNS: Final = (
    b"TimeoutException",
    b"QueryTimeout",
    b"Query timeout",
    b"Operation timed out",
    b"Operation was cancelled",
)
_STACK_TRACE_SIGNS: Final = (b"SPARQL-QUERY: queryStr=", b"java.util.concurrent.", b"com.bigdata.")
_RETRY_IN: Final = re.compile(rb"retry in ([0-9]{1,6}) seconds?", re.IGNORECASE)


class Table(NamedTuple):
    """The rows of one results document, and the key of the answer that brought them."""

    rows: list[Row]
    key: str


class PoliteSparql(SPARQLWrapper):
    """One query to one endpoint, sent through the transport instead of urllib; POST, results as JSON."""

    def __init__(self, transport: Transport, endpoint: str, query: str) -> None:
        super().__init__(endpoint, returnFormat=JSON, agent=transport.settings.user_agent())
        self._transport = transport
        self._purpose = getattr(query, "purpose", "")
        self.setMethod(POST)
        self.setOnlyConneg(True)  # `format=` and `output=` are not of the protocol
        self.setQuery(query)

    def select(self, *, can_halve: bool = False, again: bool = False) -> Table:
        """Return the rows of a SELECT; see `Transport.fetch` for the arguments and what is raised."""
        return self._transport.fetch(self.as_request(), read_rows, judge=judge, can_halve=can_halve, again=again)

    def as_request(self) -> Request:
        """Return what SPARQLWrapper would send."""
        built = self._createRequest()
        data = built.data if isinstance(built.data, bytes) else b""
        headers = {
            "Accept": f"{RESULTS_JSON}, application/json;q=0.9",
            "Content-Type": built.get_header("Content-type", ""),
        }
        form = dict(parse_qsl(data.decode()))
        return Request("sparql", "wikidata", "POST", built.full_url, {}, form, headers, purpose=self._purpose)

    def _query(self) -> Any:
        """Send through the transport whatever inherited methods send, so that nothing goes past its manners."""
        answer = self._transport.fetch(self.as_request(), _checked, judge=judge)
        headers = Message()
        for name, value in answer.headers.items():
            headers[name] = value
        return addinfourl(io.BytesIO(answer.body), headers, self.endpoint, answer.status), self.returnFormat


def judge(answer: Answer) -> None:
    """Tell a time limit from other failures, whatever its status; read the pause from an HTML 429.

    Raises:
        QueryTimeout: the service ran into its time limit.
        Retry: throttled, with the pause named in the page only.
    """
    # 504 is the gateway's word for the same; 429 with JSON is QLever's.
    names_it = answer.status in {429, 500, 503} and any(sign in answer.body for sign in _TIMEOUT_SIGNS)
    if answer.status == 504 or names_it:
        raise QueryTimeout(f"the SPARQL service ran into its time limit (HTTP {answer.status})")
    named = _RETRY_IN.search(answer.body[:20_000]) if answer.status in {429, 503} else None
    if named and "retry-after" not in answer.headers:
        raise Retry(f"the SPARQL service answered HTTP {answer.status}: {text_of(answer.body, 80)}", float(named[1]))


def read_rows(answer: Answer) -> Table:
    """Return the rows of a complete results document.

    Raises:
        Retry: it is none (HTML, broken off, a stack trace inside).
        QueryTimeout: it broke off because of the time limit.
    """
    document = _document(answer)
    try:
        names = set(document["head"]["vars"])
        rows = [_row(binding, names) for binding in document["results"]["bindings"]]
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise Retry(f"the SPARQL service sent JSON that is no results document ({error!r})") from error
    return Table(rows, answer.key)


def _row(binding: dict[str, Any], names: set[str]) -> Row:
    row: Row = {}
    for name, term in binding.items():
        if name not in names or term["type"] not in {"uri", "literal", "typed-literal", "bnode"}:
            raise ValueError(name)
        if not isinstance(term["value"], str):
            raise TypeError(name)
        # A blank node stands for "some value"; it is no value that anybody can use.
        if term["type"] != "bnode":
            row[name] = term["value"]
            if "xml:lang" in term:
                row[name + "@"] = term["xml:lang"]
    return row


def _checked(answer: Answer) -> Answer:
    read_rows(answer)
    return answer


def _document(answer: Answer) -> dict[str, Any]:
    kind = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in _JSON_TYPES:
        raise Retry(f"the SPARQL service sent {kind or 'no type'} instead of JSON: {text_of(answer.body, 80)}")
    if any(sign in answer.body for sign in _STACK_TRACE_SIGNS):
        raise _broken_off(answer, "a stack trace in its results")
    try:
        document = json.loads(answer.body)
    except ValueError as error:
        raise _broken_off(answer, f"results that break off ({error})") from error
    if not isinstance(document, dict):
        raise Retry("the SPARQL service sent JSON that is no results document")
    return document


def _broken_off(answer: Answer, what: str) -> Exception:
    if any(sign in answer.body for sign in _TIMEOUT_SIGNS):
        return QueryTimeout(f"the SPARQL service ran into its time limit and sent {what}")
    return Retry(f"the SPARQL service sent {what}")
