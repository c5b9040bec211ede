"""How the ledger stands: PostgreSQL's record beside what is in force. Reads only."""

from datetime import datetime
from enum import StrEnum
from typing import Any

import msgspec
from redis.exceptions import RedisError

from control import kinds
from control.ledger.closed import Closed
from control.problem import RefusedError
from control.store.database import fetch
from policy.isotime import instant, instant_of
from policy.ledger.admin import LedgerAdmin, Standing
from policy.limits import day_of
from settings.statements import statements

_SQL = statements(__package__, "ledger")

AT_ONCE = "`sendgate ledger open --yes` opens it at once, for who knows what went today"


CLOSED = "closed until midnight UTC: today's counts were lost"
OPENS = "`sendgate ledger open --yes` opens it now, for who knows what went today"


class LedgerState(StrEnum):
    """What the ledger and PostgreSQL say together."""

    OPEN = "open"
    NEVER_OPENED = "never opened"
    LOST = "lost"
    """Its counts are not those that were opened; seen by control within seconds."""
    REBUILDING = "rebuilding"
    """It opens again by itself; `waits` says after what."""
    AWAY = "away"


SHORTLY = {
    LedgerState.OPEN: "it is open",
    LedgerState.NEVER_OPENED: "it has never been opened",
    LedgerState.LOST: "it is lost, and control looks after it: nothing is sent",
    LedgerState.REBUILDING: "it was lost, and opens again by itself: nothing is sent until then",
    LedgerState.AWAY: "it does not answer",
}
"""For everybody: why it was lost, and what it waits for, names servers and hosts."""


class LedgerStatus(msgspec.Struct, frozen=True, kw_only=True):
    """For people and for `ledger status --json`."""

    name: str
    state: LedgerState
    detail: str
    since: str = ""
    """ISO time by the calendar: of the opening, or of the loss; '' when nobody knows."""
    waits: list[str] = []
    """What a rebuilding ledger waits for."""
    closed: list[str] = []
    """IPs that send nothing until the day's turn, because their counts of today are lost."""
    recorded: str = ""
    in_force: str = ""
    problems: list[str] = []

    def must_be_open(self) -> None:
        """Raises RefusedError."""
        if self.state is not LedgerState.OPEN:
            raise RefusedError(
                f"ledger {self.name} is closed ({self.state.value}): {self.detail}",
                kind=kinds.LEDGER_CLOSED,
                alone=f"the ledger is closed: {SHORTLY[self.state]}",
            )


class LedgerRow(msgspec.Struct, frozen=True, kw_only=True):
    """PostgreSQL's record of a ledger."""

    incarnation: str
    opened: datetime
    run: str
    """Run id of the server it was opened on, or opened again on."""
    state: str
    lost_at: int
    """Calendar milliseconds; 0 while it is open."""
    detail: str
    asked: dict[str, list[str]]
    """Server to the probes asked for since the loss, the newest last."""
    closed: Closed

    @property
    def why(self) -> str:
        """Why it was lost."""
        return self.detail.partition("\n")[0]

    @property
    def waits(self) -> list[str]:
        """What its opening waits for."""
        return self.detail.split("\n")[1:]


async def ledger_row(connection: Any, name: str) -> LedgerRow | None:
    """None before the first opening. `connection`: one, or the pool."""
    found = await fetch(connection, LedgerRow, _SQL["get"], name)
    return found[0] if found else None


async def ledger_status(connection: Any, admin: LedgerAdmin) -> LedgerStatus:
    """What PostgreSQL recorded beside what is in force; never raises for a ledger that is away."""
    row = await ledger_row(connection, admin.name)
    try:
        standing = await admin.standing()
        problems = await admin.server_problems()
    except (RedisError, OSError) as error:
        return LedgerStatus(
            name=admin.name,
            state=LedgerState.AWAY,
            detail=f"the ledger does not answer: {error}",
            recorded="" if row is None else row.incarnation,
        )
    return status_of(admin.name, row, standing, problems)


def status_of(
    name: str, row: LedgerRow | None, standing: Standing, problems: list[str]
) -> LedgerStatus:
    """The status of a ledger that answers."""
    if row is None:
        return LedgerStatus(
            name=name,
            state=LedgerState.NEVER_OPENED,
            detail="it has never been opened",
            in_force=standing.incarnation,
            problems=problems,
        )
    since, waits, closed = "", row.waits, list[str]()
    if row.state == "rebuilding":
        state, since = LedgerState.REBUILDING, instant(row.lost_at)
        detail = f"lost at {since}: {row.why}. Nothing is sent; it opens again by itself"
        detail += f". It waits: {'; '.join(waits)}" if waits else " within seconds"
        detail += f"; {AT_ONCE}"
    elif standing.whole and standing.incarnation == row.incarnation:
        state, since = LedgerState.OPEN, instant_of(row.opened)
        detail = f"open since {since}"
        if row.closed.day == day_of(standing.now):
            closed = sorted(row.closed.ips)
            detail += "".join(_closed(row.closed))
    else:
        state = LedgerState.LOST
        detail = (
            "it is lost: not the ledger that was opened, or its server was restarted. Nothing is "
            f"sent; control looks after it within seconds; {AT_ONCE}"
        )
    return LedgerStatus(
        name=name,
        state=state,
        detail=detail,
        since=since,
        waits=waits,
        closed=closed,
        recorded=row.incarnation,
        in_force=standing.incarnation,
        problems=problems,
    )


async def closed_ips(connection: Any, admin: LedgerAdmin) -> dict[str, str]:
    """IPs that send nothing until the day's turn because their counts of today are lost, each with
    that sentence. `connection`: one, or the pool. Empty for a ledger that is away: it says so."""
    row = await ledger_row(connection, admin.name)
    if row is None or not row.closed.ips:
        return {}
    try:
        now, _ = await admin.now()
    except (RedisError, OSError):
        return {}
    return dict.fromkeys(row.closed.ips, CLOSED) if row.closed.day == day_of(now) else {}


def _closed(closed: Closed) -> list[str]:
    return [
        f". IPs of server {server} stay closed until 00:00 UTC: today's counts are lost and {why} "
        "(`sendgate ledger open --yes` opens them now)"
        for server, why in sorted(closed.why.items())
    ]
