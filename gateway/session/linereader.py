"""Command lines and blocks of one client, in bounded memory.

Owns: strict line ends. A subclass of asyncio's reader for its buffer, its pausing and its waiting;
they are asyncio's own, a contract that a test pins.
"""

import asyncio
from enum import StrEnum


class LineFault(StrEnum):
    """Why a line is no command; the session stays in step."""

    TOO_LONG = "line too long"
    BARE_LF = "line ends with a bare LF"


class LineReader(asyncio.StreamReader):
    """Adds strict lines and whole blocks to asyncio's reader, to be taken without waiting."""

    _buffer: bytearray  # asyncio's
    _eof: bool
    _exception: Exception | None
    _paused: bool
    _transport: asyncio.Transport | None

    def __init__(self, limit: int, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(limit=limit, loop=loop)
        self._searched = 0
        self._too_long = False

    def attach(self, transport: asyncio.Transport | None) -> None:
        """What is read comes from there, now or again: TLS lies on top of the one before. None:
        from one that is not known yet, and cannot be paused."""
        self._transport = transport
        self._paused = False

    @property
    def buffered(self) -> int:
        return len(self._buffer)

    @property
    def ended(self) -> bool:
        """Nothing more will come: half-closed, or broken."""
        return self._eof or self._exception is not None

    @property
    def idle(self) -> bool:
        """Nothing is here, and more may come."""
        return not self._buffer and not self._eof and self._exception is None

    def lone(self, data: bytes, longest: int) -> bytes | None:
        """The line that `data` is, without CRLF, if it is one of at most `longest` octets and no
        part of it came before, thrown away or not: the usual case of a client that waits for each
        reply, past the buffer."""
        if self._buffer or self._too_long or len(data) > longest:
            return None
        if data.find(b"\n") != len(data) - 1 or not data.endswith(b"\r\n"):
            return None
        return data[:-2]

    def take(self, longest: int) -> bytes | LineFault | None:
        """The next line without CRLF, a fault, or None while no whole line is here.

        An over-long line is read to its end and thrown away."""
        buffer = self._buffer
        end = buffer.find(b"\n", self._searched)
        if end < 0:
            if len(buffer) > longest:
                self._too_long = True
                buffer.clear()
            self._searched = len(buffer)
            self._resume()
            return None
        raw = bytes(buffer[: end + 1])
        del buffer[: end + 1]
        self._searched = 0
        self._resume()
        if self._too_long or len(raw) > longest:
            self._too_long = False
            return LineFault.TOO_LONG
        return raw[:-2] if raw.endswith(b"\r\n") else LineFault.BARE_LF

    async def line(self, longest: int) -> bytes | LineFault | None:
        """As `take`, but waits; None at the end of the stream."""
        while (line := self.take(longest)) is None:
            if self.ended:
                return None
            try:
                await self._wait_for_data("line")  # type: ignore[attr-defined]
            except OSError:
                return None
        return line

    def take_block(self, most: int) -> bytes:
        """What is here, at most `most` octets.

        Bounded, for what follows a message's end comes back with `put_back`: whoever takes all
        there is lets as much in again with every message that a client pipelines."""
        with memoryview(self._buffer) as buffer:
            taken = bytes(buffer[:most])
        del self._buffer[:most]
        self._searched = 0
        self._resume()
        return taken

    def put_back(self, data: bytes) -> None:
        """Octets that were read past the end of data."""
        if data:
            self._buffer[:0] = data
            self._searched = 0

    def clear(self) -> None:
        """Forget all that came."""
        self._buffer.clear()
        self._searched = 0
        self._too_long = False

    def _resume(self) -> None:
        if self._paused:
            self._maybe_resume_transport()  # type: ignore[attr-defined]
