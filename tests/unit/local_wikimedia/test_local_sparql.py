"""The form of SPARQL answers is negotiated as the protocol says."""

import json

import pytest

from mlm_assets.local_wikimedia.sparql import SparqlEngine, negotiate
from mlm_assets.local_wikimedia.worlds import generate_world

OFFERED = ("application/json", "text/csv")


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        ("text/csv", "text/csv"),
        ("text/csv;q=0.2, application/json;q=0.9", "application/json"),
        ("Application/JSON", "application/json"),
        ("text/html", "default"),
        ("text/csv;q=x", "default"),
        ("*/*", "default"),
        ("", "default"),
    ],
)
def test_negotiates(accept: str, chosen: str) -> None:
    assert negotiate(accept, OFFERED, "default") == chosen


@pytest.mark.parametrize(
    ("query", "accept", "media_type"),
    [
        ("SELECT * { ?s ?p ?o } LIMIT 1", "", "application/sparql-results+json"),
        ("SELECT * { ?s ?p ?o } LIMIT 1", "application/json", "application/sparql-results+json"),
        ("SELECT * { ?s ?p ?o } LIMIT 1", "text/csv", "text/csv"),
        ("SELECT * { ?s ?p ?o } LIMIT 1", "application/sparql-results+xml", "application/sparql-results+xml"),
        ("ASK { ?s ?p ?o }", "", "application/sparql-results+json"),
        ("CONSTRUCT WHERE { ?s ?p ?o } LIMIT 1", "application/n-triples", "application/n-triples"),
        ("CONSTRUCT WHERE { ?s ?p ?o } LIMIT 1", "", "text/turtle"),
    ],
)
def test_answers_in_the_form_asked_for(query: str, accept: str, media_type: str) -> None:
    body, answered = SparqlEngine(generate_world(5, 1)).answer(query, accept)
    assert answered == media_type
    assert body
    if media_type.endswith("json"):
        assert json.loads(body)
