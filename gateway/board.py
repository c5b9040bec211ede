"""How many sessions each worker has, in memory that the workers of one gateway share.

Rule: figures to share connections by, never to decide about mail; a slot that nobody has written
for a while (its worker died, or is frozen) is not looked at. Each worker writes its own slot alone.
"""

import mmap
import struct
import time
from pathlib import Path

_SLOT = struct.Struct("=qd")  # sessions, seconds of the machine's monotonic clock
_SLOTS = 256  # as many as `gateway.workers` may be
_FRESH = 0.5

BEAT = 0.1
"""Seconds between two signs of life of a worker whose sessions do not change."""


def make(path: Path) -> None:
    """An empty board; workers open it by its path."""
    path.write_bytes(bytes(_SLOT.size * _SLOTS))


class Board:
    """One worker's view. A file that was tidied away is made again: who sees whom then is a matter
    of shares, and no reason to serve nobody. Raises OSError."""

    def __init__(self, path: Path, index: int) -> None:
        """`index`: the worker's number."""
        size = _SLOT.size * _SLOTS
        with path.open("a+b") as file:
            # Others may make it now, too: to the same size, and without taking anything from it.
            if file.tell() < size:
                file.truncate(size)
            self._shared = mmap.mmap(file.fileno(), size)
        self._index = index

    def post(self, sessions: int) -> None:
        """Say how many sessions we have."""
        _SLOT.pack_into(self._shared, self._index * _SLOT.size, sessions, time.monotonic())

    def least(self) -> int | None:
        """The fewest sessions of any other worker; None when we are alone."""
        oldest = time.monotonic() - _FRESH
        return min(
            (
                sessions
                for index, (sessions, seen) in enumerate(_SLOT.iter_unpack(self._shared))
                if seen > oldest and index != self._index
            ),
            default=None,
        )
