"""Lead texts of a shard in one language: what an earlier release has of unchanged pages, and what is asked for.

Fifty titles a request say which pages are what they were (title, revision, redirect); the others are asked for their
texts, twenty a request, whose free places go to pages that were taken over, as a proof. How a table is read and
published does not belong here (`media`), nor the Action API (`resources.wikipedia`).
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from mlm_assets.assets.changes import Recheck
from mlm_assets.errors import RequestRejected, ServiceUnavailable
from mlm_assets.resources.failures import HostDown
from mlm_assets.resources.sampling import is_drawn, sample
from mlm_assets.resources.wikipedia import STATES_BATCH, PageState, Wikipedia
from mlm_assets.settings import Settings

TEXT_LICENCE: Final = "CC BY-SA 4.0"
"""Licence of the text of all Wikipedias since June 2023 (Wikimedia Terms of Use, section 7)."""
ONE_IN: Final = 4
"""Of partitions in which no page changed, one in so many asks for texts all the same, as a proof."""
TOLERATED: Final = 2
"""So many texts of a sample (twenty at most) may have changed without a new revision: templates do that to a page."""
_ASKED_AGAIN: Final = ("unavailable", "quarantined")
_FIELDS: Final = (
    "lang", "title", "status", "text", "text_sha256", "revision", "is_redirect", "licence", "answer_key",
)  # fmt: skip
_COMPARED: Final = ("title", "status", "text", "is_redirect")

Record = dict[str, Any]
Progress = Callable[[int], None]


@dataclass(frozen=True)
class Articles:
    """The fields of `summaries` by requested title, how many were taken over, and what asking some again showed."""

    records: Mapping[str, Record]
    n_taken_over: int
    n_asked: int
    recheck: Recheck


def gather_articles(
    client: Wikipedia,
    lang: str,
    titles: Sequence[str],
    held: Mapping[str, Record],
    settings: Settings,
    salt: tuple[str, ...],
    progress: Progress = lambda _: None,
) -> Articles:
    """Return the lead texts under `titles`; `held` are the rows that an earlier release has, by requested title.

    `salt` decides which of those taken over are asked for again. Raises what the client raises for a host that is
    down; titles that the service does not answer for are `unavailable`.
    """
    known = {title: held[title] for title in titles if title in held and held[title]["status"] not in _ASKED_AGAIN}
    same = _unchanged(client, lang, known)
    asked = [title for title in titles if title not in same]
    progress(len(titles) - len(asked))
    again = sample(same, _n_again(len(asked), settings, salt), *salt)
    wanted = sorted([*asked, *again])
    fresh = {record.pop("_title"): record for record in lead_texts(client, lang, wanted, settings.titles_batch)}
    progress(len(asked))
    taken = {title: {name: known[title][name] for name in _FIELDS} for title in same}
    recheck = _compare(lang, again, fresh, taken)
    # A page that was edited while it was looked at is newer than what was taken over.
    newer = {title: fresh[title] for title in recheck.moved_on if fresh[title]["status"] not in _ASKED_AGAIN}
    # So is one whose text came from a template that changed: of those that were looked at, today's text is taken.
    corrected = {title: fresh[title] for title in recheck.differing}
    records = {**taken, **newer, **corrected, **{title: fresh[title] for title in asked}}
    return Articles(records, len(same), len(asked), recheck)


def lead_texts(client: Wikipedia, lang: str, titles: Sequence[str], batch: int) -> Iterator[Record]:
    """Ask for lead texts, one request a batch, and yield the fields of `summaries` for each title.

    Titles of a request that the service does not answer are `unavailable`; they are asked for again by the next run.
    """
    for start in range(0, len(titles), batch):
        asked = titles[start : start + batch]
        try:
            yield from [_summary(lang, answer) for answer in client.lead_texts(lang, asked)]
        except HostDown:
            raise
        except (ServiceUnavailable, RequestRejected):
            yield from (_unavailable(lang, title) for title in asked)


def _n_again(n_asked: int, settings: Settings, salt: tuple[str, ...]) -> int:
    """Return how many titles are asked for again: those that fit into the last request, or into one of its own."""
    if n_asked == 0 and settings.recheck_share > 0 and is_drawn(ONE_IN, *salt):
        return settings.titles_batch
    return -n_asked % settings.titles_batch


def _unchanged(client: Wikipedia, lang: str, known: Mapping[str, Record]) -> list[str]:
    """Return the titles under which the page of an earlier release is, at the same revision."""
    titles = sorted(known)
    states: dict[str, PageState] = {}
    for start in range(0, len(titles), STATES_BATCH):
        try:
            asked = titles[start : start + STATES_BATCH]
            states.update({state.requested_title: state for state in client.states(lang, asked)})
        except HostDown:
            raise
        except (ServiceUnavailable, RequestRejected):
            continue  # as if they had changed: their texts are asked for
    return [title for title in titles if title in states and _is_same(states[title], known[title])]


def _is_same(state: PageState, record: Record) -> bool:
    status = "there" if record["status"] in ("ok", "empty") else record["status"]
    now = (state.status, state.title, state.revision, state.is_redirect)
    return now == (status, record["title"], record["revision"], record["is_redirect"])


def _compare(lang: str, again: Sequence[str], fresh: Mapping[str, Record], taken: Mapping[str, Record]) -> Recheck:
    """Compare texts as they were asked again and as they were taken over.

    A page that was edited meanwhile, or that the service does not answer for, shows nothing.
    """
    moved_on = [
        title
        for title in again
        if fresh[title]["status"] in _ASKED_AGAIN or fresh[title].get("revision") != taken[title]["revision"]
    ]
    differing = [
        title
        for title in again
        if title not in moved_on and any(fresh[title].get(name) != taken[title][name] for name in _COMPARED)
    ]
    return Recheck(len(again), moved_on, differing, {("lang", lang): len(differing)})


def _summary(lang: str, answer: Any) -> Record:
    text = answer.text if answer.status == "ok" else None
    return {
        "_title": answer.requested_title,
        "lang": lang,
        "title": answer.title,
        "status": answer.status,
        "text": text,
        "text_sha256": hashlib.sha256(text.encode()).hexdigest() if text is not None else None,
        "revision": answer.revision,
        "is_redirect": answer.is_redirect,
        "licence": TEXT_LICENCE if text is not None else None,
        "answer_key": answer.answer_key,
    }


def _unavailable(lang: str, title: str) -> Record:
    return {"_title": title, "lang": lang, "status": "unavailable", "is_redirect": False}
