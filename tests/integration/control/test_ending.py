"""Control ends when it is told, whatever its loops were doing."""

import asyncio
import time
from dataclasses import replace
from typing import Any

from control.app import serve
from control.parts import Parts


class Deaf:
    """A pool whose first look swallows a cancellation, as libraries do while a connection is
    given up."""

    def __init__(self, pool: Any) -> None:
        self._pool = pool
        self.waiting = asyncio.Event()
        self.swallowed = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._pool, name)

    async def expire_connections(self) -> None:
        self.waiting.set()
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            if self.swallowed:
                raise
            self.swallowed = True
            raise ConnectionResetError("gave up") from None


async def test_a_swallowed_cancellation_does_not_keep_control_alive(core: Parts) -> None:
    deaf = Deaf(core.pool)
    async with serve(replace(core, pool=deaf)):
        await asyncio.wait_for(deaf.waiting.wait(), 10)
        began = time.monotonic()
    assert deaf.swallowed
    assert time.monotonic() - began < 5
