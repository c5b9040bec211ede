"""Consolidated days, for people."""

from typing import Any

import msgspec

from control.consolidation.consolidation import alarming
from control.keyset import Column, Keyset
from control.problem import RefusedError, missing
from control.values.part import Part, Slice
from policy.isotime import date_of, instant
from settings.statements import statements

_SQL = statements(__package__, "consolidation")

LIST = Keyset(_SQL["list"], {"day": (Column(name="day", sql="day", kind="bigint"),)}, given=0)


class DayView(msgspec.Struct, frozen=True, kw_only=True):
    """A consolidated day, for people."""

    day: str
    at: str
    """When it was compared last, ISO time."""
    sent: int
    """Recipients that the ledger granted."""
    compared: int
    """Of these, by IPs whose accounting is read."""
    accounted: int
    """What PowerMTA's records say of them."""
    difference: int
    """Recipients by which they differ, IP by IP."""
    alarming: bool
    """Over 0.1 % or 10 recipients."""
    cleared: str | None
    """When the ledger let go of it; null: it has it still, until PowerMTA has given up its mail."""


class DayRow(msgspec.Struct, frozen=True, kw_only=True):
    """Of an IP at a provider, on one day."""

    ip: str
    provider: str
    sent: int
    """Recipients that counted for the IP, those that went around the gateways too."""
    delivered: int
    bounced: int
    complaints: int
    deferred: int


async def day_views(pool: Any, part: Part) -> Slice[DayView]:
    """Raises RefusedError."""
    rows, after = await LIST.rows(pool, part)
    return Slice([_view(row) for row in rows], after)


async def day_view(pool: Any, day: int) -> DayView:
    """Raises RefusedError (404)."""
    row = await pool.fetchrow(_SQL["of_day"], day)
    if row is None:
        raise missing("a consolidated day", date_of(day))
    return _view(row)


async def day_rows(pool: Any, day: int, after: str | None, limit: int) -> list[DayRow]:
    """Of so many IPs, by provider; `after`: the IP where the page before ended. Raises
    RefusedError (404) for a day that was not consolidated: what is known of it then is
    accounting's word alone."""
    if await pool.fetchrow(_SQL["of_day"], day) is None:
        raise RefusedError(
            f"{date_of(day)} is not consolidated: a day is, when it is over (`sendgate warmup "
            "days`); of one that is not, `sendgate stats` and `sendgate quota` tell",
            status=404,
        )
    return [DayRow(**dict(row)) for row in await pool.fetch(_SQL["rows"], day, after, limit)]


def _view(row: Any) -> DayView:
    cleared = row["cleared"]
    return DayView(
        day=date_of(row["day"]),
        at=instant(row["at"]),
        sent=row["sent"],
        compared=row["compared"],
        accounted=row["accounted"],
        difference=row["difference"],
        alarming=alarming(row["difference"], row["compared"]),
        cleared=None if cleared is None else instant(cleared),
    )
