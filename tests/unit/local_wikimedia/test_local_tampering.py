"""Every silent fault is seen by a client as it is described, by as much as it says, and the answers still parse."""

import hashlib
import io
import json
import re
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from mlm_assets.errors import Refused
from mlm_assets.local_wikimedia.generator.vocabulary import LANGUAGES
from mlm_assets.local_wikimedia.generator.world import GeneratedWorld
from mlm_assets.local_wikimedia.model import World
from mlm_assets.local_wikimedia.sparql import SparqlEngine
from mlm_assets.local_wikimedia.tampering import KINDS, parse_kinds, tampered
from mlm_assets.local_wikimedia.worlds import load_world

JSON = "application/sparql-results+json"
PREFIXES = """
PREFIX wd: <http://www.wikidata.org/entity/>
PREFIX wdt: <http://www.wikidata.org/prop/direct/>
PREFIX p: <http://www.wikidata.org/prop/>
PREFIX ps: <http://www.wikidata.org/prop/statement/>
PREFIX psv: <http://www.wikidata.org/prop/statement/value/>
PREFIX wikibase: <http://wikiba.se/ontology#>
PREFIX schema: <http://schema.org/>
PREFIX rdfs: <http://www.w3.org/2000/01/rdf-schema#>
"""
PLACES = """SELECT ?item ?lat ?lon ?globe ?text WHERE { ?item wdt:P31 ?c ; wdt:P625 ?text ; p:P625 ?s .
  ?s ps:P625 ?text ; psv:P625 ?n .
  ?n wikibase:geoLatitude ?lat ; wikibase:geoLongitude ?lon ; wikibase:geoGlobe ?globe }"""
MONTH = 14


@cache
def sound() -> GeneratedWorld:
    return GeneratedWorld(400, 2, MONTH)


@cache
def spoilt(kind: str) -> World:
    return tampered(sound(), [kind])


@cache
def engine(kind: str) -> SparqlEngine:
    return SparqlEngine(spoilt(kind) if kind else sound())


def select(kind: str, query: str) -> list[dict[str, str]]:
    body, _ = engine(kind).answer(PREFIXES + query, JSON)
    return [{name: term["value"] for name, term in row.items()} for row in json.loads(body)["results"]["bindings"]]


def pairs(kind: str, query: str) -> dict[str, str]:
    return {row["item"]: row["value"] for row in select(kind, query)}


def count(kind: str, pattern: str) -> int:
    return int(select(kind, f"SELECT (COUNT(*) AS ?k) WHERE {{ {pattern} }}")[0]["k"])


def share_changed(kind: str, query: str) -> float:
    was, now = pairs("", query), pairs(kind, query)
    return sum(now.get(item) != value for item, value in was.items()) / len(was)


def extracts(kind: str, lang: str) -> tuple[dict[str, str], dict[str, str]]:
    """Return the texts of a language by title, before and after."""
    titles = [title for other, title in sound().page_titles() if other == lang]
    before = {title: page.extract for title in titles if (page := sound().page(lang, title)) and page.extract}
    after = {title: page.extract for title in before if (page := spoilt(kind).page(lang, title))}
    return before, after


def only_changes(kind: str, lang: str) -> None:
    for other in LANGUAGES:
        if other != lang:
            before, after = extracts(kind, other)
            assert before == after


def test_there_are_enough_kinds_and_all_are_described() -> None:
    assert len(KINDS) >= 34
    for name, kind in KINDS.items():
        assert kind.name == name
        assert re.fullmatch(r"[a-z_]+", name)
        assert kind.description
        assert kind.where in ("world", "answers")
    assert {kind.is_wrong for kind in KINDS.values()} == {True, False}


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_every_kind_is_deterministic_and_seen(kind: str) -> None:
    def seen(world: World) -> str:
        total = hashlib.sha256(b"".join(world.triples()))
        for key in sorted(set(world.page_titles())):
            total.update(repr(world.page(*key)).encode())
        for name in sorted(world.file_names())[:12]:
            total.update(repr(world.file(name)).encode())
        loaded = SparqlEngine(world)
        for query in (FACTS, LISTING):
            total.update(loaded.answer(PREFIXES + query, JSON)[0])
        return total.hexdigest()

    small = GeneratedWorld(200, 3, MONTH)
    assert seen(tampered(small, [kind])) == seen(tampered(small, [kind])) != seen(small)
    assert tampered(small, [kind]).describe()["tampering"] == [kind]


