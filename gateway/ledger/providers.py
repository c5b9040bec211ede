"""Follows what control learnt of domains' providers.

Failure: a ledger that is away, or has lost the table, leaves it as it is; before the first one,
domains that are in no file count as `other`.
"""

import asyncio
from contextlib import suppress

from redis.asyncio import Redis
from redis.exceptions import RedisError

from policy.ledger.learnt import LearntTable
from policy.provider import learn

EVERY = 5.0
"""Seconds between two looks."""


class ProviderFeed:
    """One process's."""

    def __init__(self, client: Redis, name: str) -> None:
        """`name` is the ledger's."""
        self._told = LearntTable(client, name)
        self._version = ""

    async def run(self) -> None:
        """Side task: until cancelled."""
        while True:
            # Whoever needs the ledger says that it is away.
            with suppress(RedisError, OSError, TimeoutError):
                await self.look()
            await asyncio.sleep(EVERY)

    async def look(self) -> None:
        """Take the table that is told now, if it is another one. Raises redis-py's errors."""
        if await self._told.version() in ("", self._version):
            return
        self._version, table = await self._told.read()
        if table is not None:
            learn(table)
