"""The Action API of MediaWiki as both clients speak it: building a request, reading an answer, following titles.

Its ways: errors come with HTTP 200; `maxlag` is one of them, and means "later"; a title may be normalised and then
redirected several times before it is a page; an answer may be continued. Both formats (`formatversion` 1 and 2) are
read. Does not belong here: what is asked of it (`wikipedia`, `commons`).
Follows https://www.mediawiki.org/wiki/API:Etiquette, API:Query, API:Continue and API:Errors_and_warnings.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple
from urllib.parse import unquote, urlencode

from mlm_assets.errors import RequestRejected
from mlm_assets.resources.failures import Retry, TooManyValues
from mlm_assets.resources.http import Answer, Request, Transport, text_of
from mlm_assets.resources.names import spaced
from mlm_assets.settings import Settings

MAX_URL: Final = 2000
"""A longer request is sent as POST."""

MAX_CONTINUED: Final = 100
_LATER: Final = ("maxlag", "ratelimited", "readonly", "internal_api_error", "timeout")


class Pages(NamedTuple):
    """The pages of an answer with all its continuations: by title, with what led there, and the key of the first."""

    by_title: Mapping[str, Mapping[str, Any]]
    steps: Mapping[str, str]
    redirects: Mapping[str, str]
    key: str

    def find(self, requested: str) -> tuple[Mapping[str, Any] | None, bool]:
        """Return the page that a requested title leads to, and whether a redirect was followed.

        None: no page (redirects in a circle, or to another wiki).
        """
        title = self.steps.get(requested, requested)  # normalised,
        title = self.steps.get(title, title)  # then converted between scripts
        seen = {title}
        while title in self.redirects:
            title = self.redirects[title]
            if title in seen:
                return None, True
            seen.add(title)
        return self.by_title.get(title), len(seen) > 1


def query(
    transport: Transport,
    settings: Settings,
    endpoint: str,
    url: str,
    params: Mapping[str, str],
    follow: Sequence[str],
    purpose: str = "",
) -> Pages:
    """Ask `action=query` for `params`, continuing with the continuation parameters named in `follow` until done.

    `purpose` is what the requests are counted as.

    Raises:
        RequestRejected: the API says that the request is wrong (`TooManyValues`: too many titles).
        ServiceUnavailable: no usable answer after every attempt.
    """
    fixed = {**params, "action": "query", "format": "json", "formatversion": "2", "maxlag": str(settings.maxlag_s)}
    documents, more, key = [], dict[str, str](), ""
    for _ in range(MAX_CONTINUED):
        request = _request(endpoint, url, {**fixed, **more}, purpose)
        document = transport.fetch(request, read_document)
        documents.append(document)
        key = key or request.key
        more = {name: str(value) for name, value in document.get("continue", {}).items()}
        # History of a file is "continued" too, and is none of our business.
        if not any(name in more for name in follow):
            return _merged(documents, key)
    raise RequestRejected(f"{endpoint} continues its answer without end ({more}).")


def read_document(answer: Answer) -> dict[str, Any]:
    """Return the document of an answer that is one.

    Raises:
        Retry: it is none (HTML, broken off), or the API asks to come again later (`maxlag`, `ratelimited`).
        RequestRejected: an API error.
    """
    kind = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise Retry(f"the Action API sent {kind or 'no type'} instead of JSON: {text_of(answer.body, 80)}")
    try:
        document = json.loads(answer.body)
    except ValueError as error:
        raise Retry(f"the Action API sent JSON that breaks off ({error})") from error
    if not isinstance(document, dict):
        raise Retry("the Action API sent JSON that is no document")
    _raise_error(document)
    if not isinstance(document.get("query", {}), dict) or not {"query", "batchcomplete", "continue"} & document.keys():
        raise Retry("the Action API sent a document without a query")
    return document


def pages_of(document: Mapping[str, Any]) -> Iterable[Mapping[str, Any]]:
    """Return the pages of a document, in both formats."""
    pages = document.get("query", {}).get("pages", [])
    found = pages.values() if isinstance(pages, dict) else pages
    return [page for page in found if isinstance(page, dict) and isinstance(page.get("title"), str)]


def has_flag(page: Mapping[str, Any], name: str) -> bool:
    """Tell whether a page has a flag: `true` in format 2, an empty string in format 1."""
    return page.get(name, False) is not False


def askable(title: str) -> str | None:
    """Return a title as it is sent, None where it cannot even be sent (empty, or with the separator of titles)."""
    cleaned = spaced(title)
    return None if not cleaned or any(c in "|\x1f" or ord(c) < 32 for c in cleaned) else cleaned


def by_askable(titles: Iterable[str]) -> tuple[dict[str, list[str]], list[str]]:
    """Return the distinct titles by what is sent for them (several may be one), and those that cannot be sent."""
    sent: dict[str, list[str]] = {}
    impossible = []
    for title in dict.fromkeys(titles):
        cleaned = askable(title)
        if cleaned is None:
            impossible.append(title)
        else:
            sent.setdefault(cleaned, []).append(title)
    return sent, impossible


def batches(titles: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    """Yield `titles` in slices of at most `size`."""
    for start in range(0, len(titles), size):
        yield titles[start : start + size]


def _request(endpoint: str, url: str, params: Mapping[str, str], purpose: str) -> Request:
    headers = {"Accept": "application/json"}
    if len(url) + len(urlencode(params)) < MAX_URL:
        return Request("action_api", endpoint, "GET", url, params=params, headers=headers, purpose=purpose)
    return Request("action_api", endpoint, "POST", url, form=params, headers=headers, purpose=purpose)


def _raise_error(document: Mapping[str, Any]) -> None:
    error = document.get("error") or (document.get("errors") or [None])[0]
    if error is None:
        return
    code = str(error.get("code", "unknown")) if isinstance(error, dict) else "unknown"
    said = f"the Action API answered {code}: {error.get('info', '') if isinstance(error, dict) else error}"
    if code.startswith(_LATER):
        raise Retry(said[:300])
    kind = TooManyValues if code == "toomanyvalues" else RequestRejected
    raise kind(said[:300])


def _merged(documents: Sequence[Mapping[str, Any]], key: str) -> Pages:
    by_title: dict[str, dict[str, Any]] = {}
    steps: dict[str, str] = {}
    redirects: dict[str, str] = {}
    for document in documents:
        found = document.get("query", {})
        for page in pages_of(document):
            by_title.setdefault(page["title"], {}).update(page)
        for step in (*found.get("normalized", []), *found.get("converted", [])):
            origin = unquote(step["from"]) if has_flag(step, "fromencoded") else step["from"]
            if origin != step["to"]:
                steps[origin] = step["to"]
        redirects.update({step["from"]: step["to"] for step in found.get("redirects", []) if "to" in step})
    return Pages(by_title, steps, redirects, key)
