"""Connections to the PostgreSQL that takes writes: control has nothing to do with a standby.

Rule: every connection of control's is made here, so that a name that leads to a standby for a
while is a database that does not answer, and not one whose old rows are believed.
"""

from typing import Any

import asyncpg


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
