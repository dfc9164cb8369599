"""The local Wikimedia as clients meet it: over HTTP, as a process of its own, well behaved and misbehaving."""

import gzip
import hashlib
import io
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import requests
from PIL import Image

from mlm_assets.errors import Refused
from mlm_assets.local_wikimedia.process import running_server

ROOT = Path(__file__).resolve().parents[2]
N_CANDIDATES = 120
SELECT = "SELECT ?s WHERE { ?s <http://www.wikidata.org/prop/direct/P31> ?c } LIMIT 3"
IMAGEINFO = {
    "action": "query", "format": "json", "formatversion": "2", "prop": "imageinfo", "redirects": "1",
    "iiprop": "url|size|mime|mediatype|sha1|extmetadata|timestamp", "iiurlwidth": "330",
}  # fmt: skip


@pytest.fixture(scope="module")
def base() -> Iterator[str]:
    with running_server(generate=N_CANDIDATES, seed=3) as url:
        yield url


@pytest.fixture(autouse=True)
def fresh_stats(request: pytest.FixtureRequest) -> None:
    if "base" in request.fixturenames:
        requests.post(f"{request.getfixturevalue('base')}/_stats/reset", timeout=10)


def stats(base: str) -> dict[str, Any]:
    return dict(requests.get(f"{base}/_stats", timeout=10).json())


def bindings(base: str, query: str) -> list[dict[str, Any]]:
    answer = requests.post(f"{base}/sparql", data={"query": query}, timeout=30)
    assert answer.status_code == 200
    return list(answer.json()["results"]["bindings"])


def file_names(base: str) -> list[str]:
    query = "SELECT DISTINCT ?f WHERE { ?i <http://www.wikidata.org/prop/direct/P18> ?f }"
    addresses = [row["f"]["value"] for row in bindings(base, query)]
    return [requests.utils.unquote(address.partition("FilePath/")[2]) for address in addresses]


def imageinfos(base: str, names: list[str]) -> list[dict[str, Any]]:
    found = []
    for start in range(0, len(names), 50):
        titles = "|".join(f"File:{name}" for name in names[start : start + 50])
        answer = requests.post(
            f"{base}/commons.wikimedia.org/w/api.php", data={**IMAGEINFO, "titles": titles}, timeout=30
        ).json()
        found += [page["imageinfo"][0] for page in answer["query"]["pages"] if "imageinfo" in page]
    return found


def test_world_is_described_and_not_counted(base: str) -> None:
    described = requests.get(f"{base}/_world", timeout=10).json()
    assert described["candidates"] == N_CANDIDATES
    assert described["seed"] == 3
    assert described["triples"] > 1_000
    assert stats(base)["requests"] == {"sparql": 0, "action_api": 0, "files": 0}
    assert stats(base)["candidates"] == N_CANDIDATES


def test_sparql_in_all_three_ways_and_four_forms(base: str) -> None:
    url = f"{base}/sparql"
    asked = [
        requests.get(url, params={"query": SELECT}, timeout=10),
        requests.post(url, data={"query": SELECT}, timeout=10),
        requests.post(url, data=SELECT, headers={"Content-Type": "application/sparql-query"}, timeout=10),
    ]
    for answer in asked:
        assert answer.headers["content-type"].startswith("application/sparql-results+json")
        assert len(answer.json()["results"]["bindings"]) == 3
    for accept in ("text/csv", "text/tab-separated-values", "application/sparql-results+xml"):
        answer = requests.get(url, params={"query": SELECT}, headers={"Accept": accept}, timeout=10)
        assert answer.headers["content-type"].startswith(accept)
    xml = requests.get(url, params={"query": SELECT, "format": "xml"}, timeout=10)
    assert xml.text.startswith("<?xml")
    assert stats(base)["statuses"]["sparql"] == {"200": 7}


def test_bad_queries_are_400(base: str) -> None:
    for query in ("SELEC", "", "INSERT DATA { <a:a> <a:b> <a:c> }"):
        assert requests.get(f"{base}/sparql", params={"query": query}, timeout=10).status_code == 400


def test_large_answers_are_compressed_only_if_accepted(base: str) -> None:
    query = {"query": "SELECT * { ?s ?p ?o } LIMIT 2000"}
    packed = requests.get(f"{base}/sparql", params=query, timeout=10)
    plain = requests.get(f"{base}/sparql", params=query, headers={"Accept-Encoding": "identity"}, timeout=10)
    assert packed.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in plain.headers
    assert packed.json() == plain.json()
    on_the_wire = int(packed.headers["content-length"]) + int(plain.headers["content-length"])
    assert stats(base)["bytes"]["sparql"] == on_the_wire


