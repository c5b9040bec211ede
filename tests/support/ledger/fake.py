"""A ledger's server that answers batches by a script, behind redis-py's own introduction."""

import asyncio
import ssl
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import hiredis
import msgspec

RUN = "a" * 40
INCARNATION = "the-incarnation"

Step = bytes | None | asyncio.Event
"""Bytes to say, None to hang up, an event to wait for."""


def granted(sequence: int, ip: str = "192.0.2.1") -> bytes:
    """The reply to a batch of one reservation."""
    charge = ["vmta-1", ip, "pmta1", "acme", "", [["other", 1]], 1, 0.0, INCARNATION, 0]
    return _bulk(msgspec.msgpack.encode(["open", sequence, 1, 1, [[1, charge]]]))


def _bulk(text: bytes) -> bytes:
    return b"$%d\r\n%b\r\n" % (len(text), text)


class FakeLedger:
    """`async with FakeLedger() as fake`; listens on TCP, with `tls` by TLS, or at `path`."""

    def __init__(self, *, tls: ssl.SSLContext | None = None, path: Path | None = None) -> None:
        self._tls, self._path = tls, path
        self._server: Any = None
        self._writers: set[asyncio.StreamWriter] = set()
        self.script: list[list[Step]] = []
        """What is done for each batch; a batch behind the last one is granted."""
        self.batches: list[str] = []
        """Ids, in the order in which they came."""
        self.processes: list[str] = []
        """The run ids that they came to."""
        self.run = RUN
        """Of the process that new connections lead to, and that the ledger was opened on."""
        self.loads = 0
        """Times it was given the library."""
        self.loading = _bulk(b"sendgate")
        """What it says to that."""
        self.silent = False
        """Take connections, and say nothing."""
        self.connections = 0
        self.came = asyncio.Event()
        """A batch has come."""

    @property
    def open_now(self) -> int:
        """Connections."""
        return len(self._writers)

    @property
    def url(self) -> str:
        if self._path:
            return f"unix://{self._path}"
        port = self._server.sockets[0].getsockname()[1]
        return f"{'rediss' if self._tls else 'redis'}://localhost:{port}/0"

    async def __aenter__(self) -> Self:
        if self._path:
            self._server = await asyncio.start_unix_server(self._serve, self._path)
        else:
            self._server = await asyncio.start_server(
                self._serve, "localhost", 0, ssl=self._tls, family=2
            )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._server.close()
        for writer in self._writers:
            writer.transport.abort()
        while self._writers:
            await asyncio.sleep(0)

    async def say(self, text: bytes) -> None:
        """To everybody, unasked."""
        for writer in self._writers:
            writer.write(text)
            await writer.drain()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        run = self.run
        self._writers.add(writer)
        questions = hiredis.Reader()
        try:
            while data := await reader.read(65_536):
                questions.feed(data)
                while (question := questions.gets()) is not False:
                    await self._answer(question, writer, run)
        except OSError:
            pass
        finally:
            self._writers.discard(writer)
            writer.transport.abort()

    async def _answer(self, question: list[bytes], writer: asyncio.StreamWriter, run: str) -> None:
        verb = question[0].upper()
        if self.silent:
            return
        if verb == b"FCALL":
            self.batches.append(question[4].decode())
            self.processes.append(run)
            self.came.set()
            count = len(self.batches)
            for step in self.script.pop(0) if self.script else [granted(count)]:
                await self._take_step(step, writer)
        elif verb == b"INFO":
            writer.write(_bulk(b"# Server\r\nrun_id:%b\r\n" % run.encode()))
        elif verb == b"HMGET":
            opened = _bulk(INCARNATION.encode()) + _bulk(self.run.encode())
            writer.write(b"*4\r\n" + opened + _bulk(b"%d" % len(self.batches)) + b"$-1\r\n")
        elif verb == b"FUNCTION":
            self.loads += 1
            writer.write(self.loading)
        else:
            writer.write(_ORDINARY.get(verb, b"+OK\r\n"))

    async def _take_step(self, step: Step, writer: asyncio.StreamWriter) -> None:
        if step is None:
            writer.transport.abort()
        elif isinstance(step, asyncio.Event):
            await step.wait()
        else:
            writer.write(step)
            await writer.drain()


_ORDINARY = {
    b"HELLO": b"%1\r\n$5\r\nproto\r\n:3\r\n",
    b"PING": b"+PONG\r\n",
}
