"""The files of a node's suppressions: a base, and a head that names it and has what changed since.

Rules: a file is written beside its name, synced and renamed, so that it is there whole or not at
all; a base is never changed, and the head is what says which one counts. Each has a checksum, and
says in which order of octets it was written.
Failure: `FileError`, for a file that is not there, damaged, or of another version.
"""

import mmap
import os
import sys
import zlib
from collections.abc import Iterable
from pathlib import Path

import msgspec

from gateway.suppressions.columns import Columns

HEAD = "suppressions.head"
LOOKED = "suppressions.looked"
"""Its time of change: when PostgreSQL was asked last."""
_BASES = "suppressions-*.base"
_MAGIC = b"SGSUPP1\n"
_START = 16
"""Octets before the header: magic, checksum of the rest, length of the header."""
_TRIES = 3


class FileError(Exception):
    """The text says which file, and what is wrong with it."""


class Header(msgspec.Struct, frozen=True, kw_only=True):
    """Of a file."""

    order: str = sys.byteorder
    count: int
    change: int
    """The last one that is in it (`suppression_state`)."""
    key: bytes = b""
    """Of the digests."""
    lineage: str = ""
    base: str = ""
    """The name of the base; '': there is none."""


class Loaded(msgspec.Struct, frozen=True):
    """What the files of a node say."""

    header: Header
    base: Columns
    changes: Columns


def load(folder: Path) -> Loaded:
    """The head, and the base it names, mapped. Raises FileError."""
    for left in reversed(range(_TRIES)):
        header, changes = _read(folder / HEAD)
        try:
            if not header.base:
                raise FileError(f"{folder / HEAD} names no base")
            _, base = _read(folder / Path(header.base).name)
        except FileError:
            # Taken away because there is a newer head.
            if not left:
                raise
        else:
            return Loaded(header, base, changes)
    raise AssertionError("unreachable")


def _read(path: Path) -> tuple[Header, Columns]:
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            if size < _START:
                raise FileError(f"{path} ends before its header does")
            content = memoryview(mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ))
    except OSError as error:
        raise FileError(f"{path} cannot be read ({error.strerror})") from error
    if content[:8] != _MAGIC:
        raise FileError(f"{path} is no file of this version")
    checksum = int.from_bytes(content[8:12], "big")
    length = int.from_bytes(content[12:16], "big")
    if zlib.crc32(content[12:]) != checksum:
        raise FileError(f"{path} is damaged: its checksum is another one")
    try:
        header = msgspec.json.decode(content[_START : _START + length], type=Header)
    except msgspec.DecodeError as error:
        raise FileError(f"{path} is no file of this version ({error})") from error
    start, octets = _aligned(_START + length), 8 * header.count
    if header.order != sys.byteorder or size != start + 3 * octets:
        raise FileError(f"{path} was written by another kind of machine")
    parts = (content[start + n * octets : start + (n + 1) * octets].cast("Q") for n in range(3))
    return header, Columns(*parts)


def save_base(folder: Path, change: int, base: Columns) -> str:
    """Its name. Raises OSError."""
    name = f"suppressions-{change}-{os.urandom(4).hex()}.base"
    _write(folder / name, Header(count=base.total, change=change), base)
    return name


def save_head(folder: Path, header: Header, changes: Columns) -> None:
    """From here on it counts; bases that no head names are taken away. Raises OSError."""
    _write(folder / HEAD, header, changes)
    for other in folder.glob(_BASES):
        if other.name != header.base:
            other.unlink(missing_ok=True)


def _write(path: Path, header: Header, columns: Columns) -> None:
    text = msgspec.json.encode(header)
    padding = bytes(_aligned(_START + len(text)) - _START - len(text))
    parts: list[bytes | memoryview] = [
        len(text).to_bytes(4, "big"),
        text,
        padding,
        *_octets(columns),
    ]
    checksum = 0
    for part in parts:
        checksum = zlib.crc32(part, checksum)
    beside = path.with_name(f".{path.name}.part")
    with open(beside, "wb", opener=_private) as file:
        file.write(_MAGIC + checksum.to_bytes(4, "big"))
        for part in parts:
            file.write(part)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _octets(columns: Columns) -> Iterable[memoryview]:
    return (memoryview(column).cast("B") for column in columns)  # type: ignore[arg-type]


def _aligned(octets: int) -> int:
    return -(-octets // 8) * 8