LISTING = "SELECT ?item ?class ?revision WHERE { ?item wdt:P31 ?class OPTIONAL { ?item schema:version ?revision } }"
COUNTS = "SELECT ?class (COUNT(DISTINCT ?item) AS ?n) WHERE { ?item wdt:P31 ?class } GROUP BY ?class"
FACTS = """SELECT DISTINCT ?item ?property ?value WHERE {
  { ?item wdt:P31 ?value BIND("P31" AS ?property) } UNION { ?item wdt:P1082 ?value BIND("P1082" AS ?property) }
  UNION { ?item wdt:P31 ?c ; rdfs:label ?value BIND("label" AS ?property) } }"""


@pytest.mark.parametrize(
    ("kind", "low", "high"),
    [
        ("class_edge_lost", 0.2, 0.6),
        ("base_class_children_lost", 0.2, 0.7),
        ("country_vanishes", 0.02, 0.2),
        ("items_deleted", 0.15, 0.25),
    ],
)
def test_candidates_are_lost(kind: str, low: float, high: float) -> None:
    before, after = engine("").n_candidates(), engine(kind).n_candidates()
    assert low < 1 - after / before < high


@pytest.mark.parametrize(("kind", "low", "high"), [("items_doubled", 0.18, 0.32), ("hamlets_imported", 0.01, 0.1)])
def test_candidates_come_up(kind: str, low: float, high: float) -> None:
    before, after = engine("").n_candidates(), engine(kind).n_candidates()
    assert low < after / before - 1 < high


def test_doubled_items_share_articles_and_places() -> None:
    shared = (
        "SELECT ?a WHERE { ?a schema:about ?x, ?y . ?x p:P625/psv:P625 ?n . ?y p:P625/psv:P625 ?n FILTER(?x != ?y) }"
    )
    assert not select("", shared)
    assert len(select("items_doubled", shared)) > 50


def test_imported_hamlets_are_hamlets_with_an_article() -> None:
    new = "?a schema:about ?item . ?item wdt:P31 wd:Q5084 ; wdt:P17 wd:Q36 FILTER(STRSTARTS(STR(?item), 'http://www.wikidata.org/entity/Q195'))"
    imported = count("hamlets_imported", new)
    assert 0.25 < imported / count("", "?i wdt:P17 wd:Q36 ; wdt:P31 ?c") < 0.55
    page = spoilt("hamlets_imported").page("en", "Hamlet 1 (Poland)")
    assert page is not None and page.extract and page.qid


def test_classes_lose_instances_labels_and_names() -> None:
    root = "wd:Q486972"
    n_items = len(sound().settlements)
    assert count("classes_generalised", f"?i wdt:P31 {root}") > 0.25 * n_items > 3 * count("", f"?i wdt:P31 {root}")
    assert engine("classes_generalised").n_candidates() >= engine("").n_candidates()
    labelled = "?c wdt:P279 ?p ; rdfs:label ?l"
    assert count("class_labels_lost", labelled) == 0 < count("", labelled)
    assert count("class_labels_lost", "?i wdt:P31 ?c ; rdfs:label ?l") == count("", "?i wdt:P31 ?c ; rdfs:label ?l")
    english = 'SELECT ?l WHERE { wd:Q532 rdfs:label ?l FILTER(LANG(?l) = "en") }'
    assert select("", english) == [{"l": "village"}]
    assert select("class_labels_swapped", english) == [{"l": "town"}]


def test_countries_change_and_vanish() -> None:
    spain, portugal = "?i wdt:P31 ?c ; wdt:P17 wd:Q29", "?i wdt:P31 ?c ; wdt:P17 wd:Q45"
    assert count("country_retagged", spain) == 0 < count("", spain)
    assert count("country_retagged", portugal) >= count("", spain)
    assert count("countries_lost", "?i wdt:P17 ?c") == 0 < count("", "?i wdt:P17 ?c")
    assert count("country_vanishes", "?i wdt:P17 wd:Q38") == 0 < count("", "?i wdt:P17 wd:Q38")
    assert count("country_vanishes", "wd:Q38 rdfs:label ?l") == 10


