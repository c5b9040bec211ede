"""Files that are the old one or the new one, whole, whatever ends the process or the machine."""

import contextlib
import os
from pathlib import Path


def replace(file: Path, data: bytes) -> None:
    """Written beside (`.new`) and renamed, both synced; mode 0600 where the umask lets it.

    Raises OSError (full disk, read-only disk); what was there before is still there then."""
    beside = file.with_suffix(".new")
    try:
        with beside.open("wb") as written:
            written.write(data)
            written.flush()
            os.fsync(written.fileno())
        beside.replace(file)
    except OSError:
        with contextlib.suppress(OSError):
            beside.unlink()
        raise
    sync(file.parent)


def create(file: Path, data: bytes, mode: int, group: int | None) -> None:
    """A file that is not there yet, synced. `group`: a number, None leaves it. Raises OSError."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    with os.fdopen(os.open(file, flags, 0o600), "wb") as written:
        written.write(data)
        written.flush()
        # Not `mode` at once: the umask would take from it, and the group has to be right before.
        if group is not None:
            os.fchown(written.fileno(), -1, group)
        os.fchmod(written.fileno(), mode)
        os.fsync(written.fileno())


def make_folder(folder: Path, mode: int, group: int | None) -> None:
    """One that is not there yet; the umask takes from `mode`. Raises OSError."""
    # Never chmod: it would take the setgid bit that the folder above hands down, and systemd's
    # RestrictSUIDSGID lets nobody set it again.
    folder.mkdir(mode)
    if group is not None:
        os.chown(folder, -1, group)


def sync(folder: Path) -> None:
    """So that its names outlive the machine. Raises OSError."""
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
