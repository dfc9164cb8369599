"""Zenodo's deposit API: drafts are made and filled, never published.

A session of its own, not that of `http`: this one writes, with a token, to an archive that is not Wikimedia's. What may
be asked again is asked again (5xx, 429, a broken connection); a draft is not made twice, because before each try one
with the same title and version is looked for. Files go to the draft's bucket, and the MD5 that comes back must be ours.
What is deposited does not belong here (`release.deposit`), nor what is remembered (`commands.deposit`).
API: https://developers.zenodo.org/.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, urlsplit

import requests
from requests.auth import AuthBase

from mlm_assets.errors import MlmError, Refused, RequestRejected, ServiceUnavailable
from mlm_assets.resources.http import retry_after_s
from mlm_assets.settings import is_loopback

ZENODO_URL: Final = "https://zenodo.org"
TOKEN_VARIABLE: Final = "MLM_ZENODO_TOKEN"  # noqa: S105 (the name of the variable, not the token)
_API: Final = "/api/deposit/depositions"
_TIMEOUT_S: Final = (15.0, 900.0)  # to connect; to hear of a file that the archive adds up first
_MAX_PAUSE_S: Final = 60.0
_RETRIED: Final = frozenset({408, 425, 429, 500, 502, 503, 504})
_PAGE: Final = 100


@dataclass(frozen=True)
class RemoteFile:
    """A file of a draft, as the archive knows it; `md5` without a prefix."""

    id: str
    name: str
    md5: str


@dataclass(frozen=True)
class Deposition:
    """A deposition: `is_published` once a person has published it, `doi` the one that is reserved for it."""

    id: int
    is_published: bool
    title: str
    version: str
    doi: str
    bucket_url: str
    page_url: str
    latest_draft_url: str
    files: tuple[RemoteFile, ...]


class Zenodo:
    """A client of one archive. `sleep` and `now` (seconds since 1970) are given by tests."""

    def __init__(
        self,
        url: str,
        token: str,
        user_agent: str,
        *,
        attempts: int = 5,
        first_pause_s: float = 1.0,
        sleep: Callable[[float], None] = time.sleep,
        now: Callable[[], float] = time.time,
    ) -> None:
        """Make a client of the archive at `url`.

        Raises:
            Refused: there is no token, or it would be sent unencrypted over a network.
        """
        parts = urlsplit(url)
        if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(url)):
            raise Refused(f"{url!r} is no https address: a token is not sent over it.")
        if not token.strip():
            raise Refused(f"Set {TOKEN_VARIABLE} to a token of {url} that may write deposits (scope deposit:write).")
        self.url = url.rstrip("/")
        self._attempts, self._first_pause_s = attempts, first_pause_s
        self._sleep, self._now = sleep, now
        self._session = requests.Session()
        self._session.headers["User-Agent"] = user_agent
        self._session.auth = _Bearer(token.strip())

    def get(self, deposition: int) -> Deposition | None:
        """Return a deposition, None where the archive has none of that number (any more)."""
        answer = self._ask("GET", f"{self.url}{_API}/{deposition}", missing_is_none=True)
        return None if answer is None else _deposition(answer)

    def draft(self, metadata: Mapping[str, Any]) -> Deposition:
        """Return a draft with this title and version: the one that a killed process left, else a new one."""
        for attempt in range(1, self._attempts + 1):
            found = self._find_draft(metadata["title"], metadata["version"])
            if found is not None:
                return found
            try:
                return _deposition(self._ask("POST", self.url + _API, {"metadata": dict(metadata)}, attempts=1))
            except ServiceUnavailable:
                # Whether it was made is not known: it is looked for before it is asked for again.
                if attempt == self._attempts:
                    raise
                self._pause(attempt, None)
        raise AssertionError("unreachable")

    def new_version(self, published: Deposition) -> Deposition:
        """Return the draft of the next version of a published deposition; asking twice gives the same draft."""
        answer = self._ask("POST", f"{self.url}{_API}/{published.id}/actions/newversion")
        draft_url = _deposition(answer).latest_draft_url
        if not draft_url:
            raise MlmError(
                f"{self.url} made no draft of a new version of {published.id}. Look at {published.page_url}."
            )
        return _deposition(self._ask("GET", draft_url))

    def set_metadata(self, draft: Deposition, metadata: Mapping[str, Any]) -> None:
        """Give a draft its metadata, in place of what it had."""
        self._ask("PUT", f"{self.url}{_API}/{draft.id}", {"metadata": dict(metadata)})

    def remove(self, draft: Deposition, file: RemoteFile) -> None:
        """Remove a file from a draft; one that is gone already is no error."""
        self._ask("DELETE", f"{self.url}{_API}/{draft.id}/files/{quote(file.id, safe='')}", missing_is_none=True)

    def upload(self, draft: Deposition, path: Path, name: str, md5: str) -> None:
        """Put a file into a draft under `name`, in place of one of that name.

        Raises:
            MlmError: what the archive received is, on every try, not what was sent.
        """
        received = ""
        for attempt in range(1, self._attempts + 1):
            answer = self._ask("PUT", f"{draft.bucket_url}/{quote(name, safe='')}", path=path)
            received = str(answer.get("checksum", "")).removeprefix("md5:")
            if received == md5:
                return
            if attempt < self._attempts:
                self._pause(attempt, None)
        raise MlmError(
            f"{name}: {self.url} received other bytes than were sent (MD5 {received or 'unknown'} for {md5}), "
            f"{self._attempts} times. Run the command again; what is there already is not sent twice."
        )

    # -- inside --------------------------------------------------------------------------------------------------

    def _find_draft(self, title: str, version: str) -> Deposition | None:
        """Return my draft with this title and version, the newest of several."""
        page = 1
        while True:
            listed = self._ask("GET", f"{self.url}{_API}?status=draft&sort=mostrecent&size={_PAGE}&page={page}")
            for one in map(_deposition, listed):
                if (one.title, one.version, one.is_published) == (title, version, False):
                    return self.get(one.id)
            if len(listed) < _PAGE:
                return None
            page += 1

    def _ask(
        self,
        method: str,
        url: str,
        body: Mapping[str, Any] | None = None,
        *,
        path: Path | None = None,
        attempts: int | None = None,
        missing_is_none: bool = False,
    ) -> Any:
        """Send a request, again where that may help; return the JSON of the answer.

        Raises:
            ServiceUnavailable: no usable answer after every attempt.
            RequestRejected: the archive says no.
        """
        self._require_same_host(url)
        for attempt in range(1, (attempts or self._attempts) + 1):
            try:
                answer = self._send(method, url, body, path)
            except (requests.ConnectionError, requests.Timeout) as error:
                problem, pause_s = f"{type(error).__name__}", None
            else:
                if answer.status_code not in _RETRIED:
                    return self._read(method, answer, missing_is_none=missing_is_none)
                problem = f"HTTP {answer.status_code}"
                pause_s = retry_after_s(answer.headers.get("retry-after"), self._now())
            if attempt < (attempts or self._attempts):
                self._pause(attempt, pause_s)
        raise ServiceUnavailable(
            f"{method} {url} was given up after {attempts or self._attempts} attempts; the last time: {problem}. "
            "Run the command again: it goes on where it stopped."
        )

    def _send(self, method: str, url: str, body: Mapping[str, Any] | None, path: Path | None) -> requests.Response:
        if path is None:
            return self._session.request(method, url, json=body, timeout=_TIMEOUT_S, allow_redirects=False)
        with path.open("rb") as file:
            headers = {"Content-Type": "application/octet-stream"}
            return self._session.request(
                method, url, data=file, headers=headers, timeout=_TIMEOUT_S, allow_redirects=False
            )

    def _read(self, method: str, answer: requests.Response, *, missing_is_none: bool) -> Any:
        status = answer.status_code
        if missing_is_none and status in (404, 410):
            return None
        if status in (401, 403):
            raise RequestRejected(
                f"{self.url} does not accept the token for {method} {answer.url} (HTTP {status}). "
                f"{TOKEN_VARIABLE} needs one of this archive with the scope deposit:write."
            )
        if not 200 <= status < 300:
            said = " ".join(answer.text[:400].split())
            raise RequestRejected(f"{self.url} refused {method} {answer.url} (HTTP {status}): {said}")
        if not answer.content:
            return {}
        try:
            return answer.json()
        except ValueError as error:
            raise RequestRejected(f"{answer.url} answered no JSON. Is {self.url} an archive's address?") from error

    def _require_same_host(self, url: str) -> None:
        """Keep the token with the archive: links in answers may lead anywhere."""
        if urlsplit(url)[:2] != urlsplit(self.url)[:2]:
            raise RequestRejected(f"{self.url} names an address elsewhere ({url}), to which no token is sent.")

    def _pause(self, attempt: int, asked_s: float | None) -> None:
        grown_s = self._first_pause_s * float(2 ** (attempt - 1))
        self._sleep(min(_MAX_PAUSE_S, max(grown_s, asked_s or 0.0)))


class _Bearer(AuthBase):
    """Sends the token as a header; given as `auth`, no ~/.netrc takes its place."""

    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Add the header."""
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request


def _deposition(said: Mapping[str, Any]) -> Deposition:
    links, metadata = said.get("links", {}), said.get("metadata", {})
    reserved = metadata.get("prereserve_doi") or {}
    return Deposition(
        id=int(said["id"]),
        is_published=bool(said.get("submitted")),
        title=str(metadata.get("title", said.get("title", ""))),
        version=str(metadata.get("version", "")),
        doi=str(said.get("doi") or reserved.get("doi") or ""),
        bucket_url=str(links.get("bucket", "")),
        page_url=str(links.get("html", "")),
        latest_draft_url=str(links.get("latest_draft", "")),
        files=tuple(
            RemoteFile(str(one["id"]), str(one["filename"]), str(one["checksum"]).removeprefix("md5:"))
            for one in said.get("files", ())
        ),
    )
