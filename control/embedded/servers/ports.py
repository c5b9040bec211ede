"""A loopback port that is chosen once and remembered, so that URLs survive a restart."""

import atexit
import errno
import logging
import secrets
import socket
from pathlib import Path

from control.embedded.servers.error import LocalPartError
from control.store.files import write_private

log = logging.getLogger(__name__)

# Below Linux's ephemeral range (32768 and up): a port from within it is lent to outgoing
# connections, and then is taken at some restart for no visible reason.
LOWEST, HIGHEST = 20000, 32000


def is_free(port: int) -> bool:
    """Whether a server could listen on 127.0.0.1:`port` now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As the servers do: connections in TIME_WAIT must not make our own port look taken.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            if error.errno in (errno.EADDRINUSE, errno.EACCES):
                return False
            raise
    return True


HELD = 200
"""Ports this process keeps from others at once."""

_held: dict[int, socket.socket] = {}
"""By port, a socket that is bound and never listens. Between our choice and the server's `listen`
lie seconds, and another stack that starts then must not choose the same. On Linux two sockets with
SO_REUSEADDR share a port as long as none of them listens, so the server itself may still bind."""


@atexit.register
def _let_go() -> None:
    while _held:
        _held.popitem()[1].close()


def _hold(port: int, *, alone: bool) -> bool:
    """Keep `port` from others that choose; `alone` only when no socket at all is bound to it."""
    if port in _held:
        return not alone and is_free(port)
    if len(_held) >= HELD:
        _held.pop(next(iter(_held))).close()
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        # In this order the look and the taking are one step: of two that choose the same port at
        # the same moment, the second fails to bind.
        if not alone:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(("127.0.0.1", port))
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    except OSError as error:
        bound.close()
        if error.errno in (errno.EADDRINUSE, errno.EACCES):
            return False
        raise
    _held[port] = bound
    return True


def choose() -> int:
    """A free port, at random so that stacks started together rarely meet, and held."""
    for _ in range(200):
        port = LOWEST + secrets.randbelow(HIGHEST - LOWEST)
        if _hold(port, alone=True):
            return port
    raise LocalPartError(f"no free port on 127.0.0.1 between {LOWEST} and {HIGHEST}")


class RememberedPort:
    """The port of one server, kept in a file of its data directory."""

    def __init__(self, path: Path, wanted: int = 0, option: str = "") -> None:
        """`option` is what an operator chooses another with, where there is one."""
        self.path = path
        self.wanted = wanted
        self.option = option

    def resolve(self) -> int:
        """The port to listen on: the wanted one, else the remembered one, else a new one.

        A remembered port another process took meanwhile is replaced, with a warning; one that
        was asked for by number is an error, because somebody relies on that number.
        """
        if self.wanted:
            if not _hold(self.wanted, alone=False):
                another = f"choose another with {self.option}" if self.option else "ask for another"
                raise LocalPartError(
                    f"port {self.wanted} on 127.0.0.1 is taken by another process; "
                    f"free it, or {another}"
                )
            self._remember(self.wanted)
            return self.wanted
        before = self._read()
        if before and _hold(before, alone=False):
            return before
        port = choose()
        if before:
            log.warning("port %d is taken by another process: using %d from now on", before, port)
        self._remember(port)
        return port

    def _read(self) -> int:
        try:
            text = self.path.read_text(encoding="utf-8").strip()
        except FileNotFoundError:
            return 0
        return int(text) if text.isascii() and text.isdigit() and int(text) < 65536 else 0

    def _remember(self, port: int) -> None:
        if port != self._read():
            write_private(self.path, f"{port}\n")
