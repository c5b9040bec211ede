"""A log file that may be renamed under us: the next write finds the new one.

As the standard library's WatchedFileHandler does it: who rotates renames, and needs to tell nobody.
What was written before we look is in the renamed file, and nothing is copied or truncated, so no
line is lost; the file before is ours to write to for a second more (deploy/logrotate).
"""

import os
import stat
import time
from pathlib import Path

EVERY = 1.0
"""Seconds between two looks: one costs 2 µs."""
_MODE = 0o640


class LogFile:
    """Appended to, also by other processes: a line is one write."""

    def __init__(self, path: str) -> None:
        """Raises OSError for what cannot be appended to, or is no regular file."""
        self._path = path
        self.descriptor, self._known = _opened(path)
        self._looked = time.monotonic()

    def look(self) -> int:
        """The descriptor of what has the name now. It is a new one after a rename."""
        now = time.monotonic()
        if now - self._looked < EVERY:
            return self.descriptor
        self._looked = now
        try:
            there = Path(self._path).stat()
            if (there.st_dev, there.st_ino) == self._known:
                return self.descriptor
        except OSError:
            pass  # renamed, and nothing in its place: opening makes it
        try:
            descriptor, known = _opened(self._path)
        except OSError:
            # The renamed one takes lines, as long as it must.
            return self.descriptor
        os.close(self.descriptor)
        self.descriptor, self._known = descriptor, known
        return descriptor


def _opened(path: str) -> tuple[int, tuple[int, int]]:
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK
    descriptor = os.open(path, flags, _MODE)
    found = os.fstat(descriptor)
    if not stat.S_ISREG(found.st_mode):
        os.close(descriptor)
        raise OSError(0, "is no regular file", path)
    return descriptor, (found.st_dev, found.st_ino)
