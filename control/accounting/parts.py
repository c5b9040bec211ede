"""A file of history, cut into parts for posting. Pure but for reading it.

A part is header line and whole records, and ends where the second of `timeLogged` changes: equal
records of one second are told apart by how many stand before them in a part (`identity`), so that
none may stand in two. (A second with more records than fit one part is cut all the same.)
"""

import hashlib
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from control.accounting.columns import Columns, Times, field
from control.accounting.folder import File
from control.accounting.payload import header_of
from control.accounting.records import Split, split
from control.accounting.source import Source, open_source
from control.problem import RefusedError

BEGINNING = 65_536
"""Octets that a file is known by."""
PART = 2_097_152
"""Octets read for a part: some 6,000 records, packed to some 300 KB."""
_MAGIC = b"\x1f\x8b"


class Part(NamedTuple):
    """Octets of a file from one offset up to another, with their header line, packed."""

    begin: int
    end: int
    last: bool
    body: bytes


class History:
    """One file, plain or packed. Raises OSError, RefusedError for one that is no accounting."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with path.open("rb") as file:
            packed = file.read(2) == _MAGIC
        self.packed = packed
        status = path.stat()
        self.size = status.st_size
        self._source: Source = open_source(
            File(("", 0), path.name, path, status.st_ino, status.st_size, packed)
        )
        beginning = self._source.read(0, BEGINNING).data
        self.digest = hashlib.blake2b(beginning, digest_size=16).hexdigest()
        self._columns = split(beginning + b"\n", 1, None).columns
        if self._columns is None:
            self.close()
            raise RefusedError(
                f"{path}: its first line does not name columns (type,timeLogged,…): it is no "
                "accounting file"
            )

    def close(self) -> None:
        """Close it."""
        self._source.close()

    def parts(self, begin: int) -> Iterator[Part]:
        """From that offset on. Raises RefusedError for a packed file that is damaged, OSError."""
        columns = self._columns if begin else None
        while True:
            content = self._source.read(begin, PART)
            if content.torn and not content.data:
                raise RefusedError(f"{self._path}: it cannot be unpacked behind offset {begin}")
            data = content.data
            if not data:
                if not begin:
                    return
                yield Part(begin, begin, True, b"")
                return
            whole = len(data) < PART
            found = split(data, PART, columns, last=whole and not content.torn)
            last = whole and not content.torn
            used, behind = (len(data), columns) if last else _cut(data, found)
            header = header_of(columns)
            body = (header.encode() + b"\r\n" if header else b"") + data[:used]
            packer = zlib.compressobj(1, wbits=31)
            yield Part(begin, begin + used, last, packer.compress(body) + packer.flush())
            if last:
                return
            begin += used
            columns = behind


def _cut(data: bytes, found: Split) -> tuple[int, Columns | None]:
    """(offset behind the last record of the last second but one, or behind all whole ones where
    there is one second only; the columns in force there)."""
    times = Times()
    last: int | None = None
    for piece in reversed(found.pieces):
        place = piece.columns.time
        for record in reversed(piece.records):
            second = times(field(record.fields, place))
            if last is None:
                last = second
            elif second != last:
                end = data.rfind(record.raw, 0, found.used) + len(record.raw)
                return data.find(b"\n", end) + 1, piece.columns
    return found.used or len(data), found.columns
