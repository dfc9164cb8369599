"""The Wikidata client against a graph (pyoxigraph answers every query): rows, batches, halving, counting again."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pyoxigraph
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlm_assets.errors import QueryTimeout, Refused, ServiceUnavailable
from mlm_assets.resources import wikidata_queries as queries
from mlm_assets.resources.http import Answer
from mlm_assets.resources.wikidata import Fact, Instance, Usable, Wikidata, listing_groups
from mlm_assets.tables import LANGUAGES
from tests.conftest import shared_folder
from tests.unit.resources.scripted import OxigraphStore, make_settings, make_transport, timed_out

POINT = "^^<http://www.opengis.net/ont/geosparql#wktLiteral>"
FILES = "<http://commons.wikimedia.org/wiki/Special:FilePath/"


def coordinate(qid: str, statement: str, point: str, lat: str, lon: str, globe: str = "Q2", best: bool = True) -> str:
    return f"""
      {f'wd:{qid} wdt:P625 "{point}"{POINT} .' if best else ""}
      wd:{qid} p:P625 s:{statement} .
      s:{statement} ps:P625 "{point}"{POINT} ; psv:P625 v:{statement} .
      v:{statement} wikibase:geoLatitude {lat} ; wikibase:geoLongitude {lon} ; wikibase:geoGlobe wd:{globe} .
    """


def article(lang: str, title: str, qid: str) -> str:
    return (
        f"<https://{lang}.wikipedia.org/wiki/{title}> schema:about wd:{qid} ; "
        f"schema:isPartOf <https://{lang}.wikipedia.org/> ."
    )


GRAPH = (
    queries.PREFIXES
    + """
PREFIX s: <http://www.wikidata.org/entity/statement/>
PREFIX v: <http://www.wikidata.org/value/>
PREFIX xsd: <http://www.w3.org/2001/XMLSchema#>
wd:Q515 wdt:P279 wd:Q486972 . wd:Q532 wdt:P279 wd:Q486972 . wd:Q1549591 wdt:P279 wd:Q515 , wd:Q532 .
wd:Q486972 wdt:P279 wd:Q1549591 . wd:L1 wdt:P279 wd:Q515 .
wd:Q515 rdfs:label "city"@en , "Stadt"@de , "stad"@sv .
wd:Q532 rdfs:label "village"@en .

wd:Q64 wdt:P31 wd:Q515 , wd:Q532 , <http://www.wikidata.org/.well-known/genid/1> ; schema:version 77 ;
  schema:dateModified "2026-11-01T00:00:00Z"^^xsd:dateTime ; wdt:P17 wd:Q183 ; wdt:P1082 3850809 ;
  rdfs:label "Berlin"@en , "Berlín"@es , "Berlin"@sv ;
  wdt:P18 FILES:Berlin%20%C3%BCber_allem.jpg> , <http://www.wikidata.org/.well-known/genid/2> ;
  wdt:P94 FILES:coat.svg> .
