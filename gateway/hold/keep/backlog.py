"""How much waits, for whom: counted by one process for all, read by every gateway process.

Owns: the counts, whether one message more may be held, the gauges. Rule: counting millions of rows
takes seconds, so it is done again no sooner than twenty times as long as it took; between two
counts a process adds what it held itself. Bounds are therefore soft by a few seconds of mail. One
count that took far longer than the last was stopped, not slow: what it took is believed by and by.
"""

import asyncio
import math
from collections.abc import Callable, Sequence

import msgspec

from gateway.hold.database import AwayError, Database, RefusedError, UnknownError
from gateway.hold_port import Admission
from gateway.watch import metrics
from gateway.watch.log import Log
from policy import forecast
from policy.model import Tenant
from policy.plan import Generation
from settings.hold import Hold
from settings.statements import statements

_SQL = statements("gateway.hold.keep", "keep")
_READ = _SQL["summary_read"]
_TAKE = _SQL["summary_take"]
_TOOK = _SQL["summary_took"]
_REST = 20
_LEAST = 0.05
"""Seconds a count may take all of a sudden: after a database that froze for 8 s in the middle of
one, nobody would look at what is held for 160 s."""
_TIMEOUT = 60.0
_DAY = 86_400.0
_NOTHING = forecast.Backlog({}, 0, 0)
_WELCOME = Admission()

Group = tuple[str, str]
"""(pool, provider)"""


_HELD = metrics.gauge(
    "sendgate_held_messages",
    "Held recipients by tenant, state and reason, as last counted.",
    ["tenant", "state", "reason"],
    workers="mostrecent",
)
_BYTES = metrics.gauge(
    "sendgate_held_bytes",
    "Octets of held messages by tenant, as last counted.",
    ["tenant"],
    workers="mostrecent",
)
_OLDEST = metrics.gauge(
    "sendgate_held_oldest_seconds",
    "Age of the oldest held message by tenant, in calendar time.",
    ["tenant"],
    workers="mostrecent",
)
_PROJECTED = metrics.gauge(
    "sendgate_held_projected_seconds",
    "Projected wait of the last held message by tenant.",
    ["tenant"],
    workers="mostrecent",
)
_USED = metrics.gauge(
    "sendgate_hold_used_ratio",
    "Share of what a tenant may have waiting that it has, of its messages or its octets.",
    ["tenant", "bound"],
    workers="mostrecent",
)
_AGE_LIMIT = metrics.gauge(
    "sendgate_hold_age_limit_seconds",
    "How long mail of a tenant may wait before it expires.",
    ["tenant"],
    workers="mostrecent",
)


class Count(msgspec.Struct, frozen=True):
    """Open rows that have these in common. `next`: when the first of them has a chance again."""

    tenant: str
    pool: str
    provider: str
    state: str
    reason: str
    waiting: bool
    paused: bool
    count: int
    octets: int
    oldest: int
    next: int | None = None

    @property
    def ready(self) -> bool:
        """Only limits keep them."""
        return self.state == "held" and not self.waiting and not self.paused


