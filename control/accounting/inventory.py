"""The files of a stream: which of them are unread, which have gone, and which are others now."""

import time
from collections import deque
from collections.abc import Callable, Iterable

import msgspec

from control.accounting.continuity import Continuity
from control.accounting.folder import File, Folder, Key
from control.accounting.look import Step
from control.accounting.position import LOST, MARKED, READING, WHOLE, Position, is_same
from control.accounting.source import open_source

SETTLED = 60.0
"""Real seconds after which a file in packing or unpacking that does not grow is what it will be."""

LISTED = 10.0
"""Most real seconds of reading without looking for new files."""

CHECKED = 1_000
"""Files, the newest, that are looked at for having changed after they were read."""


class Inventory:
    """What is known of them, and what lies in the folder."""

    def __init__(
        self,
        folder: Folder,
        files: Iterable[Position],
        *,
        first: bool,
        unwatched: float | None,
        watched: bool,
        appeared: Iterable[str] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`first`: the stream has never been read to its end; `unwatched`: real seconds since it
        last was; `watched` and `appeared`: as in `Continuity`."""
        self._folder = folder
        self._clock = clock
        self.files = {position.file: position for position in files}
        """All that were begun, by name."""
        looked = None if unwatched is None else clock() - unwatched
        self.continuity = Continuity(
            folder, self.files, first=first, looked=looked, watched=watched, appeared=appeared
        )
        self.queue: deque[File] = deque()
        """Those to be read, in order."""
        self.newest: Key = ("", 0)
        self._listed = 0.0
        self._sure = ""
        self._checked: dict[str, tuple[int, int, int]] = {}
        self._sizes: dict[str, tuple[int, float]] = {}
        """Of files that may be half written: and since when they have it."""

    @property
    def is_due(self) -> bool:
        """Whether to look for new files before reading on."""
        return len(self.queue) < 2 or self._clock() - self._listed > LISTED

    def put(self, position: Position) -> None:
        """A file was read so far."""
        self.files[position.file] = position

    def sure(self, name: str) -> bool:
        """Whether a gap at that file was seen before: what is packed or moved in this moment may
        be met in neither form. If not, look again."""
        if self._sure == name:
            return True
        self._sure = name
        self.queue.clear()
        return False

    def see(self) -> None:
        """Note what lies in the folder, and begin nothing. Raises OSError."""
        self.continuity.see(self._folder.list(), self._clock())

    def refresh(self, step: Step, held_open: str) -> bool:
        """Look for files; False when there is nothing to read. `held_open`: the one that is open,
        which can be read wherever it is now."""
        files = self._folder.list()
        self._listed = self._clock()
        self.continuity.see(files, self._listed)
        names = self.continuity.present
        if not files and not held_open:
            step.nothing(self._folder, known=bool(self.files))
            return False
        if held := self._held(names, held_open):
            files.append(held)
            files.sort()
        self.newest = files[-1].key
        for at, file in enumerate(files):
            if len(files) - at <= CHECKED:
                self._check(file, step)
        self.queue = deque(file for file in files if self._unread(file))
        absent = [p for p in self.files.values() if p.state == READING and p.file not in names]
        for position in absent:
            if held is None or position.file != held.name:
                if not self.sure(position.file):
                    return self.refresh(step, held_open)
                lost = f"{position.file} vanished before it was read to its end"
                step.gaps.append(f"{lost} (offset {position.offset})")
                self.put(msgspec.structs.replace(position, state=LOST))
                step.changed.add(position.file)
        return bool(self.queue)

    def _held(self, names: set[str], name: str) -> File | None:
        """The file that is open and lies nowhere any more."""
        key = self._folder.key(name)
        if name in names or key is None:
            return None
        position = self.files[name]
        path = self._folder.path.parent / name
        return File(key, name, path, position.inode, position.offset, packed=False)

    def _unread(self, file: File) -> bool:
        position = self.files.get(file.name)
        if position is None or position.state == READING:
            return True
        return position.state == LOST and not file.trouble

    def _check(self, file: File, step: Step) -> None:
        """See whether a file that was read to its end is still what was read."""
        position = self.files.get(file.name)
        if position is None or position.state != WHOLE or file.packed or file.trouble:
            return
        if self._checked.get(file.name) == (file.inode, file.size, file.written):
            return
        if file.beside and file.size < position.offset and not self.settled(file):
            # It is being unpacked.
            return
        try:
            source = open_source(file)
        except FileNotFoundError:
            return
        try:
            begin = max(0, position.offset - MARKED)
            same = is_same(position, begin, source.read(begin, position.offset - begin).data)
        finally:
            source.close()
        if not same:
            step.gaps.append(f"{file.name} was written anew after it had been read")
            position = msgspec.structs.replace(position, offset=0, mark="", state=READING)
            step.changed.add(file.name)
        elif file.size > position.offset:
            step.gaps.append(f"{file.name} grew at offset {position.offset} after a later file")
            position = msgspec.structs.replace(position, state=READING)
            step.changed.add(file.name)
        self._checked[file.name] = (file.inode, file.size, file.written)
        self.put(msgspec.structs.replace(position, inode=file.inode))

    def settled(self, file: File) -> bool:
        """Whether a file has not grown for long enough to be what it will be."""
        now = self._clock()
        size, since = self._sizes.get(file.name, (-1, now))
        if size != file.size:
            self._sizes[file.name] = (file.size, now)
            return False
        return now - since > SETTLED
