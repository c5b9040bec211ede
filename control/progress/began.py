"""Where each mailbox's ramp began, kept in PostgreSQL each night: a lost ledger is given it back
(`control.ledger.rebuild`).

Rule: the ledger is the one that knows; here is what it said last. A mailbox that was discovered, or
began anew, since then begins anew once more: at its first stage, never at a higher one.
"""

from control.progress.progress import Plan
from control.store.database import Connection
from policy.ledger.admin import LedgerAdmin
from policy.ledger.mailboxes import every
from policy.limits import day_of
from policy.mailbox import IDLE_DAYS, Record
from settings.statements import statements

_SQL = statements(__package__, "progress")


class Began:
    """Of one control process."""

    def __init__(self, pool: Connection, admin: LedgerAdmin, plan: Plan) -> None:
        self._pool = pool
        self._admin = admin
        self._plan = plan

    async def keep(self, today: int) -> None:
        """What the ledger knows now; again it changes nothing. Raises redis-py's errors."""
        plan = await self._plan()
        for tenant in () if plan is None else plan.tenants:
            root = self._admin.root
            async for some in every(self._admin.client, root, tenant.name, today):
                rows = {name: (one.first, _day(one)) for name, one in some if one.last}
                columns = [first for first, _ in rows.values()], [day for _, day in rows.values()]
                if rows:
                    await self._pool.execute(_SQL["began"], tenant.name, list(rows), *columns)
        await self._pool.execute(_SQL["forget_began"], today - IDLE_DAYS)


def _day(record: Record) -> int:
    """It sent on last, of one as it counts today."""
    if record.count:
        return record.day
    return record.day - 1 if record.before else day_of(record.last)
