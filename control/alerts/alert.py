"""Alerts: what is wrong begins, is seen again and again, and ends.

Owns: the table, which is the truth; when a message is due. Not here: what is wrong (those who
raise it), how a message goes out (`control.alerts.sender`).
Rule: under one key at most one is open. One message when it begins, one when it ends; between them
one after an hour, after four more, after twelve, then one a day, until it is acknowledged. What is
found gone is over once it stayed so for a while (`alerts.over_after`): what comes back before that
is the same alert, counted, and only its repeats tell of it. One that gets graver than it was within
that time is told anew. So what flaps, or changes its gravity to and fro, is told of no more often
than what stays. While its key is muted nothing is told; when that ends, what is still open is. All
of it in the transaction of who raises it.
"""

from collections.abc import Sequence
from typing import Any, Literal

import msgspec

from control.store.database import Connection
from policy.isotime import instant
from settings.statements import statements

SQL = statements(__package__, "alert")

Severity = Literal["info", "warning", "critical"]

HOUR = 3_600_000
WAITS = (1 * HOUR, 4 * HOUR, 12 * HOUR, 24 * HOUR)
"""Calendar milliseconds between messages of one that stays."""

EVENTS = "event"
"""Source of what happened once."""


class Raised(msgspec.Struct, frozen=True, kw_only=True):
    """Something that is so now."""

    key: str
    """What it is, and of what: `bypass`, `pool:acme`. Shown, and muted by."""
    severity: Severity
    what: str
    """One sentence with its numbers."""
    next: str
    """What to do: a command."""


async def settle(
    connection: Connection, now: int, source: str, found: Sequence[Raised], *, over_after: int
) -> None:
    """All that `source` finds wrong now; what it found before and is not among it is gone, and has
    ended when it stayed so for `over_after`. In a transaction; calendar milliseconds."""
    by_key = {one.key: one for one in found}
    await connection.execute(SQL["gone"], source, now, list(by_key))
    # Before what is found: what comes back later than that is another alert.
    await connection.execute(SQL["over"], source, now, over_after)
    if by_key:
        rows = [(one.key, one.severity, one.what, one.next) for one in by_key.values()]
        columns = [list(column) for column in zip(*rows, strict=True)]
        await connection.execute(SQL["raise"], source, now, *columns, over_after)
    await connection.execute(SQL["tell"], now, list(WAITS))


async def event(connection: Connection, now: int, one: Raised) -> None:
    """Something that happened and is no state: told once, whoever says it again under its key."""
    values = (one.key, EVENTS, one.severity, one.what, one.next, now)
    await connection.execute(SQL["event"], *values)


async def sweep(connection: Connection, before: int) -> None:
    """Forget those that ended before, calendar milliseconds."""
    await connection.execute(SQL["sweep"], before)


class AlertView(msgspec.Struct, frozen=True, kw_only=True):
    """One alert."""

    id: int
    key: str
    severity: str
    what: str
    next: str
    """What to do."""
    first_seen: str
    last_seen: str
    count: int
    """Looks that found it so."""
    absent: str | None
    """Since when it is not found any more; it is over when it stayed so (`alerts.over_after`)."""
    returned: int
    """How often it came back before it was over."""
    recovered: str | None
    acknowledged: str | None
    acknowledged_by: str
    told: int
    """Messages about it."""
    muted: str | None
    """Until when nothing is told of its key."""
    waiting: int
    """Deliveries of its messages that are still tried."""
    trouble: str
    """Why the last delivery that failed did."""


def view(row: Any) -> AlertView:
    """Of a row."""
    times = ("first_seen", "last_seen", "absent", "recovered", "acknowledged", "muted")
    shown = {name: row[name] for name in AlertView.__struct_fields__}
    shown |= {name: instant(row[name]) for name in times if row[name] is not None}
    return AlertView(**shown)
