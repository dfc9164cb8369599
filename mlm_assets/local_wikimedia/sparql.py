"""The SPARQL 1.1 protocol over an in-memory Oxigraph store.

Queries run in worker threads. Results are written into a buffer rather than returned as one string, because only
then does the engine let other threads run meanwhile. See https://www.w3.org/TR/sparql11-protocol/.
"""

import io
import json
from collections.abc import Mapping
from typing import Final
from urllib.parse import parse_qs

import pyoxigraph as ox
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from mlm_assets.errors import Refused
from mlm_assets.local_wikimedia.model import World

_SOLUTIONS: Final = {
    "application/sparql-results+json": ox.QueryResultsFormat.JSON,
    "application/json": ox.QueryResultsFormat.JSON,
    "application/sparql-results+xml": ox.QueryResultsFormat.XML,
    "application/xml": ox.QueryResultsFormat.XML,
    "text/csv": ox.QueryResultsFormat.CSV,
    "text/tab-separated-values": ox.QueryResultsFormat.TSV,
}
_GRAPHS: Final = {
    "text/turtle": ox.RdfFormat.TURTLE,
    "application/n-triples": ox.RdfFormat.N_TRIPLES,
    "application/rdf+xml": ox.RdfFormat.RDF_XML,
}
_SHORT_NAMES: Final = {
    "json": "application/sparql-results+json", "xml": "application/sparql-results+xml", "csv": "text/csv",
    "tsv": "text/tab-separated-values",
}  # fmt: skip
_JSON: Final = "application/sparql-results+json"
_COUNT_CANDIDATES: Final = """
PREFIX wd: <http://www.wikidata.org/entity/>
PREFIX wdt: <http://www.wikidata.org/prop/direct/>
SELECT (COUNT(DISTINCT ?item) AS ?n) WHERE {
  { SELECT DISTINCT ?class WHERE { ?class wdt:P279?/wdt:P279?/wdt:P279? wd:Q486972 } }
  ?item wdt:P31 ?class .
}"""


class SparqlEngine:
    """The graph of one world, in the default graph of a store."""

    def __init__(self, world: World) -> None:
        self._store = ox.Store()
        self._edit = world.answer_editor()
        try:
            for chunk in world.triples():
                self._store.bulk_load(chunk, format=ox.RdfFormat.N_TRIPLES, lenient=True)
        except SyntaxError as error:
            raise Refused(f"The triples of the world cannot be read: {error}.") from error

    def __len__(self) -> int:
        return len(self._store)

    def n_candidates(self) -> int:
        """Return how many items are instances of human settlement or a class up to three hops below."""
        solutions = self._store.query(_COUNT_CANDIDATES)
        if not isinstance(solutions, ox.QuerySolutions):
            raise TypeError("a SELECT query brings solutions")
        return next(int(row["n"].value) for row in solutions)

    def _rows(self, query: str) -> list[Mapping[str, str]]:
        """Return the rows of a SELECT query as plain values."""
        solutions = self._store.query(query)
        if not isinstance(solutions, ox.QuerySolutions):
            raise TypeError("a SELECT query brings solutions")
        names = [variable.value for variable in solutions.variables]
        return [{name: row[name].value for name in names if row[name] is not None} for row in solutions]

    def answer(self, query: str, accept: str) -> tuple[bytes, str]:
        """Return body and media type of the answer to a query.

        Raises:
            SyntaxError: the query cannot be parsed.
        """
        results = self._store.query(query)
        target = io.BytesIO()
        if isinstance(results, ox.QueryTriples):
            media_type = negotiate(accept, tuple(_GRAPHS), "text/turtle")
            results.serialize(target, format=_GRAPHS[media_type])
        else:
            media_type = negotiate(accept, tuple(_SOLUTIONS), _JSON)
            results.serialize(target, format=_SOLUTIONS[media_type])
            if self._edit is not None and _SOLUTIONS[media_type] == ox.QueryResultsFormat.JSON:
                document = json.loads(target.getvalue())
                if "results" in document:
                    self._edit(document, self._rows)
                return json.dumps(document, ensure_ascii=False).encode(), _JSON
        # Clients of the query service look for the specific type.
        return target.getvalue(), _JSON if media_type == "application/json" else media_type


def negotiate(accept: str, offered: tuple[str, ...], default: str) -> str:
    """Return the media type of `offered` that the Accept header prefers; `default` where it does not say."""
    best, best_quality = default, 0.0
    for part in accept.split(","):
        media_type, *parameters = (piece.strip() for piece in part.lower().split(";"))
        if media_type in offered and (quality := _quality(parameters)) > best_quality:
            best, best_quality = media_type, quality
    return best


def _quality(parameters: list[str]) -> float:
    for parameter in parameters:
        if parameter.startswith("q="):
            try:
                return float(parameter[2:])
            except ValueError:
                return 0.0
    return 1.0


async def _parameters(request: Request) -> dict[str, str]:
    """Return the parameters of either form of request; the query under "query"."""
    parameters = dict(request.query_params)
    if request.method == "POST":
        text = (await request.body()).decode("utf-8", "replace")
        if request.headers.get("content-type", "").startswith("application/sparql-query"):
            return parameters | {"query": text}
        parameters |= {key: values[-1] for key, values in parse_qs(text, keep_blank_values=True).items()}
    return parameters


class SparqlService:
    """Answers GET ?query=, POST as a form and POST as application/sparql-query."""

    def __init__(self, engine: SparqlEngine) -> None:
        self._engine = engine

    async def __call__(self, request: Request) -> Response:
        """Return the answer: 200, or 400 with the parser's words."""
        parameters = await _parameters(request)
        query = parameters.get("query", "")
        if not query.strip():
            return PlainTextResponse("The parameter query is missing.\n", 400)
        accept = request.headers.get("accept", "")
        if accept in ("", "*/*"):
            accept = _SHORT_NAMES.get(parameters.get("format", "").lower(), _JSON)
        try:
            body, media_type = await run_in_threadpool(self._engine.answer, query, accept)
        except SyntaxError as error:
            return PlainTextResponse(f"SPARQL-QUERY: queryStr={query}\n\nMalformedQueryException: {error}\n", 400)
        return Response(body, media_type=media_type)
