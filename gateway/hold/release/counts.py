"""What mailboxes have sent today, live mail too, and what they should: from the ledger's counts."""

from collections.abc import Sequence

from redis.asyncio import Redis
from redis.exceptions import RedisError

from policy.ledger.ledger import root_key
from policy.ledger.mailboxes import records
from policy.limits import day_of
from policy.mailbox import least_of, terms_of
from policy.model import Tenant


class LedgerCounts:
    """Reads the ledger; keeps nothing."""

    def __init__(self, client: Redis, name: str) -> None:
        self._client = client
        self._root = root_key(name)

    async def today(
        self, tenant: Tenant, mailboxes: Sequence[str], now: int
    ) -> list[tuple[int, int, int]] | None:
        """Of each its minimum, what of that its ramp and maximum let it reach, and recipients it
        sent; None when the ledger does not answer."""
        today = day_of(now)
        try:
            found = await records(self._client, self._root, tenant.name, mailboxes, today)
        except (RedisError, OSError):
            return None
        counts = []
        for mailbox, record in zip(mailboxes, found, strict=True):
            first, sent = (today, 0) if record is None else (record.first, record.count)
            terms = terms_of(tenant, tenant.mailboxes.get(mailbox))
            counts.append((terms.least, least_of(terms, first, today), sent))
        return counts
