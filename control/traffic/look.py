"""The look at all IPs: a part of them each second, in turns, and only while somebody asks.

Rule: what a second costs does not grow with the IPs there are, nor with those who watch. Who asks
within a second of the last look gets what that found; else the next `PART` IPs are looked at, by
the names of their VirtualMTAs, and with them those that the last answers showed, so that what
somebody sees is of now. 5,000 IPs are all seen within
25 seconds, `age` says how old the oldest
is; the first answers say how many are `known`. Where nobody asked for `FORGET`, it begins anew.

What waits is counted by pool, which takes a second or two of a million: no more often than a tenth
of the time goes into it.
"""

import asyncio
import time
from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from control.explain.standing import Mail, mail_of
from control.ledger.limits import limits_used
from control.ledger.opening import Opening
from control.plan.compile import plans_of
from control.plan.page import Page
from control.plan.publish import Publisher
from control.plan.rows import VmtaRow, stages, vmtas
from control.plan.view import View
from control.sources.rates import Rates
from control.sources.usage import standing, to_usage
from control.stop import stop
from control.stop.stop import Stop
from control.traffic.traffic import (
    SHOWN,
    IpTraffic,
    Seen,
    Traffic,
    TrafficQuery,
    matching,
    order_of,
    ordered,
    sums,
    text_of,
)
from policy.isotime import instant
from policy.ledger.admin import LedgerAdmin
from policy.limits import day_of
from policy.plan import Generation
from settings.model import Settings
from settings.statements import statements

_SQL = statements(__package__, "traffic")

PART = 200
"""IPs of one look. With 5,000 IPs known, an answer takes 12 to 17 ms of the processor, of which
the look is 9."""
AGAIN = 100
"""IPs that answers showed, and that are looked at each time."""
EVERY = 0.9
"""Seconds between two looks: who asks once a second gets a new one each time."""
FORGET = 60.0
"""Seconds after which what was seen is no basis for a rate any more."""
OVER = 5.0
"""Seconds a rate is of, at least: PowerMTA takes mail in strokes."""
TIMES = 10
"""So many times as long as a count took, nothing is counted again."""


class _Known(msgspec.Struct):
    """An IP, what of it changes seldom, and where its rate is counted from."""

    row: VmtaRow
    stage: int | None
    stages: int | None
    order: tuple[int, int]
    text: str
    round: int
    """In which it was read."""
    seen: Seen | None = None
    since: tuple[float, int] | None = None
    """When, and how many it had sent then."""
    rate: float | None = None


