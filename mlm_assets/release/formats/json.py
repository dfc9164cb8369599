"""The layout of MLM v1: one JSON of records per variant, and its pictures in a folder beside it (`release.layout`)."""

from pathlib import Path
from typing import Any, Final

from mlm_assets.release.formats.files import folder_digest, new_file, new_path, sync_folder
from mlm_assets.release.formats.pictures import Pictures
from mlm_assets.release.frozen import Frozen, Say
from mlm_assets.release.layout import image_files, json_parts
from mlm_assets.release.manifest import MIXED, PER_FILE, FileRecord

_SAY_EVERY: Final = 20_000


def write(frozen: Frozen, folder: Path, say: Say) -> list[FileRecord]:
    """Write `json/<variant>/<variant>.json` and `json/<variant>/images/` below `folder`; return their records.

    The folder of pictures has one record (see `FileRecord`), and none where a variant has no picture.
    """
    pictures = Pictures(frozen)
    made = []
    for variant, rows in frozen.rows.items():
        with new_file(folder, f"json/{variant}/{variant}.json") as file:
            for part in json_parts(rows):
                file.write(part.encode())
        made.append(file.record("json", MIXED, "application/json", rows.num_rows, variant=variant))
        made += _link_pictures(pictures, folder, variant, rows, say)
        say(f"json: {variant} with {rows.num_rows:,} records")
    return made


def _link_pictures(pictures: Pictures, folder: Path, variant: str, rows: Any, say: Say) -> list[FileRecord]:
    images = f"json/{variant}/images/"
    hashes: dict[str, str] = {}
    size_bytes = 0
    for name, path in image_files(rows):
        target = new_path(folder, f"{images}{name}")
        pictures.link(name, path, target)
        size_bytes += target.stat().st_size
        hashes[name] = pictures.sha256(name, path)
        if len(hashes) % _SAY_EVERY == 0:
            say(f"json: {len(hashes):,} pictures of {variant} linked")
    if not hashes:
        return []
    sync_folder(folder / images)
    return [
        FileRecord(
            path=images, format="images", variant=variant, split="", licence=PER_FILE, media_type="image/jpeg",
            size_bytes=size_bytes, sha256=folder_digest(hashes), n_records=len(hashes),
        )
    ]  # fmt: skip
