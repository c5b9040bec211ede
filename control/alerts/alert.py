"""Alerts: what is wrong begins, is seen again and again, and ends.

Owns: the table, which is the truth; when a message is due. Not here: what is wrong (those who
raise it), how a message goes out (`control.alerts.sender`).
Rule: under one key at most one is open. One message when it begins, one when it ends; between them
one after an hour, after four more, after twelve, then one a day, until it is acknowledged. One that
gets graver is told anew. While its key is muted nothing is told; when that ends, what is still open
is. All of it in the transaction of who raises it.
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


async def settle(connection: Connection, now: int, source: str, found: Sequence[Raised]) -> None:
    """All that `source` finds wrong now; what it found before and is not among it has ended. In a
    transaction; calendar milliseconds."""
    await _put(connection, now, source, found)
    await connection.execute(SQL["end"], source, now, None, [one.key for one in found])
    await connection.execute(SQL["tell"], now, list(WAITS))


async def raise_(connection: Connection, now: int, source: str, one: Raised) -> None:
    """One that `end` ends. In a transaction; calendar milliseconds."""
    await _put(connection, now, source, [one])
    await connection.execute(SQL["tell"], now, list(WAITS))


async def end(connection: Connection, now: int, source: str, key: str) -> None:
    """It is over; one that is not open stays so."""
    await connection.execute(SQL["end"], source, now, key, [])


async def event(connection: Connection, now: int, one: Raised) -> None:
    """Something that happened and is no state: told once, whoever says it again under its key."""
    values = (one.key, EVENTS, one.severity, one.what, one.next, now)
    await connection.execute(SQL["event"], *values)


async def sweep(connection: Connection, before: int) -> None:
    """Forget those that ended before, calendar milliseconds."""
    await connection.execute(SQL["sweep"], before)


async def _put(connection: Connection, now: int, source: str, found: Sequence[Raised]) -> None:
    by_key = {one.key: one for one in found}
    if by_key:
        rows = [(one.key, one.severity, one.what, one.next) for one in by_key.values()]
        columns = [list(column) for column in zip(*rows, strict=True)]
        await connection.execute(SQL["raise"], source, now, *columns)


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
    times = ("first_seen", "last_seen", "recovered", "acknowledged", "muted")
    shown = {name: row[name] for name in AlertView.__struct_fields__}
    shown |= {name: instant(row[name]) for name in times if row[name] is not None}
    return AlertView(**shown)
