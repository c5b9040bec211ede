"""The folder of PowerMTA's include files: versions lie beside one another, one file says which.

    /etc/pmta/sendgate/sendgate.conf            what PowerMTA's own configuration includes
    /etc/pmta/sendgate/versions/42-1/NAME.conf  files of version 42, first time that it was written
    /etc/pmta/sendgate/versions/42-1/keys/NAME  its DKIM keys

Rule: a version's folder is written before the first file names it, and never again. The first file
is replaced by one rename, and the paths in it are whole. So whoever opens it, at any moment, reads
the former version or the new one to its end. A link to the folder (`current -> versions/42-1`)
would not do: PowerMTA would read the first file behind one link and, a moment later, the others
behind the next.
Putting back needs no room on the disk: the former first file is kept by a hard link, `.former`.
Only what stands in `versions` under such a name is ours, and the first file.
"""

import contextlib
import grp
import re
from pathlib import Path

from control.agent import disk
from control.agent.applying.version import KEY_NAME, Texts, Written, sha256, unplaced
from control.pmta.fileset import MAIN, NAME

_PLACE = re.compile(r"(\d{1,18})-(\d{1,6})")
_NEXT = ".next"
_FORMER = ".former"
_LARGEST = 64 * 1_048_576
"""Octets of a file that are read."""
_FOLDER_MODE = 0o750
_FILE_MODE = 0o640


class Place:
    """Of one PowerMTA. `group`: whose the files become; empty: the system's choice."""

    def __init__(self, folder: Path, group: str) -> None:
        self.folder = folder
        self._group = group
        self._versions = folder / "versions"
        self.main = folder / MAIN

    def prepare(self, first: str) -> None:
        """Make what has to be there; `first`: the first file, where there is none, or an empty one
        that PowerMTA's own configuration could include before the agent was there. Raises
        OSError."""
        if not self._versions.is_dir():
            disk.make_folder(self._versions, _FOLDER_MODE, self._number())
        if not self.main.exists() or self.main.stat().st_size == 0:
            beside = self._versions / _NEXT
            beside.unlink(missing_ok=True)
            disk.create(beside, first.encode(), _FILE_MODE, self._number())
            beside.rename(self.main)
            disk.sync(self.folder)

    def free(self, version: int) -> str:
        """A name for another folder of that version. Raises OSError."""
        taken = [int(m[2]) for m in self._places() if int(m[1]) == version]
        return f"{version}-{max(taken, default=0) + 1}"

    def path(self, place: str) -> Path:
        """Of a version's folder."""
        return self._versions / place

    def write(self, place: str, texts: Texts) -> None:
        """All of a version but that it is in force. Raises OSError."""
        group, folder = self._number(), self.path(place)
        disk.make_folder(folder, _FOLDER_MODE, group)
        disk.make_folder(folder / "keys", _FOLDER_MODE, group)
        for name, text in texts.keys.items():
            disk.create(folder / "keys" / name, text.encode(), _FILE_MODE, group)
        for name, text in texts.files.items():
            disk.create(folder / name, text.encode(), _FILE_MODE, group)
        disk.create(folder / _NEXT, texts.main.encode(), _FILE_MODE, group)
        (folder / _FORMER).hardlink_to(self.main)
        for written in (folder / "keys", folder, self._versions):
            disk.sync(written)

    def switch(self, place: str) -> None:
        """Put it in force. Raises OSError."""
        (self.path(place) / _NEXT).rename(self.main)
        disk.sync(self.folder)

    def back(self, place: str) -> None:
        """Put in force what was before it; once more does nothing. Raises OSError."""
        # Where both are one file still, rename does nothing (POSIX), which is right.
        with contextlib.suppress(FileNotFoundError):
            (self.path(place) / _FORMER).rename(self.main)
        disk.sync(self.folder)

    def changed(self, written: Written) -> list[str]:
        """What does not lie there as it was written: sentences. Raises OSError."""
        found = [_compared(self.main, sha256(written.main.encode()))]
        if written.place:
            folder = self.path(written.place)
            for inside, known in ((folder, written.files), (folder / "keys", written.keys)):
                found += [_compared(inside / name, known[name]) for name in sorted(known)]
                extra = sorted(set(_names(inside)) - set(known))
                found += [f"{inside / name} was not written by the agent" for name in extra]
        return [sentence for sentence in found if sentence]

    def holds(self, written: Written) -> bool:
        """Whether the first file is this version's."""
        try:
            return _read(self.main) == written.main.encode()
        except OSError:
            return False

    def texts(self, written: Written) -> dict[str, str]:
        """What lies there now, by name and as control has it; nothing where it cannot be read."""
        if not written.place:
            return {}
        folder = self.path(written.place)
        try:
            found = {name: _read(folder / name).decode() for name in _names(folder)}
            found[MAIN] = _read(self.main).decode()
        except (OSError, UnicodeDecodeError):
            return {}
        return unplaced(found, str(folder))

    def named(self) -> str:
        """The folder that the first file names; empty: none that is there. Raises OSError."""
        text = _read(self.main).decode("utf-8", "replace") if self.main.exists() else ""
        places = [m[0] for m in self._places() if f"{self.path(m[0])}/" in text]
        return places[0] if len(places) == 1 else ""

    def discard(self, keep: set[str]) -> None:
        """Delete the folders of other versions; what others put there stays. Raises OSError."""
        for place in self._places():
            if place[0] in keep:
                continue
            folder = self.path(place[0])
            for inside in (folder / "keys", folder):
                for name in (*_names(inside), _NEXT, _FORMER):
                    (inside / name).unlink(missing_ok=True)
                # Not empty: somebody else's file is in it.
                with contextlib.suppress(OSError):
                    inside.rmdir()

    def _places(self) -> list[re.Match[str]]:
        names = sorted(p.name for p in self._versions.iterdir()) if self._versions.is_dir() else []
        return [found for name in names if (found := _PLACE.fullmatch(name))]

    def _number(self) -> int | None:
        if not self._group:
            return None
        try:
            return grp.getgrnam(self._group).gr_gid
        except KeyError:
            raise OSError(0, "there is no such group on this host", self._group) from None


def _compared(file: Path, digest: str) -> str:
    try:
        lies = sha256(_read(file))
    except FileNotFoundError:
        return f"{file} is missing"
    return "" if lies == digest else f"{file} was changed by hand"


def _read(file: Path) -> bytes:
    with file.open("rb") as opened:
        return opened.read(_LARGEST)


def _names(folder: Path) -> list[str]:
    """Of files there that look like ours."""
    form = KEY_NAME if folder.name == "keys" else NAME
    found = sorted(folder.iterdir()) if folder.is_dir() else []
    return [path.name for path in found if form.fullmatch(path.name) and not path.is_dir()]
