"""What the next refresh of a home will ask for, where an earlier release is there to take over from (`mlm plan`).

Numbers per shard and partition are those of the release that was accepted last; how many of them changed is measured
between the last two releases, or assumed. Requests are expectations over how the changes fall: a partition with two
changed articles on the average pays for a request nearly always, one with a tenth of an article hardly ever. What a
refresh asks and why is in docs/refresh.md; no request is sent.
"""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from mlm_assets.resources.lake import Accepted, Lake
from mlm_assets.resources.sampling import n_rechecks
from mlm_assets.resources.wikidata import NAMES_BATCH, n_listings
from mlm_assets.resources.wikipedia import STATES_BATCH
from mlm_assets.settings import Settings

EDITED: Final = 0.02
NEW: Final = 0.01
"""What a month is taken to bring where nothing was measured: 2 % edited, 1 % new."""
ONE_IN: Final = 4
"""Of partitions without a changed article, one in so many asks for texts all the same."""
_SPREAD: Final = 8.0
_OWED: Final = ("unavailable", "quarantined")


@dataclass(frozen=True)
class Shares:
    """How much of what is there a month brings anew or changed, and where that is known from."""

    items: float
    articles: float
    files: float
    gone: float
    source: str


def foretell(lake: Lake, settings: Settings, edited: float | None) -> dict[str, Any] | None:
    """Return the expected requests by service and purpose; None where the home has nothing to take over from.

    `edited` is the share of items, articles and files that is taken to be edited in a month, where it is given.
    """
    listed = lake.accepted("candidates")
    if listed is None or not lake.accepted_all("images") or not lake.accepted_all("summaries"):
        return None
    shares = _shares(lake, edited)
    kinds = {
        "sparql": _sparql(lake, settings, listed, shares),
        "action_api": _action_api(lake, settings, shares),
        "files": {"downloads": shares.files * len(_pictures(lake.accepted_all("images"), lake))},
    }
    rounded = {service: {kind: round(n) for kind, n in found.items()} for service, found in kinds.items()}
    return {
        "basis": listed.release,
        "changed": {"items": shares.items, "articles": shares.articles, "files": shares.files},
        "assumes": shares.source,
        "requests": {service: round(sum(found.values())) for service, found in kinds.items()},
        "requests_by_kind": rounded,
    }


def expected(cost: Callable[[int], float], mean: float) -> float:
    """Return the expectation of `cost(n)` where n follows a Poisson distribution."""
    if mean <= 0:
        return float(cost(0))
    width = _SPREAD * math.sqrt(mean) + _SPREAD
    numbers = range(max(0, math.floor(mean - width)), math.ceil(mean + width) + 1)
    weights = [math.exp(n * math.log(mean) - mean - math.lgamma(n + 1)) for n in numbers]
    return sum(weight * cost(n) for n, weight in zip(numbers, weights, strict=True)) / sum(weights)


def _sparql(lake: Lake, settings: Settings, listed: Accepted, shares: Shares) -> dict[str, float]:
    rows = lake.read(listed).select(["shard", "class_qids"]).to_pylist()
    per_class = Counter(qid for row in rows for qid in row["class_qids"])
    hops = Counter(lake.read(lake.require("settlement_classes"))["hop"].to_pylist())
    n_classes, n_items = sum(hops.values()), len(rows)
    pointed = lake.transform("pointed_items", {"facts": lake.accepted_all("facts")}).num_rows
    return {
        "classes": sum(_n_batches(hops[hop], settings.class_batch) for hop in range(settings.hops)),
        "labels": _n_batches(n_classes, settings.class_batch),
        "counts": _n_batches(n_classes, settings.class_batch),
        "listing": n_listings(per_class, settings),
        "names": _n_batches(pointed, NAMES_BATCH),
        "facts": _facts(Counter(row["shard"] for row in rows), settings, shares.items),
        "departures": expected(lambda n: _n_batches(n, settings.facts_batch), shares.gone * n_items),
    }