def test_other_requests_are_answered_while_a_query_runs(base: str) -> None:
    about = "<http://schema.org/about>"
    slow = f'SELECT (COUNT(*) AS ?n) {{ ?a ?b ?c . ?d {about} ?f FILTER(STRENDS(STR(?f), "zzzz")) }}'

    def run_slow() -> None:
        with suppress(requests.RequestException):
            requests.get(f"{base}/sparql", params={"query": slow}, timeout=30)

    asking = threading.Thread(target=run_slow)
    asking.start()
    time.sleep(0.3)
    started = time.monotonic()
    for _ in range(20):
        requests.get(f"{base}/_world", timeout=10)
    assert time.monotonic() - started < 1.5
    asking.join()
    assert stats(base)["requests"]["sparql"] == 1


def test_every_wikipedia_and_commons_answer(base: str) -> None:
    articles = [row["a"]["value"] for row in bindings(base, "SELECT ?a { ?a <http://schema.org/about> ?i }")]
    hosts = {address.split("/")[2] for address in articles}
    assert {"en.wikipedia.org", "hu.wikipedia.org"} <= hosts
    for lang in ("en", "de", "fr", "it", "es", "pl", "ro", "nl", "hu", "pt"):
        start = f"https://{lang}.wikipedia.org/wiki/"
        titles = [requests.utils.unquote(a.removeprefix(start)) for a in articles if a.startswith(start)][:20]
        parameters = {
            "action": "query", "format": "json", "formatversion": "2", "prop": "extracts|info", "exintro": "1",
            "explaintext": "1", "exlimit": "20", "redirects": "1", "titles": "|".join(titles),
        }  # fmt: skip
        url = f"{base}/{lang}.wikipedia.org/w/api.php"
        got = requests.get(url, params=parameters, timeout=10).json()
        posted = requests.post(url, data=parameters, timeout=10).json()
        assert got == posted
        assert got["batchcomplete"] is True
        texts = [page.get("extract") for page in got["query"]["pages"]]
        assert sum(bool(text) for text in texts) > len(texts) // 2
    assert stats(base)["requests"]["action_api"] == 20


def test_originals_have_the_hash_that_metadata_tells(base: str) -> None:
    checked = 0
    for info in imageinfos(base, file_names(base)[:60]):
        answer = requests.get(info["url"], timeout=10)
        if answer.status_code == 404:
            continue
        checked += 1
        assert hashlib.sha1(answer.content, usedforsecurity=False).hexdigest() == info["sha1"]
        assert len(answer.content) == info["size"]
        assert answer.headers["content-type"] == info["mime"]
        assert answer.headers["etag"]
    assert checked > 30


def test_thumbnails_have_the_size_that_metadata_tells(base: str) -> None:
    sound, broken, missing = 0, 0, 0
    for info in imageinfos(base, file_names(base)):
        if not info["mime"].startswith("image/"):
            continue
        answer = requests.get(info["thumburl"], timeout=10)
        if answer.status_code == 404:
            missing += 1
            continue
        try:
            with Image.open(io.BytesIO(answer.content)) as picture:
                picture.load()
                assert picture.size == (info["thumbwidth"], info["thumbheight"])
                sound += 1
        except OSError:
            broken += 1
    assert sound > 40
    assert 1 <= broken <= 5
    assert 1 <= missing <= 8


@pytest.mark.parametrize(("width", "status"), [(330, 200), (120, 200), (331, 400), (256, 400), (3840, 400)])
def test_only_allowed_widths_are_served(base: str, width: int, status: int) -> None:
    infos = imageinfos(base, file_names(base))
    url = next(info["thumburl"] for info in infos if "/330px-" in info["thumburl"] and info["mime"] == "image/jpeg")
    answer = requests.get(url.replace("/330px-", f"/{width}px-"), timeout=10)
    assert answer.status_code == status
    assert "retry-after" not in answer.headers


