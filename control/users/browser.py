"""Sessions of people in a browser: an opaque cookie, whose digest stands in the session's row.

Rule: the cookie is drawn at sign-in and at no other time: what a browser brings along then is never
taken over (fixation), and the session it was of ends. A session ends when nobody used it for
`people.console_idle`, after `people.console_session` in any case, and whenever the person's other
sessions do: disabled, another password, a reset. Another role or other tenants end it, too.
"""

import secrets
import uuid
from typing import Any

import msgspec

from control.problem import missing
from control.store.change import Act
from control.store.database import Connection
from control.users.attempt import source_of
from control.users.entry import Entry, Moment
from control.users.role import PERSON_ROLES, Holder
from control.users.session import SQL as SESSION
from control.users.token import digest
from policy.isotime import instant_of
from settings.people import People
from settings.statements import statements

_SQL = statements(__package__, "browser")

PREFIX = "sgb_"
"""So that a leaked cookie is recognised by scanners and people."""
LONGEST = 100
"""Characters of one that is looked at."""


class SessionView(msgspec.Struct, frozen=True, kw_only=True):
    """A session that goes on."""

    id: str
    source: str
    """Where it began: an IPv4 address, an IPv6 /64."""
    started: str
    ends: str
    seen: str | None
    """When it was used last; null: a program's, which has tokens and no cookie."""


class Browsers:
    """Of one control process."""

    def __init__(self, pool: Any, entry: Entry, settings: People, moment: Moment) -> None:
        self._pool = pool
        self._entry = entry
        self._of = settings
        self._moment = moment

    async def sign_in(
        self, name: str, password: str, code: str | None, address: str, *, brought: str
    ) -> str:
        """The cookie of a new session; the one of the cookie that was `brought` along ends. Raises
        RefusedError."""
        secret = PREFIX + secrets.token_urlsafe(32)

        async def begin(connection: Connection, person: int, source: str) -> None:
            values = (uuid.uuid4(), person, source_of(source), self._of.console_session)
            await connection.execute(_SQL["open"], *values, digest(secret))
            await connection.execute(SESSION["signed_in"], person)

        before = await self.holder(brought)
        await self._entry.admit(name, password, code, address, begin, kind="console")
        if before is not None:
            await self.sign_out(before)
        return secret

    async def holder(self, cookie: str, *, used: bool = True) -> Holder | None:
        """Who has it, and what they may do now; None: nobody. `used`: its session is, by that."""
        if not (cookie.startswith(PREFIX) and cookie.isascii() and len(cookie) <= LONGEST):
            return None
        async with self._pool.acquire() as connection:
            row = await connection.fetchrow(_SQL["holder"], digest(cookie), self._of.console_idle)
            if row is None:
                return None
            if used and row["due"]:
                await connection.execute(_SQL["seen"], row["id"])
        return Holder(
            name=row["name"],
            role=PERSON_ROLES[row["role"]],
            tenants=None if row["everywhere"] else tuple(row["tenants"]),
            person=row["person"],
            session=str(row["id"]),
        )

    async def own(self, holder: Holder) -> list[SessionView]:
        """Those of who asks, the latest first."""
        async with self._pool.acquire() as connection:
            rows = await connection.fetch(_SQL["own"], holder.person, self._of.console_idle)
        return [
            SessionView(
                id=str(row["id"]),
                source=row["source"],
                started=instant_of(row["started"]),
                ends=instant_of(row["ends"]),
                seen=None if row["seen"] is None else instant_of(row["seen"]),
            )
            for row in rows
        ]

    async def sign_out(self, holder: Holder) -> None:
        """Ends the one that asks."""
        await self._end(holder, holder.session, "logout")

    async def end(self, holder: Holder, session: str) -> None:
        """Ends another one of who asks. Raises RefusedError (404)."""
        if not await self._end(holder, session, "ended"):
            raise missing("session", session)

    async def everywhere(self, holder: Holder) -> int:
        """Ends all of who asks, of browsers and of programs; how many."""
        async with self._pool.acquire() as connection, connection.transaction():
            ended = int(await connection.fetchval(_SQL["end_all"], holder.person))
            act = Act(connection, await self._moment(), holder.name)
            await act.audit("user.sessions", holder.name, {"sessions": ended}, {"sessions": 0})
        return ended

    async def _end(self, holder: Holder, session: str, why: str) -> bool:
        try:
            number = uuid.UUID(session)
        except ValueError:
            return False
        async with self._pool.acquire() as connection, connection.transaction():
            if await connection.fetchval(_SQL["end"], number, holder.person, why) is None:
                return False
            act = Act(connection, await self._moment(), holder.name)
            await act.audit("session.end", holder.name)
        return True
