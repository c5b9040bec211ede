"""What a look took, kept as octets to be shipped: the agent's `Taker`."""

from control.accounting.columns import Columns
from control.accounting.look import Step
from control.accounting.records import LONGEST, Split
from control.accounting.shipment import Stretch
from control.accounting.understanding import Taken

REMEMBERED = LONGEST
"""Octets before the next ones, for a control process that was started anew."""


_Known = tuple[bytes, tuple[str, ...]]
"""Records, and the names of their columns."""


class Stretches:
    """Of one trail."""

    def __init__(self) -> None:
        self._taken: list[Stretch] = []
        self._anew = False
        self._recall: _Known = b"", ()
        self._tail: _Known = b"", ()
        """What stands before the next octets."""
        self._before: _Known = self._tail
        """What stood before the first of this look."""

    def begin(self) -> None:
        """Another look begins."""
        self._taken = []
        self._before = self._tail

    @property
    def taken(self) -> list[Stretch]:
        """Of this look."""
        return self._taken

    def with_recall(self) -> list[Stretch]:
        """Of this look, for somebody who does not remember what stood before."""
        if not self._taken:
            return []
        octets, header = self._before
        first = self._taken[0]
        again = Stretch(
            first.file,
            first.begin,
            first.octets,
            first.header,
            first.records,
            first.cuts,
            anew=True,
            recall=first.recall if first.anew else octets,
            recall_header=first.recall_header if first.anew else header,
        )
        return [again, *self._taken[1:]]

    def anew(self) -> None:
        """As `Taker`."""
        self._anew = True
        self._recall, self._tail = (b"", ()), (b"", ())

    def recall(self, octets: bytes, columns: Columns) -> None:
        """As `Taker`: a trail that begins here says so."""
        self._anew = True
        self._recall = self._tail = octets, columns.names

    def take(self, step: Step, taken: Taken, found: Split, now: int) -> None:  # noqa: ARG002
        """As `Taker`: into the next shipment, not into the step."""
        if not taken.octets:
            return
        recall, header = self._recall
        self._taken.append(
            Stretch(
                taken.file,
                taken.begin,
                taken.octets,
                taken.header,
                found.records,
                [(cut.offset, cut.why, cut.end) for cut in found.cuts],
                anew=self._anew,
                recall=recall,
                recall_header=header,
            )
        )
        self._anew, self._recall = False, (b"", ())
        tail = self._tail[0] + taken.octets
        if len(tail) > REMEMBERED:
            tail = tail[-REMEMBERED:]
            tail = tail[tail.find(b"\n") + 1 :]
        self._tail = tail, found.columns.names if found.columns else ()
