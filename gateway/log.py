"""Structured logs: one JSON object a line on standard error, one line a message.

Owns: the line format, masking of addresses, a bounded buffer. Rule: logging never blocks the
event loop and never grows without bound; lines that do not fit are counted and the count is
logged as soon as there is room.
"""

import asyncio
import hashlib
import hmac
import os
import select
import stat
import time
from typing import Literal

import msgspec

_LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}
_encode = msgspec.json.Encoder().encode

Level = Literal["debug", "info", "warning", "error"]
Value = str | int | float | bool | None | list[str] | dict[str, int]


class Log:
    """Writes to one file descriptor."""

    def __init__(
        self,
        *,
        level: Level = "info",
        addresses: Literal["plain", "hashed"] = "plain",
        buffer: int = 1_048_576,
        descriptor: int = 2,
        process: str = "",
    ) -> None:
        """`buffer`: octets kept while the descriptor does not take them."""
        self._level = _LEVELS[level]
        self._hashed = addresses == "hashed"
        self._key = os.urandom(32)
        self._bound = buffer
        self._descriptor = descriptor
        self._process = process
        self._lines: list[bytes] = []
        self._size = 0
        self._scheduled = False
        self.dropped = 0
        self._told = 0
        self._never_blocks = stat.S_ISREG(os.fstat(descriptor).st_mode)
        self._poll = select.poll()
        self._poll.register(descriptor, select.POLLOUT)

    def debug(self, event: str, **fields: Value) -> None:
        self._line("debug", event, fields)

    def info(self, event: str, **fields: Value) -> None:
        self._line("info", event, fields)

    def warning(self, event: str, **fields: Value) -> None:
        self._line("warning", event, fields)

    def error(self, event: str, **fields: Value) -> None:
        self._line("error", event, fields)

    def address(self, address: bytes) -> str:
        """An address as logs may show it."""
        text = address.decode("utf-8", "replace")
        if not self._hashed or "@" not in text:
            return text
        local, _, domain = text.rpartition("@")
        digest = hmac.digest(self._key, local.encode(), hashlib.sha256).hex()[:12]
        return f"{digest}@{domain}"

    def _line(self, level: Level, event: str, fields: dict[str, Value]) -> None:
        if _LEVELS[level] < self._level:
            return
        record = {"time": round(time.time(), 3), "level": level, "event": event}
        if self._process:
            record["process"] = self._process
        line = _encode({**record, **fields}) + b"\n"
        if self._size + len(line) > self._bound:
            self.dropped += 1
            return
        self._lines.append(line)
        self._size += len(line)
        if not self._scheduled:
            self._schedule(0.0)

    def _schedule(self, delay: float) -> None:
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            # Before and after the loop's life: try once, and keep what does not go.
            if not delay:
                self.flush()
            return
        self._scheduled = True
        if delay:
            loop.call_later(delay, self._turn)
        else:
            loop.call_soon(self._turn)

    def _turn(self) -> None:
        self._scheduled = False
        self.flush()

    def flush(self) -> None:
        """Write what is buffered; what a blocked descriptor does not take stays."""
        if not self._lines:
            return
        data, self._lines, self._size = b"".join(self._lines), [], 0
        try:
            written = self._write(data)
        except OSError:
            # Nobody reads our log any more; mail goes on.
            self.dropped += data.count(b"\n")
            return
        if written < len(data):
            self._lines, self._size = [data[written:]], len(data) - written
            self._schedule(0.05)
        if self.dropped > self._told and written:
            lost, self._told = self.dropped - self._told, self.dropped
            self.warning("log_lines_dropped", count=lost)

    def _write(self, data: bytes) -> int:
        """How much of `data` the descriptor took without making us wait.

        Standard error is shared with our parent, so it is not ours to make non-blocking; a pipe
        that polls as writable takes PIPE_BUF octets at once (POSIX, write)."""
        if self._never_blocks:
            return os.write(self._descriptor, data)
        written = 0
        while written < len(data) and self._poll.poll(0):
            end = written + select.PIPE_BUF
            if end < len(data):
                # Whole lines only: other workers write to the same pipe in between.
                end = data.rfind(b"\n", written, end) + 1 or end
            written += os.write(self._descriptor, data[written:end])
        return written