@pytest.mark.parametrize(
    "path",
    [
        "a/ab/None.jpg",
        "thumb/a/ab/None.jpg/330px-None.jpg",
        "thumb/a/ab/N.jpg/N.jpg",
        "x",
        "a/ab/../../secret",
        "0/00/A.jpg/b/c",
    ],
)
def test_what_is_not_there_is_404(base: str, path: str) -> None:
    answer = requests.get(f"{base}/upload.wikimedia.org/wikipedia/commons/{path}", timeout=10)
    assert answer.status_code == 404


def test_parallel_requests_are_seen(base: str) -> None:
    query = "SELECT (COUNT(*) AS ?n) { ?a ?b ?c . ?a ?d ?e . ?a ?f ?g }"
    asking = [threading.Thread(target=bindings, args=(base, query)) for _ in range(3)]
    for thread in asking:
        thread.start()
    for thread in asking:
        thread.join()
    counted = stats(base)
    assert counted["requests"]["sparql"] == 3
    assert counted["max_parallel"]["sparql"] >= 2
    assert counted["peak_rate_per_s"]["sparql"] >= 2


def faulty(base: str, service: str) -> requests.Response:
    if service == "sparql":
        return requests.get(f"{base}/sparql", params={"query": SELECT}, timeout=10)
    if service == "action_api":
        parameters = {"action": "query", "format": "json", "formatversion": "2", "titles": "X", "prop": "info"}
        return requests.get(f"{base}/en.wikipedia.org/w/api.php", params=parameters, timeout=10)
    return requests.get(f"{base}/upload.wikimedia.org/wikipedia/commons/a/ab/None.jpg", timeout=10)


@pytest.mark.parametrize("service", ["sparql", "action_api", "files"])
def test_refusals_look_like_the_real_ones(service: str) -> None:
    for spec, status, header in (("429=1", 429, "1"), ("429-date=1", 429, "GMT"), ("503=1", 503, None)):
        with running_server(generate=5, seed=1, faults=spec) as base:
            answer = faulty(base, service)
            assert answer.status_code == status
            assert answer.headers["content-type"].startswith("text/html")
            assert (answer.headers.get("retry-after") or "").endswith(header or "")
            assert stats(base)["faults"] == {spec.partition("=")[0]: 1}


def test_connections_break_and_lengths_lie() -> None:
    with running_server(generate=5, seed=1, faults="reset=1") as base:
        for service in ("sparql", "action_api", "files"):
            with pytest.raises(requests.ConnectionError):
                faulty(base, service)
        address = base.removeprefix("http://").split(":")
        with socket.create_connection((address[0], int(address[1])), 5) as raw:
            raw.sendall(b"GET /sparql?query=ASK%7B%7D HTTP/1.1\r\nHost: x\r\n\r\n")
            with pytest.raises(ConnectionResetError):
                raw.recv(10)
        assert stats(base)["faults"] == {"reset": 4}
        assert stats(base)["statuses"]["sparql"] == {"none": 2}
    with running_server(generate=5, seed=1, faults="wrong-length=1") as base:
        for service in ("sparql", "action_api", "files"):
            with pytest.raises((requests.ConnectionError, requests.exceptions.ChunkedEncodingError)):
                faulty(base, service)
        assert stats(base)["faults"] == {"wrong-length": 3}


def test_answers_break_off_or_are_no_json_or_lag() -> None:
    for spec, service in (("truncated=1", "sparql"), ("truncated=1", "action_api"), ("html=1", "sparql")):
        with running_server(generate=5, seed=1, faults=spec) as base:
            answer = faulty(base, service)
            assert answer.status_code == 200
            with pytest.raises(ValueError, match=r"."):
                json.loads(answer.content)
    with running_server(generate=5, seed=1, faults="maxlag=1") as base:
        answer = faulty(base, "action_api")
        assert (answer.status_code, answer.json()["error"]["code"]) == (200, "maxlag")
        assert answer.headers["retry-after"]
        assert faulty(base, "sparql").json()["results"]


def test_a_retry_usually_succeeds_and_impatience_shows() -> None:
    with running_server(generate=5, seed=1, faults="429=0.3;seed=4") as base:
        statuses = [faulty(base, "sparql").status_code for _ in range(40)]
        assert 3 <= statuses.count(429) <= 22
        assert statuses.count(200) >= 18
        assert all(429 not in statuses[start : start + 1] or 200 in statuses[start : start + 8] for start in range(32))
        time.sleep(0.1)
        assert stats(base)["too_early"]["sparql"] >= 0
        requests.post(f"{base}/_stats/reset", timeout=10)
        while faulty(base, "sparql").status_code != 429:
            pass
        time.sleep(0.1)
        faulty(base, "sparql")
        assert stats(base)["too_early"]["sparql"] >= 1


