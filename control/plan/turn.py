"""Whose turn it is to change the plan: one change at a time, across all control nodes.

Rule: who waits in this process has no connection of PostgreSQL's meanwhile. The one whose turn it
is may wait for agents, which need one to say that they are done.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from control import kinds
from control.problem import RefusedError
from control.store.database import Connection
from control.store.refusal import TOO_LONG
from settings.statements import statements

PUBLISH_LOCK = 0x5E4D_6A7E_0002
"""PostgreSQL advisory lock of all publishers."""
_SQL = statements(__package__, "generation")


class Turn:
    """Of one control process. `timeout`: seconds to wait for it."""

    def __init__(self, timeout: float) -> None:
        self._timeout = timeout
        self._changing = asyncio.Lock()

    @asynccontextmanager
    async def here(self) -> AsyncIterator[None]:
        """In this process. Raises RefusedError."""
        try:
            async with asyncio.timeout(self._timeout):
                await self._changing.acquire()
        except TimeoutError as error:
            raise self._too_long() from error
        try:
            yield
        finally:
            self._changing.release()

    async def everywhere(self, connection: Connection) -> None:
        """Until the connection's transaction ends. Raises RefusedError."""
        try:
            await connection.execute(_SQL["lock"], PUBLISH_LOCK)
        except TOO_LONG as error:
            raise self._too_long() from error

    async def free(self, connection: Connection) -> bool:
        """As `everywhere`, where nobody else has it; whether it was so."""
        return bool(await connection.fetchval(_SQL["try_lock"], PUBLISH_LOCK))

    def _too_long(self) -> RefusedError:
        return RefusedError(
            f"another change was being published for {self._timeout:g} s: nothing was changed; "
            "try again",
            kind=kinds.BUSY,
        )
