"""The client of the Wikipedias: lead texts of articles, twenty titles a request; revisions of pages, fifty a request.

What is asked: `prop=extracts|info` with `exintro` and `explaintext`, or `prop=info` alone. Every requested title comes
back exactly once, whatever it was normalised and redirected to. Follows section 3.3.2 of the paper and
https://www.mediawiki.org/wiki/Extension:TextExtracts#API. Does not belong here: the manners (`http`), the API's ways
(`action_api`).
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, Literal, NamedTuple

from mlm_assets.errors import Refused
from mlm_assets.resources.action_api import Pages, batches, by_askable, has_flag, query
from mlm_assets.resources.failures import TooManyValues
from mlm_assets.resources.http import Transport
from mlm_assets.settings import Settings

_LANG: Final = re.compile(r"[a-z]{2,3}(-[a-z]{2,10})?")
_PARAMS: Final = {
    "prop": "extracts|info",
    "exintro": "1",
    "explaintext": "1",
    "exlimit": "20",
    "redirects": "1",
}


STATES_BATCH: Final = 50
"""Titles in one request for revisions, the most that the Action API takes."""
_INFO_PARAMS: Final = {"prop": "info", "redirects": "1"}
_CONTINUED: Final = ("excontinue", "incontinue")


class PageState(NamedTuple):
    """Which page is under a requested title, and at which revision; without its text.

    `title` is the page that it led to (None: no page); `status` says what is the matter where it is not "there".
    """

    requested_title: str
    title: str | None
    status: Literal["there", "missing", "invalid_title"]
    revision: int | None
    is_redirect: bool


class LeadText(NamedTuple):
    """What Wikipedia has under a requested title: the text before the first heading, as plain text.

    `title` is the page that it led to (None: no page); `status` says what is the matter where `text` is None.
    """

    requested_title: str
    title: str | None
    status: Literal["ok", "missing", "invalid_title", "empty"]
    text: str | None
    revision: int | None
    pageid: int | None
    is_redirect: bool
    answer_key: str


class Wikipedia:
    """Asks the Wikipedias of the settings. All methods raise what `Transport.fetch` raises."""

    def __init__(self, transport: Transport, settings: Settings) -> None:
        self._transport = transport
        self._settings = settings

    def lead_texts(self, lang: str, titles: Sequence[str]) -> Iterator[LeadText]:
        """Yield one lead text for each distinct title of `titles`; a title is asked for once, however it is written.

        Raises:
            Refused: `lang` is no language code.
        """
        sent, impossible = self._sent(lang, titles)
        for title in impossible:
            yield LeadText(title, None, "invalid_title", None, None, None, False, "")
        for batch in batches(list(sent), self._settings.titles_batch):
            for cleaned, pages in self._asked(lang, batch, _PARAMS, "extracts"):
                for requested in sent[cleaned]:
                    yield _lead_text(requested, cleaned, pages)

    def states(self, lang: str, titles: Sequence[str]) -> Iterator[PageState]:
        """Yield the state of the page under each distinct title of `titles`, fifty titles a request.

        Raises:
            Refused: `lang` is no language code.
        """
        sent, impossible = self._sent(lang, titles)
        for title in impossible:
            yield PageState(title, None, "invalid_title", None, False)
        for batch in batches(list(sent), STATES_BATCH):
            for cleaned, pages in self._asked(lang, batch, _INFO_PARAMS, "info"):
                for requested in sent[cleaned]:
                    yield _state(requested, cleaned, pages)

    @staticmethod
    def _sent(lang: str, titles: Sequence[str]) -> tuple[dict[str, list[str]], list[str]]:
        if not _LANG.fullmatch(lang):
            raise Refused(f"{lang!r} is not the language code of a Wikipedia.")
        return by_askable(titles)

    def _asked(
        self, lang: str, titles: Sequence[str], params: Mapping[str, str], purpose: str
    ) -> Iterator[tuple[str, Pages]]:
        """Yield each title with the answer that holds it."""
        url = self._settings.wikipedia_url.replace("{lang}", lang)
        asked = {**params, "titles": "|".join(titles)}
        try:
            pages = query(self._transport, self._settings, f"wikipedia/{lang}", url, asked, _CONTINUED, purpose)
        except TooManyValues:
            if len(titles) == 1:
                raise
            for half in batches(titles, (len(titles) + 1) // 2):
                yield from self._asked(lang, half, params, purpose)
        else:
            yield from ((title, pages) for title in titles)


def _state(requested: str, sent: str, pages: Pages) -> PageState:
    page, is_redirect, problem = _found(sent, pages)
    if page is None or problem is not None:
        title = page["title"] if page is not None and problem == "missing" else None
        return PageState(requested, title, problem or "missing", None, is_redirect)
    return PageState(requested, page["title"], "there", _number(page, "lastrevid"), is_redirect)


def _lead_text(requested: str, sent: str, pages: Pages) -> LeadText:
    page, is_redirect, problem = _found(sent, pages)
    if page is None or problem is not None:
        title = page["title"] if page is not None and problem == "missing" else None
        return LeadText(requested, title, problem or "missing", None, None, None, is_redirect, pages.key)
    text = str(page.get("extract") or "").strip()
    revision, pageid = _number(page, "lastrevid"), _number(page, "pageid")
    status: Literal["ok", "empty"] = "ok" if text else "empty"
    return LeadText(requested, page["title"], status, text or None, revision, pageid, is_redirect, pages.key)


def _found(
    sent: str, pages: Pages
) -> tuple[Mapping[str, Any] | None, bool, Literal["missing", "invalid_title"] | None]:
    """Return the page that a title led to, whether over a redirect, and what is wrong with it."""
    page, is_redirect = pages.find(sent)
    if page is None:  # another wiki's prefix: the API names no page for it
        return None, is_redirect, "missing" if is_redirect else "invalid_title"
    if has_flag(page, "missing"):
        return page, is_redirect, "missing"
    if has_flag(page, "invalid") or has_flag(page, "special"):
        return page, is_redirect, "invalid_title"
    return page, is_redirect, None


def _number(page: Any, name: str) -> int | None:
    value = page.get(name)
    return value if isinstance(value, int) else None
