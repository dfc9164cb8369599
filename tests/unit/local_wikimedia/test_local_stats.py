"""The counters count what a polite client must keep low, and the cache keeps its bound."""

from mlm_assets.local_wikimedia.cache import ByteCache
from mlm_assets.local_wikimedia.stats import Stats


class _Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_counts_requests_bytes_and_statuses_per_service() -> None:
    stats = Stats(_Clock())
    with stats.watch("files") as watch:
        watch.status, watch.n_bytes = 200, 10
    with stats.watch("files"):
        pass
    counted = stats.as_json()
    assert counted["requests"] == {"sparql": 0, "action_api": 0, "files": 2}
    assert counted["bytes"]["files"] == 10
    assert counted["statuses"]["files"] == {"200": 1, "none": 1}


def test_most_parallel_and_busiest_second() -> None:
    clock = _Clock()
    stats = Stats(clock)
    with stats.watch("sparql"), stats.watch("sparql"):
        pass
    for step in (0.2, 0.2, 0.2, 0.2, 0.3, 5.0):
        clock.now += step
        with stats.watch("sparql"):
            pass
    counted = stats.as_json()
    assert counted["max_parallel"]["sparql"] == 2
    # Two at 0.0 and four until 0.8; those at 0.0 are out of the window when the one at 1.1 comes.
    assert counted["peak_rate_per_s"]["sparql"] == 6


def test_impatience_is_counted() -> None:
    clock = _Clock()
    stats = Stats(clock)
    stats.asked_to_wait("files", 1.0)
    for after, expected in ((0.01, 0), (0.5, 1), (1.2, 1)):
        clock.now = 100.0 + after
        with stats.watch("files"):
            pass
        assert stats.as_json()["too_early"]["files"] == expected


def test_reset_starts_from_zero_but_knows_what_is_running() -> None:
    stats = Stats(_Clock())
    with stats.watch("sparql"):
        stats.count_fault("429")
        stats.reset()
        with stats.watch("sparql"):
            pass
    counted = stats.as_json()
    assert counted["requests"]["sparql"] == 1
    assert counted["max_parallel"]["sparql"] == 2
    assert counted["faults"] == {}


def test_cache_drops_the_least_recently_used() -> None:
    cache = ByteCache(10)
    cache.put("a", b"1234")
    cache.put("b", b"1234")
    assert cache.get("a") == b"1234"
    cache.put("c", b"12345")
    assert cache.get("b") is None
    assert cache.get("a") == b"1234"
    cache.put("c", b"1")
    assert cache.n_bytes == 5
    cache.put("huge", b"0" * 11)
    assert cache.get("huge") is None
    assert cache.n_bytes == 5
