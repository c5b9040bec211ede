"""The files of one `<acct-file PATH>` in the folders where they lie.

PowerMTA writes `/x/sendgate-YYYY-MM-DD-NNNN.csv` for `<acct-file /x/sendgate.csv>`, from the first
record on; a file named `sendgate.csv` never exists. A new file begins with the day, at `max-size`
and on `pmta rotate acct`; the numbers of a day are consecutive. With `move-to` finished files go
to another folder. Operators pack them (`.gz`). So a file is known by its day and number, in
whichever folder and form it lies; every other name is somebody else's.
"""

import os
import re
import stat
from datetime import date
from pathlib import Path
from typing import NamedTuple

Key = tuple[str, int]
"""Day and number: the order in which PowerMTA writes."""

PACKED = ".gz"


class File(NamedTuple):
    """One file, in the form that is read."""

    key: Key
    name: str
    """As PowerMTA named it."""
    path: Path
    inode: int
    size: int
    """Octets on the disk."""
    packed: bool
    written: int = 0
    """Nanoseconds of its last writing."""
    beside: bool = False
    """A plain one, with its packed form beside it."""
    trouble: str = ""
    """Why it cannot be read, whatever is waited for."""


class Folder:
    """Where the files of `path` (as in `<acct-file PATH>`) lie; `moved`: PowerMTA's `move-to`."""

    def __init__(self, path: Path, moved: Path | None = None) -> None:
        self.path = path
        self._folders = [path.parent] if moved in (None, path.parent) else [path.parent, moved]
        self._name = re.compile(
            re.escape(path.stem)
            + r"-(\d{4}-\d\d-\d\d)-(\d{4}|[1-9]\d{4,8})"
            + re.escape(path.suffix)
        )

    def list(self) -> list[File]:
        """All files, in PowerMTA's order. Raises OSError when a folder cannot be read.

        The folder it writes in comes first: what is moved meanwhile is met in one of them."""
        found: dict[Key, File] = {}
        packed: set[Key] = set()
        for folder in self._folders:
            assert folder is not None
            with os.scandir(folder) as entries:
                for entry in entries:
                    file = self._file(entry)
                    if file is None:
                        continue
                    if file.packed:
                        packed.add(file.key)
                    if _better(file, found.get(file.key)):
                        found[file.key] = file
        return sorted(file._replace(beside=file.key in packed) for file in found.values())

    def key(self, name: str) -> Key | None:
        """The day and number in a file's name; None for a name that is not PowerMTA's."""
        match = self._name.fullmatch(name)
        if match is None:
            return None
        try:
            date.fromisoformat(match[1])
        except ValueError:
            return None
        return match[1], int(match[2])

    def name(self, key: Key) -> str:
        """What PowerMTA calls that file."""
        return f"{self.path.stem}-{key[0]}-{key[1]:04}{self.path.suffix}"

    def _file(self, entry: "os.DirEntry[str]") -> File | None:
        packed = entry.name.endswith(PACKED)
        name = entry.name.removesuffix(PACKED) if packed else entry.name
        key = self.key(name)
        if key is None:
            return None
        path = Path(entry.path)
        try:
            status = entry.stat()
        except FileNotFoundError:
            if not entry.is_symlink():
                return None
            return File(key, name, path, 0, 0, packed, trouble="a symbolic link to nothing")
        trouble = "" if stat.S_ISREG(status.st_mode) else "not a file"
        inode = signed(status.st_ino)
        size, written = status.st_size, status.st_mtime_ns
        return File(key, name, path, inode, size, packed, written, trouble=trouble)


def _better(file: File, other: File | None) -> bool:
    # A packed file beside the plain one may be half written; so may a plain copy in `move-to`.
    if other is None or (other.trouble and not file.trouble):
        return True
    return other.packed and not file.packed and not file.trouble


def signed(inode: int) -> int:
    """As PostgreSQL's bigint takes it: overlay file systems use the uppermost bit."""
    return inode - (1 << 64) if inode >= 1 << 63 else inode
