"""A TCP proxy that stalls, delays, refuses and cuts: the network as a fault.

Owns: one listening port in front of one address. Every chunk passes through the switches of the
moment, so a fault begins between two octets of a running conversation.
"""

import asyncio
import contextlib
import enum
import re
import socket
import struct
from collections.abc import Callable
from typing import Self

DOT = b"\r\n.\r\n"
GO_AHEAD = re.compile(rb"(?m)^354 ")
_RESET = struct.pack("ii", 1, 0)
_CHUNK = 65_536


class Cut(enum.Enum):
    """Where an SMTP conversation is torn."""

    BEFORE_DOT = "the go-ahead for the content does not come back"
    DOT_LOST = "the final dot does not pass"
    AFTER_DOT = "the dot passes, its reply does not"
    SWALLOWED = "the final dot does not pass, and nobody hears of it: the connection stays"


class Proxy:
    """`async with Proxy(host, port) as proxy: proxy.port`."""

    def __init__(self, host: str, port: int) -> None:
        """Where connections go."""
        self._target = (host, port)
        self._server: asyncio.Server | None = None
        self._connections: set[_Connection] = set()
        self._going = asyncio.Event()
        self._going.set()
        self._answering = asyncio.Event()
        self._answering.set()
        self.refusing = False
        """Reset every new connection."""
        self.delay = 0.0
        """Seconds each chunk waits, each way."""
        self.cut_at: Cut | None = None
        self.cuts_left = 0
        """How many conversations are torn at `cut_at`."""
        self.cuts = 0
        """How many were."""
        self.accepted = 0
        """Connections there have been."""

    def __repr__(self) -> str:
        return f"<Proxy to {self._target[1]}: {len(self._connections)} connections>"

    @property
    def port(self) -> int:
        assert self._server is not None
        return int(self._server.sockets[0].getsockname()[1])

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *error: object) -> None:
        assert self._server is not None
        self._server.close()
        self.go_on()
        self.cut()
        while self._connections:
            await asyncio.sleep(0.01)

    def stall(self) -> None:
        """From now on nothing passes; connections stay open and new ones are accepted."""
        self._going.clear()

    def withhold(self) -> None:
        """From now on the server hears everything, and none of its answers comes back."""
        self._answering.clear()

    def go_on(self) -> None:
        """What was stalled or withheld arrives now."""
        self._going.set()
        self._answering.set()

    def cut(self) -> None:
        """Reset every connection, both ends."""
        for connection in list(self._connections):
            connection.reset()

    def lead_to(self, port: int) -> None:
        """From now on new connections go to another server; those there are stay where they are."""
        self._target = (self._target[0], port)

    def tear(self, where: Cut, count: int) -> None:
        """Tear the next `count` conversations at `where`."""
        self.cut_at, self.cuts_left = where, count

    def tears(self, where: Cut) -> bool:
        """Whether this conversation is torn there; counts it."""
        if self.cut_at is not where or self.cuts_left <= 0:
            return False
        self.cuts_left -= 1
        self.cuts += 1
        return True

    async def passes(self, *, back: bool) -> None:
        """Wait as long as a chunk has to; `back`: one of the server's."""
        if self.delay:
            await asyncio.sleep(self.delay)
        await self._going.wait()
        if back:
            await self._answering.wait()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = _Connection(self, reader, writer)
        self.accepted += 1
        self._connections.add(connection)
        try:
            if not self.refusing:
                await self._going.wait()
                await connection.run(self._target)
        finally:
            connection.reset()
            self._connections.discard(connection)


class _Connection:
    def __init__(
        self, proxy: Proxy, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._proxy = proxy
        self._reader = reader
        self._writers = [writer]
        self._tasks: list[asyncio.Task[None]] = []
        self._tail = b""
        self._owed = False
        self._silent = False

    async def run(self, target: tuple[str, int]) -> None:
        try:
            reader, writer = await asyncio.open_connection(*target)
        except OSError:
            return
        self._writers.append(writer)
        loop = asyncio.get_running_loop()
        self._tasks = [
            loop.create_task(self._pump(self._reader, writer, self._forward, back=False)),
            loop.create_task(self._pump(reader, self._writers[0], self._back, back=True)),
        ]
        # A conversation whose one side has ended has ended: SMTP, RESP and PostgreSQL alike.
        await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in self._tasks:
            task.cancel()
        await asyncio.wait(self._tasks)

    def reset(self) -> None:
        for writer in self._writers:
            if not writer.transport.is_closing():
                end = writer.get_extra_info("socket")
                with contextlib.suppress(OSError):
                    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                writer.transport.abort()
        for task in self._tasks:
            task.cancel()

    async def _pump(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        look: Callable[[bytes], bool],
        *,
        back: bool,
    ) -> None:
        try:
            while data := await reader.read(_CHUNK):
                await self._proxy.passes(back=back)
                if not look(data):
                    return
                if self._silent:
                    continue
                writer.write(data)
                await writer.drain()
        except OSError:
            return

    def _forward(self, data: bytes) -> bool:
        seen, self._tail = self._tail + data, (self._tail + data)[-len(DOT) + 1 :]
        if DOT in seen:
            if self._proxy.tears(Cut.DOT_LOST):
                return False
            self._silent = self._silent or self._proxy.tears(Cut.SWALLOWED)
            self._owed = True
        return True

    def _back(self, data: bytes) -> bool:
        if GO_AHEAD.search(data) and self._proxy.tears(Cut.BEFORE_DOT):
            return False
        owed, self._owed = self._owed, False
        return not (owed and self._proxy.tears(Cut.AFTER_DOT))
