"""A release of twelve settlements with every table of the registry, sound in every respect, to break one thing of.

Eligible, members and the datasets are made by the statements of `sql/`, cells by `geo.cells`; the rest is said here.
"""

import hashlib
import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from mlm_assets.checks.constraints import audit, needs_of
from mlm_assets.checks.verdicts import Verdict
from mlm_assets.geo.cells import build_cells
from mlm_assets.geo.locate import locate
from mlm_assets.identifiers import quota_rank, shard_of, split_of
from mlm_assets.resources.lake import Lake, Version, arrow_schema
from mlm_assets.tables import (
    EARTH,
    IMAGE_PROPERTIES,
    IRLE_VARIANTS,
    LABEL_LANGUAGES,
    LANGUAGES,
    TABLES,
    TRAINED_VARIANTS,
    VARIANT_LANGUAGES,
    VARIANTS,
)

RELEASE = "2026-12"
SHARD = "00"
PARAMETERS = {"shards": 1, "base_class": "Q486972", "hops": 3, "t_min": "3", "t_max": "10", "release": RELEASE}
PARTITIONS = {(): "", ("shard",): SHARD, ("lang", "shard"): f"en|{SHARD}", ("release",): RELEASE}
QUOTAS = pa.table({"country_code": ["DE", "FR", "RE"], "eu_country": ["DE", "FR", "FR"], "wanted": [4, 10, 10]})

Rows = list[dict[str, Any]]
_TIME = "2026-11-20T10:00:00Z"
_KEY = "ab" * 32


@dataclass
class World:
    """A lake, and the sound version of every table and partition in it."""

    lake: Lake
    versions: dict[str, dict[str, Version]] = field(default_factory=dict)
    n_stored: int = 0

    def add(self, name: str, rows: Any, partition: str | None = None) -> None:
        """Write a sound version."""
        partition = PARTITIONS[TABLES[name].partitioned_by] if partition is None else partition
        if isinstance(rows, list):
            rows = pa.Table.from_pylist(rows, schema=arrow_schema(name))
        self.versions.setdefault(name, {})[partition] = self.lake.write(name, partition, rows)

    def version(self, name: str) -> Version:
        """Return the version that is audited in the tests: of tables by language, the English one."""
        return self.versions[name][PARTITIONS[TABLES[name].partitioned_by]]

    def rows(self, name: str) -> Rows:
        """Return the rows of that version."""
        found: Rows = self.lake.read(self.version(name)).to_pylist()
        return found

    def store(self, name: str, rows: Any) -> Version:
        """Write any rows as a version of a table, as nobody but a test would."""
        if isinstance(rows, list):
            rows = pa.Table.from_pylist(rows, schema=arrow_schema(name))
        self.n_stored += 1
        version = Version(name, self.version(name).partition, f"fault{self.n_stored}", rows.num_rows)
        buffer = io.BytesIO()
        pq.write_table(rows, buffer)
        self.lake.write_bytes(version.path, buffer.getvalue())
        return version

    def inputs(self, name: str) -> dict[str, Any]:
        """Return what the audit of a table needs: the same partition of other tables, or all of them."""
        inputs: dict[str, Any] = {}
        for need in needs_of(TABLES[name]):
            same = TABLES[need].partitioned_by == TABLES[name].partitioned_by if need != "quotas" else False
            versions = list(self.versions.get(need, {}).values())
            inputs[need] = QUOTAS if need == "quotas" else [self.version(need)] if same else versions
        return inputs

    def audit(self, version: Version, only: str | None = None, **changes: Any) -> list[Verdict]:
        """Audit a version, with the sound version of its table as the one before."""
        arguments: dict[str, Any] = {
            "inputs": self.inputs(version.table),
            "parameters": PARAMETERS,
            "before": self.version(version.table),
            **changes,
        }
        return audit(self.lake, version, only=None if only is None else {only}, **arguments)


