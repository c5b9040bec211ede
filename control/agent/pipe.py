"""`<acct-file |sendgate pmta agent --pipe>`: what PowerMTA writes into the pipe, into files.

Rule: nothing is read from the pipe before all that was read is on the disk, so that a disk that is
full or slow holds PowerMTA up instead of filling memory. The files are named as PowerMTA would name
them and shipped as its own.
What PowerMTA wrote while nobody read is gone, and it does not say so (guide, `write-timeout`): each
start leaves one number out, which whoever reads the files takes for what it is, a gap.
Failure: a full disk is said once and tried again; PowerMTA waits for `write-timeout` (1 minute),
then drops this program, and starts it again after `retry-interval`.
"""

import logging
import os
import select
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from control.accounting.folder import File, Folder
from control.accounting.records import LONGEST

log = logging.getLogger(__name__)

_READ = 65_536
"""Octets: what a pipe holds."""
_AGAIN = 0.25
"""Seconds between two tries at a full disk."""
_LOOK = 1.0
"""Seconds between two looks whether to end."""


class Pipe:
    """Writes the files of `path`. `largest`: octets of one; `kept`: seconds they stay; `clock`:
    epoch seconds; `ended`: set from outside."""

    def __init__(
        self,
        path: Path,
        *,
        largest: int,
        kept: float,
        ended: threading.Event,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._folder = Folder(path)
        self._largest = largest
        self._kept = kept
        self._ended = ended
        self._clock = clock
        self._file = -1
        self._day = ""
        self._size = 0
        self._header = b""
        self._headed = False
        """The whole header line has been read."""
        self._quoted = False
        """The last octet written stands inside quotes."""
        self._said = False

    def run(self, stdin: int, between: Callable[[], None]) -> None:
        """Until the pipe's end, or until ended and nothing waits in it. `between` is called about
        once a second. Raises OSError for a folder that cannot be used at the start."""
        self._begin(first=True)
        try:
            while True:
                ready, _, _ = select.select([stdin], [], [], _LOOK)
                between()
                if not ready:
                    if self._ended.is_set():
                        return
                    continue
                data = os.read(stdin, _READ)
                if not data:
                    return
                self._take(data)
        finally:
            os.close(self._file)

    def _take(self, data: bytes) -> None:
        if not self._headed:
            line, end, _ = data.partition(b"\n")
            self._header = (self._header + line + end)[:LONGEST]
            self._headed = bool(end) or len(self._header) == LONGEST
        if self._headed and self._is_due() and (cut := self._boundary(data)):
            self._write(data[:cut])
            self._quoted = False
            self._begin(first=False)
            self._write(self._header)
            data = data[cut:]
        self._quoted ^= data.count(b'"') % 2 == 1
        self._write(data)

    def _is_due(self) -> bool:
        return self._size >= self._largest or self._day != self._today()

    def _boundary(self, data: bytes) -> int:
        """Behind the first record that ends here; 0: none does."""
        at = 0
        quoted = self._quoted
        while end := data.find(b"\n", at) + 1:
            quoted ^= data.count(b'"', at, end) % 2 == 1
            # A quote that nobody closes must not keep a file for ever.
            if not quoted or self._size > self._largest + LONGEST:
                return end
            at = end
        return 0

    def _today(self) -> str:
        return datetime.fromtimestamp(self._clock(), UTC).strftime("%Y-%m-%d")

    def _begin(self, *, first: bool) -> None:
        """The next file; at a start one number is left out, where there is a file already."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
        while True:
            files = self._folder.list()
            day = self._today()
            last = max((file.key[1] for file in files if file.key[0] == day), default=0)
            name = self._folder.name((day, last + 1 + (first and bool(files))))
            try:
                flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC
                self._file = os.open(self._folder.path.parent / name, flags, 0o640)
                break
            except FileExistsError:
                continue
            except OSError as error:
                if first:
                    raise
                self._full(error)
        self._sync_folder()
        self._day, self._size = day, 0
        self._forget(files)

    def _sync_folder(self) -> None:
        folder = os.open(self._folder.path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def _forget(self, files: list[File]) -> None:
        before = datetime.fromtimestamp(self._clock() - self._kept, UTC).strftime("%Y-%m-%d")
        for file in files:
            if file.key[0] < before:
                file.path.unlink(missing_ok=True)

    def _write(self, data: bytes) -> None:
        """All of it, onto the disk."""
        self._size += len(data)
        while data:
            try:
                data = data[os.write(self._file, data) :]
                os.fdatasync(self._file)
            except OSError as error:
                self._full(error)
        if self._said:
            self._said = False
            log.warning("the disk takes records again")

    def _full(self, error: OSError) -> None:
        if not self._said:
            self._said = True
            log.error("cannot write %s: %s; PowerMTA waits", self._folder.path, error.strerror)
        if self._ended.wait(_AGAIN):
            # Whoever ends us does not wait. What was read is lost, and the next start says so.
            raise error
