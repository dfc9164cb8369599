"""The feature store: vectors by the content they were computed from and the encoder that computed them, once, ever.

Layout below a folder of the lake::

    <family>/family.json          encoder, dimension; one family per encoder, so that another encoder is another folder
    <family>/<block>.npy          vectors, float16 (n, dimension), opened as a memory map
    <family>/<block>.keys.npy     their n keys, in the same order
    <family>/index.npz            where each key lies; derived from the blocks, made again where it is missing

A block is named after a hash of its bytes, written to a temporary name, synced and renamed, keys before vectors: a
block is there when its vectors are. It is never changed and never merged with others, for tables refer to
(block, row); what many small blocks would cost, opening each to learn its keys, the index saves (`compact`).

Keys are short ASCII names of contents (a SHA-256, a picture's name); what they mean does not belong here, nor which
rows of the dataset are wanted (`assembly`), nor how vectors are computed (`encoders`). Numpy only.
"""

import hashlib
import json
import os
import re
import time
import uuid
import zipfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np
import numpy.typing as npt
from filelock import FileLock

from mlm_assets.errors import MlmError, Refused
from mlm_assets.ml.material import Floats, Integers

FORMAT: Final = 1
INDEX_BLOCKS: Final = 64
"""Blocks that may lie outside the index before it is written anew."""
BLOCK_ITEMS: Final = 2048
BLOCK_S: Final = 60.0
"""A computation writes a block after so many items or seconds, whichever comes first: what a kill can cost."""
_FAMILY: Final = "family.json"
_INDEX: Final = "index.npz"
_KEYS: Final = ".keys.npy"
_TEMPORARY: Final = ".tmp-"
_KEY_BYTES: Final = bytes(range(ord("!"), ord("~") + 1))
_KEY_LENGTH: Final = 128

Keys = Sequence[str] | npt.NDArray[np.str_]
_Names = npt.NDArray[np.bytes_]


class Encoder(Protocol):
    """What is needed of an encoder (`encoders`)."""

    @property
    def identity(self) -> str:
        """Name and version: the same identity gives the same vectors."""

    @property
    def dimension(self) -> int:
        """Length of a vector."""

    def encode(self, batch: Sequence[Any], /) -> Floats:
        """Return the vectors of a batch, float16 (n, dimension)."""


@dataclass(frozen=True)
class Computed:
    """What `compute_missing` did: keys whose vectors are new, were known, or whose content could not be read."""

    n_new: int
    n_known: int
    duration_s: float
    unreadable: tuple[str, ...] = ()

    @property
    def per_s(self) -> float:
        """New vectors a second; 0 where there were none."""
        return self.n_new / self.duration_s if self.n_new and self.duration_s else 0.0


@dataclass
class _Index:
    """Where each key lies: `keys` sorted, with the number of its block in `blocks` and its row there."""

    blocks: list[str] = field(default_factory=list)
    keys: _Names = field(default_factory=lambda: np.empty(0, "S1"))
    block: Integers = field(default_factory=lambda: np.empty(0, np.int32))
    row: Integers = field(default_factory=lambda: np.empty(0, np.int32))
    n_indexed: int = 0
    """Blocks that the written index knows."""

    def extended(self, new: Sequence[tuple[str, _Names]]) -> "_Index":
        """Return the index with more blocks; of a key that is there twice, one place is kept."""
        keys, first = np.unique(np.concatenate([keys for _, keys in new]), return_index=True)
        block = np.concatenate([np.full(len(keys), n, np.int32) for n, (_, keys) in enumerate(new, len(self.blocks))])
        row = np.concatenate([np.arange(len(keys), dtype=np.int32) for _, keys in new])
        absent = self.positions(keys) < 0
        keys, first = keys[absent], first[absent]
        # Put in where they belong: to sort all keys again for every block would cost more than some encoders do.
        known = self.keys.astype(np.promote_types(self.keys.dtype, keys.dtype), copy=False)
        places = np.searchsorted(known, keys)
        return _Index(
            [*self.blocks, *(name for name, _ in new)],
            np.insert(known, places, keys),
            np.insert(self.block, places, block[first]),
            np.insert(self.row, places, row[first]),
            self.n_indexed,
        )

    def positions(self, wanted: _Names) -> Integers:
        """Return where in the index each wanted key stands, -1 where it does not."""
        found: Integers = np.full(len(wanted), -1, np.int64)
        if len(self.keys):
            # Sorted queries walk through the keys in order, four times as fast as jumping about in them.
            order = np.argsort(wanted)
            places = np.minimum(np.searchsorted(self.keys, wanted[order]), len(self.keys) - 1)
            found[order] = np.where(self.keys[places] == wanted[order], places, -1)
        return found


