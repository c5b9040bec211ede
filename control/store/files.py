"""Files only our own user reads, and that a crash never leaves half."""

import os
import secrets
from pathlib import Path


def write_private(path: Path, text: str | bytes) -> None:
    """Replace `path` by `text` (UTF-8), mode 0600, wholly or not at all, and on disk on return."""
    scratch = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(text.encode() if isinstance(text, str) else text)
            file.flush()
            os.fsync(file.fileno())
        scratch.replace(path)
    except BaseException:
        scratch.unlink(missing_ok=True)
        raise
    sync_directory(path.parent)


def sync_directory(path: Path) -> None:
    """Make the names in a directory durable: a rename is on disk only after this."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def password(path: Path) -> str:
    """The password kept in `path`, made on first use; safe to put into a URL as it is."""
    try:
        return path.read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        write_private(path, secrets.token_hex(24) + "\n")
        return path.read_text(encoding="utf-8").strip()
