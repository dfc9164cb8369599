"""A small world in memory that lives through months: places, articles and files, edits, churn, shocks and faults.

It gives the tables of a release as lists of rows, which tests spoil, write to a lake and have judged.
"""

import hashlib
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import deepcopy
from typing import Any

import pyarrow as pa

from mlm_assets.checks import drift
from mlm_assets.checks.drift import Profile, Sides, profile_of
from mlm_assets.checks.verdicts import Verdict
from mlm_assets.releases import release_window
from mlm_assets.resources.lake import Lake, Version, arrow_schema
from mlm_assets.tables import VARIANT_LANGUAGES, VARIANTS

Rows = list[dict[str, Any]]
Tables = dict[tuple[str, str], Rows]

LANGS = ("en", "de", "fr", "hu")
SHARDS = ("00", "01")
COUNTRIES = ("FR", "IT", "PL", "DE", "GB", "RO", "ES")
CLASSES = ("Q532", "Q515", "Q3957", "Q5084", "Q70208", "Q747074")
RARE_CLASS = "Q15284"
RELEASES = release_window("2026-12")

_SENTENCES = {
    "en": "{0} is a village in the region of {1}. It is located to the north of {2} and has {3} inhabitants.",
    "de": "{0} ist ein Dorf in der Region {1}. Der Ort liegt nach Norden von {2} und hat {3} Einwohner.",
    "fr": "{0} est une commune de la région de {1}. Elle est située dans le nord du {2}, avec {3} habitants.",
    "hu": "{0} egy falu {1} régióban. A község északra van {2} városától, és lakosainak száma {3}.",
}
_FORMS = (
    ("P31", "class_qids"), ("P17", "country"), ("P1082", "population"), ("version", "revision"),
    ("modified", "modified_at"),
)  # fmt: skip


def sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