def test_refusals_of_the_child_reach_the_caller(tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"wikidata\.nt\.gz"), running_server(world=tmp_path):
        pass
    with pytest.raises(Refused, match="nonsense"), running_server(generate=1, faults="nonsense=1"):
        pass
    with running_server(generate=1) as base:
        port = int(base.rpartition(":")[2])
        with pytest.raises(Refused, match=str(port)), running_server(generate=1, port=port):
            pass


def test_server_ends_with_its_context_and_with_its_parent() -> None:
    with running_server(generate=1) as base:
        assert requests.get(f"{base}/_world", timeout=10).ok
    with pytest.raises(requests.ConnectionError):
        requests.get(f"{base}/_world", timeout=10)

    script = (
        "import sys, time\n"
        "from mlm_assets.local_wikimedia.process import running_server\n"
        "with running_server(generate=1) as base:\n"
        "    print(base, flush=True)\n"
        "    time.sleep(60)\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, env=environment) as parent:
        assert parent.stdout is not None
        base = parent.stdout.readline().strip()
        assert requests.get(f"{base}/_world", timeout=10).ok
        parent.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            requests.get(f"{base}/_world", timeout=10)
        except requests.ConnectionError:
            return
        time.sleep(0.1)
    pytest.fail("the server outlived its parent")


def post_world(base: str, **wish: Any) -> requests.Response:
    return requests.post(f"{base}/_world", json=wish, timeout=60)


def extract_lengths(base: str, lang: str) -> list[int]:
    """Return the lengths of the lead texts that the first twenty articles linked in a language have."""
    start = f"https://{lang}.wikipedia.org/wiki/"
    found = bindings(base, f"SELECT ?a {{ ?a <http://schema.org/isPartOf> <https://{lang}.wikipedia.org/> }}")
    titles = [requests.utils.unquote(row["a"]["value"].removeprefix(start)) for row in found][:20]
    asked = {
        "action": "query", "format": "json", "formatversion": "2", "prop": "extracts", "exintro": "1",
        "explaintext": "1", "exlimit": "20", "redirects": "1", "titles": "|".join(titles),
    }  # fmt: skip
    pages = requests.get(f"{base}/{lang}.wikipedia.org/w/api.php", params=asked, timeout=10).json()["query"]["pages"]
    return [len(page.get("extract", "")) for page in pages]


def n_triples(base: str) -> int:
    return int(bindings(base, "SELECT (COUNT(*) AS ?n) { ?s ?p ?o }")[0]["n"]["value"])


def test_the_world_moves_forward_and_back_in_the_same_process() -> None:
    with running_server(generate=60, seed=3) as base:
        first = requests.get(f"{base}/_world", timeout=10).json()
        assert (first["month"], first["candidates"], first["tampering"]) == (0, 60, [])
        assert n_triples(base) == first["triples"]
        later = post_world(base, month=24)
        assert later.status_code == 200
        assert later.json() == requests.get(f"{base}/_world", timeout=10).json()
        assert (later.json()["month"], later.json()["generate"]) == (24, 60)
        assert later.json()["candidates"] > 60
        assert stats(base)["candidates"] == later.json()["candidates"]
        assert n_triples(base) == later.json()["triples"] != first["triples"]
        merged = bindings(base, "SELECT ?s ?o { ?s <http://www.w3.org/2002/07/owl#sameAs> ?o }")
        assert all(row["o"]["value"].startswith("http://www.wikidata.org/entity/Q") for row in merged)
        assert post_world(base, month=0).json() == first
        assert n_triples(base) == first["triples"]


def test_tampering_comes_and_goes_with_the_world() -> None:
    with running_server(generate=N_CANDIDATES, seed=3, month=2, tamper="extracts_cut,countries_lost") as base:
        described = requests.get(f"{base}/_world", timeout=10).json()
        assert (described["month"], described["tampering"]) == (2, ["extracts_cut", "countries_lost"])
        countries = "SELECT ?c { ?i <http://www.wikidata.org/prop/direct/P17> ?c }"
        assert set(extract_lengths(base, "en")) <= {0, 40}
        assert not bindings(base, countries)
        assert post_world(base).json()["tampering"] == []
        assert max(extract_lengths(base, "en")) > 100
        assert bindings(base, countries)


def test_thumbnails_are_drawn_again_for_another_world() -> None:
    with running_server(generate=60, seed=3) as base:
        names = [name for name in file_names(base) if name.endswith(".jpg")]

        def thumbnails() -> dict[str, tuple[str, bytes]]:
            infos = [(name, info) for name in names for info in imageinfos(base, [name])]
            answers = {name: (info["sha1"], requests.get(info["thumburl"], timeout=10)) for name, info in infos}
            return {name: (sha1, answer.content) for name, (sha1, answer) in answers.items() if answer.ok}

        sound = thumbnails()
        post_world(base, tampering=["pictures_are_placeholders"])
        spoilt = thumbnails()
        changed = [name for name in sound if name in spoilt and spoilt[name] != sound[name]]
        assert 0 < len(changed) < len(sound)
        assert len({spoilt[name] for name in changed}) == 1
        assert all(spoilt[name][0] != sound[name][0] for name in changed)
        post_world(base, tampering=[])
        assert thumbnails() == sound


def test_answers_are_tampered_with_and_parse() -> None:
    listing = "SELECT ?item ?class { ?item <http://www.wikidata.org/prop/direct/P31> ?class }"
    counts = f"SELECT ?class (COUNT(DISTINCT ?item) AS ?n) {listing.partition('?class ')[2]} GROUP BY ?class"
    with running_server(generate=N_CANDIDATES, seed=3) as base:
        n_listed = len(bindings(base, listing))
        post_world(base, tampering=["listing_truncated"])
        listed = bindings(base, listing)
        assert 0.5 < len(listed) / n_listed < 0.8
        assert sum(int(row["n"]["value"]) for row in bindings(base, counts)) == len(listed)


def test_a_request_sees_the_old_world_or_the_new_one() -> None:
    query = "SELECT (COUNT(*) AS ?n) (SAMPLE(?v) AS ?w) { ?s <http://schema.org/version> ?v }"
    with running_server(generate=200, seed=3) as base:
        allowed = {int(bindings(base, query)[0]["n"]["value"])}
        post_world(base, month=12)
        allowed.add(int(bindings(base, query)[0]["n"]["value"]))
        assert len(allowed) == 2
        seen: set[int] = set()
        done = threading.Event()

        def ask() -> None:
            while not done.is_set():
                seen.add(int(bindings(base, query)[0]["n"]["value"]))

        asking = [threading.Thread(target=ask) for _ in range(2)]
        for thread in asking:
            thread.start()
        for month in (0, 12, 0, 12):
            assert post_world(base, month=month).json()["month"] == month
        done.set()
        for thread in asking:
            thread.join()
        assert seen == allowed
        assert stats(base)["statuses"]["sparql"].keys() == {"200"}


@pytest.mark.parametrize(
    ("body", "word"),
    [
        (b"{", "no JSON"),
        (b"[]", "not understood"),
        (b'{"moon": 1}', "not understood"),
        (b'{"month": -1}', "-1"),
        (b'{"month": "3"}', "whole number"),
        (b'{"month": true}', "whole number"),
        (b'{"rate": 7}', "between 0 and 1"),
        (b'{"tampering": "extracts_cut"}', "list of kinds"),
        (b'{"tampering": ["nonsense"]}', "nonsense"),
    ],
)
def test_wishes_that_are_not_understood_change_nothing(base: str, body: bytes, word: str) -> None:
    before = requests.get(f"{base}/_world", timeout=10).json()
    answer = requests.post(f"{base}/_world", data=body, timeout=10)
    assert answer.status_code == 400
    assert word in answer.json()["error"]
    assert requests.get(f"{base}/_world", timeout=10).json() == before


def test_only_this_machine_changes_the_world() -> None:
    import asyncio

    from starlette.requests import Request

    from mlm_assets.local_wikimedia.site import Site
    from mlm_assets.local_wikimedia.worlds import generate_world

    site = Site(generate_world(5, 1), [])

    async def no_body() -> dict[str, Any]:
        return {"type": "http.request", "body": b'{"month": 1}', "more_body": False}

    def asked_from(host: str) -> int:
        scope = {"type": "http", "method": "POST", "client": (host, 1), "headers": []}
        return asyncio.run(site.show(Request(scope, no_body))).status_code

    assert asked_from("192.0.2.7") == 403
    assert site.described["month"] == 0
    assert asked_from("127.0.0.1") == 200
    assert site.described["month"] == 1


def test_unknown_tampering_and_months_of_folders_are_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="nonsense"), running_server(generate=5, tamper="nonsense"):
        pass
    (tmp_path / "files").mkdir()
    (tmp_path / "wikidata.nt.gz").write_bytes(gzip.compress(b"<a:a> <a:b> <a:c> .\n"))
    for name in ("pages.jsonl", "files.jsonl"):
        (tmp_path / name).touch()
    with pytest.raises(Refused, match="no month 3"), running_server(world=tmp_path, month=3):
        pass
    with running_server(world=tmp_path) as base:
        assert post_world(base, month=3).status_code == 400
        assert post_world(base).status_code == 200


