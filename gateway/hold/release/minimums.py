"""Which mailboxes are behind their daily minimum, from the ledger's counts of today."""

import asyncio
from collections.abc import Callable, Mapping

from redis.asyncio import Redis
from redis.exceptions import RedisError

from policy.ledger.ledger import root_key
from policy.ledger.mailboxes import records
from policy.limits import day_of
from policy.mailbox import least_of, terms_of
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
        today = day_of(self._now())
        for tenant in generation.tenants if generation else ():
            wanted = [name for name, limits in tenant.mailboxes.items() if limits.daily_min]
            if not wanted:
                continue
            try:
                counted = await records(self._client, self._root, tenant.name, wanted, today)
            except (RedisError, OSError):
                continue
            for mailbox, record in zip(wanted, counted, strict=True):
                first, sent = (today, 0) if record is None else (record.first, record.count)
                least = least_of(terms_of(tenant, tenant.mailboxes[mailbox]), first, today)
                if least > sent:
                    found[tenant.name, mailbox] = least - sent
        self._behind = found
        return found
