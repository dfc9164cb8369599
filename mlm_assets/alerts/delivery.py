"""Look, tell what is news, deliver what is due: the one function that the sensor and `mlm run` call.

One process at a time does so, behind the ledger's lock. A target that fails is tried again after a growing pause, on
its own: it neither holds up the other targets nor makes them be told twice. To one target messages go in the order in
which they were made, until one has failed so often that the next ones no longer wait for it.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from mlm_assets.alerts import digest, messages, resolution, routes, targets
from mlm_assets.alerts.ledger import Delivery, Incident, Ledger, Message, Told, locked, read_ledger
from mlm_assets.alerts.problems import RANK, Key, Look, Problem, look
from mlm_assets.alerts.records import Lake, Observed
from mlm_assets.alerts.routes import Route
from mlm_assets.alerts.text import count
from mlm_assets.errors import Refused
from mlm_assets.settings import Settings

Send = Callable[[str, str, str, str], str | None]
"""Delivers (address, title, body, severity); returns None, or why not, without the address."""

RECOVERY: Final = "recovery"
_LOOK_AGAIN: Final = timedelta(hours=1)
_LONGEST_PAUSE_S: Final = 6 * 3600.0
_FAILS: Final = 3
"""Attempts after which a delivery that fails is a problem of its own."""
_BLOCKS: Final = 5
"""Attempts after which later messages to the same target no longer wait."""


@dataclass(frozen=True)
class Delivered:
    """What came of it. `sent` are the titles that reached a target, `waiting` the releases that are still going on."""

    sent: tuple[str, ...] = ()
    n_undelivered: int = 0
    n_open: int = 0
    n_untold: int = 0
    waiting: tuple[str, ...] = ()
    complaint: str = ""
    """What is wrong with the routes themselves."""
    again_at: datetime | None = None
    """When to look again even if nothing changes; None where another process was at it."""
    is_taken: bool = False
    """Whether another process holds the ledger, so that nothing was done here."""

    def __str__(self) -> str:
        """Return it as one line for a log or the UI."""
        if self.is_taken:
            return "another process is delivering alerts"
        parts = [f"{count(self.n_open, 'problem')} open", f"{count(len(self.sent), 'message')} delivered"]
        parts += [f"{count(self.n_undelivered, 'delivery', 'deliveries')} failed or waiting"] * bool(self.n_undelivered)
        parts += [f"{count(self.n_untold, 'problem')} told to nobody"] * bool(self.n_untold)
        parts += [f"waiting for the runs of {', '.join(self.waiting)}"] * bool(self.waiting)
        return "; ".join([*parts, *([self.complaint] if self.complaint else [])])


def deliver(
    settings: Settings,
    lake: Lake,
    observed: Observed,
    *,
    finished: str = "",
    send: Send = targets.send,
    environ: Mapping[str, str] | None = None,
    wait_s: float = 0.0,
    budget_s: float = 30.0,
) -> Delivered:
    """Tell what is news and deliver what is due; what could not be delivered stays in the ledger.

    `finished` is a release for which nothing more is to come, as the caller knows (the end of `mlm run`), so that its
    alerts wait for no runs. No delivery begins after `budget_s` seconds. Routes that are not usable are reported, not
    raised.

    Raises:
        MlmError: the ledger or an audit cannot be read.
    """
    with locked(settings.home, wait_s) as is_ours:
        if not is_ours:
            return Delivered(is_taken=True)
        book = read_ledger(settings.home)
        ways, complaint = _ways(settings, environ)
        seen = look(settings, lake, observed)
        problems = [*seen.problems, *_problems_of_alerts(book, ways, complaint, observed)]
        gone = book.take(problems, observed.now)
        resolution.explain(lake, gone, problems)
        teller = _Teller(settings, observed, book, ways, finished)
        teller.tell()
        teller.tell_digest(lake, seen)
        book.prune(observed.now)
        book.save()
        sent = _send_due(settings, book, ways, observed.now, send, time.monotonic() + budget_s, complaint)
        return Delivered(
            tuple(sent),
            len(book.undelivered()),
            len(book.open_incidents()),
            sum(not one.told for one in book.open_incidents()),
            tuple(teller.waiting),
            complaint,
            _again_at(book, observed.now, teller.held_until),
        )


def _ways(settings: Settings, environ: Mapping[str, str] | None) -> tuple[tuple[Route, ...], str]:
    try:
        return routes.load_routes(settings, environ), ""
    except Refused as error:
        return (), str(error)


def _problems_of_alerts(book: Ledger, ways: Sequence[Route], complaint: str, observed: Observed) -> Iterator[Problem]:
    """Yield what is wrong with the alerts themselves; each is told through the other routes."""
    todo = ("mlm alerts test",)
    owners = tuple(dict.fromkeys(owner for several in observed.owners.values() for owner in several))
    if complaint:
        yield Problem(Key("", "route", "alerts.toml", ""), "error", complaint, todo=todo, subjects=("platform",))
    for way in ways:
        subjects = (way.name, "platform", *owners)
        if wrong := route_problem(way):
            yield Problem(Key("", "route", way.name, ""), "error", wrong, todo=todo, subjects=subjects)
        failed = [one for message, one in book.undelivered() if message.route == way.name and one.attempts >= _FAILS]
        if failed:
            names = ", ".join(sorted({f"address {one.number}" for one in failed}))
            yield Problem(
                Key("", "delivery", way.name, ""), "warning",
                f"{count(len(failed), 'message')} could not be delivered to {names} of route {way.name}: "
                f"{failed[0].error}.",
                todo=todo, subjects=subjects,
            )  # fmt: skip


def route_problem(way: Route) -> str:
    """Return what is wrong with a route, in a sentence without its addresses; empty where it is usable."""
    if not way.urls:
        return f"The route {way.name} has no address: the environment variable {way.variable} is not set or empty."
    wrong = [str(number) for number, url in enumerate(way.urls, 1) if not targets.is_understood(url)]
    if wrong:
        return (
            f"The route {way.name}: apprise does not understand address {', '.join(wrong)} of "
            f"{len(way.urls)} in {way.variable}."
        )
    return ""


# -- what is news ----------------------------------------------------------------------------------------------------


class _Teller:
    """Makes messages of what each route does not know yet, one per route and release."""

    def __init__(
        self, settings: Settings, observed: Observed, book: Ledger, ways: Sequence[Route], finished: str
    ) -> None:
        self._settings, self._observed, self._book, self._ways = settings, observed, book, ways
        self._finished = finished
        self._now = observed.now.isoformat()
        self.waiting: list[str] = []
        self.held_until: datetime | None = None

    def tell(self) -> None:
        """Make the alerts and the recovery notices."""
        releases = sorted({key.release for key in self._book.incidents})
        for release in releases:
            concerned = [one for one in self._book.incidents.values() if one.key.release == release]
            for way in self._ways:
                self._alert(release, way, concerned)
                self._recover(release, way, concerned)

    def _alert(self, release: str, way: Route, concerned: Sequence[Incident]) -> None:
        news = [one for one in concerned if one.is_news_to(way.name) and _goes(way, one)]
        if not news or self._waits(release, min(one.changed_at for one in news)):
            return
        news.sort(key=lambda one: (-RANK[one.problem.severity], not one.problem.cause, one.key))
        known = [one for one in concerned if one.is_open and way.name in one.told and one not in news]
        title, body = messages.alert(self._settings, release, news, known)
        self._post(way, "alert", news[0].problem.severity, release, title, body)
        for one in news:
            one.told[way.name] = Told(one.problem.severity, self._now)

    def _recover(self, release: str, way: Route, concerned: Sequence[Incident]) -> None:
        left = [one for one in concerned if one.is_open and way.name in one.told]
        # A table is well again when nothing that was told of it is left.
        ill = {(one.key.kind, one.key.table) for one in left}
        over = [one for one in concerned if one.is_over_for(way.name) and (one.key.kind, one.key.table) not in ill]
        if not over or self._waits(release, min(one.resolved_at for one in over)):
            return
        title, body = messages.recovery(self._settings, release, over, left)
        self._post(way, RECOVERY, RECOVERY, release, title, body)
        for one in over:
            one.told[way.name].is_over_told = True

    def _waits(self, release: str, since: str) -> bool:
        """Tell whether a message still waits for runs of its release, at most `alert_hold_s` after `since`."""
        until = datetime.fromisoformat(since) + timedelta(seconds=self._settings.alert_hold_s)
        if not self._is_busy(release) or self._observed.now >= until:
            return False
        self._hold(release, until)
        return True

    def _is_busy(self, release: str) -> bool:
        return release != self._finished and self._observed.is_busy(release, self._settings.alert_settle_s)

    def _hold(self, release: str, until: datetime) -> None:
        if release not in self.waiting:
            self.waiting.append(release)
        settled = self._observed.now + timedelta(seconds=self._settings.alert_settle_s)
        self.held_until = min(one for one in (self.held_until, until, settled) if one is not None)

    def tell_digest(self, lake: Lake, seen: Look) -> None:
        """Make the digest of the newest release, once, when its runs are over."""
        found = digest.due(self._settings, lake, self._observed, seen.audits, self._book.digests, self._finished)
        if found is None:
            return
        if self._is_busy(found.release):
            self._hold(found.release, self._observed.now + _LOOK_AGAIN)
            return
        subjects = {subject for owners in self._observed.owners.values() for subject in owners}
        for way in self._ways:
            if way.takes(digest.SEVERITY, {*subjects, "refresh", "datasets"}):
                self._post(way, digest.SEVERITY, digest.SEVERITY, found.release, found.title, found.body)
        self._book.digests[found.release] = found.version

    def _post(self, way: Route, kind: str, severity: str, release: str, title: str, body: str) -> None:
        numbers = range(1, len(way.urls) + 1) if way.urls else [0]
        deliveries = [Delivery(number) for number in numbers]
        self._book.messages.append(Message(way.name, kind, severity, release, title, body, self._now, deliveries))


def _goes(way: Route, incident: Incident) -> bool:
    """Tell whether an incident goes a way; what is wrong with a route is no news to that route."""
    problem = incident.problem
    is_about_it = problem.key.kind in ("delivery", "route") and problem.key.table == way.name
    return not is_about_it and way.takes(problem.severity, problem.subjects)


# -- delivery --------------------------------------------------------------------------------------------------------


def _send_due(
    settings: Settings,
    book: Ledger,
    ways: Sequence[Route],
    now: datetime,
    send: Send,
    deadline: float,
    complaint: str,
) -> list[str]:
    """Deliver what is due, oldest first; save the ledger after each attempt; return the titles that arrived."""
    urls = {way.name: way.urls for way in ways}
    if not complaint:  # routes that cannot be read are not routes that are gone
        _readdress(book, urls)
    sent = []
    stopped: set[tuple[str, int]] = set()
    for message, one in book.undelivered():
        target = (message.route, one.number)
        known = urls.get(message.route, ())
        if target in stopped or not 0 < one.number <= len(known):
            continue
        if one.next_at and datetime.fromisoformat(one.next_at) > now:
            if one.attempts < _BLOCKS:
                stopped.add(target)
            continue
        if time.monotonic() > deadline:
            break
        reason = send(known[one.number - 1], message.title, message.body, message.severity)
        one.attempts += 1
        if reason is None:
            one.delivered_at, one.next_at, one.error = now.isoformat(), "", ""
            sent.append(message.title)
        else:
            one.error = reason
            one.next_at = (now + timedelta(seconds=pause_s(settings, one.attempts))).isoformat()
            stopped.add(target)
        book.save()
    book.save()
    return sent


def pause_s(settings: Settings, attempts: int) -> float:
    """Return the pause after so many failed attempts, in seconds: doubled each time, six hours at most."""
    return min(settings.alert_retry_s * 2.0 ** min(attempts - 1, 20), _LONGEST_PAUSE_S)


def _readdress(book: Ledger, urls: Mapping[str, Sequence[str]]) -> None:
    """Give addresses to what waited for them, and drop what is for a route or an address that is gone."""
    for message in book.messages:
        waiting = [one for one in message.deliveries if one.is_due_some_time]
        if not waiting:
            continue
        known = urls.get(message.route)
        if known and any(one.number == 0 for one in waiting):
            message.deliveries = [Delivery(number) for number in range(1, len(known) + 1)]
        for one in waiting:
            # A variable that is not set may be set again; an address that was taken out of it is gone.
            one.is_dropped = known is None or (bool(known) and one.number > len(known))


def _again_at(book: Ledger, now: datetime, held_until: datetime | None) -> datetime:
    """Return when to look again: for the next retry, the end of a wait, or because time itself makes tables old."""
    moments = [now + _LOOK_AGAIN, *([held_until] if held_until else [])]
    stopped: set[tuple[str, int]] = set()
    for message, one in book.undelivered():
        target = (message.route, one.number)
        if target in stopped or one.number == 0:
            continue
        moments.append(datetime.fromisoformat(one.next_at) if one.next_at else now)
        if one.attempts < _BLOCKS:
            stopped.add(target)
    return max(min(moments), now)
