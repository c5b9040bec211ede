"""How long the list of suppressions is, and how long it may be."""

from typing import Any

import msgspec

from control.suppressions.change import SQL

FULL = 0.9
"""Share of `suppressions.most` from which it is said: at all of it hard bounces and complaints
suppress nobody."""


class Listed(msgspec.Struct, frozen=True, kw_only=True):
    """Of all tenants."""

    entries: int = 0
    """Those that ended or were removed lately among them."""
    most: int = 0
    """`suppressions.most`; 0: not asked."""

    @property
    def full(self) -> bool:
        """Soon nothing more fits."""
        return self.entries > FULL * self.most > 0


async def listed(pool: Any, most: int) -> Listed:
    """As it is now; `most` from the configuration."""
    return Listed(entries=await pool.fetchval(SQL["entries"]), most=most)
