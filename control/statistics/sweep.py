"""Deleting what is older than it is kept."""

from typing import Any

from policy.limits import DAY, day_of
from settings.statements import statements

_SQL = statements(__package__, "statistics")

_AT_ONCE = 5_000
"""Rows of each table in one statement: tens of milliseconds, so that nobody waits behind it."""


async def sweep(pool: Any, now: int, kept: float) -> None:
    """By whole days. `now` in calendar milliseconds, `kept` in seconds."""
    first = day_of(now - round(kept * 1000) - DAY + 1)
    while await pool.fetchval(_SQL["sweep"], first, _AT_ONCE):
        pass
