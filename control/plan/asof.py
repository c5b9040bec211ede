"""What the rows of the plan stand at, in a word that another state of them never has.

Rule: a change of theirs is published in its own transaction (`control.plan.publish`), and what
anything else writes is noted there by triggers (`control.plan.touched`). So of one number and
digest, with nothing noted, there is one state of the rows, whichever control node asks.
"""

from typing import Any

from settings.statements import statements

_SQL = statements(__package__, "asof")


class AsOf:
    """Call it: None while the rows are ahead of the plan, or before the first."""

    def __init__(self, pool: Any) -> None:
        self._pool = pool

    async def __call__(self) -> str | None:
        """One statement, a few rows, however many mailboxes there are."""
        found: str | None = await self._pool.fetchval(_SQL["as_of"])
        return found