class FeatureStore:
    """The vectors of one encoder. Several processes may read and add at once; each key is kept once."""

    def __init__(self, root: Path, encoder: str, dimension: int | None = None) -> None:
        """Open the family of `encoder` below `root`; it is made where it is not there and `dimension` is given.

        Raises:
            Refused: the family has another dimension, or is not there and no dimension is given.
        """
        self.encoder = encoder
        self.folder = root / family_name(encoder)
        self.dimension = self._opened(dimension)
        self._index = _Index()

    def __len__(self) -> int:
        """Return the number of keys."""
        return len(self._fresh().keys)

    def missing(self, keys: Keys) -> list[str]:
        """Return the distinct keys without a vector, in the order of their first appearance."""
        names = _names(keys)
        absent = np.flatnonzero(self._fresh().positions(names) < 0)
        _, first = np.unique(names[absent], return_index=True)
        return [name.decode() for name in names[absent[np.sort(first)]].tolist()]

    def known(self, keys: Keys) -> npt.NDArray[np.bool_]:
        """Tell for each key whether it has a vector, (n,)."""
        return self._fresh().positions(_names(keys)) >= 0

    def add(self, keys: Keys, vectors: Floats) -> int:
        """Keep `vectors`, float16 (n, dimension), as one block; those of known keys are left out. Return how many.

        Raises:
            Refused: a key is there twice, or a vector has the wrong type, dimension or values; named by its key.
        """
        names = _names(keys)
        self._check(names, vectors)
        with self._lock():
            # Another process may have been quicker: its vectors stay, so that a key never has two.
            new = np.flatnonzero(self._fresh().positions(names) < 0)
            if len(new):
                block = self._write_block(names[new], np.ascontiguousarray(vectors[new]))
                self._index = self._index.extended([(block, names[new])])
        return len(new)

    def locate(self, keys: Keys) -> tuple[npt.NDArray[np.str_], Integers]:
        """Return the block (name) and the row in it of each key, both (n,).

        Raises:
            MlmError: a key has no vector; the sentence names it.
        """
        index, places = self._places(keys)
        names = np.array(index.blocks, np.str_) if index.blocks else np.empty(0, "U1")
        return names[index.block[places]], index.row[places].astype(np.int64)

    def gather(self, keys: Keys, out: Floats | None = None) -> Floats:
        """Return the vectors of `keys` in their order, float16 (n, dimension); written into `out` where it is given.

        Raises:
            MlmError: a key has no vector; the sentence names it.
            Refused: a block is damaged; the sentence names the file.
        """
        index, places = self._places(keys)
        gathered = np.empty((len(places), self.dimension), np.float16) if out is None else out
        if gathered.shape != (len(places), self.dimension):
            raise Refused(f"The vectors of {len(places)} keys do not fit into an array of shape {gathered.shape}.")
        block, row = index.block[places], index.row[places]
        order = np.lexsort((row, block))
        for mine in np.split(order, np.flatnonzero(np.diff(block[order])) + 1):
            if len(mine):
                gathered[mine] = self.vectors(index.blocks[int(block[mine[0]])])[row[mine]]
        return gathered

    def vectors(self, block: str) -> Floats:
        """Return the vectors of a block as a memory map, float16 (n, dimension).

        Raises:
            Refused: the file is missing, damaged, or of another dimension; the sentence names it.
        """
        path = self.folder / f"{block}.npy"
        vectors: Floats = _loaded(path, mmap_mode="r")
        if vectors.dtype != np.float16 or vectors.ndim != 2 or vectors.shape[1] != self.dimension:
            raise Refused(
                f"{path} holds {vectors.dtype} of shape {vectors.shape}; {self.encoder} has float16 vectors of "
                f"dimension {self.dimension}. Remove the file and its keys; its vectors are computed again."
            )
        return vectors

    def blocks(self) -> list[str]:
        """Return the names of all blocks, sorted."""
        try:
            names = [entry.name for entry in os.scandir(self.folder)]
        except FileNotFoundError:
            return []
        whole = (name for name in names if name.endswith(".npy") and not name.endswith(_KEYS))
        return sorted(name.removesuffix(".npy") for name in whole if not name.startswith(_TEMPORARY))

    def size_bytes(self) -> int:
        """Return how large the family is on disk, in bytes."""
        return sum(entry.stat().st_size for entry in os.scandir(self.folder) if entry.is_file())

    def compact(self) -> None:
        """Write the index of all blocks, so that the next process opens one file instead of each block's keys.

        Blocks themselves stay: they are referred to. Safe at any time: the index is replaced as a whole, and one that
        knows too few blocks only costs time.
        """
        index = self._fresh()
        with _new_file(self.folder / _INDEX) as file:
            np.savez(file, blocks=np.array(index.blocks, np.str_), keys=index.keys, block=index.block, row=index.row)
        index.n_indexed = len(index.blocks)

    def without(self, keys: Keys) -> dict[str, tuple[str, Integers]]:
        """Write every block that holds one of `keys` anew without them; `drop` removes the old ones.

        Return, by the name of the old block, that of the new (empty where nothing is left) and the rows that were kept,
        (n,), in their order. The same keys give the same blocks.
        """
        gone = _names(keys)
        moved: dict[str, tuple[str, Integers]] = {}
        with self._lock():
            for block in self.blocks():
                names = self._read_keys(block)
                kept = np.flatnonzero(~np.isin(names, gone))
                if len(kept) < len(names):
                    vectors = np.ascontiguousarray(self.vectors(block)[kept])
                    moved[block] = (self._write_block(names[kept], vectors) if len(kept) else "", kept)
        return moved

    def drop(self, blocks: Sequence[str]) -> None:
        """Remove blocks for good, vectors before keys, with the index, and with keys that a killed process left."""
        with self._lock():
            for block in blocks:
                (self.folder / f"{block}.npy").unlink(missing_ok=True)
            there = set(self.blocks())
            for path in self.folder.glob(f"*{_KEYS}"):
                if path.name.removesuffix(_KEYS) not in there and not path.name.startswith(_TEMPORARY):
                    path.unlink()
            (self.folder / _INDEX).unlink(missing_ok=True)
        self._index = _Index()

    def verify(self) -> list[Path]:
        """Read every block whole and return the files whose bytes are not those that they were named after."""
        wrong = []
        for block in self.blocks():
            path = self.folder / f"{block}.npy"
            try:
                is_sound = _digest(_loaded(self.folder / f"{block}{_KEYS}"), _loaded(path)) == block
            except Refused:
                is_sound = False
            wrong += [] if is_sound else [path]
        return wrong

    # -- inside --------------------------------------------------------------------------------------------------

    def _opened(self, dimension: int | None) -> int:
        """Return the family's dimension, after making the family where that was asked."""
        path = self.folder / _FAMILY
        if not path.exists():
            if dimension is None:
                raise Refused(f"{self.folder.parent} holds no vectors of the encoder {self.encoder}.")
            self.folder.mkdir(parents=True, exist_ok=True)
            said = {"format": FORMAT, "encoder": self.encoder, "dimension": dimension}
            with _new_file(path) as file:
                file.write(json.dumps(said, indent=1, ensure_ascii=False).encode())
        about = read_family(self.folder)
        if dimension is not None and about["dimension"] != dimension:
            raise Refused(
                f"The vectors of {self.encoder} in {self.folder} have dimension {about['dimension']}, but the encoder "
                f"now gives {dimension}. A changed encoder needs a new version in its identity."
            )
        return int(about["dimension"])

    def _lock(self) -> FileLock:
        return FileLock(str(self.folder / ".lock"), timeout=600)

    def _fresh(self) -> _Index:
        """Return the index, after reading the keys of blocks that appeared since."""
        there = self.blocks()
        known = set(self._index.blocks)
        if not known or not known.issubset(there):
            self._index = self._read_index(set(there))
            known = set(self._index.blocks)
        new = [block for block in there if block not in known]
        if new:
            self._index = self._index.extended([(block, self._read_keys(block)) for block in new])
        if len(self._index.blocks) - self._index.n_indexed > INDEX_BLOCKS:
            self._index.n_indexed = len(self._index.blocks)
            self.compact()
        return self._index

    def _read_index(self, there: set[str]) -> _Index:
        """Return the written index; an empty one where it is missing, damaged, or knows blocks that are gone."""
        try:
            with np.load(self.folder / _INDEX, allow_pickle=False) as said:
                blocks = said["blocks"].tolist()
                index = _Index(blocks, said["keys"], said["block"], said["row"], len(blocks))
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            return _Index()
        return index if there.issuperset(blocks) else _Index()

    def _read_keys(self, block: str) -> _Names:
        path = self.folder / f"{block}{_KEYS}"
        keys: _Names = _loaded(path)
        n = len(self.vectors(block))
        if keys.dtype.kind != "S" or keys.shape != (n,):
            raise Refused(f"{path} holds {keys.shape} keys, but its block has {n} vectors. Remove both files.")
        return keys

    def _places(self, keys: Keys) -> tuple[_Index, Integers]:
        names = _names(keys)
        index = self._fresh()
        places = index.positions(names)
        absent = np.flatnonzero(places < 0)
        if len(absent):
            raise MlmError(
                f"There is no vector of {names[absent[0]].decode()} by {self.encoder} yet ({len(absent):,} of "
                f"{len(names):,} are missing). Materialise image_features, text_features and class_features first."
            )
        return index, places

    def _check(self, names: _Names, vectors: Floats) -> None:
        if vectors.ndim != 2 or vectors.shape != (len(names), self.dimension):
            raise Refused(
                f"{self.encoder} has vectors of dimension {self.dimension}, so {len(names)} keys (the first is "
                f"{_first(names)}) need an array of shape {(len(names), self.dimension)}, not {vectors.shape}."
            )
        if vectors.dtype != np.float16:
            raise Refused(f"The vectors of {_first(names)} and others are {vectors.dtype}; features are float16.")
        unique, counts = np.unique(names, return_counts=True)
        if len(unique) < len(names):
            raise Refused(f"The key {unique[counts > 1][0].decode()} is there twice; each content has one vector.")
        wrong = np.flatnonzero(~np.isfinite(vectors).all(axis=1))
        if len(wrong):
            raise Refused(
                f"The vector of {names[wrong[0]].decode()} by {self.encoder} holds values that are not finite "
                f"(NaN or infinite), as {len(wrong)} of {len(names)} do."
            )

    def _write_block(self, names: _Names, vectors: Floats) -> str:
        block = _digest(names, vectors)
        for path, array in ((self.folder / f"{block}{_KEYS}", names), (self.folder / f"{block}.npy", vectors)):
            with _new_file(path) as file:
                np.save(file, array)
        return block


