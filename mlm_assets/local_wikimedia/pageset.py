"""From the titles of a request to the pages meant: normalised, redirected, missing, invalid.

Follows ApiPageSet of MediaWiki: pages come back in an order of the wiki's own, not of the request; several titles
may end at one page; chains of redirects are followed to their end, each step reported. What has no page gets a
number below zero.
"""

import unicodedata
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import quote

from mlm_assets.local_wikimedia.model import MediaFile, Page
from mlm_assets.local_wikimedia.titles import InvalidTitle, Title, parse_title


class Wiki(Protocol):
    """What a page set asks of a wiki."""

    def find(self, title: Title) -> Page | MediaFile | None:
        """Return the page or file under a normalised title."""


@dataclass(slots=True)
class PageSet:
    """The pages of one request; `good` in the order of the wiki's index of titles."""

    normalized: dict[str, str] = field(default_factory=dict)
    interwiki: dict[str, str] = field(default_factory=dict)
    redirects: dict[str, tuple[str, str | None]] = field(default_factory=dict)
    missing: list[Title] = field(default_factory=list)
    invalid: dict[str, str] = field(default_factory=dict)
    good: list[tuple[Title, Page | MediaFile]] = field(default_factory=list)

    def general(self) -> dict[str, Any]:
        """Return the lists that stand beside the pages."""
        head: dict[str, Any] = {}
        if self.normalized:
            head["normalized"] = [_normalized(raw, to) for raw, to in self.normalized.items()]
        if self.interwiki:
            head["interwiki"] = [{"title": title, "iw": prefix} for title, prefix in self.interwiki.items()]
        if self.redirects:
            head["redirects"] = [_redirect(source, *target) for source, target in self.redirects.items()]
        return head

    def entries(self) -> dict[int, dict[str, Any]]:
        """Return one entry per page by its number: the missing, the invalid, the good (formatversion 2)."""
        entries: dict[int, dict[str, Any]] = {}
        for number, title in enumerate(self.missing, 1 + len(self.invalid)):
            entries[-number] = {"ns": title.namespace, "title": title.full, "missing": True}
        for number, (raw, reason) in enumerate(self.invalid.items(), 1):
            entries[-number] = {"title": raw, "invalidreason": reason, "invalid": True}
        for title, page in self.good:
            entries[page.pageid] = {"pageid": page.pageid, "ns": title.namespace, "title": title.full}
        return entries


def _order(title: Title) -> tuple[int, str]:
    return title.namespace, title.text.replace(" ", "_")


def _normalized(raw: str, to: str) -> dict[str, Any]:
    composed = unicodedata.normalize("NFC", raw) != raw
    return {"fromencoded": composed, "from": quote(raw, safe="") if composed else raw, "to": to}


def _redirect(source: str, target: str, fragment: str | None) -> dict[str, Any]:
    entry = {"from": source, "to": target}
    return entry | {"tofragment": fragment} if fragment else entry


def resolve(titles: list[str], wiki: Wiki, follow_redirects: bool) -> PageSet:
    """Return the page set of `titles`."""
    pages = PageSet()
    pending: dict[str, Title] = {}
    for raw in titles:
        try:
            title = parse_title(raw)
        except InvalidTitle as error:
            pages.invalid[raw] = str(error)
            continue
        if title.interwiki:
            pages.interwiki[title.full] = title.interwiki
        elif title.text:
            pending[title.full] = title
        if title.full != raw:
            pages.normalized[raw] = title.full
    seen = set(pending)
    while pending:
        pending = _look_up(pages, pending, wiki, follow_redirects)
        pending = {full: title for full, title in pending.items() if full not in seen}
        seen |= set(pending)
    return pages


def _look_up(pages: PageSet, wanted: dict[str, Title], wiki: Wiki, follow_redirects: bool) -> dict[str, Title]:
    """Add what is found to `pages`; return the targets of redirects, to be looked up next."""
    found = {full: wiki.find(title) for full, title in wanted.items()}
    pages.missing += [title for full, title in wanted.items() if found[full] is None]
    there = [(title, page) for full, title in wanted.items() if (page := found[full]) is not None]
    leading = [(title, page) for title, page in there if page.redirect_to and follow_redirects]
    pages.good += sorted((pair for pair in there if pair not in leading), key=lambda pair: _order(pair[0]))
    targets: dict[str, Title] = {}
    for title, page in sorted(leading, key=lambda pair: pair[1].pageid):
        target = Title(title.namespace, page.redirect_to or "")
        fragment = page.redirect_fragment if isinstance(page, Page) else None
        pages.redirects[title.full] = target.full, fragment
        targets[target.full] = target
    return targets
