"""The generated world holds what it promises, byte for byte the same from the same number and seed."""

import hashlib
import io
import os
import subprocess
import sys
from collections import Counter
from functools import cache
from pathlib import Path

import pyoxigraph as ox
import pytest
from PIL import Image, ImageStat

from mlm_assets.errors import Refused
from mlm_assets.local_wikimedia.generator.cases import CASES, FAILING, cases_of_world
from mlm_assets.local_wikimedia.generator.countries import countries
from mlm_assets.local_wikimedia.generator.images import FilePlan
from mlm_assets.local_wikimedia.generator.pictures import file_body
from mlm_assets.local_wikimedia.generator.settlements import Settlement
from mlm_assets.local_wikimedia.generator.vocabulary import LANGUAGES
from mlm_assets.local_wikimedia.generator.world import GeneratedWorld
from mlm_assets.local_wikimedia.sparql import SparqlEngine
from mlm_assets.local_wikimedia.titles import file_key, parse_title
from mlm_assets.local_wikimedia.worlds import generate_world

EU_2020 = "AT BE BG HR CY CZ DK EE FI FR DE GR HU IE IT LV LT LU MT NL PL PT RO SK SI ES SE GB"
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


@cache
def world(n_candidates: int = 600, seed: int = 3) -> GeneratedWorld:
    return GeneratedWorld(n_candidates, seed)


@cache
def store() -> ox.Store:
    loaded = ox.Store()
    for chunk in world().triples():
        loaded.load(chunk, format=ox.RdfFormat.N_TRIPLES)  # not lenient: every IRI must be a legal one
    return loaded


def rows(query: str) -> list[tuple[str, ...]]:
    solutions = store().query(PREFIXES + query)
    assert isinstance(solutions, ox.QuerySolutions)
    return [tuple("" if term is None else str(term.value) for term in row) for row in solutions]


def by_case(case: str) -> list[Settlement]:
    return [plan for plan in world().settlements if plan.case == case]


def digest(made: GeneratedWorld) -> str:
    total = hashlib.sha256()
    for chunk in made.triples():
        total.update(chunk)
    for lang, title in made.page_titles():
        total.update(repr(made.page(lang, title)).encode())
    for name in made.file_names():
        total.update(repr(made.file(name)).encode())
        total.update(made.body(name) or b"")
    return total.hexdigest()


def test_same_number_and_seed_same_bytes() -> None:
    assert digest(GeneratedWorld(60, 5)) == digest(GeneratedWorld(60, 5))
    assert digest(GeneratedWorld(60, 5)) != digest(GeneratedWorld(60, 6))


def test_another_process_makes_the_same_world() -> None:
    script = (
        "import hashlib\n"
        "from mlm_assets.local_wikimedia.generator.world import GeneratedWorld\n"
        "print(hashlib.sha256(b''.join(GeneratedWorld(40, 5).triples())).hexdigest())\n"
    )
    root = str(Path(__file__).resolve().parents[3])
    made = {
        subprocess.run(
            [sys.executable, "-c", script],
            env={**os.environ, "PYTHONHASHSEED": salt, "PYTHONPATH": root},
            capture_output=True,
            check=True,
        ).stdout
        for salt in ("1", "2")
    }
    assert len(made) == 1
    assert len(made.pop().strip()) == 64


@pytest.mark.parametrize("n_candidates", [0, 1, 17, 60, 600])
def test_holds_exactly_as_many_candidates_as_asked_for(n_candidates: int) -> None:
    assert SparqlEngine(GeneratedWorld(n_candidates, 3)).n_candidates() == n_candidates


def test_a_negative_number_is_refused() -> None:
    with pytest.raises(Refused, match="-1"):
        generate_world(-1, 1)


def hops() -> dict[str, int]:
    """Return the shortest way to the root of every class, by breadth."""
    children: dict[str, list[str]] = {}
    for child, parent in rows("SELECT ?c ?p WHERE { ?c wdt:P279 ?p }"):
        children.setdefault(parent, []).append(child)
    found = {"http://www.wikidata.org/entity/Q486972": 0}
    edge = list(found)
    while edge:
        step = {child for parent in edge for child in children.get(parent, []) if child not in found}
        found |= dict.fromkeys(step, 1 + found[edge[0]])
        edge = sorted(step)
    return found


