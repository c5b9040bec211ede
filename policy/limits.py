"""The arithmetic of days, sending hours and pace. The Lua of the ledger mirrors it line by line.

Owns: UTC days, open time (time inside a tenant's sending window), the pace bucket.
Units: milliseconds of ledger time unless a name says otherwise.

Pace is a token bucket kept as one number, the theoretical arrival time `tat` (GCRA): one
recipient every `interval` of *open* time, a burst of the hourly share. With a share of 0.2 and
a quota of 50, ten may go at once and one more every 28.8 minutes.
"""

import math

from policy.model import UNLIMITED, Unlimited, VirtualMta, Window

DAY = 86_400_000
MINUTE = 60_000
HOUR = 3_600_000

PACE_SLACK = 0.5
"""Half a millisecond, against the rounding of sums of intervals."""

NOMINAL_QUOTA = 100_000
"""What an unlimited IP counts as when shares used are compared: ten times the usual last stage."""

LONGEST_STRIDE = 10
"""Recipients. A batch of 16 in a pool of 100 IPs read and wrote the counters of 16 IPs when every
recipient went to the least used one, and those of two or three so."""


def day_of(now: int) -> int:
    """Days since 1970-01-01 UTC. A recipient's day is the day of its grant, for ever."""
    return now // DAY


def next_day(now: int) -> int:
    return (day_of(now) + 1) * DAY


def _stretch(window: Window, now: int) -> tuple[int, float]:
    """(seconds east of UTC at `now`, the moment at which that ends; `math.inf`: it does not)."""
    offset = window.offsets[0][1]
    for since, later in window.offsets:
        if since * 1000 > now:
            return offset, since * 1000
        offset = later
    return offset, math.inf


def open_time(window: Window | None, now: int) -> int:
    """Open milliseconds since the epoch; stands still while the window is closed. Where the zone's
    clock is put on or back inside the window it jumps, or has the same hour twice."""
    if window is None:
        return now
    shifted = now + 1000 * (_stretch(window, now)[0] - window.start)
    day, inside = divmod(shifted, DAY)
    length = window.length * 1000
    return day * length + min(inside, length)


def wall_time(window: Window | None, opened: float, now: int) -> int:
    """The first moment from `now` on, with the window open, at which `open_time` has reached
    `opened` (rounded up)."""
    target = math.ceil(opened)
    if window is None:
        return max(target, now)
    day, inside = divmod(target, window.length * 1000)
    local = day * DAY + inside + window.start * 1000
    while True:
        offset, ends = _stretch(window, now)
        reached = max(local - 1000 * offset, now)
        if reached < ends:
            return opens_at(window, reached) or reached
        now = int(ends)


def opens_at(window: Window | None, now: int) -> int:
    """0 when the window is open now, else when it opens next.

    It is open when the clocks of the zone show a time in it: a window that begins in an hour that
    is left out opens when that hour would have begun, one in an hour that comes twice does so
    twice."""
    if window is None:
        return 0
    at = now
    while True:
        offset, ends = _stretch(window, at)
        inside = (at + 1000 * (offset - window.start)) % DAY
        if inside < window.length * 1000:
            return 0 if at == now else at
        opens = at + DAY - inside
        if opens < ends:
            return opens
        at = int(ends)


def day_length(window: Window | None) -> int:
    """Open milliseconds a day."""
    return DAY if window is None else window.length * 1000


def interval(quota: int, opening: int, window: Window | None) -> float:
    """Open milliseconds between two recipients when the day's allowance is spread evenly."""
    return day_length(window) / max(quota - opening, 1)


def pace_mark(tat: float, opened: float, step: float, share: float, window: Window | None) -> float:
    """The open time an IP's bucket stands at. No charge puts it further than a day behind a bucket
    that is empty: one that stands there is of hours that were other hours, or of a clock that was
    put back, and the bucket is empty now."""
    empty = opened + max(step, share * day_length(window))
    return empty if tat > empty + day_length(window) else max(tat, opened)


def paced_until(
    tat: float, opened: float, step: float, share: float, count: int, window: Window | None
) -> float | None:
    """None when `count` recipients fit the pace at open time `opened`, else the open time when
    they will. A count larger than the burst goes when the bucket is full."""
    tolerance = max(step, share * day_length(window))
    start = pace_mark(tat, opened, step, share, window)
    need = min(count * step, tolerance)
    if start + need <= opened + tolerance + PACE_SLACK:
        return None
    return start + need - tolerance


def stride(daily: int | Unlimited) -> int:
    """Recipients an IP takes in a row before another one's turn: a thousandth of its quota, at
    least one and at most `LONGEST_STRIDE`."""
    if daily == UNLIMITED:
        return LONGEST_STRIDE
    return min(max(int(daily) // 1000, 1), LONGEST_STRIDE)


def share_used(used: int, daily: int | Unlimited, weight: float) -> float:
    """The figure by which IPs are ordered: lowest goes first. It counts whole strides only."""
    quota = NOMINAL_QUOTA if daily == UNLIMITED else max(int(daily), 1)
    return (used - used % stride(daily)) / (quota * weight)


def paced(vmta: VirtualMta) -> bool:
    return vmta.daily != UNLIMITED and vmta.hourly_share < 1.0
