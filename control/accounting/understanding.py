"""What is made of the octets a reader took: facts, receipts, and what is set aside.

The reader of files has it beside its trail. An agent's trail stands on another machine, and what
it took arrives as `Stretch`es: the same is made of them here.
"""

from collections.abc import Sequence
from typing import Protocol

import msgspec

from control.accounting.columns import Columns
from control.accounting.identity import Reading
from control.accounting.look import Step
from control.accounting.payload import SetAside, header_of
from control.accounting.receipts import Repeats, add
from control.accounting.records import LONGEST, Cut, Piece, Split, split


class Taken(msgspec.Struct, frozen=True):
    """Octets of a file that a reader went past."""

    file: str
    begin: int
    """Offset of the first."""
    octets: bytes
    header: tuple[str, ...]
    """Names of the columns in force before them; empty: the first line names them."""


class Taker(Protocol):
    """Who gets what a trail took."""

    def anew(self) -> None:
        """A file is read from its beginning, or on from where nobody remembers what stood before:
        then `recall` follows."""

    def recall(self, octets: bytes, columns: Columns) -> None:
        """Records before the first to come."""

    def take(self, step: Step, taken: Taken, found: Split, now: int) -> None:
        """The next octets, with what was found in them. `now` in calendar milliseconds."""


class Understanding:
    """The `Taker` that makes facts and receipts, into the step."""

    def __init__(self) -> None:
        self.anew()

    def anew(self) -> None:
        """As `Taker`."""
        self._repeats = Repeats()
        self._reading = Reading()

    def recall(self, octets: bytes, columns: Columns) -> None:
        """As `Taker`: equal receipts behind these are twins."""
        pieces = split(octets, LONGEST, columns).pieces
        for piece in pieces:
            self._repeats.recall(piece)
        self._reading.facts(pieces, 0)

    def take(self, step: Step, taken: Taken, found: Split, now: int) -> None:
        """As `Taker`."""
        self.understand(step, taken, found.pieces, found.cuts, now)

    def understand(
        self, step: Step, taken: Taken, pieces: Sequence[Piece], cuts: Sequence[Cut], now: int
    ) -> None:
        """What these records say and prove."""
        step.facts += self._reading.facts(pieces, now)
        for piece in pieces:
            add(step.receipts, piece, self._repeats, now)
        # Under the columns in force behind them, as a reader has them at hand.
        header = header_of(pieces[-1].columns if pieces else _columns(taken))
        step.set_aside += [
            SetAside(
                f"{taken.file} at offset {taken.begin + cut.offset}",
                cut.why,
                taken.octets[cut.offset : cut.end],
                header,
            )
            for cut in cuts
        ]


def _columns(taken: Taken) -> Columns | None:
    return Columns(taken.header) if taken.header else None
