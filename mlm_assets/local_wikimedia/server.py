"""The server: the three services under one address, counted, misbehaving on request.

Every service is wrapped in the same `Endpoint`, which counts, plays faults and compresses; the services themselves only
turn a request into a response.
"""

import asyncio
import gzip
import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, Final

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import Message, Receive, Scope, Send
from uvicorn.protocols.http.auto import AutoHTTPProtocol

from mlm_assets.errors import Refused
from mlm_assets.local_wikimedia import misbehaviour
from mlm_assets.local_wikimedia.faults import Faults, fraction
from mlm_assets.local_wikimedia.files import file_type_icon
from mlm_assets.local_wikimedia.model import World
from mlm_assets.local_wikimedia.site import Site
from mlm_assets.local_wikimedia.stats import Stats, Watch
from mlm_assets.local_wikimedia.tampering import parse_kinds
from mlm_assets.local_wikimedia.thumbnails import ICON_PATH

Service = Callable[[Request], Awaitable[Response]]

_COMPRESSIBLE: Final = ("application/", "text/")
_MIN_COMPRESSED_BYTES: Final = 500
_COMPRESS_LEVEL: Final = 2


class Endpoint:
    """One service behind counters, faults and compression."""

    def __init__(self, name: str, service: Service, stats: Stats, faults: Faults) -> None:
        self._name = name
        self._service = service
        self._stats = stats
        self._faults = faults
        self._n_spoilt = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        with self._stats.watch(self._name, scope["path_params"].get("host")) as watch:
            await self._answer(Request(scope, receive), _counted(send, watch))

    async def _answer(self, request: Request, send: Send) -> None:
        kind = self._faults.draw(self._name)
        if kind is None:
            response = await self._service(request)
        else:
            self._stats.count_fault(kind)
            if kind == "reset":
                await misbehaviour.reset(_transport(request), request.receive)
                return
            response = await self._misbehave(kind, request)
        response = await _compressed(response, request.headers.get("accept-encoding", ""))
        if kind == "wrong-length":
            await misbehaviour.send_wrong_length(response, _transport(request), request.receive, send)
            return
        await response(request.scope, request.receive, send)

    async def _misbehave(self, kind: str, request: Request) -> Response:
        refusal = misbehaviour.instead_of(kind)
        if refusal is not None:
            if "retry-after" in refusal.headers:
                self._stats.asked_to_wait(self._name, misbehaviour.RETRY_AFTER_S)
            await request.body()
            return refusal
        if kind == "slow":
            await asyncio.sleep(misbehaviour.SLOW_S)
        response = await self._service(request)
        self._n_spoilt += 1
        return misbehaviour.spoilt(kind, self._name, response, fraction("spoilt", self._name, self._n_spoilt))


def _transport(request: Request) -> asyncio.Transport:
    transport: asyncio.Transport = request.scope["state"]["transport"]
    return transport


def _counted(send: Send, watch: Watch) -> Send:
    async def counted(message: Message) -> None:
        if message["type"] == "http.response.start":
            watch.status = message["status"]
        else:
            watch.n_bytes += len(message.get("body", b""))
        await send(message)

    return counted


async def _compressed(response: Response, accepted: str) -> Response:
    """Return the response with gzip where the client takes it and it pays; pictures are left alone."""
    body = bytes(response.body)
    media_type = response.headers.get("content-type", "")
    if "gzip" not in accepted or len(body) < _MIN_COMPRESSED_BYTES or not media_type.startswith(_COMPRESSIBLE):
        return response
    packed = await asyncio.to_thread(gzip.compress, body, _COMPRESS_LEVEL, mtime=0)
    kept = {name: value for name, value in response.headers.items() if name != "content-length"}
    headers = {**kept, "Vary": "Accept-Encoding", "Content-Encoding": "gzip"}
    return Response(packed, response.status_code, headers)


def make_app(world: World, faults: str | None = None, tampering: str | None = None) -> Starlette:
    """Return the ASGI application that serves `world`; the triples are loaded here.

    Raises:
        Refused: the world's triples, the faults or the kinds of tampering cannot be read.
    """
    plan = Faults.parse(faults)
    stats = Stats()
    site = Site(world, parse_kinds(tampering))

    async def show_stats(_request: Request) -> Response:
        return JSONResponse(stats.as_json() | {"candidates": site.described["candidates"]})

    async def reset_stats(_request: Request) -> Response:
        stats.reset()
        return PlainTextResponse("", 204)

    def endpoint(name: str, service: Service) -> Endpoint:
        return Endpoint(name, service, stats, plan)

    routes = [
        Route("/sparql", endpoint("sparql", site.sparql), methods=["GET", "POST"]),
        Route("/{host}/w/api.php", endpoint("action_api", site.action_api), methods=["GET", "POST"]),
        Route("/upload.wikimedia.org/wikipedia/commons/{path:path}", endpoint("files", site.files)),
        Route(ICON_PATH, endpoint("files", file_type_icon)),
        Route("/_stats", show_stats),
        Route("/_stats/reset", reset_stats, methods=["POST"]),
        Route("/_world", site.show, methods=["GET", "POST"]),
    ]
    return Starlette(routes=routes)


class _Protocol(AutoHTTPProtocol):  # type: ignore[misc, valid-type]
    """Gives the application the connection, which a fault may have to break."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the connection where requests can find it."""
        super().connection_made(transport)
        self.app_state: dict[str, Any] = {**self.app_state, "transport": transport}


class _Server(uvicorn.Server):
    """Tells when it is ready."""

    def __init__(self, config: uvicorn.Config, announce: Callable[[], None]) -> None:
        super().__init__(config)
        self._announce = announce

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start to listen, then announce it."""
        await super().startup(sockets)
        self._announce()


def _listen(host: str, port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise Refused(
            f"The local Wikimedia cannot listen on {host}:{port} ({error.strerror}). Choose another port."
        ) from error
    return listener


def serve(
    world: World,
    host: str = "127.0.0.1",
    port: int = 0,
    faults: str | None = None,
    ready: Callable[[str], Any] | None = None,
    tampering: str | None = None,
) -> None:
    """Serve `world` until interrupted; `ready` is called with the base URL as soon as requests are answered.

    Port 0 takes a free one.

    Raises:
        Refused: the port is taken, or the faults, the kinds of tampering or the triples cannot be read.
    """
    listener = _listen(host, port)
    url = f"http://{host}:{listener.getsockname()[1]}"
    try:
        config = uvicorn.Config(
            make_app(world, faults, tampering), http=_Protocol, lifespan="off", log_level="warning", access_log=False
        )
        # An interrupt is how serving ends; the server hands it on after it has closed its connections.
        with suppress(KeyboardInterrupt):
            _Server(config, lambda: ready(url) if ready else None).run(sockets=[listener])
    finally:
        listener.close()
