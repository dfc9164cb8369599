"""A small lake with a few settlements, whose releases are written from plain descriptions, and their raw answers."""

import hashlib
import io
import json
import shutil
import tempfile
from collections.abc import Iterable, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
from PIL import Image

from mlm_assets.resources.http import Answer, Request
from mlm_assets.resources.lake import AnswerLog, Lake, Version, arrow_schema
from mlm_assets.tables import REFRESHED, VARIANTS

BASE, CITY, VILLAGE, HILL = "Q486972", "Q515", "Q532", "Q5000"
IRLE, GR = "mlm_irle", "mlm_irle_gr"
SHARD = "00"
LANGUAGES = ("en", "de")
FACTS_QUERY = (
    "PREFIX wd: <http://www.wikidata.org/entity/>\nSELECT ?item ?property ?value WHERE {{ VALUES ?item {{ {} }} }}"
)
_STARTED: dict[str, tempfile.TemporaryDirectory[str]] = {}
_WRITTEN: dict[str, Version] = {}
JSON_HEADERS = {"content-type": "application/json", "date": "Tue, 01 Dec 2026 10:00:00 GMT"}


@dataclass
class Item:
    """What Wikidata says of one item."""

    classes: list[str]
    lat_deg: float = 50.0
    lon_deg: float = 8.0
    statement: str = "S1"
    images: dict[str, str] = field(default_factory=dict)
    sitelinks: dict[str, str] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    country: str | None = "DE"
    population: int | None = 100
    revision: int = 10
    modified: str = "2026-11-01T00:00:00Z"
    quarantined: str | None = None


@dataclass
class World:
    """All that a release is written from. `reasons` and `cells` are by (variant, qid); without a reason: in."""

    items: dict[str, Item]
    edges: dict[str, list[str]] = field(default_factory=lambda: {CITY: [BASE], VILLAGE: [BASE], HILL: [VILLAGE]})
    texts: dict[tuple[str, str], tuple[int | None, str | None]] = field(default_factory=dict)
    files: dict[str, dict[str, Any]] = field(default_factory=dict)
    reasons: dict[tuple[str, str], str] = field(default_factory=dict)
    cells: dict[tuple[str, str], str] = field(default_factory=dict)
    splits: dict[str, str] = field(default_factory=dict)
    code: dict[str, str] = field(default_factory=dict)
    class_labels: dict[str, str] = field(default_factory=dict)
    parameters: dict[str, str] = field(
        default_factory=lambda: {"base_class": BASE, "hops": "3", "t_min": "2", "t_max": "10", "quota_total": "24"}
    )

    def copy(self) -> "World":
        """Return a world that can be changed by itself."""
        return deepcopy(self)


def small_world() -> World:
    """Return five settlements around Q1, and Q6, which has no image."""
    items = {
        f"Q{number}": Item(
            [HILL] if number == 1 else [CITY],
            lat_deg=50.0 + number / 1000,
            images={"P18": f"View {number}.jpg"},
            sitelinks=dict.fromkeys(LANGUAGES, f"Place {number}"),
            labels={"en": f"Place {number}"},
            revision=100 + number,
        )
        for number in range(1, 6)
    }
    items["Q6"] = Item([CITY], sitelinks={"en": "Place 6"}, labels={"en": "Place 6"}, revision=106)
    text = "Place {} is a place. It lies by a river."
    texts = {(lang, f"Place {n}"): (1000 + n, text.format(n)) for lang in LANGUAGES for n in range(1, 6)}
    files = {f"View {n}.jpg": {"sha1": hashlib.sha1(f"{n}".encode()).hexdigest()} for n in range(1, 6)}
    return World(items, texts=texts, files=files)


def jpeg(colour: tuple[int, int, int], side_px: int = 256) -> bytes:
    """Return a picture of one colour."""
    out = io.BytesIO()
    Image.new("RGB", (side_px, side_px), colour).save(out, "JPEG")
    return out.getvalue()


