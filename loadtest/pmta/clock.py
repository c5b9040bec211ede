"""Calendar time, movable: days pass in seconds in tests and demonstrations."""

import time
from datetime import UTC, datetime

# Beyond this the calendar of `datetime` ends; nobody means it.
LARGEST_OFFSET = 50 * 366 * 86_400.0


class Clock:
    """The machine's UTC time plus an offset in seconds.

    Only what ends up in accounting reads it. Delays and time-outs run on the loop's own clock:
    moving the calendar by a day must not fire every timer.
    """

    def __init__(self) -> None:
        self.offset_seconds = 0.0
        self._stamped_second = -1
        self._stamp = ""

    def now(self) -> float:
        """Seconds since the epoch, moved by the offset."""
        return time.time() + self.offset_seconds

    def stamp(self) -> str:
        """The time as accounting writes it: ``2019-02-08 21:54:05+0000`` (guide, accounting)."""
        second = int(self.now())
        if second != self._stamped_second:
            self._stamped_second = second
            self._stamp = datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%d %H:%M:%S%z")
        return self._stamp

    def day(self) -> str:
        """The UTC day, ``YYYY-MM-DD``."""
        return self.stamp()[:10]
