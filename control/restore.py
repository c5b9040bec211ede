"""After a backup of PostgreSQL was put back: what waited then may have gone since.

Owns: closing the ledger, for its counts are no longer those of this database, and putting every
waiting message in doubt (policy/README.md: ledger loss; the rows change in `hold_restore` of the
schema). Gateways are stopped while it runs; control need not run. What follows is done by those
who run then: control rebuilds and opens the ledger, the releaser settles the doubts by PowerMTA's
receipts.
"""

from datetime import UTC, datetime
from typing import Any

import msgspec
from redis.exceptions import RedisError

from control.act import Act
from control.opening import LEDGER_LOCK
from control.problem import RefusedError
from control.store.database import allow
from control.store.statements import statements
from policy.ledger.admin import LedgerAdmin

_SQL = statements("ledger")

LONGEST = 86_400.0
"""Seconds for one statement."""

WHY = "a backup of PostgreSQL was restored"


class Restored(msgspec.Struct, frozen=True, kw_only=True):
    """What was done, or (`dry_run`) would be."""

    ledger: str
    waiting: dict[str, int]
    """Messages that waited before, by state."""
    in_doubt: int
    """Messages that were put in doubt; 0 the second time."""
    dry_run: bool


async def restore(
    pool: Any, admin: LedgerAdmin, *, who: str, reason: str = "", dry: bool = False
) -> Restored:
    """Close the ledger and doubt what waits; twice is as good as once. Raises RefusedError."""
    try:
        standing = await admin.standing()
        if standing.incarnation and not dry:
            # First of all: a gateway that was not stopped must not go on meanwhile.
            await admin.close(standing.incarnation)
    except (RedisError, OSError) as error:
        raise RefusedError(
            f"the ledger does not answer ({error}): it must be closed, and it gives the calendar",
            status=503,
        ) from error
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute(_SQL["lock"], LEDGER_LOCK)
        # Millions of rows may wait.
        await allow(connection, LONGEST)
        found = await connection.fetch(_SQL["waiting_mail"], timeout=LONGEST)
        waiting = {row["state"]: row["count"] for row in found}
        if dry:
            changes = await connection.fetchval(_SQL["restorable"], timeout=LONGEST)
            return Restored(ledger=admin.name, waiting=waiting, in_doubt=changes, dry_run=True)
        now = datetime.fromtimestamp(standing.now / 1000, UTC)
        changed = await connection.fetchval(_SQL["restore"], standing.now, timeout=LONGEST)
        await connection.execute(_SQL["restored"], admin.name, now, standing.now, WHY)
        await Act(connection, now, who).audit(
            "restore", admin.name, {"waiting": waiting}, {"in_doubt": changed}, reason
        )
    return Restored(ledger=admin.name, waiting=waiting, in_doubt=changed, dry_run=False)
