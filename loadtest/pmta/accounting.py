"""The accounting files: CSV by RFC 4180, written as PowerMTA 5.0 does (User's Guide, accounting).

Owns: the files of one ``<acct-file PATH>`` in one directory. For ``acct.csv`` the first record of a
day goes to ``acct-YYYY-MM-DD-0001.csv``; a file of the bare name never exists. A new one, with the
next number of its date, begins when the day turns, when the file has grown to ``max-size`` or when
an operator asks. Each opens with a header line; with ``move-to`` finished ones go there. A
restart goes on with the newest file of the day.
Rule: records reach the operating system in one write, so a reader sees whole records, in order;
those of a message before its 250 is written, for PowerMTA spools before it answers: kill -9 then
leaves no message taken without its receipt. All others at the end of the loop iteration. ``sync``
makes each write outlive the machine.
"""

import asyncio
import csv
import io
import os
import re
from pathlib import Path
from typing import BinaryIO, NamedTuple

from loadtest.pmta.clock import Clock
from loadtest.pmta.records import COLUMNS, Row

DEFAULT_MAX_SIZE = 250 * 1024 * 1024
"""Bytes; PowerMTA's default for ``max-size``."""


class AcctFile(NamedTuple):
    """The directives of an ``<acct-file>`` block that are followed."""

    name: str = "acct.csv"
    """Last part of its path."""
    max_size: int = DEFAULT_MAX_SIZE
    move_to: Path | None = None
    sync: bool = False
    world_readable: bool = False


class Accounting:
    """Writes records into `directory`, which is created. Raises OSError if it cannot be used."""

    def __init__(self, directory: Path, clock: Clock, block: AcctFile | None = None) -> None:
        self._block = block or AcctFile()
        name = Path(self._block.name)
        self._stem, self._suffix = name.stem, name.suffix
        self._directory = directory
        self._moved = self._block.move_to or directory
        for folder in (directory, self._moved):
            folder.mkdir(parents=True, exist_ok=True)
        self._clock = clock
        self._rows: list[Row] = []
        self._scheduled = False
        self._file: BinaryIO | None = None
        self._path: Path | None = None
        self._day = ""
        self._number = 0
        self._open_left_over()

    @property
    def path(self) -> Path | None:
        """The file being written; None before a record is."""
        return self._path

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
            self._finish()
        if not self._rows:
            return
        file = self._file or self._open()
        text = io.StringIO()
        csv.writer(text, lineterminator="\r\n").writerows(self._rows)
        self._rows.clear()
        file.write(text.getvalue().encode("utf-8", "backslashreplace"))
        if self._block.sync:
            os.fdatasync(file.fileno())
        if file.tell() >= self._block.max_size:
            self._finish()

    def rotate(self) -> Path | None:
        """Finish the file (``pmta rotate acct``): where it lies, None when nothing was open."""
        self.flush()
        return self._finish() if self._file else None

    def close(self) -> None:
        """Write what is waiting and close; the next start goes on with the same file."""
        self.flush()
        if self._file is not None:
            self._file.close()
            self._file = None

    def _open_left_over(self) -> None:
        day = self._clock.day()
        if last := self._last(self._directory, day):
            self._day, self._number = day, last - 1
            self._open()

    def _last(self, folder: Path, day: str) -> int:
        """The highest number of that date there; 0 for none."""
        name = re.compile(re.escape(f"{self._stem}-{day}-") + r"(\d+)" + re.escape(self._suffix))
        return max(
            (int(m[1]) for p in folder.iterdir() if (m := name.fullmatch(p.name))), default=0
        )

    def _open(self) -> BinaryIO:
        day = self._clock.day()
        if day != self._day:
            folders = (self._directory, self._moved)
            self._day, self._number = day, max(self._last(folder, day) for folder in folders)
        self._number += 1
        self._path = self._directory / f"{self._stem}-{day}-{self._number:04}{self._suffix}"
        # Unbuffered: one write is one system call, so a reader never meets half a batch in ours.
        file = self._path.open("ab", buffering=0)
        if self._block.world_readable:
            self._path.chmod(0o644)
        if file.tell() == 0:
            file.write(",".join(COLUMNS).encode() + b"\r\n")
        self._file = file
        return self._file

    def _finish(self) -> Path | None:
        if self._file is None or self._path is None:
            return None
        self._file.close()
        self._file = None
        finished, self._path = self._path, None
        return finished.rename(self._moved / finished.name)
