"""What the server counts, per service: requests, bytes on the wire, parallelism, rate, statuses, faults, impatience.

Called from the event loop alone, so nothing is locked.
"""

import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

SERVICES: Final = ("sparql", "action_api", "files")
_WINDOW_S: Final = 1.0
_GRACE_S: Final = 0.05
"""A request may have been on its way when the refusal was sent."""


@dataclass(slots=True)
class Watch:
    """One request while it is being answered."""

    status: int | None = None
    n_bytes: int = 0


@dataclass(slots=True)
class _Service:
    n_requests: int = 0
    n_bytes: int = 0
    n_now: int = 0
    max_parallel: int = 0
    peak_rate: int = 0
    n_too_early: int = 0
    wait_from: float = 0.0
    wait_until: float = 0.0
    arrivals: deque[float] = field(default_factory=deque)
    statuses: Counter[str] = field(default_factory=Counter)

    def arrive(self, now: float) -> None:
        self.n_requests += 1
        self.n_now += 1
        self.max_parallel = max(self.max_parallel, self.n_now)
        self.arrivals.append(now)
        while self.arrivals[0] <= now - _WINDOW_S:
            self.arrivals.popleft()
        self.peak_rate = max(self.peak_rate, len(self.arrivals))
        if self.wait_from + _GRACE_S < now < self.wait_until:
            self.n_too_early += 1

    def leave(self, watch: Watch) -> None:
        self.n_now -= 1
        self.n_bytes += watch.n_bytes
        self.statuses[str(watch.status) if watch.status else "none"] += 1


class Stats:
    """The counters behind `/_stats`. `clock` returns seconds that never go back."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self.reset()

    def reset(self) -> None:
        """Start again from zero; requests being answered right now are counted when they end."""
        running = {name: service.n_now for name, service in getattr(self, "_services", {}).items()}
        self._services = {name: _Service(n_now=running.get(name, 0)) for name in SERVICES}
        self._faults: Counter[str] = Counter()
        self._wikis: Counter[str] = Counter()

    @contextmanager
    def watch(self, service: str, wiki: str | None = None) -> Iterator[Watch]:
        """Count one request of `service`, from arrival to the last byte; `wiki` is the wiki whose API is asked."""
        watch = Watch()
        if wiki is not None:
            self._wikis[wiki] += 1
        self._services[service].arrive(self._clock())
        try:
            yield watch
        finally:
            self._services[service].leave(watch)

    def count_fault(self, kind: str) -> None:
        """Count one fault that was played."""
        self._faults[kind] += 1

    def asked_to_wait(self, service: str, seconds: float) -> None:
        """Remember that a client was sent away for `seconds`; who comes back sooner is counted."""
        now = self._clock()
        counters = self._services[service]
        counters.wait_from, counters.wait_until = now, max(counters.wait_until, now + seconds)

    def as_json(self) -> dict[str, Any]:
        """Return all counters."""
        services = self._services.items()
        return {
            "requests": {name: service.n_requests for name, service in services},
            "action_api_by_wiki": dict(sorted(self._wikis.items())),
            "bytes": {name: service.n_bytes for name, service in services},
            "max_parallel": {name: service.max_parallel for name, service in services},
            "peak_rate_per_s": {name: service.peak_rate for name, service in services},
            "statuses": {name: dict(sorted(service.statuses.items())) for name, service in services},
            "too_early": {name: service.n_too_early for name, service in services},
            "faults": dict(sorted(self._faults.items())),
        }
