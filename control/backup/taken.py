"""The files and secrets of a backup, taken out into a folder of their own: never over live ones."""

from pathlib import Path, PurePosixPath

from control.backup.entries import FILES, SECRETS, Begin, End, read
from control.backup.key import Key
from control.backup.sealing import BrokenBackupError
from control.backup.verify import opened
from control.problem import RefusedError
from control.store.files import write_private


def take_out(file: Path, key: Key, folder: Path) -> list[str]:
    """What was written below `folder`, mode 0600 whatever it had: `secrets.json` and `files/…` by
    their paths. Raises RefusedError for a folder that is not empty, BrokenBackupError."""
    if folder.exists() and any(folder.iterdir()):
        raise RefusedError(f"{folder} is not empty: name a folder of its own", status=400)
    written: list[str] = []
    with opened(file) as source:
        name, content = "", bytearray()
        for part in read(source, key):
            wanted = name == SECRETS or name.startswith(FILES)
            match part:
                case Begin():
                    name, content = part.name, bytearray()
                case bytes() if wanted:
                    content += part
                case End() if wanted:
                    target = folder / _inside(name)
                    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
                    write_private(target, bytes(content))
                    written.append(str(target))
    return written


def _inside(name: str) -> Path:
    """A path that stays below its folder."""
    if name == SECRETS:
        return Path("secrets.json")
    parts = PurePosixPath(name).parts
    if ".." in parts or PurePosixPath(name).is_absolute():
        raise BrokenBackupError(f"{name!r} is no path of a file in a backup")
    return Path(*parts)
