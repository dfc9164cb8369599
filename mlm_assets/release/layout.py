"""The published layout of MLM: one JSON of records per variant, and its images in a folder beside it.

A record has `id` (the QID's number), `item` (label), `coordinates` ([latitude, longitude], as text), `summaries`
({"en_wiki": ...}), `images` (["Q23178_0.jpg", ...]) and `classes` (English labels), as in the published MLM v1.
The same rows give the same bytes: records by QID number, languages and images in their fixed order.
"""

import json
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

from mlm_assets.errors import MlmError

_BATCH_ROWS = 2_000


class FileStore(Protocol):
    """What is needed of the lake."""

    def new_file(self, path: str) -> Any:
        """Give a local file that becomes `path` when the block ends."""

    def link(self, source: str, target: str) -> None:
        """Make `target` the same file as `source`."""

    def move_tree(self, source: str, target: str) -> None:
        """Put folder `source` in the place of `target`."""


def dataset_folder(release: str, variant: str) -> str:
    """Return where a variant of a release lies, below the root of the lake."""
    return f"datasets/{release}/{variant}"


def write_dataset(store: FileStore, release: str, variant: str, rows: Any, say: Callable[[str], Any]) -> str:
    """Write `<variant>.json` and `images/` of a release, whole or not at all; return the folder.

    `rows` is a pyarrow table of the variant, sorted by QID number. `say` is told how far it is.
    """
    folder = dataset_folder(release, variant)
    unfinished = f"datasets/{release}/.tmp-{variant}-{uuid.uuid4().hex}"
    with store.new_file(f"{unfinished}/{variant}.json") as file:
        _write_json(file, rows)
    n_images = 0
    for name, path in image_files(rows):
        try:
            store.link(path, f"{unfinished}/images/{name}")
        except FileNotFoundError as error:
            raise MlmError(
                f"{variant} {release}: the picture {path} of {name} is not in the lake any more. "
                "Materialise the images of its shard again; see `mlm verify`."
            ) from error
        n_images += 1
        if n_images % 20_000 == 0:
            say(f"{variant}: {n_images:,} images linked")
    store.move_tree(unfinished, folder)
    say(f"{variant}: {rows.num_rows:,} records and {n_images:,} images in {folder}")
    return folder


def published_record(row: dict[str, Any]) -> dict[str, Any]:
    """Return one row of a variant in the published layout."""
    return {
        "id": int(row["qid"][1:]),
        "item": row["label"],
        "coordinates": [degrees(row["lat_deg"]), degrees(row["lon_deg"])],
        "summaries": {f"{summary['lang']}_wiki": summary["text"] for summary in row["summaries"]},
        "images": [image["name"] for image in row["images"]],
        "classes": row["class_labels"],
    }


def degrees(value: float) -> str:
    """Return an angle as plain decimal text without loss and without exponent."""
    text = repr(float(value))
    return text if "e" not in text else f"{value:.12f}".rstrip("0").rstrip(".")


def n_image_files(rows: Any) -> int:
    """Return how many images the folder of a variant with these rows has."""
    return sum(1 for _ in image_files(rows))


def json_parts(rows: Any) -> Iterator[str]:
    """Yield the text of `<variant>.json` in parts, one record at a time."""
    yield "["
    for number, row in enumerate(_records(rows)):
        yield ",\n" if number else "\n"
        yield json.dumps(published_record(row), ensure_ascii=False)
    yield "\n]\n"


def image_files(rows: Any) -> Iterator[tuple[str, str]]:
    """Yield name in the folder `images/` and path in the lake of every picture of a variant, in order."""
    for batch in rows.select(["images"]).to_batches(max_chunksize=_BATCH_ROWS):
        for row in batch.to_pylist():
            for image in row["images"]:
                yield image["name"], image["path"]


def _write_json(file: Path, rows: Any) -> None:
    with file.open("w", encoding="utf-8", newline="\n") as out:
        out.writelines(json_parts(rows))


def _records(rows: Any) -> Iterator[dict[str, Any]]:
    for batch in rows.to_batches(max_chunksize=_BATCH_ROWS):
        yield from batch.to_pylist()
