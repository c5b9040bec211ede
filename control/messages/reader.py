"""Moves what gateways tell from the ledger's stream into the table: each once, however often it is
interrupted, for the position changes in the transaction of the rows.

Failure: PostgreSQL or the ledger away is said once and tried again; the stream keeps what fits it.
Two control nodes: the row of the position is locked, and who comes second begins where the first
ended.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any, cast

from redis.asyncio import Redis
from redis.exceptions import RedisError

from control.messages.outcome import COLUMNS, normal, read
from policy.ledger.bulletin import OUTCOMES
from policy.ledger.ledger import root_key
from policy.limits import DAY, day_of
from settings.statements import statements

log = logging.getLogger(__name__)

_SQL = statements(__package__, "outcome")

EVERY = 1.0
SWEEP = 600
"""Looks between two at what is older than it is kept."""
_AT_ONCE = 64
"""Entries of one transaction; 16 KB each at most."""


class OutcomeReader:
    """Of one ledger. `calendar`: milliseconds now; `kept` in seconds."""

    def __init__(
        self,
        pool: Any,
        client: Redis,
        name: str,
        *,
        kept: float,
        calendar: Callable[[], Awaitable[int]],
    ) -> None:
        self._pool = pool
        self._client = client
        self._name = name
        self._key = f"{root_key(name)}{OUTCOMES}"
        self._kept = kept
        self._calendar = calendar
        self._days: set[int] = set()

    async def run(self) -> None:
        """Until cancelled."""
        said, looks = False, 0
        while True:
            try:
                while await self.step():
                    pass
                if looks % SWEEP == 0:
                    await self.sweep()
                said = False
            except Exception as error:  # noqa: BLE001 - tried again, and said once
                # A restored or failed-over database may lack a day that was there.
                self._days.clear()
                if not said:
                    log.warning("what became of messages cannot be read: %s", error)
                said = True
            looks += 1
            await asyncio.sleep(EVERY)

    async def step(self) -> bool:
        """One transaction; whether there may be more. Raises asyncpg's and redis-py's errors."""
        async with self._pool.acquire() as connection, connection.transaction():
            last = await connection.fetchval(_SQL["position"], self._name)
            found = await cast(
                Any, self._client.xrange(self._key, min=f"({last}", max="+", count=_AT_ONCE)
            )
            if not found:
                return False
            outcomes = [one for _, fields in found for one in read(fields.get(b"o", b""))]
            for day in sorted({day_of(one.at) for one in outcomes} - self._days):
                await connection.execute(_SQL["partition"], day)
            rows = [
                (
                    *(day_of(one.at), one.at, one.message, one.tenant, normal(one.recipient)),
                    *(one.outcome, one.campaign, one.vmta, one.server, one.envelope),
                    one.why.replace("\0", ""),
                )
                for one in outcomes
            ]
            await connection.copy_records_to_table(
                "outcome", records=rows, columns=("day", *COLUMNS)
            )
            end = cast(bytes, found[-1][0]).decode()
            await connection.execute(_SQL["read"], self._name, end)
        self._days = {row[0] for row in rows}
        try:
            await self._client.xtrim(self._key, minid=end, approximate=True)
        except RedisError as error:
            log.debug("the stream of outcomes is not cut: %s", error)
        return len(found) == _AT_ONCE

    async def sweep(self) -> None:
        """Drop the days that are over."""
        first = day_of(await self._calendar() - round(self._kept * 1000) - DAY + 1)
        await self._pool.execute(_SQL["sweep"], first)
        self._days.clear()
