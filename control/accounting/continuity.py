"""Whether anything may lie between the last file that was begun and the next: by day and number,
and by the folder having been watched."""

from collections.abc import Iterable
from datetime import date, timedelta
from typing import NamedTuple

from control.accounting.folder import File, Folder, Key

WATCHED = 60.0
"""Real seconds between two looks in which no file begins, ends and is taken away unseen."""


class Between(NamedTuple):
    """What may lie there."""

    gaps: list[str]
    proved: bool
    """That nothing does."""


class Watch(NamedTuple):
    """What was seen of a folder."""

    looked: float | None
    """When last, by the clock of `see`; None: never."""
    watched: bool
    """As `Continuity.watched`."""
    appeared: tuple[str, ...]
    """Names that appeared while it was watched, whose files are still there."""


class Continuity:
    """Of one stream."""

    def __init__(
        self,
        folder: Folder,
        names: Iterable[str],
        *,
        first: bool,
        looked: float | None,
        watched: bool,
        appeared: Iterable[str] = (),
    ) -> None:
        """`names`: of the files begun before; `looked`: when everything there was had been read,
        by the clock of `see`; `watched`: as below; `appeared`: as in `Watch`."""
        self._folder = folder
        self._known = {name for name in names if folder.key(name)}
        keys = [key for name in self._known if (key := folder.key(name))]
        self._last: Key | None = max(keys, default=None)
        self._from_zero = any(number == 0 for _, number in keys)
        self.first = first
        """The stream was never read to its end: nobody can have watched."""
        self.watched = watched
        """Whether the folder was, ever since the newest file was seen to be the one written."""
        self._looked = looked
        self.present: set[str] = set()
        """Names at the last look."""
        self._watched = set(appeared)
        self._newest: File | None = None

    @property
    def watch(self) -> Watch:
        """For one that goes on behind this one."""
        return Watch(self._looked, self.watched, tuple(sorted(self._watched)))

    def see(self, files: list[File], now: float) -> None:
        """The folder was looked at."""
        names = {file.name for file in files}
        new = names - self.present - self._known
        newest = files[-1] if files else None
        if self._looked is None or now - self._looked > WATCHED:
            self.watched = False
        elif self.watched:
            self._watched |= new
        elif newest is not None:
            # What came behind it would be the one that is written: there was nothing to take away.
            self.watched = newest.name in new or _grew(self._newest, newest)
        self._watched &= names
        self._looked = now
        self.present = names
        self._newest = newest

    def begin(self, file: File) -> None:
        """`file` is the next one."""
        self._last = max(self._last or file.key, file.key)
        self._known.add(file.name)
        # Whether a day begins with 0000 or 0001 the guide does not say: the files do.
        self._from_zero = self._from_zero or file.key[1] == 0

    def between(self, file: File) -> Between:
        """What may lie between the last file that was begun and `file`."""
        last = self._last
        if last is None:
            return Between([], proved=False)
        if file.key < last:
            late = f"{file.name} appeared after {self._folder.name(last)} had been begun"
            return Between([late], proved=False)
        day, number = file.key
        first = last[1] + 1 if day == last[0] else 0 if self._from_zero else 1
        gaps = []
        if number > first:
            names = [self._folder.name((day, n)) for n in (first, number - 1)]
            gaps.append(" to ".join(dict.fromkeys(names)) + " is missing")
        if day == last[0] or file.name in self._watched:
            return Between(gaps, proved=not gaps)
        without = _days_between(last[0], day)
        if without or not self.first:
            gaps.append(
                f"{self._folder.name(last)} may not be the last before {file.name}: nobody watched"
                + (f", and there is no file of {without}" if without else "")
            )
        return Between(gaps, proved=False)


def _grew(before: File | None, file: File) -> bool:
    # One that is unpacked grows, too.
    same = before is not None and before.name == file.name and not (file.packed or file.beside)
    return same and before is not None and file.size > before.size


def _days_between(last: str, day: str) -> str:
    first = date.fromisoformat(last) + timedelta(days=1)
    end = date.fromisoformat(day) - timedelta(days=1)
    if first > end:
        return ""
    return f"{first}" if first == end else f"{first} to {end}"