def compute_missing(
    store: FeatureStore,
    keys: Keys,
    load: Callable[[Sequence[str]], Sequence[Any]],
    encoder: Callable[[], Encoder],
    batch: int,
    progress: Callable[[int], Any] = lambda _: None,
) -> Computed:
    """Compute and keep the vectors of those `keys` that have none; what is known is not even loaded.

    `load` returns the contents of some keys in their order, None where one cannot be read; it runs in a thread, one
    batch ahead of the encoder. `encoder` is called, that is, opened, only if something is missing. `progress` is told
    how many keys are done. Whatever ends the computation, what was computed is kept, at the latest block by block.

    Raises:
        Refused: the encoder is not the store's, or gave vectors that are not acceptable; named by their key.
    """
    started = time.monotonic()
    wanted = list(dict.fromkeys(_list(keys)))
    missing = store.missing(wanted)
    progress(len(wanted) - len(missing))
    if not missing:
        return Computed(0, len(wanted), time.monotonic() - started)
    opened = encoder()
    if opened.identity != store.encoder:
        raise Refused(f"The encoder {opened.identity} cannot add to the vectors of {store.encoder}.")
    unreadable: list[str] = []
    with _Writer(store) as writer:
        for some, contents in _loaded_ahead(missing, load, batch):
            readable = [number for number, content in enumerate(contents) if content is not None]
            unreadable += [key for key, content in zip(some, contents, strict=True) if content is None]
            if readable:
                kept = [some[number] for number in readable]
                writer.take(kept, _encoded(opened, kept, [contents[number] for number in readable]))
            progress(len(some))
    n_new = len(missing) - len(unreadable)
    return Computed(n_new, len(wanted) - len(missing), time.monotonic() - started, tuple(unreadable))


