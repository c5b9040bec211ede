"""Reading a file from an offset, plain or packed. Offsets are those of the unpacked content."""

import os
import zlib
from pathlib import Path
from typing import NamedTuple, Protocol

from control.accounting.folder import File, signed

_PIECE = 65_536


class Content(NamedTuple):
    """Octets from an offset on; fewer than asked for at the end."""

    data: bytes
    torn: bool = False
    """The packed file ends before its content does, or cannot be unpacked further."""


class Source(Protocol):
    """An open file."""

    inode: int

    def read(self, begin: int, count: int) -> Content:
        """Up to `count` octets from `begin` on. Raises OSError."""

    def close(self) -> None: ...


def open_source(file: File) -> Source:
    """Raises OSError, FileNotFoundError for a file that was moved or packed meanwhile."""
    return _Packed(file.path) if file.packed else _Plain(file.path)


class _Plain:
    def __init__(self, path: Path) -> None:
        self._file = path.open("rb", buffering=0)
        self.inode = signed(os.fstat(self._file.fileno()).st_ino)

    def read(self, begin: int, count: int) -> Content:
        return Content(os.pread(self._file.fileno(), count, begin))

    def close(self) -> None:
        self._file.close()


class _Packed:
    """A `.gz`, unpacked as it is read; members one behind the other are one content.

    It stays open between two looks, for going back means to begin anew."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("rb", buffering=0)
        self.inode = signed(os.fstat(self._file.fileno()).st_ino)
        self._packed = b""
        self._data = b""
        self._at = 0
        """Offset of `_data`."""
        self._ended = self._torn = False
        self._member = zlib.decompressobj(wbits=31)

    def read(self, begin: int, count: int) -> Content:
        if begin < self._at:
            self._file.seek(0)
            self._packed = self._data = b""
            self._at = 0
            self._ended = self._torn = False
            self._member = zlib.decompressobj(wbits=31)
        while len(self._data) < begin - self._at + count and not (self._ended or self._torn):
            self._more()
            if (skip := begin - self._at) > 0:
                self._at += min(skip, len(self._data))
                self._data = self._data[skip:]
        start = begin - self._at
        data = self._data[start : start + count]
        return Content(data, self._torn and len(data) < count)

    def close(self) -> None:
        self._file.close()

    def _more(self) -> None:
        packed = self._packed or self._file.read(_PIECE)
        if not packed:
            self._torn = not self._ended
            return
        try:
            self._data += self._member.decompress(packed, _PIECE * 4)
        except zlib.error:
            self._torn = True
            return
        self._packed = self._member.unconsumed_tail
        if not self._member.eof:
            return
        # gzip pads with zeros on tapes; another member may follow.
        self._packed = (self._member.unused_data or self._file.read(_PIECE)).lstrip(b"\0")
        if not self._packed:
            self._ended = True
            return
        self._member = zlib.decompressobj(wbits=31)
