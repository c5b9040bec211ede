"""Deleting what became of messages, when it is older than it is kept."""

from typing import Any

from control.messages.forgetting import KEPT
from policy.limits import DAY, day_of
from settings.statements import statements

_SQL = statements(__package__, "outcome")


async def sweep(pool: Any, now: int, kept: float) -> None:
    """Drop the days that are over, whole, and let go of digests whose outcomes have arrived by now.
    `now` in calendar milliseconds, `kept` in seconds."""
    await pool.execute(_SQL["sweep"], day_of(now - round(kept * 1000) - DAY + 1))
    await pool.execute(_SQL["forgotten_gone"], now - KEPT)
