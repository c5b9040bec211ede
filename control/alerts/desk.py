"""Alerts as people ask for them: listed, acknowledged, muted, tried."""

from typing import Annotated, Any

import msgspec

from control.alerts.alert import SQL, AlertView, view
from control.problem import RefusedError, bad, missing, quoted
from control.store.change import Act
from control.values.query import FLAG, Limit, Seen
from control.values.wanted import DURATION, meant
from policy.isotime import instant

LONGEST_MUTE = 30 * 86_400
KEY = r"^[!-~]{1,200}$"


class AlertQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which ones; without any, what is wrong now."""

    ended: Annotated[bool, meant("Those that are over, too."), FLAG] = False
    before: Annotated[Seen | None, meant("The id where the page before ended.")] = None
    limit: Annotated[Limit, meant("At most so many, 1 to 1000; 100.")] = 100


class Mute(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Tell nothing of a key for a while; 0 seconds end that."""

    key: Annotated[
        Annotated[str, msgspec.Meta(pattern=KEY)],
        meant("As `alert list` shows it; it may be of an alert that is still to come."),
    ]
    seconds: Annotated[
        Annotated[int, msgspec.Meta(ge=0, le=LONGEST_MUTE)],
        meant("For so long, at most 30d."),
        DURATION,
    ] = 4 * 3_600
    reason: Annotated[Annotated[str, msgspec.Meta(max_length=500)], meant("For the audit log.")] = (
        ""
    )


class MuteView(msgspec.Struct, frozen=True, kw_only=True):
    """A key of which nothing is told."""

    key: str
    until: str
    who: str
    reason: str
    note: str = ""
    """What may be wrong with that: no alert has had the key."""


class Alerts(msgspec.Struct, frozen=True, kw_only=True):
    """Those that were asked for, the latest first."""

    alerts: list[AlertView]
    mutes: list[MuteView]
    channels: list[str]
    """Ways out that are set in the configuration."""


async def alerts(pool: Any, now: int, channels: list[str], wanted: AlertQuery) -> Alerts:
    """Calendar milliseconds."""
    asked = (wanted.ended, wanted.before or None, wanted.limit)
    rows = await pool.fetch(SQL["list"], now, *asked, None)
    mutes = await pool.fetch(SQL["mutes"], now)
    return Alerts(
        alerts=[view(row) for row in rows],
        mutes=[
            MuteView(
                key=row["key"], until=instant(row["until"]), who=row["who"], reason=row["reason"]
            )
            for row in mutes
        ],
        channels=channels,
    )


async def one(connection: Any, now: int, number: int) -> AlertView:
    """Raises RefusedError (404)."""
    row = await connection.fetchrow(SQL["list"], now, True, None, 1, number)
    if row is None:
        raise missing("alert", str(number))
    return view(row)


async def acknowledge(act: Act, number: int, reason: str) -> AlertView:
    """It is known: no more messages but the one that it is over. Raises RefusedError."""
    now = act.milliseconds
    before = await one(act.connection, now, number)
    if before.recovered is not None:
        raise RefusedError(f"alert {number} ({before.key}) is over since {before.recovered}")
    if before.acknowledged is None:
        key = await act.connection.fetchval(SQL["acknowledge"], number, now, act.who)
        await act.audit("alert.ack", key, None, {"alert": number}, reason)
    return await one(act.connection, now, number)


async def mute(act: Act, wanted: Mute) -> MuteView:
    """Raises RefusedError."""
    if "\0" in wanted.key:
        raise bad("key", "a NUL is in no key")
    note = ""
    if not await act.connection.fetchval(SQL["was_raised"], wanted.key):
        note = f"no alert has had the key {quoted(wanted.key)} yet: `sendgate alert list` has keys"
    until = act.milliseconds + wanted.seconds * 1000
    await act.connection.execute(SQL["mute"], wanted.key, until, act.who, wanted.reason)
    said = MuteView(
        key=wanted.key, until=instant(until), who=act.who, reason=wanted.reason, note=note
    )
    await act.audit("alert.mute", wanted.key, None, {"until": said.until}, wanted.reason)
    return said