class World:
    """Places with articles and files; `month` counts from 0."""

    def __init__(self, seed: int, n: int = 400) -> None:
        self.random = random.Random(seed)
        self.month = 0
        self.n_made = 0
        self.hidden_class: str | None = None
        self.places: dict[str, dict[str, Any]] = {}
        for _ in range(n):
            self.add_place()

    # -- what there is -------------------------------------------------------------------------------------------

    def add_place(self) -> None:
        self.n_made += 1
        rng, number = self.random, self.n_made
        qid = f"Q{9_000_000 + 7 * number}"
        country = rng.choices(COUNTRIES, (8, 6, 5, 4, 3, 2, 1))[0]
        class_qid = RARE_CLASS if rng.random() < 0.025 else rng.choices(CLASSES, (10, 6, 4, 3, 2, 1))[0]
        name = f"Place{number}{rng.choice(('ton', 'burg', 'ville', 'falva'))}"
        self.places[qid] = {
            "qid": qid, "shard": SHARDS[number % 2], "label": name, "country": country, "class_qids": [class_qid],
            "lat": round(rng.uniform(36, 60), 5), "lon": round(rng.uniform(1, 27), 5),
            "population": rng.randint(50, 90_000), "revision": 1_000_000 + rng.randint(0, 900_000),
            "modified_at": f"2026-{rng.randint(1, 11):02d}-{rng.randint(1, 28):02d}T10:00:00Z",
            "articles": {lang: self.article(name, lang) for lang in LANGS if rng.random() < 0.6},
            "files": [self.file(name, i) for i in range(rng.choices((0, 1, 2, 3), (1, 6, 2, 1))[0])],
        }  # fmt: skip

    def article(self, name: str, lang: str, is_stub: bool = False) -> dict[str, Any]:
        rng = self.random
        words = [f"Region{rng.randint(1, 40)}", f"Town{rng.randint(1, 400)}", str(rng.randint(40, 99_000))]
        text = _SENTENCES[lang].format(name, *words)
        for _ in range(0 if is_stub else rng.choices((0, 1, 3), (5, 3, 1))[0]):
            extra = [f"Region{rng.randint(1, 40)}", f"Town{rng.randint(1, 400)}", str(rng.randint(40, 99_000))]
            text += " " + _SENTENCES[lang].format(f"Part{rng.randint(1, 999)}", *extra)
        status = rng.choices(("ok", "missing", "empty"), (96, 2, 2))[0]
        return {"text": text, "status": status, "revision": 5_000_000 + rng.randint(0, 900_000), "title": name}

    def file(self, name: str, number: int) -> dict[str, Any]:
        rng = self.random
        prop = rng.choices(("P18", "P94", "P41"), (6, 2, 1))[0]
        status = rng.choices(("ok", "missing"), (95, 5))[0]
        return {
            "file": f"{name} {prop} {number}-{rng.randint(0, 10**9)}.jpg", "property": prop, "status": status,
            "token": str(rng.random()), "width": rng.randint(300, 4000), "bytes": rng.randint(8_000, 4_000_000),
            "author": rng.choice(("Ana", "Jo", "Li", None)), "licence": rng.choice(("CC0", "CC BY-SA 4.0")),
        }  # fmt: skip

    # -- months --------------------------------------------------------------------------------------------------

    def some(self, share: float, of: Callable[[dict[str, Any]], bool] = lambda _: True) -> list[dict[str, Any]]:
        chosen = [place for place in self.places.values() if of(place)]
        return self.random.sample(chosen, round(share * len(chosen)))

    def touch(self, place: dict[str, Any]) -> None:
        place["revision"] += self.random.randint(1, 5000)
        year, month = divmod(11 + self.month, 12)
        place["modified_at"] = f"{2026 + year}-{month + 1:02d}-15T12:00:00Z"

    def live(self) -> None:
        """Let a month pass: 1 to 3 % of entities are edited, 1 % are new, half a per cent goes."""
        self.month += 1
        rng = self.random
        for place in self.some(rng.uniform(0.01, 0.03)):
            self.edit(place)
        for place in self.some(rng.uniform(0.01, 0.03)):
            for lang, article in place["articles"].items():
                if rng.random() < 0.5:
                    place["articles"][lang] = self.article(place["label"], lang) | {
                        "revision": article["revision"] + rng.randint(1, 9000), "status": article["status"]
                    }  # fmt: skip
        for place in self.some(0.005):
            del self.places[place["qid"]]
        for _ in range(round(0.015 * len(self.places))):
            self.add_place()

    def edit(self, place: dict[str, Any]) -> None:
        self.touch(place)
        rng = self.random
        what = rng.choice(("label", "population", "class", "file", "article", "place", "country"))
        if what == "label":
            place["label"] += "a"
        elif what == "population":
            place["population"] = round(place["population"] * rng.uniform(0.9, 1.1))
        elif what == "class":
            place["class_qids"] = [rng.choice(CLASSES)]
        elif what == "file":
            place["files"].append(self.file(place["label"], len(place["files"])))
        elif what == "article":
            lang = rng.choice(LANGS)
            place["articles"].setdefault(lang, self.article(place["label"], lang))
        elif what == "place":
            place["lat"] = round(place["lat"] + rng.uniform(-0.05, 0.05), 5)
        else:
            place["country"] = rng.choice(COUNTRIES)

    def retag(self, country: str, other: str) -> None:
        """A bot puts 5 % of a country into another."""
        for place in self.some(0.05, lambda one: one["country"] == country):
            place["country"] = other
            self.touch(place)

    def merge(self, country: str) -> None:
        """A wave of merges takes 4 % of a country."""
        for place in self.some(0.04, lambda one: one["country"] == country):
            del self.places[place["qid"]]

    def vandalise(self) -> dict[str, dict[str, Any]]:
        """Spoil 0.5 % of places; returns what they were."""
        spoilt = self.some(0.005)
        before = {place["qid"]: deepcopy(place) for place in spoilt}
        for place in spoilt:
            place.update(label="lol", lat=1.0, lon=-place["lon"], population=7)
            self.touch(place)
        return before

    def undo(self, before: Mapping[str, dict[str, Any]]) -> None:
        for qid, place in before.items():
            if qid in self.places:
                revision = self.places[qid]["revision"]
                self.places[qid] = deepcopy(place) | {"revision": revision}
                self.touch(self.places[qid])

    def stubs(self, lang: str) -> None:
        """6 % more articles in one language, all of them stubs."""
        lacking = [place for place in self.places.values() if lang not in place["articles"]]
        n = round(0.06 * sum(1 for place in self.places.values() if lang in place["articles"]))
        for place in self.random.sample(lacking, min(n, len(lacking))):
            place["articles"][lang] = self.article(place["label"], lang, is_stub=True)
            self.touch(place)

    def illustrate(self, country: str) -> None:
        """6 % more images in one country."""
        of_country = [place for place in self.places.values() if place["country"] == country]
        n = round(0.06 * sum(len(place["files"]) for place in of_country))
        for place in self.random.sample(of_country, min(n, len(of_country))):
            place["files"].append(self.file(place["label"], 99))
            self.touch(place)

    # -- tables --------------------------------------------------------------------------------------------------

    def tables(self) -> Tables:
        """Return the tables of a refresh by (table, partition)."""
        listed = [qid for qid in ("Q486972", *CLASSES, RARE_CLASS) if qid != self.hidden_class]
        listed += [f"Q{60_000 + i}" for i in range(150)]
        tables: Tables = {("settlement_classes", ""): [
            {"class_qid": qid, "hop": int(qid != "Q486972"), "parent_qids": ["Q486972"][: qid != "Q486972"],
             "labels": [("en", f"class {qid}"), ("fr", f"classe {qid}")]}
            for qid in listed
        ]}  # fmt: skip
        known = [place for place in self.places.values() if set(place["class_qids"]) & set(listed)]
        tables["candidates", ""] = [
            {name: place[name] for name in ("qid", "shard", "class_qids", "revision")} for place in known
        ]
        for shard in SHARDS:
            inside = [place for place in known if place["shard"] == shard]
            tables["facts", shard] = [row for place in inside for row in self.facts(place)]
            good = [place for place in inside if place["articles"] and place["files"]]
            tables["settlements", shard] = [self.settlement(place) for place in good]
            tables["rejections", shard] = [self.rejection(place) for place in inside if place not in good]
            for lang in LANGS:
                with_article = [place for place in good if lang in place["articles"]]
                tables["summaries", f"{lang}|{shard}"] = [self.summary(place, lang) for place in with_article]
            tables["images", shard] = [self.image(place, i) for place in good for i in range(len(place["files"]))]
        return tables

    def facts(self, place: dict[str, Any]) -> Iterator[dict[str, Any]]:
        qid = place["qid"]
        for prop, name in _FORMS:
            value = place[name][0] if prop == "P31" else place[name]
            more = {"label": f"class {value}"} if prop == "P31" else {"country_code": value} if prop == "P17" else {}
            yield {"qid": qid, "property": prop, "value": str(value), **more}
        yield {"qid": qid, "property": "P625", "value": f"Point({place['lon']} {place['lat']})",
               "lat_deg": place["lat"], "lon_deg": place["lon"], "globe_qid": "Q2", "statement": "s"}  # fmt: skip
        for lang, article in place["articles"].items():
            yield {"qid": qid, "property": "label", "lang": lang, "value": place["label"]}
            yield {"qid": qid, "property": "sitelink", "lang": lang, "value": article["title"]}
        for file in place["files"]:
            yield {"qid": qid, "property": file["property"], "value": file["file"]}

    def settlement(self, place: dict[str, Any]) -> dict[str, Any]:
        return {
            "qid": place["qid"], "label": place["label"], "lat_deg": place["lat"], "lon_deg": place["lon"],
            "statement": "s", "n_coordinates": 1, "class_qids": place["class_qids"],
            "class_labels": [f"class {qid}" for qid in place["class_qids"]],
            "images": [{"property": file["property"], "file": file["file"]} for file in place["files"]],
            "sitelinks": [(lang, article["title"]) for lang, article in place["articles"].items()],
            "country_code": place["country"], "country_source": "wikidata_p17", "population": place["population"],
            "revision": place["revision"], "modified_at": place["modified_at"],
        }  # fmt: skip

    def rejection(self, place: dict[str, Any]) -> dict[str, Any]:
        reason = "no_article" if place["files"] else "no_image"
        return {"qid": place["qid"], "reason": reason, "failed": [reason], "evidence": "{}",
                "revision": place["revision"]}  # fmt: skip

    def summary(self, place: dict[str, Any], lang: str) -> dict[str, Any]:
        article = place["articles"][lang]
        row = {"qid": place["qid"], "lang": lang, "requested_title": article["title"], "status": article["status"],
               "is_redirect": False}  # fmt: skip
        if article["status"] != "ok":
            return row
        return row | {
            "title": article["title"], "text": article["text"], "text_sha256": sha(article["text"]),
            "revision": article["revision"], "licence": "CC BY-SA 4.0",
        }  # fmt: skip

    def image(self, place: dict[str, Any], index: int) -> dict[str, Any]:
        file = place["files"][index]
        row = {"qid": place["qid"], "image_index": index, "property": file["property"], "file": file["file"],
               "status": file["status"], "is_svg": False}  # fmt: skip
        if file["status"] != "ok":
            return row
        return row | {
            "file_sha1": sha(file["file"])[:40], "path": f"images/{sha(file['file'])}-1.jpg",
            "picture_sha256": sha(file["token"]), "mime": "image/jpeg", "width_px": file["width"],
            "height_px": file["width"], "size_bytes": file["bytes"], "licence": file["licence"],
            "licence_url": "u", "author": file["author"], "credit": "c",
        }  # fmt: skip


