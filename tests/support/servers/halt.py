"""Makes a statement of another process wait in the middle of what it does, for as long as wanted.

A trigger waits for an advisory lock that the test holds: whose statement comes by stands exactly
there, with everything before it done in its transaction and nothing after it.
"""

import asyncio
from typing import Any, NamedTuple

_LOCK = 0x5E4D_FA17
_FUNCTION = f"""
CREATE FUNCTION halt() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock_shared({_LOCK});
    RETURN NEW;
END $$
"""
_WAITING = f"""
SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND objid = {_LOCK} AND NOT granted
"""
_WAITERS = """
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND wait_event_type = 'Lock'
"""


class Place(NamedTuple):
    """Which statement."""

    table: str
    moment: str
    """`BEFORE UPDATE`, `AFTER INSERT`."""
    row: str
    """Of which row, in terms of NEW and OLD."""


class Halt:
    """Of one database. `connection`: the test's own, that nobody else uses."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    async def prepare(self) -> None:
        await self._connection.execute(_FUNCTION)

    async def at(self, place: Place) -> None:
        """From now on whose statement it is waits."""
        await self._connection.execute("SELECT pg_advisory_lock($1)", _LOCK)
        await self._connection.execute(
            f"CREATE TRIGGER halt {place.moment} ON {place.table} FOR EACH ROW "
            f"WHEN ({place.row}) EXECUTE FUNCTION halt()"
        )

    async def reached(self, *, behind: int = 0) -> None:
        """Until somebody stands there, and so many others of this database wait for what they
        have, or stand there too."""
        while True:
            waiting = await self._connection.fetchval(_WAITERS)
            if waiting > behind and await self._connection.fetch(_WAITING):
                return
            await asyncio.sleep(0.02)

    async def lose(self, place: Place) -> None:
        """Whoever stands there gets no further, as when its connection was cut there too; others
        pass."""
        for row in await self._connection.fetch(_WAITING):
            await self._connection.execute("SELECT pg_terminate_backend($1, 10000)", row["pid"])
        await self.open()
        await self._connection.execute(f"DROP TRIGGER halt ON {place.table}")

    async def open(self) -> None:
        """Whoever stands there goes on, and nobody waits any more."""
        await self._connection.execute("SELECT pg_advisory_unlock($1)", _LOCK)
