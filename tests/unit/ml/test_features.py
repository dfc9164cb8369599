"""The feature store: what is added is found again, once, whatever happens; what is damaged is named."""

import multiprocessing
import os
import signal
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlm_assets.errors import MlmError, Refused
from mlm_assets.ml import features
from mlm_assets.ml.encoders import UnusableVector
from mlm_assets.ml.features import FeatureStore, compute_missing, families, family_name

ABSENT = "a-key-longer-than-any-that-is-added-" + "x" * 80
FORK = multiprocessing.get_context("fork")
KEY = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=80)


def vector(key: str, dimension: int = 4) -> np.ndarray:
    """Return what the encoder of these tests makes of a key: another vector for every key."""
    rng = np.random.default_rng(list(key.encode()))
    return rng.standard_normal(dimension).astype(np.float16)


def vectors(keys: Sequence[str], dimension: int = 4) -> np.ndarray:
    return np.stack([vector(key, dimension) for key in keys]) if len(keys) else np.empty((0, dimension), np.float16)


class Fake:
    """An encoder of texts that counts what it was given."""

    def __init__(self, identity: str = "fake-1", dimension: int = 4) -> None:
        self.identity, self.dimension = identity, dimension
        self.seen: list[str] = []

    def encode(self, batch: Sequence[str]) -> np.ndarray:
        self.seen += batch
        return vectors(batch, self.dimension)


@pytest.fixture
def store(tmp_path: Path) -> FeatureStore:
    return FeatureStore(tmp_path, "fake-1", 4)


# -- what is added is found again ---------------------------------------------------------------------------------


@given(st.lists(st.lists(KEY, max_size=6), min_size=1, max_size=5), st.randoms(use_true_random=False))
@settings(max_examples=60, deadline=None)
def test_what_was_added_in_blocks_comes_back_in_any_order(
    tmp_path_factory: pytest.TempPathFactory, blocks: list[list[str]], random: Any
) -> None:
    root = tmp_path_factory.mktemp("store")
    store = FeatureStore(root, "fake-1", 4)
    seen: set[str] = set()
    for block in blocks:
        keys = list(dict.fromkeys(block))
        assert store.missing(block) == [key for key in keys if key not in seen]
        assert store.add(keys, vectors(keys)) == len(set(keys) - seen)
        seen |= set(keys)
    wanted = [*seen, *seen]
    random.shuffle(wanted)
    for reader in (store, FeatureStore(root, "fake-1")):
        np.testing.assert_array_equal(reader.gather(wanted), vectors(wanted))
        assert len(reader) == len(seen)
        assert reader.missing([*wanted, ABSENT, *wanted, ABSENT]) == [ABSENT]
        names, rows = reader.locate(wanted)
        for key, name, row in zip(wanted, names, rows, strict=True):
            np.testing.assert_array_equal(reader.vectors(str(name))[row], vector(key))
    assert store.verify() == []


def test_vectors_are_memory_maps_and_are_gathered_into_an_array_of_the_caller(store: FeatureStore) -> None:
    store.add(["b", "a"], vectors(["b", "a"]))
    assert isinstance(store.vectors(store.blocks()[0]), np.memmap)
    out = np.zeros((3, 4), np.float16)
    assert store.gather(["a", "b", "a"], out) is out
    np.testing.assert_array_equal(out, vectors(["a", "b", "a"]))
    with pytest.raises(Refused, match=r"array of shape \(3, 4\)"):
        store.gather(["a"], out)


def test_a_key_keeps_its_first_vector(store: FeatureStore) -> None:
    store.add(["a"], vectors(["a"]))
    before = store.locate(["a"])
    assert store.add(["a", "b"], vectors(["x", "b"])) == 1
    assert store.locate(["a"])[0] == before[0]
    np.testing.assert_array_equal(store.gather(["a", "b"]), vectors(["a", "b"]))