def _encoded(encoder: Encoder, keys: Sequence[str], contents: Sequence[Any]) -> Floats:
    try:
        return encoder.encode(contents)
    except Refused as error:
        # An encoder knows places in a batch; whoever reads the sentence needs to find the content.
        position = getattr(error, "position", None)
        if position is None:
            raise
        raise Refused(f"{keys[position]} cannot be encoded: {error}") from error


class _Writer:
    """Collects vectors and adds them to a store block by block; the last block when it is closed, error or not."""

    def __init__(self, store: FeatureStore) -> None:
        self._store = store
        self._keys: list[str] = []
        self._vectors: list[Floats] = []
        self._since = time.monotonic()

    def __enter__(self) -> "_Writer":
        return self

    def __exit__(self, *_: object) -> None:
        self._flush()

    def take(self, keys: Sequence[str], vectors: Floats) -> None:
        # Checked at once, so that an error is one of this batch and costs nothing of those before.
        self._store._check(_names(keys), vectors)
        self._keys += keys
        self._vectors.append(vectors)
        if len(self._keys) >= BLOCK_ITEMS or time.monotonic() - self._since >= BLOCK_S:
            self._flush()

    def _flush(self) -> None:
        if self._keys:
            self._store.add(self._keys, np.concatenate(self._vectors))
        self._keys, self._vectors, self._since = [], [], time.monotonic()


