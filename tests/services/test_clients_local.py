"""The three clients against the local Wikimedia: complete, sparing with requests, polite, undisturbed by faults."""

import io
import json
import math
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import requests
from PIL import Image

from mlm_assets.errors import ReplayMiss
from mlm_assets.identifiers import shard_of
from mlm_assets.local_wikimedia.process import running_server
from mlm_assets.resources.commons import Commons, FileMetadata
from mlm_assets.resources.failures import CorruptFile, FileMissing
from mlm_assets.resources.http import Transport
from mlm_assets.resources.wikidata import Fact, Usable, Wikidata
from mlm_assets.resources.wikipedia import LeadText, Wikipedia
from mlm_assets.settings import Settings
from mlm_assets.tables import EARTH, IMAGE_PROPERTIES, LANGUAGES
from tests.unit.resources.scripted import MemoryStore

BASE_CLASS = "Q486972"
N_CANDIDATES = 600
FACTS_BATCH = 100


@dataclass
class Clients:
    """The clients of one run."""

    transport: Transport
    wikidata: Wikidata
    wikipedia: Wikipedia
    commons: Commons


def clients(base: str, folder: Path, store: Any = None, mode: Any = "fetch", **more: Any) -> Clients:
    settings = Settings(
        sparql_url=f"{base}/sparql",
        wikipedia_url=base + "/{lang}.wikipedia.org/w/api.php",
        commons_url=f"{base}/commons.wikimedia.org/w/api.php",
        lock_dir=folder / "locks",
        facts_batch=more.pop("facts_batch", FACTS_BATCH),
        **more,
    )
    transport = Transport(settings, store, mode)
    return Clients(
        transport, Wikidata(transport, settings), Wikipedia(transport, settings), Commons(transport, settings)
    )


@dataclass
class Harvest:
    """What one run of the clients brought; `files` says what became of each download."""

    classes: dict[str, int]
    labels: dict[str, dict[str, str]]
    counts: dict[str, int]
    instances: set[tuple[str, str, int | None]]
    facts: list[Fact]
    texts: dict[str, list[LeadText]]
    metadata: list[FileMetadata]
    files: dict[str, Any]
    usable: Usable


def class_hops(wikidata: Wikidata, hops: int = 3) -> dict[str, int]:
    found = {BASE_CLASS: 0}
    for hop in range(1, hops + 1):
        outermost = [qid for qid, distance in found.items() if distance == hop - 1]
        for child, _ in wikidata.subclasses(outermost):
            found.setdefault(child, hop)
    return found


def check(body: bytes) -> tuple[int, int]:
    try:
        with Image.open(io.BytesIO(body)) as picture:
            picture.load()
            return picture.size
    except (OSError, SyntaxError) as error:
        raise ValueError(str(error)) from error


def download(commons: Commons, metadata: FileMetadata) -> Any:
    try:
        return commons.download(metadata, check)
    except (FileMissing, CorruptFile) as error:
        return type(error).__name__


def harvest(run: Clients, n_files: int = 60) -> Harvest:
    classes = class_hops(run.wikidata)
    counts = run.wikidata.count_instances(list(classes))
    instances = {tuple(row) for batch in run.wikidata.instances(counts) for row in batch.rows}
    batch = run.wikidata.facts(sorted({qid for qid, _, _ in instances}))
    assert batch.quarantined == []
    facts = [fact._replace(answer_key="") for fact in batch.rows]
    titles = defaultdict(list)
    for fact in facts:
        if fact.property == "sitelink":
            titles[fact.lang].append(fact.value)
    texts = {
        lang: [t._replace(answer_key="") for t in run.wikipedia.lead_texts(lang, titles[lang])]
        for lang in sorted(titles)
    }
    names = sorted({fact.value for fact in facts if fact.property in IMAGE_PROPERTIES})
    metadata = list(run.commons.file_metadata(names))
    chosen = list(islice((m for m in metadata if m.status == "ok"), n_files))
    return Harvest(
        classes,
        run.wikidata.labels(list(classes), LANGUAGES),
        counts,
        instances,
        facts,
        texts,
        [m._replace(answer_key="", thumb_url=None) for m in metadata],
        {m.requested_name: download(run.commons, m) for m in chosen},
        run.wikidata.count_usable(list(classes)),
    )


