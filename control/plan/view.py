"""Rows outside of a change."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from control.store.database import Connection

Reader = Connection
"""What rows are read over: a view's connection, or a change's."""


class View:
    """Call it for a connection that reads all rows as they are committed at one moment."""

    def __init__(self, pool: Any) -> None:
        self._pool = pool

    @asynccontextmanager
    async def __call__(self) -> AsyncIterator[Connection]:
        """It reads only."""
        async with (
            self._pool.acquire(clean=True) as connection,
            connection.transaction(isolation="repeatable_read", readonly=True),
        ):
            yield connection
