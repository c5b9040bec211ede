"""What a mailbox may and should have sent by now. Pure.

Rule: what it should send a day is its quota, its daily minimum and no more than it may; by now it
is due the part of it that the tenant's sending hours have had of the day (UTC), so that a morning
is no shortfall. A mailbox without a minimum has no quota, and lacks nothing.
"""

import math
from typing import Literal, NamedTuple

from control.progress.counted import Counted
from policy.limits import DAY, day_of, next_day, open_time, opens_at
from policy.mailbox import Terms, gap_of, least_of, most_of, terms_of
from policy.model import Tenant, Window

Status = Literal["behind", "on_track", "reached", "no_quota"]


class Standing(NamedTuple):
    """Of one mailbox, recipients."""

    quota: int
    """0: none."""
    most: int
    """That it may send today; -1: any number."""
    due: int
    """Of its quota by now, rounded up."""
    status: Status
    behind_by: int


def elapsed(window: Window | None, now: int) -> float:
    """The part of today's sending hours that is over, 0 to 1; of a day without any 0."""
    begins = now - now % DAY
    before, after = open_time(window, begins), open_time(window, begins + DAY)
    return (open_time(window, now) - before) / (after - before) if after > before else 0.0


def standing(terms: Terms, counted: Counted, part: float, today: int) -> Standing:
    """`part`: of `elapsed`."""
    first = today if counted.first < 0 else counted.first
    may, _ = most_of(terms, first, today)
    most, quota = -1 if may is None else may, least_of(terms, first, today)
    if not quota:
        return Standing(0, most, 0, "no_quota", 0)
    if counted.sent >= quota:
        return Standing(quota, most, quota, "reached", 0)
    # Half a thousandth of a recipient against the rounding of the part.
    due = math.ceil(quota * part - 0.0005)
    if counted.sent >= due:
        return Standing(quota, most, due, "on_track", 0)
    return Standing(quota, most, due, "behind", due - counted.sent)


def free_at(
    terms: Terms,
    mailbox: str,
    counted: Counted,
    window: Window | None,
    now: int,
    *,
    least: int = 0,
) -> int:
    """When its next message may go, as far as it alone is asked: spacing, maximum, ramp, sending
    hours, and not before `least`. Calendar milliseconds, `now` at the earliest."""
    at, today = max(now, least), day_of(now)
    if counted.last:
        at = max(at, counted.last + gap_of(terms, mailbox, counted.last))
    most, _ = most_of(terms, today if counted.first < 0 else counted.first, today)
    if most is not None and counted.sent >= most:
        at = max(at, next_day(now))
    return opens_at(window, at) or at


def terms_at(tenant: Tenant, mailbox: str) -> Terms:
    """Its own, or the tenant's."""
    return terms_of(tenant, tenant.mailboxes.get(mailbox))
