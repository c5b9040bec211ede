"""Whatever PowerMTA, a crash and an operator do to the files: the records that are read are those
that were written, each once, or a gap names the file that lacks some."""

import gzip
import random
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.support.control.acctfiles import Files, Follower, line, pack

RCPTS = (
    "a@gmail.com",
    '"""a, b""@x.example"',
    '"two\r\nlines"',
    '","',
    '"r,x"',
    '"\r\nr,2026-03-01 00:00:01+0000,a"',
)

HARMLESS = (
    "append",
    "append",
    "rotate",
    "turn",
    "look",
    "restart",
    "pack",
    "move",
    "touch",
    "unpack",
)
HARMFUL = (*HARMLESS, "cut", "delete", "away", "sleep", "skip", "night")


class Model:
    """A PowerMTA, its operator and its reader, driven by a seed."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.random = random.Random(seed)
        self.files = Files(folder)
        self.moved = folder / "done"
        self.moved.mkdir()
        self.follower = Follower(self.files.path, self.moved)
        self.day, self.number = date(2026, 3, 1), 0
        self.open: Path | None = None
        self.written: list[tuple[str, str]] = []
        """(message, name of its file)."""
        self.copied: set[str] = set()
        """Files that are a copy nobody has looked at."""

    def append(self) -> None:
        for _ in range(self.random.randint(1, 4)):
            message = f"{len(self.written)}"
            if self.open is None:
                self.number += 1
                self.open = self.files.write(self.number, "", day=self.day.isoformat())
            text = line(message, rcpt=self.random.choice(RCPTS))
            with self.open.open("a", newline="") as file:
                file.write(text)
            self.written.append((message, self.open.name))

    def cut(self) -> None:
        """A crash while a record is written: what comes next stands behind it."""
        if self.open is not None:
            text = line("cut", rcpt=self.random.choice(RCPTS)).encode()
            with self.open.open("ab") as file:
                file.write(text[: self.random.randint(1, len(text) - 3)])

    def rotate(self) -> None:
        self.open = None

    def turn(self) -> None:
        if self.open is not None or self.number == 0:
            self.look()
            self.rotate()
            self.day, self.number = self.day + timedelta(days=1), 0
            self.append()

    def skip(self) -> None:
        self.rotate()
        self.day, self.number = self.day + timedelta(days=self.random.randint(1, 3)), 0
        self.append()

    def look(self) -> None:
        self.follower.to_end(self.random.choice([1, 3, 100]))
        self.copied.clear()
        self.check()

    def restart(self) -> None:
        self.follower.start_again()

    def sleep(self) -> None:
        self.follower.seconds += 3_600
        self.restart()

    def finished(self, *, read: bool) -> Path | None:
        """Some finished file, plain, in the folder PowerMTA writes in."""
        found = [
            path
            for path in sorted(self.files.folder.glob("acct-*.csv"))
            if path != self.open and (not read or self.state(path.name) == "whole")
        ]
        return self.random.choice(found) if found else None

    def state(self, name: str) -> str:
        position = self.follower.stored.get(name)
        return position.state if position else ""

    def pack(self) -> None:
        if path := self.finished(read=False):
            pack(path)

    def move(self) -> None:
        if path := self.finished(read=False):
            path.rename(self.moved / path.name)

    def touch(self) -> None:
        """A copy in its place, as rsync makes it."""
        if path := self.finished(read=False) or self.open:
            copy = path.with_suffix(".tmp")
            shutil.copy(path, copy)
            copy.rename(path)
            self.copied.add(path.name)

    def unpack(self) -> None:
        packed = sorted(self.files.folder.glob("acct-*.csv.gz"))
        if packed:
            path = self.random.choice(packed)
            path.with_suffix("").write_bytes(gzip.decompress(path.read_bytes()))

    def delete(self) -> None:
        if path := self.finished(read=self.random.random() < 0.5):
            self.unseen(path)
            path.unlink()

    def away(self) -> None:
        if path := self.finished(read=False):
            self.unseen(path)
            path.rename(self.files.folder / f"old-{path.name}")

    def night(self) -> None:
        """The day's last file comes and goes while nobody looks."""
        self.rotate()
        self.append()
        gone = self.open
        self.rotate()
        if gone is not None:
            self.unseen(gone)
            gone.unlink()
        if self.random.random() < 0.5:
            self.look()
        self.skip()

    def unseen(self, path: Path) -> None:
        """Nobody takes away a file that is younger than what counts as watched. A copy in its
        place is one, and was looked at before: the reader has the file of before open, and sees
        that one's end."""
        if path.name in self.copied:
            self.look()
        if not self.state(path.name):
            self.follower.seconds += 61

    def check(self) -> None:
        """What was read is what was written, or what is not there is told."""
        seen = self.follower.seen
        assert len(seen) == len(set(seen)), "a record counted twice"
        assert set(seen) <= {m for m, _ in self.written}, "a record that nobody wrote"
        # Of the newest file, and of what comes behind it, nothing can be said yet.
        newest = max(self.follower.stored, default="")
        for message, name in self.written:
            if name < newest and message not in seen:
                told = [gap for gap in self.follower.gaps if covers(gap, name)]
                assert told, f"{message} of {name} is missing: {self.follower.gaps}"
        if not self.follower.gaps:
            assert seen == [m for m, _ in self.written][: len(seen)], "read as it was written"


def covers(gap: str, name: str) -> bool:
    """Whether a gap says that something of that file may be missing."""
    if gap.endswith(" is missing"):
        first, _, last = gap.removesuffix(" is missing").partition(" to ")
        return first <= name <= (last or first)
    first, _, behind = gap.partition(" may not be the last before ")
    if behind:
        return first <= name <= behind[: len(name)]
    return gap.startswith(name)


@contextmanager
def drive(seed: int) -> Iterator[Model]:
    with tempfile.TemporaryDirectory() as folder:
        model = Model(Path(folder), seed)
        try:
            yield model
        finally:
            model.follower.trail.close()


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, 1 << 32), st.lists(st.sampled_from(HARMLESS), max_size=25))
def test_what_harms_nothing_is_no_gap(seed: int, ops: list[str]) -> None:
    with drive(seed) as model:
        for op in ["look", "append", "look", *ops, "rotate", "append", "look"]:
            getattr(model, op)()
        assert model.follower.gaps == []
        assert model.follower.seen == [message for message, _ in model.written]


@settings(deadline=None, max_examples=300, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, 1 << 32), st.lists(st.sampled_from(HARMFUL), max_size=30))
@example(0, ["skip", "rotate", "look", "restart", "delete", "look"])
@example(0, [*["append"] * 7, "touch", "append", "rotate", "delete"])
def test_what_is_missing_is_told(seed: int, ops: list[str]) -> None:
    with drive(seed) as model:
        for op in ["append", "look", *ops, "rotate", "append", "look"]:
            getattr(model, op)()