@pytest.mark.parametrize(
    ("kind", "lang", "low", "high"), [("articles_vanish_some", "fr", 0.3, 0.5), ("articles_vanish_all", "de", 1, 1)]
)
def test_articles_of_a_language_vanish(kind: str, lang: str, low: float, high: float) -> None:
    linked = f"?a schema:isPartOf <https://{lang}.wikipedia.org/>"
    assert low <= 1 - count(kind, linked) / count("", linked) <= high
    before, after = extracts(kind, lang)
    assert low <= 1 - len(after) / len(before) <= high
    only_changes(kind, lang)


def test_sitelinks_and_titles_go_astray() -> None:
    article = "SELECT ?item ?value WHERE { ?value schema:about ?item ; schema:isPartOf <https://en.wikipedia.org/> }"
    assert share_changed("sitelinks_shifted", article) > 0.95
    assert len(select("sitelinks_shifted", article)) == len(select("", article))
    mangled = [row["a"] for row in select("titles_mojibake", "SELECT ?a { ?a schema:about ?i }")]
    assert sum("%C3%83" in address for address in mangled) > 20
    assert 0.1 < share_changed("titles_mojibake", article) < 0.7


def test_stale_worlds_are_those_of_twelve_months_ago() -> None:
    old = sound().at(MONTH - 12)
    assert b"".join(spoilt("stale_world").triples()) == b"".join(old.triples())
    assert b"".join(spoilt("stale_graph").triples()) == b"".join(old.triples())
    keys = set(sound().page_titles())
    assert any(spoilt("stale_world").page(*key) != sound().page(*key) for key in keys)
    assert all(spoilt("stale_graph").page(*key) == sound().page(*key) for key in keys)
    young = GeneratedWorld(60, 1, 3)
    assert b"".join(tampered(young, ["stale_world"]).triples()) == b"".join(young.at(0).triples())


def test_populations() -> None:
    query = "SELECT ?item ?value WHERE { ?item wdt:P1082 ?value }"
    was, now = pairs("", query), pairs("populations_in_thousands", query)
    assert was.keys() == now.keys()
    assert all(int(now[item]) == max(1, round(int(value) / 1_000)) for item, value in was.items())
    assert 0.5 < 1 - len(pairs("populations_lost", query)) / len(was) < 0.7


def test_labels() -> None:
    query = 'SELECT ?item ?value WHERE { ?item wdt:P31 ?c ; rdfs:label ?value FILTER(LANG(?value) = "en") }'
    was, now = pairs("", query), pairs("english_labels_lost", query)
    assert was.keys() == now.keys()
    assert all(value == item.rpartition("/")[2] for item, value in now.items())
    for item, value in pairs("labels_mojibake", query).items():
        assert (value == was[item]) == was[item].isascii()


def test_stamps() -> None:
    assert count("revisions_missing", "?i schema:version ?v") == 0 < count("", "?i schema:version ?v")
    query = "SELECT ?item ?value WHERE { ?item schema:dateModified ?value }"
    assert 0.3 < share_changed("modified_in_future", query) < 0.5
    assert any(value > "2036" for value in pairs("modified_in_future", query).values())


REVISIONS = "SELECT ?item ?value WHERE { ?item wdt:P31 ?c ; schema:version ?value }"
MOMENTS = "SELECT ?item ?value WHERE { ?item wdt:P31 ?c ; schema:dateModified ?value }"
PLACED = "SELECT ?item ?value WHERE { ?item wdt:P31 ?c ; p:P625/ps:P625 ?value }"
PEOPLED = "SELECT ?item ?value WHERE { ?item wdt:P31 ?c ; wdt:P1082 ?value }"
FRENCH = "SELECT ?item ?value WHERE { ?value schema:about ?item ; schema:isPartOf <https://fr.wikipedia.org/> }"


def values(world: World, *queries: str) -> list[dict[str, set[str]]]:
    """Return, for each query, the values of each item."""
    loaded, found = SparqlEngine(world), []
    for query in queries:
        by_item: dict[str, set[str]] = {}
        for row in json.loads(loaded.answer(PREFIXES + query, JSON)[0])["results"]["bindings"]:
            by_item.setdefault(row["item"]["value"], set()).add(row["value"]["value"])
        found.append(by_item)
    return found