def stats(base: str) -> dict[str, Any]:
    return requests.get(f"{base}/_stats", timeout=10).json()


@dataclass
class Undisturbed:
    """A run on a generated world without faults."""

    base: str
    stats: dict[str, Any]
    transport: Transport
    store: MemoryStore
    harvest: Harvest
    folder: Path


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Undisturbed]:
    folder = tmp_path_factory.mktemp("undisturbed")
    store = MemoryStore()
    with running_server(generate=N_CANDIDATES, seed=7) as base:
        run = clients(base, folder, store)
        found = harvest(run)
        yield Undisturbed(base, stats(base), run.transport, store, found, folder)


def test_what_is_there_is_found(undisturbed: Undisturbed) -> None:
    found = undisturbed.harvest
    qids = {qid for qid, _, _ in found.instances}
    assert len(qids) == undisturbed.stats["candidates"] == N_CANDIDATES
    assert set(found.classes.values()) == {0, 1, 2, 3}
    assert len(found.instances) == sum(found.counts.values())
    assert {fact.qid for fact in found.facts} <= qids
    assert {fact.property for fact in found.facts} >= {
        "P31",
        "P625",
        "P17",
        "P1082",
        "label",
        "sitelink",
        "version",
        "modified",
        *IMAGE_PROPERTIES,
    }
    assert {fact.lang for fact in found.facts if fact.property == "sitelink"} == set(LANGUAGES)
    assert set(found.labels) == set(found.classes)
    assert any(fact.globe_qid not in {EARTH, None} for fact in found.facts)
    assert {text.status for texts in found.texts.values() for text in texts} >= {"ok", "missing"}
    assert any(text.is_redirect for texts in found.texts.values() for text in texts)
    assert {metadata.status for metadata in found.metadata} == {"ok", "missing"}
    assert all(m.sha1 and m.mime and m.licence for m in found.metadata if m.status == "ok")


def test_revisions_of_listing_and_facts_agree(undisturbed: Undisturbed) -> None:
    listed = {qid: revision for qid, _, revision in undisturbed.harvest.instances}
    assert {f.qid: int(f.value) for f in undisturbed.harvest.facts if f.property == "version"} == listed


def test_usable_instances_are_those_that_the_facts_allow(undisturbed: Undisturbed) -> None:
    facts = undisturbed.harvest.facts
    placed = {fact.qid for fact in facts if fact.property == "P625" and fact.globe_qid == EARTH}
    pictured = {fact.qid for fact in facts if fact.property in IMAGE_PROPERTIES}
    described = {fact.qid for fact in facts if fact.property == "sitelink"}
    usable = undisturbed.harvest.usable
    assert (usable.n_classes, usable.n_instances) == (len(undisturbed.harvest.classes), N_CANDIDATES)
    # A deprecated coordinate counts there and not here; everything else must agree.
    assert 0 <= usable.n_usable - len(placed & pictured & described) <= 0.02 * N_CANDIDATES


def test_requests_are_as_few_as_the_batches_allow(undisturbed: Undisturbed) -> None:
    found, asked = undisturbed.harvest, undisturbed.transport.requests
    n_titles = {lang: len({text.requested_title for text in texts}) for lang, texts in found.texts.items()}
    n_class_batches = math.ceil(len(found.classes) / 300)
    hops = [sum(distance == hop for distance in found.classes.values()) for hop in range(3)]
    assert asked["sparql"] == (
        sum(math.ceil(n / 300) for n in hops)  # subclasses
        + 2 * n_class_batches  # labels and counts
        + 1  # listing
        + math.ceil(N_CANDIDATES / FACTS_BATCH)
        + 1  # usable
    )
    assert asked["action_api"] == sum(math.ceil(n / 20) for n in n_titles.values()) + math.ceil(
        len(found.metadata) / 50
    )
    assert asked["files"] == len(found.files)


def test_the_server_saw_what_the_transport_counted_and_no_limit_was_passed(undisturbed: Undisturbed) -> None:
    seen, transport = undisturbed.stats, undisturbed.transport
    assert seen["requests"] == dict(transport.requests)
    assert seen["bytes"] == dict(transport.bytes)
    for service in ("sparql", "action_api", "files"):
        limit = transport.settings.limit(service, undisturbed.base)
        assert seen["max_parallel"][service] <= limit.parallel
        assert seen["peak_rate_per_s"][service] <= limit.rate_per_s


