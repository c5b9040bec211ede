"""Looks at all mailboxes every few seconds, so that whoever asks is answered from memory.

Owns: the last look, its age. Not here: what a mailbox lacks (`standing`), what is shown (`view`).
Rule: what is shown is never older than `statistics.mailboxes_age`; who asks then waits for a look.
A look is made in steps of a few milliseconds: nobody waits for it.
Failure: PostgreSQL or the ledger away: the last look is shown until it is too old, then what is
amiss is.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import msgspec

from control.again import again
from control.ledger.limits import Limit, limits_used
from control.progress import counted
from control.progress.day import Day, Sums
from policy.ledger.admin import LedgerAdmin
from policy.limits import HOUR, day_of
from policy.plan import Generation
from settings.statements import statements
from settings.statistics import Statistics

log = logging.getLogger(__name__)

_SQL = statements(__package__, "progress")

_POINTS = 13
"""Of the last hour, five minutes apart, from which the throughput is told."""

Plan = Callable[[], Awaitable[Generation | None]]
Now = Callable[[], Awaitable[int]]
"""Calendar milliseconds."""


class Mail(msgspec.Struct, frozen=True, kw_only=True):
    """Recipients of today, of a tenant or of all."""

    sent: int = 0
    """Charged to IPs."""
    bounced: int = 0
    refused: int = 0
    """By PowerMTA; they are not charged."""
    an_hour: float = 0.0
    """Sent in the last hour, or as many as it would be since control looks."""

    @property
    def failed(self) -> int:
        """Bounced or refused."""
        return self.bounced + self.refused

    @property
    def failure_rate(self) -> float:
        """Per cent of what was sent or refused."""
        tried = self.sent + self.refused
        return 100.0 * self.failed / tried if tried else 0.0


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """One look."""

    at: int
    """Calendar milliseconds."""
    taken: float
    """Real seconds of this process."""
    stopped: bool
    days: Mapping[str, Day]
    """By tenant, in the order of their names."""
    mail: Mapping[str, Mail]
    sums: Sums
    """Of all."""
    all_mail: Mail
    limits: list[Limit] = []
    """Of a minute and an hour, but for mailboxes'."""


class Progress:
    """Of one control process. `clock`: real elapsed seconds."""

    def __init__(
        self,
        pool: Any,
        admin: LedgerAdmin,
        plan: Plan,
        calendar: Now,
        settings: Statistics,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._pool = pool
        self._admin = admin
        self._plan = plan
        self.calendar = calendar
        self._settings = settings
        self._clock = clock
        self._last: Snapshot | None = None
        self._turn = asyncio.Lock()
        self._past: dict[str, _Past] = {}

    async def run(self) -> None:
        """Until cancelled."""
        await again(self.look, self._settings.mailboxes_look, log, "mailboxes are not looked at")

    async def plan(self) -> Generation | None:
        """The plan in force."""
        return await self._plan()

    async def snapshot(self) -> Snapshot:
        """Not too old, and of today. Raises what is amiss, where it would be."""
        last, now = self._last, await self.calendar()
        if last is None or self._old(last, now):
            async with self._turn:
                if self._last is last:
                    await self._look()
            last = self._last
            assert last is not None
        return last

    def recent(self) -> Snapshot | None:
        """The last look, if it is not too old."""
        last = self._last
        if last is None or self._clock() - last.taken > self._settings.mailboxes_age:
            return None
        return last

    async def look(self) -> None:
        """At all of them now. Raises redis-py's errors and those of a database that is away."""
        async with self._turn:
            await self._look()

    def _old(self, last: Snapshot, now: int) -> bool:
        age = self._settings.mailboxes_age
        moved = day_of(now) != day_of(last.at) or abs(now - last.at) > age * 1000
        return moved or self._clock() - last.taken > age

    async def _look(self) -> None:
        now, plan = await self.calendar(), await self._plan()
        day, most = day_of(now), self._settings.mailboxes_named
        days: dict[str, Day] = {}
        sums = Sums()
        for tenant in () if plan is None else plan.tenants:
            found = await counted.of_tenant(self._admin.client, self._admin.root, tenant.name, day)
            days[tenant.name] = one = Day(tenant, found, now)
            for _ in one.work(most):
                await asyncio.sleep(0)
            sums.add(one.sums, most)
        mail = await self._mail(plan, day)
        ledger = self._admin.client, self._admin.root
        limits = [] if plan is None else await limits_used(*ledger, plan)
        self._last = Snapshot(
            at=now,
            taken=self._clock(),
            stopped=plan is not None and plan.stopped,
            days=days,
            mail=mail,
            sums=sums,
            all_mail=Mail(
                sent=sum(one.sent for one in mail.values()),
                bounced=sum(one.bounced for one in mail.values()),
                refused=sum(one.refused for one in mail.values()),
                an_hour=sum(one.an_hour for one in mail.values()),
            ),
            limits=limits,
        )

    async def _mail(self, plan: Generation | None, day: int) -> dict[str, Mail]:
        if plan is None:
            return {}
        owner = {plan.vmta[name].ip: p.tenant for p in plan.pools for name in p.members}
        sent = dict.fromkeys((tenant.name for tenant in plan.tenants), 0)
        for ip, of in (await self._admin.granted(owner, range(day, day + 1))).items():
            sent[owner[ip]] += of[day]
        bounced, refused = await self._failed("bounced", day), await self._failed("refused", day)
        self._past = {name: self._past.get(name) or _Past() for name in sent}
        at = self._clock()
        return {
            name: Mail(
                sent=count,
                bounced=bounced.get(name, 0),
                refused=refused.get(name, 0),
                an_hour=self._past[name].an_hour(at, day, count),
            )
            for name, count in sent.items()
        }

    async def _failed(self, how: str, day: int) -> dict[str, int]:
        rows: list[Any] = await self._pool.fetch(_SQL[how], day)
        return {row["tenant"]: row["recipients"] for row in rows}


class _Past:
    """What a tenant had sent over the last hour."""

    def __init__(self) -> None:
        self._day = 0
        self._sent = 0
        self._all = 0
        self._points: deque[tuple[float, int]] = deque(maxlen=_POINTS)

    def an_hour(self, at: float, day: int, sent: int) -> float:
        """With a new figure: `sent` of `day`, at `at` real seconds."""
        if self._points:
            self._all += max(sent - self._sent, 0) if day == self._day else sent
        self._day, self._sent = day, sent
        if not self._points or at - self._points[-1][0] >= HOUR / 1000 / (_POINTS - 1):
            self._points.append((at, self._all))
        since, before = self._points[0]
        took = at - since
        return (self._all - before) * 3600.0 / took if took > 0 else 0.0
