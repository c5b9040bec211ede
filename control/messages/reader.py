"""Moves what gateways tell from the ledger's stream into the table: each once, however often it is
interrupted, for the position changes in the transaction of the rows.

Failure: PostgreSQL or the ledger away is said once and tried again; the stream keeps what fits it.
Two control nodes: the row of the position is locked, and who comes second begins where the first
ended.
"""

import logging
from collections.abc import Awaitable, Callable
from typing import Any, cast

from redis.asyncio import Redis
from redis.exceptions import RedisError

from control.again import again
from control.messages.forgetting import forgotten
from control.messages.loss import Reading
from control.messages.outcome import COLUMNS, Outcome, normal, read
from control.messages.refused import Refused
from control.store.database import Connection
from policy.ledger.bulletin import OUTCOMES, OUTCOMES_TOLD
from policy.ledger.ledger import root_key
from policy.limits import day_of
from settings.statements import statements

log = logging.getLogger(__name__)

_SQL = statements(__package__, "outcome")

EVERY = 1.0
_AT_ONCE = 64
"""Entries of one transaction; 16 KB each at most."""


class OutcomeReader:
    """Of one ledger. `calendar`: milliseconds now."""

    def __init__(
        self,
        pool: Any,
        client: Redis,
        name: str,
        *,
        key: bytes,
        calendar: Callable[[], Awaitable[int]],
        names_most: int,
    ) -> None:
        """`key`: of digests of addresses; `names_most`: mailboxes of a tenant that count by name, a
        day."""
        self._pool = pool
        self._client = client
        self._name = name
        self._key = f"{root_key(name)}{OUTCOMES}"
        self._told = f"{root_key(name)}{OUTCOMES_TOLD}"
        self._naming = key
        self._refused = Refused(names_most)
        self._calendar = calendar
        self._days: set[int] = set()

    async def run(self) -> None:
        """Until cancelled."""
        trouble = "what became of messages cannot be read"
        await again(self._look, EVERY, log, trouble, lost=self._lost)

    async def _look(self) -> None:
        while await self.step():
            pass

    async def _lost(self) -> None:
        # A restored or failed-over database may lack a day that was there, and clean-up drops days
        # that are older than they are kept.
        self._days.clear()

    async def step(self) -> bool:
        """One transaction; whether there may be more. Raises asyncpg's and redis-py's errors."""
        async with self._pool.acquire() as connection, connection.transaction():
            position = await connection.fetchrow(_SQL["position"], self._name)
            before = Reading(position["told"], position["seen"])
            async with self._client.pipeline(transaction=True) as pipe:
                pipe.get(self._told)
                pipe.xrange(self._key, min=f"({position['last']}", max="+", count=_AT_ONCE)
                count, found = await pipe.execute()
            entries = [fields.get(b"o", b"") for _, fields in found]
            lines = sum(entry.count(b"\n") + 1 for entry in entries)
            after, lost = before.after(lines, int(count or 0), end=len(found) < _AT_ONCE)
            if not found and after == before:
                return False
            gone = await forgotten(connection, self._naming)
            outcomes = [gone.applied(one) for entry in entries for one in read(entry)]
            rows = await self._rows(connection, outcomes)
            await connection.copy_records_to_table(
                "outcome", records=rows, columns=("day", *COLUMNS)
            )
            await self._refused.take(connection, outcomes)
            end = cast(bytes, found[-1][0]).decode() if found else position["last"]
            at = await self._calendar() if lost else 0
            await connection.execute(
                _SQL["read"], self._name, end, after.told, after.seen, lost, at
            )
        if lost:
            log.warning("what became of %d recipients was trimmed before it was read", lost)
        self._days = {row[0] for row in rows}
        try:
            await self._client.xtrim(self._key, minid=end, approximate=True)
        except RedisError as error:
            log.debug("the stream of outcomes is not cut: %s", error)
        return len(found) == _AT_ONCE

    async def _rows(self, connection: Connection, outcomes: list[Outcome]) -> list[tuple[Any, ...]]:
        """As the table has them; their days are there."""
        for day in sorted({day_of(one.at) for one in outcomes} - self._days):
            await connection.execute(_SQL["partition"], day)
        return [
            (
                *(day_of(one.at), one.at, one.message, one.tenant, normal(one.recipient)),
                *(one.outcome, one.campaign, one.vmta, one.server, one.envelope),
                one.why.replace("\0", ""),
            )
            for one in outcomes
        ]
