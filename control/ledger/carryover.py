"""Carry-over: what earlier days' grants PowerMTA may still be trying, published as what an IP's
day, and its day at each provider, opens at.

Rule: of each earlier day that PowerMTA's `bounce-after` is not over for, what was charged (the
ledger's count, or what is known of it elsewhere where that is more) without the recipients that
have a final record. It falls as records come; a day's own charges are another counter and stay.
When: every `accounting.carry_every` seconds, before a rebuilt ledger is opened, when it was, in the
last second of a day for the one that follows, at once when that began, and before the clock is
moved: a day's first grant finds it. Every ten minutes all days to come that today's mail may still
be tried on, for control may be away at their turn; else the next alone, which is quick.
Failure: no record of an IP's PowerMTA server was ever read: nothing is carried, for nothing would
ever end. Its files were not read to their end for `accounting.carry_late` seconds, or it posted
nothing for so long and has mail: what was outstanding then stays outstanding, and `Figure.late`
raises an alarm. PostgreSQL or the ledger away: what was
published last stays in force.
"""

import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any

import msgspec

from control.accounting.status import StreamView
from control.again import again
from control.ledger.counted import note
from control.store.database import Connection
from policy.ledger.admin import LedgerAdmin
from policy.ledger.daycounts import TOTAL, DayCounts, Opening, day_counts, set_openings
from policy.limits import DAY, day_of
from settings.accounting import Accounting
from settings.statements import statements

log = logging.getLogger(__name__)

CARRY_LOCK = 0x5E4D_6A7E_0012
"""PostgreSQL advisory lock of whoever publishes."""

TICK = 1.0
"""Real seconds between two looks whether it is time."""

AHEAD_EVERY = 600_000
"""Calendar milliseconds between two publications of all days to come."""

_SQL = statements(__package__, "carryover")

Outstanding = dict[int, dict[str, int]]
"""Day of the grant to provider, `TOTAL` among them, to recipients."""

Streams = Callable[[Connection], Awaitable[list[StreamView]]]
Now = Callable[[], Awaitable[int]]
"""Calendar milliseconds."""


class Figure(msgspec.Struct, frozen=True):
    """Of one PowerMTA server."""

    server: str
    recipients: int
    """Of earlier days, that its IPs opened today at."""
    late: bool
    """Its records stopped: the figure is the last known one."""