def release_tables(tables: Tables, release: str) -> Tables:
    """Return the tables of a release that are made from those of a refresh; cells are squares of ten degrees."""
    settlements = [row for (name, _), rows in tables.items() if name == "settlements" for row in rows]
    texts: dict[str, Rows] = {}
    pictures: dict[str, Rows] = {}
    for (name, _), rows in tables.items():
        for row in rows:
            if name in ("summaries", "images") and row["status"] == "ok":
                (texts if name == "summaries" else pictures).setdefault(row["qid"], []).append(row)
    found: Tables = {}
    eligible, members, cells = [], [], []
    for variant in VARIANTS:
        langs = VARIANT_LANGUAGES[variant]
        rows = [_member(row, variant, langs, texts, pictures) for row in settlements]
        eligible += rows
        inside = [row for row in rows if row["reason"] is None]
        by_cell: dict[str, Rows] = {}
        for row in inside:
            by_cell.setdefault(_cell(row), []).append(row)
        cells += [
            {"variant": variant, "cell_token": token, "class_id": i, "level": 3, "n_settlements": len(by_cell[token]),
             "mean_lat_deg": 1.0, "mean_lon_deg": 1.0}
            for i, token in enumerate(sorted(by_cell))
        ]  # fmt: skip
        members += [
            {"variant": variant, "qid": row["qid"], "is_member": row["reason"] is None, "reason": row["reason"],
             "cell_token": _cell(row), "class_id": 0, "split": _split(row["qid"])}
            for row in rows
        ]  # fmt: skip
        chosen = {row["qid"] for row in inside}
        found[variant, release] = [
            _dataset_row(row, langs, texts, pictures) for row in settlements if row["qid"] in chosen
        ]
    found["eligible", release], found["members", release] = eligible, members
    found["geo_cells", release] = cells
    found["dataset_statistics", release] = [
        {"variant": variant, "figure": "entities", "item": "", "n": len(found[variant, release])}
        for variant in VARIANTS
    ]
    return found


