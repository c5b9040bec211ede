"""Following `acct.csv` through its rotations: from a position to the rows behind it.

PowerMTA renames `acct.csv` to `acct-YYYY-MM-DD-NNNN.csv` when the day turns, at its maximum size
or when asked, and starts a new one. A file is therefore known by its inode, and, because inodes
are used again, by a digest of the octets before the position. Files read to their end are listed
in the position: what is unread does not depend on names or times that a moved clock or a restored
folder changes; their order is that of their last writing.

Nothing is kept open between two looks, so a look may be abandoned in its thread. What is deleted
unread is a gap; PowerMTA deletes after 8 days.
"""

import hashlib
import os
import re
from pathlib import Path
from typing import BinaryIO, NamedTuple

import msgspec

from control.accounting.rows import rows_of

CHUNK = 262_144
"""Octets read at a time: about 1,500 records. Measured on a shared core: 9 ms to read and split
them, 12 ms for what they prove, which is why a look runs in a thread. Also the longest record."""
_MARK = 64


class Position(msgspec.Struct, frozen=True):
    """How far a stream has been read."""

    file: str = ""
    inode: int = 0
    """0: the next file is still to be chosen."""
    offset: int = 0
    mark: str = ""
    """Digest of the octets before `offset`."""
    header: tuple[str, ...] = ()
    done: tuple[str, ...] = ()
    """Finished files read to their end, as `INODE:SIZE:NAME`."""


class Look(NamedTuple):
    """What one look found. `at`: where the next one begins, its header still that of before."""

    at: Position
    rows: list[list[str]]
    end: bool = False
    """Everything that was written when the look began has been read."""
    broken: int = 0
    gap: str = ""
    """Why something may never have been read; empty: nothing is missing."""
    problem: str = ""
    """Why nothing can be read now."""


class _Finished(NamedTuple):
    written: int
    day: str
    number: int
    name: str
    inode: int
    size: int

    @property
    def key(self) -> str:
        return f"{self.inode}:{self.size}:{self.name}"


def look(path: Path, at: Position, most: int) -> Look:
    """One step from `at`: at most `most` rows of one file, or on to the next file.

    Raises OSError when the folder or a file cannot be read."""
    if not at.inode:
        chosen = _next(path, at)
        if chosen is None:
            nothing = "" if at.done else f"there is no {path} yet"
            return Look(at, [], end=True, problem=nothing)
        at = chosen
    opened = _open(path, at)
    if opened is None:
        if not path.exists() and not _finished(path):
            # An unmounted volume looks like this. PowerMTA always has a file: it will tell.
            return Look(at, [], problem=f"no accounting file is left in {path.parent}")
        lost = f"{at.file} vanished before it was read to its end (offset {at.offset})"
        return Look(_to_choose(at), [], gap=lost)
    file, name = opened
    with file:
        return _read(path, msgspec.structs.replace(at, file=name), file, most)


def behind(path: Path, at: Position) -> int:
    """Octets written and not read yet. Raises OSError."""
    total = sum(
        f.size - at.offset if f.inode == at.inode else f.size
        for f in _finished(path)
        if f.key not in at.done
    )
    try:
        status = path.stat()
    except FileNotFoundError:
        return total
    return total + status.st_size - (at.offset if _inode(status) == at.inode else 0)


def _read(path: Path, at: Position, file: BinaryIO, most: int) -> Look:
    begin = max(0, at.offset - _MARK)
    data = os.pread(file.fileno(), at.offset - begin + CHUNK, begin)
    before, data = data[: at.offset - begin], data[at.offset - begin :]
    if _digest(before) != at.mark:
        # Shorter than the position, or written anew up to there, or another file by this inode.
        lost = f"{at.file} was cut off or written anew before offset {at.offset} was reached"
        return Look(_to_choose(at), [], gap=lost)
    rows, used, broken = rows_of(data, most)
    gap = f"{broken} records of {at.file} cannot be read" if broken else ""
    whole = len(data) < CHUNK and len(rows) < most
    if not used and data:
        rest = data.find(b"\n") + 1
        finished = at.file != path.name
        if not whole or (finished and rest):
            # A quote nobody closed: one line is given up, not all that follow.
            used, whole = rest or len(data), False
            gap = f"a record of {at.file} at offset {at.offset} has no end"
            broken += 1
        elif finished:
            used = len(data)
            gap = f"{at.file} ends in the middle of a record"
            broken += 1
    after = msgspec.structs.replace(
        at,
        offset=at.offset + used,
        mark=_digest((before + data[:used])[-_MARK:]),
    )
    if at.file == path.name or not whole or used < len(data):
        return Look(after, rows, whole and at.file == path.name, broken, gap)
    return Look(after if rows else _completed(path, after), rows, False, broken, gap)


def _completed(path: Path, at: Position) -> Position:
    """Choose the next file; forget the finished ones that are gone."""
    done = {*at.done}
    kept = [f.key for f in _finished(path) if f.key in done or f.inode == at.inode]
    return Position(done=tuple(kept))


def _to_choose(at: Position) -> Position:
    return Position(done=at.done)


def _next(path: Path, at: Position) -> Position | None:
    """The oldest finished file that is unread, else `path`; None when there is neither."""
    # In this order: a file that is finished between the two steps is found by one of them, and
    # none that was finished before the first is missed by the second.
    try:
        current = _inode(path.stat())
    except FileNotFoundError:
        current = 0
    for file in _finished(path):
        if file.key not in at.done:
            return Position(file.name, file.inode, done=at.done)
    return Position(path.name, current, done=at.done) if current else None


def _open(path: Path, at: Position) -> tuple[BinaryIO, str] | None:
    """The file of `at` and its present name; None when it is not there any more."""
    for name in (path.name, at.file):
        if file := _with_inode(path.parent / name, at.inode):
            return file, name
    for finished in _finished(path):
        if finished.inode == at.inode and (
            file := _with_inode(path.parent / finished.name, at.inode)
        ):
            return file, finished.name
    return None


def _with_inode(path: Path, inode: int) -> BinaryIO | None:
    try:
        file = path.open("rb", buffering=0)
    except FileNotFoundError:
        return None
    if _inode(os.fstat(file.fileno())) == inode:
        return file
    file.close()
    return None


def _finished(path: Path) -> list[_Finished]:
    """The finished files beside `path`, in the order of their last writing."""
    name = re.compile(
        re.escape(path.stem) + r"-(\d{4}-\d\d-\d\d)-(\d{1,9})" + re.escape(path.suffix)
    )
    found = []
    with os.scandir(path.parent) as entries:
        for entry in entries:
            if match := name.fullmatch(entry.name):
                try:
                    status = entry.stat()
                except FileNotFoundError:
                    continue
                found.append(
                    _Finished(
                        status.st_mtime_ns,
                        match[1],
                        int(match[2]),
                        entry.name,
                        _inode(status),
                        status.st_size,
                    )
                )
    # Files finished within one tick of the kernel's clock (4 ms) differ by their number.
    return sorted(found)


def _inode(status: os.stat_result) -> int:
    # PostgreSQL's bigint is signed; overlay file systems use the uppermost bit.
    return status.st_ino - (1 << 64) if status.st_ino >= 1 << 63 else status.st_ino


def _digest(octets: bytes) -> str:
    # Of the content only a digest is kept: it holds addresses, which may have to be forgotten.
    return hashlib.blake2b(octets, digest_size=8).hexdigest() if octets else ""