@pytest.mark.parametrize(
    ("kind", "query"),
    [("coordinates_zeroed", PLACED), ("populations_in_thousands", PEOPLED), ("articles_vanish_some", FRENCH)],
)
def test_an_edit_leaves_a_new_revision_and_nothing_else_does(kind: str, query: str) -> None:
    was, before = values(sound(), REVISIONS, query)
    now, after, moments = values(spoilt(kind), REVISIONS, query, MOMENTS)
    changed = {item for item in was if now[item] != was[item]}
    assert changed == {item for item in before.keys() & was.keys() if after.get(item) != before[item]}
    assert all(int(max(now[item])) > int(max(was[item])) for item in changed), "no revision goes back"
    assert all(max(moments[item]) >= "2028-02-15" for item in changed)


def test_what_is_undone_is_as_it_was_under_newer_revisions() -> None:
    later, kind = sound().at(MONTH + 1), "articles_vanish_some"
    [was] = values(sound(), REVISIONS)
    [tampered_with] = values(spoilt(kind), REVISIONS)
    plain, revisions = values(later, FRENCH)[0], values(tampered(later, [f"undone:{kind}"]), FRENCH, REVISIONS)
    assert revisions[0] == plain
    edited = {item for item in was if tampered_with[item] != was[item]} & revisions[1].keys()
    assert edited
    assert all(int(max(revisions[1][item])) > int(max(tampered_with[item])) for item in edited)


def test_texts_that_a_wiki_holds_are_revisions_and_wrong_answers_are_not() -> None:
    for kind, is_edit in (("extracts_of_disambiguations", True), ("extracts_empty", False)):
        for key in sound().page_titles():
            before, after = sound().page(*key), spoilt(kind).page(*key)
            assert before is not None and after is not None
            changed = before.extract != after.extract
            assert (after.lastrevid > before.lastrevid) == (changed and is_edit)
            assert after.touched >= (max(before.touched, "2028-02-15") if changed and is_edit else before.touched)


def test_only_edits_are_undone() -> None:
    with pytest.raises(Refused, match="extracts_empty edits nothing"):
        tampered(sound(), ["undone:extracts_empty"])
    with pytest.raises(Refused, match="no tampering 'undone:nonsense'"):
        parse_kinds("undone:nonsense")
    assert tampered(sound(), ["undone:images_dropped"]).describe()["tampering"] == ["undone:images_dropped"]


def test_images() -> None:
    pattern = "?item wdt:P18 ?value"
    assert 0.27 < 1 - count("images_dropped", pattern) / count("", pattern) < 0.43
    other = "?item wdt:P94 ?value"
    assert count("images_dropped", other) == count("", other)
    french = Counter(
        row["value"]
        for row in select(
            "one_image_for_country", "SELECT ?item ?value WHERE { ?item wdt:P17 wd:Q142 ; wdt:P18 ?value }"
        )
    )
    assert 0.3 < french.most_common(1)[0][1] / french.total() < 0.75


def moved(kind: str) -> list[tuple[tuple[float, float, str], tuple[float, float, str]]]:
    """Return (before, after) of the places of single coordinates that have changed; literal and node must agree."""
    found = []
    for world in ("", kind):
        places: dict[str, list[tuple[float, float, str]]] = {}
        for row in select(world, PLACES):
            lat, lon, globe = float(row["lat"]), float(row["lon"]), row["globe"].rpartition("/")[2]
            text = re.search(r"Point\(([-0-9.e]+) ([-0-9.e]+)\)", row["text"])
            assert text is not None and (float(text[2]), float(text[1])) == (lat, lon)
            assert -90 <= lat <= 90 and -180 <= lon <= 180
            places.setdefault(row["item"], []).append((lat, lon, globe))
        found.append({item: place[0] for item, place in places.items() if len(set(place)) == 1})
    was, now = found
    assert abs(len(was) - len(now)) <= 0.05 * len(was)
    return [(was[item], now[item]) for item in was if item in now and was[item] != now[item]]


@pytest.mark.parametrize(
    ("kind", "low", "high"),
    [
        ("coordinates_swapped", 0.2, 0.4),
        ("coordinates_zeroed", 0.18, 0.32),
        ("longitude_sign_lost", 0.01, 0.15),
        ("coordinates_rounded", 0.5, 0.7),
        ("coordinates_jittered", 0.3, 0.5),
        ("coordinates_on_moon", 0.13, 0.27),
        ("coordinates_piled_up", 0.01, 0.08),
    ],
)
def test_coordinates(kind: str, low: float, high: float) -> None:
    changed = moved(kind)
    assert low < len(changed) / len(select("", "SELECT DISTINCT ?i WHERE { ?i wdt:P31 ?c ; wdt:P625 ?p }")) < high
    for (lat, lon, globe), (new_lat, new_lon, new_globe) in changed:
        expected = {
            "coordinates_swapped": (new_lat, new_lon) == (lon, lat),
            "coordinates_zeroed": (new_lat, new_lon) == (0, 0),
            "longitude_sign_lost": (new_lat, new_lon) == (lat, -lon),
            "coordinates_rounded": (new_lat, new_lon) == (round(lat), round(lon)),
            "coordinates_jittered": abs(new_lat - lat) <= 0.46,
            "coordinates_on_moon": (new_lat, new_lon, new_globe) == (lat, lon, "Q405"),
            "coordinates_piled_up": (new_lat, new_lon) == (52.23, 21.01),
        }
        assert expected[kind]
        assert kind == "coordinates_on_moon" or globe == new_globe


