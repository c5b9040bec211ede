"""What one mailbox may send today and when: ramp, daily maximum and minimum, spacing with jitter.

Pure. The ledger's Lua (`ledger/limiting.lua`) mirrors it line by line; views and the releaser's
order use it as it is. Days are UTC days since 1970, times milliseconds of ledger time.
Rule: the lowest of maximum and ramp binds, and a minimum never raises either.
"""

import hashlib
from collections.abc import Sequence

import msgspec
from msgspec.structs import replace

from policy.model import OFF, MailboxLimits, Rate, Tenant

IDLE_DAYS = 30
"""A mailbox that sent nothing for longer is cold again: its ramp begins anew, as an IP's does."""

_DRAWN = 1 << 24


class Record(msgspec.Struct, frozen=True, array_like=True):
    """What the ledger counts of a mailbox, as it stands there."""

    first: int
    """Day of its first message since it was idle."""
    day: int
    """Day it sent on last."""
    count: int
    """Recipients on that day."""
    before: int
    """Recipients on the day before it."""
    last: int
    """When it sent last; 0: given back, and nothing before."""

    def on(self, today: int) -> "Record":
        """As it counts on a day. A clock that was put back over midnight finds the day before; one
        that was put back further makes all that is counted today's: it counts once more, and never
        as nothing."""
        if self.day == today:
            return self
        if self.day == today + 1:
            return replace(self, day=today, count=self.before, before=0)
        if self.day > today:
            first, count = min(self.first, today), self.count + self.before
            return replace(self, first=first, day=today, count=count, before=0)
        first = today if today - self.day > IDLE_DAYS else self.first
        before = self.count if self.day == today - 1 else 0
        return Record(first=first, day=today, count=0, before=before, last=self.last)

    def kept(self, today: int) -> "Record":
        """What is written of it on a day: of the day after, which a clock that was put back has yet
        to reach, all of it."""
        return self if self.day == today + 1 else self.on(today)

    def charged(self, today: int, total: int, now: int) -> "Record":
        """With a message more."""
        known = self.kept(today)
        if known.day == today:
            return replace(known, count=known.count + total, last=now)
        return replace(known, before=known.before + total, last=now)

    def lowered(self, today: int, day: int, total: int, at: int, last: int) -> "Record":
        """Without a message of a day, sent `at` a time; it had sent `last` before it."""
        known = self.kept(today)
        count, before = known.count, known.before
        if day == known.day:
            count = max(count - total, 0)
        elif day == known.day - 1:
            before = max(before - total, 0)
        return replace(
            known, count=count, before=before, last=last if known.last == at else known.last
        )


class Terms(msgspec.Struct, frozen=True):
    """The limits that hold for a mailbox."""

    most: int | None
    """Recipients a day."""
    least: int
    gap: int
    """Milliseconds between two messages, at least."""
    gap_most: int
    """And at most."""
    ramp: Sequence[int]
    """Recipients a day by stage; empty: none."""
    days: int
    """Days a stage lasts."""
    since: int | None
    """First day of the ramp; None: the mailbox's first."""


def terms_of(tenant: Tenant, own: MailboxLimits | None) -> Terms:
    """Of a mailbox with limits of its own, or of one with the tenant's."""
    common = tenant.mailbox_default
    one = own or common
    spaced = common if one.spacing is None else one
    gap = milliseconds(spaced.spacing)
    return Terms(
        most=common.daily_max if one.daily_max is None else one.daily_max,
        least=(common.daily_min if one.daily_min is None else one.daily_min) or 0,
        gap=gap,
        gap_most=max(gap, milliseconds(spaced.spacing_max)),
        ramp=tenant.mailbox_ramp if one.ramp is None else one.ramp,
        days=tenant.mailbox_ramp_days,
        since=one.ramp_from,
    )


def rate_of(tenant: Tenant, own: MailboxLimits | None) -> Rate:
    """A mailbox's limits of a minute and an hour: its own, and of what it has not its tenant's."""
    default = tenant.mailbox_default.rate
    if own is None or own.rate == OFF:
        return default
    return Rate(
        minute=default.minute if own.rate.minute is None else own.rate.minute,
        hour=default.hour if own.rate.hour is None else own.rate.hour,
    )


def stage_of(terms: Terms, first: int, today: int) -> int:
    """Stage of its ramp, from 1; 0: it has none. Past the end the last one stays."""
    if not terms.ramp:
        return 0
    since = first if terms.since is None else terms.since
    return min(max(today - since, 0) // terms.days + 1, len(terms.ramp))


def most_of(terms: Terms, first: int, today: int) -> tuple[int | None, bool]:
    """(recipients it may send today, whether its ramp says so); None: any number."""
    most, stage = terms.most, stage_of(terms, first, today)
    if stage and (most is None or terms.ramp[stage - 1] < most):
        return terms.ramp[stage - 1], True
    return most, False


def least_of(terms: Terms, first: int, today: int) -> int:
    """Recipients it should send today: its minimum, but for what it may not."""
    most, _ = most_of(terms, first, today)
    return terms.least if most is None else min(terms.least, most)


def gap_of(terms: Terms, mailbox: str, last: int) -> int:
    """Milliseconds from its message at `last` to its next. Drawn from both alone, so that whoever
    asks again hears the same."""
    if terms.gap_most <= terms.gap:
        return terms.gap
    digest = hashlib.sha1(f"{mailbox} {last}".encode(), usedforsecurity=False).hexdigest()
    return terms.gap + int(digest[:6], 16) * (terms.gap_most - terms.gap + 1) // _DRAWN


def milliseconds(seconds: float | None) -> int:
    """As the ledger has a spacing."""
    return round((seconds or 0) * 1000)
