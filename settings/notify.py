"""What a process tells systemd: that it serves, that it still does, that it ends (sd_notify(3)).

Owns: the socket. Rule: without one (`NOTIFY_SOCKET`, set by `Type=notify`) nothing is done; who
listens or not changes nothing about mail. The watchdog's sign comes out of what would hang: the
event loop, or the agent's round.
"""

import asyncio
import os
import socket
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress

READY = "READY=1"
STOPPING = "STOPPING=1"
_ALIVE = "WATCHDOG=1"
_OFTEN = 3
"""Signs within the time after which systemd gives up on us."""


class Notifier:
    """One process's word to systemd."""

    def __init__(self, environ: Mapping[str, str] = os.environ) -> None:
        self._path = environ.get("NOTIFY_SOCKET", "")
        self._every = _interval(environ)
        self._told = 0.0

    @property
    def heard(self) -> bool:
        """Somebody listens."""
        return bool(self._path)

    def tell(self, *lines: str) -> None:
        """`NAME=value` each. Nobody who hears it is no error: systemd may be restarting."""
        if not self._path:
            return
        # Abstract names begin with a NUL octet, which the environment cannot have.
        path = f"\0{self._path[1:]}" if self._path.startswith("@") else self._path
        with (
            suppress(OSError),
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender,
        ):
            sender.sendto("\n".join(lines).encode(), path)

    def reloading(self) -> None:
        """What we were told to read anew is being read; `READY` ends it."""
        self.tell("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def alive(self) -> None:
        """A sign, if one is due; for a loop of one's own."""
        now = time.monotonic()
        if self._every and now - self._told >= self._every:
            self._told = now
            self.tell(_ALIVE)

    @asynccontextmanager
    async def watched(self) -> AsyncIterator[None]:
        """As long as the event loop turns, systemd knows."""
        if not self._every:
            yield
            return
        task = asyncio.get_running_loop().create_task(self._signs(self._every))
        try:
            yield
        finally:
            task.cancel()

    async def _signs(self, every: float) -> None:
        while True:
            self.tell(_ALIVE)
            await asyncio.sleep(every)


def _interval(environ: Mapping[str, str]) -> float:
    """Seconds between two signs; 0.0: systemd wants none, or of another process."""
    microseconds, pid = environ.get("WATCHDOG_USEC", ""), environ.get("WATCHDOG_PID", "")
    if not microseconds.isdigit() or pid not in ("", str(os.getpid())):
        return 0.0
    return int(microseconds) / 1e6 / _OFTEN
