"""Following a stream's files: each record once, and every place where one may be missing is told.

What is proved, and how:
- Within a day the numbers are consecutive: one that is missing is a gap.
- A file is read to its end once a later one exists, for PowerMTA writes in one at a time. The
  growing one stays open between two looks: moved, packed or deleted, it is read to its end all the
  same. One that vanished while nobody had it open is a gap.
- That a file was the last of its day, or that a day had none, no name proves: it is believed when
  the folder was looked at all the while (`WATCHED`), else it is a gap. On the first start there is
  nothing to have watched: days that follow each other are read, but what was sent before the last
  of them is proved by nothing (`Look.begins`), and a day without a file is a gap.
- A file that appears before one that was begun, grows after a later one was begun, or is written
  anew is read, and is a gap.
"""

import threading
import time
from collections.abc import Callable, Iterable

import msgspec

from control.accounting.columns import Columns
from control.accounting.continuity import Watch
from control.accounting.folder import File, Folder
from control.accounting.inventory import Inventory
from control.accounting.look import Look, Step, lack_of
from control.accounting.position import LOST, MARKED, READING, WHOLE, Position, is_same, mark_of
from control.accounting.records import LONGEST, split
from control.accounting.source import Source, open_source
from control.accounting.understanding import Taken, Taker, Understanding

CHUNK = LONGEST
"""Octets read at a time: about 1,500 records."""


