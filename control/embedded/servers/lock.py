"""Locks on a directory: who supervises it, and whether a server still lives in it.

flock, not a pid file: the kernel lets go of it with the last descriptor, so neither kill -9 nor
a reboot leaves one behind, and a recycled pid cannot fake one. The pid inside is for people.
"""

import fcntl
import os
from pathlib import Path
from types import TracebackType
from typing import Self

from control.embedded.servers.error import LocalPartError


def open_locked(path: Path) -> int | None:
    """A descriptor that holds the lock on `path`, or None while another process holds it."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except PermissionError as error:
        raise LocalPartError(
            f"{path.parent} belongs to another user; run as that user, or choose another --data-dir"
        ) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


def record(descriptor: int, pid: int) -> None:
    """Write the holder's pid into the lock file; 0 is nobody.

    In place and always as long: a file that was emptied first needs a new block, which a full disk
    does not have, and a server could not be started again before somebody made room."""
    os.pwrite(descriptor, b"%-20d\n" % pid, 0)
    os.ftruncate(descriptor, 21)


def recorded(path: Path) -> int | None:
    """The pid on the first line of a lock or pid file; None if there is none to be had."""
    try:
        first = path.read_text(encoding="utf-8", errors="replace").split("\n", 1)[0].strip()
    except (FileNotFoundError, PermissionError):
        return None
    return int(first) if first.isascii() and first.isdigit() and int(first) > 1 else None


class DirectoryLock:
    """The supervisor's claim on a directory; held until released or until the process ends."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / "lock"
        self._descriptor: int | None = None

    def __repr__(self) -> str:
        return f"<DirectoryLock {self.path.parent}: {'held' if self.held else 'free'}>"

    @property
    def held(self) -> bool:
        """Whether this object holds the lock."""
        return self._descriptor is not None

    def acquire(self) -> None:
        """Take the lock, or fail at once naming the process that has it."""
        if self._descriptor is not None:
            raise LocalPartError(f"{self.path.parent} is already in use by this process")
        descriptor = open_locked(self.path)
        if descriptor is None:
            pid = recorded(self.path)
            raise LocalPartError(
                f"another stack ({f'pid {pid}' if pid else 'pid unknown'}) is running on "
                f"{self.path.parent}; stop it first, or choose another --data-dir"
            )
        try:
            record(descriptor, os.getpid())
        except OSError:
            # Kept, it would be the lock of a stack that nobody can end.
            os.close(descriptor)
            raise
        self._descriptor = descriptor

    def release(self) -> None:
        """Let go; harmless if not held."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            # The file stays: removing it would let two processes lock two files of one name.
            record(descriptor, 0)
            os.close(descriptor)

    def holder(self) -> int | None:
        """The pid of the process that holds the lock, None while it is free."""
        if not self.path.exists():
            return None
        descriptor = open_locked(self.path)
        if descriptor is None:
            return recorded(self.path)
        os.close(descriptor)
        return None

    def __enter__(self) -> Self:
        self.acquire()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.release()
