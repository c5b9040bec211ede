"""All sending, stopped by an operator and started again.

Rule: it is part of the plan. So the ledger itself grants nothing from the moment the plan is in
force, whichever gateway asks; it outlives every process, a lost ledger is rebuilt with it, and a
change returns when every live gateway runs it. What was granted before is finished and settled.
Mail that comes is held, or, of clients that queue by themselves, deferred: as under any limit.
Warm-up decides nothing meanwhile; what came of mail stays to be looked at.
"""

from typing import Any

import msgspec

from control.store.change import Act
from control.store.database import Connection
from policy.isotime import instant_of
from policy.number import agree, count
from settings.statements import statements

_SQL = statements(__package__, "stop")


class Stop(msgspec.Struct, frozen=True, kw_only=True):
    """That it is stopped."""

    since: str
    """ISO time."""
    by: str
    reason: str
    """In the words of who did it; may be empty."""

    def sentence(self) -> str:
        """For people."""
        why = f": {self.reason}" if self.reason else ""
        return f"all sending is stopped since {self.since} by {self.by}{why}; new mail is held"


async def standing(connection: Connection | Any) -> Stop | None:
    """None: it runs."""
    row = await connection.fetchrow(_SQL["standing"])
    if row is None:
        return None
    return Stop(since=instant_of(row["since"]), by=row["who"], reason=row["reason"])


async def stop(act: Act, reason: str) -> Stop:
    """Stop all sending; idempotent."""
    before = await standing(act.connection)
    if before is not None:
        act.no_change(f"{before.sentence()}: nothing was changed")
        return before
    await act.connection.execute(_SQL["stop"], act.now, act.who, reason)
    after = Stop(since=instant_of(act.now), by=act.who, reason=reason)
    await act.audit("sending.stop", "all", None, after, reason)
    waiting = await act.connection.fetchval(_SQL["waiting"])
    act.note(
        f"{count(waiting, 'held message')} and all new mail wait until `sendgate warmup start`"
    )
    return after


async def start(act: Act, reason: str) -> Stop | None:
    """Let mail go again; idempotent. Returns what it ended."""
    before = await standing(act.connection)
    if before is None:
        act.no_change("sending is not stopped")
        return None
    await act.connection.execute(_SQL["start"])
    await act.audit("sending.start", "all", before, None, reason)
    waiting = await act.connection.fetchval(_SQL["waiting"])
    act.note(f"{count(waiting, 'held message')} {agree(waiting, 'goes', 'go')} on")
    return before
