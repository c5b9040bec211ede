"""Sessions of people: an access token for minutes, a refresh token that is good once.

Rule: a session begins with a login alone, under an id that is drawn then: nobody can bring one
along (fixation). Each use of a refresh token replaces it. One that comes a second time is in two
hands, of which one is a thief's: the whole session ends, whoever of them came first.
"""

import secrets
import time
import uuid
from typing import Any

import msgspec

from control.store.database import Connection
from control.users.attempt import source_of
from control.users.role import PERSON_ROLES, Holder
from control.users.signing import Claim, Signing
from control.users.token import digest
from settings.people import People
from settings.statements import statements

SQL = statements(__package__, "session")

PREFIX = "sgr_"


class SessionTokens(msgspec.Struct, frozen=True, kw_only=True):
    """What is handed out, by the names of RFC 6749, 5.1."""

    access_token: str
    token_type: str = "Bearer"  # noqa: S105
    expires_in: int
    """Seconds."""
    refresh_token: str
    """Good once: the answer to it has the next."""


class Sessions:
    """Begun, gone on with, ended."""

    def __init__(self, signing: Signing, settings: People) -> None:
        self._signing = signing
        self._of = settings

    async def begin(self, connection: Connection, person: int, address: str) -> SessionTokens:
        """A new one. Raises RefusedError."""
        session = uuid.uuid4()
        await connection.execute(SQL["open"], session, person, source_of(address), self._of.session)
        await connection.execute(SQL["signed_in"], person)
        return await self.issue(connection, person, str(session))

    async def issue(self, connection: Connection, person: int, session: str) -> SessionTokens:
        """New tokens of a session. Raises RefusedError."""
        refresh = PREFIX + secrets.token_urlsafe(32)
        # Signed first: without a key nothing is begun.
        access = await self._signing.signed(connection, Claim(person, session), time.time())
        await connection.execute(
            SQL["issue"], digest(refresh), uuid.UUID(session), self._of.refresh
        )
        return SessionTokens(
            access_token=access, expires_in=round(self._of.access), refresh_token=refresh
        )

    async def used(self, connection: Connection, refresh: str) -> Any:
        """The row of a refresh token, locked, which is marked as used; None: nobody's. Within a
        transaction."""
        if not refresh.startswith(PREFIX) or not refresh.isascii():
            return None
        row = await connection.fetchrow(SQL["refresh"], digest(refresh))
        if row is not None and not row["used"]:
            await connection.execute(SQL["use"], digest(refresh))
        return row

    async def end(self, connection: Connection, session: str, why: str) -> int | None:
        """Whose it was; None: it was over already."""
        found: int | None = await connection.fetchval(SQL["end"], uuid.UUID(session), why)
        return found

    async def holder(self, connection: Connection, token: str) -> Holder | None:
        """Who has an access token, and what they may do now; None: nobody."""
        claim = await self._signing.claim(connection, token)
        if claim is None:
            return None
        try:
            session = uuid.UUID(claim.session)
        except ValueError:
            return None
        row = await connection.fetchrow(SQL["holder"], session, claim.person)
        if row is None:
            return None
        return Holder(
            name=row["name"],
            role=PERSON_ROLES[row["role"]],
            tenants=None if row["everywhere"] else tuple(row["tenants"]),
            person=claim.person,
            session=claim.session,
        )


async def sweep(connection: Connection) -> None:
    """Those that were over a week ago."""
    await connection.execute(SQL["sweep"])
