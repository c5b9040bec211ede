"""The accounting file: CSV by RFC 4180, written as PowerMTA 5.0 does (User's Guide, accounting).

Owns: ``acct.csv`` in one directory, and its becoming ``acct-YYYY-MM-DD-NNNN.csv`` when the day
turns, the file has grown to its maximum, or an operator asks. Each file opens with a header line.
Rule: records reach the operating system in one write, so a reader sees whole records, in order;
those of a message before its 250 is written, for PowerMTA spools before it answers: kill -9 then
leaves no message taken without its receipt. All others at the end of the loop iteration. No fsync:
what a power cut takes is not under test.
"""

import asyncio
import csv
import io
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from loadtest.pmta.clock import Clock
from loadtest.pmta.records import COLUMNS, Row

DEFAULT_MAX_SIZE = 250 * 1024 * 1024
"""Bytes; PowerMTA's default for ``max-size``."""


class Accounting:
    """Writes records into `directory`, which is created. Raises OSError if it cannot be used."""

    def __init__(self, directory: Path, clock: Clock, max_size: int = DEFAULT_MAX_SIZE) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._directory = directory
        self._clock = clock
        self._max_size = max_size
        self._rows: list[Row] = []
        self._scheduled = False
        self._file: BinaryIO | None = None
        self._day = clock.day()
        self._open_left_over()

    @property
    def path(self) -> Path:
        """The file being written."""
        return self._directory / "acct.csv"

    def write(self, row: Row) -> None:
        """Add one record to this iteration's batch."""
        self._rows.append(row)
        if not self._scheduled:
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self.flush)

    @property
    def waiting(self) -> bool:
        """Whether records have not been written yet."""
        return bool(self._rows)

    def flush(self) -> None:
        """Write the batch now."""
        self._scheduled = False
        if self._file is not None and self._clock.day() != self._day:
            self._close_and_rename()
        if not self._rows:
            return
        file = self._file or self._open()
        text = io.StringIO()
        csv.writer(text, lineterminator="\r\n").writerows(self._rows)
        self._rows.clear()
        file.write(text.getvalue().encode("utf-8", "backslashreplace"))
        if file.tell() >= self._max_size:
            self._close_and_rename()

    def rotate(self) -> Path | None:
        """Start a new file (``pmta rotate acct``); the finished one, None when nothing was open."""
        self.flush()
        return self._close_and_rename() if self._file else None

    def close(self) -> None:
        """Write what is waiting and close; the next start goes on with ``acct.csv``."""
        self.flush()
        if self._file is not None:
            self._file.close()
            self._file = None

    def _open_left_over(self) -> None:
        # A restart goes on with the file it finds, under the day that file was last written.
        if self.path.exists():
            file = self._open()
            if file.tell() > 0:
                modified = datetime.fromtimestamp(self.path.stat().st_mtime, UTC)
                self._day = modified.strftime("%Y-%m-%d")
            self.flush()

    def _open(self) -> BinaryIO:
        self._day = self._clock.day()
        # Unbuffered: one write is one system call, so a reader never meets half a batch in ours.
        file = self.path.open("ab", buffering=0)
        if file.tell() == 0:
            file.write(",".join(COLUMNS).encode() + b"\r\n")
        self._file = file
        return self._file

    def _close_and_rename(self) -> Path | None:
        if self._file is None:
            return None
        self._file.close()
        self._file = None
        number = 1
        while (finished := self._directory / f"acct-{self._day}-{number:04}.csv").exists():
            number += 1
        return self.path.rename(finished)
