"""Deleting what is older than it is kept."""

from typing import Any

from policy.limits import DAY, day_of
from settings.statements import statements

_SQL = statements(__package__, "statistics")

_AT_ONCE = 5_000
"""Rows of each table in one statement: tens of milliseconds, so that nobody waits behind it."""


async def sweep(pool: Any, now: int, kept: float, detail_kept: float) -> int:
    """By whole days; how many rows went. `now` in calendar milliseconds, the others in seconds."""
    first, detail = (
        day_of(now - round(seconds * 1000) - DAY + 1) for seconds in (kept, detail_kept)
    )
    swept = 0
    while gone := int(await pool.fetchval(_SQL["sweep"], first, detail, _AT_ONCE)):
        swept += gone
    return swept
