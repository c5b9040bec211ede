"""A PowerMTA that answers as its script says, octet by octet, right or wrong.

A script belongs to a sender's local part: what to do instead of the right reply at each stage of
its transaction. A step is octets to say, seconds to wait, `CLOSE`, or `SILENT`; every connection
is opened as `opening` says.
"""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Mapping, Sequence
from enum import Enum
from typing import Final

from policy.model import Address


class Act(Enum):
    CLOSE = "close"
    SILENT = "silent"


CLOSE: Final = Act.CLOSE
SILENT: Final = Act.SILENT

Step = bytes | Act | float
Script = Mapping[str, Sequence[Step]]
"""Stage (greeting, ehlo, starttls, auth, mail, rcpt, data, dot) to steps."""

EHLO: Final = b"250-fake\r\n250-PIPELINING\r\n250 SIZE 1000000\r\n"


class ClosedError(Exception):
    """The script closes here."""


class FakePowerMta:
    """What it was told, and what it took."""

    def __init__(
        self, scripts: Mapping[str, Script], opening: Script, tls: ssl.SSLContext | None
    ) -> None:
        self.scripts = scripts
        self.opening = opening
        self.taken: list[str] = []
        """Senders' local parts of messages answered rightly after the dot."""
        self.dots: list[str] = []
        """Senders' local parts of messages whose dot came."""
        self.heard: list[bytes] = []
        """Commands."""
        self.open = 0
        self.port = 0
        self._tls = tls
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def address(self) -> Address:
        return Address(host="127.0.0.1", port=self.port)

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.open += 1
        try:
            with contextlib.suppress(ConnectionError, EOFError, ClosedError, ssl.SSLError):
                await self._converse(reader, writer)
        finally:
            self.open -= 1
            self._tasks.discard(task)
            writer.transport.abort()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async def act(steps: Sequence[Step]) -> None:
            for step in steps:
                if step is CLOSE:
                    await writer.drain()
                    writer.close()
                    await writer.wait_closed()
                    raise ClosedError
                if step is SILENT:
                    await reader.read(-1)
                    raise ClosedError
                if isinstance(step, float):
                    await asyncio.sleep(step)
                    continue
                assert isinstance(step, bytes)
                writer.write(step)
                await writer.drain()

        async def opening(stage: str, right: bytes) -> None:
            await act(self.opening.get(stage, (right,)))

        await opening("greeting", b"220 fake\r\n")
        name = ""
        script: Script = {}
        while line := await reader.readline():
            self.heard.append(line.rstrip(b"\r\n"))
            verb = line[:4].upper().strip()
            if verb == b"EHLO":
                await opening("ehlo", EHLO)
            elif verb == b"HELO":
                await opening("helo", b"250 fake\r\n")
            elif verb == b"STAR":
                await opening("starttls", b"220 go\r\n")
                assert self._tls is not None
                await writer.start_tls(self._tls)
            elif verb == b"AUTH":
                await opening("auth", b"235 2.7.0 ok\r\n")
            elif verb == b"MAIL":
                name = line.partition(b"<")[2].partition(b"@")[0].decode()
                script = self.scripts.get(name, {})
                await act(script.get("mail", (b"250 2.1.0 ok\r\n",)))
            elif verb == b"RCPT":
                await act(script.get("rcpt", (b"250 2.1.5 ok\r\n",)))
            elif verb == b"DATA":
                steps = script.get("data", (b"354 go\r\n",))
                await act(steps)
                if b"".join(s for s in steps if isinstance(s, bytes)).startswith(b"354"):
                    await reader.readuntil(b"\r\n.\r\n")
                    self.dots.append(name)
                    if "dot" not in script:
                        self.taken.append(name)
                    said = f"250 2.6.0 {name} queued\r\n".encode()
                    await act(script.get("dot", (said,)))
            elif verb == b"QUIT":
                await act((b"221 bye\r\n", CLOSE))
            else:
                await act((b"250 2.0.0 ok\r\n",))

    async def end(self) -> None:
        """Cut every connection."""
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


@contextlib.asynccontextmanager
async def fake_pmta(
    scripts: Mapping[str, Script] | None = None,
    opening: Script | None = None,
    tls: ssl.SSLContext | None = None,
) -> AsyncIterator[FakePowerMta]:
    """Listens on a free port of this machine."""
    fake = FakePowerMta(scripts or {}, opening or {}, tls)
    server = await asyncio.start_server(fake.connected, "127.0.0.1", 0)
    fake.port = server.sockets[0].getsockname()[1]
    try:
        yield fake
    finally:
        server.close()
        await fake.end()
