"""The words of a message. Texts that come from elsewhere were made harmless where the problem was found (`text`)."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Final

from mlm_assets.alerts.ledger import Incident
from mlm_assets.alerts.problems import Problem
from mlm_assets.alerts.text import clean, count, figures, some
from mlm_assets.settings import Settings

_TITLE: Final = 100
_BODY: Final = 6000
_FULL: Final = 12
"""Incidents that one message describes in full; the others are named."""


def alert(settings: Settings, release: str, news: Sequence[Incident], known: Sequence[Incident]) -> tuple[str, str]:
    """Return title and body of the alert on what is new of a release; `known` is what the route was told before."""
    parts = [_described(one) for one in news[:_FULL]]
    if len(news) > _FULL:
        parts.append("Also: " + some([_name(one.problem) for one in news[_FULL:]], 20))
    if known:
        parts.append("Told before and still open: " + some([_name(one.problem) for one in known], 10))
    return _title(release, _headline([one.problem for one in news])), _body(settings, parts)


def recovery(settings: Settings, release: str, over: Sequence[Incident], left: Sequence[Incident]) -> tuple[str, str]:
    """Return title and body of the notice that incidents of a release are over; `left` is what is still open."""
    parts = ["\n".join(f"{_name(one.problem)}: {one.resolution or 'gone'}." for one in over[:_FULL])]
    if len(over) > _FULL:
        parts.append("Also: " + some([_name(one.problem) for one in over[_FULL:]], 20))
    if left:
        parts.append("Still open: " + some([_name(one.problem) for one in left], 10))
    names = list(dict.fromkeys(one.key.table for one in over))
    return _title(release, f"{some(names, 3)} well again"), _body(settings, parts)


def plain(settings: Settings, release: str, headline: str, parts: Sequence[str]) -> tuple[str, str]:
    """Return title and body of a message that is neither: a digest, a test."""
    return _title(release, headline), _body(settings, parts)


def _title(release: str, headline: str) -> str:
    return clean(f"MLM {release}: {headline}" if release else f"MLM: {headline}", _TITLE)


def _body(settings: Settings, parts: Sequence[str]) -> str:
    text = "\n\n".join(part for part in parts if part)
    if len(text) > _BODY:
        text = text[: _BODY - 40].rstrip() + "\n… cut; see `mlm status` for all of it"
    links = [f"UI: {settings.ui_url.rstrip('/')}"] if settings.ui_url else []
    return "\n".join([text, "", *links, f"Home: {settings.home}"])


def _headline(problems: Sequence[Problem]) -> str:
    checks = [one for one in problems if one.key.kind == "check"]
    if not checks:
        return _short(problems[0]) + (f" and {count(len(problems) - 1, 'other problem')}" if problems[1:] else "")
    first = checks[0]
    tables: dict[str, set[str]] = defaultdict(set)
    for one in checks:
        tables[one.severity].add(one.key.table)
    blocked, warned = tables["error"], tables["warning"] - tables["error"]
    words = [f"{some(sorted(blocked), 2)} blocked"] if blocked else []
    words += [f"{some(sorted(warned), 2)}: {'a warning' if len(warned) == 1 else 'warnings'}"] if warned else []
    cause = f": {first.cause}" if first.cause else f" ({first.key.check})"
    return ", ".join(words) + cause


def _short(problem: Problem) -> str:
    table = problem.key.table
    return {
        "run": f"{table} failed",
        "tick": f"{table} fails",
        "late": f"{table} did not run",
        "overdue": f"{table} is overdue",
        "delivery": f"alerts do not arrive at route {table}",
        "route": f"route {table} is not usable",
    }.get(problem.key.kind, table)


def _name(problem: Problem) -> str:
    return f"{problem.key.table} · {problem.key.check}" if problem.key.check else _short(problem)


def _described(incident: Incident) -> str:
    problem = incident.problem
    where = f", {count(len(problem.partitions), 'partition')}: {some(problem.partitions)}" if problem.partitions else ""
    lines = [f"{_name(problem)} ({problem.severity}){where}", f"  {problem.sentence}"]
    if problem.cause:
        lines.append(f"  Cause: {problem.cause}")
    if shown := figures(problem.figures):
        lines.append(f"  Figures: {shown}")
    if problem.worst:
        lines.append(f"  Worst: {problem.worst}")
    lines += [f"  Readers see: {words}" for words in problem.readers]
    lines += [f"  To do: {words}" for words in problem.todo]
    return "\n".join(lines)
