"""The Action API of one wiki: `action=query` with its errors, warnings, continuation and both format versions.

Shapes follow MediaWiki (https://www.mediawiki.org/wiki/API:Main_page): every answer, errors too, is JSON with HTTP 200.
What a property says is in `props.py`, which pages are meant in `pageset.py`.
"""

import json
import unicodedata
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import parse_qsl

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from mlm_assets.local_wikimedia import props
from mlm_assets.local_wikimedia.model import MediaFile, Page, World
from mlm_assets.local_wikimedia.pageset import resolve
from mlm_assets.local_wikimedia.props import ApiError, Query, split_values
from mlm_assets.local_wikimedia.titles import FILE, Title

COMMONS: Final = "commons.wikimedia.org"
MAX_TITLES: Final = 50
_KNOWN: Final = frozenset((
    "action", "format", "formatversion", "utf8", "maxlag", "errorformat", "uselang", "curtimestamp", "origin",
    "requestid", "servedby", "maxage", "smaxage", "titles", "redirects", "prop", "meta", "continue", "indexpageids",
    "exintro", "explaintext", "exlimit", "excontinue", "exsectionformat", "exsentences", "exchars", "inprop",
    "iiprop", "iiurlwidth", "iiurlheight", "iilimit", "iiextmetadatafilter", "iiextmetadatalanguage", "iilocalonly",
    "ppprop", "siprop", "rawcontinue", "assert",
))  # fmt: skip
_DOCREF: Final = "See https://{host}/w/api.php for API usage."
_NOT_NORMALISED: Final = (
    'The value passed for "titles" contains invalid or non-normalized data. Textual data should be valid, '
    "NFC-normalized Unicode without C0 control characters other than HT (\\t), LF (\\n), and CR (\\r)."
)
_JSON: Final = "application/json; charset=utf-8"


class ActionApi:
    """One wiki of a world: a Wikipedia, or Commons."""

    def __init__(self, world: World, host: str) -> None:
        self._world = world
        self.host = host
        self._lang = None if host == COMMONS else host.partition(".")[0]

    def find(self, title: Title) -> Page | MediaFile | None:
        """Return the page or file under a normalised title of this wiki."""
        if self._lang is None:
            return self._world.file(title.text) if title.namespace == FILE else None
        return self._world.page(self._lang, title.text) if title.namespace != FILE else None

    def answer(self, parameters: Mapping[str, str], base_url: str) -> tuple[dict[str, Any], dict[str, str]]:
        """Return the answer (in the format version asked for) and extra headers."""
        version = 2 if parameters.get("formatversion") in ("2", "latest") else 1
        try:
            _check_common(parameters)
            answer, warnings = self._dispatch(parameters, base_url)
            headers: dict[str, str] = {}
        except ApiError as error:
            answer, warnings = {"error": self._error(error)}, {}
            headers = {"MediaWiki-API-Error": error.code}
            if error.code == "maxlag":
                headers |= {"Retry-After": "5", "X-Database-Lag": "0"}
        unknown = [name for name in parameters if name not in _KNOWN]
        if unknown:
            plural = "s" if len(unknown) > 1 else ""
            warnings = {"main": [f"Unrecognized parameter{plural}: {', '.join(unknown)}."], **warnings}
        answer = _with_warnings(answer, warnings)
        return (_second_version if version == 2 else _first_version)(answer), headers

    def _error(self, error: ApiError) -> dict[str, Any]:
        docref = _DOCREF.format(host=self.host)
        return {"code": error.code, "info": error.info, **error.details, "docref": docref}

    def _dispatch(self, parameters: Mapping[str, str], base_url: str) -> tuple[dict[str, Any], dict[str, list[str]]]:
        action = parameters.get("action", "")
        if action != "query":
            raise ApiError("badvalue", f'Unrecognized value for parameter "action": {action}.')
        if parameters.get("meta") == "siteinfo":
            return {"batchcomplete": True, "query": {"general": self._site()}}, {}
        return self._query(parameters, base_url)

    def _site(self) -> dict[str, Any]:
        name = "Wikimedia Commons" if self._lang is None else "Wikipedia"
        return {
            "mainpage": "Main Page",
            "base": f"https://{self.host}/wiki/Main_Page",
            "sitename": name,
            "generator": "MediaWiki 1.39.0 (local)",
            "case": "first-letter",
            "lang": self._lang or "en",
        }

    def _query(self, parameters: Mapping[str, str], base_url: str) -> tuple[dict[str, Any], dict[str, list[str]]]:
        titles = split_values(parameters.get("titles", ""))
        _limit_values("titles", titles)
        pages = resolve(titles, self, "redirects" in parameters)
        head, entries = pages.general(), pages.entries()
        by_title = {entry["title"]: entry for entry in entries.values()}
        query = Query(parameters, self.host, base_url, pages, by_title)
        if any(unicodedata.normalize("NFC", title) != title for title in titles):
            query.warn("query", _NOT_NORMALISED)
        wanted = _wanted_props(query)
        left = _run(query, wanted)
        answer: dict[str, Any] = {}
        if left:
            done = [name for name in wanted if name != "extracts"]
            answer["continue"] = {**left, "continue": "||" + "|".join(done)}
        else:
            answer["batchcomplete"] = True
        body = {**head, "pages": entries} if entries else head
        if body:
            answer["query"] = body
        if parameters.get("exlimit") == "max":
            answer["limits"] = {"extracts": props.MAX_EXTRACTS}
        return answer, query.warnings


