"""WebDataset: tar files of at most a thousand settlements, to be read in a stream while training.

The members of a settlement follow each other and have its QID as key, which is what stands before the first dot:
`Q64.json`, then `Q64.0.jpg` for the picture that is published as `Q64_0.jpg`. One without pictures has its JSON alone.
"""

import io
import json
import tarfile
from pathlib import Path
from typing import Any, Final

from mlm_assets.release.formats.credits import Credits
from mlm_assets.release.formats.files import NewFile, new_file
from mlm_assets.release.formats.pictures import Pictures
from mlm_assets.release.formats.slices import groups, records
from mlm_assets.release.frozen import Frozen, Say
from mlm_assets.release.layout import published_record
from mlm_assets.release.manifest import MIXED, SPLITS, FileRecord

SHARD_SAMPLES: Final = 1_000
_ALSO: Final = ("qid", "split", "country_code", "cell_token", "class_id")


def write(frozen: Frozen, folder: Path, say: Say) -> list[FileRecord]:
    """Write `webdataset/<variant>/<variant>-<split>-000000.tar` and so on below `folder`; return their records.

    A split without settlements has no file.

    Raises:
        MlmError: a picture is withheld, has no row in `attribution`, or is not in the lake any more.
    """
    credits_, pictures = Credits(frozen.attribution), Pictures(frozen)
    made = []
    for variant, rows in frozen.rows.items():
        for split in SPLITS:
            for number, shard in enumerate(groups(records(rows, split), SHARD_SAMPLES)):
                path = f"webdataset/{variant}/{variant}-{split}-{number:06d}.tar"
                file = _write_shard(folder, path, shard, credits_, pictures)
                of = {"variant": variant, "split": split}
                made.append(file.record("webdataset", MIXED, "application/x-tar", len(shard), **of))
        say(f"webdataset: {variant} with {rows.num_rows:,} settlements")
    return made


def sample(row: dict[str, Any], credits_: Credits) -> dict[str, Any]:
    """Return the JSON of a settlement: its published record, and what the other formats have beside it."""
    return {
        **published_record(row),
        **{name: row[name] for name in _ALSO},
        "image_info": credits_.info(row["images"]),
    }


def _write_shard(
    folder: Path, path: str, shard: list[dict[str, Any]], credits_: Credits, pictures: Pictures
) -> NewFile:
    with new_file(folder, path) as file:
        sink: Any = file  # tarfile asks for no more than it has, though its types do
        with tarfile.open(fileobj=sink, mode="w", format=tarfile.USTAR_FORMAT) as tar:
            for row in shard:
                _add_sample(tar, row, credits_, pictures)
    return file


def _add_sample(tar: tarfile.TarFile, row: dict[str, Any], credits_: Credits, pictures: Pictures) -> None:
    _add(tar, f"{row['qid']}.json", json.dumps(sample(row, credits_), ensure_ascii=False).encode())
    for image in row["images"]:
        name = image["name"].replace("_", ".", 1)
        _add(tar, name, pictures.bytes_of(image["name"], image["path"]))


def _add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    # A fresh TarInfo has time 0, mode 0644, owner 0 and no names.
    about = tarfile.TarInfo(name)
    about.size = len(data)
    tar.addfile(about, io.BytesIO(data))
