"""Accounting files as PowerMTA leaves them in a folder, written by hand: for the readers' tests."""

import gzip
from collections.abc import Callable
from pathlib import Path

from control.accounting.folder import Folder
from control.accounting.look import Look
from control.accounting.position import Position
from control.accounting.receipts import Receipts
from control.accounting.trail import Trail

COLUMNS = ("type", "timeLogged", "rcpt", "vmta", "envId")
HEADER = ",".join(COLUMNS) + "\r\n"
LOGGED = "2026-03-01 00:00:01+0000"
DAY = 20_000


def line(message: str, kind: str = "r", rcpt: str = "a@gmail.com") -> str:
    """One record of a message of ours."""
    return f"{kind},{LOGGED},{rcpt},v1,{DAY}-message{message}.1\r\n"


class Files:
    """The files of `<acct-file FOLDER/acct.csv>`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / "acct.csv"

    def file(self, number: int, day: str = "2026-03-01") -> Path:
        return self.folder / f"acct-{day}-{number:04}.csv"

    def add(self, number: int, *messages: str, day: str = "2026-03-01") -> Path:
        """Write receipts to that file; it begins with a header line."""
        return self.write(number, "".join(line(message) for message in messages), day=day)

    def write(self, number: int, text: str, *, day: str = "2026-03-01") -> Path:
        path = self.file(number, day)
        start = "" if path.exists() else HEADER
        with path.open("a", newline="") as file:
            file.write(start + text)
        return path


def pack(path: Path) -> Path:
    """As gzip does."""
    packed = path.with_name(path.name + ".gz")
    packed.write_bytes(gzip.compress(path.read_bytes()))
    path.unlink()
    return packed


class Follower:
    """Looks at one stream as the reader does, keeping what it would have stored."""

    def __init__(self, path: Path, moved: Path | None = None) -> None:
        self.folder = Folder(path, moved)
        self.stored: dict[str, Position] = {}
        self.current = ""
        self.seconds = 1000.0
        self.ended: float | None = None
        self.read = self.watched = False
        self.kinds: list[tuple[str, str]] = []
        self.identities: list[tuple[str, bytes]] = []
        self.gaps: list[str] = []
        self.begins = 0
        self.trail = self._begin()

    def start_again(self) -> None:
        """Forget what is kept in memory, as a restart of control does."""
        self.trail.close()
        self.trail = self._begin()

    def _begin(self) -> Trail:
        return Trail(
            self.folder,
            self.current,
            self.stored.values(),
            first=not self.read,
            unwatched=None if self.ended is None else self.seconds - self.ended,
            watched=self.watched,
            clock=lambda: self.seconds,
        )

    def step(self, most: int = 100) -> Look:
        found = self.trail.look(most, 7)
        self.stored |= {position.file: position for position in [*found.changed, found.at]}
        self.stored.pop("", None)
        self.current = found.at.file
        self.watched = found.watched
        self.gaps += found.gaps
        self.begins += found.begins
        self._take(found.receipts)
        if found.end and not found.problem:
            self.read, self.ended = True, self.seconds
        return found

    def _take(self, receipts: Receipts) -> None:
        for (_, message, _), receipt in receipts.attempts.items():
            name = message.removeprefix("message")
            self.kinds.append((name, receipt.kinds))
            self.identities += [(name, taken.digest) for taken in receipt.taken]

    def to_end(self, most: int = 100) -> Look:
        """Until everything is read, or nothing is left that could be: a file that vanished may be
        written on, so that nobody says the end before there is another one."""
        idle, at = 0, None
        for _ in range(3_000):
            found = self.step(most)
            idle = 0 if found.at != at or found.changed or found.gaps else idle + 1
            at = found.at
            if found.end or found.problem or (idle > 50 and not self.trail.waiting):
                return found
        raise AssertionError("it never comes to an end")

    @property
    def seen(self) -> list[str]:
        """The message of each receipt that would be counted, in order."""
        return [message for message, _ in dict.fromkeys(self.identities)]

    @property
    def met(self) -> list[str]:
        """The message of each receipt read, copies too."""
        return [message for message, _ in self.identities]


Follow = Callable[..., Follower]
"""Path as in `<acct-file PATH>`, and `move-to`."""
