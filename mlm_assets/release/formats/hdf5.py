"""HDF5 files of vectors, in the layout in which MLM-irle and MLM-irle-gr were published with the paper.

Per split one file with `ids` (numbers of QIDs) and, per id, `{id}_images` (n, d), `{id}_summaries` (n, d),
`{id}_classes` (n, d), `{id}_onehot` (cells,) and `{id}_coordinates` (latitude and longitude in degrees); see
docs/published_files.md. What writes one settlement stands here, and is used by `ml.hdf5` too.

The layout has no place for a settlement without images: those whose pictures are all held back are left out.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from mlm_assets.errors import MlmError
from mlm_assets.identifiers import qid_number
from mlm_assets.release.formats.files import finished, new_path
from mlm_assets.release.formats.slices import records
from mlm_assets.release.frozen import Frozen, Say, Vectors
from mlm_assets.release.manifest import MIXED, SPLITS, FileRecord

FILES: Final = ("train.h5", "val.h5", "test.h5")
"""File of each split, in the order of `SPLITS`."""


def write(frozen: Frozen, folder: Path, say: Say) -> list[FileRecord]:
    """Write `hdf5/<variant>/{train,val,test}.h5` of the variants that have vectors; return their records.

    Raises:
        MlmError: vectors and rows do not belong together.
    """
    made = []
    for variant in frozen.vectors:
        for name, split in zip(FILES, SPLITS, strict=True):
            path = f"hdf5/{variant}/{name}"
            n_records, n_left_out = _write_split(new_path(folder, path), frozen, variant, split)
            of = {"variant": variant, "split": split}
            made.append(finished(folder, path, "hdf5", MIXED, "application/x-hdf5", n_records, **of))
            say(f"hdf5: {variant} {split} with {n_records:,} settlements; {n_left_out:,} without pictures left out")
    if not made:
        say("hdf5: nothing to write, no variant of this release has vectors")
    return made


def write_ids(file: Any, ids: list[int]) -> None:
    """Write the numbers of the QIDs of a file."""
    import numpy as np

    file.create_dataset("ids", data=np.array(ids, np.int64), track_times=False)


def write_entity(
    file: Any, number: int, images: Any, summaries: Any, classes: Any, cell: tuple[int, int], place: tuple[float, float]
) -> None:
    """Write one settlement into an open HDF5 file.

    `number` is that of the QID; `images`, `summaries`, `classes` are (n, d) float32; `cell` is the number of the
    geo-cell and how many there are; `place` is latitude and longitude in degrees. Vectors are one gzip chunk each.
    """
    import numpy as np

    onehot = np.zeros(cell[1], np.float32)
    onehot[cell[0]] = 1
    parts = {"images": images, "summaries": summaries, "classes": classes, "onehot": onehot}
    for ending, values in parts.items():
        file.create_dataset(
            f"{number}_{ending}", data=values, chunks=values.shape, compression="gzip", track_times=False
        )
    file.create_dataset(f"{number}_coordinates", data=np.array(place, np.float64), track_times=False)


def _write_split(path: Path, frozen: Frozen, variant: str, split: str) -> tuple[int, int]:
    """Write one file; return how many settlements are in it, and how many of the split are not."""
    import h5py
    import numpy as np

    n_cells = _n_cells(frozen, variant)
    ids: list[int] = []
    n_left_out = 0
    with h5py.File(path, "w") as file:
        said = {"release": frozen.release, "variant": variant, "split": split}
        said |= {f"{modality}_encoder": name for modality, name in frozen.encoders.items()}
        for name, value in said.items():
            file.attrs[name] = value
        for row, vectors in _paired(frozen, variant, split):
            if vectors is None:
                n_left_out += 1
                continue
            ids.append(qid_number(row["qid"]))
            images, summaries, classes = (
                np.asarray(part, np.float32) for part in (vectors.images, vectors.summaries, vectors.classes)
            )
            cell, place = (row["class_id"], n_cells), (row["lat_deg"], row["lon_deg"])
            write_entity(file, ids[-1], images, summaries, classes, cell, place)
        write_ids(file, ids)
    return len(ids), n_left_out


def _paired(frozen: Frozen, variant: str, split: str) -> Iterator[tuple[dict[str, Any], Vectors | None]]:
    """Yield every row of a split and its vectors; None for a settlement without pictures."""
    given = frozen.vectors[variant](split)
    found = next(given, None)
    for row in records(frozen.rows[variant], split):
        vectors = found if found is not None and found.qid == row["qid"] else None
        if vectors is not None:
            found = next(given, None)
        if not row["images"]:
            yield row, None
        elif vectors is None:
            raise MlmError(f"{variant}: there are no vectors of {row['qid']}. Compute the features of its shard first.")
        else:
            _check(variant, row, vectors)
            yield row, vectors
    if found is not None:
        raise MlmError(f"{variant}: {found.qid} has vectors, and is not where it should be among the rows of {split}.")


def _check(variant: str, row: dict[str, Any], vectors: Vectors) -> None:
    pairs = (
        ("images", vectors.images, len(row["images"])),
        ("summaries", vectors.summaries, len(row["summaries"])),
        # One whose classes have no English label has the vector of the most general one, as in training.
        ("classes", vectors.classes, max(1, len(row["class_labels"]))),
    )
    for name, values, n_wanted in pairs:
        if len(values) != n_wanted or not n_wanted:
            raise MlmError(f"{variant}: {row['qid']} needs {n_wanted} vectors of its {name}, and has {len(values)}.")
    if row["class_id"] is None:
        raise MlmError(f"{variant}: {row['qid']} lies in no geo-cell, which the layout has no place for.")


def _n_cells(frozen: Frozen, variant: str) -> int:
    import pyarrow.compute as pc

    cells = frozen.geo_cells.filter(pc.equal(frozen.geo_cells["variant"], variant))
    return int(cells.num_rows)
