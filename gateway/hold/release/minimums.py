"""Which mailboxes are behind their daily minimum, from the ledger's counts of today."""

import asyncio
from collections.abc import Callable, Mapping

from redis.asyncio import Redis
from redis.exceptions import RedisError

from policy.ledger.ledger import root_key
from policy.limits import day_of
from policy.plan import Generation

_FRESH = 2.0


class LedgerMinimums:
    """Reads the ledger at most every two seconds, and only if a minimum is set."""

    def __init__(
        self,
        client: Redis,
        name: str,
        generation: Callable[[], Generation | None],
        now: Callable[[], int],
    ) -> None:
        self._client = client
        self._root = root_key(name)
        self._generation = generation
        self._now = now
        self._read_at = float("-inf")
        self._behind: dict[tuple[str, str], int] = {}

    async def behind(self) -> Mapping[tuple[str, str], int]:
        """(tenant, mailbox) to recipients missing; a ledger that is away lacks nothing."""
        loop = asyncio.get_running_loop()
        if loop.time() - self._read_at < _FRESH:
            return self._behind
        self._read_at = loop.time()
        generation = self._generation()
        found: dict[tuple[str, str], int] = {}
        for tenant in generation.tenants if generation else ():
            wanted = {
                mailbox: limits.daily_min
                for mailbox, limits in tenant.mailboxes.items()
                if limits.daily_min
            }
            if wanted:
                sent = await self._sent(tenant.name, list(wanted))
                for (mailbox, least), count in zip(wanted.items(), sent, strict=True):
                    if least > count:
                        found[tenant.name, mailbox] = least - count
        self._behind = found
        return found

    async def _sent(self, tenant: str, mailboxes: list[str]) -> list[int]:
        key = f"{self._root}mb:{day_of(self._now())}:{tenant}"
        try:
            counts = await self._client.hmget(key, mailboxes)
        except (RedisError, OSError):
            return [1 << 62] * len(mailboxes)
        return [int(count or 0) for count in counts]
