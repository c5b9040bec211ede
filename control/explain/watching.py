"""Looks for what is wrong every half minute, and lets alerts begin and end.

Rule: one control node at a time looks (an advisory lock), and what it finds is all there is: what
was found before and is not any more has ended. Not here: what is wrong (`control.explain.alarms`
and the look of `sendgate status`).
Failure: PostgreSQL away: no alert begins or ends, nor is one sent, for they are its rows; that is
what Prometheus' rules are beside it for. The ledger away: is an alert, and what only it knows stays
as it was found last.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from redis.exceptions import RedisError

from control.again import again
from control.alerts.alert import SQL as ALERTS
from control.alerts.alert import Raised, event, settle
from control.consolidation.consolidation import Day
from control.explain import alarms
from control.explain.look import Look
from control.explain.said import of_replies
from control.jobs.run import troubled
from control.plan.publish import Publisher
from control.problem import RefusedError
from policy.ledger.admin import LedgerAdmin
from policy.limits import day_of
from settings.statements import statements

log = logging.getLogger(__name__)

_SQL = statements(__package__, "watching")

EVERY = 30.0
"""Real seconds between two looks."""
WATCH_LOCK = 0x5E4D_6A7E_0016
"""PostgreSQL advisory lock of whoever looks."""
SOURCE = "watch"
RECENT = 2
"""Days for which a decision is news, or a consolidated day is looked at."""
SAID = 1
"""Days before today for which what a provider said is still so."""
DAYS = 8
AT_ONCE = 500
"""IPs that one script of the ledger reads."""


class Watch:
    """Of one control node."""

    def __init__(
        self,
        pool: Any,
        look: Look,
        publisher: Publisher,
        admin: LedgerAdmin,
        calendar: Callable[[], Awaitable[int]],
        over_after: float,
    ) -> None:
        """`over_after`: seconds (`alerts.over_after`)."""
        self._over_after = round(over_after * 1000)
        self._pool = pool
        self._look = look
        self._publisher = publisher
        self._admin = admin
        self._calendar = calendar

    async def run(self) -> None:
        """Until cancelled."""
        # Parts that start together are not heard of at once.
        await asyncio.sleep(EVERY)
        await again(self.step, EVERY, log, "alerts cannot be looked for")

    async def step(self) -> bool:
        """One look; False: another node is at it. Raises redis-py's and asyncpg's errors."""
        async with self._pool.acquire() as connection, connection.transaction():
            if not await connection.fetchval(ALERTS["lock"], WATCH_LOCK):
                return False
            now = await self._calendar()
            found = await self._found(now)
            await settle(connection, now, SOURCE, found, over_after=self._over_after)
            for row in await connection.fetch(_SQL["happened"], day_of(now) - RECENT):
                await event(connection, now, alarms.of_decision(row, f"{row['act']}-{row['id']}"))
        return True

    async def _found(self, now: int) -> list[Raised]:
        status = await self._look()
        found = alarms.of_troubles(status.troubles)
        found += alarms.of_health(status.health, {one.key for one in found})
        found += alarms.of_jobs(await troubled(self._pool))
        rows = await self._pool.fetch(_SQL["differing"], day_of(now) - DAYS)
        found += alarms.of_days(Day(**dict(row)) for row in rows)
        judged = await self._pool.fetch(_SQL["judged"])
        found += [alarms.of_decision(row, "") for row in judged]
        found += of_replies(await self._pool.fetch(_SQL["said"], day_of(now) - SAID))
        return found + await self._spent()

    async def _spent(self) -> list[Raised]:
        rows = await self._pool.fetch(_SQL["waiting"])
        waiting = {row["pool"]: row["messages"] for row in rows}
        if not waiting:
            return []
        try:
            plan = await self._publisher.current()
            if plan is None:
                return []
            pools = [pool for pool in plan.pools if pool.name in waiting]
            ips = [plan.vmta[name].ip for pool in pools for name in pool.members]
            usage = {}
            for first in range(0, len(ips), AT_ONCE):
                usage.update((await self._admin.usage(ips[first : first + AT_ONCE]))[1])
        except (RedisError, OSError, RefusedError):
            return []  # that the ledger is away is an alert already
        return alarms.spent_pools(plan, usage, waiting)
