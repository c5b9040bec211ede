"""Mail around the gateways, for people and for alerts."""

from typing import Any

import msgspec

from policy.isotime import instant
from policy.limits import DAY, day_of
from settings.statements import statements

_SQL = statements(__package__, "bypass")

SHOWN = 1_000
"""Rows of one answer."""


class BypassView(msgspec.Struct, frozen=True, kw_only=True):
    """Recipients of a day whose mail no gateway handed in, by what their records name."""

    day: str
    """On which they were handed in (UTC)."""
    server: str
    vmta: str
    ip: str
    """Of ours, which they are charged to."""
    login: str
    """The SMTP user that handed them in (rcvSmtpUser); empty: none, or records do not say."""
    source: str
    """The host that did (srcMta)."""
    job: str
    recipients: int
    first: str
    """Of their records, ISO time."""
    last: str


class Standing(msgspec.Struct, frozen=True):
    """Of one PowerMTA server."""

    server: str
    today: int
    """Recipients."""
    last_at: int
    """When a record of one was written last, calendar milliseconds; 0: there was none since
    yesterday."""


class Around(msgspec.Struct, frozen=True):
    """Of the last 24 hours; nothing: no recipients."""

    recipients: int = 0
    newest: int = 0
    """When the last record was written, calendar milliseconds."""
    vmta: str = ""
    """These four of the source with most."""
    login: str = ""
    source: str = ""
    job: str = ""

    def whose(self) -> str:
        """What the source with most is called."""
        named = (("login", self.login), ("source", self.source), ("job", self.job))
        found = [f"{name} {text}" for name, text in named if text]
        return ", ".join(found) or "a source that its records do not name"


async def bypass_list(pool: Any, now: int, days: int) -> list[BypassView]:
    """Of today and the days before, the newest first, then most recipients. `now` in calendar
    milliseconds."""
    rows = await pool.fetch(_SQL["list"], day_of(now) - days + 1, SHOWN)
    return [
        BypassView(
            day=instant(row["day"] * DAY)[:10],
            first=instant(row["first_at"]),
            last=instant(row["last_at"]),
            **{name: row[name] for name in _SAME},
        )
        for row in rows
    ]


_SAME = ("server", "vmta", "ip", "login", "source", "job", "recipients")


async def standing(pool: Any, now: int) -> list[Standing]:
    """Of every server. `now` in calendar milliseconds."""
    return [Standing(**dict(row)) for row in await pool.fetch(_SQL["servers"], day_of(now))]


async def around(pool: Any, now: int) -> Around:
    """Of sources seen in the last 24 hours, with all of their day. `now` in calendar
    milliseconds."""
    row = await pool.fetchrow(_SQL["largest"], now - DAY)
    if row is None:
        return Around()
    named = {name: row[name] for name in ("vmta", "login", "source", "job")}
    return Around(row["all_recipients"], row["newest"], **named)
