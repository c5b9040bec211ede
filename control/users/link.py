"""One-time links: an invitation, or the way back for who forgot a password.

Rule: a person has one at most; only its digest is kept, and it is gone with its use. The secret
stands behind a #, which no browser sends to a server, so that it is in nobody's log.
"""

import secrets
from typing import Any

from control.store.database import Connection
from control.users.token import digest
from settings.statements import statements

_SQL = statements(__package__, "person")

PREFIX = "sgl_"
PAGE = "/api/v1/auth/link"
"""Where a browser redeems it."""


async def make(connection: Connection, person: int, good: float) -> str:
    """A new one in place of any other, good for so many seconds: its secret."""
    secret = PREFIX + secrets.token_urlsafe(32)
    await connection.execute(_SQL["link"], person, digest(secret), good)
    return secret


async def take(connection: Connection, secret: str) -> Any:
    """(id, name) of whose it is; it is used up with that. None: nobody's, any more."""
    if not secret.isascii():
        return None
    return await connection.fetchrow(_SQL["taken"], digest(secret))


async def whose(connection: Connection, secret: str) -> str | None:
    """The name of whose it is."""
    if not secret.isascii():
        return None
    found: str | None = await connection.fetchval(_SQL["linked"], digest(secret))
    return found


def written(secret: str, url: str) -> str:
    """As it is handed over."""
    return f"{url.rstrip('/')}{PAGE}#{secret}" if url else secret


def read(text: str) -> str:
    """The secret of one that was pasted whole."""
    return text.strip().rpartition("#")[2]
