"""How everything stands, gathered from the hold, the ledger, accounting and this node's files."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

from redis.exceptions import RedisError

from control.accounting.lacking import lacking
from control.accounting.setaside import Backlog
from control.accounting.status import StreamView, streams, unwritten
from control.bypass.view import around
from control.checks.certificate import certificate_end, certificate_troubles
from control.explain import status
from control.explain.intake import LAG
from control.explain.status import DOUBT, Status
from control.health.health import health
from control.held.look import Hold
from control.ledger.carryover import Figure
from control.ledger.opening import Opening
from control.messages.loss import Loss
from control.plan.publish import Publisher
from control.pmta import telling
from control.pmta.standing import wrong
from control.problem import RefusedError
from control.stop.stop import standing
from control.suppressions.listed import listed
from control.version import VERSION
from policy.ledger.admin import LedgerAdmin
from settings.model import Settings
from settings.statements import statements

_SQL = statements(__package__, "status")


class Look:
    """Call it for the status of now."""

    def __init__(
        self,
        pool: Any,
        hold: Hold,
        opening: Opening,
        publisher: Publisher,
        admin: LedgerAdmin,
        settings: Settings,
        lost: Callable[[], Awaitable[Loss]],
        backlog: Callable[[], Awaitable[Backlog]],
        carried: Callable[[], list[Figure]],
    ) -> None:
        self._pool = pool
        self._hold = hold
        self._opening = opening
        self._publisher = publisher
        self._admin = admin
        self._settings = settings
        self._lost = lost
        self._backlog = backlog
        self._carried = carried

    async def __call__(self) -> Status:
        """Says what is away; raises for the database alone."""
        at, settings = await self._hold.now(), self._settings
        held = [dict(row) for row in await self._pool.fetch(_SQL["hold"], at - DOUBT)]
        ledger = await self._opening.status()
        generation, workers, figures, circuits = None, {}, {}, {}
        try:
            generation = await self._publisher.current()
            workers = await self._admin.workers()
            figures, circuits = await self._admin.figures(), await self._admin.circuits()
        except (RedisError, OSError, RefusedError):
            pass  # `ledger` says that it is away
        troubles, end = await asyncio.to_thread(_certificate, settings)
        read = await streams(self._pool, settings.accounting, at)
        return status.status(
            status.Facts(
                now=at,
                version=VERSION,
                generation=generation,
                workers=workers,
                figures=figures,
                circuits=circuits,
                held=held,
                slow_from=settings.hold.slow_from,
                ledger=ledger,
                accounting=read,
                sent=await self._sent(read, at),
                backlog=await self._backlog(),
                certificate=end,
                certificate_problems=troubles,
                lost=await self._lost(),
                lacking=await lacking(self._pool, at),
                carried=self._carried(),
                listed=await listed(self._pool, settings.suppressions.most),
                around=await around(self._pool, at),
                configured=await wrong(
                    self._pool, round(time.time() * 1000), settings.control.pmta_agent_silent
                ),
                told=await telling.told(self._pool, at),
                health=await health(self._pool),
                stopped=await standing(self._pool),
            )
        )

    async def _sent(self, read: list[StreamView], at: int) -> bool:
        """Whether accounting should have been written."""
        if not any(unwritten(stream) for stream in read):
            return True
        before = at - round(LAG * 1000)
        return bool(await self._pool.fetchval(_SQL["sent"], before))


def _certificate(settings: Settings) -> tuple[list[str], str]:
    """(what is wrong with it, when it ends in ISO time); reads files."""
    return certificate_troubles(settings), certificate_end(settings)
