"""The one transport to every service: look into the store, wait for a turn, send, judge, ask again, keep.

A client describes *what* it asks (`Request`) and *how to read* the answer (a parser that raises `Retry` for anything
that is no answer). Everything between lies here, and only here: the contact that Wikimedia asks for, the limits
shared by all processes of the machine, Retry-After, growing pauses, the number of attempts, the replay of stored
answers. An outcome that a replay must meet again (a query that timed out, a file that cannot be read) is stored as
well, marked, and never taken for an answer.

Does not belong here: what a service speaks (`sparql`, `action_api`), what is asked (`wikidata` and its siblings).
Follows https://www.mediawiki.org/wiki/API:Etiquette and the Wikimedia User-Agent policy.
"""

import hashlib
import json
import random as random_module
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final, Literal, Protocol, TypeVar
from urllib.parse import urljoin, urlsplit

from mlm_assets.errors import MlmError, QueryTimeout, ReplayMiss, RequestRejected, ServiceUnavailable
from mlm_assets.resources.failures import REMEMBERED, CorruptFile, HostDown, Retry, ShutOut
from mlm_assets.resources.politeness import HostGate, netloc_of, shared_folder
from mlm_assets.resources.wire import Wire
from mlm_assets.settings import Settings

T = TypeVar("T")
Mode = Literal["fetch", "refetch", "replay"]

MAX_PAUSE_S: Final = 60.0
MAX_REDIRECTS: Final = 5
MAX_TIMEOUTS: Final = 3
"""How often a query that cannot be made smaller may run into the time limit; each costs the service a minute."""
GIVEN_UP_IN_A_ROW: Final = 5
"""After so many different requests given up in a row at one host, the host is taken to be down."""

GAVE_UP_STATUS: Final = 599
GAVE_UP_HEADER: Final = "x-mlm-gave-up"
_NOT_IN_KEY: Final = frozenset({"maxlag"})
_KEPT_HEADERS: Final = ("content-type", "date", "last-modified", "etag", "retry-after", "location")
_NEVER_S: Final = 1e9
_RETRIED_STATUSES: Final = frozenset({408, 425, 429})


@dataclass(frozen=True)
class Request:
    """One question to a service.

    `endpoint` is its logical name ("wikidata", "wikipedia/en", "commons", "upload"), which does not change when the
    service is asked at another address. `identity` says what is wanted where the address cannot (a file's hash).
    `purpose` is what it is counted as ("facts", "extracts"); it is no part of the question.
    """

    service: str
    endpoint: str
    method: str
    url: str
    params: Mapping[str, str] = field(default_factory=dict)
    form: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    identity: str = ""
    purpose: str = field(default="", compare=False)

    @property
    def key(self) -> str:
        """SHA-256 of what is asked of whom; independent of host, port, method, maxlag and contact."""
        asked = {**self.params, **self.form}
        what = self.identity or sorted((name, asked[name]) for name in asked if name not in _NOT_IN_KEY)
        if self.service == "files" and not self.identity:
            what = urlsplit(self.url).path
        return hashlib.sha256(json.dumps([self.service, self.endpoint, what]).encode()).hexdigest()


