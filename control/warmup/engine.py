"""Looks at evidence and does what follows.

When: at 00:00 UTC by the ledger's clock steps may be taken (`turn`), for the day that has ended,
and again at 00:30, when its records have come. When bounces, complaints or a block by a provider
came, the guard looks at the IPs concerned.
Rule: what changes is decided again under the lock of all publishers, so that of two engines one
decides and the other finds it done; a decision, its change and its row are one transaction, and
the old stage is in force until the new generation is. The same evidence is written down once.
Failure: nothing was changed, and what was to be looked at still is.
"""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from typing import Any

import msgspec

from control.plan import rows
from control.plan.compile import plans_of
from control.plan.page import WHOLE, Page
from control.plan.publish import Publisher
from control.problem import RefusedError
from control.store.change import Act
from control.store.database import Connection
from control.warmup.apply import apply
from control.warmup.decision import write, write_stop
from control.warmup.evidence import NOTHING, Seen, pool_days, seen_of
from control.warmup.judge import Judged, Looked, judge
from control.warmup.rule import rule_of
from control.warmup.source import WHO, Kept, Source, States, plan_of, sources, states
from control.warmup.view import Overview, WarmupView, overview, view
from policy.ledger.admin import LedgerAdmin
from policy.limits import day_of
from policy.warmup.decision import Decision
from policy.warmup.following import stays_behind
from policy.warmup.growth import DAYS, growth_stop, measures
from policy.warmup.plan import Plan
from settings.model import Warmup
from settings.statements import statements

log = logging.getLogger(__name__)

_SQL = statements(__package__, "engine")

AT_ONCE = 200
"""IPs whose evidence is in memory at one time, and that one change may move."""

Now = Callable[[], Awaitable[int]]
"""Calendar milliseconds."""


class Found(msgspec.Struct, frozen=True):
    """Of some IPs."""

    judged: list[Judged]
    states: States
    stops: dict[tuple[str, str, str], Decision]
    """Tenant, pool and provider to what stops the tenant's growth."""
    seen: dict[str, Seen]
    plans: dict[str, Plan]