class Trail:
    """One reader's way through a stream. Not for two threads at a time.

    A look that fails with OSError, or whose outcome is not stored, ends it: another begins from
    what was stored."""

    def __init__(
        self,
        folder: Folder,
        current: str,
        files: Iterable[Position],
        *,
        first: bool,
        unwatched: float | None,
        watched: bool,
        appeared: Iterable[str] = (),
        clock: Callable[[], float] = time.monotonic,
        taker: Taker | None = None,
    ) -> None:
        """`current`: the file being read; `first`: the stream has never been read to its end;
        `unwatched`: real seconds since it last was; `watched`: what `Look.watched` was then;
        `appeared`: what `appeared` was. `taker` gets what is read; by default it is understood."""
        self._inventory = Inventory(
            folder,
            files,
            first=first,
            unwatched=unwatched,
            watched=watched,
            appeared=appeared,
            clock=clock,
        )
        self._folder = folder
        self._current = current
        self._source: tuple[str, Source] | None = None
        self._taker = Understanding() if taker is None else taker
        self._recalled = ""
        self._looking = threading.Lock()
        self._closed = False

    @property
    def present(self) -> list[str]:
        """Names of the files that were there at the last look."""
        return sorted(self._inventory.continuity.present)

    @property
    def waiting(self) -> list[str]:
        """Names of the files that are to be read on, the first first."""
        return [file.name for file in self._inventory.queue]

    @property
    def watch(self) -> Watch:
        """What was seen of the folder, for one that goes on behind this one."""
        return self._inventory.continuity.watch

    def see(self) -> None:
        """Look at the folder alone: what was found is not stored yet, and no file may begin, end
        and be taken away unseen meanwhile. Raises OSError."""
        with self._looking:
            self._inventory.see()

    def look(self, most: int, now: int) -> Look:
        """One step: at most `most` records. `now` in calendar milliseconds. Raises OSError."""
        with self._looking:
            try:
                return self._look(most, now)
            finally:
                if self._closed:
                    self._close()

    def close(self) -> None:
        """Close the file that is open, at the end of a look that was abandoned in its thread."""
        self._closed = True
        if self._looking.acquire(blocking=False):
            self._close()
            self._looking.release()

    def _look(self, most: int, now: int) -> Look:
        step = Step(most)
        listed = self._inventory.is_due
        held = self._source[0] if self._source else ""
        if listed and not self._inventory.refresh(step, held):
            return self._found(step)
        while self._inventory.queue:
            file = self._inventory.queue[0]
            if file.name != self._current and not self._begin(file, step):
                break
            if file.trouble:
                if file.key == self._inventory.newest:
                    step.problem = f"{file.path} is {file.trouble}"
                    break
                step.gaps.append(f"{file.name} is {file.trouble}")
                self._end(LOST, step)
                continue
            ended = self._read(file, step, now)
            if ended and file.key == self._inventory.newest:
                step.end = listed
                break
            if ended:
                self._end(WHOLE, step)
            if step.full or step.problem or step.again:
                break
        if step.end:
            self._inventory.continuity.first = False
        return self._found(step)

    def _close(self) -> None:
        if self._source is not None:
            self._source[1].close()
            self._source = None

    def _found(self, step: Step) -> Look:
        at = self._inventory.files.get(self._current, Position())
        step.watched = self._inventory.continuity.watched
        return step.look(at, [self._inventory.files[name] for name in step.changed])

    def _end(self, state: str, step: Step) -> None:
        position = self._inventory.files[self._current]
        self._inventory.put(msgspec.structs.replace(position, state=state))
        step.changed.add(self._current)
        self._inventory.queue.popleft()
        self._current = ""
        self._close()

    # From one file to the next

    def _begin(self, file: File, step: Step) -> bool:
        """Go on to `file`; False to look again first."""
        if file.name not in self._inventory.files:
            gaps, proved = self._inventory.continuity.between(file)
            if gaps and not self._inventory.sure(file.name):
                step.again = True
                return False
            if not proved and step.records:
                # What was read so far is of another run.
                return False
            step.gaps += gaps
            step.begins = step.begins or not proved
            self._inventory.continuity.begin(file)
            self._inventory.put(Position(file.name, file.inode))
        if self._current:
            step.changed.add(self._current)
        self._current = file.name
        step.changed.add(file.name)
        position = self._inventory.files[file.name]
        self._inventory.put(msgspec.structs.replace(position, state=READING))
        self._taker.anew()
        self._recalled = ""
        self._close()
        return True

    # In a file

    def _read(self, file: File, step: Step, now: int) -> bool:
        """Read on in `file`; True when all of it was read."""
        at = self._inventory.files[file.name]
        try:
            source = self._opened(file)
        except FileNotFoundError:
            # Packed, moved or deleted since it was listed.
            step.again = True
            self._inventory.queue.clear()
            return False
        begin = max(0, at.offset - MARKED)
        content = source.read(begin, at.offset - begin + CHUNK)
        if not content.torn and not is_same(at, begin, content.data):
            # Shorter than the position, or written anew up to there, or another file.
            lost = f"{file.name} was cut off or written anew before offset {at.offset} was reached"
            step.gaps.append(lost)
            self._inventory.put(msgspec.structs.replace(at, offset=0, mark=""))
            self._taker.anew()
            return False
        columns = Columns(at.header) if at.header else None
        if at.offset and columns is None:
            # Begun by a release that kept its header elsewhere.
            columns = split(source.read(0, CHUNK).data, 1, None).columns
        if at.offset and columns and self._recalled != file.name:
            self._recall(source, at, columns)
        self._recalled = file.name
        before, data = content.data[: at.offset - begin], content.data[at.offset - begin :]
        whole = len(data) < CHUNK
        last = whole and not content.torn and file.key < self._inventory.newest
        if last and not (at.offset or data):
            step.gaps.append(f"{file.name} is empty: not even its header line was kept")
        found = split(data, step.left, columns, last=last)
        self._taker.take(
            step,
            Taken(file.name, at.offset, data[: found.used], columns.names if columns else ()),
            found,
            now,
        )
        step.gaps += [f"{file.name} at offset {at.offset + o}: {why}" for o, why, _ in found.cuts]
        step.cuts += len(found.cuts)
        step.records += found.records
        step.octets += found.used
        after = Position(
            file.name,
            source.inode,
            at.offset + found.used,
            mark_of(before + data[: found.used]) if found.used else at.mark,
            found.columns.names if found.columns else (),
        )
        self._inventory.put(after)
        step.lack = lack_of(file.name, found.columns.missing if found.columns else ())
        if content.torn and whole:
            return self._wait_for_whole(file, after, step)
        return whole and step.left > 0 and (not last or found.used == len(data))

    def _opened(self, file: File) -> Source:
        if self._source is not None:
            name, source = self._source
            if name == file.name and source.inode == file.inode:
                return source
            self._close()
        source = open_source(file)
        self._source = (file.name, source)
        return source

    def _recall(self, source: Source, at: Position, columns: Columns) -> None:
        """Meet again the receipts just before the offset, for the equal ones behind it."""
        begin = max(0, at.offset - CHUNK)
        data = source.read(begin, at.offset - begin).data
        start = data.find(b"\n") + 1 if begin else 0
        self._taker.recall(data[start:], columns)

    def _wait_for_whole(self, file: File, at: Position, step: Step) -> bool:
        """A packed file ends early: it may still be written."""
        self._close()
        if self._inventory.settled(file) and file.key < self._inventory.newest:
            step.gaps.append(f"{file.path.name} cannot be unpacked behind offset {at.offset}")
            return True
        step.problem = f"{file.path} ends before its content does: it is waited for"
        self._inventory.queue.clear()
        return False


def behind(folder: Folder, files: Iterable[Position]) -> int:
    """Octets written and not read yet (of packed files their packed ones). Raises OSError."""
    known = {position.file: position for position in files}
    total = 0
    for file in folder.list():
        position = known.get(file.name, Position())
        if position.state != WHOLE:
            total += max(0, file.size - (0 if file.packed else position.offset))
    return total