@dataclass(frozen=True)
class Answer:
    """What a service answered: `headers` in lower case (those worth keeping), `body` unpacked."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    key: str
    from_store: bool


class AnswerStore(Protocol):
    """Where answers are kept, by request."""

    def get(self, request: Request) -> Answer | None:
        """Return the stored answer, None where there is none."""

    def put(self, request: Request, answer: Answer) -> None:
        """Keep an answer, in place of an older one."""


class Transport:
    """Fetches answers politely, and from the store where it can. Safe to be used by several threads.

    `mode`: "fetch" asks for what the store lacks, "refetch" asks for everything, "replay" never touches the network.
    `requests` and `bytes` count what went over the wire, by service, retries included; `purposes` counts the requests
    by (service, purpose). `sleep`, `now` (seconds since
    1970) and `random` (in [0, 1)) are given by tests.
    """

    def __init__(
        self,
        settings: Settings,
        store: AnswerStore | None = None,
        mode: Mode = "fetch",
        *,
        sleep: Callable[[float], None] = time.sleep,
        now: Callable[[], float] = time.time,
        random: Callable[[], float] | None = None,
    ) -> None:
        self.settings = settings
        self.mode = mode
        self.requests: Counter[str] = Counter()
        self.purposes: Counter[tuple[str, str]] = Counter()
        self.bytes: Counter[str] = Counter()
        self._store = store
        self._sleep = sleep
        self._now = now
        self._random = random or random_module.Random().random
        self._wire = Wire(settings.user_agent(), settings.max_file_bytes)
        self._guard = threading.Lock()
        self._gates: dict[str, HostGate] = {}
        self._given_up: dict[str, set[str]] = {}

    def fetch(
        self,
        request: Request,
        parse: Callable[[Answer], T],
        *,
        judge: Callable[[Answer], None] | None = None,
        can_halve: bool = False,
        again: bool = False,
    ) -> T:
        """Return what `parse` makes of the answer to `request`.

        `parse` sees answers with status 200 to 299 (of files also 404 and 410) and raises `Retry` for what is no
        answer; only what it accepted is stored. `judge` sees every answer first, whatever its status, and may raise.
        With `can_halve` a QueryTimeout is raised at once, for the caller to ask for less. `again` passes the store by
        (but for a replay), where the caller knows that the stored answer will not do.

        Raises:
            Refused: the host is Wikimedia's and no contact is set.
            ServiceUnavailable: no usable answer after every attempt (or the subclass that `Retry` asked for).
            QueryTimeout: the service ran into its time limit.
            HostDown: the host as a whole cannot be used now.
            RequestRejected: the service says that the request is wrong.
            ReplayMiss: a replay needs an answer that the store does not hold.
        """
        kept = self._kept(request, again, can_halve)
        if kept is not None:
            try:
                return parse(kept)
            except Retry as problem:
                if self.mode == "replay":
                    raise ReplayMiss(
                        f"{_name(request)}: the stored answer cannot be used ({problem.reason})."
                    ) from problem
        if self.mode == "replay":
            raise ReplayMiss(f"{_name(request)}: the store holds no answer. Run without --replay to ask for it.")
        try:
            answer, result = self._ask(request, parse, judge, can_halve)
        except MlmError as error:
            self._remember(request, error)
            raise
        if self._store is not None:
            self._store.put(request, answer)
        return result

    def _kept(self, request: Request, again: bool, can_halve: bool) -> Answer | None:
        """Return the stored answer that may be used.

        A replay meets the stored outcome of giving up again. So does a fetch that can ask for less instead: what was
        too much for the service once is not asked a second time.
        """
        if self._store is None or self.mode == "refetch" or (again and self.mode != "replay"):
            return None
        kept = self._store.get(request)
        if kept is None or kept.status != GAVE_UP_STATUS:
            return kept
        kind = REMEMBERED.get(kept.headers[GAVE_UP_HEADER], ServiceUnavailable)
        if self.mode == "replay" or (can_halve and kind is QueryTimeout):
            raise kind(kept.body.decode())
        return None

    def _remember(self, request: Request, error: MlmError) -> None:
        """Store that `request` was given up, unless an answer is there."""
        kind = type(error).__name__
        if self._store is None or kind not in REMEMBERED:
            return
        kept = self._store.get(request)
        if kept is None or kept.status == GAVE_UP_STATUS:
            mark = Answer(GAVE_UP_STATUS, {GAVE_UP_HEADER: kind}, str(error).encode(), request.key, False)
            self._store.put(request, mark)

    def _ask(
        self,
        request: Request,
        parse: Callable[[Answer], T],
        judge: Callable[[Answer], None] | None,
        can_halve: bool,
    ) -> tuple[Answer, T]:
        """Send `request` until it is answered, or given up."""
        n_timeouts = 0
        for attempt in range(1, self.settings.max_attempts + 1):
            try:
                answer = self._send(request)
                result = self._read(request, answer, parse, judge)
            except Retry as retry:
                problem = retry
            except QueryTimeout as timeout:
                n_timeouts += 1
                if can_halve:
                    raise
                problem = Retry(str(timeout), gives_up_as=QueryTimeout)
                if n_timeouts == MAX_TIMEOUTS:
                    break
            except ShutOut as error:
                self._note_given_up(request, error)
                raise
            else:
                self._note_answered(request)
                return answer, result
            self._pause(request, problem, attempt)
        raise self._gives_up(request, problem, attempt) from problem

    def _gives_up(self, request: Request, problem: Retry, attempts: int) -> ServiceUnavailable:
        """Return the error for a request that had its last attempt."""
        error = problem.gives_up_as(
            f"{_name(request)} was given up after {attempts} attempts; the last time: {problem.reason}."
        )
        if not isinstance(error, CorruptFile):  # the host answers well enough
            self._note_given_up(request, error)
        return error

    def _send(self, request: Request) -> Answer:
        """Send `request` once, in its turn, following redirects; the contact is checked before every hop."""
        url, method, form = request.url, request.method, dict(request.form)
        params: Mapping[str, str] = request.params
        for _ in range(MAX_REDIRECTS + 1):
            self.settings.require_contact(url)
            answer = self._send_one(request, method, url, params, form)
            location = answer.headers.get("location")
            if answer.status not in {301, 302, 303, 307, 308} or location is None:
                return answer
            url, params = _redirected(url, location), {}
            if answer.status == 303:
                method, form = "GET", {}
        raise RequestRejected(f"{_name(request)} was redirected more than {MAX_REDIRECTS} times.")

    def _send_one(
        self, request: Request, method: str, url: str, params: Mapping[str, str], form: Mapping[str, str]
    ) -> Answer:
        settings = self.settings
        timeout_s = settings.sparql_timeout_s if request.service == "sparql" else settings.http_timeout_s
        with self._gate(request.service, url).turn():
            with self._guard:
                self.requests[request.service] += 1
                self.purposes[request.service, request.purpose or request.endpoint] += 1
            came = self._wire.exchange(
                request.service, method, url, params=params, form=form, headers=request.headers,
                timeout_s=timeout_s, count=self._count_bytes,
            )  # fmt: skip
        headers = {name: came.headers[name] for name in _KEPT_HEADERS if name in came.headers}
        return Answer(came.status, headers, came.body, request.key, False)

    def _count_bytes(self, service: str, n_bytes: int) -> None:
        with self._guard:
            self.bytes[service] += n_bytes

    def _gate(self, service: str, url: str) -> HostGate:
        try:
            name = f"{service}-{netloc_of(url)}"
        except ValueError as error:
            raise RequestRejected(f"{url!r} is no address that can be asked: {error}") from error
        with self._guard:
            if name not in self._gates:
                settings = self.settings
                self._gates[name] = HostGate(
                    shared_folder(settings.lock_dir), name, settings.limit(service, url),
                    max_wait_s=settings.max_retry_after_s, sleep=self._sleep, now=self._now,
                )  # fmt: skip
            return self._gates[name]

    def _read(
        self,
        request: Request,
        answer: Answer,
        parse: Callable[[Answer], T],
        judge: Callable[[Answer], None] | None,
    ) -> T:
        """Return what `parse` makes of an answer; any answer that is none may say when to ask again."""
        try:
            if judge is not None:
                judge(answer)
            _judge_status(request, answer)
            return parse(answer)
        except Retry as retry:
            if retry.retry_after_s is None:
                retry.retry_after_s = retry_after_s(answer.headers.get("retry-after"), self._now())
            raise

    def _pause(self, request: Request, problem: Retry, attempt: int) -> None:
        """Wait before the next attempt: twice as long each time, and (everybody does) as long as the service asks."""
        asked_s = problem.retry_after_s
        if asked_s:
            self._gate(request.service, request.url).block_until(self._now() + asked_s)
            if asked_s > self.settings.max_retry_after_s:
                raise HostDown(
                    f"{_name(request)}: the service asks to be left alone for {asked_s:.0f} s, which is longer than "
                    f"MLM_MAX_RETRY_AFTER_S ({self.settings.max_retry_after_s:.0f} s) allows ({problem.reason}). "
                    "Run again later."
                )
        if attempt < self.settings.max_attempts:
            first_s = self.settings.first_pause_s(request.url)
            self._sleep(min(MAX_PAUSE_S, first_s * 2 ** (attempt - 1) * (0.75 + 0.5 * self._random())))

    def _note_answered(self, request: Request) -> None:
        with self._guard:
            self._given_up.pop(_host(request), None)

    def _note_given_up(self, request: Request, error: MlmError) -> None:
        """Count requests given up in a row at the host of `request`, and say when it must be down."""
        with self._guard:
            keys = self._given_up.setdefault(_host(request), set())
            keys.add(request.key)
            n = len(keys)
        if n >= GIVEN_UP_IN_A_ROW:
            raise HostDown(
                f"{n} different requests in a row were given up at {netloc_of(request.url)}. {error}"
            ) from error


def retry_after_s(text: str | None, now: float) -> float | None:
    """Return the seconds that a Retry-After asks for (a number or an HTTP date), None where it says nothing.

    `now` is in seconds since 1970; a date that has passed is 0.
    """
    text = (text or "").strip()
    if text.isascii() and text.isdigit():
        return float(text) if len(text) < 10 else _NEVER_S
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, IndexError, OverflowError, TypeError):
        return None
    if moment.tzinfo is None:  # "-0000", and the old formats without a zone: HTTP dates are in UTC
        moment = moment.replace(tzinfo=UTC)
    return min(max(0.0, (moment - datetime.fromtimestamp(now, UTC)).total_seconds()), _NEVER_S)


def text_of(body: bytes, length: int = 200) -> str:
    """Return the beginning of a body as one line, for messages."""
    return " ".join(body[: 4 * length].decode("utf-8", "replace").split())[:length]


def _judge_status(request: Request, answer: Answer) -> None:
    """Sort out every answer whose status says that it is none.

    A file's 429 without Retry-After means a width that the service does not make: asking again cannot help.
    """
    status = answer.status
    if 200 <= status < 300 or (request.service == "files" and status in {404, 410}):
        return
    said = f"{netloc_of(request.url)} answered HTTP {status}"
    no_such_width = status == 429 and request.service == "files" and "retry-after" not in answer.headers
    refuses = status in {401, 403} or no_such_width
    if not refuses and (status >= 500 or status in _RETRIED_STATUSES):
        raise Retry(said)
    kind = ShutOut if refuses else RequestRejected
    raise kind(f"{_name(request)}: {said}: {text_of(answer.body)}")


def _redirected(url: str, location: str) -> str:
    target = urljoin(url, location)
    if urlsplit(target).scheme not in {"http", "https"} or (url.startswith("https:") and target.startswith("http:")):
        raise RequestRejected(f"{url} redirects to {target!r}, which is not followed.")
    return target


def _host(request: Request) -> str:
    return f"{request.service}-{netloc_of(request.url)}"


def _name(request: Request) -> str:
    return f"A request to {request.endpoint} at {netloc_of(request.url)}"