def _cell(row: dict[str, Any]) -> str:
    return f"{int(row['lat_deg']) // 10}{int(row['lon_deg']) // 10 + 10}"


def _split(qid: str) -> str:
    return ("train", "train", "train", "train", "validation", "test")[int(sha(qid), 16) % 6]


def _member(row: dict[str, Any], variant: str, langs: Sequence[str], texts: Any, pictures: Any) -> dict[str, Any]:
    n_texts = sum(1 for text in texts.get(row["qid"], []) if text["lang"] in langs)
    n_images = len(pictures.get(row["qid"], []))
    return {
        "variant": variant, "qid": row["qid"], "country_code": row["country_code"], "lat_deg": row["lat_deg"],
        "lon_deg": row["lon_deg"], "n_summaries": n_texts, "n_images": n_images,
        "reason": "no_summary" if not n_texts else "no_image_downloaded" if not n_images else None,
    }  # fmt: skip


def _dataset_row(row: dict[str, Any], langs: Sequence[str], texts: Any, pictures: Any) -> dict[str, Any]:
    same = ("qid", "label", "lat_deg", "lon_deg", "class_qids", "class_labels", "country_code", "country_source",
            "population", "revision")  # fmt: skip
    credit = ("file", "file_sha1", "path", "property", "licence", "licence_url", "author", "credit")
    return {
        **{name: row[name] for name in same},
        "summaries": [
            {name: text[name] for name in ("lang", "title", "text", "revision", "licence")}
            for text in texts[row["qid"]] if text["lang"] in langs
        ],
        "images": [{"name": "n", **{name: one[name] for name in credit}} for one in pictures[row["qid"]]],
        "cell_token": _cell(row), "class_id": 0, "split": _split(row["qid"]),
    }  # fmt: skip


