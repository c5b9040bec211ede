"""Which PostgreSQL may hold mail: one that takes writes and forgets no commit.

Owns: the questions a new connection is asked. Not here: lending connections (`database`).
"""

import asyncio
from typing import Any

import asyncpg
import msgspec

from settings.statements import statements

_SQL = statements("gateway.hold", "database")
_SERVER = _SQL["server"]

CONNECT = 2.0
"""Seconds for a connection to be made."""

WRITABLE = {"target_session_attrs": "read-write"}
"""asyncpg's word, and libpq's: no standby, and no server that was told to refuse writes."""

STANDBY = "PostgreSQL is a read-only standby, or was told to refuse writes"

# The internal one is asyncpg's word for a protocol out of step, as a connection that dies while a
# statement is cancelled leaves it: met when the database was cut off or killed under load.
LOST = (
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    OSError,
    EOFError,
    asyncio.TimeoutError,
)


class Server(msgspec.Struct, frozen=True):
    """What a primary says of itself."""

    process: str
    """Its cluster, its timeline and when it started: another one after every failover."""
    problem: str
    """Why it may forget a commit; empty when it does not."""


class Whereabouts:
    """Which server the connections of one process lead to: what one pool finds out, all know."""

    def __init__(self) -> None:
        self.process = ""
        """As in `Server`; empty while none was seen."""
        self.moves = 0
        """Times another one was found than the one before."""

    def seen(self, process: str) -> bool:
        """Whether it is another one."""
        moved = self.process not in ("", process)
        self.process = process
        self.moves += moved
        return moved


async def server_of(connection: Any, whole: str) -> Server:
    """Ask, and bound its transactions: `whole`, milliseconds, "0" for no bound. asyncpg's errors
    are raised."""
    row = await connection.fetchrow(_SERVER, whole)
    found = []
    if row["fsync"] != "on":
        found.append("fsync is off")
    if row["synchronous_commit"] == "off":
        found.append("synchronous_commit is off")
    problem = f"PostgreSQL must not hold mail: {' and '.join(found)}" if found else ""
    return Server(row["process"], problem)


async def refusal(url: str) -> str:
    """Why a gateway must not start on this database; empty when it may, or when nobody answers:
    without PostgreSQL a gateway relays."""
    try:
        connection = await asyncpg.connect(
            url,
            timeout=CONNECT,
            command_timeout=CONNECT,
            server_settings={"statement_timeout": str(round(CONNECT * 1000))},
            **WRITABLE,
        )
    except (asyncpg.PostgresError, *LOST):
        return ""
    try:
        return (await server_of(connection, "0")).problem
    except (asyncpg.PostgresError, *LOST):
        return ""
    finally:
        connection.terminate()