class Engine:
    """Of one control process."""

    def __init__(
        self, pool: Any, admin: LedgerAdmin, publisher: Publisher, warmup: Warmup, calendar: Now
    ) -> None:
        self._pool = pool
        self._admin = admin
        self._publisher = publisher
        self._warmup = warmup
        self._rule = rule_of(warmup)
        self.calendar = calendar
        self._told = 0

    async def look(self, *, turn: bool) -> int:
        """All IPs where a day has ended (`turn`), else those that something came of; returns how
        many decisions are new. Raises RefusedError, redis-py's errors and those of a database that
        is away. While all sending is stopped nothing is looked at: what came stays to be."""
        plan = await self._publisher.current()
        if plan is not None and plan.stopped:
            return 0
        await self._tell()
        changed: list[Any] = await self._pool.fetch(_SQL["changed"])
        blocked: list[Any] = await self._pool.fetch(_SQL["blocked"])
        ips = None if turn else sorted({row["ip"] for row in (*changed, *blocked)})
        new, after = 0, None
        while ips is None or ips:
            found = await sources(self._pool, ips=ips, page=Page(after=after, limit=AT_ONCE))
            if found:
                new += await self._some(found, turn=turn)
            if len(found) < AT_ONCE:
                break
            after = found[-1].name
        for done, rows_, of in (("looked", changed, "at"), ("looked_at_blocks", blocked, "count")):
            if rows_:
                which = [row["ip"] for row in rows_], [row[of] for row in rows_]
                await self._pool.execute(_SQL[done], *which)
        return new

    async def _tell(self) -> None:
        """What the views cannot know by themselves: the calendar's day, the default plan."""
        today = day_of(await self.calendar())
        if today == self._told:
            return
        weeks = list(self._warmup.weeks)
        async with self._pool.acquire() as connection, connection.transaction():
            await connection.execute(_SQL["tell_day"], today)
            stages = list(range(1, len(weeks) + 1))
            await connection.execute(_SQL["tell_default"], stages, weeks)
            await connection.execute(_SQL["tell_end"], len(weeks))
        self._told = today

    async def judged(
        self, connection: Connection, of: Iterable[Source], now: int, *, turn: bool
    ) -> Found:
        """What would be decided of some IPs now. Changes nothing."""
        found = list(of)
        today = day_of(now)
        plans = plans_of(await rows.stages(connection), self._warmup)
        kept = await states(connection, [s.name for s in found])
        seen = await seen_of(connection, self._admin, found, today)
        stops = await self._stops(connection, {s.tenant for s in found}, today)
        looked = Looked(
            now=now,
            rule=self._rule,
            turn=turn,
            plans=plans,
            stopped={tenant: why for (tenant, _, _), why in stops.items()},
        )
        judged = [one for s in found for one in judge(looked, s, kept, seen.get(s.name, NOTHING))]
        return Found(judged, kept, stops, seen, plans)

    async def views(
        self,
        connection: Connection,
        *,
        tenant: str | None = None,
        page: Page = WHOLE,
    ) -> list[WarmupView]:
        """IPs in the order of their VirtualMTAs' names, but for those whose plan is not there;
        filled up in their place, so that only the last part is short of its limit."""
        now = await self.calendar()
        ips = None if page.ip is None else [page.ip]
        shown: list[WarmupView] = []
        limit = page.limit
        while True:
            left = None if limit is None else limit - len(shown)
            page = msgspec.structs.replace(page, limit=left)
            found = await sources(connection, tenant=tenant, ips=ips, page=page)
            # Those of all at once were a second in which nobody else got an answer.
            for first in range(0, len(found), AT_ONCE):
                shown += await self._shown(connection, found[first : first + AT_ONCE], now)
                await asyncio.sleep(0)
            if left is None or len(found) < left or len(shown) == limit:
                return shown
            page = msgspec.structs.replace(page, after=found[-1].name)

    async def _shown(
        self, connection: Connection, found: list[Source], now: int
    ) -> list[WarmupView]:
        seen = await self.judged(connection, found, now, turn=True)
        judged: defaultdict[str, list[Judged]] = defaultdict(list)
        for one in seen.judged:
            judged[one.source.name].append(one)
        kept: defaultdict[str, dict[str, Kept]] = defaultdict(dict)
        for (name, provider), state in seen.states.items():
            kept[name][provider] = state
        shown = []
        for source in found:
            plan = plan_of(source, seen.plans)
            if plan is not None and plan.stages:
                of = seen.seen.get(source.name)
                its = judged[source.name], kept[source.name]
                shown.append(view(source, *its, of, plan, now))
        return shown

    async def overview(self, connection: Connection, tenant: str | None = None) -> Overview:
        """Sums of the same IPs."""
        plans = plans_of(await rows.stages(connection), self._warmup)
        found = await sources(connection, tenant=tenant)
        planned = ((source, plan_of(source, plans)) for source in found)
        return overview((s, plan) for s, plan in planned if plan is not None and plan.stages)

    async def after(self, act: Act, change: Awaitable[str]) -> WarmupView:
        """The IP that a change names, as the change leaves it. Raises RefusedError."""
        ip = await change
        for found in await self.views(act.connection, page=Page(ip=ip)):
            return found
        raise RefusedError(f"IP {ip} has neither a plan nor a quota")

    async def _stops(
        self, connection: Connection, tenants: Iterable[str], today: int
    ) -> dict[tuple[str, str, str], Decision]:
        found = {}
        of = await pool_days(connection, tenants, today - DAYS + 1, today)
        for (tenant, pool, provider), days in sorted(of.items()):
            measured = measures(provider, sum(d.complaints for d in days))
            why = growth_stop(tenant, pool, provider, days, self._rule, measured=measured)
            if why is not None:
                found[tenant, pool, provider] = why
        return found

    async def _some(self, found: list[Source], *, turn: bool) -> int:
        now = await self.calendar()
        async with self._pool.acquire() as connection:
            seen = await self.judged(connection, found, now, turn=turn)
            moved = {one.source.name for one in seen.judged if _moves(one, seen)}
            still = [one for one in seen.judged if one.source.name not in moved]
            async with connection.transaction():
                new = await write(connection, now, self._rule, filter(_worth, still))
                for whose, why in seen.stops.items():
                    new += await write_stop(connection, now, self._rule, whose, why)
        if moved:
            names = sorted(moved)
            done = await self._publisher.change(WHO, partial(self._decide, names=names, turn=turn))
            for sentence in done.result:
                log.info("%s", sentence)
            new += len(done.result)
        return new

    async def _decide(self, act: Act, *, names: list[str], turn: bool) -> list[str]:
        """A change: judged anew, since another engine, or a person, may have been here."""
        now = act.milliseconds
        if await rows.stopped(act.connection):
            act.no_change("all sending is stopped")
            return []
        found = await sources(act.connection, names=names)
        seen = await self.judged(act.connection, found, now, turn=turn)
        moving = [one for one in seen.judged if _moves(one, seen)]
        if not moving:
            act.no_change("nothing is left to decide: it was done meanwhile")
            return []
        for one in moving:
            await apply(act, one, seen.states, self._warmup)
        await write(act.connection, now, self._rule, filter(_worth, seen.judged))
        return [one.decision.sentence for one in moving]


def _moves(one: Judged, found: Found) -> bool:
    """Whether rows of the plan follow: of a provider that is held, too, when its IP goes on."""
    if one.changes:
        return True
    if not one.provider:
        return False
    row = found.states.get((one.source.name, one.provider))
    own = None if row is None else row.stage
    return any(
        other.source.name == one.source.name
        and not other.provider
        and stays_behind(one.decision, other.decision, own)
        for other in found.judged
    )


def _worth(one: Judged) -> bool:
    """What is written down: not that nothing is to be done."""
    return one.decision.act != "nothing"
