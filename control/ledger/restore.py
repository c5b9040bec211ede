"""After a backup of PostgreSQL was put back: what waited then may have gone since.

Owns: closing the ledger, for its counts are no longer those of this database, and putting every
waiting message in doubt (policy/README.md: ledger loss; the rows change in `hold_restore` of the
schema). Gateways are stopped while it runs; control need not run. What follows is done by those
who run then: control rebuilds and opens the ledger, the releaser settles the doubts by PowerMTA's
receipts. Gateways read their list of suppressions anew.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
from redis.exceptions import RedisError

from control.ledger.opening import LEDGER_LOCK
from control.ledger.unknown import Unknown, from_log
from control.problem import RefusedError
from control.store.change import Act
from control.store.database import allow
from policy.isotime import instant
from policy.ledger.admin import LedgerAdmin
from policy.ledger.witness import beats, held_since
from settings.statements import statements

_SQL = statements(__package__, "ledger")
_PRIMARY = statements(__package__, "primary")

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
    unknown: Unknown = Unknown()
    """What was answered 250 and is not here."""


async def restore(
    pool: Any,
    admin: LedgerAdmin,
    *,
    who: str,
    reason: str = "",
    dry: bool = False,
    logs: Sequence[Path] = (),
) -> Restored:
    """Close the ledger and doubt what waits; twice is as good as once. `logs`: files of the
    gateways' log since the dump. Raises RefusedError."""
    logged = await _logged(pool, logs) if logs else []
    try:
        standing = await admin.standing()
        heard = await beats(admin)
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
        since = await connection.fetchval(_PRIMARY["newest"], timeout=LONGEST)
        unknown = await _unknown(connection, admin, since, logged)
        if dry:
            changes = await connection.fetchval(_SQL["restorable"], timeout=LONGEST)
            return Restored(
                ledger=admin.name, waiting=waiting, in_doubt=changes, dry_run=True, unknown=unknown
            )
        now = datetime.fromtimestamp(standing.now / 1000, UTC)
        changed = await connection.fetchval(_SQL["restore"], standing.now, timeout=LONGEST)
        await connection.execute(_SQL["restored"], admin.name, now, standing.now, WHY)
        await connection.execute(_PRIMARY["record"], heard)
        await connection.execute(_PRIMARY["another_list"])
        await Act(connection, now, who).audit(
            "restore",
            admin.name,
            {"waiting": waiting},
            {"in_doubt": changed, "unknown": unknown.entries},
            reason,
        )
    return Restored(
        ledger=admin.name, waiting=waiting, in_doubt=changed, dry_run=False, unknown=unknown
    )


async def _logged(pool: Any, logs: Sequence[Path]) -> list[str]:
    """Before anything is changed: a file may not be there."""
    since = await pool.fetchval(_PRIMARY["newest"], timeout=LONGEST)
    try:
        return from_log(logs, since)
    except OSError as error:
        raise RefusedError(f"--log: {error.filename}: {error.strerror}", status=400) from error


async def _unknown(
    connection: Any, admin: LedgerAdmin, since: int, logged: Sequence[str]
) -> Unknown:
    try:
        entries = await held_since(admin, since)
    except (RedisError, OSError) as error:
        raise RefusedError(f"the ledger does not answer: {error}", status=503) from error
    absent = await _absent(connection, entries)
    named = await _absent(connection, logged)
    return Unknown(
        since=instant(since),
        entries=len(absent),
        until=instant(max(entries[message] for message in absent)) if absent else "",
        logged=[message for message in logged if message in named],
    )


async def _absent(connection: Any, messages: Iterable[str]) -> set[str]:
    """Those without a row: a line or an entry is newer than the message it is about."""
    rows = await connection.fetch(_PRIMARY["absent"], list(messages), timeout=LONGEST)
    return {row["message"] for row in rows}
