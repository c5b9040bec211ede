"""Connections to the PostgreSQL that takes writes: control has nothing to do with a standby.

Rule: every connection of control's is made here, so that a name that leads to a standby for a
while is a database that does not answer, and not one whose old rows are believed.
"""

from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg

from settings.statements import statements

_SQL = statements(__package__, "database")

KNOWS_TRANSACTIONS = (17,)
"""The first version of PostgreSQL that ends a transaction by its length (`transaction_timeout`)."""


class StandbyError(OSError):
    """The name leads to a server that takes no writes."""


async def connect(*where: Any, server_settings: dict[str, str], **options: Any) -> Any:
    """As `asyncpg.connect`; `server_settings` bound the session.

    Raises StandbyError, asyncpg's errors and OSError."""
    try:
        return await asyncpg.connect(
            *where, target_session_attrs="read-write", server_settings=server_settings, **options
        )
    except asyncpg.TargetServerAttributeNotMatched as error:
        raise StandbyError(
            "it is a read-only standby, or was told to refuse writes: database.url must lead to "
            "the primary"
        ) from error


def whole_transactions(milliseconds: str) -> Callable[[Any], Awaitable[None]]:
    """What bounds the transactions of a session, for its beginning and after each reset, which
    takes back what a session was told besides its start."""

    async def bound(connection: Any) -> None:
        if connection.get_server_version() >= KNOWS_TRANSACTIONS:
            await connection.execute(_SQL["whole"], milliseconds)

    return bound
