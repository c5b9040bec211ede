"""Learns whose servers take a domain's mail, and tells every process.

Rules: DNS wins, and its answer is kept for its TTL within bounds; where it has not answered, three
records in a row that name one provider's servers do. An answer that says nothing changes nothing.
Asking is bounded in rate and number, and no message waits for it. Any number of control nodes do
it.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from control.again import again
from control.provider.lookup import Answer, NoAnswerError
from policy.ledger.learnt import LearntTable
from policy.provider import learn
from settings.providers import Providers
from settings.statements import statements

log = logging.getLogger(__name__)

_SQL = statements(__package__, "provider")

EVERY = 1.0
HINTS = 3
"""Records in a row that are believed. One may be a redirection or a test; three deliveries in a row
to another's servers are where the mail goes."""
PUBLISH = 5
"""Looks between two at whether the table that is told is another one."""
TRIM = 600
"""Looks between two at how many domains there are."""


class Asks(Protocol):
    """What asks DNS."""

    async def mx(self, domain: str) -> Answer:
        """Raises NoAnswerError."""


class Learning:
    """Of one ledger. `resolver`: None asks nobody; `calendar`: milliseconds now."""

    def __init__(
        self,
        pool: Any,
        told: LearntTable,
        resolver: Asks | None,
        settings: Providers,
        calendar: Callable[[], Awaitable[int]],
    ) -> None:
        self._pool = pool
        self._told = told
        self._resolver = resolver
        self._settings = settings
        self._calendar = calendar
        self._looks = 0
        self._known = ""
        """The table that this process goes by."""

    async def run(self) -> None:
        """Until cancelled."""
        await again(self._work, EVERY, log, "providers of domains are not learnt")

    async def _work(self) -> None:
        await self.look()
        if self._looks % PUBLISH == 0:
            await self.publish()
        if self._looks % TRIM == 0:
            await self.trim()
        self._looks += 1

    async def look(self) -> None:
        """Believe records, and ask for what is due: as many as may be asked for in a second. Raises
        asyncpg's errors."""
        now = await self._calendar()
        await self._pool.execute(_SQL["believe"], now, HINTS)
        if self._resolver is None:
            return
        await self._pool.execute(_SQL["doubt"], now, HINTS)
        due = [row["domain"] for row in await self._pool.fetch(_SQL["due"], now, self._per_look)]
        room = asyncio.Semaphore(self._settings.at_once)
        await asyncio.gather(*(self._ask(domain, self._resolver, room) for domain in due))

    @property
    def _per_look(self) -> int:
        return max(round(self._settings.per_second * EVERY), 1)

    async def _ask(self, domain: str, resolver: Asks, room: asyncio.Semaphore) -> None:
        async with room:
            try:
                answer = await resolver.mx(domain)
            except NoAnswerError as error:
                now = await self._calendar()
                next_at = now + round(self._settings.least * 1000)
                await self._pool.execute(_SQL["unanswered"], domain, now, next_at, str(error)[:200])
                return
        now = await self._calendar()
        kept = min(max(answer.ttl, self._settings.least), self._settings.most)
        await self._pool.execute(
            _SQL["answered"],
            *(domain, answer.provider, answer.host, now, now + round(kept * 1000)),
        )

    async def trim(self) -> None:
        """Forget those that are too many, without mail for longest. Raises asyncpg's errors."""
        await self._pool.execute(_SQL["trim"], self._settings.domains)

    async def publish(self) -> None:
        """Tell the table, if it is another one than the ledger has, and go by it. Raises asyncpg's
        and redis-py's errors."""
        version: str = await self._pool.fetchval(_SQL["version"])
        there = await self._told.version()
        if version == there == self._known:
            return
        rows = await self._pool.fetch(_SQL["table"])
        table = {row["domain"]: row["provider"] for row in rows}
        if version != there:
            await self._told.write(version, table)
        learn(table)
        self._known = version
