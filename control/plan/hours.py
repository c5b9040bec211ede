"""Sending hours: from `09:00-17:00` and a time zone to the window a ledger reads.

The zone is resolved here, so that neither the ledger nor a gateway needs a zone database: every
change of its UTC offset is found by bisection, from the generation's time on, for two years
(`REACH`). Beyond, the last offset would hold for ever: `Publisher.reconcile` publishes again when
less than `RENEW` is left, which also brings what a newer zone database says.
"""

import re
from datetime import UTC, datetime
from functools import lru_cache
from typing import Annotated
from zoneinfo import ZoneInfo

import msgspec

from control.problem import bad, quoted
from policy.model import Window

DAY = 86_400
REACH = 730 * DAY
"""Seconds after the generation's time for which offsets are exact."""
RENEW = 400 * DAY
"""Seconds of reach below which a generation is made again."""

_HOURS = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-(?:([01]\d|2[0-3]):([0-5]\d)|(24):(00))")
HoursText = Annotated[
    str,
    msgspec.Meta(
        extra_json_schema={"pattern": rf"^(?!(.{{5}})-\1$)(?!00:00-24:00$){_HOURS.pattern}$"}
    ),
]
"""`HH:MM-HH:MM`; the whole day has another name."""
ZoneText = Annotated[
    str,
    msgspec.Meta(
        extra_json_schema={
            "maxLength": 64,
            "pattern": "^[A-Za-z0-9_+-]+(?:/[A-Za-z0-9_+-]+)*$",
        }
    ),
]
"""A name of the IANA zone database."""


def hours(text: str) -> tuple[int, int]:
    """(start, length) in seconds of local time, of `HH:MM-HH:MM`. Raises RefusedError."""
    found = _HOURS.fullmatch(text)
    if found is None:
        raise bad("hours", f"{quoted(text)} is not HH:MM-HH:MM, such as 09:00-17:30 or 22:00-06:00")
    numbers = [int(part) for part in found.groups() if part is not None]
    start, end = (3600 * h + 60 * m for h, m in (numbers[:2], numbers[2:]))
    length = (end - start) % DAY
    if length == 0:
        raise bad("hours", f"{text} is the whole day or nothing; to send always, give no hours")
    return start, length


def hours_text(start: int, length: int) -> str:
    """What `hours` reads."""
    ends = (start, (start + length) % DAY)
    return "-".join(f"{at // 3600:02}:{at % 3600 // 60:02}" for at in ends)


def zone(name: str) -> ZoneInfo:
    """The zone of that name. Raises RefusedError."""
    try:
        # A path or a file that is no zone fails in other ways than an unknown name.
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise bad(
            "zone",
            f"{quoted(name)} is not a time zone this machine knows, such as Europe/Paris "
            "(its zone database is the package tzdata)",
        ) from error


def window(start: int, length: int, name: str, since: float) -> Window:
    """The window from the UTC day of `since` (UTC seconds) on. Raises RefusedError for an unknown
    zone."""
    # All tenants of a zone have the same, and all plans of a day.
    day = int(since) // DAY * DAY
    return Window(start=start, length=length, offsets=offsets(zone(name), day))


@lru_cache(maxsize=1024)
def offsets(where: ZoneInfo, since: int) -> tuple[tuple[int, int], ...]:
    """(UTC second from which it holds, seconds east of UTC), for `REACH` from `since` on."""
    at, current = since, _offset(where, since)
    found = [(at, current)]
    while at < since + REACH:
        # No zone changes twice within a day.
        later = at + DAY
        after = _offset(where, later)
        if after != current:
            found.append((_change(where, at, later, current), after))
            current = after
        at = later
    return tuple(found)


def _change(where: ZoneInfo, before: int, after: int, offset: int) -> int:
    """The first second at which the offset is no longer `offset`."""
    while after - before > 1:
        middle = (before + after) // 2
        if _offset(where, middle) == offset:
            before = middle
        else:
            after = middle
    return after


def _offset(where: ZoneInfo, second: int) -> int:
    found = datetime.fromtimestamp(second, UTC).astimezone(where).utcoffset()
    assert found is not None
    return int(found.total_seconds())
