"""A loopback port that is chosen once and remembered, so that URLs survive a restart."""

import errno
import logging
import secrets
import socket
from collections import deque
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


_given: deque[int] = deque(maxlen=200)
"""Ports this process was given lately: who asked may not listen there yet."""


def choose() -> int:
    """A free port, at random so that stacks started together rarely meet."""
    for _ in range(200):
        port = LOWEST + secrets.randbelow(HIGHEST - LOWEST)
        if port not in _given and is_free(port):
            _given.append(port)
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
            if not is_free(self.wanted):
                another = f"choose another with {self.option}" if self.option else "ask for another"
                raise LocalPartError(
                    f"port {self.wanted} on 127.0.0.1 is taken by another process; "
                    f"free it, or {another}"
                )
            self._remember(self.wanted)
            return self.wanted
        before = self._read()
        if before and is_free(before):
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
