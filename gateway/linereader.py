"""Command lines and data blocks of one client, in bounded memory.

Owns: strict line ends. A subclass of asyncio's reader because aiosmtpd feeds one; its buffer is
asyncio's own `_buffer`, a contract that a test pins.
"""

import asyncio
from enum import StrEnum

_BLOCK = 65_536


class LineFault(StrEnum):
    """Why a line is no command; the session stays in step."""

    TOO_LONG = "line too long"
    BARE_LF = "line ends with a bare LF"


class LineReader(asyncio.StreamReader):
    """Adds strict lines and whole blocks to asyncio's reader."""

    _buffer: bytearray  # asyncio's
    _eof: bool

    @property
    def has_line(self) -> bool:
        """A whole line waits already: the client pipelines."""
        return b"\n" in self._buffer

    @property
    def buffered(self) -> int:
        return len(self._buffer)

    async def line(self, longest: int) -> bytes | LineFault | None:
        """The next line without CRLF, a fault, or None at the end of the stream.

        An over-long line is read to its end and thrown away."""
        too_long = False
        searched = 0
        while (end := self._buffer.find(b"\n", searched)) < 0:
            if len(self._buffer) > longest:
                too_long = True
                self._buffer.clear()
            searched = len(self._buffer)
            if self._eof:
                return None
            if not await self._more():
                return None
        raw = bytes(self._buffer[: end + 1])
        del self._buffer[: end + 1]
        self._resume()
        if too_long or len(raw) > longest:
            return LineFault.TOO_LONG
        if not raw.endswith(b"\r\n"):
            return LineFault.BARE_LF
        return raw[:-2]

    async def block(self) -> bytes:
        """What has come, one to `_BLOCK` octets; empty at the end of the stream.

        Bounded, for what follows a message's end comes back with `put_back`: whoever takes all
        there is lets as much in again with every message that a client pipelines."""
        if not self._buffer and not self._eof and not await self._more():
            return b""
        with memoryview(self._buffer) as buffer:
            taken = bytes(buffer[:_BLOCK])
        del self._buffer[:_BLOCK]
        self._resume()
        return taken

    def put_back(self, data: bytes) -> None:
        """Octets that were read past the end of data."""
        if data:
            self._buffer[:0] = data

    async def _more(self) -> bool:
        """Wait for input; False when the connection broke."""
        if self.exception() is not None:
            self._eof = True
            return False
        self._resume()
        try:
            await self._wait_for_data("line")  # type: ignore[attr-defined]
        except (ConnectionError, OSError):
            self._eof = True
            return False
        return True

    def _resume(self) -> None:
        self._maybe_resume_transport()  # type: ignore[attr-defined]
