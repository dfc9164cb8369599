"""What was told to whom, and what is still to be delivered: `alerts/ledger.json` in the home, behind a file lock.

The ledger is saved before anything is sent and after each delivery, whole or not at all. A process that is killed
between the two sends again what it had sent: a message arrives at least once, and twice only then.
"""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from filelock import FileLock, Timeout

from mlm_assets.alerts.problems import RANK, Key, Problem
from mlm_assets.errors import MlmError

LEDGER_FILE: Final = "alerts/ledger.json"
LOCK_FILE: Final = ".locks/alerts.lock"
_KEPT_FOR: Final = timedelta(days=400)
_KEPT_MESSAGES: Final = 500


@dataclass
class Told:
    """What one route was told of an incident: how grave it was, and whether it was told that it is over."""

    severity: str
    at: str
    is_over_told: bool = False


@dataclass
class Incident:
    """A problem from when it was first seen until it is gone. Times are ISO 8601 in UTC."""

    problem: Problem
    first_seen: str
    changed_at: str
    """When it was first seen, or became graver."""
    seen_in: list[str] = field(default_factory=list)
    """All partitions that it was ever seen in."""
    resolved_at: str = ""
    resolution: str = ""
    is_carried_on: bool = False
    """Whether it is only gone because a later release has the same problem."""
    told: dict[str, Told] = field(default_factory=dict)

    @property
    def key(self) -> Key:
        """What makes it the same incident."""
        return self.problem.key

    @property
    def is_open(self) -> bool:
        """Whether the problem was there at the last look."""
        return not self.resolved_at

    def is_news_to(self, route: str) -> bool:
        """Tell whether a route does not know of it yet, or knows it as less grave."""
        told = self.told.get(route)
        return self.is_open and (told is None or RANK[told.severity] < RANK[self.problem.severity])

    def is_over_for(self, route: str) -> bool:
        """Tell whether a route was told of it, and not yet that it is over."""
        told = self.told.get(route)
        return bool(self.resolved_at) and not self.is_carried_on and told is not None and not told.is_over_told


@dataclass
class Delivery:
    """One message on its way to one address, which is known by its number in the route (0: no address yet)."""

    number: int
    attempts: int = 0
    next_at: str = ""
    delivered_at: str = ""
    error: str = ""
    is_dropped: bool = False
    """Whether the route or the address is gone, so that nobody is left to tell."""

    @property
    def is_due_some_time(self) -> bool:
        """Whether it is still to be delivered."""
        return not self.delivered_at and not self.is_dropped


@dataclass
class Message:
    """One message for one route."""

    route: str
    kind: str
    severity: str
    release: str
    title: str
    body: str
    at: str
    deliveries: list[Delivery] = field(default_factory=list)

    @property
    def is_delivered(self) -> bool:
        """Whether nothing of it is still to be delivered."""
        return not any(one.is_due_some_time for one in self.deliveries)


