"""From the titles of a request to the pages meant: normalised, redirected, missing, invalid.

Follows ApiPageSet of MediaWiki: pages come back in the order of the wiki's index, not of the request; several
titles may end at one page; chains of redirects are followed to their end, each step reported.
"""

import unicodedata
from dataclasses import dataclass, field
from typing import Any, Final, Protocol
from urllib.parse import quote

from mlm_assets.local_wikimedia.model import MediaFile, Page
from mlm_assets.local_wikimedia.titles import FILE, InvalidTitle, Title, parse_title


class Wiki(Protocol):
    """What a page set asks of a wiki."""

    def find(self, title: Title) -> Page | MediaFile | None:
        """Return the page or file under a normalised title."""


@dataclass(slots=True)
class PageSet:
    """The pages of one request; `good` by full title, in index order."""

    normalized: dict[str, str] = field(default_factory=dict)
    interwiki: dict[str, str] = field(default_factory=dict)
    redirects: dict[str, tuple[str, str | None]] = field(default_factory=dict)
    missing: list[Title] = field(default_factory=list)
    invalid: dict[str, str] = field(default_factory=dict)
    good: list[tuple[Title, Page | MediaFile]] = field(default_factory=list)

    def general(self) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """Return what every answer says: the lists beside the pages, and one entry per page (formatversion 2)."""
        head: dict[str, Any] = {}
        if self.normalized:
            head["normalized"] = [_normalized(raw, to) for raw, to in self.normalized.items()]
        if self.interwiki:
            head["interwiki"] = [{"title": title, "iw": prefix} for title, prefix in self.interwiki.items()]
        if self.redirects:
            head["redirects"] = [_redirect(source, *target) for source, target in self.redirects.items()]
        entries: list[dict[str, Any]] = [
            {"ns": title.namespace, "title": title.full, "missing": True} for title in self.missing
        ]
        entries += [{"title": raw, "invalidreason": reason, "invalid": True} for raw, reason in self.invalid.items()]
        entries += [{"pageid": page.pageid, "ns": title.namespace, "title": title.full} for title, page in self.good]
        return head, entries


_NAMESPACE_ORDER: Final = "{:04d}/{}"


def _order(title: Title) -> str:
    return _NAMESPACE_ORDER.format(title.namespace, title.text.replace(" ", "_"))


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
        else:
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
    targets: dict[str, Title] = {}
    for title in sorted(wanted.values(), key=_order):
        page = wiki.find(title)
        if page is None:
            pages.missing.append(title)
        elif page.redirect_to and follow_redirects:
            target = Title(title.namespace, page.redirect_to)
            fragment = page.redirect_fragment if isinstance(page, Page) else None
            pages.redirects[title.full] = target.full, fragment
            targets[target.full] = target
        else:
            pages.good.append((title, page))
    return targets


__all__ = ["FILE", "PageSet", "Title", "Wiki", "resolve"]