class CarryOver:
    """Of one ledger. `bounce_after`: seconds for which PowerMTA tries a recipient."""

    def __init__(
        self,
        pool: Any,
        admin: LedgerAdmin,
        settings: Accounting,
        streams: Streams,
        calendar: Now,
        *,
        bounce_after: float,
    ) -> None:
        self._pool = pool
        self._admin = admin
        self._every = round(settings.carry_every * 1000)
        self._late = round(settings.carry_late * 1000)
        self._tried = round(bounce_after * 1000)
        self._streams = streams
        self._calendar = calendar
        self._published = self._published_ahead = 0
        self._incarnation = ""
        self.figures: list[Figure] = []
        """As this node published last."""

    async def run(self) -> None:
        """Until cancelled."""
        trouble = "what is carried over stays as it was published last"
        await again(self._look, self._pause, log, trouble)

    async def _look(self) -> None:
        now = await self._calendar()
        incarnation = await self._admin.incarnation()
        turn = bool(self._published) and day_of(now) != day_of(self._published)
        turns = turn or DAY - now % DAY <= 2_000 * TICK
        anew = incarnation != self._incarnation
        due = anew or turns or abs(now - self._published) >= self._every
        if not incarnation or not due:
            return
        ahead = anew or (not turns and abs(now - self._published_ahead) >= AHEAD_EVERY)
        await self.publish(now, ahead=ahead)
        self._published, self._incarnation = now, incarnation
        if ahead:
            self._published_ahead = now

    async def _pause(self) -> float:
        return min(TICK, (DAY - await self._calendar() % DAY) / 1000 + 0.005)

    async def before_move(self, target: int) -> None:
        """Publish for the day that a moved clock comes to; calendar milliseconds."""
        await self.publish(await self._calendar(), day_of(target))

    async def publish(self, now: int, coming: int | None = None, *, ahead: bool = True) -> None:
        """For the day of `now` (calendar milliseconds), the next, or all that come (`ahead`), and
        `coming`. Raises redis-py's errors and those of a database that is away."""
        last = self._last(now) if ahead else day_of(now) + 1
        days = {*range(day_of(now), last + 1)} | (set() if coming is None else {coming})
        async with self._pool.acquire() as connection, connection.transaction():
            if await connection.fetchval(_SQL["try_lock"], CARRY_LOCK):
                await self._publish(connection, now, sorted(days))

    async def write(self, connection: Connection, now: int) -> None:
        """Into a ledger that is opened behind this. `connection` in a transaction; raises as
        `publish`."""
        await connection.execute(_SQL["lock"], CARRY_LOCK)
        await self._publish(connection, now, [*range(day_of(now), self._last(now) + 1)])

    def _last(self, now: int) -> int:
        """The first day on which nothing of this one's is tried any more."""
        return day_of(now + self._tried) + 2

    async def _publish(self, connection: Connection, now: int, days: list[int]) -> None:
        today = day_of(now)
        streams = {stream.server: stream for stream in await self._streams(connection)}
        servers = {row["ip"]: row["server"] for row in await connection.fetch(_SQL["ips"])}
        told = {row["server"]: row for row in await connection.fetch(_SQL["feeds"])}
        since, stopped, silent = self._feeds(set(servers.values()), told, streams, now)
        ips = [ip for ip, server in servers.items() if server in since]
        client, root = self._admin.client, self._admin.root
        first, incarnation = day_of(now - self._tried), await self._admin.incarnation()
        counts = await day_counts(client, root, ips, [*range(first, today), *days])
        fresh = [ip for ip in ips if servers[ip] not in stopped]
        left = await self._left(connection, fresh, counts, range(first, today + 1), incarnation)
        for ip in fresh:
            start = day_of(since[servers[ip]])
            left[ip] = {day: of for day, of in left[ip].items() if day >= start}
        # That nothing is posted is no trouble of a server that has nothing to tell.
        late = stopped | (silent & {servers[ip] for ip, of in left.items() if of})
        fresh = [ip for ip in fresh if servers[ip] not in late]
        left = {ip: left[ip] for ip in fresh}
        rows = await connection.fetch(_SQL["known"], [ip for ip in ips if ip not in left])
        last = {row["ip"]: _read(row["outstanding"]) for row in rows}
        openings = []
        carried: dict[str, int] = {}
        for ip in ips:
            for day in days:
                window = range(day_of(day * DAY - self._tried), day)
                opening = _opening(ip, day, left.get(ip, last.get(ip, {})), window)
                if day == today:
                    carried[servers[ip]] = carried.get(servers[ip], 0) + opening.total
                openings += _changes(opening, counts.get((ip, day)))
        await set_openings(client, root, openings)
        fresh.sort()
        await connection.execute(_SQL["put"], now, fresh, [left[ip] for ip in fresh])
        await connection.execute(_SQL["gone"], list(servers))
        if incarnation:
            await note(connection, incarnation, counts, today, first)
        self.figures = [Figure(one, carried.get(one, 0), one in late) for one in sorted(since)]

    def _feeds(
        self,
        servers: set[str],
        told: Mapping[str, Any],
        streams: Mapping[str, StreamView],
        now: int,
    ) -> tuple[dict[str, int], set[str], set[str]]:
        """(server to the time of its oldest record, those whose files are not read, those that
        posted nothing lately). Batches that name no server may be of any."""
        since: dict[str, int] = {}
        stopped, silent = set(), set()
        for server in servers:
            feeds = [told[name] for name in (server, "") if name in told]
            if not feeds:
                continue
            since[server] = min(feed["since"] for feed in feeds)
            stream = streams.get(server)
            if stream is None:
                if now - max(feed["came"] for feed in feeds) > self._late:
                    silent.add(server)
            elif stream.age is None or stream.age * 1000 > self._late:
                stopped.add(server)
        return since, stopped, silent

    async def _left(
        self,
        connection: Connection,
        ips: list[str],
        counts: Mapping[tuple[str, int], DayCounts],
        days: range,
        incarnation: str,
    ) -> dict[str, Outstanding]:
        """What is outstanding of each of these days, of those that have any."""
        if not ips:
            return {}
        asked = (days.start, days.stop - 1, ips)
        ended = _by_day(await connection.fetch(_SQL["ended"], *asked))
        taken = _by_day(await connection.fetch(_SQL["taken"], *asked, incarnation))
        found: dict[str, Outstanding] = {}
        for ip in ips:
            found[ip] = {}
            for day in days:
                counted = counts.get((ip, day))
                charged = {} if counted is None else counted.charged
                of = outstanding(charged, taken.get((ip, day), {}), ended.get((ip, day), {}))
                if of:
                    found[ip][day] = of
        return found


def outstanding(
    charged: Mapping[str, int], taken: Mapping[str, int], ended: Mapping[str, int]
) -> dict[str, int]:
    """Recipients of one IP's day that have no final record, by provider and in all; of nobody no
    row. `charged` has its own total, for it may know more than its providers."""
    providers = (charged.keys() | taken.keys()) - {TOTAL}
    known = {one: max(charged.get(one, 0), taken.get(one, 0)) for one in providers}
    known[TOTAL] = max(charged.get(TOTAL, 0), sum(taken.values()))
    done = {**ended, TOTAL: sum(ended.values())}
    left = {one: count - done.get(one, 0) for one, count in known.items()}
    return {one: count for one, count in left.items() if count > 0}


def _opening(ip: str, day: int, left: Outstanding, window: range) -> Opening:
    sums: dict[str, int] = {TOTAL: 0}
    for earlier, of in left.items():
        if earlier in window:
            for provider, count in of.items():
                sums[provider] = sums.get(provider, 0) + count
    return Opening(ip, day, sums.pop(TOTAL), sums)


def _changes(opening: Opening, published: DayCounts | None) -> list[Opening]:
    """Itself, or nothing where it stands so: never published is nothing. A provider that has
    nothing left is told so."""
    before = dict(published.opening) if published is not None else {}
    total = before.pop(TOTAL, 0)
    wanted = {**dict.fromkeys(before, 0), **opening.by_provider}
    if total == opening.total and wanted == before:
        return []
    return [opening._replace(by_provider=wanted)]


def _by_day(rows: Iterable[Any]) -> dict[tuple[str, int], dict[str, int]]:
    found: dict[tuple[str, int], dict[str, int]] = {}
    for row in rows:
        found.setdefault((row["ip"], row["day"]), {})[row["provider"]] = int(row["count"])
    return found


def _read(kept: Mapping[str, Mapping[str, int]]) -> Outstanding:
    return {int(day): dict(of) for day, of in kept.items()}
