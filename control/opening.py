"""Opening the ledger: the first time by ourselves, after a loss only by an operator.

PostgreSQL records the incarnation that was opened. None recorded: the first opening. Recorded
and in force: fine. Recorded, but the ledger has another one or none: its counts are lost, and it
stays closed (PROMISES, ledger loss).
"""

from typing import Any

from redis.exceptions import RedisError

from control.act import Act
from control.problem import RefusedError
from control.publish import Publisher
from control.store.statements import statements
from control.view.ledger import LedgerState, LedgerStatus
from policy.ledger.admin import LedgerAdmin, LedgerRefusedError

_SQL = statements("generation")


async def ledger_status(pool: Any, admin: LedgerAdmin) -> LedgerStatus:
    """What PostgreSQL recorded beside what is in force; never raises for a ledger that is away."""
    row = await pool.fetchrow(_SQL["ledger"], admin.name)
    recorded = "" if row is None else row["incarnation"]
    try:
        in_force = await admin.incarnation()
        problems = await admin.server_problems()
    except (RedisError, OSError) as error:
        detail = f"the ledger does not answer: {error}"
        return LedgerStatus(
            name=admin.name, state=LedgerState.AWAY, detail=detail, recorded=recorded
        )
    if in_force and in_force == recorded:
        state, detail = LedgerState.OPEN, f"open since {row['opened']:%Y-%m-%dT%H:%M:%SZ}"
    elif not recorded:
        state, detail = LedgerState.NEVER_OPENED, "it has never been opened"
    else:
        state = LedgerState.LOST
        detail = (
            "it is not the ledger that was opened: today's counts are lost. Nothing is sent. "
            "Open it after midnight UTC, or now with `sendgate ledger open --yes` if the "
            "counts of today do not matter"
        )
    return LedgerStatus(
        name=admin.name,
        state=state,
        detail=detail,
        recorded=recorded,
        in_force=in_force,
        problems=problems,
    )


class Opening:
    """The ledger's opening, as control sees it."""

    def __init__(self, pool: Any, admin: LedgerAdmin, publisher: Publisher) -> None:
        self._pool = pool
        self._admin = admin
        self._publisher = publisher
        self._stranger = ""

    async def withdraw_stranger(self) -> bool:
        """Close a ledger that is open under an incarnation nobody recorded here: a copy from
        before, or one that another database opened. True when it was closed.

        Seen twice, so that an opening on its way to its record is left alone."""
        status = await self.status()
        lost = status.state is LedgerState.LOST and status.in_force
        if not lost or status.in_force != self._stranger:
            self._stranger = status.in_force if lost else ""
            return False
        self._stranger = ""
        return await self._admin.close(status.in_force)

    async def status(self) -> LedgerStatus:
        """Read both sides; never raises for a ledger that is away."""
        return await ledger_status(self._pool, self._admin)

    async def must_be_open(self) -> None:
        """Raises RefusedError: the counters of a ledger that is closed must not be shown as room,
        for nothing is sent."""
        status = await self.status()
        if status.state is not LedgerState.OPEN:
            raise RefusedError(
                f"ledger {status.name} is closed ({status.state.value}): {status.detail}",
                status=503,
            )

    async def open_first(self) -> LedgerStatus:
        """Open a ledger that never was; leave any other as it is. Raises RefusedError."""
        status = await self.status()
        if status.state is LedgerState.NEVER_OPENED:
            # One that is in force already was opened by a control node that died before its
            # record; taking it over loses no count.
            await self._open(replaces="", who="control", reason="first opening")
            status = await self.status()
        return status

    async def open_again(self, who: str, reason: str = "") -> LedgerStatus:
        """An operator's opening after a loss. Raises RefusedError when nothing is wrong."""
        status = await self.status()
        if status.state is LedgerState.OPEN:
            raise RefusedError(f"ledger {status.name} is open: there is nothing to do")
        if status.state is LedgerState.AWAY:
            raise RefusedError(status.detail, status=503)
        await self._open(replaces=status.in_force, who=who, reason=reason)
        return await self.status()

    async def _open(self, *, replaces: str, who: str, reason: str) -> None:
        now = await self._publisher.now()
        try:
            incarnation = await self._admin.open(replaces)
        except LedgerRefusedError as error:
            raise RefusedError(f"the ledger must not be used: {error}") from error
        async with self._pool.acquire() as connection, connection.transaction():
            await connection.execute(_SQL["set_ledger"], self._admin.name, incarnation, now)
            await Act(connection, now, who).audit(
                "ledger.open",
                self._admin.name,
                {"incarnation": replaces},
                {"incarnation": incarnation},
                reason,
            )
