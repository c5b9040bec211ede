"""Room on the disks of this control node, and its memory."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from settings.model import Settings

MEMINFO = Path("/proc/meminfo")


class Disk(NamedTuple):
    """The fullest of those that were looked at."""

    path: str
    used: float
    """Share of what may be used, 0 to 1; root's reserve is none of it."""
    free: int
    """Octets."""


def written(settings: Settings) -> list[Path]:
    """Where this node reads and writes."""
    paths = [Path(stream.path).parent for stream in settings.accounting.streams]
    paths += [Path(one) for one in (settings.gateway.state_dir, settings.gateway.run_dir) if one]
    return [Path("/"), Path.cwd(), *paths]


def fullest(paths: Iterable[Path]) -> Disk:
    """Of the disks that these lie on; of what is not there, the nearest folder above."""
    worst = Disk("/", -1.0, 0)
    for path in {_there(path) for path in paths}:
        found = os.statvfs(path)
        blocks = found.f_blocks - found.f_bfree + found.f_bavail
        used = 1 - found.f_bavail / blocks if blocks else 0.0
        if used > worst.used:
            worst = Disk(str(path), used, found.f_bavail * found.f_frsize)
    return worst


def memory(meminfo: Path = MEMINFO) -> float | None:
    """Share of the host's memory in use, 0 to 1: what could not be had without swapping
    (`MemAvailable`; caches are none of it). None: the system does not say."""
    try:
        lines = meminfo.read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    sizes = {name: text.split() for name, _, text in (line.partition(":") for line in lines)}
    total, free = sizes.get("MemTotal"), sizes.get("MemAvailable")
    if not total or not free or not int(total[0]):
        return None
    return 1 - int(free[0]) / int(total[0])


def _there(path: Path) -> Path:
    while not path.exists() and path != path.parent:
        path = path.parent
    return path
