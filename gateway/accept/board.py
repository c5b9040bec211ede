"""How many sessions each worker has, in memory that the workers of one gateway share.

Rule: figures to share connections by, never to decide about mail; a slot that nobody has written
for a while (its worker died, or is frozen, or takes no connections) is not looked at. Each worker
writes its own slot alone; only while a reload is tried, its successor writes there, too.
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

    def __init__(self, path: Path, index: int, workers: int) -> None:
        """`index`: the worker's number, from 0; `workers`: how many there are."""
        size = _SLOT.size * _SLOTS
        with path.open("a+b") as file:
            # Others may make it now, too: to the same size, and without taking anything from it.
            if file.tell() < size:
                file.truncate(size)
            self._shared = mmap.mmap(file.fileno(), size)
        self._index = index
        self._taken = workers * _SLOT.size
        self.away = False
        """We take no connections now: nobody should leave us any."""

    def post(self, sessions: int) -> None:
        """Say how many sessions we have."""
        seen = 0.0 if self.away else time.monotonic()
        _SLOT.pack_into(self._shared, self._index * _SLOT.size, sessions, seen)

    def least(self) -> int | None:
        """The fewest sessions of any other worker; None when we are alone."""
        oldest = time.monotonic() - _FRESH
        return min(
            (
                sessions
                for index, (sessions, seen) in enumerate(
                    _SLOT.iter_unpack(self._shared[: self._taken])
                )
                if seen > oldest and index != self._index
            ),
            default=None,
        )