def write_release(lake: Lake, release: str, world: World) -> None:
    """Write and accept every table of a release as `world` describes it."""
    classes = _classes(world)
    listed = {qid: [one for one in item.classes if one in classes] for qid, item in world.items.items()}
    candidates = {qid: classes_ for qid, classes_ in listed.items() if classes_ or "P31-kept" in world.code}
    inputs: dict[str, str] = {}

    def put(name: str, partition: str, records: Iterable[Mapping[str, Any]], uses: Iterable[str] = ()) -> Version:
        version = _written(lake, name, partition, [dict(row) for row in records])
        used = {key: inputs[key] for key in uses}
        expected = lake.accepted(name, partition)
        lake.accept(
            version, release=release, inputs=used, code_version=world.code.get(name, "1"), expected=expected,
            run_id=f"run-{release}",
        )  # fmt: skip
        inputs[f"{name}/{partition}"] = version.version
        return version

    written = [put("settlement_classes", "", classes.values())]
    written.append(
        put(
            "candidates",
            "",
            [_candidate(qid, world, found) for qid, found in candidates.items()],
            ["settlement_classes/"],
        )
    )
    written += [put(name, "", [], ["candidates/"]) for name in ("changed_facts", "departures")]
    facts = [fact for qid in candidates for fact in _facts(qid, world)]
    written.append(put("facts", SHARD, facts, ["candidates/"]))
    verdicts = {qid: _reason(world.items[qid], classes) for qid in candidates}
    settlements = {qid: _settlement(qid, world) for qid, reason in verdicts.items() if reason is None}
    of_facts = ["candidates/", f"facts/{SHARD}", "settlement_classes/"]
    written.append(put("settlements", SHARD, settlements.values(), of_facts))
    rejected = [_rejection(qid, reason, world) for qid, reason in verdicts.items() if reason is not None]
    written.append(put("rejections", SHARD, rejected, of_facts))
    for lang in LANGUAGES:
        articles = [
            _summary(qid, lang, world, release)
            for qid, row in settlements.items()
            if lang in world.items[qid].sitelinks
        ]
        written.append(put("summaries", f"{lang}|{SHARD}", articles, [f"settlements/{SHARD}"]))
    images = [image for qid in settlements for image in _images(qid, world, lake)]
    written.append(put("images", SHARD, images, [f"settlements/{SHARD}"]))
    assert {version.table for version in written} == set(REFRESHED)
    _write_datasets(world, release, settlements, written, put)


def _written(lake: Lake, name: str, partition: str, records: list[dict[str, Any]]) -> Version:
    """Write rows as a version; rows whose version is known and lies in the lake already are not written again."""
    key = repr((name, partition, records))
    if key not in _WRITTEN or not lake.exists(_WRITTEN[key].path):
        _WRITTEN[key] = lake.write(name, partition, pa.Table.from_pylist(records, schema=arrow_schema(name)))
    return _WRITTEN[key]


def _write_datasets(world: World, release: str, settlements: Any, written: list[Version], put: Any) -> None:
    rows = [
        {"kind": "table", "name": one.table, "partition": one.partition, "value": one.version, "n_rows": one.n_rows}
        for one in written
    ]
    rows += [
        {"kind": "parameter", "name": name, "partition": "", "value": value, "n_rows": None}
        for name, value in world.parameters.items()
    ]
    put("refresh", release, rows, [f"{one.table}/{one.partition}" for one in written])
    pairs = [(variant, qid, row) for variant in VARIANTS for qid, row in settlements.items()]
    judged = [
        {
            "variant": variant, "qid": qid, "lat_deg": row["lat_deg"], "lon_deg": row["lon_deg"],
            "reason": None if (reason := world.reasons.get((variant, qid))) == "cell_removed" else reason,
            "country_code": row["country_code"], "n_summaries": 1, "n_images": 1,
        }
        for variant, qid, row in pairs
    ]  # fmt: skip
    put("eligible", release, judged, [f"refresh/{release}"])
    members = [
        {
            "variant": variant, "qid": qid, "is_member": (variant, qid) not in world.reasons,
            "reason": world.reasons.get((variant, qid)),
            "cell_token": world.cells.get((variant, qid)), "class_id": 0, "split": world.splits.get(qid, "train"),
        }
        for variant, qid, _ in pairs
    ]  # fmt: skip
    tokens = {(row["variant"], row["cell_token"]) for row in members if row["is_member"] and row["cell_token"]}
    cells = [
        {
            "variant": variant, "cell_token": token, "class_id": 0, "level": 4,
            "mean_lat_deg": 50.0, "mean_lon_deg": 8.0,
            "n_settlements": sum(row["variant"] == variant and row["cell_token"] == token for row in members),
        }
        for variant, token in sorted(tokens)
    ]  # fmt: skip
    put("geo_cells", release, cells, [f"eligible/{release}"])
    put("members", release, members, [f"refresh/{release}", f"eligible/{release}", f"geo_cells/{release}"])