def test_serves_a_folder(tmp_path: Path) -> None:
    (tmp_path / "files").mkdir()
    (tmp_path / "wikidata.nt.gz").write_bytes(gzip.compress(b"<a:a> <a:b> <a:c> .\n"))
    (tmp_path / "pages.jsonl").write_text('{"lang": "en", "title": "A", "extract": "Text."}\n', "utf-8")
    (tmp_path / "files.jsonl").write_text('{"name": "x_y.svg"}\n', "utf-8")
    drawing = b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="6"><rect width="9" height="6"/></svg>'
    (tmp_path / "files" / "x_y.svg").write_bytes(drawing)
    with running_server(world=tmp_path) as base:
        assert requests.get(f"{base}/_world", timeout=10).json()["candidates"] == 0
        (info,) = imageinfos(base, ["x y.svg"])
        with Image.open(io.BytesIO(requests.get(info["thumburl"], timeout=10).content)) as picture:
            assert picture.size == (330, 220)
        assert requests.get(info["url"], timeout=10).content == drawing


@pytest.mark.realworld
def test_answers_have_the_shape_of_recorded_ones(base: str, realworld: Path) -> None:
    recorded = realworld.parent / "fixtures" / "mediawiki"
    if not recorded.is_dir():
        pytest.skip("the recorded answers (shared/fixtures) are not beside this checkout")

    def page_of(name: str) -> dict[str, Any]:
        interaction = json.loads((recorded / name).read_text("utf-8"))["interactions"][0]
        return dict(next(iter(json.loads(interaction["response"]["body"]["string"])["query"]["pages"].values())))

    def ours(host: str, **parameters: str) -> dict[str, Any]:
        asked = {"action": "query", "format": "json", **parameters}
        answer = requests.get(f"{base}/{host}/w/api.php", params=asked, timeout=10).json()
        return dict(next(iter(answer["query"]["pages"].values())))

    properties = "url|size|mime|mediatype|sha1|timestamp|user"
    name = next(name for name in file_names(base) if name.endswith(".jpg") and imageinfos(base, [name]))
    mine = ours("commons.wikimedia.org", prop="imageinfo", titles=f"File:{name}", iiprop=properties)
    theirs = page_of("TestVcrWikiImageinfoRaw.test_commons_file.json")
    assert {key: type(value) for key, value in mine["imageinfo"][0].items()} == {
        key: type(value) for key, value in theirs["imageinfo"][0].items()
    }
    mine = ours("commons.wikimedia.org", prop="imageinfo", titles="File:ThisFileDoesNotExist12345.png")
    assert mine == page_of("TestVcrWikiImageinfoRaw.test_missing_file.json")

    theirs = page_of("TestVcrPageInfoProps.test_lastrevid.json")
    article = bindings(base, "SELECT ?a { ?a <http://schema.org/isPartOf> <https://en.wikipedia.org/> }")
    titles = [requests.utils.unquote(row["a"]["value"].rpartition("/wiki/")[2]) for row in article]
    pages = [ours("en.wikipedia.org", prop="info", titles=title, inprop="url|displaytitle") for title in titles[:10]]
    page = next(page for page in pages if "missing" not in page and "redirect" not in page)
    assert {key: type(value) for key, value in page.items()}.items() <= {k: type(v) for k, v in theirs.items()}.items()
    missing = ours("en.wikipedia.org", prop="info", titles="NonExistentPage_WikiAPI_Test_12345")
    assert missing.items() <= page_of("TestVcrPageExistence.test_exists_false.json").items()