def test_another_encoder_is_another_family_and_leaves_the_old_alone(tmp_path: Path) -> None:
    old = FeatureStore(tmp_path, "fake-1", 4)
    old.add(["a"], vectors(["a"]))
    new = FeatureStore(tmp_path, "fake/2: another", 6)
    assert new.missing(["a"]) == ["a"]
    new.add(["a"], vectors(["a"], 6))
    assert [(family.encoder, family.dimension) for family in families(tmp_path)] == [
        ("fake-1", 4), ("fake/2: another", 6)
    ]  # fmt: skip
    np.testing.assert_array_equal(old.gather(["a"]), vectors(["a"]))


@given(st.text(min_size=1, max_size=150), st.text(min_size=1, max_size=150))
def test_names_of_families_are_safe_and_tell_encoders_apart(one: str, other: str) -> None:
    assert "/" not in family_name(one)
    assert not family_name(one).startswith(".")
    assert len(family_name(one)) <= 100
    assert (family_name(one) == family_name(other)) == (one == other)


# -- what is not acceptable is named ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("keys", "made", "sentence"),
    [
        (["a", "b"], vectors(["a", "b"]).astype(np.float32), "float32; features are float16"),
        (["a", "b"], vectors(["a", "b"], 5), r"dimension 4.*\(2, 4\), not \(2, 5\)"),
        (["a", "b"], vectors(["a"]), r"not \(1, 4\)"),
        (["a", "b", "a"], vectors(["a", "b", "a"]), "The key a is there twice"),
        (["a", "b"], np.array([[1, 2, 3, 4], [1, np.nan, 3, 4]], np.float16), "vector of b by fake-1 .* not finite"),
        (["a", "b"], np.array([[1, 2, 3, np.inf], [1, 2, 3, 4]], np.float16), "vector of a by fake-1 .* not finite"),
        (["a", ""], vectors(["a", "b"]), "'' is no key"),
        (["a", "Köln"], vectors(["a", "b"]), "'Köln' is no key"),
        (["a", "b\n"], vectors(["a", "b"]), r"'b\\n' is no key"),
        (["a", "b" * 129], vectors(["a", "b"]), "is no key"),
    ],
)
def test_what_is_wrong_is_refused_and_nothing_is_kept(
    store: FeatureStore, keys: list[str], made: np.ndarray, sentence: str
) -> None:
    with pytest.raises(Refused, match=sentence):
        store.add(keys, made)
    assert store.blocks() == []


def test_a_key_without_a_vector_is_named(store: FeatureStore) -> None:
    store.add(["a"], vectors(["a"]))
    with pytest.raises(MlmError, match=r"no vector of b by fake-1 yet \(2 of 3 are missing\). Materialise"):
        store.gather(["a", "b", "c"])
    with pytest.raises(MlmError, match="no vector of b"):
        store.locate(["b"])


def test_an_encoder_that_changed_its_dimension_is_refused(store: FeatureStore, tmp_path: Path) -> None:
    with pytest.raises(Refused, match="have dimension 4, but the encoder now gives 5"):
        FeatureStore(tmp_path, "fake-1", 5)
    with pytest.raises(Refused, match="no vectors of the encoder fake-2"):
        FeatureStore(tmp_path, "fake-2")


@pytest.mark.parametrize("cut", [0, 60, 130])
def test_a_damaged_block_is_named(store: FeatureStore, tmp_path: Path, cut: int) -> None:
    store.add(["a", "b"], vectors(["a", "b"]))
    block = store.folder / f"{store.blocks()[0]}.npy"
    block.write_bytes(block.read_bytes()[:cut])
    for reader in (store, FeatureStore(tmp_path, "fake-1")):
        with pytest.raises(Refused, match=f"{block.name} is missing or damaged"):
            reader.gather(["a"])
    assert store.verify() == [block]


def test_a_block_of_another_dimension_is_named(store: FeatureStore) -> None:
    store.add(["a"], vectors(["a"]))
    block = store.folder / f"{store.blocks()[0]}.npy"
    np.save(block, vectors(["a"], 5))
    with pytest.raises(Refused, match=rf"{block.name} holds float16 of shape \(1, 5\); fake-1 .* dimension 4"):
        store.gather(["a"])


