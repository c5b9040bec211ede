"""How long a gateway answers nobody: a client says NOOP again and again, and waits for each reply.

What other work of the machine does to it is in the figure; so it is taken with and without.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator


class Listening:
    """Of one client; `longest` in milliseconds, since the last `forget`."""

    def __init__(self) -> None:
        self.longest = 0.0

    def forget(self) -> float:
        """The longest so far; counts anew."""
        found, self.longest = round(self.longest, 1), 0.0
        return found

    @contextlib.asynccontextmanager
    async def to(self, address: str) -> AsyncIterator[None]:
        """While the context lasts."""
        host, _, port = address.rpartition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        await reader.readline()
        task = asyncio.create_task(self._ask(reader, writer))
        try:
            yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
            writer.close()

    async def _ask(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            started = time.perf_counter()
            writer.write(b"NOOP\r\n")
            await reader.readline()
            self.longest = max(self.longest, 1000 * (time.perf_counter() - started))
            await asyncio.sleep(0.001)
