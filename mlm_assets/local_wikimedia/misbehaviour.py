"""How a fault is played: refusals instead of an answer, answers spoilt on the way, connections that break.

Bodies follow what the real services were seen to send: the query service's Jetty pages, answers that break off in the
middle of a binding with a Java stack trace, MediaWiki's `maxlag` error.
"""

import asyncio
import json
import math
import socket
import struct
from email.utils import formatdate
from time import time
from typing import Final

from starlette.responses import HTMLResponse, Response
from starlette.types import Receive, Send

RETRY_AFTER_S: Final = 1
SLOW_S: Final = 0.75
_STACK_TRACE: Final = b"""SPARQL-QUERY: queryStr=SELECT ?item WHERE { ... }
java.util.concurrent.TimeoutException
\tat java.util.concurrent.FutureTask.get(FutureTask.java:205)
\tat com.bigdata.rdf.sail.webapp.BigdataServlet.submitApiTask(BigdataServlet.java:292)
\tat com.bigdata.rdf.sail.webapp.QueryServlet.doSparqlQuery(QueryServlet.java:678)
"""


def _too_many(retry_after: str) -> Response:
    reason = f"Too Many Requests - Please retry in {RETRY_AFTER_S} seconds."
    page = (
        f'<html>\n<head>\n<meta http-equiv="Content-Type" content="text/html;charset=utf-8"/>\n'
        f"<title>Error 429 {reason}</title>\n</head>\n<body><h2>HTTP ERROR 429</h2>\n"
        f"<p>Problem accessing the service. Reason:\n<pre>    {reason}</pre></p>\n"
        "<hr><a>Powered by Jetty:// 9.4.12</a><hr/>\n</body>\n</html>\n"
    )
    return HTMLResponse(page, 429, {"Retry-After": retry_after})


def _maxlag() -> Response:
    error = {
        "code": "maxlag",
        "info": "Waiting for 10.0.0.1: 6.5 seconds lagged.",
        "host": "10.0.0.1",
        "lag": 6.5,
        "type": "db",
        "docref": "See https://www.mediawiki.org/w/api.php for API usage.",
    }
    body = json.dumps({"error": error, "servedby": "local"}).encode()
    headers = {"Retry-After": str(RETRY_AFTER_S), "X-Database-Lag": "6", "MediaWiki-API-Error": "maxlag"}
    return Response(body, media_type="application/json; charset=utf-8", headers=headers)


def instead_of(kind: str) -> Response | None:
    """Return what is sent instead of the answer; None for kinds that need the answer."""
    if kind == "429":
        return _too_many(str(RETRY_AFTER_S))
    if kind == "429-date":
        # A date has whole seconds only: round up, or it lies in the past already.
        return _too_many(formatdate(math.ceil(time()) + RETRY_AFTER_S, usegmt=True))
    if kind == "503":
        page = "<html><head><title>503 Backend fetch failed</title></head><body><h1>Error 503</h1></body></html>\n"
        return HTMLResponse(page, 503)
    if kind == "html":
        page = (
            "<!DOCTYPE html>\n<html><head><title>Wikimedia Error</title></head><body>Try again later.</body></html>\n"
        )
        return HTMLResponse(page, 200)
    return _maxlag() if kind == "maxlag" else None


def spoilt(kind: str, service: str, response: Response, draw: float) -> Response:
    """Return the answer as `kind` spoils it: broken off, or bytes damaged. `draw` in [0, 1) chooses among ways."""
    body = bytes(response.body)
    if response.status_code != 200 or kind not in ("truncated", "corrupt"):
        return response
    media_type = response.headers.get("content-type", "")
    if kind == "truncated":
        cut = body[: int(len(body) * (0.3 + 0.6 * draw))]
        if service == "sparql" and draw < 0.5:
            cut += b'"value" : "' + _STACK_TRACE
        return Response(cut, media_type=media_type)
    half = body[: len(body) // 2]
    return Response(half if draw < 0.5 else b"\0\0garbage" + half[::-1], media_type=media_type)


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def reset(transport: asyncio.Transport, receive: Receive) -> None:
    """Drop the TCP connection without an answer, with a reset rather than an orderly end."""
    connection = transport.get_extra_info("socket")
    if connection is not None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()
    await _until_gone(receive)


async def send_wrong_length(response: Response, transport: asyncio.Transport, receive: Receive, send: Send) -> None:
    """Send less than Content-Length announces, then close."""
    body = bytes(response.body)
    headers = [(name, value) for name, value in response.raw_headers if name != b"content-length"]
    headers += [(b"content-length", str(len(body) + 100).encode()), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": response.status_code, "headers": headers})
    await send({"type": "http.response.body", "body": body[: len(body) // 2], "more_body": True})
    transport.close()
    await _until_gone(receive)
