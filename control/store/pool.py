"""The connections of one control process.

Rule: who wants one gets it within a bound, or an error that says so. A change holds one while it
asks for another (PowerMTA's agents are offered what is committed, while it is not), and so do a few
more: with too few, each would wait for what the others hold.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from contextvars import ContextVar
from typing import Any

from control.problem import RefusedError

FEWEST = 4
"""Posted accounting is taken in over one for as long as control lives; a change and the look for
alerts hold one each while they ask for another; and that other one."""


_clean: ContextVar[bool] = ContextVar("clean", default=False)
"""Of the connection that comes back: its session is as it was."""


def clean() -> bool:
    """Whether the connection that comes back needs no reset. Two round trips of an answer of one
    were that: half of what PostgreSQL had of an API's request."""
    return _clean.get()


class NoConnectionError(TimeoutError):
    """All are in use, and stayed so."""


class Pool:
    """asyncpg's, of which nobody waits for a connection longer than `wait` seconds."""

    def __init__(self, inner: Any, wait: float) -> None:
        self._inner = inner
        self._wait = wait

    def __repr__(self) -> str:
        inner = self._inner
        return f"<Pool {inner.get_size() - inner.get_idle_size()} of {inner.get_max_size()} in use>"

    @asynccontextmanager
    async def acquire(self, *, clean: bool = False) -> AsyncIterator[Any]:
        """One connection; `clean`: what is asked over it leaves its session as it was (no SET but
        LOCAL, no lock beyond its transaction), so that it needs no reset. Raises
        NoConnectionError, and asyncpg's or the system's error when nobody answers."""
        try:
            async with asyncio.timeout(self._wait) as waited:
                connection = await self._inner.acquire()
        except TimeoutError as error:
            if not waited.expired():
                raise
            raise NoConnectionError(
                f"all {self._inner.get_max_size()} connections of this process to PostgreSQL were "
                f"in use for {self._wait:g} s: raise database.connections, or see in "
                "pg_stat_activity what they wait for"
            ) from error
        try:
            yield connection
        finally:
            # asyncpg resets it in a task, which has this context.
            told = _clean.set(clean)
            try:
                await self._inner.release(connection)
            finally:
                _clean.reset(told)

    async def execute(self, query: str, *values: Any, timeout: float | None = None) -> Any:
        """As asyncpg's, over a connection of its own; so the others. One statement: it commits by
        itself, and sets nothing."""
        async with self.acquire(clean=True) as connection:
            return await connection.execute(query, *values, timeout=timeout)

    async def executemany(self, query: str, values: Any, timeout: float | None = None) -> Any:
        """As `execute`."""
        async with self.acquire(clean=True) as connection:
            return await connection.executemany(query, values, timeout=timeout)

    async def fetch(self, query: str, *values: Any, timeout: float | None = None) -> Any:
        """As `execute`."""
        async with self.acquire(clean=True) as connection:
            return await connection.fetch(query, *values, timeout=timeout)

    async def fetchrow(self, query: str, *values: Any, timeout: float | None = None) -> Any:
        """As `execute`."""
        async with self.acquire(clean=True) as connection:
            return await connection.fetchrow(query, *values, timeout=timeout)

    async def fetchval(self, query: str, *values: Any, timeout: float | None = None) -> Any:
        """As `execute`."""
        async with self.acquire(clean=True) as connection:
            return await connection.fetchval(query, *values, timeout=timeout)

    def get_max_size(self) -> int:
        """Most connections."""
        return int(self._inner.get_max_size())

    async def expire_connections(self) -> None:
        """Those that there are end as they come back."""
        await self._inner.expire_connections()

    async def close(self) -> None:
        """When all have come back."""
        await self._inner.close()


def enough(connections: int) -> str:
    """Why these are too few for a control process; '': they are not."""
    if connections >= FEWEST:
        return ""
    return (
        f"database.connections: a control process needs {FEWEST} at least, not {connections} (it "
        "waits for one while it holds others): raise it, or connection_limit in database.url"
    )


def must_be_enough(connections: int) -> None:
    """Raises RefusedError."""
    if why := enough(connections):
        raise RefusedError(why)
