"""A job of the calendar, and when it is due. Pure."""

from collections.abc import Awaitable, Callable, Iterable

import msgspec

MINUTE = 60_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR

MOST_MISSED = 40
"""Runs that are caught up, the latest: of a daily job well over a month."""

Work = Callable[[int], Awaitable[str]]
"""Does what was due at (calendar milliseconds), and says in a sentence what that was. It may be
called again for the same time, on another node while the first one hangs: the second time it
changes nothing more."""


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """One of them."""

    name: str
    what: str
    every: int
    """Milliseconds."""
    at: int = 0
    """Milliseconds after a multiple of `every`, UTC."""
    each: bool = False
    """Every run that was missed is caught up; otherwise the latest alone."""
    work: Work

    def latest(self, now: int) -> int:
        """When it was due last. Calendar milliseconds."""
        return now - (now - self.at) % self.every

    def wanted(self, now: int, known: Iterable[int]) -> list[int]:
        """When it was due, the earliest first, of what is still to be looked at. `known`: of which
        there is a row; before the first of them nobody had the job."""
        latest = self.latest(now)
        if not self.each:
            return [latest]
        since = min(known, default=latest)
        first = max(since, latest - (MOST_MISSED - 1) * self.every)
        return list(range(self.latest(first), latest + 1, self.every))

    def rhythm(self) -> str:
        """In words."""
        if self.every == DAY:
            return f"daily at {self.at // HOUR:02}:{self.at % HOUR // MINUTE:02} UTC"
        if self.every % HOUR == 0:
            return f"every {self.every // HOUR} h"
        return f"every {self.every // MINUTE} min"


FIRST_WAIT = 10.0
LONGEST_WAIT = 900.0
MOST_ATTEMPTS = 12
"""With these waits: about an hour and a half."""


def again_in(attempts: int) -> float | None:
    """Real seconds until one that failed `attempts` times is tried again; None: not any more."""
    if attempts >= MOST_ATTEMPTS:
        return None
    return min(FIRST_WAIT * 2.0 ** (attempts - 1), LONGEST_WAIT)
