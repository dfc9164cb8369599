"""One exchange over HTTP: a request goes out, an answer comes back whole, or it is clear that it did not.

requests and urllib3 send; what they leave open is closed here: the length that was announced is held against what
came, a body larger than its cap is not read on, the time limit holds for the whole exchange and not between two
bytes, redirects are handed back instead of followed, cookies are not kept.

Does not belong here: whether and when to ask again (`http`), and how fast (`politeness`).
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.cookiejar import DefaultCookiePolicy
from typing import Final

import requests
import urllib3
from requests.adapters import HTTPAdapter

from mlm_assets.errors import QueryTimeout, RequestRejected
from mlm_assets.resources.failures import FileTooLarge, Retry
from mlm_assets.resources.politeness import netloc_of
from mlm_assets.settings import is_loopback

_CHUNK: Final = 1 << 16
_CONNECT_S: Final = 15.0
_MAX_TEXT_BYTES: Final = 1 << 29
"""Cap of an answer that is no file: far above any true one, far below what would exhaust the machine."""


@dataclass(frozen=True)
class Exchange:
    """What came back: status, headers (names in lower case), and the body unpacked."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Wire:
    """The one HTTP session of a transport. Safe to be used by several threads: nothing in it changes after set-up."""

    def __init__(self, user_agent: str, max_file_bytes: int) -> None:
        self._max_file_bytes = max_file_bytes
        self._session = requests.Session()
        self._session.headers.update({"User-Agent": user_agent, "Accept-Encoding": "gzip"})
        self._session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        adapter = HTTPAdapter(pool_connections=32, pool_maxsize=16, max_retries=0)
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, adapter)

    def exchange(
        self,
        service: str,
        method: str,
        url: str,
        *,
        params: Mapping[str, str],
        form: Mapping[str, str],
        headers: Mapping[str, str],
        timeout_s: float,
        count: Callable[[str, int], None],
    ) -> Exchange:
        """Send one request and read its whole answer; redirects are returned, not followed.

        `count` is told the service and the bytes of the body that came over the wire, whole or not.

        Raises:
            Retry: no connection, no answer in time, or an answer that broke off or has another length than announced.
            QueryTimeout: the SPARQL service did not answer within `timeout_s`.
            FileTooLarge: the body is larger than its cap.
            RequestRejected: `url` is no address that can be asked.
        """
        host = netloc_of(url)
        deadline = time.monotonic() + timeout_s
        try:
            with self._session.request(
                method,
                url,
                params=dict(params) or None,
                data=dict(form) or None,
                headers=dict(headers),
                timeout=(min(_CONNECT_S, timeout_s), timeout_s),
                allow_redirects=False,
                stream=True,
                # A proxy of the environment is for the world, not for a server on this machine.
                proxies={"http": "", "https": ""} if is_loopback(url) else None,
            ) as response:
                try:
                    body = self._read(response, service, deadline)
                finally:
                    count(service, response.raw.tell())
                return Exchange(response.status_code, {k.lower(): v for k, v in response.headers.items()}, body)
        except (requests.ReadTimeout, urllib3.exceptions.ReadTimeoutError, TimeoutError) as error:
            raise _too_slow(service, host, timeout_s) from error
        except (
            requests.exceptions.InvalidURL,
            requests.exceptions.InvalidSchema,
            requests.exceptions.MissingSchema,
        ) as error:
            raise RequestRejected(f"{url!r} is no address that can be asked: {error}") from error
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            raise Retry(f"{host} gave no answer ({type(error).__name__}: {_first_line(error)})") from error

    def _read(self, response: requests.Response, service: str, deadline: float) -> bytes:
        """Return the unpacked body."""
        cap = self._max_file_bytes if service == "files" else _MAX_TEXT_BYTES
        announced = _announced(response)
        if announced is not None and announced > cap:
            raise FileTooLarge(f"{response.url} has {announced} bytes; at most {cap} are taken.")
        parts, size = [], 0
        for part in response.raw.stream(_CHUNK, decode_content=True):
            parts.append(part)
            size += len(part)
            if size > cap:
                raise FileTooLarge(f"{response.url} has more than {cap} bytes; it was not taken.")
            if time.monotonic() > deadline:
                raise TimeoutError
        n_bytes = int(response.raw.tell())
        if announced is not None and announced != n_bytes:
            raise Retry(f"{netloc_of(response.url)} announced {announced} bytes and sent {n_bytes}")
        return b"".join(parts)


def _announced(response: requests.Response) -> int | None:
    text = response.headers.get("Content-Length", "")
    return int(text) if text.isascii() and text.isdigit() else None


def _too_slow(service: str, host: str, timeout_s: float) -> Exception:
    sentence = f"{host} did not answer within {timeout_s:g} s"
    return QueryTimeout(sentence) if service == "sparql" else Retry(sentence)


def _first_line(error: BaseException) -> str:
    return str(error).partition("\n")[0][:200]