wd:Q183 wdt:P297 "DE" .
wd:Q7 wdt:P31 wd:Q532 ; wdt:P17 wd:Q999 .
wd:Q17 wdt:P31 wd:Q532 ; wdt:P41 FILES:Flag.svg> ; schema:version 5 .
""".replace("FILES:", FILES)
    + coordinate("Q64", "Q64-a", "Point(13.38 52.51)", "52.51", "13.38")
    + coordinate("Q64", "Q64-b", "Point(13.4 52.5)", "52.5", "13.4")
    + coordinate("Q64", "Q64-deprecated", "Point(0 0)", "0.0", "0.0", best=False)
    + coordinate("Q17", "Q17-moon", "Point(1 2)", "2.0", "1.0", globe="Q405")
    + article("en", "Berlin", "Q64")
    + article("pt", "Berlim_%28cidade%29", "Q64")
    + article("sv", "Berlin", "Q64")
    + article("de", "Mond", "Q17")
)


def client(tmp_path: Path, intercept=None, triples: str = GRAPH, **more) -> tuple[Wikidata, list[str]]:
    store = OxigraphStore(triples, intercept)
    chosen = make_settings(tmp_path, **more)
    return Wikidata(make_transport(chosen, store=store, mode="replay"), chosen), store.queries


def qids_in(query: str) -> list[str]:
    return re.findall(r"wd:(Q\d+)", query.split("VALUES", 1)[1].partition("}")[0])


def too_slow_above(n: int):
    return lambda query: timed_out() if len(qids_in(query)) > n else None


def test_subclasses_are_one_hop_and_sorted(tmp_path: Path) -> None:
    wikidata, asked = client(tmp_path)
    assert wikidata.subclasses(["Q532", "Q486972", "Q515", "Q515"]) == [
        ("Q515", "Q486972"),
        ("Q532", "Q486972"),
        ("Q1549591", "Q515"),
        ("Q1549591", "Q532"),
    ]
    assert len(asked) == 1
    assert wikidata.subclasses([]) == []
    assert len(asked) == 1


def test_labels_come_by_language_and_are_missing_where_they_are_missing(tmp_path: Path) -> None:
    wikidata, _ = client(tmp_path)
    assert wikidata.labels(["Q515", "Q532", "Q1"], LANGUAGES) == {
        "Q515": {"en": "city", "de": "Stadt"},
        "Q532": {"en": "village"},
        "Q1": {},
    }


def test_counts_of_classes_without_instances_are_zero(tmp_path: Path) -> None:
    wikidata, asked = client(tmp_path, class_batch=2)
    assert wikidata.count_instances(["Q515", "Q532", "Q1549591"]) == {"Q515": 1, "Q532": 3, "Q1549591": 0}
    assert len(asked) == 2


@pytest.mark.parametrize("bad", ["Q", "q64", "Q64> . ?s ?p ?o", "wd:Q64", "Q64 Q65", "Q0", "P31", ""])
def test_a_malformed_qid_never_reaches_a_query(bad: str, tmp_path: Path) -> None:
    wikidata, asked = client(tmp_path)
    for ask in (
        wikidata.subclasses,
        wikidata.count_instances,
        wikidata.facts,
        wikidata.count_usable,
        lambda qids: wikidata.labels(qids, ["en"]),
        lambda qids: list(wikidata.instances(dict.fromkeys(qids, 1))),
    ):
        with pytest.raises(Refused):
            ask(["Q64", bad])
    with pytest.raises(Refused):
        queries.labels(["Q64"], ['en" || true'])
    with pytest.raises(Refused):
        queries.listing(["Q64"], '1")')
    assert not asked


def test_facts_of_an_item(tmp_path: Path) -> None:
    wikidata, asked = client(tmp_path)
    batch = wikidata.facts(["Q64"])
    key = batch.rows[0].answer_key
    assert batch.quarantined == []
    assert len(asked) == 1
    assert [fact._replace(answer_key="") for fact in batch.rows] == [
        Fact("Q64", "P1082", "3850809"),
        Fact("Q64", "P17", "Q183", country_code="DE"),
        Fact("Q64", "P18", "Berlin über allem.jpg"),
        Fact("Q64", "P31", "Q515", label="city"),
        Fact("Q64", "P31", "Q532", label="village"),
        Fact("Q64", "P625", "Point(13.38 52.51)", lat_deg=52.51, lon_deg=13.38, globe_qid="Q2", statement="Q64-a"),
        Fact("Q64", "P625", "Point(13.4 52.5)", lat_deg=52.5, lon_deg=13.4, globe_qid="Q2", statement="Q64-b"),
        Fact("Q64", "P94", "Coat.svg"),
        Fact("Q64", "label", "Berlin", lang="en"),
        Fact("Q64", "label", "Berlín", lang="es"),
        Fact("Q64", "modified", "2026-11-01T00:00:00Z"),
        Fact("Q64", "sitelink", "Berlin", lang="en"),
        Fact("Q64", "sitelink", "Berlim (cidade)", lang="pt"),
        Fact("Q64", "version", "77"),
    ]
    assert {fact.answer_key for fact in batch.rows} == {key}
    assert len(key) == 64


def test_facts_of_items_that_lack_things(tmp_path: Path) -> None:
    wikidata, _ = client(tmp_path)
    rows = wikidata.facts(["Q7", "Q17", "Q404"]).rows
    assert [(f.qid, f.property, f.value, f.globe_qid) for f in rows if f.property != "P31"] == [
        ("Q7", "P17", "Q999", None),
        ("Q17", "P41", "Flag.svg", None),
        ("Q17", "P625", "Point(1 2)", "Q405"),
        ("Q17", "sitelink", "Mond", None),
        ("Q17", "version", "5", None),
    ]


def test_facts_do_not_depend_on_batches_or_order(tmp_path: Path) -> None:
    def facts(qids: list[str], **more) -> list[Fact]:
        return [fact._replace(answer_key="") for fact in client(tmp_path, **more)[0].facts(qids).rows]

    whole = facts(["Q64", "Q7", "Q17"])
    assert sorted(facts(["Q17", "Q64", "Q7", "Q64"], facts_batch=1)) == sorted(whole)
    assert facts(["Q17", "Q7", "Q64"]) == whole


def test_facts_are_halved_until_the_time_is_enough(tmp_path: Path) -> None:
    wikidata, asked = client(tmp_path, too_slow_above(1))
    batch = wikidata.facts(["Q7", "Q17", "Q64"])
    assert {fact.qid for fact in batch.rows} == {"Q7", "Q17", "Q64"}
    assert batch.quarantined == []
    assert [qids_in(query) for query in asked] == [["Q7", "Q17", "Q64"], ["Q7", "Q17"], ["Q7"], ["Q17"], ["Q64"]]


def test_an_item_that_cannot_be_answered_even_alone_is_quarantined(tmp_path: Path) -> None:
    wikidata, _ = client(tmp_path, lambda query: timed_out() if "Q17" in qids_in(query) else None)
    batch = wikidata.facts(["Q7", "Q17", "Q64"])
    assert {fact.qid for fact in batch.rows} == {"Q7", "Q64"}
    assert batch.quarantined == [("Q17", "too slow")]


def test_classes_are_halved_and_one_alone_fails_loudly(tmp_path: Path) -> None:
    wikidata, _ = client(tmp_path, too_slow_above(1))
    assert wikidata.count_instances(["Q515", "Q532"]) == {"Q515": 1, "Q532": 3}
    wikidata, _ = client(tmp_path, too_slow_above(0))
    with pytest.raises(QueryTimeout):
        wikidata.count_instances(["Q515", "Q532"])


def many(n_small: int, n_large: int) -> str:
    """A graph with small classes Q1... (their number is their size) and one large class Q900."""
    lines = [queries.PREFIXES]
    number = 10_000
    for qid, size in [*((q, q) for q in range(1, n_small + 1)), (900, n_large)]:
        for _ in range(size):
            number += 7
            lines.append(f"wd:Q{number} wdt:P31 wd:Q{qid} ; schema:version {number % 97} .")
    return "\n".join(lines)


def listed(wikidata: Wikidata, counts: dict[str, int]) -> list[Instance]:
    return [row for batch in wikidata.instances(counts) for row in batch.rows]


@pytest.mark.parametrize("intercepted", [None, too_slow_above(1), too_slow_above(3)])
def test_listing_brings_every_instance_once(intercepted, tmp_path: Path) -> None:
    wikidata, asked = client(tmp_path, intercepted, many(12, 400), listing_rows=50)
    counts = wikidata.count_instances([*(f"Q{n}" for n in range(1, 13)), "Q900", "Q901"])
    asked.clear()
    seen: list[tuple[int, int]] = []
    batches = list(wikidata.instances(counts, lambda done, total: seen.append((done, total))))
    rows = [row for batch in batches for row in batch.rows]
    assert len(rows) == len({(row.qid, row.class_qid) for row in rows}) == sum(counts.values()) == 478
    assert all(row.revision == int(row.qid[1:]) % 97 for row in rows)
    assert seen[-1] == (478, 478)
    assert all(len(batch.rows) <= 50 for batch in batches)
    assert len({batch.key for batch in batches}) == len(batches)
    if intercepted is None:
        assert len(asked) == 2 + 10  # 78 rows of small classes in two, the large one by its last digit
        assert {ending for query in asked for ending in re.findall(r'STRENDS\(STR\(\?item\), "(\d+)"', query)} == set(
            "0123456789"
        )


def test_a_class_without_revisions_or_instances(tmp_path: Path) -> None:
    wikidata, asked = client(tmp_path)
    assert set(listed(wikidata, {"Q532": 3, "Q1549591": 0})) == {
        Instance("Q64", "Q532", 77),
        Instance("Q7", "Q532", None),
        Instance("Q17", "Q532", 5),
    }
    assert all("Q1549591" not in query for query in asked)


def test_one_class_is_split_further_where_the_time_is_not_enough(tmp_path: Path) -> None:
    def intercept(query: str) -> Answer | None:
        return None if re.search(r'"\d\d"', query) else timed_out()

    wikidata, asked = client(tmp_path, intercept, many(1, 300), listing_rows=500)
    assert len(listed(wikidata, {"Q900": 300})) == 300
    assert len(asked) == 1 + 10 + 100


def test_a_listing_that_differs_from_its_count_is_counted_and_asked_again(tmp_path: Path) -> None:
    grown: Iterator[int] = iter([1])

    def intercept(query: str) -> None:
        # Between the first listing and the second count, an instance is added.
        if "COUNT" in query and next(grown, None):
            predicate = pyoxigraph.NamedNode("http://www.wikidata.org/prop/direct/P31")
            entity = "http://www.wikidata.org/entity/"
            store.graph.add(
                pyoxigraph.Quad(pyoxigraph.NamedNode(entity + "Q5"), predicate, pyoxigraph.NamedNode(entity + "Q900"))
            )

    store = OxigraphStore(many(1, 30), intercept)
    chosen = make_settings(tmp_path)
    wikidata = Wikidata(make_transport(chosen, store=store, mode="replay"), chosen)
    rows = listed(wikidata, {"Q1": 1, "Q900": 27})  # the caller's count is of an older state
    assert len(rows) == 32
    assert "Q5" in {row.qid for row in rows}


def test_a_listing_that_never_agrees_is_an_error_unless_edits_explain_it(tmp_path: Path) -> None:
    def miscounted(by: int):
        def intercept(query: str) -> Answer | None:
            if "COUNT" not in query:
                return None
            bindings = [
                {
                    "class": {"type": "uri", "value": row["class"].value},
                    "n": {"type": "literal", "value": str(int(row["n"].value) + by)},
                }
                for row in store.graph.query(query)
            ]
            body = json.dumps({"head": {"vars": ["class", "n"]}, "results": {"bindings": bindings}})
            return Answer(200, {"content-type": "application/sparql-results+json"}, body.encode(), "", True)

        store = OxigraphStore(many(2, 30), intercept)
        chosen = make_settings(tmp_path)
        return Wikidata(make_transport(chosen, store=store, mode="replay"), chosen)

    assert len(listed(miscounted(1), {"Q900": 31})) == 30
    with pytest.raises(ServiceUnavailable, match="counts 32 instances of Q900 and listed 30"):
        listed(miscounted(2), {"Q900": 32})


def test_usable_instances_meet_all_three_constraints(tmp_path: Path) -> None:
    wikidata, asked = client(tmp_path)
    assert wikidata.count_usable(["Q515", "Q532"]) == Usable(2, 3, 1)
    assert wikidata.count_usable(["Q515"]) == Usable(1, 1, 1)
    assert wikidata.count_usable(["Q1"]) == Usable(1, 0, 0)
    assert len(asked) == 3
    wikidata, _ = client(tmp_path, lambda query: None if "STRENDS" in query else timed_out())
    assert wikidata.count_usable(["Q515", "Q532"]) == Usable(2, 3, 1)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, 60), min_size=1, max_size=8), st.integers(1, 80), st.integers(1, 5))
def test_groups_hold_every_class_once_and_no_more_rows_than_asked(sizes: list[int], rows: int, classes: int) -> None:
    chosen = make_settings(Path("unused"), listing_rows=rows, class_batch=classes)
    counts = {f"Q{n}": size for n, size in enumerate(sizes, 1)}
    groups = list(listing_groups(counts, chosen))
    assert [qid for group in groups for qid in group] == [qid for qid, size in counts.items() if size]
    assert all(len(group) <= classes for group in groups)
    assert all(len(group) == 1 or sum(counts[qid] for qid in group) <= rows for group in groups)


def test_every_query_is_portable() -> None:
    classes, items = ["Q515", "Q532"], ["Q64", "Q7"]
    texts = [
        queries.one_hop(classes),
        queries.labels(classes, LANGUAGES),
        queries.counts(classes),
        queries.listing(classes, "7"),
        queries.names(classes),
        queries.fates(items),
        queries.facts(items),
        queries.usable(classes, "12"),
    ]
    graph = pyoxigraph.Store()
    for text in texts:
        graph.query(text)  # every prefix is declared
        assert not re.search(r"hint:|SERVICE|ORDER BY|OFFSET|bd:|geof:", text)
        for block in re.findall(r"(?:OPTIONAL|EXISTS) \{([^}]*)\}", text):
            triple = block.split("FILTER")[0].strip().removesuffix(".")
            assert len(triple.split()) == 3, f"more than one triple: {block}"
    union = queries.facts(items).split("WHERE", 1)[1].split("UNION")
    assert len(union) > 10
    assert all("VALUES ?item { wd:Q64 wd:Q7 }" in branch for branch in union)


def test_facts_of_a_recorded_item(tmp_path: Path) -> None:
    folder = shared_folder("fixtures")
    if not folder.is_dir():
        pytest.skip("the recorded answers (shared/fixtures) are not beside this checkout")
    wikidata, _ = client(tmp_path, triples=(folder / "wikidata" / "Q37599471.ttl").read_text("utf-8"))
    rows = wikidata.facts(["Q37599471"]).rows
    assert ("P31", "Q13442814") in {(fact.property, fact.value) for fact in rows}
    assert ("label", "en", "Loop Quantum Gravity") in {(fact.property, fact.lang, fact.value) for fact in rows}
    assert not [fact for fact in rows if fact.property in {"P625", "P18", "sitelink"}]