def build(lake: Lake) -> World:
    """Return a lake with a sound version of every table."""
    world = World(lake)
    world.add("settlement_classes", _classes())
    places = _places()
    items = [*(place["qid"] for place in places), "Q201", "Q202"]
    world.add("candidates", [
        {"qid": qid, "shard": shard_of(qid, 1), "class_qids": ["Q515"], "revision": 7} for qid in items
    ])  # fmt: skip
    world.add("changed_facts", _changed_facts())
    world.add("departures", [
        {"qid": "Q301", "fate": "merged", "target_qid": "Q101", "release": RELEASE, "revision": 6, "answer_key": _KEY},
        {"qid": "Q302", "fate": "deleted", "target_qid": None, "release": RELEASE, "revision": 6, "answer_key": None},
    ])  # fmt: skip
    world.add("facts", _facts(places))
    _add_decisions(world)
    settlements = world.rows("settlements")
    for lang in LANGUAGES:
        world.add("summaries", _summaries(settlements, lang), f"{lang}|{SHARD}")
    world.add("images", _images(lake, settlements))
    world.add("refresh", _manifest(world))
    _add_release(world)
    approval = {
        "table_name": "mlm", "partition": RELEASE, "version": "0" * 20, "approved_by": "ada", "approved_at": _TIME,
        "reason": "a re-tagged country", "failed_checks": ["rows"], "figures": "{}",
    }  # fmt: skip
    world.add("approvals", [approval])
    world.add("attribution", _attribution(world))
    world.add("release_files", _release_files())
    world.add("release_diff", _release_diff())
    _add_features(world)
    for variant in TRAINED_VARIANTS:
        for task in ("ir", "le", "mtl"):
            world.add(f"{variant}/{task}_model", _epochs())
        world.add(f"{variant}/benchmark", _scores())
    return world


def _release_diff() -> Rows:
    """Return a figure of a variant that has one in the release before, and one of the release that has not."""
    figure = {"section": "counts", "variant": "mlm", "item": "entities", "before": 4.0, "after": 5.0}
    return [
        {**figure, "base": "2026-11"},
        {**figure, "section": "licences", "variant": "", "item": "withheld", "before": None, "base": "2026-11"},
    ]


def _release_files() -> Rows:
    """Return a file with a number of records and one without."""
    about = {"variant": "mlm", "split": "", "licence": "mixed", "size_bytes": 20, "sha256": "0" * 64}
    return [
        {**about, "path": "json/mlm/mlm.json", "format": "json", "media_type": "application/json", "n_records": 5},
        {**about, "path": "diff/index.html", "format": "diff", "media_type": "text/html", "n_records": None},
    ]


def _classes() -> Rows:
    return [
        {"class_qid": "Q486972", "hop": 0, "parent_qids": [], "labels": [("en", "human settlement")]},
        {"class_qid": "Q515", "hop": 1, "parent_qids": ["Q486972"], "labels": [("en", "city"), ("de", "Stadt")]},
        {"class_qid": "Q1549591", "hop": 2, "parent_qids": ["Q515"], "labels": []},
    ]


def _changed_facts() -> Rows:
    """Return one item that was asked for across shards, and what the facts of all say of a class and a country."""
    item = {"qid": "Q201", "shard": SHARD, "answer_key": _KEY}
    return [
        {"qid": "Q201", "shard": SHARD, "property": "asked", "value": "7"},
        {**item, "property": "P31", "value": "Q515", "label": "city"},
        {**item, "property": "P625", "value": "Point(1 2)", "lat_deg": 2.0, "lon_deg": 1.0, "globe_qid": EARTH,
         "statement": "Q201-a"},
        {**item, "property": "label", "value": "Nowhere", "lang": "en"},
        {"qid": "Q515", "property": "label_of", "value": "city", "answer_key": _KEY},
        {"qid": "Q183", "property": "code_of", "value": "DE", "answer_key": _KEY},
    ]  # fmt: skip


