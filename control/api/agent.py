"""POST /api/v2/powermta/agent and …/agent/status: what `sendgate pmta agent` ships from PowerMTA's
host, and what that PowerMTA says of itself.

200: stored. 409: it does not continue its stream, or what stood before is wanted, too; the answer
says where the stream stands (`control.accounting.shipment.Standing`). Anything else: not stored,
and the agent posts it again.
"""

import asyncio
from collections.abc import Awaitable, Callable

import msgspec
from aiohttp import web

from control.accounting.payload import InflatedError
from control.accounting.shipment import unpacked
from control.accounting.shipped import Shipments
from control.pmta.told import Report
from control.problem import RefusedError
from settings.accounting import Accounting

Parcel = Callable[[web.Request], Awaitable[tuple[str, bytes]]]
"""(who, what) of a request; raises RefusedError."""
Keep = Callable[[Report], Awaitable[None]]
"""Keeps what a PowerMTA says of itself; raises RefusedError."""


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
            raise RefusedError(str(error), status=400) from error
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
            raise RefusedError(f"it is not an agent's report ({error})", status=400) from error
        await self._keep(report)
        return web.Response(body=b"{}", content_type="application/json")
