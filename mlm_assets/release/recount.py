"""The figures of a manifest, counted again in the files of the release: what says that no number was typed.

Counted are the Parquet files, else the JSON files, whichever a release has; the columns are those of
`release.formats.fields`. How figures are made does not belong here (`release.manifest`).
"""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from mlm_assets.release.manifest import SPLITS, withheld

_OF_JSON: Final = ("entities", "images", "summaries", "entities_without_image", "classes", "summaries_per_language")
"""What the published JSON of MLM v1 tells; splits, countries, cells and licences stand in Parquet only."""


def differences(folder: Path, manifest: Mapping[str, Any]) -> Iterator[str]:
    """Yield a sentence per figure of the manifest that is not the one counted in the files."""
    files = {file["path"] for file in manifest["files"]}
    for variant, said in manifest["variants"].items():
        counted: dict[str, Any] = {}
        if f"parquet/{variant}/entities.parquet" in files:
            counted = _of_parquet(folder / "parquet" / variant)
        elif f"json/{variant}/{variant}.json" in files:
            counted = _of_json(folder / "json" / variant / f"{variant}.json")
        yield from _differences(f"{variant}: ", {name: said.get(name) for name in counted}, counted)
    if "attribution.parquet" in files:
        import pyarrow.parquet as pq

        rows = pq.read_table(folder / "attribution.parquet", columns=["file", "withheld"])
        yield from _differences("", {"withheld": manifest["withheld"]}, {"withheld": withheld(rows)})
    yield from _row_counts(folder, manifest)


def _differences(where: str, said: Mapping[str, Any], counted: Mapping[str, Any]) -> Iterator[str]:
    for name, value in counted.items():
        if said[name] != value:
            yield f"{where}the manifest says {name} = {said[name]}, its files hold {value}"


def _row_counts(folder: Path, manifest: Mapping[str, Any]) -> Iterator[str]:
    """Yield a sentence per Parquet file whose rows are not as many as its record says."""
    import pyarrow.parquet as pq

    for file in manifest["files"]:
        if file["path"].endswith(".parquet") and file["n_records"] is not None:
            n_rows = pq.read_metadata(folder / file["path"]).num_rows
            if n_rows != file["n_records"]:
                yield f"{file['path']}: the manifest says n_records = {file['n_records']}, it holds {n_rows}"


def _of_parquet(folder: Path) -> dict[str, Any]:
    import duckdb

    connection = duckdb.connect()
    try:
        for name in ("entities", "summaries", "images"):
            connection.from_parquet(str(folder / f"{name}.parquet")).create_view(name)

        def ask(statement: str) -> list[tuple[Any, ...]]:
            return list(connection.execute(statement).fetchall())

        counts = ask(
            "SELECT count(*), count(DISTINCT cell_token), count(*) FILTER (qid NOT IN (SELECT qid FROM images)), "
            "(SELECT count(*) FROM summaries), (SELECT count(*) FROM images), "
            "(SELECT count(DISTINCT label) FROM (SELECT unnest(class_labels) AS label FROM entities)) FROM entities"
        )[0]
        n, cells, bare, summaries, images, classes = (int(one) for one in counts)
        return {
            "entities": n, "images": images, "summaries": summaries, "entities_without_image": bare,
            "classes": classes, "cells": cells,
            "splits": {**dict.fromkeys(SPLITS, 0), **dict(ask("SELECT split, count(*) FROM entities GROUP BY ALL"))},
            "summaries_per_language": dict(ask("SELECT lang, count(*) FROM summaries GROUP BY ALL")),
            "entities_per_country": dict(
                ask("SELECT coalesce(country_code, '') AS country, count(*) FROM entities GROUP BY ALL")
            ),
            "images_per_licence": dict(
                ask("SELECT coalesce(nullif(licence, ''), 'unknown') AS name, count(*) FROM images GROUP BY ALL")
            ),
        }  # fmt: skip
    finally:
        connection.close()


def _of_json(file: Path) -> dict[str, Any]:
    records = json.loads(file.read_text("utf-8"))
    languages: Counter[str] = Counter()
    for record in records:
        languages.update(name.removesuffix("_wiki") for name in record["summaries"])
    counted = {
        "entities": len(records),
        "images": sum(len(record["images"]) for record in records),
        "summaries": languages.total(),
        "entities_without_image": sum(not record["images"] for record in records),
        "classes": len({label for record in records for label in record["classes"]}),
        "summaries_per_language": dict(languages),
    }
    return {name: counted[name] for name in _OF_JSON}
