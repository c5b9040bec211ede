"""The queue: lines of held mail, and whose turn it is.

Owns: reading lines and rows from PostgreSQL, and mailboxes' counts from the ledger. Changes nothing
there. In which order: `policy.fairness`, `policy.round`.
Rules: what became ready is announced by the transaction that made it so, whoever's it was; every
line is looked at when the process begins, and again from time to time, for what another releaser
had locked. A read begins behind what was read before, never at the head of an index.
Failure: without PostgreSQL what is known stays, and a round that was begun comes to nothing: all
it took stands in line as before; without the ledger's counts nobody is behind.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any, Protocol

from gateway.hold.database import Database
from gateway.hold.release.left import Left
from policy.fairness import Group, Line, Pick, Row, Tenant
from policy.limits import day_of
from policy.model import Tenant as Terms
from policy.plan import Generation
from policy.round import Round
from policy.turns import Turns
from settings.statements import statements

_SQL = statements("gateway.hold.release", "release")
_ANNOUNCED = _SQL["announced"]
_LINES = _SQL["lines"]
_ROWS = _SQL["rows"]

_TIMEOUT = 30.0
_OFTEN = 0.1
"""Seconds between two questions for what is new, while there is mail to release anyway."""
_NEWS = 20_000
"""Rows of one answer; where more became ready at once, all lines are looked at again."""
_PAGE = 5_000
"""Lines of one look."""
_COUNTS = 5_000
"""Mailboxes whose counts are read again at once, every two seconds: live mail raises them, too."""
_COUNT_EVERY = 2.0
_READS = 12
"""Of one round. What is short of it then comes in the next."""
_MOST_OCTETS = 64 * 1024 * 1024
"""Content of one round: it is all in memory while it is sent."""
_START = ("", "", "", False)


class Counts(Protocol):
    """What mailboxes have sent today."""

    async def today(
        self, tenant: Terms, mailboxes: Sequence[str], now: int
    ) -> list[tuple[int, int, int]] | None: ...


class Queue:
    """One process's."""

    def __init__(
        self,
        database: Database,
        counts: Counts,
        *,
        generation: Callable[[], Generation | None],
        now: Callable[[], int],
        round_size: int,
        look: float,
    ) -> None:
        """`now` in ledger milliseconds; `look`: seconds between two looks at every line."""
        self._database = database
        self._counts = counts
        self._generation = generation
        self._now = now
        self._round = round_size
        self._look = look
        self.tenants: dict[str, Tenant] = {}
        self._turns = Turns()
        self._snapshot = ""
        self._asked = float("-inf")
        self._page: tuple[str, str, str, bool] | None = _START
        self._looked = float("-inf")
        self.day = 0
        """That counts are of."""
        self._counted = float("-inf")
        self._to_count: deque[tuple[str, list[str]]] = deque()
        self.short = False
        """The last round's reads were used up: what is short of it can be had at once."""

    async def look(self) -> None:
        """Hear what is new. Raises AwayError, UnknownError, RefusedError."""
        clock = asyncio.get_running_loop().time
        self._turn_of_day()
        if clock() - self._asked >= _OFTEN:
            await self._news()
            self._asked = clock()
        if self._page is None and clock() - self._looked >= self._look:
            self._page = _START
        if self._page is not None:
            await self._lines(self._page)
            self._looked = clock()
        if clock() - self._counted >= _COUNT_EVERY:
            self._counted = clock()
            await self._recount()

    @property
    def complete(self) -> bool:
        """Every line was looked at."""
        return self._page is None

    def groups(self) -> list[tuple[str, Group]]:
        """(tenant, group) of all that wait."""
        return [(t.name, group) for t in self.tenants.values() for group in t.groups]

    async def next(self, groups: Iterable[tuple[str, Group]], most: int) -> list[Pick]:
        """Those to ask for now, first one first, at most `most`. Raises as `look`."""
        most = min(most, self._round)
        self.short = False
        open_now: dict[str, list[Group]] = {}
        for tenant, group in groups:
            open_now.setdefault(tenant, []).append(group)
        generation = self._generation()
        if not open_now or most <= 0 or generation is None:
            return []
        weights = {
            name: generation.tenant[name].weight
            for name in open_now.keys() & generation.tenant.keys()
        }
        turn = Round(self.tenants, open_now, self._turns, weights, most)
        whole = False
        try:
            for _ in range(_READS):
                lacking = turn.lacking()
                self.short = bool(lacking)
                if not lacking:
                    break
                await self._read(turn, lacking)
            whole = True
        finally:
            # Nobody would hear of them again before the next look at every line.
            self.back(turn.pending() if whole else turn.taken())
        return self._fitting(turn.picks())

    def _fitting(self, picks: list[Pick]) -> list[Pick]:
        octets = 0
        for place, pick in enumerate(picks):
            octets += pick.row[3]
            if place and octets > _MOST_OCTETS:
                self.back(picks[place:])
                return picks[:place]
        return picks

    def back(self, picks: Iterable[Pick]) -> None:
        """These were not claimed, as far as is known; whoever has them is found out by reading."""
        for pick in picks:
            self._back(pick, waits=True)

    def settle(self, picks: Iterable[Pick], granted: Collection[str], left: Iterable[Left]) -> None:
        """What became of a claim: by id those that are ours, and those that do not go now."""
        stays = {entry.row.id: _stays(entry) for entry in left}
        for pick in picks:
            if pick.row[2] not in granted:
                self._back(pick, waits=stays.get(pick.row[2], True))

    def _back(self, pick: Pick, *, waits: bool) -> None:
        tenant = pick.line.group.tenant
        tenant.back(pick, waits=waits)
        if tenant.groups:
            self.tenants[tenant.name] = tenant

    async def _news(self) -> None:
        async with self._database.connection() as link:
            if not self._snapshot:
                # The look at every line finds what is there already.
                self._snapshot = await link.fetchval("SELECT pg_current_snapshot()::text")
                return
            found = await link.fetch(_ANNOUNCED, self._snapshot, _NEWS, timeout=_TIMEOUT)
        await self._announce(found[1:])
        snapshot = found[0]["snapshot"]
        # A server that took over, or a backup, may number its transactions from before.
        if sum(record["rows"] for record in found) >= _NEWS or _xmin(snapshot) < _xmin(
            self._snapshot
        ):
            self._page = _START
        self._snapshot = snapshot

    async def _lines(self, after: tuple[str, str, str, bool]) -> None:
        async with self._database.connection() as link:
            found = await link.fetch(_LINES, *after, _PAGE, timeout=_TIMEOUT)
        await self._announce(found)
        last = found[-1] if len(found) == _PAGE else None
        self._page = last and (last["pool"], last["mailbox"], last["provider"], last["bulk"])

    async def _announce(self, found: Sequence[Any]) -> None:
        unknown: dict[str, set[str]] = {}
        for record in found:
            name, mailbox = record["tenant"], record["mailbox"]
            tenant = self.tenants.get(name)
            if tenant is None:
                tenant = self.tenants[name] = Tenant(name)
            if mailbox not in tenant.boxes:
                unknown.setdefault(name, set()).add(mailbox)
            tenant.announce(
                (record["pool"], record["provider"]), mailbox, record["day"], record["arrived"],
                record["rows"], bulk=record["bulk"],
            )  # fmt: skip
        for name, mailboxes in unknown.items():
            await self._count(name, list(mailboxes))

    async def _recount(self) -> None:
        """A part of the mailboxes, in turn, until all were there."""
        for name in [name for name, tenant in self.tenants.items() if not tenant.groups]:
            del self.tenants[name]
        if not self._to_count:
            self._turns.forget(frozenset(self.tenants))
            self._to_count.extend((n, list(t.boxes)) for n, t in self.tenants.items())
        left = _COUNTS
        while self._to_count and left > 0:
            name, mailboxes = self._to_count.popleft()
            now, later = mailboxes[:left], mailboxes[left:]
            left -= len(now)
            if later:
                self._to_count.appendleft((name, later))
            await self._count(name, now)

    async def _count(self, name: str, mailboxes: list[str]) -> None:
        now, generation = self._now(), self._generation()
        terms = generation.tenant.get(name) if generation else None
        if not mailboxes or terms is None:
            return
        counts = await self._counts.today(terms, mailboxes, now)
        tenant = self.tenants.get(name)
        if counts is None or tenant is None or day_of(now) != self.day:
            return
        for mailbox, (least, reach, sent) in zip(mailboxes, counts, strict=True):
            tenant.count(mailbox, least, reach, sent)

    def _turn_of_day(self) -> None:
        day = day_of(self._now())
        if day != self.day:
            self.day = day
            for tenant in self.tenants.values():
                tenant.day()
            self._to_count.clear()

    async def _read(self, turn: Round, lacking: Sequence[tuple[str, Line, int]]) -> None:
        columns = zip(
            *(
                (
                    line.group.key[0],
                    line.box.mailbox,
                    line.group.key[1],
                    line.bulk,
                    *line.after,
                    ask,
                )
                for _, line, ask in lacking
            ),
            strict=True,
        )
        async with self._database.connection() as link:
            found = await link.fetch(_ROWS, *map(list, columns), timeout=_TIMEOUT)
        rows: list[list[Row]] = [[] for _ in lacking]
        for record in found:
            number, bucket, arrived, name, size = record
            rows[number - 1].append((bucket, arrived, name, size))
        for (name, line, ask), own in zip(lacking, rows, strict=True):
            turn.read(name, line, own, ask)


def _xmin(snapshot: str) -> int:
    return int(snapshot.partition(":")[0])


def _stays(entry: Left) -> bool:
    """Whether it stands in its line still. Where it is elsewhere, that is announced."""
    return (
        entry.state == "held" and not entry.due and not entry.paused
        and entry.pool in ("", entry.row.pool) and not entry.provider
    )  # fmt: skip
