"""How long backups stay: the newest so many, or so many days of them.

Rule: only files of the name that we give are looked at, and the one just made stays whatever is
asked for.
"""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

from control.problem import RefusedError

_NAME = re.compile(r"sendgate-(\d{8}T\d{6}Z)(?:-(\d{1,9}))?\.backup")
_PART = re.compile(r"\.sendgate-.{16,20}\.backup\.[0-9a-f]{8}\.part")
_ABANDONED = timedelta(days=1)
_TIME = "%Y%m%dT%H%M%SZ"


def name_for(now: datetime, folder: Path) -> Path:
    """Where the backup of `now` goes; of several in one second each has a higher number, also when
    the former are gone."""
    second = now.astimezone(UTC).replace(microsecond=0)
    name = f"sendgate-{second.strftime(_TIME)}"
    numbers = [number for at, number in map(_made, _ours(folder)) if at == second]
    return folder / (f"{name}-{max(numbers) + 1}.backup" if numbers else f"{name}.backup")


def superseded(
    folder: Path, made: Path, now: datetime, *, keep: int | None, days: int | None
) -> list[Path]:
    """Those that may go, the oldest first. With both bounds, what either would keep stays."""
    if keep is None and days is None:
        return []
    ours = sorted(_ours(folder), key=_made, reverse=True)
    staying = {made}
    if keep is not None:
        staying |= set(ours[:keep])
    if days is not None:
        staying |= {path for path in ours if _made(path)[0] > now - timedelta(days=days)}
    return [path for path in reversed(ours) if path not in staying]


def newest(place: Path) -> Path:
    """The file itself, or of a folder the newest backup. Raises RefusedError: it has none."""
    if not place.is_dir():
        return place
    ours = _ours(place)
    if not ours:
        raise RefusedError(f"{place} has no backup (sendgate-….backup)", status=404)
    return max(ours, key=_made)


def abandoned(folder: Path, now: datetime) -> list[Path]:
    """What backups left that were killed: nobody has written to it for a day."""
    old = (now - _ABANDONED).timestamp()
    return [
        path
        for path in folder.iterdir()
        if _PART.fullmatch(path.name) and path.stat().st_mtime < old
    ]


def _ours(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if _NAME.fullmatch(path.name)]


def _made(path: Path) -> tuple[datetime, int]:
    """When, and as which one of that second: names do not sort so, for "-" is before "."."""
    found = _NAME.fullmatch(path.name)
    assert found is not None
    return datetime.strptime(found[1], _TIME).replace(tzinfo=UTC), int(found[2] or 0)
