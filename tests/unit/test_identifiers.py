"""What a QID decides for ever must never change, and nothing but a QID may pass for one."""

import re
from collections import Counter

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mlm_assets.errors import Refused
from mlm_assets.identifiers import parse_qid, qid_number, quota_rank, shard_name, shard_of, split_of

N = 100_000
QIDS = [f"Q{number}" for number in range(1, N + 1)]

qids = st.integers(1, 10**18 - 1).map(lambda number: f"Q{number}")

# Each of these would change every dataset if it changed: a release would silently get another split.
GOLDEN_SPLITS = {
    "Q1": "train",
    "Q64": "train",
    "Q90": "train",
    "Q201": "test",
    "Q205": "validation",
    "Q211": "validation",
    "Q231": "test",
    "Q1741": "train",
    "Q23178": "train",
    "Q486972": "train",
    "Q123456789": "test",
}
GOLDEN_SHARDS = {
    "Q1": ("06", "34"),
    "Q64": ("02", "17"),
    "Q90": ("02", "12"),
    "Q201": ("04", "25"),
    "Q205": ("03", "1b"),
    "Q211": ("00", "06"),
    "Q231": ("03", "1d"),
    "Q1741": ("02", "12"),
    "Q23178": ("01", "09"),
    "Q486972": ("02", "16"),
    "Q123456789": ("00", "05"),
}
GOLDEN_RANKS = {
    "Q1": 0.199503428,
    "Q64": 0.083351722,
    "Q90": 0.292062659,
    "Q201": 0.637318817,
    "Q205": 0.044104491,
    "Q211": 0.810679027,
    "Q231": 0.683920794,
    "Q1741": 0.108786488,
    "Q23178": 0.49231747,
    "Q486972": 0.517884737,
    "Q123456789": 0.357872298,
}


@given(qids)
def test_a_qid_is_taken(qid: str) -> None:
    assert parse_qid(qid) == qid
    assert parse_qid(f"  {qid}\n") == qid
    assert parse_qid(f"http://www.wikidata.org/entity/{qid}") == qid
    assert parse_qid(f"https://www.wikidata.org/wiki/{qid}") == qid


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Q",
        "64",
        "q64",
        "P31",
        "L1",
        "Q0",
        "Q064",
        "Q-1",
        "Q+1",
        "Q6 4",
        "Q64\nQ65",
        "Q64\x00",
        "Q64.0",
        "Q1e3",
        "Q٦٤",  # Arabic digits
        "Q６４",  # full-width digits
        "Q²",
        "Ｑ64",
        "Q1" + "0" * 18,
        "Q64 } DROP ALL #",
        "Q64> . ?s ?p ?o . <",
        "wd:Q64",
        "../Q64",
        "Q64/../../etc",
        "http://example.org/entity/Q64",
        "http://www.wikidata.org/entity/Q64#x",
        "http://www.wikidata.org/entity/P31",
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(Refused, match="not a Wikidata identifier"):
        parse_qid(text)


@given(st.text(max_size=30))
@example("Q1\n")
@example("Q1\u2028")
def test_whatever_passes_is_plain_ascii(text: str) -> None:
    try:
        qid = parse_qid(text)
    except Refused:
        return
    assert re.fullmatch(r"Q[1-9][0-9]{0,17}", qid, re.ASCII)
    assert qid in text


@given(st.lists(qids))
def test_items_are_sorted_by_number(several: list[str]) -> None:
    numbers = [qid_number(qid) for qid in sorted(several, key=qid_number)]
    assert numbers == sorted(numbers)
    assert qid_number("Q9") < qid_number("Q10")


@given(qids, st.integers(1, 4096))
def test_a_shard_is_one_of_the_shards(qid: str, n_shards: int) -> None:
    shard = shard_of(qid, n_shards)
    assert 0 <= int(shard, 16) < n_shards
    assert shard == shard_name(int(shard, 16))


@pytest.mark.parametrize(("number", "name"), [(0, "00"), (9, "09"), (10, "0a"), (255, "ff"), (256, "100")])
def test_names_of_shards(number: int, name: str) -> None:
    assert shard_name(number) == name


@pytest.mark.parametrize("n_shards", [1, 3, 8, 64])
def test_shards_are_equally_full(n_shards: int) -> None:
    sizes = Counter(shard_of(qid, n_shards) for qid in QIDS)
    assert len(sizes) == n_shards
    # Four standard deviations of a fair throw; one shard in 16,000 would fail by chance, and these are fixed.
    expected = N / n_shards
    assert all(abs(size - expected) <= 4 * expected**0.5 for size in sizes.values())


def test_split_is_80_10_10() -> None:
    sizes = Counter(split_of(qid) for qid in QIDS)
    assert set(sizes) == {"train", "validation", "test"}
    assert sizes["train"] / N == pytest.approx(0.8, abs=0.005)
    assert sizes["validation"] / N == pytest.approx(0.1, abs=0.004)
    assert sizes["test"] / N == pytest.approx(0.1, abs=0.004)


def chi_square(pairs: list[tuple[str, str]]) -> tuple[float, int]:
    """Pearson's statistic of independence of two labels, and its degrees of freedom."""
    both, rows, columns = Counter(pairs), Counter(a for a, _ in pairs), Counter(b for _, b in pairs)
    statistic = sum(
        (both[a, b] - rows[a] * columns[b] / len(pairs)) ** 2 / (rows[a] * columns[b] / len(pairs))
        for a in rows
        for b in columns
    )
    return statistic, (len(rows) - 1) * (len(columns) - 1)


def quota_tenth(qid: str) -> str:
    return str(int(quota_rank(qid) * 10))


@pytest.mark.parametrize("pair", ["shard and split", "shard and quota", "split and quota"])
def test_shard_split_and_quota_tell_nothing_of_each_other(pair: str) -> None:
    label = {"shard": lambda qid: shard_of(qid, 16), "split": split_of, "quota": quota_tenth}
    first, second = pair.split(" and ")
    statistic, freedom = chi_square([(label[first](qid), label[second](qid)) for qid in QIDS])
    assert statistic < freedom + 5 * (2 * freedom) ** 0.5


def test_the_test_of_independence_can_fail() -> None:
    statistic, freedom = chi_square([(split_of(qid), split_of(qid)) for qid in QIDS[:2000]])
    assert statistic > freedom + 5 * (2 * freedom) ** 0.5


@given(qids)
def test_quota_rank_is_a_fraction(qid: str) -> None:
    assert 0 <= quota_rank(qid) < 1


def test_split_is_what_it_always_was() -> None:
    assert {qid: split_of(qid) for qid in GOLDEN_SPLITS} == GOLDEN_SPLITS


def test_shard_is_what_it_always_was() -> None:
    assert {qid: (shard_of(qid, 8), shard_of(qid, 64)) for qid in GOLDEN_SHARDS} == GOLDEN_SHARDS


def test_quota_rank_is_what_it_always_was() -> None:
    assert {qid: round(quota_rank(qid), 9) for qid in GOLDEN_RANKS} == GOLDEN_RANKS
