"""A cache of byte strings that never outgrows its bound; the least recently used go first."""

import threading
from collections import OrderedDict
from collections.abc import Hashable


class ByteCache:
    """Keeps bodies up to `max_bytes` in total. Thread-safe."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._n_bytes = 0
        self._bodies: OrderedDict[Hashable, bytes] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Hashable) -> bytes | None:
        """Return the body under `key`, if it is still there."""
        with self._lock:
            body = self._bodies.get(key)
            if body is not None:
                self._bodies.move_to_end(key)
            return body

    def put(self, key: Hashable, body: bytes) -> None:
        """Keep `body` under `key`; a body larger than the bound is not kept."""
        with self._lock:
            previous = self._bodies.pop(key, None)
            self._n_bytes -= len(previous) if previous is not None else 0
            if len(body) > self._max_bytes:
                return
            self._bodies[key] = body
            self._n_bytes += len(body)
            while self._n_bytes > self._max_bytes:
                _, oldest = self._bodies.popitem(last=False)
                self._n_bytes -= len(oldest)

    @property
    def n_bytes(self) -> int:
        """How much is kept now."""
        return self._n_bytes