def test_classes_reach_three_hops_and_a_fourth_that_has_instances_of_its_own() -> None:
    found = hops()
    assert Counter(found.values()).keys() == {0, 1, 2, 3, 4}
    assert all(count >= 10 for hop, count in Counter(found.values()).items() if hop in (1, 2, 3))
    planned = {f"http://www.wikidata.org/entity/{plan.qid}": plan.hop for plan in world().taxonomy.classes}
    assert found == planned
    beyond = [
        plan for plan in world().bystanders
        if all(found.get(f"http://www.wikidata.org/entity/{qid}") == 4 for qid in plan.classes)
    ]  # fmt: skip
    assert beyond
    assert any(plan.articles and plan.images and plan.positions for plan in beyond)


def test_class_graph_has_diamonds_a_cycle_and_a_class_without_instances() -> None:
    parents = Counter(child for child, _ in rows("SELECT ?c ?p WHERE { ?c wdt:P279 ?p }"))
    assert sum(count > 1 for count in parents.values()) > 10
    assert rows("SELECT ?a ?b WHERE { ?a wdt:P279 ?b . ?b wdt:P279 ?a . FILTER(?a != ?b) }")
    assert rows("SELECT ?a WHERE { ?a wdt:P279 ?a }")
    childless = world().taxonomy.childless_qid
    assert not rows(f"SELECT ?i WHERE {{ ?i wdt:P31 wd:{childless} }}")
    largest = max(int(n) for (n,) in rows("SELECT (COUNT(?i) AS ?n) WHERE { ?i wdt:P31 ?c } GROUP BY ?c"))
    assert largest > 600 / 10


def test_class_labels_come_in_ten_languages_and_some_are_missing() -> None:
    labels = Counter(lang for (lang,) in rows("SELECT (LANG(?l) AS ?g) WHERE { ?c wdt:P279 ?p ; rdfs:label ?l }"))
    assert set(labels) == set(LANGUAGES)
    unlabelled = "SELECT ?c WHERE { ?c wdt:P279 ?p FILTER NOT EXISTS { ?c rdfs:label ?l FILTER(LANG(?l) = 'en') } }"
    assert len(rows(unlabelled)) == 2


@pytest.mark.parametrize("n_candidates", [60, 300, 20_000])
def test_every_case_occurs_and_three_in_ten_fail(n_candidates: int) -> None:
    cases = Counter(cases_of_world(1, n_candidates))
    assert set(cases) == set(CASES)
    assert sum(cases.values()) == n_candidates
    failing = sum(cases[case] for case in FAILING) / n_candidates
    assert 0.25 < failing < 0.36


def globes(plan: Settlement) -> set[str]:
    query = f"""SELECT ?g WHERE {{ wd:{plan.qid} p:P625 ?s . ?s a wikibase:BestRank ; psv:P625 ?n .
      ?n wikibase:geoGlobe ?g }}"""
    return {globe.rpartition("/")[2] for (globe,) in rows(query)}


@pytest.mark.parametrize(
    ("case", "expected"),
    [
        ("sound", {"Q2"}),
        ("no_coordinates", set()),
        ("deprecated_coordinates", set()),
        ("unknown_coordinates", set()),
        ("on_the_moon", {"Q405"}),
        ("on_mars", {"Q111"}),
        ("earth_and_moon", {"Q2", "Q405"}),
    ],
)
def test_coordinates_are_what_the_case_says(case: str, expected: set[str]) -> None:
    for plan in by_case(case):
        assert globes(plan) == expected


def test_only_the_best_rank_is_direct() -> None:
    for plan in [*by_case("preferred_coordinates"), *by_case("deprecated_beside")]:
        direct = rows(f"SELECT ?v WHERE {{ wd:{plan.qid} wdt:P625 ?v }}")
        all_values = rows(f"SELECT ?v WHERE {{ wd:{plan.qid} p:P625/ps:P625 ?v }}")
        assert (len(direct), len(all_values)) == (1, 2)
        assert direct == [(f"Point({plan.lon_deg} {plan.lat_deg})",)]
    for plan in by_case("several_coordinates"):
        assert len(rows(f"SELECT ?v WHERE {{ wd:{plan.qid} wdt:P625 ?v }}")) == 2