def test_a_flipped_bit_is_found_by_verify(store: FeatureStore) -> None:
    store.add(["a"], vectors(["a"]))
    block = store.folder / f"{store.blocks()[0]}.npy"
    data = bytearray(block.read_bytes())
    data[-1] ^= 1
    block.write_bytes(data)
    assert store.verify() == [block]


def test_a_block_that_was_removed_is_computed_again(store: FeatureStore, tmp_path: Path) -> None:
    store.add(["a"], vectors(["a"]))
    store.add(["b"], vectors(["b"]))
    store.compact()
    (block,), _ = store.locate(["a"])
    (store.folder / f"{block}.npy").unlink()
    for reader in (store, FeatureStore(tmp_path, "fake-1")):
        assert reader.missing(["a", "b"]) == ["a"]
    computed = compute_missing(store, ["a", "b"], list, Fake, 8)
    assert (computed.n_new, computed.n_known) == (1, 1)
    np.testing.assert_array_equal(store.gather(["a", "b"]), vectors(["a", "b"]))


# -- the index ----------------------------------------------------------------------------------------------------


def test_the_index_spares_the_keys_and_is_made_again_when_damaged(
    store: FeatureStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = [f"k{number}" for number in range(40)]
    for key in keys:
        store.add([key], vectors([key]))
    store.compact()
    store.add(["later"], vectors(["later"]))
    read: list[str] = []
    whole = FeatureStore._read_keys
    monkeypatch.setattr(FeatureStore, "_read_keys", lambda self, block: read.append(block) or whole(self, block))
    np.testing.assert_array_equal(FeatureStore(tmp_path, "fake-1").gather(keys), vectors(keys))
    assert len(read) == 1, "only the block that came after the index"
    index = store.folder / "index.npz"
    for damage in (index.read_bytes()[:-30], b"", b"PK\x03\x04 no zip"):
        index.write_bytes(damage)
        np.testing.assert_array_equal(FeatureStore(tmp_path, "fake-1").gather(["later", *keys])[1:], vectors(keys))


def test_the_index_writes_itself_when_there_are_many_blocks(
    store: FeatureStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(features, "INDEX_BLOCKS", 5)
    for number in range(12):
        store.add([f"k{number}"], vectors([f"k{number}"]))
    with np.load(store.folder / "index.npz") as index:
        assert 6 <= len(index["blocks"]) <= 12
    assert len(FeatureStore(tmp_path, "fake-1")) == 12


def test_one_key_is_found_missing_among_400_000_in_many_blocks(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    keys = [f"{number:064x}" for number in rng.permutation(400_000)]
    writer = FeatureStore(tmp_path, "fake-1", 2)
    for start in range(0, len(keys), 10_000):
        writer.add(keys[start : start + 10_000], np.full((10_000, 2), start / 10_000, np.float16))
    writer.compact()
    store = FeatureStore(tmp_path, "fake-1")
    wanted = [keys[number] for number in rng.permutation(len(keys))] + ["absent"]
    assert store.missing(wanted) == ["absent"]
    assert store.gather(keys[123_456:123_457])[0, 0] == 12


# -- computing ----------------------------------------------------------------------------------------------------


def test_only_what_is_missing_is_loaded_and_computed_and_progress_adds_up(store: FeatureStore) -> None:
    store.add(["a", "b"], vectors(["a", "b"]))
    loaded: list[str] = []
    done: list[int] = []

    def load(keys: Sequence[str]) -> list[str]:
        loaded.extend(keys)
        return list(keys)

    fake = Fake()
    computed = compute_missing(store, ["b", "c", "d", "c", "e", "a"], load, lambda: fake, 2, done.append)
    assert (computed.n_new, computed.n_known, computed.unreadable) == (3, 2, ())
    assert loaded == fake.seen == ["c", "d", "e"]
    assert sum(done) == 5
    assert computed.per_s > 0
    again = compute_missing(store, ["a", "e"], load, lambda: pytest.fail("opened for nothing"), 2, done.append)
    assert (again.n_new, again.n_known, again.per_s) == (0, 2, 0.0)
    np.testing.assert_array_equal(store.gather(list("abcde")), vectors(list("abcde")))


def test_what_cannot_be_read_is_left_out_and_named(store: FeatureStore) -> None:
    computed = compute_missing(
        store, list("abcd"), lambda keys: [None if key in "bcd" else key for key in keys], Fake, 2
    )
    assert (computed.n_new, computed.unreadable) == (1, ("b", "c", "d"))
    assert store.missing(list("abcd")) == ["b", "c", "d"]


def test_another_encoder_may_not_add(store: FeatureStore) -> None:
    with pytest.raises(Refused, match="fake-2 cannot add to the vectors of fake-1"):
        compute_missing(store, ["a"], list, lambda: Fake("fake-2"), 2)


def test_what_was_computed_before_an_error_is_kept_and_the_key_is_named(store: FeatureStore) -> None:
    class Falling(Fake):
        def encode(self, batch: Sequence[str]) -> np.ndarray:
            made = super().encode(batch)
            if "f" in batch:
                made[list(batch).index("f"), 2] = np.nan
            return made

    with pytest.raises(Refused, match="The vector of f by fake-1 holds values that are not finite"):
        compute_missing(store, list("abcdefgh"), list, Falling, 2)
    assert store.missing(list("abcdefgh")) == list("efgh")
    np.testing.assert_array_equal(store.gather(list("abcd")), vectors(list("abcd")))


def test_an_input_that_the_encoder_refuses_is_named_by_its_key(store: FeatureStore) -> None:
    class Choosy(Fake):
        def encode(self, batch: Sequence[str]) -> np.ndarray:
            if "c" in batch:
                raise UnusableVector("Input 1 is an empty text.", list(batch).index("c"))
            return super().encode(batch)

    with pytest.raises(Refused, match="c cannot be encoded: Input 1"):
        compute_missing(store, list("abdc"), list, Choosy, 2)
    assert store.missing(list("abdc")) == ["d", "c"]


# -- several processes --------------------------------------------------------------------------------------------


def _compute(root: str, keys: list[str], block: int) -> None:
    features.BLOCK_ITEMS = block
    compute_missing(FeatureStore(Path(root), "fake-1", 4), keys, list, Fake, 3)


def test_two_processes_that_compute_the_same_keep_every_key_once(tmp_path: Path) -> None:
    keys = [f"k{number}" for number in range(300)]
    writers = [
        FORK.Process(target=_compute, args=(str(tmp_path), keys[::order], block)) for order, block in ((1, 7), (-1, 11))
    ]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)
        assert writer.exitcode == 0
    store = FeatureStore(tmp_path, "fake-1")
    np.testing.assert_array_equal(store.gather(keys), vectors(keys))
    assert sum(len(store.vectors(block)) for block in store.blocks()) == len(keys)
    assert store.verify() == []


def _compute_for_ever(root: str) -> None:
    store = FeatureStore(Path(root), "fake-1", 64)
    features.BLOCK_ITEMS = 50
    for number in range(1_000_000):
        keys = [f"k{number}-{key}" for key in range(200)]
        compute_missing(store, keys, list, lambda: Fake(dimension=64), 10)


@pytest.mark.parametrize("n_blocks", [1, 6, 15])
def test_a_killed_computation_leaves_whole_blocks_and_the_next_goes_on(tmp_path: Path, n_blocks: int) -> None:
    writer = FORK.Process(target=_compute_for_ever, args=(str(tmp_path),))
    writer.start()
    deadline = time.monotonic() + 30
    store = FeatureStore(tmp_path, "fake-1", 64)
    while len(store.blocks()) < n_blocks and time.monotonic() < deadline:
        time.sleep(0.002)
    os.kill(writer.pid or 0, signal.SIGKILL)
    writer.join()
    keys = [f"k{number}-{key}" for number in range(n_blocks) for key in range(200)]
    n_kept = len(keys) - len(FeatureStore(tmp_path, "fake-1").missing(keys))
    assert n_kept >= 50 * n_blocks
    assert store.verify() == []
    computed = compute_missing(store, keys, list, lambda: Fake(dimension=64), 10)
    assert (computed.n_new, computed.n_known) == (len(keys) - n_kept, n_kept)
    np.testing.assert_array_equal(store.gather(keys), vectors(keys, 64))
