"""Our loader against one written as the original's: bytes per entity, entities a second, first pass and warm.

Both read the training items of the same generated file set, of the paper's dimensions and with full float32 values,
in batches of 128 and to float32 tensors on the processor; the original's gzip HDF5, ours imported from it. They take
turns, each on one thread of torch, and the ratio is that of the medians. Before a first pass the files are synced and
dropped from the page cache, and the bytes that the kernel then read from the disk are reported, so that a reader sees
whether they were.
"""

import gc
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import torch

from benchmarks.original import PublishedEntities, loader
from mlm_assets.ml.hdf5 import FILES, import_hdf5, write_published_sample
from mlm_assets.ml.material import TRAIN, Material, open_material
from mlm_assets.ml.recipe import load_recipe
from mlm_assets.ml.sampling import Sampler

BATCH = 128
WARM_BAR, FIRST_BAR, BYTES_BAR = 20.0, 13.0, 0.5
_ROUNDS = 5
Batches = Callable[[int], Iterable[Any]]
"""Gives the batches of an epoch by its seed."""


def our_batches(material: Material, batch: int, seed: int) -> Iterator[Any]:
    """Yield our batches of one epoch over the training items, by the recipe `paper`, on the processor."""
    sampler = Sampler(material, material.items(TRAIN), load_recipe("paper"), torch.device("cpu"), seed=seed)
    yield from sampler.epoch(0, batch)


def measure_loading(n: int = 3_000) -> dict[str, Any]:
    """Return bytes per entity and entities a second of both loaders over `n` entities, with ratios and bars."""
    with tempfile.TemporaryDirectory(prefix="mlm-loading-") as scratch:
        published, ours = Path(scratch) / "published", Path(scratch) / "ours"
        write_published_sample(published, n)
        n_train = len(import_hdf5(published, ours, "mlm_irle").items(TRAIN))
        threads = torch.get_num_threads()
        torch.set_num_threads(1)  # several that wait for each other on a busy machine measure the machine
        try:
            first = _first_passes(published / FILES[TRAIN], ours)
            warm = _warm_passes(published / FILES[TRAIN], ours)
        finally:
            torch.set_num_threads(threads)
        bytes_each = {"original": _size(published) / n, "ours": _size(ours) / n}
    return {
        "entities": n,
        "passes_over": n_train,
        "batch": BATCH,
        "bytes_per_entity": {
            **{name: round(size) for name, size in bytes_each.items()},
            **_verdict(bytes_each["ours"] / bytes_each["original"], BYTES_BAR, is_at_most=True),
        },
        "warm": _figures(warm, n_train, WARM_BAR),
        "first_pass": {
            **_figures({name: [seconds for seconds, _ in rows] for name, rows in first.items()}, n_train, FIRST_BAR),
            "before": "files synced and dropped from the page cache (posix_fadvise DONTNEED)",
            "megabytes_read_from_disk": {
                name: round(statistics.median(read for _, read in rows) / 1e6, 1) for name, rows in first.items()
            },
        },
    }


def _warm_passes(path: Path, folder: Path) -> dict[str, list[float]]:
    """Return seconds per epoch of both, each with its files open and seen before."""
    entities, material = PublishedEntities(path, 1), open_material(folder)
    makers: dict[str, Batches] = {
        "original": lambda seed: loader(entities, BATCH, seed),
        "ours": lambda seed: our_batches(material, BATCH, seed),
    }
    for batches in makers.values():
        _pass(batches, 0)
    seconds: dict[str, list[float]] = {name: [] for name in makers}
    for seed in range(1, _ROUNDS + 1):
        for name, batches in makers.items():
            seconds[name].append(_pass(batches, seed))
    entities.close()
    return seconds


def _first_passes(path: Path, folder: Path) -> dict[str, list[tuple[float, int]]]:
    """Return (seconds, bytes read from disk) of both from opening the files to the end of the first epoch."""
    makers: dict[str, Batches] = {
        "original": lambda seed: loader(PublishedEntities(path, seed), BATCH, seed),
        "ours": lambda seed: our_batches(open_material(folder), BATCH, seed),
    }
    rows: dict[str, list[tuple[float, int]]] = {name: [] for name in makers}
    _pass(makers["ours"], 0)  # what torch sets up once is no part of it
    for seed in range(_ROUNDS):
        for name, batches in makers.items():
            gc.collect()  # what is still mapped or open cannot be dropped
            for file in [path, *folder.iterdir()]:
                drop_from_cache(file)
            before = _read_from_disk()
            took = _pass(batches, seed)
            rows[name].append((took, _read_from_disk() - before))
    return rows


def _pass(batches: Batches, seed: int) -> float:
    began = time.perf_counter()
    for _ in batches(seed):
        pass
    return time.perf_counter() - began


def drop_from_cache(path: Path) -> None:
    """Write a file through to the disk and drop its pages from the page cache."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def _read_from_disk() -> int:
    """Return the bytes that the kernel has read from storage for this process."""
    lines = Path("/proc/self/io").read_text("ascii").splitlines()
    return int(dict(line.split(": ") for line in lines)["read_bytes"])


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.iterdir())


def _figures(seconds: dict[str, list[float]], n: int, bar: float) -> dict[str, Any]:
    medians = {name: statistics.median(taken) for name, taken in seconds.items()}
    return {
        "entities_per_s": {name: round(n / median) for name, median in medians.items()},
        "seconds": {name: [round(one, 4) for one in taken] for name, taken in seconds.items()},
        **_verdict(medians["original"] / medians["ours"], bar, is_at_most=False),
    }


def _verdict(ratio: float, bar: float, *, is_at_most: bool) -> dict[str, Any]:
    return {"ratio": round(ratio, 3), "bar": bar, "is_met": ratio <= bar if is_at_most else ratio >= bar}