def _facts(per_shard: Mapping[str, int], settings: Settings, share: float) -> float:
    """Return the queries for the few changes of most shards together, and for those of shards with many."""
    batch = settings.facts_batch
    many = {shard: n * share for shard, n in per_shard.items() if n * share > batch}
    n_together = sum(n * share for shard, n in per_shard.items() if shard not in many)
    n_carried = sum(per_shard.values()) - round(n_together + sum(many.values()))

    def together(n: int) -> float:
        return _n_batches(n + n_rechecks(n, n_carried, settings.recheck_share, batch), batch)

    return expected(together, n_together) + sum(
        expected(lambda n: _n_batches(n, batch), mean) for mean in many.values()
    )


def _action_api(lake: Lake, settings: Settings, shares: Shares) -> dict[str, float]:
    extracts, n_states = 0.0, 0
    for accepted in lake.accepted_all("summaries"):
        rows = lake.read(accepted).select(["requested_title", "status"]).to_pylist()
        titles = {row["requested_title"]: row["status"] for row in rows}
        owed = sum(status in _OWED for status in titles.values())
        n_states += _n_batches(len(titles) - owed, STATES_BATCH)
        extracts += _texts(settings, (len(titles) - owed) * shares.articles + owed) if titles else 0
    files = [set(lake.read(one)["file"].to_pylist()) for one in lake.accepted_all("images")]
    n_files = sum(_n_batches(len(names), settings.files_batch) for names in files)
    return {"extracts": extracts, "info": n_states, "imageinfo": n_files}


def _texts(settings: Settings, mean: float) -> float:
    proof = 1 / ONE_IN if settings.recheck_share else 0.0
    return expected(lambda n: _n_batches(n, settings.titles_batch) if n else proof, mean)


def _shares(lake: Lake, edited: float | None) -> Shares:
    """Return the shares as given, as measured between the last two releases, or as assumed."""
    pairs = {name: _last_two(lake, name) for name in ("candidates", "summaries", "images")}
    if edited is None and all(pairs.values()):
        items, gone = _changed(lake, pairs["candidates"], ("qid", "revision"), "qid")
        articles, _ = _changed(lake, pairs["summaries"], ("requested_title", "title", "revision"), "requested_title")
        before, after = (_pictures(side, lake) for side in zip(*pairs["images"], strict=True))
        files = len(after - before) / max(len(after), 1)
        releases = f"{pairs['candidates'][0][0].release} and {pairs['candidates'][0][1].release}"
        return Shares(items, articles, files, gone, f"changes between {releases}")
    share = (EDITED if edited is None else edited) + NEW
    known = "assumption of a common month" if edited is None else "share that was given"
    return Shares(share, share, share, share / 10, f"{known}: {share - NEW:.1%} edited, {NEW:.0%} new")


def _last_two(lake: Lake, name: str) -> list[tuple[Accepted, Accepted]]:
    """Return the last two releases of each partition of a table; empty where one has fewer."""
    histories = [lake.history(name, one.partition) for one in lake.accepted_all(name)]
    if any(len(history) < 2 for history in histories):
        return []
    return [(history[-2], history[-1]) for history in histories]


def _changed(
    lake: Lake, pairs: Sequence[tuple[Accepted, Accepted]], columns: Sequence[str], key: str
) -> tuple[float, float]:
    """Return the share of rows that are new or changed in `columns`, and of keys that are gone."""
    n_changed = n_gone = n_all = 0
    for before, after in pairs:
        old, new = (
            {tuple(row.values()) for row in lake.read(side).select(list(columns)).to_pylist()}
            for side in (before, after)
        )
        place = columns.index(key)
        n_changed += len(new - old)
        n_gone += len({row[place] for row in old} - {row[place] for row in new})
        n_all += len(new)
    return n_changed / max(n_all, 1), n_gone / max(n_all, 1)


def _pictures(versions: Iterable[Accepted], lake: Lake) -> set[str]:
    """Return the SHA-1 of all files that were had."""
    rows = [row for one in versions for row in lake.read(one).select(["file_sha1", "status"]).to_pylist()]
    return {row["file_sha1"] for row in rows if row["file_sha1"] is not None and row["status"] == "ok"}


def _n_batches(n: float, size: int) -> int:
    return math.ceil(n / size)