def _places() -> Rows:
    """Return seven settlements around Berlin (one has a drawing only), four on Réunion, one alone in Kansas."""
    berlin = [{"lat_deg": 52.5 + n / 1000, "lon_deg": 13.4, "country_code": "DE"} for n in range(7)]
    reunion = [{"lat_deg": -20.9 - n / 1000, "lon_deg": 55.5, "country_code": "RE"} for n in range(4)]
    places = [*berlin, *reunion, {"lat_deg": 39.0, "lon_deg": -98.0, "country_code": "US"}]
    return [{"qid": f"Q{101 + n}", "n": n, **place} for n, place in enumerate(places)]


def _facts(places: Rows) -> Rows:
    facts: Rows = []
    for place in places:
        files = [("P18", f"View {place['n']}.jpg")] if place["n"] != 6 else []
        files += [("P41", f"Flag {place['n']}.svg")] if place["n"] in (0, 6) else []
        languages = LANGUAGES if place["n"] == 0 else ("en", "de")
        said = [
            {"property": "P31", "value": "Q515", "label": "city"},
            {"property": "P17", "value": "Q30", "country_code": place["country_code"]},
            {
                "property": "P625", "value": f"Point({place['lon_deg']} {place['lat_deg']})", "globe_qid": EARTH,
                "lat_deg": place["lat_deg"], "lon_deg": place["lon_deg"], "statement": f"statement-{place['n']}",
            },
            {"property": "label", "value": f"Place {place['n']}", "lang": "en"},
            {"property": "version", "value": "7"},
            {"property": "modified", "value": _TIME},
            *({"property": name, "value": file} for name, file in files),
            *({"property": "sitelink", "value": f"Title {place['n']}", "lang": lang} for lang in languages),
        ]  # fmt: skip
        facts += [{"qid": place["qid"], "answer_key": _KEY, **fact} for fact in said]
    facts.append({"qid": "Q201", "property": "P31", "value": "Q515", "label": "city"})
    return facts


def _add_decisions(world: World) -> None:
    lake = world.lake
    verdicts = lake.transform(
        "verdicts",
        {name: [world.version(name)] for name in ("candidates", "facts", "settlement_classes")},
        {
            "shard": SHARD, "earth": EARTH, "languages": list(LANGUAGES), "label_languages": list(LABEL_LANGUAGES),
            "image_properties": list(IMAGE_PROPERTIES),
        },
    )  # fmt: skip
    found = verdicts.to_pylist()
    countries = pa.table(
        {
            "qid": [row["qid"] for row in found],
            "country_code": pa.array([(row["country_codes"] or [None])[0] for row in found], pa.string()),
            "country_source": ["wikidata_p17"] * len(found),
        }
    )
    world.add("settlements", lake.transform("settlements", {"verdicts": verdicts, "countries": countries}))
    world.add("rejections", lake.transform("rejections", {"verdicts": verdicts}))


def _summaries(settlements: Rows, lang: str) -> Rows:
    rows = []
    for settlement in settlements:
        title = dict(settlement["sitelinks"]).get(lang)
        if title is None:
            continue
        row = {"qid": settlement["qid"], "lang": lang, "requested_title": title, "is_redirect": False}
        if lang == "de" and title == "Title 3":
            rows.append({**row, "status": "missing"})
            continue
        text = f"{title} is a place, says the Wikipedia in {lang}."
        rows.append({
            **row, "title": title, "status": "ok", "text": text, "text_sha256": sha256(text), "revision": 5,
            "licence": "CC BY-SA 4.0", "answer_key": _KEY,
        })  # fmt: skip
    return rows


def sha256(text: str) -> str:
    """Return the SHA-256 of a text, as the tables write it."""
    return hashlib.sha256(text.encode()).hexdigest()


def jpeg(shade: int, side_px: int = 256) -> bytes:
    """Return a grey JPEG picture."""
    buffer = io.BytesIO()
    Image.new("RGB", (side_px, side_px), (shade, shade, shade)).save(buffer, "JPEG")
    return buffer.getvalue()