def test_value_node_and_literal_say_the_same() -> None:
    query = """SELECT ?v ?lat ?lon ?g WHERE { ?i p:P625 ?s . ?s ps:P625 ?v ; psv:P625 ?n .
      ?n wikibase:geoLatitude ?lat ; wikibase:geoLongitude ?lon ; wikibase:geoGlobe ?g }"""
    for value, lat, lon, globe in rows(query):
        prefix = "" if globe.endswith("/Q2") else f"<{globe}> "
        assert value == f"{prefix}Point({lon} {lat})"
        assert -90 <= float(lat) <= 90
        assert -180 <= float(lon) <= 180


def articles_of(plan: Settlement) -> list[tuple[str, ...]]:
    return rows(f"SELECT ?a ?w WHERE {{ ?a schema:about wd:{plan.qid} ; schema:isPartOf ?w }}")


def test_articles_are_what_the_case_says() -> None:
    ten = {f"https://{lang}.wikipedia.org/" for lang in LANGUAGES}
    for case in ("no_article", "article_elsewhere", "no_image_and_no_article", "nothing"):
        for plan in by_case(case):
            assert not ten & {wiki for _, wiki in articles_of(plan)}
    assert all(articles_of(plan) for plan in by_case("article_elsewhere"))
    for plan in by_case("all_articles_gone"):
        pages = [world().page(article.lang, article.title) for article in plan.articles]
        assert pages
        assert not any(page and page.extract for page in pages)


def test_about_three_and_a_half_articles_in_every_language() -> None:
    counts = [len(plan.articles) for plan in world().settlements if plan.articles]
    assert 3.0 < sum(counts) / len(counts) < 4.0
    assert {1, 10} <= set(counts)
    assert {article.lang for plan in world().settlements for article in plan.articles} == set(LANGUAGES)


def test_every_title_is_legal_unique_and_reachable() -> None:
    seen = set()
    for plan in world().settlements:
        for article in plan.articles:
            assert parse_title(article.title).full == article.title
            key = article.lang, article.title
            assert key not in seen
            seen.add(key)
            page = world().page(*key)
            assert (page is None) == (article.fate == "missing")
            steps = 0
            while page is not None and page.redirect_to:
                page, steps = world().page(article.lang, page.redirect_to), steps + 1
            assert steps == len(article.way)
            if page is not None:
                assert bool(page.extract) == (article.fate != "empty")
    fates = {article.fate for plan in world(3_000, 1).settlements for article in plan.articles}
    assert fates == {"there", "missing", "redirect", "chain", "section", "empty"}


def test_titles_hold_what_breaks_careless_addresses() -> None:
    titles = {title for _, title in world(600, 3).page_titles()}
    for sign in "?&+'\"/(":
        assert any(sign in title for title in titles), sign
    assert any(not title.isascii() for title in titles)