def _classes(world: World) -> dict[str, dict[str, Any]]:
    hops = {BASE: 0}
    for _ in range(int(world.parameters["hops"])):
        for child, parents in world.edges.items():
            known = [hops[parent] for parent in parents if parent in hops]
            if known and child not in hops:
                hops[child] = min(known) + 1
    hops = {qid: hop for qid, hop in hops.items() if hop <= int(world.parameters["hops"])}
    return {
        qid: {
            "class_qid": qid, "hop": hop, "labels": [("en", world.class_labels.get(qid, f"class {qid}"))],
            "parent_qids": [parent for parent in world.edges.get(qid, []) if parent in hops],
        }
        for qid, hop in hops.items()
    }  # fmt: skip


def _candidate(qid: str, world: World, classes: list[str]) -> dict[str, Any]:
    return {"qid": qid, "shard": SHARD, "class_qids": classes, "revision": world.items[qid].revision}


def _facts(qid: str, world: World) -> list[dict[str, Any]]:
    item = world.items[qid]
    if item.quarantined is not None:
        return [{"qid": qid, "property": "quarantined", "value": item.quarantined}]
    point = {"lat_deg": item.lat_deg, "lon_deg": item.lon_deg, "globe_qid": "Q2", "statement": item.statement}
    found: list[dict[str, Any]] = [
        {"property": "P31", "value": one, "label": world.class_labels.get(one, f"class {one}")} for one in item.classes
    ]
    found += [{"property": "P625", "value": f"Point({item.lon_deg} {item.lat_deg})", **point}]
    found += [{"property": name, "value": file} for name, file in item.images.items()]
    found += [{"property": "sitelink", "value": title, "lang": lang} for lang, title in item.sitelinks.items()]
    found += [{"property": "label", "value": label, "lang": lang} for lang, label in item.labels.items()]
    found += [{"property": "P17", "value": f"Q{item.country}", "country_code": item.country}] if item.country else []
    found += [{"property": "P1082", "value": str(item.population)}] if item.population is not None else []
    found += [{"property": "version", "value": str(item.revision)}, {"property": "modified", "value": item.modified}]
    return [{"qid": qid, "answer_key": facts_request(world).key, **row} for row in found]


def _reason(item: Item, classes: Mapping[str, Any]) -> str | None:
    if item.quarantined is not None:
        return "quarantined"
    if not any(one in classes for one in item.classes):
        return "no_settlement_class"
    return None if item.images else "no_image"


def _settlement(qid: str, world: World) -> dict[str, Any]:
    item = world.items[qid]
    return {
        "qid": qid, "label": item.labels.get("en", qid), "lat_deg": item.lat_deg, "lon_deg": item.lon_deg,
        "statement": item.statement, "n_coordinates": 1, "class_qids": item.classes, "class_labels": [],
        "images": [{"property": name, "file": file} for name, file in item.images.items()],
        "sitelinks": list(item.sitelinks.items()), "country_code": item.country or "AT",
        "country_source": "wikidata_p17" if item.country else "reverse_geocoding", "population": item.population,
        "revision": item.revision, "modified_at": item.modified,
    }  # fmt: skip


def _rejection(qid: str, reason: str, world: World) -> dict[str, Any]:
    return {"qid": qid, "reason": reason, "failed": [reason], "evidence": "{}", "revision": world.items[qid].revision}


def _summary(qid: str, lang: str, world: World, release: str) -> dict[str, Any]:
    title = world.items[qid].sitelinks[lang]
    revision, text = world.texts.get((lang, title), (None, None))
    return {
        "qid": qid, "lang": lang, "requested_title": title, "title": title,
        "status": "ok" if text else "missing", "text": text, "revision": revision, "is_redirect": False,
        "text_sha256": hashlib.sha256(text.encode()).hexdigest() if text else None,
        "licence": "CC BY-SA 4.0" if text else None, "answer_key": texts_request(lang, world).key,
    }  # fmt: skip


def _images(qid: str, world: World, lake: Lake) -> list[dict[str, Any]]:
    found = []
    for index, (name, file) in enumerate(world.items[qid].images.items()):
        said = {"status": "ok", "licence": "CC0", **world.files[file]}
        sha1 = said.pop("sha1")
        row = {"qid": qid, "image_index": index, "property": name, "file": file, "file_sha1": sha1, "is_svg": False}
        if said["status"] == "ok":
            path = f"images/{sha1[:2]}/{sha1}-1.jpg"
            data = jpeg((int(sha1[:2], 16), 100, 100))
            if not lake.exists(path):
                lake.write_bytes(path, data)
            said |= {"path": path, "picture_sha256": hashlib.sha256(data).hexdigest(), "mime": "image/jpeg"}
        found.append({**row, **said, "answer_key": files_request(world).key})
    return found


