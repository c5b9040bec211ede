"""Recipients of any 60 seconds and any 3,600: what limits of a minute and of an hour count.

Rule: what is charged goes into the bucket of its slot, a sixtieth of the span; a bucket counts
until the span has passed since its *last* charge. So no window of the span's length, wherever it
begins, ever has more than the limit, and the limit is what goes in the long run: who waits for a
place is served when a bucket ends, in one slot, and a span later again. A place comes back at most
a slot late.
Named as the time of a denial is when enough buckets have ended: granted then, denied before.
What is given back is taken from the bucket that counted it, while there is one.
A clock that went back by more than a slot makes all that counts one bucket of now: too long, never
too short, and never for ever.

The ledger's Lua (`ledger/rating.lua`) keeps the same with one string a scope; this form serves the
memory twin, and tests compare both. Units: milliseconds.
"""

from collections.abc import Sequence

from policy.denial import Denied, Limit
from policy.limits import HOUR, MINUTE
from policy.model import Rate

SPANS = (("minute", MINUTE), ("hour", HOUR))
SLOTS = 60
"""Buckets of a span."""


class Bucket:
    """Recipients of one slot, and when the last of them was charged."""

    __slots__ = ("count", "last", "slot")

    def __init__(self, slot: int, last: int, count: int) -> None:
        self.slot, self.last, self.count = slot, last, count


class Span:
    """One scope's last minute or hour; buckets oldest first."""

    def __init__(self, length: int) -> None:
        self._length = length
        self._slot = length // SLOTS
        self._buckets: list[Bucket] = []

    def used(self, now: int) -> int:
        """Recipients that count at `now`."""
        return sum(bucket.count for bucket in self._counting(now))

    def free_at(self, total: int, most: int, now: int) -> int:
        """When `total` more fit under `most`; 0: never."""
        if total > most:
            return 0
        need = self.used(now) + total - most
        for bucket in self._counting(now):
            need -= bucket.count
            if need <= 0:
                return bucket.last + self._length
        return now

    def add(self, total: int, now: int) -> int:
        """Charge; returns the slot, by which it is given back."""
        buckets = self._buckets = self._counting(now)
        at = max(now, buckets[-1].last) if buckets else now
        slot = at // self._slot
        if not buckets or buckets[-1].slot != slot:
            buckets.append(Bucket(slot, at, 0))
        buckets[-1].count += total
        buckets[-1].last = at
        return slot

    def give_back(self, slot: int, total: int, now: int) -> None:
        """What `add` charged in `slot`; nothing when it counts no more."""
        for bucket in self._counting(now):
            if bucket.slot == slot:
                bucket.count -= min(total, bucket.count)

    def _counting(self, now: int) -> list[Bucket]:
        buckets = self._buckets
        if buckets and buckets[-1].last >= now + self._slot:
            whole = Bucket(now // self._slot, now, sum(b.count for b in buckets))
            self._buckets = [whole]
        return [b for b in self._buckets if b.last + self._length > now]


class Rolling:
    """One scope's two spans."""

    def __init__(self) -> None:
        self.spans = (Span(MINUTE), Span(HOUR))

    def denial(self, kind: str, subject: str, rate: Rate, total: int, now: int) -> Denied | None:
        """None, or why `total` recipients must wait: of both spans the denial that ends last."""
        found: Denied | None = None
        for (name, _), span, most in zip(SPANS, self.spans, _most(rate), strict=True):
            used = span.used(now)
            if most is not None and used + total > most:
                until = span.free_at(total, most, now)
                found = later(found, Denied(Limit(f"{kind}_{name}"), subject, until, most, used))
        return found

    def room(self, rate: Rate, now: int) -> int | None:
        """How many more it may take; None: no limit."""
        left = [
            most - span.used(now)
            for span, most in zip(self.spans, _most(rate), strict=True)
            if most is not None
        ]
        return min(left, default=None)

    def charge(self, rate: Rate, total: int, now: int) -> tuple[int, int]:
        """Slots of both spans, 0: not counted."""
        first, second = (
            0 if most is None else span.add(total, now)
            for span, most in zip(self.spans, _most(rate), strict=True)
        )
        return first, second

    def refund(self, slots: Sequence[int], total: int, now: int) -> None:
        """What `charge` counted."""
        for span, slot in zip(self.spans, slots, strict=True):
            if slot:
                span.give_back(slot, total, now)


def later(one: Denied | None, two: Denied | None) -> Denied | None:
    """Of two denials that both bind the one that ends last, 0: never; of equals the first."""
    if one is None or two is None:
        return one or two
    if one.until == 0:
        return one
    return two if two.until == 0 or two.until > one.until else one


def _most(rate: Rate) -> tuple[int | None, int | None]:
    return rate.minute, rate.hour