class Looks:
    """Of one control process."""

    def __init__(
        self,
        pool: Any,
        publisher: Publisher,
        opening: Opening,
        admin: LedgerAdmin,
        settings: Settings,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._pool = pool
        self._view = View(pool)
        self._publisher = publisher
        self._opening = opening
        self._admin = admin
        self._warmup = settings.warmup
        self._clock = clock
        self._turn = asyncio.Lock()
        self._known: dict[str, _Known] = {}
        self._shown: dict[str, None] = {}
        self._after: str | None = None
        self._round = 0
        self._looked = float("-inf")
        self._now = 0
        self._all = 0
        self._mail = Mail()
        self._stopped: Stop | None = None
        self._waiting: dict[tuple[str, str], int] | None = None
        self._counted, self._took = float("-inf"), 0.0

    def __repr__(self) -> str:
        return f"<Looks: {len(self._known)} of {self._all} IPs known, round {self._round}>"

    async def __call__(self, asked: TrafficQuery) -> Traffic:
        """What is known now. Raises RefusedError while the ledger is closed, and redis-py's
        errors."""
        async with self._turn:
            if self._clock() - self._looked >= EVERY:
                await self._look()
        now = self._clock()
        found = matching((one.seen for one in self._known.values() if one.seen), asked)
        rows = ordered(found, asked.sort)[: asked.limit or SHOWN]
        for one in rows:
            self._shown[one.row.vmta] = None
        counted = self._waiting
        return Traffic(
            at=instant(self._now),
            stopped=self._stopped,
            mail=self._mail if asked.tenant is None else None,
            held=None
            if counted is None
            else sum(n for (t, _), n in counted.items() if asked.tenant in (None, t)),
            known=len(self._known),
            all=max(self._all, len(self._known)),
            age=round(now - min((one.at for one in found), default=now), 1),
            rows=[one.row for one in rows],
            **sums(found),
        )

    async def _look(self) -> None:
        await self._opening.must_be_open()
        if self._clock() - self._looked > FORGET:
            self._known.clear()
            self._shown.clear()
            self._after = None
        if self._clock() - self._counted > TIMES * self._took:
            await self._count()
        async with self._view() as connection:
            generation = await self._publisher.current(connection)
            if generation is None:
                self._known.clear()
            else:
                names = await self._read(connection, generation)
                self._all = len(generation.vmta)
                await self._measure(connection, generation, names)
            self._stopped = await stop.standing(connection)
        figures = await self._admin.figures()
        self._mail = mail_of([one.minute for one in figures.values()])
        self._looked = self._clock()

    async def _read(self, connection: Any, generation: Generation) -> list[str]:
        """The next part of all IPs, and what was shown; those that are in force."""
        part = await vmtas(connection, page=Page(after=self._after, limit=PART))
        plans = plans_of(await stages(connection), self._warmup)
        for row in part:
            on_plan = row.quota_source == "plan" and row.plan in plans
            known = self._known.get(row.name)
            made = _Known(
                row=row,
                stage=row.stage if on_plan else None,
                stages=len(plans[row.plan or ""].stages) if on_plan else None,
                order=order_of(row.ip),
                text=text_of(row.ip, row.name, row.tenant),
                round=self._round,
            )
            if known is not None and known.row.ip == row.ip:
                made.since, made.rate, made.seen = known.since, known.rate, known.seen
            self._known[row.name] = made
        names = {row.name: None for row in part} | dict.fromkeys(list(self._shown)[:AGAIN])
        self._shown.clear()
        if len(part) < PART:
            # All were read: who was not is not there any more.
            self._after = None
            self._known = {n: k for n, k in self._known.items() if k.round == self._round}
            self._round += 1
        else:
            self._after = part[-1].name
        for name in [n for n in self._known if n not in generation.vmta]:
            del self._known[name]
        return [name for name in names if name in self._known]

    async def _measure(self, connection: Any, generation: Generation, names: Iterable[str]) -> None:
        its = [(self._known[name], generation.vmta[name]) for name in names]
        ips = [vmta.ip for _, vmta in its]
        self._now, counted = await self._admin.usage(ips)
        admin = self._admin
        used = await limits_used(admin.client, admin.root, generation, [v for _, v in its])
        rates, closed = Rates(generation, used), await self._opening.closed_ips()
        today = {
            (row["ip"], row["tenant"]): row
            for row in await connection.fetch(_SQL["today"], day_of(self._now), ips)
        }
        at = self._clock()
        for known, vmta in its:
            row, usage = known.row, to_usage(counted.get(vmta.ip))
            tenant = generation.tenant.get(row.tenant)
            window = tenant.window if tenant else None
            why = closed.get(vmta.ip, "")
            stands = standing(vmta, row.tenant, usage, self._now, window, why, rates)
            self._rate(known, at, usage.relayed)
            told = today.get((vmta.ip, row.tenant), _NOTHING)
            pools = generation.pools_of.get(vmta.name, ())
            made = IpTraffic(
                tenant=row.tenant,
                ip=row.ip,
                vmta=row.name,
                state=row.state,
                stage=known.stage,
                stages=known.stages,
                quota=vmta.daily,
                used=usage.relayed,
                opening=usage.opening,
                left=stands.left,
                now=stands.pace_now,
                held=None
                if self._waiting is None
                else sum(self._waiting.get((p.tenant, p.name), 0) for p in pools),
                rate=known.rate,
                delivered=told["delivered"],
                bounced=told["bounced"],
                deferred=told["deferred"],
                next_free=stands.next_free,
                why=stands.why,
            )
            known.seen = Seen(made, at, known.order, known.text, stands.cause)

    def _rate(self, known: _Known, at: float, used: int) -> None:
        """Recipients a minute, since the last time one was made; anew with each day."""
        if known.since is None or used < known.since[1]:
            known.since, known.rate = (at, used), None
        elif (passed := at - known.since[0]) >= OVER:
            known.rate = round((used - known.since[1]) * 60 / passed, 1)
            known.since = at, used

    async def _count(self) -> None:
        began = self._clock()
        rows = await self._pool.fetch(_SQL["waiting"])
        self._waiting = {(row["tenant"], row["pool"]): row["messages"] for row in rows}
        self._counted = self._clock()
        self._took = self._counted - began


_NOTHING = {"delivered": 0, "bounced": 0, "deferred": 0}
