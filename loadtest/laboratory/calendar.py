"""The calendar of a run: it begins at the midnight that comes, and goes forward in steps."""

import time
from datetime import UTC, datetime
from types import TracebackType
from typing import Self

from loadtest.laboratory.stack import Stack

_DAY = 86_400


class Calendar:
    """`async with Calendar(stack)`: the clock shows the first second of a day."""

    def __init__(self, running: Stack) -> None:
        self._running = running
        self._offset = 0.0
        self.first = 0.0
        """Seconds since 1970 at which the first day begins."""

    @property
    def day(self) -> int:
        """The first one, in days since 1970."""
        return round(self.first) // _DAY

    async def __aenter__(self) -> Self:
        self.first = (time.time() // _DAY + 1) * _DAY
        await self.to(self.first)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        return None

    def now(self) -> float:
        """Seconds since 1970."""
        return time.time() + self._offset

    async def to(self, moment: float) -> int:
        """Move there, unless it is over already; the second it is now."""
        if moment > self.now() + 1:
            stamp = datetime.fromtimestamp(moment, UTC).isoformat(timespec="seconds")
            self._offset = await self._running.move(stamp)
        return int(self.now())