def _images(lake: Lake, settlements: Rows) -> Rows:
    rows = []
    for settlement in settlements:
        for index, image in enumerate(settlement["images"]):
            sha1 = hashlib.sha1(image["file"].encode()).hexdigest()
            path, data = f"images/{sha1[:2]}/{sha1}-1.jpg", jpeg(len(rows) * 10)
            lake.write_bytes(path, data)
            is_svg = image["file"].endswith(".svg")
            rows.append({
                "qid": settlement["qid"], "image_index": index, **image, "status": "ok", "file_sha1": sha1,
                "path": path, "picture_sha256": hashlib.sha256(data).hexdigest(), "is_svg": is_svg,
                "mime": "image/svg+xml" if is_svg else "image/jpeg", "width_px": 800, "height_px": 600,
                "size_bytes": 9_000, "licence": "CC0", "answer_key": _KEY,
            })  # fmt: skip
    return rows


def _manifest(world: World) -> Rows:
    names = (
        "settlement_classes", "candidates", "changed_facts", "departures", "facts", "settlements", "rejections",
        "summaries", "images",
    )  # fmt: skip
    rows: Rows = [
        {"kind": "table", "name": name, "partition": partition, "value": version.version, "n_rows": version.n_rows}
        for name in names
        for partition, version in world.versions[name].items()
    ]
    parameters = {"base_class": "Q486972", "hops": "3", "t_min": "3", "t_max": "10", "quota_total": "14"}
    return rows + [
        {"kind": "parameter", "name": name, "partition": "", "value": value} for name, value in parameters.items()
    ]


def _add_release(world: World) -> None:
    lake = world.lake
    media = {name: list(world.versions[name].values()) for name in ("settlements", "summaries", "images")}
    qids = [row["qid"] for row in world.rows("settlements")]
    variants = pa.table(
        {
            "variant": list(VARIANTS),
            "languages": [list(VARIANT_LANGUAGES[variant]) for variant in VARIANTS],
            "has_svg": [variant not in IRLE_VARIANTS for variant in VARIANTS],
            "is_eu_only": [variant == "mlm_irle_gr" for variant in VARIANTS],
            "needs_cell": [variant in IRLE_VARIANTS for variant in VARIANTS],
        }
    )
    queue = pa.table({"qid": qids, "quota_rank": [quota_rank(qid) for qid in qids]})
    world.add("eligible", lake.transform("eligible", {**media, "variants": variants, "quotas": QUOTAS, "queue": queue}))
    eligible = world.rows("eligible")
    world.add("geo_cells", _cells(eligible))
    splits = pa.table({"qid": qids, "split": [split_of(qid) for qid in qids]})
    inside = pa.Table.from_pylist(_inside(eligible, world.rows("geo_cells")))
    judged = [world.version("eligible")]
    world.add(
        "members",
        lake.transform("members", {"eligible": judged, "located": inside, "splits": splits, "variants": variants}),
    )
    for variant in VARIANTS:
        chosen = {
            "variant": variant,
            "languages": list(VARIANT_LANGUAGES[variant]),
            "has_svg": variant not in IRLE_VARIANTS,
        }
        world.add(variant, lake.transform("dataset", {"members": [world.version("members")], **media}, chosen))
    continents = {"DE": "Europe", "RE": "Africa", "US": "North America"}
    published = pa.table(
        {"variant": ["mlm"], "figure": ["entities"], "item": [""], "n_paper": pa.array([236_496], pa.int64())}
    )
    world.add(
        "dataset_statistics",
        lake.transform(
            "dataset_statistics",
            {
                **{name: [world.version(name)] for name in (*VARIANTS, "geo_cells")},
                "continents": pa.table({"country_code": list(continents), "continent": list(continents.values())}),
                "published": published,
            },
        ),
    )


def _goes_on(eligible: Rows, variant: str) -> Rows:
    return [row for row in eligible if row["variant"] == variant and row["reason"] is None]


def _cells(eligible: Rows) -> Rows:
    rows = []
    for variant in VARIANTS:
        mine = _goes_on(eligible, variant)
        tree = build_cells(
            [row["lat_deg"] for row in mine], [row["lon_deg"] for row in mine], t_min=3, t_max=10
        )  # fmt: skip
        rows += [
            {
                "variant": variant, "cell_token": cell.token, "class_id": cell.class_id, "level": cell.level,
                "n_settlements": cell.count, "mean_lat_deg": cell.mean_lat_deg, "mean_lon_deg": cell.mean_lon_deg,
            }
            for cell in tree.cells
        ]  # fmt: skip
    return rows


