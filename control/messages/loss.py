"""Outcomes that the ledger's stream let go before anybody read them: counted, in recipients.

Owns: the sum. Gateways count every line they add (`OUTCOMES_TOLD`); the reader counts those it
reads. Whenever it has read all, the difference was trimmed.
Failure: a ledger that lost its data counts from 0 again, and what its stream still had is not
counted; lines of gateways that do not count yet hide as many losses, and never make one.
"""

from typing import Any

import msgspec

from settings.statements import statements

_SQL = statements(__package__, "outcome")


class Reading(msgspec.Struct, frozen=True):
    """How far the stream of a ledger was read."""

    told: int | None
    """Lines ever added, as of when it was read to its end; None: it never was."""
    seen: int
    """Lines read since."""

    def after(self, lines: int, told: int, *, end: bool) -> tuple["Reading", int]:
        """(reading, lines lost) once `lines` more were read of a stream to which `told` were ever
        added; `end`: these were the last."""
        seen = self.seen + lines
        if not end:
            return Reading(self.told, seen), 0
        if self.told is None or told < self.told:
            return Reading(told, 0), 0
        return Reading(told, 0), max(told - self.told - seen, 0)


class Loss(msgspec.Struct, frozen=True):
    """What was never read."""

    recipients: int = 0
    """Ever."""
    at: int = 0
    """When the last were missed, calendar milliseconds; 0: never."""


async def loss(pool: Any, ledger: str) -> Loss:
    """Of the ledger of this name."""
    row = await pool.fetchrow(_SQL["lost"], ledger)
    return Loss() if row is None else Loss(row["lost"], row["lost_at"])
