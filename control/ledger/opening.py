"""The ledger's door: it is opened, found lost, rebuilt and opened again here, and nowhere else.

PostgreSQL records the incarnation and the server process it was opened on. None recorded: the
first opening. Recorded and in force on that process: fine. Anything else is a loss: the counts
cannot be trusted, so the ledger is closed for every gateway, rebuilt from what PowerMTA's
accounting and the hold know (`loss`, `rebuild`) and opened under a new incarnation
(policy/README.md: ledger loss).
One control node at a time acts, under a lock of PostgreSQL, every few seconds (`attend`).
"""

import contextlib
import logging
import secrets
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from typing import Any

from redis.exceptions import RedisError

from control.ledger.carryover import CarryOver
from control.ledger.closed import Closed, close_ips, free_ips
from control.ledger.loss import Weighed
from control.ledger.packing import Packing
from control.ledger.rebuild import write_back
from control.ledger.status import (
    LedgerRow,
    LedgerState,
    LedgerStatus,
    closed_ips,
    ledger_row,
    ledger_status,
)
from control.ledger.streams import weighed
from control.plan.latest import newest_generation
from control.plan.publish import Publisher
from control.problem import RefusedError
from control.store.change import Act
from control.store.database import Connection
from policy.ledger.admin import LedgerAdmin, LedgerRefusedError, Standing
from policy.ledger.ledger import elapsed
from policy.ledger.reopening import NOT_SINGLE
from policy.limits import day_of
from policy.plan import Generation
from settings.model import Settings
from settings.statements import statements

log = logging.getLogger(__name__)

LEDGER_LOCK = 0x5E4D_6A7E_0003
"""PostgreSQL advisory lock of whoever opens, closes or rebuilds."""

_SQL = statements(__package__, "ledger")


