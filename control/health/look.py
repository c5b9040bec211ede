"""One look at every part, each for itself: one that is away is not well, and hides no other.

PostgreSQL keeps what is found: while it is away nothing is, and what was found last gets old.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from redis.exceptions import RedisError

from control.accounting.status import StreamView, unwritten
from control.health import probe
from control.health.health import Found, put
from control.health.probe import greeting, room
from control.ledger.opening import Opening
from control.ledger.status import LedgerState
from control.plan.publish import Publisher
from control.pmta.circuit import circuits_view, sentences
from control.pmta.standing import Wrong
from control.pmta.told import ToldView
from control.problem import RefusedError
from policy.ledger.admin import LedgerAdmin
from settings.statements import statements

_SQL = statements(__package__, "health")

TIMEOUT = 5.0
"""Seconds for a PowerMTA's greeting."""

Streams = Callable[[], Awaitable[list[StreamView]]]
Told = Callable[[], Awaitable[list[ToldView]]]
Configured = Callable[[], Awaitable[list[Wrong]]]
"""PowerMTA servers with something wrong about their configuration."""


class HealthLook:
    """Of one control node. `late`: seconds after which accounting is late; `paths`: whose disks
    need room."""

    def __init__(
        self,
        pool: Any,
        admin: LedgerAdmin,
        opening: Opening,
        publisher: Publisher,
        streams: Streams,
        told: Told,
        configured: Configured,
        *,
        late: float,
        paths: list[Path],
        node: str,
    ) -> None:
        self._pool = pool
        self._admin = admin
        self._opening = opening
        self._publisher = publisher
        self._streams = streams
        self._told = told
        self._configured = configured
        self._late = late
        self._paths = paths
        self._node = node

    async def __call__(self, now: int) -> str:
        """Write down how all of it is; in a sentence, what is not well. Calendar milliseconds.
        Raises asyncpg's errors."""
        found = [await self._postgresql(), await self._valkey()]
        found.append(await self._gateways())
        found += await self._servers()
        found += await self._accounting()
        found.append(await asyncio.to_thread(room, self._paths, self._node))
        await put(self._pool, now, found)
        ill = [f"{one.service} {one.name}".strip() for one in found if not one.healthy]
        return f"{len(found)} looked at; not well: {', '.join(ill) or 'none'}"

    async def _postgresql(self) -> Found:
        began = time.monotonic()
        await self._pool.fetch(_SQL["list"])
        took = time.monotonic() - began
        return Found(service="postgresql", healthy=True, detail=f"answers in {took * 1000:.0f} ms")

    async def _valkey(self) -> Found:
        began = time.monotonic()
        status = await self._opening.status()
        took = time.monotonic() - began
        well = status.state is LedgerState.OPEN and not status.problems
        detail = f"open, answers in {took * 1000:.0f} ms"
        if not well:
            detail = f"{status.state.value}: {'; '.join([status.detail, *status.problems])}"
        return Found(service="valkey", healthy=well, detail=detail)

    async def _gateways(self) -> Found:
        found = await self._heard()
        for _ in range(probe.TRIES - 1):
            if found.healthy:
                break
            await asyncio.sleep(probe.PAUSE)
            found = await self._heard()
        return found

    async def _heard(self) -> Found:
        try:
            workers, figures = await self._admin.workers(), await self._admin.figures()
        except (RedisError, OSError) as error:
            return Found(service="gateway", healthy=False, detail=f"nobody can be heard: {error}")
        releasers = {name for name, of in figures.items() if of.sessions is None} & workers.keys()
        taking = len(workers) - len(releasers)
        detail = f"{taking} workers and {len(releasers)} releasers are heard of"
        return Found(service="gateway", healthy=taking > 0, detail=detail)

    async def _servers(self) -> list[Found]:
        try:
            plan = await self._publisher.current()
            circuits = sentences(circuits_view(await self._admin.circuits()))
        except (RedisError, OSError, RefusedError):
            return []  # which servers there are is in the plan, and that the ledger is away is said
        told = {one.server: one for one in await self._told()}
        wrong = {one.server: one.sentences for one in await self._configured()}
        servers = plan.servers if plan is not None else ()
        found = await asyncio.gather(*(greeting(one, timeout=TIMEOUT) for one in servers))
        return [
            _judged(
                one,
                circuits.get(("server", one.name)),
                told.get(one.name),
                wrong.get(one.name, []),
            )
            for one in found
        ]

    async def _accounting(self) -> list[Found]:
        return [self._stream(stream) for stream in await self._streams()]

    def _stream(self, of: StreamView) -> Found:
        well, detail = not of.problem, of.problem
        if unwritten(of):
            well, detail = True, "PowerMTA has written nothing yet"
        elif well and of.age is not None:
            well, detail = of.age <= self._late, f"read to the end {of.age:.0f} s ago"
        elif well:
            detail = "nothing was read to the end yet"
        return Found(service="accounting", name=of.server, healthy=well, detail=detail)


def _judged(found: Found, circuit: str | None, told: ToldView | None, wrong: list[str]) -> Found:
    """With what gateways and the agent say of it, and (`wrong`) of its configuration."""
    said = [found.detail]
    said += [circuit] if circuit else []
    said += told.troubles if told else []
    said += wrong
    healthy = found.healthy and circuit is None and not (told and told.troubles) and not wrong
    return Found(service=found.service, name=found.name, healthy=healthy, detail="; ".join(said))
