"""Tells the ledger what went around the gateways.

Rule: told are totals, which only rise, so that a repeat charges nothing
(`policy/ledger/bypass.lua`); a row is done when the incarnation in force was told it. So it does
not matter where this is killed, whether two control nodes do it at once, or what a lost ledger
forgot: a rebuilt one has another incarnation and hears of everything again, beside what it is
rebuilt with.
Failure: PostgreSQL or the ledger away is said once and tried again.
"""

import logging
from collections.abc import Awaitable, Callable
from itertools import groupby
from typing import Any

from control.again import again
from control.store.database import Connection
from policy.ledger.admin import LedgerAdmin
from policy.limits import DAY, day_of
from settings.statements import statements

log = logging.getLogger(__name__)

_SQL = statements(__package__, "bypass")

EVERY = 1.0
_AT_ONCE = 2_000


class Charging:
    """Of one ledger. `calendar`: milliseconds now."""

    def __init__(
        self, pool: Any, admin: LedgerAdmin, *, calendar: Callable[[], Awaitable[int]]
    ) -> None:
        self._pool = pool
        self._admin = admin
        self._calendar = calendar

    async def run(self) -> None:
        """Until cancelled."""
        await again(self._look, EVERY, log, "mail around the gateways is not charged")

    async def _look(self) -> None:
        while await self.step():
            pass

    async def step(self) -> bool:
        """Tell the ledger what it was not told; whether there may be more. Raises asyncpg's and
        redis-py's errors."""
        incarnation = await self._admin.incarnation()
        if not incarnation:
            # Closed: it is told when it opens again, which is in a second incarnation.
            return False
        first = day_of(await self._calendar()) - 1
        rows = await self._pool.fetch(_SQL["pending"], first, incarnation, _AT_ONCE)
        told = []
        for (day, ip), several in groupby(rows, key=lambda row: (row["day"], row["ip"])):
            totals = {row["provider"]: row["recipients"] for row in several}
            if not await self._admin.charge_bypass(incarnation, ip, day, totals):
                break
            told += [(day, ip, provider, total) for provider, total in totals.items()]
        if told:
            columns = (list(column) for column in zip(*told, strict=True))
            await self._pool.execute(_SQL["applied"], incarnation, *columns)
        return len(told) == len(rows) == _AT_ONCE


async def sweep(pool: Connection, now: int, kept: float) -> None:
    """Drop what is older than it is kept, by days. `now` in calendar milliseconds, `kept` in
    seconds."""
    first = day_of(now - round(kept * 1000) - DAY + 1)
    await pool.execute(_SQL["sweep"], first)
    await pool.execute(_SQL["sweep_counts"], first)
