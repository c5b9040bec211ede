"""What was seen of an IP, by days: which days count, and their sums.

A day is booked by its grant: a report that comes late changes the day its mail left on.
Rule: counted is a day on which the IP used at least `min_use` of its stage's quota. A step is
earned by counted days alone; the guard looks at every mail since the first of them, since an IP
that sends little can burn as well.
"""

from collections.abc import Iterable

import msgspec

WATCHED = 30
"""Days the guard looks back at most: as long as daily figures in detail are kept."""


class Day(msgspec.Struct, frozen=True):
    """A UTC day of an IP, of one provider at it, or of a pool."""

    day: int
    """Since the epoch."""
    relayed: int
    delivered: int = 0
    bounced: int = 0
    """Address bounces: the recipient's fault, which blocks by policy are not."""
    complaints: int = 0
    deferred: int = 0
    """Attempts that were put off."""


class Sums(msgspec.Struct, frozen=True):
    """Of some days."""

    days: int = 0
    relayed: int = 0
    delivered: int = 0
    bounced: int = 0
    complaints: int = 0
    deferred: int = 0

    @property
    def deferred_share(self) -> float:
        """Of all attempts that ended or were put off; 0 without any."""
        attempts = self.deferred + self.delivered + self.bounced
        return self.deferred / attempts if attempts else 0.0


class Window(msgspec.Struct, frozen=True):
    """What is judged."""

    counted: Sums
    """At most so many days as a step needs, the last ones."""
    watched: Sums
    """All mail since the first counted day, the present day's with it."""


def sums(days: Iterable[Day]) -> Sums:
    """Order does not matter."""
    found = list(days)
    return Sums(
        len(found),
        sum(d.relayed for d in found),
        sum(d.delivered for d in found),
        sum(d.bounced for d in found),
        sum(d.complaints for d in found),
        sum(d.deferred for d in found),
    )


def counts(day: Day, quota: int, min_use: float) -> bool:
    """Whether the day used enough of the quota."""
    return quota > 0 and day.relayed >= quota * min_use


def window(
    days: Iterable[Day], *, since: int, today: int, quota: int, min_use: float, most: int
) -> Window:
    """`since`: the first day of the stage, or of sending again after a pause; `today` is watched
    and not counted, since it has not ended; `most`: counted days a step needs."""
    seen = sorted((d for d in days if since <= d.day <= today), key=lambda d: d.day)
    counted = [d for d in seen if d.day < today and counts(d, quota, min_use)][-most:]
    first = counted[0].day if len(counted) == most else max(since, today - WATCHED)
    return Window(sums(counted), sums(d for d in seen if d.day >= first))
