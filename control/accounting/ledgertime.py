"""Calendar time for the readers: the ledger's, and while that is away the last known offset."""

import time

from redis.exceptions import RedisError

from policy.ledger.admin import LedgerAdmin


class LedgerTime:
    """Call it for calendar milliseconds."""

    def __init__(self, admin: LedgerAdmin) -> None:
        self._admin = admin
        self._offset = 0

    async def __call__(self) -> int:
        """Never raises for a ledger that is away: accounting is read all the same."""
        try:
            now, _ = await self._admin.now()
        except (RedisError, OSError):
            return _here() + self._offset
        self._offset = now - _here()
        return now


def _here() -> int:
    return time.time_ns() // 1_000_000
