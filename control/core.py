"""What the API's handlers work with, put together once (see `control.app`)."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from control.accounting.calendar import Calendar
from control.ledger.clock import Clock
from control.ledger.opening import Opening
from control.plan.publish import Publisher
from control.pmta.dkim import Seal
from control.store.database import Connection
from control.users.token import Tokens
from policy.ledger.admin import LedgerAdmin
from policy.ledger.ledger import RedisLedger
from settings.model import Settings


@dataclass(frozen=True)
class Core:
    """The parts of one control process."""

    settings: Settings
    pool: Any
    admin: LedgerAdmin
    ledger: RedisLedger
    publisher: Publisher
    opening: Opening
    clock: Clock
    calendar: Calendar
    seal: Seal
    tokens: Tokens

    @asynccontextmanager
    async def view(self) -> AsyncIterator[Connection]:
        """One consistent view of all rows."""
        async with (
            self.pool.acquire() as connection,
            connection.transaction(isolation="repeatable_read", readonly=True),
        ):
            yield connection
