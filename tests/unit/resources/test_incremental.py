"""What an incremental refresh asks the services: states of pages, labels and codes, fates of items; and its samples."""

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlm_assets.commands.plan_refresh import expected
from mlm_assets.errors import Refused
from mlm_assets.resources.http import Request
from mlm_assets.resources.sampling import is_drawn, n_rechecks, sample
from mlm_assets.resources.wikidata import Fate, Wikidata, n_listings
from mlm_assets.resources.wikipedia import PageState
from tests.unit.resources.scripted import OxigraphStore, make_settings, make_transport, serving
from tests.unit.resources.test_action_api import asked, clients, page, query

GRAPH = """
PREFIX wd: <http://www.wikidata.org/entity/>
PREFIX wdt: <http://www.wikidata.org/prop/direct/>
PREFIX schema: <http://schema.org/>
PREFIX owl: <http://www.w3.org/2002/07/owl#>
PREFIX rdfs: <http://www.w3.org/2000/01/rdf-schema#>
wd:Q515 rdfs:label "city"@en , "Stadt"@de . wd:Q183 rdfs:label "Germany"@en ; wdt:P297 "DE" .
wd:Q55 wdt:P297 "NL" , "XX" .
wd:Q1 owl:sameAs wd:Q2 . wd:Q2 wdt:P31 wd:Q515 ; schema:version 9 .
wd:Q3 wdt:P31 wd:Q5 , wd:Q6 ; schema:version 8 . wd:Q4 schema:version 7 .
"""


def wikidata(tmp_path: Path, **more) -> tuple[Wikidata, list[str]]:
    store = OxigraphStore(GRAPH)
    chosen = make_settings(tmp_path, **more)
    return Wikidata(make_transport(chosen, store=store, mode="replay"), chosen), store.queries


def test_names_are_english_labels_and_all_codes(tmp_path: Path) -> None:
    client, queries = wikidata(tmp_path)
    found = client.names(["Q515", "Q183", "Q55", "Q99", "Q55"])
    assert [(name.qid, name.what, name.value) for name in found] == [
        ("Q183", "code", "DE"), ("Q183", "label", "Germany"), ("Q515", "label", "city"),
        ("Q55", "code", "NL"), ("Q55", "code", "XX"),
    ]  # fmt: skip
    assert len(queries) == 1
    assert client.names([]) == []


def test_fates_tell_a_redirect_from_another_class_and_from_nothing(tmp_path: Path) -> None:
    client, queries = wikidata(tmp_path, facts_batch=2)
    found = client.fates(["Q9", "Q4", "Q3", "Q1", "Q2"])
    assert [fate._replace(answer_key="") for fate in found] == [
        Fate("Q1", "Q2", (), None, ""),
        Fate("Q2", None, ("Q515",), 9, ""),
        Fate("Q3", None, ("Q5", "Q6"), 8, ""),
        Fate("Q4", None, (), 7, ""),
        Fate("Q9", None, (), None, ""),
    ]
    assert [bool(fate.answer_key) for fate in found] == [True, True, True, True, False]
    assert len(queries) == 3
    with pytest.raises(Refused):
        client.fates(["Q1> ."])


def test_states_of_pages_go_in_fifties_and_follow_redirects(tmp_path: Path) -> None:
    reply = query(
        page("Alpha", None, 1),
        {"ns": 0, "title": "Nowhere", "missing": True},
        {"title": "<x>", "invalidreason": "…", "invalid": True},
        normalized=[{"fromencoded": False, "from": "alpha", "to": "Alpha"}],
        redirects=[{"from": "Old", "to": "Alpha"}],
    )
    titles = ["Alpha", "alpha", "Old", "Nowhere", "<x>", "A|B", *(f"T{n}" for n in range(60))]
    with serving(reply) as server:
        wikipedia, _, transport = clients(server, tmp_path)
        found = {state.requested_title: state for state in wikipedia.states("en", titles)}
        sent = [asked(received) for received in server.received]
    assert found.keys() == set(titles)
    assert found["Alpha"] == PageState("Alpha", "Alpha", "there", 100, False)
    assert found["alpha"] == PageState("alpha", "Alpha", "there", 100, False)
    assert found["Old"] == PageState("Old", "Alpha", "there", 100, True)
    assert found["Nowhere"] == PageState("Nowhere", "Nowhere", "missing", None, False)
    assert found["<x>"].status == found["A|B"].status == "invalid_title"
    assert [len(one["titles"].split("|")) for one in sent] == [50, 15]
    assert {one["prop"] for one in sent} == {"info"}
    assert transport.purposes == Counter({("action_api", "info"): 2})


def test_a_purpose_is_no_part_of_the_question() -> None:
    one = Request("sparql", "wikidata", "POST", "http://a/", form={"query": "x"}, purpose="facts")
    other = Request("sparql", "wikidata", "POST", "http://a/", form={"query": "x"})
    assert one == other
    assert one.key == other.key


@given(st.integers(0, 3000), st.integers(0, 3000), st.floats(0, 1), st.integers(1, 500))
def test_rechecks_fill_full_batches_and_add_at_most_one(n_asked: int, n_carried: int, share: float, batch: int) -> None:
    n = n_rechecks(n_asked, n_carried, share, batch)
    assert 0 <= n <= n_carried
    free = -n_asked % batch
    assert n <= free + batch
    if n < n_carried:
        assert (n_asked + n) % batch == 0
        assert n >= min(share * n_carried, free + batch) - 1e-9 or n >= free


def test_samples_are_the_same_each_time_and_others_with_another_salt() -> None:
    names = [f"Q{n}" for n in range(200)]
    assert sample(names, 10, "2027-01") == sample(reversed(names), 10, "2027-01")
    assert set(sample(names, 10, "2027-01")) != set(sample(names, 10, "2027-02"))
    assert sorted(sample(names[:3], 10, "x")) == names[:3]
    drawn = sum(is_drawn(4, "summaries", name) for name in names)
    assert 25 <= drawn <= 75


@given(st.floats(0.01, 400))
def test_an_expectation_of_the_number_itself_is_the_mean(mean: float) -> None:
    assert expected(lambda n: n, mean) == pytest.approx(mean, rel=1e-6, abs=1e-6)


def test_a_rare_change_costs_less_than_a_request() -> None:
    def requests(n: int) -> float:
        return -(-n // 20)

    assert expected(requests, 0.1) == pytest.approx(0.0952, abs=1e-3)
    assert expected(requests, 5) == pytest.approx(0.9933, abs=1e-3)
    assert expected(requests, 0) == 0


def test_listings_are_counted_as_they_are_asked(tmp_path: Path) -> None:
    chosen = make_settings(tmp_path, listing_rows=100, class_batch=3)
    assert n_listings({"Q1": 50, "Q2": 40, "Q3": 30, "Q4": 0}, chosen) == 2
    assert n_listings({"Q1": 950, "Q2": 1, "Q3": 1, "Q4": 1, "Q5": 1}, chosen) == 10 + 2