class Opening:
    """The ledger's opening, as control sees it."""

    def __init__(
        self,
        pool: Any,
        admin: LedgerAdmin,
        publisher: Publisher,
        carry_over: CarryOver,
        settings: Settings,
        *,
        clock: Callable[[], float] = elapsed,
    ) -> None:
        """`clock`: real elapsed seconds."""
        self._pool = pool
        self._admin = admin
        self._publisher = publisher
        self._carry_over = carry_over
        self._settings = settings
        self._clock = clock
        self._newest = ("", 0)
        self._seen: dict[str, float] = {}
        self._packing = Packing(admin, clock)

    async def status(self) -> LedgerStatus:
        """Read both sides; never raises for a ledger that is away."""
        return await ledger_status(self._pool, self._admin)

    async def closed_ips(self) -> dict[str, str]:
        """As `status.closed_ips`."""
        return await closed_ips(self._pool, self._admin)

    async def must_be_open(self) -> None:
        """Raises RefusedError: the counters of a ledger that is closed must not be shown as room,
        for nothing is sent."""
        (await self.status()).must_be_open()

    async def open_first(self) -> LedgerStatus:
        """Open a ledger that never was; look after any other. Raises RefusedError."""
        known = await ledger_row(self._pool, self._admin.name)
        try:
            await self.attend()
        except (RedisError, OSError) as error:
            log.warning("ledger %s does not answer: %s", self._admin.name, error)
        except RefusedError as error:
            # The API must answer all the same: it is where an operator finds out.
            if known is None:
                raise
            log.error("ledger %s: %s", self._admin.name, error)
        return await self.status()

    async def attend(self) -> None:
        """One look at the ledger, and the next step of its rebuilding.

        Raises redis-py's errors for a ledger that is away, RefusedError for one that must not be
        opened."""
        # A name may lead elsewhere by now, while connections made before lead where they did.
        await self._admin.afresh()
        row = await ledger_row(self._pool, self._admin.name)
        if row is not None and row.state == "rebuilding":
            self._age(_loss(row.incarnation, row.lost_at))
            # The plan first: a gateway must not meet an open ledger that knows no pool.
            await self._publisher.reconcile()
        async with self._locked(wait=False) as connection:
            if connection is None:
                return
            row = await ledger_row(connection, self._admin.name)
            await self._packing.look("" if row is None else row.state)
            if row is None:
                # Where one is in force already, who opened it died before this record.
                await self._open(connection, Closed(), "control", "first opening", "", False)
                return
            standing = await self._admin.standing()
            if row.state == "open":
                await self._guard(connection, row, standing)
            else:
                await self._rebuild(connection, row, standing)

    async def open_again(self, who: str, reason: str = "") -> LedgerStatus:
        """An operator's opening after a loss, without waiting for anything; or of the IPs that an
        opening left closed. Raises RefusedError when nothing is wrong."""
        if (await self.status()).state is not LedgerState.OPEN:
            await self._publisher.reconcile(who)
        async with self._locked(wait=True) as connection:
            assert connection is not None
            status = await ledger_status(connection, self._admin)
            row = await ledger_row(connection, self._admin.name)
            if status.state is LedgerState.AWAY:
                raise RefusedError(status.detail, status=503)
            if row is None:
                await self._open(connection, Closed(), who, reason, "", False)
            elif status.state is not LedgerState.OPEN:
                standing = await self._admin.standing()
                await self._reopen(connection, row, standing, None, who=who, reason=reason)
            elif status.closed:
                await free_ips(self._admin, row.closed)
                await connection.execute(_SQL["cleared"], self._admin.name)
                now, _ = await self._admin.now()
                await Act(connection, _date(now), who).audit(
                    "ledger.open", self._admin.name, {"closed": status.closed}, {}, reason
                )
            else:
                raise RefusedError(f"ledger {status.name} is open: there is nothing to do")
        return await self.status()

    async def _guard(self, connection: Connection, row: LedgerRow, standing: Standing) -> None:
        """See whether the open ledger is still the one that was opened."""
        name = self._admin.name
        same = standing.incarnation == row.incarnation
        newest, self._newest = self._newest, (standing.incarnation, standing.sequence)
        if not standing.server:
            log.error("ledger %s: its user may not ask for INFO", name)
            return
        if not same:
            why = (
                "another ledger answers under its name"
                if standing.incarnation
                else "its data is gone, or a gateway found its counts gone back and closed it"
            )
        elif newest[0] == standing.incarnation and standing.sequence < newest[1]:
            why = "its counts have gone back in time"
        elif standing.whole:
            why = ""
        else:
            single = self._settings.ledger.single
            why = await self._admin.reopen(standing) if single else NOT_SINGLE
            if not why:
                log.warning("ledger %s: its server was restarted; it is open again", name)
        if why:
            log.error("ledger %s is lost: %s", name, why)
            await self._close(connection, standing, why, row.incarnation)
        elif row.run != standing.server:
            await connection.execute(_SQL["run"], name, standing.server)

    async def _close(self, connection: Connection, standing: Standing, why: str, lost: str) -> None:
        self._age(_loss(lost, standing.now))
        await connection.execute(_SQL["lost"], self._admin.name, standing.now, why)
        await Act(connection, _date(standing.now), "control").audit(
            "ledger.lost", self._admin.name, {"incarnation": lost}, None, why
        )
        if standing.incarnation:
            await self._admin.close(standing.incarnation)

    async def _rebuild(self, connection: Connection, row: LedgerRow, standing: Standing) -> None:
        if standing.incarnation:
            # A copy, or what a gateway opened again meanwhile: it stays lost.
            await self._admin.close(standing.incarnation)
        plan = await newest_generation(connection) or Generation(number=0, created=0.0)
        found = await self._weigh(connection, row, plan)
        asked = {server: list(ids) for server, ids in row.asked.items()}
        for server in found.ask:
            probe = secrets.token_hex(10)
            await connection.execute(_SQL["ask_probe"], probe, server)
            asked.setdefault(server, []).append(probe)
            self._age(probe)
        if found.waits:
            detail = "\n".join([row.why, *found.waits])
            await connection.execute(_SQL["waiting"], self._admin.name, detail, asked)
            return
        await self._reopen(
            connection, row, standing, found.lost, who="control", reason=f"rebuilt: {row.why}"
        )

    async def _weigh(self, connection: Connection, row: LedgerRow, plan: Generation) -> Weighed:
        relay, ledger = self._settings.relay, self._settings.ledger
        # Whoever got a grant before the loss may begin to send it for as long as a grant lives,
        # and may take the relay budget for it; its reply may have been under way, too. What it
        # hands to PowerMTA after the probe would be missing in the counts. And whoever is still
        # connected to the server of before gets grants there until its lease is over.
        wait = ledger.lease + ledger.budget + relay.grant_lifetime + relay.budget
        # A probe that was asked for was asked for after that, perhaps by a process before us.
        left = 0.0 if row.asked else wait - self._age(_loss(row.incarnation, row.lost_at))
        return await weighed(connection, row, plan, grants_left=left, age=self._age)

    async def _reopen(
        self,
        connection: Connection,
        row: LedgerRow,
        standing: Standing,
        lost: dict[str, str] | None,
        *,
        who: str,
        reason: str,
    ) -> None:
        """Write back what is known, close what is not, and only then open. `lost`: server to why
        its counts are not known; None: an operator answers for them."""
        if standing.incarnation:
            await self._admin.close(standing.incarnation)
        plan = await newest_generation(connection) or Generation(number=0, created=0.0)
        written = await write_back(connection, self._admin, standing.now, self._settings.hold)
        await free_ips(self._admin, row.closed)
        # A lost ledger has no openings, and the first grant comes before whoever publishes them.
        await self._carry_over.write(connection, standing.now)
        # What was lost on an earlier day binds nobody any more: its counters are of that day.
        closed, day = Closed(), day_of(row.lost_at)
        if lost is not None:
            closed = await close_ips(connection, self._admin, plan, lost, day, written.unknown)
        await self._open(connection, closed, who, reason, row.incarnation, lost is not None)
        log.warning(
            "ledger %s is open again: %d IP days and %d entries written back, %d IPs closed today",
            *(self._admin.name, written.counters, written.entries, len(closed.ips)),
        )

    async def _open(
        self, connection: Connection, closed: Closed, who: str, reason: str, before: str, lost: bool
    ) -> None:
        try:
            incarnation = await self._admin.open(lost=lost)
        except LedgerRefusedError as error:
            raise RefusedError(f"the ledger must not be used: {error}") from error
        standing = await self._admin.standing()
        name, now = self._admin.name, _date(standing.now)
        await connection.execute(_SQL["opened"], name, incarnation, now, standing.run, closed)
        after = {"incarnation": incarnation, "closed": closed.why}
        await Act(connection, now, who).audit(
            "ledger.open", name, {"incarnation": before}, after, reason
        )

    def _age(self, what: str) -> float:
        """Real seconds since this process first saw a loss or a probe: never more than it is."""
        return self._clock() - self._seen.setdefault(what, self._clock())

    @contextlib.asynccontextmanager
    async def _locked(self, *, wait: bool) -> AsyncIterator[Connection | None]:
        """A transaction under the lock; None when another node has it and we do not `wait`."""
        async with self._pool.acquire() as connection, connection.transaction():
            if wait:
                await connection.execute(_SQL["lock"], LEDGER_LOCK)
            elif not await connection.fetchval(_SQL["try_lock"], LEDGER_LOCK):
                yield None
                return
            yield connection


def _loss(incarnation: str, lost_at: int) -> str:
    return f"{incarnation} {lost_at}"


def _date(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)
