"""Whether a log file can be written where the settings put it, before anybody relies on it."""

import os
from pathlib import Path

from settings.log import Log


def log_problems(log: Log) -> list[str]:
    """What keeps `log.file` from being written, naming field and fix; nothing is changed."""
    if not log.file:
        return []
    path = Path(log.file)
    if path.exists():
        if not path.is_file():
            return [f"log.file: {path} is no regular file: leave it empty for standard error"]
        good = os.access(path, os.W_OK)
    else:
        good = os.access(path.parent, os.W_OK | os.X_OK)
    if good:
        return []
    return [f"log.file: {path} cannot be written to: make its folder ours, or name another"]