def _wanted_props(query: Query) -> list[str]:
    """Return the properties to run, known and asked for, those finished in an earlier answer included."""
    wanted = query.choices("prop", "")
    _limit_values("prop", wanted)
    unknown = [name for name in wanted if name not in props.SERVED]
    if unknown:
        plural = "s" if len(unknown) > 1 else ""
        query.warn("query", f'Unrecognized value{plural} for parameter "prop": {", ".join(unknown)}')
    return [name for name in wanted if name in props.SERVED]


def _run(query: Query, wanted: list[str]) -> dict[str, int]:
    """Run the properties that earlier answers have not finished; return where to go on."""
    finished = query.parameters.get("continue", "").partition("||")[2].split("|")
    left: dict[str, int] = {}
    for name in wanted:
        if name in finished:
            continue
        if name == "extracts":
            following = props.extracts(query)
            if following is not None:
                left["excontinue"] = following
        else:
            {"info": props.info, "imageinfo": props.imageinfo, "pageprops": props.pageprops}[name](query)
    return left


def _limit_values(name: str, values: list[str]) -> None:
    if len(values) > MAX_TITLES:
        raise ApiError(
            "toomanyvalues",
            f'Too many values supplied for parameter "{name}". The limit is {MAX_TITLES}.',
            limit=MAX_TITLES,
            lowlimit=MAX_TITLES,
            highlimit=500,
        )


def _check_common(parameters: Mapping[str, str]) -> None:
    """Raise what MediaWiki finds wrong before it looks at the action."""
    form = parameters.get("format", "")
    if form not in ("json", "jsonfm"):
        raise ApiError("badvalue", f'Unrecognized value for parameter "format": {form}.')
    maxlag = parameters.get("maxlag", "")
    if maxlag:
        try:
            lag_allowed = int(maxlag)
        except ValueError:
            raise ApiError("badinteger", f'Invalid value "{maxlag}" for integer parameter "maxlag".') from None
        if lag_allowed < 0:
            raise lag_error(0)


def lag_error(lag_s: float) -> ApiError:
    """Return the error of a wiki whose replicas lag behind; a negative `maxlag` always brings it, with lag 0."""
    return ApiError(
        "maxlag", f"Waiting for a database server: {lag_s} seconds lagged.", host="local", lag=lag_s, type="db"
    )


def _with_warnings(answer: dict[str, Any], warnings: dict[str, list[str]]) -> dict[str, Any]:
    """Put warnings where MediaWiki puts them: of the main module first of all, of others before the query."""
    if not warnings:
        return answer
    texts = {module: {"warnings": "\n".join(lines)} for module, lines in warnings.items()}
    if "main" in texts:
        return {"warnings": texts, **answer}
    first: dict[str, Any] = {key: answer[key] for key in ("batchcomplete", "continue", "error") if key in answer}
    return {**first, **{"warnings": texts}, **answer}


def _second_version(answer: dict[str, Any]) -> dict[str, Any]:
    """Return an answer with its pages as a list, in the order of their numbers."""
    query = answer.get("query", {})
    if "pages" not in query:
        return answer
    pages = [page for _, page in sorted(query["pages"].items())]
    return {**answer, "query": {**query, "pages": pages}}


def _first_version(answer: dict[str, Any]) -> dict[str, Any]:
    """Return an answer in format version 1: flags as empty strings, pages by number, "*" for text."""
    converted: dict[str, Any] = _flags(answer)
    for texts in converted.get("warnings", {}).values():
        texts["*"] = texts.pop("warnings")
    if "error" in converted:
        converted["error"]["*"] = converted["error"].pop("docref")
    return converted


def _flags(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): "" if item is True else _flags(item) for key, item in value.items() if item is not False}
    return [_flags(item) for item in value] if isinstance(value, list) else value


async def _parameters(request: Request) -> dict[str, str]:
    parameters = dict(request.query_params)
    if request.method == "POST":
        form = (await request.body()).decode("utf-8", "replace")
        parameters |= dict(parse_qsl(form, keep_blank_values=True))
    return parameters


class ActionApiService:
    """Answers for every wiki of a world; which one is said by the first part of the path."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._wikis: dict[str, ActionApi] = {}

    async def __call__(self, request: Request) -> Response:
        """Return the answer of the wiki addressed."""
        host = request.path_params["host"]
        wiki = self._wikis.setdefault(host, ActionApi(self._world, host))
        parameters = await _parameters(request)
        if "action" not in parameters:
            return HTMLResponse("<!DOCTYPE html><title>MediaWiki API help</title><h1>MediaWiki API help</h1>")
        base_url = str(request.base_url).rstrip("/")
        answer, headers = await run_in_threadpool(wiki.answer, parameters, base_url)
        body = json.dumps(answer, ensure_ascii=False, separators=(",", ":")).encode()
        return Response(body, media_type=_JSON, headers=headers)
