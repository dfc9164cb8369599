"""What the server serves at the moment, and how it comes to serve something else without a request seeing both.

A request takes hold of one `Edition` and is answered by it to the end; a swap makes the new edition beside the old one
and then puts it in its place.
"""

import asyncio
import ipaddress
import json
from dataclasses import dataclass
from typing import Any, NamedTuple

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from mlm_assets.errors import Refused
from mlm_assets.local_wikimedia.action_api import ActionApiService
from mlm_assets.local_wikimedia.files import FilesService
from mlm_assets.local_wikimedia.model import World
from mlm_assets.local_wikimedia.sparql import SparqlEngine, SparqlService
from mlm_assets.local_wikimedia.tampering import tampered


@dataclass(frozen=True, slots=True)
class Edition:
    """One world with the services that answer for it; their caches belong to it alone."""

    sparql: SparqlService
    action_api: ActionApiService
    files: FilesService
    described: dict[str, Any]


class _Wish(NamedTuple):
    """What `POST /_world` asks for."""

    month: int
    rate: float | None
    tampering: list[str]


def make_edition(world: World) -> Edition:
    """Return the services of a world; its triples are loaded here.

    Raises:
        Refused: the triples cannot be read.
    """
    engine = SparqlEngine(world)
    described = {**world.describe(), "triples": len(engine)}
    described.setdefault("tampering", [])
    described.setdefault("candidates", engine.n_candidates())
    return Edition(SparqlService(engine), ActionApiService(world), FilesService(world), described)


class Site:
    """Holds the edition of the moment. `world` is the world without tampering.

    Raises:
        Refused: the triples cannot be read, or a tampering is none or finds nothing.
    """

    def __init__(self, world: World, tampering: list[str]) -> None:
        self._world = world
        self._now = make_edition(tampered(world, tampering))
        self._lock = asyncio.Lock()

    @property
    def described(self) -> dict[str, Any]:
        """What is served now."""
        return self._now.described

    async def sparql(self, request: Request) -> Response:
        """Answer a query."""
        return await self._now.sparql(request)

    async def action_api(self, request: Request) -> Response:
        """Answer a request to a wiki."""
        return await self._now.action_api(request)

    async def files(self, request: Request) -> Response:
        """Answer with a file."""
        return await self._now.files(request)

    async def show(self, request: Request) -> Response:
        """Answer `/_world`: GET says what is served, POST serves another month or tampering first."""
        if request.method == "GET":
            return JSONResponse(self.described)
        if not _is_from_here(request):
            return JSONResponse({"error": "The world is changed from this machine alone."}, 403)
        try:
            async with self._lock:
                await self._swap(_wish(await request.body(), self._world.month))
        except Refused as error:
            return JSONResponse({"error": str(error)}, 400)
        return JSONResponse(self.described)

    async def _swap(self, wish: _Wish) -> None:
        self._world, self._now = await run_in_threadpool(self._made, wish)

    def _made(self, wish: _Wish) -> tuple[World, Edition]:
        is_same = wish.month == self._world.month and wish.rate is None
        world = self._world if is_same else self._world.at(wish.month, wish.rate)
        return world, make_edition(tampered(world, wish.tampering))


def _is_from_here(request: Request) -> bool:
    try:
        return request.client is not None and ipaddress.ip_address(request.client.host).is_loopback
    except ValueError:
        return False


def _wish(body: bytes, month: int) -> _Wish:
    """Return what a body asks for: the month stays where it names none, tampering ends where it names none.

    Raises:
        Refused: it is no JSON object of that shape.
    """
    shape = '{"month": 3, "tampering": ["extracts_empty"], "rate": 0.02}'
    try:
        asked = json.loads(body or b"{}")
    except ValueError as error:
        raise Refused(f"The body is no JSON ({error}). Send an object such as {shape}.") from error
    if not isinstance(asked, dict) or not asked.keys() <= {"month", "tampering", "rate"}:
        raise Refused(f"The body is not understood. Send an object such as {shape}; every key may be left out.")
    wanted, rate, kinds = asked.get("month", month), asked.get("rate"), asked.get("tampering", [])
    if type(wanted) is not int or not (rate is None or isinstance(rate, int | float)):
        raise Refused(f"The month is a whole number and the rate a share. Send an object such as {shape}.")
    if not isinstance(kinds, list) or not all(isinstance(kind, str) for kind in kinds):
        raise Refused(f"The tampering is a list of kinds. Send an object such as {shape}.")
    return _Wish(wanted, rate, kinds)
