"""POST /api/v2/powermta/agent and …/agent/status: what `sendgate pmta agent` ships from PowerMTA's
host, and what that PowerMTA says of itself. GET …/agent/configuration, POST …/agent/applied: what
it is to run, and what became of that (`control.pmta.offer`).

200: stored. 409: it does not continue its stream, or what stood before is wanted, too; the answer
says where the stream stands (`control.accounting.shipment.Standing`). Anything else: not stored,
and the agent posts it again.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable
from typing import Protocol

import msgspec
from aiohttp import web

from control import kinds
from control.accounting.payload import InflatedError
from control.accounting.shipment import unpacked
from control.accounting.shipped import Shipments
from control.api import parameter
from control.pmta.offer import Applied, Asked
from control.pmta.offering import Answer
from control.pmta.speaking import Speaker, named
from control.pmta.told import Report
from control.problem import RefusedError, bad
from settings.accounting import Accounting

Parcel = Callable[[web.Request], Awaitable[tuple[str, bytes]]]
"""(who, what) of a request; raises RefusedError."""
Keep = Callable[[Report], Awaitable[None]]
"""Keeps what a PowerMTA says of itself; raises RefusedError."""


Configured = Callable[[web.Request], Awaitable[str]]
"""Who asks for PowerMTA's configuration; raises RefusedError."""


class Offers(Protocol):
    """The offer for an agent that is not the one it has `seen`, waiting so many seconds for it;
    `look`: for somebody who only looks."""

    async def __call__(self, who: Speaker, seen: str, wait: float, *, look: bool) -> Answer: ...


KeepApplied = Callable[[Applied], Awaitable[Asked]]
"""Keeps what became of an offer; what else is to be known. Raises RefusedError."""

WAIT = re.compile(r"\d{1,4}(?:\.\d{1,3})?", re.ASCII)


class ConfigurationApi:
    """PowerMTA's configuration, for the agent on its host."""

    def __init__(
        self, configured: Configured, offers: Offers, keep: KeepApplied, parcel: Parcel
    ) -> None:
        self._configured = configured
        self._offers = offers
        self._keep = keep
        self._parcel = parcel

    async def offer(self, request: web.Request) -> web.Response:
        """The version to run, when it is another than the agent has seen. Raises RefusedError."""
        await self._configured(request)
        if unknown := sorted(set(request.query) - {"server", "agent", "wait", "look"}):
            raise parameter.unknown(unknown[0])
        who = named(request.query.get("server", ""), request.query.get("agent", ""))
        wait = request.query.get("wait", "0")
        if not WAIT.fullmatch(wait):
            raise bad("wait", "a number of seconds is wanted, such as 30")
        seen = request.headers.get("If-None-Match", "")
        # HEAD changes nothing (RFC 9110, 9.2.1): it does not speak for the agent.
        look = request.query.get("look", "") == "1" or request.method == "HEAD"
        answer = await self._offers(who, seen, float(wait), look=look)
        if float(wait):
            # What it waited for may be private keys, and its token may have been revoked meanwhile.
            await self._configured(request)
        headers = {"ETag": answer.tag} if answer.tag else {}
        # It has private keys: nothing on the way is to keep it.
        headers["Cache-Control"] = "no-store"
        if answer.offer is None:
            return web.Response(status=304, headers=headers)
        body = msgspec.json.encode(answer.offer)
        return web.Response(body=body, headers=headers, content_type="application/json")

    async def applied(self, request: web.Request) -> web.Response:
        """What an agent says of its server. Raises RefusedError."""
        await self._configured(request)
        _, body = await self._parcel(request)
        try:
            said = msgspec.json.decode(body, type=Applied)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise RefusedError(
                f"it is not what an agent says ({error})", kind=kinds.UNREADABLE_BODY
            ) from error
        asked = await self._keep(said)
        return web.Response(body=msgspec.json.encode(asked), content_type="application/json")


class AgentApi:
    """`parcel` lets in who may post accounting."""

    def __init__(
        self, parcel: Parcel, shipments: Shipments, keep: Keep, settings: Accounting
    ) -> None:
        self._parcel = parcel
        self._shipments = shipments
        self._keep = keep
        self._most = settings.webhook_content

    async def look(self, request: web.Request) -> web.Response:
        """One look at PowerMTA's files. Raises RefusedError."""
        _, body = await self._parcel(request)
        try:
            shipment = await asyncio.to_thread(unpacked, body, self._most)
        except InflatedError as error:
            raise RefusedError(f"{error} (accounting.webhook_content)", status=413) from error
        except ValueError as error:
            raise RefusedError(str(error), kind=kinds.UNREADABLE_BODY) from error
        standing = await self._shipments.take(shipment)
        return web.Response(
            body=msgspec.json.encode(standing),
            status=200 if standing.taken else 409,
            content_type="application/json",
        )

    async def status(self, request: web.Request) -> web.Response:
        """What its PowerMTA says of itself. Raises RefusedError."""
        _, body = await self._parcel(request)
        try:
            report = msgspec.json.decode(body, type=Report)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise RefusedError(
                f"it is not an agent's report ({error})", kind=kinds.UNREADABLE_BODY
            ) from error
        await self._keep(report)
        return web.Response(body=b"{}", content_type="application/json")