def _inside(eligible: Rows, cells: Rows) -> Rows:
    rows = []
    for variant in VARIANTS:
        mine, kept = _goes_on(eligible, variant), [cell for cell in cells if cell["variant"] == variant]
        places = locate(
            [cell["cell_token"] for cell in kept], [row["lat_deg"] for row in mine], [row["lon_deg"] for row in mine]
        )
        rows += [
            {
                "variant": variant,
                "qid": row["qid"],
                "cell_token": kept[place]["cell_token"],
                "class_id": kept[place]["class_id"],
            }
            for row, place in zip(mine, places.tolist(), strict=True)
            if place >= 0
        ]
    return rows


def _attribution(world: World) -> Rows:
    """Return whose the texts and pictures of the largest variant are; one picture is withheld."""
    url = "https://creativecommons.org/publicdomain/zero/1.0/"
    found: Rows = []
    for row in world.rows("mlm_v2"):
        found += [
            {
                "kind": "text", "qid": row["qid"], "name": f"{text['lang']}_wiki", "title": text["title"],
                "lang": text["lang"], "revision": text["revision"], "licence_id": "CC-BY-SA-4.0",
                "licence": text["licence"], "source_url": f"https://{text['lang']}.wikipedia.org/?oldid=5",
            }
            for text in row["summaries"]
        ]  # fmt: skip
        found += [
            {
                "kind": "image", "qid": row["qid"], "name": image["name"], "title": image["file"],
                "file": image["file"], "file_sha1": image["file_sha1"], "licence_id": "CC0-1.0", "licence": "CC0",
                "licence_url": url, "author": "Ann < Bob", "credit": "own work", "face_fraction": 0.5,
                "source_url": f"https://commons.wikimedia.org/wiki/File:{image['file']}",
                "withheld": "face" if row["qid"] == "Q101" else None,
            }
            for image in row["images"]
        ]  # fmt: skip
    return found


def _add_features(world: World) -> None:
    def placed(keys: list[Mapping[str, Any]]) -> Rows:
        return [
            {**key, "encoder": "tiny-1", "block": "b0", "block_row": n, "dimension": 4} for n, key in enumerate(keys)
        ]

    pictures = sorted({row["path"].rsplit("/", 1)[1].removesuffix(".jpg") for row in world.rows("images")})
    world.add("image_features", placed([{"picture": picture} for picture in pictures]))
    texts = sorted({row["text_sha256"] for row in world.rows("summaries")})
    world.add("text_features", placed([{"text_sha256": text} for text in texts]))
    labels = ["city", "human settlement"]
    world.add("class_features", placed([{"label_sha256": sha256(label), "label": label} for label in labels]))


def _epochs() -> Rows:
    figures = {"retrieval_loss": 0.2, "location_loss": 0.3, "learning_rate": 1e-4, "score": 0.5, "located_text": 0.4}
    return [
        {"epoch": epoch, "is_best": epoch == 2, "loss": 1.0 / epoch, **figures, "weights_sha256": "cd" * 32}
        for epoch in (1, 2, 3)
    ]


def _scores() -> Rows:
    def score(section: str, figure: str, value: float, low: float, high: float) -> dict[str, Any]:
        return {
            "section": section, "model": "mtl_model", "direction": "image_to_text", "group": "", "figure": figure,
            "value": value, "low": low, "high": high, "n": 50,
        }  # fmt: skip

    return [
        score("retrieval", "R@1", 0.3, 0.2, 0.4),
        score("retrieval", "medR", 4.0, 3.0, 5.0),
        score("location", "f1", 0.5, 0.4, 0.6),
        score("guards", "R@1", 0.9, 0.0, 0.1),
        score("paired_retrieval", "R@1", -0.1, -0.2, 0.1),
        score("paired_retrieval", "medR", -3.0, -4.0, 0.5),
    ]