def test_a_replay_brings_the_same_without_one_request(undisturbed: Undisturbed) -> None:
    run = clients("http://127.0.0.1:9", undisturbed.folder, undisturbed.store, "replay")
    assert harvest(run) == undisturbed.harvest
    assert not run.transport.requests
    with pytest.raises(ReplayMiss):
        run.wikidata.facts(["Q1"])


def test_a_second_run_asks_nothing_that_is_stored(undisturbed: Undisturbed) -> None:
    run = clients(undisturbed.base, undisturbed.folder, undisturbed.store)
    assert harvest(run) == undisturbed.harvest
    assert not run.transport.requests


def test_batches_of_any_size_bring_the_same(undisturbed: Undisturbed) -> None:
    run = clients(
        undisturbed.base,
        undisturbed.folder,
        facts_batch=37,
        class_batch=20,
        listing_rows=100,
        titles_batch=7,
        files_batch=11,
    )
    assert harvest(run) == undisturbed.harvest


@pytest.mark.slow
def test_faults_change_nothing(undisturbed: Undisturbed, tmp_path: Path) -> None:
    with running_server(generate=N_CANDIDATES, seed=7, faults="all=0.12;seed=5") as base:
        # Small batches, so that many requests meet many faults; slow answers are given up.
        run = clients(base, tmp_path, facts_batch=25, http_timeout_s=5.0, sparql_timeout_s=5.0)
        found = harvest(run, n_files=30)
        seen = stats(base)
    assert found.files == {name: undisturbed.harvest.files[name] for name in found.files}
    found.files = undisturbed.harvest.files
    assert found == undisturbed.harvest
    assert sum(seen["faults"].values()) >= 10
    assert not any(seen.get("too_early", {}).values())  # Retry-After was kept


@pytest.mark.slow
def test_the_budget_of_sparql_requests_for_twenty_thousand_candidates(tmp_path: Path) -> None:
    with running_server(generate=20_000, seed=3) as base:
        run = clients(base, tmp_path, facts_batch=500)
        classes = class_hops(run.wikidata)
        run.wikidata.labels(list(classes), LANGUAGES)
        counts = run.wikidata.count_instances(list(classes))
        shards = defaultdict(set)
        for batch in run.wikidata.instances(counts):
            for row in batch.rows:
                shards[shard_of(row.qid, 8)].add(row.qid)
        assert sum(map(len, shards.values())) == 20_000
        for shard in sorted(shards):
            assert run.wikidata.facts(sorted(shards[shard])).rows
        assert run.transport.requests["sparql"] == stats(base)["requests"]["sparql"] <= 60


@pytest.mark.realworld
def test_golden_records_of_the_real_sample(realworld: Path, tmp_path: Path) -> None:
    golden = json.loads((realworld / "golden_mlm_v1.json").read_text("utf-8"))
    with running_server(world=realworld) as base:
        run = clients(base, tmp_path)
        classes, n_settlements = class_hops(run.wikidata), 0
        facts = run.wikidata.facts([f"Q{record['id']}" for record in golden])
        by_item: dict[str, dict[str, list[Fact]]] = defaultdict(lambda: defaultdict(list))
        for fact in facts.rows:
            by_item[fact.qid][fact.property].append(fact)
        for record in golden:
            found = by_item[f"Q{record['id']}"]
            lat, lon = map(float, record["coordinates"])
            assert any(
                fact.lat_deg == pytest.approx(lat, abs=1e-6) and fact.lon_deg == pytest.approx(lon, abs=1e-6)
                for fact in found["P625"]
            ), record["item"]
            assert record["item"] in {fact.value for fact in found["label"] if fact.lang == "en"}
            if classes.keys() & {fact.value for fact in found["P31"]}:
                n_settlements += 1
                assert set(record["classes"]) == {fact.label for fact in found["P31"]}
            for key, summary in record["summaries"].items():
                lang = key.removesuffix("_wiki")
                (title,) = [fact.value for fact in found["sitelink"] if fact.lang == lang]
                (text,) = run.wikipedia.lead_texts(lang, [title])
                assert text.text == summary.strip()
        assert n_settlements == 6