@pytest.mark.parametrize(
    ("kind", "low", "expected"),
    [
        ("extracts_empty", 1, lambda text: not text),
        ("extracts_cut", 0.95, lambda text: len(text) == 40),
        ("extracts_with_markup", 0.45, lambda text: "{{Infobox" in text and "[[" in text),
        ("extracts_with_html", 0.45, lambda text: text.startswith("<p") and "</p>" in text),
        ("extracts_all_the_same", 1, lambda text: text.startswith("Ez a szócikk")),
        ("extracts_of_disambiguations", 0.2, lambda text: "puede referirse a" in text),
        ("extracts_mojibake", 0.9, lambda text: "Ã" in text or "â" in text),
    ],
)
def test_lead_texts_of_one_language(kind: str, low: float, expected: Any) -> None:
    lang = KINDS[kind].lang
    before, after = extracts(kind, lang)
    changed = [title for title in before if after[title] != before[title]]
    assert low <= len(changed) / len(before)
    assert all(expected(after[title]) for title in changed)
    assert any(not expected(text) for text in before.values())
    only_changes(kind, lang)


def test_lead_texts_change_places() -> None:
    before, after = extracts("extracts_shifted", "en")
    titles = sorted(before)
    assert all(after[title] == before[other] for title, other in zip(titles, [*titles[1:], titles[0]], strict=True))
    italian, swapped = extracts("extracts_swapped", "it")
    spanish, back = extracts("extracts_swapped", "es")
    changed = [title for title in italian if swapped[title] != italian[title]]
    assert len(changed) > 0.25 * len(italian)
    assert {swapped[title] for title in changed} <= set(spanish.values())
    assert {back[title] for title in spanish if back[title] != spanish[title]} <= set(italian.values())
    romanian, fallen_back = extracts("extracts_in_english", "ro")
    changed = [title for title in romanian if fallen_back[title] != romanian[title]]
    assert 0.3 < len(changed) / len(romanian) < 0.7
    assert {fallen_back[title] for title in changed} <= set(extracts("extracts_in_english", "en")[0].values())


def test_redirects_to_the_main_page() -> None:
    world = spoilt("redirects_to_main_page")
    redirects = [page for key in world.page_titles() if (page := world.page(*key)) and page.redirect_to]
    assert len(redirects) > 20
    assert {page.redirect_to for page in redirects} == {"Main Page"}
    main = world.page("fr", "Main Page")
    assert main is not None and main.extract


def files(kind: str) -> list[tuple[Any, Any, bytes | None]]:
    """Return (before, after, bytes after) of files that are files."""
    names = [
        name for name in sorted(sound().file_names())[:80] if (file := sound().file(name)) and not file.redirect_to
    ]
    return [(sound().file(name), spoilt(kind).file(name), spoilt(kind).body(name)) for name in names]


@pytest.mark.parametrize(
    ("kind", "low", "high"),
    [("pictures_are_placeholders", 0.15, 0.45), ("pictures_blank", 0.25, 0.55), ("pictures_swapped", 0.9, 1)],
)
def test_pictures_are_others_and_say_so_themselves(kind: str, low: float, high: float) -> None:
    seen = files(kind)
    changed = [(before, after, body) for before, after, body in seen if before.sha1 != after.sha1]
    assert low <= len(changed) / len(seen) <= high
    for before, after, body in changed:
        assert after.mime == before.mime
        assert after.sha1 == hashlib.sha1(body, usedforsecurity=False).hexdigest()
        assert after.size_bytes == len(body)
        if kind == "pictures_blank" and after.mime != "image/svg+xml":
            picture = Image.open(io.BytesIO(body)).convert("RGB")
            assert max(high - low for low, high in picture.getextrema()) <= 2
            assert picture.size == (after.width_px, after.height_px)
    hashes = {(after.mime, after.sha1) for _, after, _ in changed}
    if kind == "pictures_are_placeholders":
        assert len(hashes) == len({mime for mime, _ in hashes})
    if kind == "pictures_swapped":
        known = {file.sha1 for name in sound().file_names() if (file := sound().file(name))}
        assert {sha1 for _, sha1 in hashes} <= known


