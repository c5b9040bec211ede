"""The arithmetic of days, sending hours and pace. The Lua of the ledger mirrors it line by line.

Owns: UTC days, open time (time inside a tenant's sending window), the pace bucket.
Units: milliseconds of ledger time unless a name says otherwise.

Pace is a token bucket kept as one number, the theoretical arrival time `tat` (GCRA): one
recipient every `interval` of *open* time, a burst of the hourly share. With a share of 0.2 and
a quota of 50, ten may go at once and one more every 28.8 minutes.
"""

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


def _offset(window: Window, seconds: int) -> int:
    chosen = window.offsets[0][1]
    for since, offset in window.offsets:
        if since <= seconds:
            chosen = offset
    return chosen


def open_time(window: Window | None, now: int) -> int:
    """Open milliseconds since the epoch; stands still while the window is closed."""
    if window is None:
        return now
    shifted = now + 1000 * (_offset(window, now // 1000) - window.start)
    day, inside = divmod(shifted, DAY)
    length = window.length * 1000
    return day * length + min(inside, length)


def wall_time(window: Window | None, opened: float) -> int:
    """The first moment at which `open_time` has reached `opened` (rounded up)."""
    target = int(-(-opened // 1))
    if window is None:
        return target
    length = window.length * 1000
    day, inside = divmod(target, length)
    local = day * DAY + inside + window.start * 1000
    return local - 1000 * _offset(window, local // 1000 - _offset(window, local // 1000))


def opens_at(window: Window | None, now: int) -> int:
    """0 when the window is open now, else when it opens next."""
    if window is None:
        return 0
    shifted = now + 1000 * (_offset(window, now // 1000) - window.start)
    inside = shifted % DAY
    if inside < window.length * 1000:
        return 0
    return now + DAY - inside


def day_length(window: Window | None) -> int:
    """Open milliseconds a day."""
    return DAY if window is None else window.length * 1000


def interval(quota: int, opening: int, window: Window | None) -> float:
    """Open milliseconds between two recipients when the day's allowance is spread evenly."""
    return day_length(window) / max(quota - opening, 1)


def paced_until(
    tat: float, opened: float, step: float, share: float, count: int, window: Window | None
) -> float | None:
    """None when `count` recipients fit the pace at open time `opened`, else the open time when
    they will. A count larger than the burst goes when the bucket is full."""
    tolerance = max(step, share * day_length(window))
    start = max(tat, opened)
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