@dataclass
class Ledger:
    """The incidents and messages of one home, and the refresh that was told last, by release."""

    path: Path
    incidents: dict[Key, Incident] = field(default_factory=dict)
    messages: list[Message] = field(default_factory=list)
    digests: dict[str, str] = field(default_factory=dict)
    _saved: str = ""

    # -- incidents -------------------------------------------------------------------------------------------------

    def take(self, problems: Sequence[Problem], now: datetime) -> list[Incident]:
        """Bring the incidents up to date with what is wrong now; return those that have just gone, to be explained."""
        current = {problem.key: problem for problem in problems}
        for key, problem in current.items():
            self._open(key, problem, now.isoformat())
        gone = [one for key, one in self.incidents.items() if one.is_open and key not in current]
        for one in gone:
            one.resolved_at = now.isoformat()
        return gone

    def _open(self, key: Key, problem: Problem, now: str) -> None:
        known = self.incidents.get(key)
        if known is None:
            self.incidents[key] = Incident(problem, now, now, list(problem.partitions))
            return
        if known.resolved_at:
            # Who was told that it is over is told again; to the others it never ended.
            known.told = {route: told for route, told in known.told.items() if not told.is_over_told}
            known.resolved_at, known.resolution, known.is_carried_on, known.changed_at = "", "", False, now
        if RANK[problem.severity] > RANK[known.problem.severity]:
            known.changed_at = now
        known.problem = problem
        known.seen_in = list(dict.fromkeys([*known.seen_in, *problem.partitions]))

    def open_incidents(self, release: str | None = None) -> list[Incident]:
        """Return the incidents that are open, gravest first."""
        found = [one for one in self.incidents.values() if one.is_open and release in (None, one.key.release)]
        return sorted(found, key=lambda one: (-RANK[one.problem.severity], one.key))

    def undelivered(self) -> list[tuple[Message, Delivery]]:
        """Return what is still to be delivered, oldest first."""
        return [(message, one) for message in self.messages for one in message.deliveries if one.is_due_some_time]

    # -- the file --------------------------------------------------------------------------------------------------

    def save(self) -> None:
        """Write the ledger whole or not at all; nothing happens where nothing changed."""
        text = json.dumps(self._as_json(), indent=1, ensure_ascii=False) + "\n"
        if text == self._saved:
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        temporary = self.path.with_name(f".tmp-{self.path.name}-{os.getpid()}")
        with temporary.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(self.path)
        self._saved = text

    def prune(self, now: datetime) -> None:
        """Forget incidents that ended long ago, and all but the newest delivered messages."""
        oldest = (now - _KEPT_FOR).isoformat()
        self.incidents = {key: one for key, one in self.incidents.items() if one.is_open or one.resolved_at > oldest}
        done = [message for message in self.messages if message.is_delivered]
        dropped = {id(message) for message in done[: max(0, len(done) - _KEPT_MESSAGES)]}
        self.messages = [message for message in self.messages if id(message) not in dropped]

    def _as_json(self) -> dict[str, Any]:
        return {
            "incidents": [{**asdict(one), "problem": _problem_json(one.problem)} for one in self.incidents.values()],
            "messages": [asdict(message) for message in self.messages],
            "digests": self.digests,
        }


def _problem_json(problem: Problem) -> dict[str, Any]:
    return {**asdict(problem), "key": problem.key._asdict()}


def read_ledger(home: Path) -> Ledger:
    """Return the ledger of a home; an empty one where there is none.

    Raises:
        MlmError: the file is there and cannot be understood.
    """
    path = home / LEDGER_FILE
    try:
        text = path.read_text("utf-8")
    except FileNotFoundError:
        return Ledger(path)
    try:
        said = json.loads(text)
        incidents = [_incident(entry) for entry in said["incidents"]]
        messages = [_message(entry) for entry in said["messages"]]
        return Ledger(path, {one.key: one for one in incidents}, messages, dict(said["digests"]), text)
    except (ValueError, TypeError, KeyError) as error:
        raise MlmError(
            f"The ledger of alerts {path} cannot be understood ({error}). "
            "Move it away; what is wrong then is told once more."
        ) from error


def _incident(entry: Mapping[str, Any]) -> Incident:
    said = dict(entry["problem"])
    said["key"] = Key(**said["key"])
    for name in ("partitions", "readers", "todo", "subjects"):
        said[name] = tuple(said[name])
    told = {route: Told(**one) for route, one in entry["told"].items()}
    return Incident(**{**entry, "problem": Problem(**said), "told": told})


def _message(entry: Mapping[str, Any]) -> Message:
    message = Message(**{**entry, "deliveries": []})
    return replace(message, deliveries=[Delivery(**one) for one in entry["deliveries"]])


@contextmanager
def locked(home: Path, wait_s: float = 0.0) -> Iterator[bool]:
    """Hold the lock of a home's ledger, and yield True; yield False where another process holds it longer than that.

    The kernel frees the lock when the process dies.
    """
    (home / LOCK_FILE).parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(str(home / LOCK_FILE), timeout=wait_s)
    try:
        lock.acquire()
    except Timeout:
        yield False
        return
    try:
        yield True
    finally:
        lock.release()
