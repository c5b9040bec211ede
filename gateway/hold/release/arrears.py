"""What mailboxes lack to their minimum, told: gauges, a row a day for control, a line in the log.

Rule: each releaser tells what it knows, and only when it knows every line; the day's last word is
logged once, by whoever finds the day over.
"""

from collections.abc import Callable
from typing import Final

from gateway.hold.database import Database
from gateway.hold.release.queue import Queue
from gateway.watch import metrics
from gateway.watch.log import Log
from policy.limits import day_of
from policy.shortfall import shortfalls
from settings.statements import statements

_SQL = statements("gateway.hold.release", "release")
_TELL = _SQL["tell_shortfalls"]
_OVER = _SQL["over_shortfalls"]

_KEPT = 40
"""Days."""

_BEHIND: Final = metrics.gauge(
    "sendgate_minimum_behind_mailboxes",
    "Mailboxes with mail waiting that are below their daily minimum so far, by tenant.",
    ["tenant"],
    workers="mostrecent",
)
_MISSING: Final = metrics.gauge(
    "sendgate_minimum_missing_recipients",
    "Recipients that those mailboxes lack to it together, by tenant.",
    ["tenant"],
    workers="mostrecent",
)


class Arrears:
    """One releaser's word."""

    def __init__(self, database: Database, queue: Queue, now: Callable[[], int], log: Log) -> None:
        """`now` in ledger milliseconds."""
        self._database = database
        self._queue = queue
        self._now = now
        self._log = log
        self._shown: set[str] = set()

    async def tell(self) -> None:
        """Raises AwayError, UnknownError, RefusedError."""
        now = self._now()
        day = day_of(now)
        if not self._queue.complete or self._queue.day != day:
            return
        rows = [
            (tenant.name, pool, one.mailboxes, one.behind, one.missing, one.most)
            for tenant in self._queue.tenants.values()
            for pool, one in shortfalls(tenant).items()
        ]
        self._show(rows)
        columns: list[list[str | int]] = [[row[place] for row in rows] for place in range(6)]
        async with self._database.connection() as link:
            await link.execute(_TELL, day, now, *columns)
            over = await link.fetch(_OVER, day, day - _KEPT)
        for row in over:
            fields = {name: row[name] for name in ("mailboxes", "behind", "missing", "most")}
            self._log.warning(
                "minimum_missed", tenant=row["tenant"], pool=row["pool"], day=row["day"], **fields
            )

    def _show(self, rows: list[tuple[str, str, int, int, int, int]]) -> None:
        sums: dict[str, tuple[int, int]] = dict.fromkeys(self._shown, (0, 0))
        for tenant, _, _, behind, missing, _ in rows:
            before = sums.get(tenant, (0, 0))
            sums[tenant] = (before[0] + behind, before[1] + missing)
        for tenant, (behind, missing) in sums.items():
            _BEHIND.labels(tenant).set(behind)
            _MISSING.labels(tenant).set(missing)
        self._shown = set(sums)
