"""PostgreSQL failed over, or was put back, and nobody said so: noticed, and treated as a restore.

PostgreSQL records the cluster and the timeline it was last known on; a promoted standby has a new
timeline, another cluster another identifier. And control counts beats, in PostgreSQL first and then
in the ledger: whoever knows fewer than the ledger has lost commits, whatever it is called.
Rule: until the server is known again releasers claim nothing (`hold_judged` of the schema). A
change of the timeline alone is no loss only where the operator says so (`database.synchronous`),
the last beat found commits waiting for a standby, and none of the beats is missing.
"""

import logging
from datetime import UTC, datetime
from typing import Any

from control.ledger.restore import restore
from control.store.change import Act
from policy.ledger.admin import LedgerAdmin
from policy.ledger.witness import beats, put_beats
from policy.number import agree, count
from settings.statements import statements

log = logging.getLogger(__name__)

_SQL = statements(__package__, "primary")


async def judge(pool: Any, admin: LedgerAdmin, *, synchronous: bool) -> str:
    """Beat, or say what was lost and doubt what waits. Returns why, '' when nothing was.

    Raises redis-py's errors, asyncpg's, RefusedError; nothing is claimed until it ends well."""
    heard = await beats(admin)  # before the other store: it beats first
    known = await pool.fetchrow(_SQL["known"])
    missing = heard - known["beats"]
    same = known["system"] == known["real_system"]
    if same and known["timeline"] == known["real_timeline"] and missing <= 0:
        await put_beats(admin, await pool.fetchval(_SQL["beat"], known["waits"]))
        return ""
    before = {"system": known["system"], "timeline": known["timeline"]}
    after = {"system": known["real_system"], "timeline": known["real_timeline"]}
    if same and missing <= 0 and synchronous and known["synchronous"]:
        now, _ = await admin.now()
        async with pool.acquire() as connection, connection.transaction():
            await connection.execute(_SQL["record"], heard)
            act = Act(connection, datetime.fromtimestamp(now / 1000, UTC), "control")
            await act.audit("database.failover", admin.name, before, after, "synchronous standby")
        log.warning("PostgreSQL failed over to a synchronous standby: %s", after)
        return ""
    if not same:
        why = "PostgreSQL is another cluster than before"
    elif known["timeline"] != known["real_timeline"]:
        why = f"PostgreSQL failed over: timeline {after['timeline']}, after {before['timeline']}"
    else:
        why = f"PostgreSQL has gone back in time: the ledger has heard {missing} beats more"
    log.error("%s: what waits is in doubt, and the ledger is closed to be rebuilt", why)
    done = await restore(pool, admin, who="control", reason=why)
    log.error(
        "%s",
        "; ".join(
            [
                f"{count(done.in_doubt, 'message')} {agree(done.in_doubt, 'is', 'are')} in doubt",
                *done.unknown.sentences(),
            ]
        ),
    )
    return why
