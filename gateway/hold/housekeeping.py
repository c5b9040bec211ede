"""What time does to held mail: expiry, contents that are not needed, days that are over.

Rules: what expires is reported (soft, never hard) and frees its duplicate entry; contents go
within `hold.body_kept` of the end, days when all their messages ended `hold.history_kept` ago.
All in small transactions, so that it runs beside full load.
"""

from collections.abc import Callable

from gateway import metrics
from gateway.hold.database import Database
from gateway.hold.statement import statement
from gateway.log import Log
from policy.limits import DAY, day_of
from policy.plan import Generation
from policy.ports import Change, EntryState
from settings.hold import Hold

_EXPIRE = statement("expire")
_BODIES = statement("bodies_gone")
_SWEEP = statement("sweep")
_CLAIMANTS = statement("old_claimants")
_PROBES = statement("old_probes")
_PARTITION = statement("partition")

_TIMEOUT = 60.0
_MOST_CHUNKS = 20
_CHUNK = 500
_PROBES_KEPT = 40 * DAY


class Housekeeping:
    """Run every sweep; twice changes nothing more."""

    def __init__(
        self,
        database: Database,
        settings: Hold,
        generation: Callable[[], Generation | None],
        *,
        change: Callable[[Change], None],
        now: Callable[[], int],
        log: Log,
    ) -> None:
        """`change` takes changes of duplicate entries; `now` in ledger milliseconds."""
        self._database = database
        self._settings = settings
        self._generation = generation
        self._change = change
        self._now = now
        self._log = log
        self._seen = (-1, "")

    async def run(self) -> None:
        """Once. Raises AwayError, UnknownError, RefusedError."""
        generation = self._generation()
        if generation is None:
            return
        now = self._now()
        for tenant in generation.tenants:
            await self._expire(tenant.name, now - round(tenant.hold.age * 1000), tenant.dsn)
        await self._bodies(now - round(self._settings.body_kept * 1000))
        async with self._database.connection() as link:
            for day in range(3):
                await link.execute(_PARTITION, day_of(now) + day)
            history = now - round(self._settings.history_kept * 1000)
            async with link.transaction():
                # Dropping a day waits for whoever reads the hold, and everybody else for that.
                await link.execute("SET LOCAL lock_timeout = '200ms'")
                gone = [row[0] for row in await link.fetch(_SWEEP, history, day_of(now))]
            await link.execute(_CLAIMANTS)
            await link.execute(_PROBES, now - _PROBES_KEPT)
        if gone:
            self._log.info("hold_days_dropped", days=[str(day) for day in gone])

    async def _bodies(self, before: int) -> None:
        """Goes on where it ended last: looking at every row again took longer than a sweep."""
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
            metrics.expired.labels("expired").inc(len(rows))
            self._log.warning("hold_expired", tenant=tenant, count=len(rows), first=rows[0]["id"])
            for row in rows:
                if row["key"]:
                    self._change(Change(row["key"], row["body"], row["attempt"], EntryState.FREE))