def test_metadata_of_files() -> None:
    for before, after, _ in files("licences_missing"):
        assert "LicenseShortName" in before.extmetadata and "Artist" in after.extmetadata
        assert not {"LicenseShortName", "LicenseUrl", "UsageTerms"} & set(after.extmetadata)
    assert all("Artist" not in after.extmetadata for _, after, _ in files("authors_missing"))
    reported = [
        (before, after)
        for before, after, _ in files("files_reported_as_svg")
        if before.mime in ("image/jpeg", "image/png")
    ]
    assert 0.3 < sum(after.mime == "image/svg+xml" for _, after in reported) / len(reported) < 0.7
    assert 0.15 < sum(after is None for _, after, _ in files("files_missing")) / len(files("files_missing")) < 0.45


def test_values_stand_in_the_wrong_rows() -> None:
    was = select("", FACTS)
    for kind, name in (("labels_shifted", "label"), ("populations_shifted", "P1082")):
        now = select(kind, FACTS)
        assert [(row["item"], row["property"]) for row in now] == [(row["item"], row["property"]) for row in was]
        assert Counter(row["value"] for row in now) == Counter(row["value"] for row in was)
        differing = {new["property"] for new, old in zip(now, was, strict=True) if new != old}
        assert differing == {name}
        rows = [(new, old) for new, old in zip(now, was, strict=True) if old["property"] == name]
        assert sum(new != old for new, old in rows) > 0.9 * len(rows)


def test_shifted_labels_keep_their_language() -> None:
    query = FACTS.replace("?value WHERE", "?value (LANG(?value) AS ?lang) WHERE")
    shifted, languages = engine("labels_shifted").answer(PREFIXES + query, JSON)[0], []
    for row in json.loads(shifted)["results"]["bindings"]:
        if row["property"]["value"] == "label":
            languages.append(row["value"]["xml:lang"] == row["lang"]["value"])
    assert languages and all(languages)


def test_truncated_answers_parse_and_agree() -> None:
    was, now = select("", FACTS), select("facts_truncated", FACTS)
    assert now == was[: int(0.7 * len(was))]
    assert select("facts_truncated", LISTING) == select("", LISTING)
    listed, all_listed = select("listing_truncated", LISTING), select("", LISTING)
    assert 0.25 < 1 - len(listed) / len(all_listed) < 0.45
    counted = {row["class"]: int(row["n"]) for row in select("listing_truncated", COUNTS)}
    n_listed = Counter(row["class"] for row in listed)
    assert {qid: n for qid, n in counted.items() if n} == dict(n_listed)


def test_several_kinds_together() -> None:
    world = tampered(sound(), ["extracts_empty", "countries_lost", "populations_lost"])
    loaded = SparqlEngine(world)
    assert not json.loads(loaded.answer(PREFIXES + "SELECT ?i { ?i wdt:P17 ?c }", JSON)[0])["results"]["bindings"]
    assert all(not page.extract for key in world.page_titles() if key[0] == "pl" and (page := world.page(*key)))
    assert tampered(sound(), []) is sound()


def test_what_cannot_be_done_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="nonsense"):
        parse_kinds("extracts_empty,nonsense")
    assert parse_kinds(" extracts_empty, extracts_cut ,extracts_empty") == ["extracts_empty", "extracts_cut"]
    assert parse_kinds(None) == parse_kinds("") == []
    with pytest.raises(Refused, match="nothing to spoil"):
        tampered(GeneratedWorld(0, 1), ["country_retagged"])
    import gzip

    (tmp_path / "files").mkdir()
    (tmp_path / "wikidata.nt.gz").write_bytes(gzip.compress(b""))
    for name in ("pages.jsonl", "files.jsonl"):
        (tmp_path / name).touch()
    folder = load_world(tmp_path)
    assert folder.at(0) is folder
    with pytest.raises(Refused, match="no month 3"):
        folder.at(3)