def _loaded_ahead(
    keys: Sequence[str], load: Callable[[Sequence[str]], Sequence[Any]], batch: int
) -> Iterator[tuple[Sequence[str], Sequence[Any]]]:
    """Yield the keys in batches with their contents, loading each while the one before is worked on."""
    parts = [keys[start : start + batch] for start in range(0, len(keys), batch)]
    with ThreadPoolExecutor(1, "contents") as thread:
        ahead: Future[Sequence[Any]] = thread.submit(load, parts[0])
        for number, part in enumerate(parts):
            contents = ahead.result()
            if number + 1 < len(parts):
                ahead = thread.submit(load, parts[number + 1])
            yield part, contents


def families(root: Path) -> list[FeatureStore]:
    """Return the stores of all encoders that have vectors below `root`, by the name of their folder."""
    if not root.is_dir():
        return []
    folders = sorted(path.parent for path in root.glob(f"*/{_FAMILY}"))
    return [FeatureStore(root, str(read_family(folder)["encoder"])) for folder in folders]


def family_name(encoder: str) -> str:
    """Return the folder of an encoder's vectors: its identity, shortened and with a hash where that is no name."""
    if re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,99}", encoder):
        return encoder
    readable = re.sub(r"[^A-Za-z0-9._@+-]+", "-", encoder).strip("-.")[:60]
    return f"{readable}-{hashlib.sha256(encoder.encode()).hexdigest()[:12]}"


def read_family(folder: Path) -> dict[str, Any]:
    """Return what `family.json` says.

    Raises:
        Refused: it cannot be read, or is of a format that this version does not know.
    """
    path = folder / _FAMILY
    try:
        about = dict(json.loads(path.read_text("utf-8")))
        known = about["format"] == FORMAT and isinstance(about["encoder"], str) and int(about["dimension"]) > 0
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Refused(f"{path} does not say whose vectors these are ({error!r}). Remove the folder.") from error
    if not known:
        raise Refused(f"{path} is of a format that this version does not read.")
    return about


def _names(keys: Keys) -> _Names:
    """Return keys as an array of bytes.

    Raises:
        Refused: one of them is empty, too long, or not plain ASCII without blanks.
    """
    texts = _list(keys)
    if not texts:
        return np.empty(0, "S1")
    # All at once: 400,000 keys one by one would take longer than to find them.
    odd = "\n".join(texts).encode().translate(None, _KEY_BYTES)
    if odd != b"\n" * (len(texts) - 1) or not all(texts) or max(map(len, texts)) > _KEY_LENGTH:
        wrong = next(text for text in texts if not re.fullmatch(rf"[!-~]{{1,{_KEY_LENGTH}}}", text))
        raise Refused(f"{wrong!r} is no key of a feature: 1 to {_KEY_LENGTH} ASCII characters without blanks.")
    return np.array(texts, "S")


def _list(keys: Keys) -> list[str]:
    return list(keys.tolist() if isinstance(keys, np.ndarray) else keys)


def _first(names: _Names) -> str:
    return str(names[0].decode()) if len(names) else "no key"


def _digest(names: _Names, vectors: Floats) -> str:
    digest = hashlib.sha256("\n".join(name.decode() for name in names.tolist()).encode())
    digest.update(np.ascontiguousarray(vectors).data)
    return digest.hexdigest()[:20]


def _loaded(path: Path, mmap_mode: Any = None) -> Any:
    try:
        return np.load(path, mmap_mode=mmap_mode, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise Refused(
            f"{path} is missing or damaged ({error}). Remove this block (.npy and .keys.npy); its vectors are "
            "computed again when they are needed."
        ) from error


@contextmanager
def _new_file(path: Path) -> Iterator[Any]:
    """Yield a file to fill that becomes `path` when the block ends without an error, synced to disk."""
    temporary = path.with_name(f"{_TEMPORARY}{uuid.uuid4().hex}")
    try:
        with temporary.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