class Archive:
    """A lake in which releases are written, judged against the last accepted ones, and accepted if nothing blocks."""

    def __init__(self, lake: Lake) -> None:
        self.lake = lake
        self.accepted: dict[tuple[str, str], Sides] = {}
        self.history: dict[tuple[str, str], list[Profile]] = {}

    def write(self, tables: Tables) -> dict[tuple[str, str], Version]:
        return {
            (name, partition): self.lake.write(name, partition, pa.Table.from_pylist(rows, schema=arrow_schema(name)))
            for (name, partition), rows in tables.items()
        }

    def judge(self, tables: Tables, release: str, only: Sequence[str] = ()) -> list[Verdict]:
        """Write and judge every table (or only those named), and the refresh; accept what no verdict blocks."""
        versions = self.write(tables)
        verdicts: list[Verdict] = []
        for (name, partition), version in versions.items():
            if not only or name in only:
                verdicts += self._judge_one(self._sides(versions, name, partition, version, release))
        if not only or "refresh" in only:
            verdicts += self._judge_one(self._refresh(versions, release))
        return verdicts

    def _judge_one(self, sides: Sides) -> list[Verdict]:
        place = sides.table, "" if sides.partition == sides.release else sides.partition
        history = self.history.setdefault(place, [])
        verdicts = drift.judge(self.lake, sides, self.accepted.get(place), history)
        if not any(verdict.blocks for verdict in verdicts):
            history.append(profile_of(self.lake, sides))
            self.accepted[place] = sides
        return verdicts

    def _sides(self, versions: Any, name: str, partition: str, version: Version, release: str) -> Sides:
        shard = partition.rpartition("|")[2]
        context = {table: [versions[table, key]] for table in drift.context_of(name) for key in (shard, "")
                   if (table, key) in versions}  # fmt: skip
        return Sides(name, partition, release, {name: [version], **context})

    def _refresh(self, versions: Any, release: str) -> Sides:
        pinned: dict[str, list[Version]] = {}
        rows = [{"kind": "parameter", "name": "t_min", "partition": "", "value": "20"}]
        for (name, partition), version in versions.items():
            if name in drift.context_of("refresh"):
                pinned.setdefault(name, []).append(version)
                rows.append({"kind": "table", "name": name, "partition": partition, "value": version.version,
                             "n_rows": version.n_rows})  # fmt: skip
        own = self.lake.write("refresh", release, pa.Table.from_pylist(rows, schema=arrow_schema("refresh")))
        return Sides("refresh", release, release, {"refresh": [own], **pinned})


def failed(verdicts: Sequence[Verdict]) -> dict[tuple[str, str], Verdict]:
    """Return the verdicts that did not pass, by table and check (the worst where there are several)."""
    found: dict[tuple[str, str], Verdict] = {}
    for verdict in sorted(verdicts, key=lambda one: one.blocks):
        if not verdict.passed:
            found[verdict.table, verdict.check] = verdict
    return found
