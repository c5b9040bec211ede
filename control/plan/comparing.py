"""Whether changes made another plan than all rows make, looked for now and then."""

import logging
import math
import time
from collections.abc import Awaitable, Callable
from datetime import datetime

from control.plan.compiler import Compiler
from control.plan.latest import last_of
from control.plan.stored import Last
from control.store.database import Connection

log = logging.getLogger(__name__)

COMPARE_EVERY = 3600.0
"""Seconds between two comparisons of the plan that changes made with that of all rows."""


class Comparison:
    """Of one control process. `now`: calendar time."""

    def __init__(self, compiler: Compiler, now: Callable[[], Awaitable[datetime]]) -> None:
        self._compiler = compiler
        self._now = now
        self._compared = -math.inf

    async def wrong(self, connection: Connection, last: Last) -> bool:
        """An error on our side."""
        if time.monotonic() - self._compared < COMPARE_EVERY:
            return False
        now = (await self._now()).timestamp()
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            newest = await last_of(connection)
            wrong = newest == last and await self._compiler.differs(connection, last, now)
        self._compared = time.monotonic()
        if wrong:
            log.error(
                "generation %d is not what all rows make: the plan is compiled whole and "
                "published; please report it, with what was changed before",
                last.number,
            )
        return wrong
