"""When each login, and a former password of it, was last used: gateways tell it through the ledger,
and it is written down here.

Not on the way of any message or login: a set in each gateway, told with its sign of life, and one
statement a minute. It is a help for people, no record: with the ledger a minute of it may be lost.
"""

import time
from typing import Any

from policy.ledger.admin import LedgerAdmin
from settings.statements import statements

_SQL = statements(__package__, "login")

EVERY = 60.0
"""Seconds between two notes."""


class LastUse:
    """Writes down what gateways told."""

    def __init__(self, pool: Any, admin: LedgerAdmin, *, every: float = EVERY) -> None:
        self._pool = pool
        self._admin = admin
        self._every = every
        self._next = 0.0

    async def note(self) -> None:
        """Unless it was done just now. Raises what the ledger's and PostgreSQL's clients raise."""
        now = time.monotonic()
        if now < self._next:
            return
        self._next = now + self._every
        if found := await self._admin.logins():
            await self._pool.execute(_SQL["used"], list(found), list(found.values()))
            await self._admin.took_logins(found)
        if before := await self._admin.former_logins():
            await self._pool.execute(_SQL["former_used"], list(before), list(before.values()))
            await self._admin.took_former_logins(before)
