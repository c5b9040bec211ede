"""What lets people and tokens in, put together."""

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from control.problem import RefusedError
from control.users.attempt import Attempts
from control.users.bearer import Bearers
from control.users.browser import Browsers
from control.users.code import Codes
from control.users.credential import Credentials
from control.users.entry import Entry
from control.users.hashing import hashing
from control.users.rates import Rates
from control.users.role import Holder
from control.users.seal import Secrets
from control.users.session import Sessions
from control.users.signing import Signing
from control.users.token import Tokens
from settings.model import Settings

Now = Callable[[], Awaitable[datetime]]


@dataclass(frozen=True)
class Gate:
    """Of one control process."""

    tokens: Tokens
    entry: Entry
    credentials: Credentials
    bearers: Bearers
    browsers: Browsers
    rates: Rates
    moment: Now
    """Calendar time; the machine's while the ledger, which has it, is away."""

    async def used(self, holder: Holder) -> None:
        """Somebody asked."""
        # The time is asked for when it is written down: the ledger has it, a round trip away.
        if holder.person is None and self.tokens.due(holder.name):
            await self.tokens.note_use(holder.name, await self.moment())


def open_gate(pool: Any, settings: Settings, now: Now) -> Gate:
    """`now`: the ledger's calendar time; it raises RefusedError."""

    async def moment() -> datetime:
        try:
            return await now()
        except RefusedError:
            return datetime.now(UTC)

    hashing(settings.people)
    secret = Secrets(settings.control.secret, settings.control.secrets_before)
    attempts = Attempts(settings.people)
    sessions = Sessions(Signing(secret, settings.ledger.name, settings.people), settings.people)
    codes, tokens = Codes(secret), Tokens(pool)
    entry = Entry(pool, attempts, sessions, codes, moment)
    return Gate(
        tokens=tokens,
        entry=entry,
        credentials=Credentials(pool, entry, attempts, codes, moment),
        bearers=Bearers(pool, tokens, sessions),
        browsers=Browsers(pool, entry, settings.people, moment),
        # Real time: days that are moved in a demo must not give anybody more.
        rates=Rates(settings.control, time.monotonic),
        moment=moment,
    )