def test_leads_tell_of_the_place_and_some_are_long() -> None:
    lengths = []
    for plan in by_case("sound"):
        for article in plan.articles:
            page = world().page(article.lang, article.final_title)
            if page is None or article.fate == "empty":
                continue
            lengths.append(len(page.extract))
            assert plan.region.name in page.extract
            assert plan.region.country.names[article.lang] in page.extract
            assert "{" not in page.extract
    assert max(lengths) > 3_000
    assert sorted(lengths)[len(lengths) // 2] < 800


def test_images_are_what_the_case_says() -> None:
    for case in ("no_image", "no_image_and_no_article", "nothing"):
        assert not any(plan.images for plan in by_case(case))
    for plan in by_case("svg_only"):
        assert {image.file.mime for image in plan.images} == {"image/svg+xml"}
    for plan in by_case("all_images_missing"):
        assert all(world().body(image.file.name) is None for image in plan.images)
    for plan in by_case("wrong_kind_only"):
        assert not any(image.file.mime.startswith("image/") for image in plan.images)
    properties = {image.prop for plan in world().settlements for image in plan.images}
    assert properties == {"P18", "P41", "P242", "P2716", "P948", "P3451", "P1943", "P94"}


def test_statements_name_files_that_commons_knows() -> None:
    from urllib.parse import unquote

    listed = set(world().file_names())
    query = "SELECT ?f WHERE { ?i wdt:P18|wdt:P41|wdt:P94 ?f }"
    names = {unquote(address.partition("FilePath/")[2]) for (address,) in rows(query)}
    assert all(file_key(name) == name for name in names)
    assert 0.9 < len(names & listed) / len(names) < 1


def decoded(body: bytes) -> Image.Image:
    picture = Image.open(io.BytesIO(body))
    picture.load()
    return picture


def test_metadata_tells_the_truth_about_every_body() -> None:
    for name in world(60, 3).file_names():
        file, body = world(60, 3).file(name), world(60, 3).body(name)
        assert file is not None
        if body is None:
            continue
        assert file.size_bytes == len(body)
        assert file.sha1 == hashlib.sha1(body, usedforsecurity=False).hexdigest()
        assert {"LicenseShortName", "Artist", "Credit"} <= set(file.extmetadata)


def test_broken_pictures_are_broken_and_sound_ones_are_sound() -> None:
    seen = Counter()
    for plan in world().settlements:
        for image in plan.images:
            file = image.file
            body = world().body(file.name)
            if body is None or file.mime not in ("image/jpeg", "image/png") or seen[file.damage] > 20:
                continue
            seen[file.damage] += 1
            if file.damage in ("cut", "garbage"):
                with pytest.raises(OSError, match=r"."):
                    decoded(body)
            elif file.damage == "tall":
                assert Image.open(io.BytesIO(body)).size == (file.width_px, file.height_px)
            else:
                assert decoded(body).size == (file.width_px, file.height_px)
    assert seen["cut"] + seen["garbage"] >= 6
    assert seen["none"] > 20


def test_oversized_picture_is_small_in_bytes_and_its_own_thumbnail() -> None:
    for plan in by_case("oversized_only"):
        (image,) = plan.images
        assert image.file.width_px * image.file.height_px > 40_000_000
        assert image.file.width_px <= 330
        assert len(file_body(image.file)) < 100_000


def test_some_files_are_shared_and_some_names_are_old() -> None:
    used = Counter(image.file.name for plan in world(3_000, 1).settlements for image in plan.images)
    shared = sum(count for count in used.values() if count > 1)
    assert 0.01 < shared / sum(used.values()) < 0.15
    old = [image.old_name for plan in world(3_000, 1).settlements for image in plan.images if image.old_name]
    assert old
    file = world(3_000, 1).file(old[0])
    assert file is not None
    assert file.redirect_to is not None
    assert f"Old {file.redirect_to}" == old[0]


def test_pictures_show_where_they_were_taken() -> None:
    def sky(lat_deg: float) -> list[float]:
        plan = FilePlan("A.jpg", "view", "image/jpeg", 400, 300, "FR", lat_deg, 2.0)
        return ImageStat.Stat(decoded(file_body(plan)).crop((0, 0, 400, 60))).mean

    near = sum(abs(a - b) for a, b in zip(sky(48.0), sky(48.5), strict=True))
    far = sum(abs(a - b) for a, b in zip(sky(48.0), sky(-30.0), strict=True))
    assert far > 5 * near + 20


def test_countries_include_the_eu_of_2020_and_carry_their_codes() -> None:
    codes = {country.iso for country in countries()}
    assert set(EU_2020.split()) <= codes
    assert len(codes) >= 40
    found = dict(rows("SELECT ?c ?code WHERE { ?c wdt:P297 ?code }"))
    assert found["http://www.wikidata.org/entity/Q142"] == "FR"
    n_countries = Counter(len(plan.country_qids) for plan in world().settlements)
    assert set(n_countries) == {0, 1, 2}
    assert n_countries[1] > 0.85 * 600
    populated = sum(plan.population is not None for plan in world().settlements)
    assert 0.75 < populated / 600 < 0.97


def test_quad_tree_finds_cells_in_small_and_large_worlds() -> None:
    import numpy as np

    from mlm_assets.geo.cells import build_cells

    for n_candidates, t_min, t_max in ((300, 3, 30), (20_000, 20, 500)):
        positions = [
            (plan.lat_deg, plan.lon_deg) for plan in world(n_candidates, 1).settlements if plan.case not in FAILING
        ]
        lat, lon = (np.array(column) for column in zip(*positions, strict=True))
        cells = build_cells(lat, lon, t_min=t_min, t_max=t_max)
        levels = {cell.level for cell in cells.cells}
        assert len(cells.cells) >= 10
        assert len(levels) >= 3
        assert (cells.assignment == -1).any()
