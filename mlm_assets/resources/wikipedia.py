"""The client of the Wikipedias: lead texts of articles, twenty titles a request.

What is asked: `prop=extracts|info` with `exintro` and `explaintext`. Every requested title comes back exactly once,
whatever it was normalised and redirected to. Follows https://www.mediawiki.org/wiki/Extension:TextExtracts#API and
section 3.3.2 of the paper. Does not belong here: the manners (`http`), the API's ways (`action_api`).
"""

import re
from collections.abc import Iterator, Sequence
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
        if not _LANG.fullmatch(lang):
            raise Refused(f"{lang!r} is not the language code of a Wikipedia.")
        sent, impossible = by_askable(titles)
        for title in impossible:
            yield LeadText(title, None, "invalid_title", None, None, None, False, "")
        for batch in batches(list(sent), self._settings.titles_batch):
            for cleaned, pages in self._asked(lang, batch):
                for requested in sent[cleaned]:
                    yield _lead_text(requested, cleaned, pages)

    def _asked(self, lang: str, titles: Sequence[str]) -> Iterator[tuple[str, Pages]]:
        """Yield each title with the answer that holds it."""
        url = self._settings.wikipedia_url.replace("{lang}", lang)
        params = {**_PARAMS, "titles": "|".join(titles)}
        try:
            pages = query(
                self._transport, self._settings, f"wikipedia/{lang}", url, params, ("excontinue", "incontinue")
            )
        except TooManyValues:
            if len(titles) == 1:
                raise
            for half in batches(titles, (len(titles) + 1) // 2):
                yield from self._asked(lang, half)
        else:
            yield from ((title, pages) for title in titles)


def _lead_text(requested: str, sent: str, pages: Pages) -> LeadText:
    page, is_redirect = pages.find(sent)
    if page is None and not is_redirect:  # another wiki's prefix: the API names no page for it
        return LeadText(requested, None, "invalid_title", None, None, None, False, pages.key)
    if page is None or has_flag(page, "missing"):
        title = None if page is None else page["title"]
        return LeadText(requested, title, "missing", None, None, None, is_redirect, pages.key)
    if has_flag(page, "invalid") or has_flag(page, "special"):
        return LeadText(requested, None, "invalid_title", None, None, None, is_redirect, pages.key)
    text = str(page.get("extract") or "").strip()
    revision, pageid = _number(page, "lastrevid"), _number(page, "pageid")
    status: Literal["ok", "empty"] = "ok" if text else "empty"
    return LeadText(requested, page["title"], status, text or None, revision, pageid, is_redirect, pages.key)


def _number(page: Any, name: str) -> int | None:
    value = page.get(name)
    return value if isinstance(value, int) else None
