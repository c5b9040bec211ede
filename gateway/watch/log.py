"""Structured logs: one JSON object a line on standard error or in a file, one line a message.

Owns: the line format, masking of addresses, a bounded buffer. Rule: logging never blocks the
event loop and never grows without bound; lines that do not fit are counted and the count is
logged as soon as there is room. A line is written in the same turn of the loop; only that of a
message that PowerMTA or the hold has may wait a few milliseconds for others: should the process be
killed meanwhile, their own records name the message, whatever its client has heard.
"""

import asyncio
import os
import select
import stat
import time
from collections.abc import Callable
from typing import Literal

import msgspec

from gateway.watch.logfile import LogFile
from policy.address import hashed

Level = Literal["debug", "info", "warning", "error"]
_LEVELS: tuple[Level, ...] = ("debug", "info", "warning", "error")
_MAY_WAIT = frozenset({"relayed", "held"})
"""Outcomes whose lines wait for each other."""
_TOGETHER = 0.005
"""Seconds they wait at most. A write costs 4 µs and a turn of the loop; making a line, 5 µs."""
_BLOCKED = 0.05
"""Seconds until a descriptor that took nothing is tried again."""

_encode = msgspec.json.Encoder().encode
Value = str | int | float | bool | None | list[str] | dict[str, int]


def _nobody(_: dict[str, Value]) -> None:
    return


class Log:
    """Writes to one file descriptor, or one file."""

    def __init__(
        self,
        *,
        level: Level = "info",
        addresses: Literal["plain", "hashed"] = "plain",
        buffer: int = 1_048_576,
        descriptor: int = 2,
        process: str = "",
        key: str = "",
        file: str = "",
    ) -> None:
        """`file`: written to instead of `descriptor`; raises OSError where it cannot be.
        `buffer`: octets kept while the descriptor does not take them; `key` of hashed addresses, a
        random one without."""
        self._shown = frozenset(_LEVELS[_LEVELS.index(level) :])
        self._hashed = addresses == "hashed"
        self._key = key.encode() or os.urandom(32)
        self._bound = buffer
        self._file = LogFile(file) if file else None
        self._descriptor = descriptor = self._file.descriptor if self._file else descriptor
        self._process = process
        self._begins: dict[tuple[Level, str], bytes] = {}
        self._lines: list[bytes] = []
        self._size = 0
        self._turn: Literal["", "soon", "late", "blocked"] = ""
        """How the next turn of the loop that writes is scheduled."""
        self.hear: Callable[[dict[str, Value]], None] = _nobody
        """Is given what became of each message."""
        self.dropped = 0
        self._told = 0
        self._never_blocks = stat.S_ISREG(os.fstat(descriptor).st_mode)
        self._poll = select.poll()
        self._poll.register(descriptor, select.POLLOUT)

    def debug(self, event: str, **fields: Value) -> None:
        self._line("debug", event, fields)

    def info(self, event: str, **fields: Value) -> None:
        self._line("info", event, fields)

    def message(self, fields: dict[str, Value], **beside: Value) -> None:
        """What became of one message; `fields` say all of it, its `outcome` among them. `beside`:
        what whoever hears is told besides."""
        self._line("info", "message", fields, waits=fields["outcome"] in _MAY_WAIT)
        self.hear({**fields, **beside} if beside else fields)

    def warning(self, event: str, **fields: Value) -> None:
        self._line("warning", event, fields)

    def error(self, event: str, **fields: Value) -> None:
        self._line("error", event, fields)

    def address(self, address: bytes) -> str:
        """An address as logs may show it."""
        text = address.decode("utf-8", "replace")
        if not self._hashed or "@" not in text:
            return text
        return hashed(text, self._key)

    def _line(
        self, level: Level, event: str, fields: dict[str, Value], *, waits: bool = False
    ) -> None:
        if level not in self._shown:
            return
        begin = self._begins.get((level, event)) or self._begin(level, event)
        # Put together from encoded parts: half the time of a dictionary with everything in it.
        line = b'{"time":%.3f%b%b%b\n' % (
            time.time(), begin, b"," if fields else b"", _encode(fields)[1:]
        )  # fmt: skip
        if self._size + len(line) > self._bound:
            self.dropped += 1
            return
        self._lines.append(line)
        self._size += len(line)
        if not self._turn:
            self._schedule("late" if waits else "soon")
        elif self._turn == "late" and not waits:
            self._schedule("soon")

    def _begin(self, level: Level, event: str) -> bytes:
        """What all lines of one event have between their time and their fields."""
        fixed = {"level": level, "event": event}
        if self._process:
            fixed["process"] = self._process
        begin = self._begins[level, event] = b"," + _encode(fixed)[1:-1]
        return begin

    def _schedule(self, turn: Literal["soon", "late", "blocked"]) -> None:
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            # Before and after the loop's life: try once, and keep what does not go.
            if turn != "blocked":
                self.flush()
            return
        self._turn = turn
        if turn == "soon":
            loop.call_soon(self._write_now)
        else:
            loop.call_later(_TOGETHER if turn == "late" else _BLOCKED, self._write_now)

    def _write_now(self) -> None:
        # A late turn that was overtaken comes too, and finds nothing to do.
        self._turn = ""
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
            self._schedule("blocked")
        if self.dropped > self._told and written:
            lost, self._told = self.dropped - self._told, self.dropped
            self.warning("log_lines_dropped", count=lost)

    def _write(self, data: bytes) -> int:
        """How much of `data` the descriptor took without making us wait.

        Standard error is shared with our parent, so it is not ours to make non-blocking; a pipe
        that polls as writable takes PIPE_BUF octets at once (POSIX, write)."""
        if self._file is not None:
            self._descriptor = self._file.look()
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
