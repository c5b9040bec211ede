"""What time does to held mail: expiry, contents that are not needed, days that are over.

Rules: what expires is reported (soft, never hard) and frees its duplicate entry; contents go
within `hold.body_kept` of the end, days when all their messages ended `hold.history_kept` ago.
All in small transactions, so that it runs beside full load.
"""

from collections.abc import Callable

from gateway.hold.database import PARTITION, AwayError, Database, RefusedError, UnknownError
from gateway.hold.settle.settling import GIVEN_UP
from gateway.watch.log import Log
from policy.ledger_port import ENDED, Change, EntryState
from policy.limits import DAY, day_of
from policy.plan import Generation
from settings.hold import Hold
from settings.statements import statements

_SQL = statements("gateway.hold.upkeep", "upkeep")
_EXPIRE = _SQL["expire"]
_BODIES = _SQL["bodies_gone"]
_SWEEP = _SQL["sweep"]
_CLAIMANTS = _SQL["old_claimants"]
_PROBES = _SQL["old_probes"]
_EVENTS = _SQL["old_events"]
_ENDED_KEYS = _SQL["ended_keys"]

_TIMEOUT = 60.0
_MOST_CHUNKS = 20
_CHUNK = 500
_RECENT = 600_000
_MOST_KEYS = 10_000
_PROBES_KEPT = 40 * DAY


class Housekeeping:
    """Run every sweep; twice changes nothing more."""

    def __init__(
        self,
        database: Database,
        settings: Hold,
        generation: Callable[[], Generation | None],
        *,
        waiting: Callable[[], set[str]],
        change: Callable[[Change], None],
        now: Callable[[], int],
        log: Log,
    ) -> None:
        """`waiting`: tenants that have mail here; `change` takes changes of duplicate entries;
        `now` in ledger milliseconds."""
        self._database = database
        self._settings = settings
        self._generation = generation
        self._change = change
        self._now = now
        self._log = log
        self._waiting = waiting
        self._seen = (-1, "")
        self._freed = False

    async def run(self) -> None:
        """Every chore once; one that fails does not keep the others from their turn."""
        for chore in (
            *(self._days, self._free_again, self._all_expire, self._contents, self._drop),
            self._forget_events,
        ):
            try:
                await chore()
            except (AwayError, UnknownError, RefusedError) as error:
                self._log.warning("housekeeping_waits", chore=chore.__name__, why=str(error))

    async def _all_expire(self) -> None:
        generation = self._generation()
        if generation is None:
            return
        now = self._now()
        known = {tenant.name: (tenant.hold.age, tenant.dsn) for tenant in generation.tenants}
        # A tenant that was removed has mail here still.
        known |= dict.fromkeys(self._waiting() - known.keys(), (self._settings.age, False))
        for name, (age, dsn) in known.items():
            await self._expire(name, now - round(age * 1000), dsn)

    async def _days(self) -> None:
        """Partitions before their first message."""
        async with self._database.connection() as link:
            for day in range(3):
                await link.execute(PARTITION, day_of(self._now()) + day)

    async def _free_again(self) -> None:
        """Entries of messages that ended lately are freed once more: a process that died, or a
        commit whose answer was lost, may have left one, and the next copy would go nowhere."""
        since = self._now() - (_RECENT if self._freed else DAY)
        async with self._database.connection() as link:
            rows = await link.fetch(_ENDED_KEYS, since, _MOST_KEYS, timeout=_TIMEOUT)
        for row in rows:
            self._change(Change(row["key"], row["id"], ENDED, EntryState.FREE))
        self._freed = True

    async def _drop(self) -> None:
        now = self._now()
        async with self._database.connection() as link:
            history = now - round(self._settings.history_kept * 1000)
            async with link.transaction():
                # Dropping a day waits for whoever reads the hold, and everybody else for that.
                await link.execute("SET LOCAL lock_timeout = '200ms'")
                gone = [row[0] for row in await link.fetch(_SWEEP, history, day_of(now))]
            await link.execute(_CLAIMANTS)
            await link.execute(_PROBES, now - _PROBES_KEPT)
        if gone:
            self._log.info("hold_days_dropped", days=[str(day) for day in gone])

    async def _forget_events(self) -> None:
        before = self._now() - round(self._settings.events_kept * 1000)
        for _ in range(_MOST_CHUNKS):
            async with self._database.connection() as link:
                gone = await link.fetchrow(_EVENTS, before, _CHUNK, timeout=_TIMEOUT)
            if max(gone["events"], gone["requests"]) < _CHUNK:
                return

    async def _contents(self) -> None:
        """Goes on where it ended last: looking at every row again took longer than a sweep."""
        before = self._now() - round(self._settings.body_kept * 1000)
        for _ in range(_MOST_CHUNKS):
            async with self._database.connection() as link:
                last = await link.fetchrow(_BODIES, before, *self._seen, _CHUNK, timeout=_TIMEOUT)
            if last is None:
                return
            self._seen = (last["since"], last["id"])
            if last["seen"] < _CHUNK:
                return

    async def _expire(self, tenant: str, before: int, dsn: bool) -> None:
        for _ in range(_MOST_CHUNKS):
            async with self._database.connection() as link:
                rows = await link.fetch(
                    _EXPIRE, tenant, before, day_of(before), self._now(), dsn, timeout=_TIMEOUT
                )
            if not rows:
                return
            GIVEN_UP.labels("expired").inc(len(rows))
            self._log.warning("hold_expired", tenant=tenant, count=len(rows), first=rows[0]["id"])
            for row in rows:
                if row["key"]:
                    self._change(Change(row["key"], row["id"], ENDED, EntryState.FREE))
