"""Calendar time as the ledger has it: days, ages and due times of held mail.

The ledger's clock, seam included, decides; between two answers, and while the ledger is away,
the machine's clock carries on from the last answer (policy/README.md: time).
"""

from collections.abc import Callable


class LedgerClock:
    """Milliseconds of ledger time."""

    def __init__(self, wall: Callable[[], float]) -> None:
        """`wall`: the machine's UTC seconds."""
        self._wall = wall
        self._ahead = 0.0

    def observe(self, now: int) -> None:
        """The ledger just said what time it is."""
        self._ahead = now - self._wall() * 1000

    def now(self) -> int:
        return round(self._wall() * 1000 + self._ahead)
