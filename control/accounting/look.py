"""What one look at a stream's files found."""

from collections.abc import Sequence
from typing import NamedTuple

from control.accounting.fact import Fact
from control.accounting.folder import Folder
from control.accounting.payload import SetAside
from control.accounting.position import Position
from control.accounting.receipts import Receipts
from control.accounting.records import LONGEST


class Look(NamedTuple):
    """One look. `at`: the file being read, and how far."""

    at: Position
    changed: list[Position]
    """Files whose position is another now, `at` perhaps among them."""
    receipts: Receipts
    end: bool = False
    """Everything that was written when the look began has been read."""
    watched: bool = False
    """Whether the folder was, ever since the newest file was seen to be the one written."""
    begins: bool = False
    """Nothing proves that nothing is missing before what this look read."""
    cuts: int = 0
    """Places where a record could not be read."""
    gaps: tuple[str, ...] = ()
    """Where something may never have been read, and why."""
    lack: str = ""
    """What the file being read has no columns for."""
    problem: str = ""
    """Why nothing can be read now."""
    facts: Sequence[Fact] = ()
    """What its records say, each with its identity."""
    set_aside: Sequence[SetAside] = ()
    """What of them could not be read."""

    @property
    def trouble(self) -> str:
        """What an operator has to see to."""
        return self.problem or self.lack


def lack_of(file: str, missing: tuple[str, ...]) -> str:
    """What an operator has to do about columns that are not there; '' for none."""
    if not missing:
        return ""
    names, s = " and ".join(missing), "s" * (len(missing) > 1)
    return (
        f"{file} has no {names} column{s}: receipts prove nothing without; name "
        f"{','.join(missing)} in `record-fields r` of PowerMTA's <acct-file>"
    )


class Step:
    """A look while it is made."""

    def __init__(self, most: int) -> None:
        self._most = most
        self.records = 0
        self.octets = 0
        self.receipts = Receipts()
        self.gaps: list[str] = []
        self.cuts = 0
        self.facts: list[Fact] = []
        self.set_aside: list[SetAside] = []
        self.changed: set[str] = set()
        self.lack = ""
        self.problem = ""
        self.end = self.watched = self.begins = self.again = False

    @property
    def left(self) -> int:
        """Records it may still take."""
        return self._most - self.records

    @property
    def full(self) -> bool:
        """Whether it has taken enough."""
        return self.left <= 0 or self.octets >= LONGEST

    def nothing(self, folder: Folder, *, known: bool) -> None:
        """There is no file."""
        if known:
            # An unmounted volume looks like this. PowerMTA always has a file: it will tell.
            self.problem = f"no accounting file is left in {folder.path.parent}"
            return
        self.end = True
        name = folder.name(("YYYY-MM-DD", 1)).replace("0001", "NNNN")
        self.problem = f"there is no {folder.path.parent / name} yet"
        if folder.path.exists():
            self.problem += f" ({folder.path} is not PowerMTA's: it is not read)"

    def look(self, at: Position, changed: list[Position]) -> Look:
        """As it came out."""
        return Look(
            at,
            changed,
            self.receipts,
            self.end,
            self.watched,
            self.begins,
            self.cuts,
            tuple(self.gaps),
            self.lack,
            self.problem,
            self.facts,
            self.set_aside,
        )