# -- raw answers -----------------------------------------------------------------------------------------------------


def facts_request(world: World) -> Request:
    """Return the query that brought the facts."""
    query = FACTS_QUERY.format(" ".join(f"wd:{qid}" for qid in world.items))
    return Request("sparql", "wikidata", "POST", "http://127.0.0.1:1/sparql", {}, {"query": query})


def texts_request(lang: str, world: World, **more: str) -> Request:
    """Return the request that brought the lead texts of a language; `more` continues it."""
    titles = "|".join(item.sitelinks[lang] for item in world.items.values() if lang in item.sitelinks)
    params = {"action": "query", "prop": "extracts|info", "titles": titles, "maxlag": "5", **more}
    return Request("action_api", f"wikipedia/{lang}", "GET", f"http://127.0.0.1:1/{lang}/api.php", params)


def files_request(world: World) -> Request:
    """Return the request that brought the metadata of all files."""
    form = {"action": "query", "prop": "imageinfo", "titles": "|".join(f"File:{name}" for name in world.files)}
    return Request("action_api", "commons", "POST", "http://127.0.0.1:1/commons/api.php", {}, form)


def download_request(sha1: str) -> Request:
    """Return the request that brought the thumbnail of a file."""
    return Request("files", "upload", "GET", f"http://127.0.0.1:1/thumb/{sha1}.jpg", identity=f"{sha1}/330")


def store_answers(lake: Lake, release: str, world: World) -> None:
    """Store the answers that brought a release: the lead texts of the last article came with a continuation."""
    log = AnswerLog(lake, release)

    def put(request: Request, document: Any) -> None:
        body = document if isinstance(document, bytes) else json.dumps(document).encode()
        log.put(request, Answer(200, JSON_HEADERS, body, request.key, False))

    put(facts_request(world), {"head": {}, "results": {}})
    listing = "SELECT ?item ?class ?revision WHERE { VALUES ?class { wd:Q515 wd:Q5000 } ?item wdt:P31 ?class . }"
    entities = [{"item": {"type": "uri", "value": f"http://www.wikidata.org/entity/{qid}"}} for qid in world.items]
    put(_query(listing), {"head": {}, "results": {"bindings": entities}})
    edges = f"SELECT ?child ?parent WHERE {{ VALUES ?parent {{ wd:{VILLAGE} }} ?child wdt:P279 ?parent . }}"
    child = {"child": {"type": "uri", "value": f"http://www.wikidata.org/entity/{HILL}"}}
    put(_query(edges), {"head": {}, "results": {"bindings": [child]}})
    for lang in LANGUAGES:
        pages = [{"title": title, "extract": "text"} for key, title in world.texts if key == lang]
        first = {
            "continue": {"excontinue": "4", "continue": "||"},
            "query": {"pages": [*pages[:-1], {"title": pages[-1]["title"]}]},
        }
        put(texts_request(lang, world), first)
        put(texts_request(lang, world, excontinue="4", **{"continue": "||"}), {"query": {"pages": pages[-1:]}})
    infos = [
        {
            "title": f"File:{name}",
            "imageinfo": [{"sha1": said["sha1"], "thumburl": "http://127.0.0.1:1/t", "thumbwidth": 330}],
        }
        for name, said in world.files.items()
    ]
    put(files_request(world), {"query": {"pages": infos}})
    for said in world.files.values():
        put(download_request(said["sha1"]), jpeg((1, 2, 3)))


def _query(query: str) -> Request:
    return Request("sparql", "wikidata", "POST", "http://127.0.0.1:1/sparql", {}, {"query": query})


def write_rows(lake: Lake, path: str, records: list[dict[str, Any]]) -> str:
    """Write rows to a Parquet file of the lake, as a check does with those that fail; return the path."""
    import pyarrow.parquet as pq

    with lake.new_file(path) as file:
        pq.write_table(pa.Table.from_pylist(records), file)
    return path


def lake_of(folder: Path) -> Lake:
    """Return an empty lake in a folder."""
    return Lake(folder / "home")


def started(folder: Path, *written: tuple[str, World]) -> Lake:
    """Return a lake in a folder with releases in it; the same releases are written once and copied."""
    key = hashlib.sha256(repr(written).encode()).hexdigest()
    if key not in _STARTED:
        _STARTED[key] = tempfile.TemporaryDirectory(prefix="mlm-lineage-")
        lake = lake_of(Path(_STARTED[key].name))
        for release, world in written:
            write_release(lake, release, world)
    shutil.copytree(Path(_STARTED[key].name) / "home", folder / "home")
    return lake_of(folder)
