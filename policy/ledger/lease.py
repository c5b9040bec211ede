"""Whether a ledger's name still leads to the process that batches travel to.

A process cannot change under a connection, but the name can: a server that was cut off and
replaced still answers those who were connected before. So a gateway asks again, over a connection
made for that question (its name resolved anew), and may trust its connection for `seconds` from the
moment it asked. Real elapsed time, asleep included. Owns: that question and that time. Not here:
what happens to the connection (`policy.ledger.ledger`).
Rule: an answer of somebody else ends the lease at once, no answer lets it run out. Control and
PostgreSQL have no part in it: mail flows without them (policy/README.md: ledger loss).
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from redis.asyncio import Redis
from redis.exceptions import RedisError

from policy.ledger.connection import ReplicaError, ask, lent

LOOKS = 3
"""Times a gateway asks within one lease: a lost packet or two close nothing."""

_PAUSE = 0.5
"""Seconds between two questions that had no answer."""


class Seen(NamedTuple):
    """Who answers under the ledger's name."""

    run: str
    """'' for a replica: no ledger of anybody."""
    incarnation: str


class Lease:
    """Of one ledger's connection. Safe to use from one event loop only."""

    def __init__(
        self,
        dial: Callable[[], Redis],
        root: str,
        *,
        seconds: float,
        timeout: float,
        clock: Callable[[], float],
    ) -> None:
        """`dial` makes a client for the ledger's configured address; `timeout` in seconds."""
        self.seconds = seconds
        self._dial = dial
        self._inc = f"{root}inc"
        self._timeout = timeout
        self._clock = clock
        self._until = 0.0
        self._next = 0.0
        self._asking: asyncio.Task[None] | None = None

    def __repr__(self) -> str:
        return f"<Lease for {max(self._until - self._clock(), 0.0):.1f} s>"

    @property
    def valid(self) -> bool:
        """Whether a batch may leave."""
        return self._clock() < self._until

    @property
    def due(self) -> float:
        """Seconds until it should be asked again."""
        return max(self._next - self._clock(), 0.0)

    def end(self) -> None:
        """Somebody else answers: nothing more is sent before he was asked again."""
        self._until = self._next = 0.0

    async def keep(
        self, ours: Callable[[], Seen | None], left: Callable[[], Awaitable[None]]
    ) -> None:
        """Ask whenever it is due; runs until cancelled. Arguments as for `holds`."""
        while True:
            await asyncio.sleep(max(self.due, 0.05))
            await self._look(ours, left)

    async def holds(
        self, ours: Callable[[], Seen | None], left: Callable[[], Awaitable[None]]
    ) -> bool:
        """Whether a batch may leave, asked for if need be. `ours`: whom the connection leads to;
        `left` is called when somebody else answers."""
        if not self.valid and not self.due:
            await self._look(ours, left)
        return self.valid

    async def _look(
        self, ours: Callable[[], Seen | None], left: Callable[[], Awaitable[None]]
    ) -> None:
        """Once for all who want to know. No answer lets the lease run out."""
        if ours() is None:
            return
        if self._asking is None:
            self._asking = asyncio.get_running_loop().create_task(self._compare(ours, left))
        asking = self._asking
        await asyncio.wait({asking})
        self._asking = None
        await asking

    async def _compare(
        self, ours: Callable[[], Seen | None], left: Callable[[], Awaitable[None]]
    ) -> None:
        wanted = ours()
        try:
            seen, until = await self.ask()
        except (RedisError, OSError, TimeoutError):
            return
        if wanted is None or ours() != wanted:
            return  # attached anew meanwhile
        if seen == wanted:
            self._until = max(self._until, until)
            self._next = until - self.seconds * (1 - 1 / LOOKS)
        else:
            await left()

    async def ask(self) -> tuple[Seen, float]:
        """Who answers, and until when what he says holds. Raises redis-py's errors, OSError."""
        began = self._clock()
        self._next = began + _PAUSE
        client = self._dial()
        try:
            async with asyncio.timeout(self._timeout), lent(client) as connection:
                [found] = await ask(connection, "HMGET", self._inc, "id")
                seen = Seen(connection.run, found.decode() if found else "")
        except ReplicaError:
            seen = Seen("", "")
        finally:
            await client.aclose()
        return seen, began + self.seconds
