"""A day that is over goes from the ledger to PostgreSQL, is compared with accounting, and only then
the ledger lets go of it.

Rule: what the ledger counted of a day is written down, and read again and compared again each
night until the day is let go: when a week is over, and PowerMTA's `bounce-after` for its last
recipient. Until then carry-over, whoever wants to remove an IP, and warm-up ask the ledger. The
row that says what was counted is committed before the ledger forgets anything, and counts in it
only rise: killed anywhere, or done twice, it is the same.
Compared is what gateways granted with what PowerMTA's records say of these grants (receipts, or
ends where those are more). A doubt, a lost receipt and a message that a killed process had under
way are differences.
Failure: the ledger away, closed or another's: nothing is written, the job tries again. A day that
the ledger has lost has what was known before, or nothing: the difference says so.
"""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from control import kinds
from control.problem import FieldProblem, RefusedError
from control.store.database import Connection
from policy.isotime import date_of
from policy.ledger.admin import LedgerAdmin
from policy.ledger.daycounts import TOTAL, DayCounts, clear_days, day_counts
from policy.limits import day_of
from policy.number import count
from settings.statements import statements

_SQL = statements(__package__, "consolidation")

CONSOLIDATION_LOCK = 0x5E4D_6A7E_0015
"""PostgreSQL advisory lock of whoever consolidates."""

MOST_DAYS = 40
"""Days that are looked at in one night."""

WEEK = 7
"""Days for which the ledger is asked: by warm-up, for its window."""

SHARE = 0.001
COUNT = 10
"""A difference of more than this share of what was compared, or of more recipients than this, is
alarming."""


class Day(NamedTuple):
    """A consolidated day."""

    day: int
    sent: int
    """Recipients that the ledger granted."""
    compared: int
    """Of these, by IPs whose accounting is read."""
    accounted: int
    difference: int

    @property
    def alarming(self) -> bool:
        """Whether somebody should look."""
        return alarming(self.difference, self.compared)

    def sentence(self) -> str:
        """What it is, with its numbers."""
        text = f"{date_of(self.day)}: {count(self.sent, 'recipient')} sent"
        if not self.compared and not self.accounted:
            return f"{text}, none compared with accounting"
        return (
            f"{text}, {self.compared} compared: accounting has {self.accounted}, "
            f"{self.difference} differ"
        )


def alarming(difference: int, compared: int) -> bool:
    """Over 0.1 % or 10 recipients."""
    return difference > COUNT or difference > SHARE * compared


class Consolidation:
    """Of one ledger. `bounce_after`: seconds for which PowerMTA tries a recipient."""

    def __init__(self, pool: Any, admin: LedgerAdmin, *, bounce_after: float) -> None:
        self._pool = pool
        self._admin = admin
        self._tried = round(bounce_after * 1000)

    async def night(self, finished: int, now: int) -> list[Day]:
        """Day `finished`, those before that were missed, and those that the ledger still has, the
        earliest first. `now` in calendar milliseconds. Raises RefusedError (the ledger cannot
        say), redis-py's and asyncpg's errors."""
        first = finished - MOST_DAYS + 1
        known = {row["day"] for row in await self._pool.fetch(_SQL["known"], first, finished)}
        pending = {row["day"] for row in await self._pool.fetch(_SQL["pending"], finished)}
        missed = (
            set(range(min(known), finished + 1)) - known if known else await self._here(finished)
        )
        return [await self.day(one, now) for one in sorted(pending | missed | {finished})]

    async def _here(self, finished: int) -> set[int]:
        """Before the first night: days of which the ledger has something."""
        found: set[int] = set()
        for day in range(finished - WEEK, finished):
            ips = [row["ip"] for row in await self._pool.fetch(_SQL["ips"], day)]
            if await day_counts(self._admin.client, self._admin.root, ips, [day]):
                found.add(day)
        return found

    async def day(self, day: int, now: int) -> Day:
        """One day. Raises as `night`; RefusedError where it is not over, or nobody knows of it."""
        if day >= day_of(now):
            raise _not_now(f"{date_of(day)} is not over: the ledger still counts it")
        async with self._pool.acquire() as connection, connection.transaction():
            await connection.execute(_SQL["lock"], CONSOLIDATION_LOCK)
            row = await connection.fetchrow(_SQL["one"], day)
            gone = row is not None and row["cleared"] is not None
            ips = [one["ip"] for one in await connection.fetch(_SQL["ips"], day)]
            if not gone:
                await self._write(connection, day, ips)
            found = await self._compare(connection, day, ended=self._over(day, now))
            if (
                row is None
                and day < day_of(now) - MOST_DAYS
                and not (found.sent or found.accounted)
            ):
                raise _not_now(f"{date_of(day)}: neither the ledger nor accounting knows of it")
            await connection.execute(_SQL["note"], found.day, now, *found[1:])
        if not gone and self._over(day, now) and day < day_of(now) - WEEK:
            await self._let_go(day, ips, now)
        return found

    def _over(self, day: int, now: int) -> bool:
        """Whether PowerMTA has given up what it had of it."""
        return day < day_of(now - self._tried)

    async def _write(self, connection: Connection, day: int, ips: list[str]) -> None:
        await self._whole()
        counts = await day_counts(self._admin.client, self._admin.root, ips, [day])
        # Read on connections of one server: had it been another's for a moment, it is so still.
        await self._whole()
        rows = list(_rows(counts))
        if rows:
            columns = [list(column) for column in zip(*rows, strict=True)]
            await connection.execute(_SQL["put"], day, *columns)

    async def _compare(self, connection: Connection, day: int, *, ended: bool) -> Day:
        rows = await connection.fetch(_SQL["compared"], day, ended)
        read = [row for row in rows if row["accounted"] is not None]
        return Day(
            day=day,
            sent=sum(row["sent"] for row in rows),
            compared=sum(row["sent"] for row in read),
            accounted=sum(row["accounted"] for row in read),
            difference=sum(abs(row["sent"] - row["accounted"]) for row in read),
        )

    async def _let_go(self, day: int, ips: Iterable[str], now: int) -> None:
        await self._whole()
        await clear_days(self._admin.client, self._admin.root, ips, [day])
        await self._pool.execute(_SQL["cleared"], day, now)

    async def _whole(self) -> None:
        """Raises RefusedError where it may not be the ledger that counted."""
        if not (await self._admin.standing()).whole:
            raise RefusedError(
                f"ledger {self._admin.name} is not open: see `sendgate ledger status`",
                kind=kinds.LEDGER_CLOSED,
            )


def _rows(counts: Mapping[tuple[str, int], DayCounts]) -> Iterable[tuple[str, str, int, int]]:
    """IP, provider, granted, around. What of the IP's total no provider has stands under none."""
    for (ip, _), of in sorted(counts.items()):
        providers = sorted((of.charged.keys() | of.around.keys()) - {TOTAL})
        for provider in providers:
            sent, around = of.charged.get(provider, 0), of.around.get(provider, 0)
            if sent or around:
                yield ip, provider, sent, around
        rest = of.charged.get(TOTAL, 0) - sum(of.charged.get(one, 0) for one in providers)
        if rest > 0:
            yield ip, TOTAL, rest, 0


def _not_now(detail: str) -> RefusedError:
    """Of a day that is one, and not as things are."""
    errors = [FieldProblem("day", detail)]
    return RefusedError(f"day: {detail}", kind=kinds.CONFLICT, errors=errors)