class Backlog:
    """The last counts. One instance a process."""

    def __init__(
        self,
        database: Database,
        settings: Hold,
        generation: Callable[[], Generation | None],
        *,
        now: Callable[[], int],
        log: Log,
    ) -> None:
        """`now` in ledger milliseconds."""
        self._database = database
        self._settings = settings
        self._generation = generation
        self._now = now
        self._log = log
        self.counts: tuple[Count, ...] = ()
        self._at = 0
        self._added: dict[str, tuple[int, int]] = {}
        self._tenants: dict[str, tuple[forecast.Backlog, dict[Group, float]]] = {}
        self._labels: set[tuple[str, str, str]] = set()

    async def run(self) -> None:
        """Side task; runs until cancelled."""
        while True:
            try:
                await self.refresh()
            except (AwayError, UnknownError, RefusedError) as error:
                self._log.debug("backlog_unread", why=str(error))
            await asyncio.sleep(self._settings.poll)

    async def refresh(self) -> None:
        """Read the counts, or count. Raises AwayError, UnknownError, RefusedError."""
        loop = asyncio.get_running_loop()
        async with self._database.connection() as link:
            row = await link.fetchrow(_READ)
            if row is None or row["age"] >= max(self._settings.poll, _REST * row["took"]):
                started = loop.time()
                taken = await link.fetchrow(_TAKE, self._now(), timeout=_TIMEOUT)
                if taken is not None:
                    known = row["took"] if row else 0.0
                    took = min(loop.time() - started, 2 * known + _LEAST)
                    await link.execute(_TOOK, took)
                row = taken or row
        if row is not None and row["at"] != self._at:
            self._take_over(row["at"], msgspec.convert(row["data"], tuple[Count, ...]))

    def _take_over(self, at: int, counts: tuple[Count, ...]) -> None:
        self.counts, self._at, self._added = counts, at, {}
        groups: dict[str, dict[tuple[str, str], int]] = {}
        totals: dict[str, tuple[int, int, int]] = {}
        for count in counts:
            number, octets, oldest = totals.get(count.tenant, (0, 0, at))
            totals[count.tenant] = (
                number + count.count, octets + count.octets, min(oldest, count.oldest),
            )  # fmt: skip
            if count.state == "held":
                of = groups.setdefault(count.tenant, {})
                key = (count.pool, count.provider)
                of[key] = of.get(key, 0) + count.count
        generation = self._generation()
        self._tenants = {}
        for name, (number, octets, oldest) in totals.items():
            backlog = forecast.Backlog(groups.get(name, {}), number, octets)
            waits = forecast.waits(backlog, generation) if generation else {}
            self._tenants[name] = (backlog, waits)
            _BYTES.labels(name).set(octets)
            _OLDEST.labels(name).set(max(at - oldest, 0) / 1000)
            _PROJECTED.labels(name).set(max(waits.values(), default=0.0) * _DAY)
            if generation is not None and (tenant := generation.tenant.get(name)) is not None:
                _USED.labels(name, "messages").set(_share(number, tenant.hold.messages))
                _USED.labels(name, "octets").set(_share(octets, tenant.hold.octets))
                _AGE_LIMIT.labels(name).set(tenant.hold.age)
        self._gauge(counts, set(totals))

    def _gauge(self, counts: tuple[Count, ...], tenants: set[str]) -> None:
        sums: dict[tuple[str, str, str], int] = {}
        for count in counts:
            label = (count.tenant, count.state, count.reason)
            sums[label] = sums.get(label, 0) + count.count
        for gone in self._labels - sums.keys():
            _HELD.labels(*gone).set(0)
            if gone[0] not in tenants:
                for gauge in (_BYTES, _OLDEST, _PROJECTED):
                    gauge.labels(gone[0]).set(0)
                for bound in ("messages", "octets"):
                    _USED.labels(gone[0], bound).set(0)
        for label, number in sums.items():
            _HELD.labels(*label).set(number)
        self._labels |= sums.keys()

    def admit(self, name: str, octets: int, pool: str, providers: Sequence[str]) -> Admission:
        """Whether `name` may have one message of `octets` more, waiting in these groups.

        Its own groups count: one whose provider has a ceiling of 0 must not turn away the rest.
        Where nothing is coming at all nobody can name a date, and an operator can mend it within
        the maximum age: it is held, and the gauge of the projected wait says +Inf."""
        generation = self._generation()
        tenant: Tenant | None = generation.tenant.get(name) if generation else None
        if tenant is None:
            return Admission()
        known, waits = self._tenants.get(name, (_NOTHING, {}))
        messages, added = self._added.get(name, (0, 0))
        self._added[name] = messages, added = messages + 1, added + octets
        messages, added = known.messages + messages, known.octets + added
        wait = 0.0
        for provider in providers:
            days = waits.get((pool, provider), 0.0)
            if wait < days < math.inf:
                wait = days
        bounds, free = tenant.hold, self._settings.slow_from
        if (
            messages < free * bounds.messages
            and added < free * bounds.octets
            and wait * _DAY < free * bounds.age
        ):
            return _WELCOME  # what `forecast.admit` says where nothing is near its bound
        found = forecast.admit(
            bounds,
            forecast.Backlog(known.groups, messages, added),
            wait,
            slow_from=self._settings.slow_from,
            slow_most=self._settings.slow_most,
        )
        if found.accept:
            return Admission(delay=found.delay)
        sentence = forecast.defer_sentence(found, self._now(), tenant.window)
        return Admission(accept=False, sentence=sentence)


def _share(used: int, bound: int) -> float:
    """Of a bound; of a bound of 0 all is used."""
    return used / bound if bound else 1.0
