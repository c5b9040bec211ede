"""What would be: the rule and a plan played forward from where an IP is, or for IPs that begin one
after another. Changes nothing."""

from collections.abc import Awaitable, Callable
from typing import Annotated

import msgspec

from control.plan import rows
from control.plan.compile import DEFAULT_PLAN, plans_of
from control.problem import RefusedError, missing, taken
from control.store.database import Connection
from control.values.ip import normal_ip
from control.values.wanted import DURATION, meant
from control.warmup.evidence import NOTHING, seen_of
from control.warmup.rule import rule_of
from control.warmup.simulation import (
    Rate,
    SimulatedDay,
    Simulation,
    SimulationAsked,
    parts_of,
)
from control.warmup.source import plan_of, quota_of, sources
from policy.isotime import date_of
from policy.ledger.admin import LedgerAdmin
from policy.limits import day_of
from policy.model import Name
from policy.warmup.evidence import sums
from policy.warmup.plan import Plan
from policy.warmup.simulation import Start, growth, simulate
from policy.warmup.traffic import Assumed
from settings.model import Warmup

PAST = 30
"""Days whose rates are assumed where none are said."""
WEEK = 7 * 86_400.0


class GrowthAsked(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Domains, each with its IP, that begin one after another."""

    domains: Annotated[Annotated[int, msgspec.Meta(ge=1, le=1_000)], meant("How many.")] = 50
    every: Annotated[
        Annotated[float, msgspec.Meta(ge=86_400, le=365 * 86_400)],
        meant("Between two of them, in seconds; whole days."),
        DURATION,
    ] = WEEK
    plan: Annotated[Name | None, meant("Warm-up plan; else default.")] = None
    bounces: Annotated[Rate | None, meant("Per cent of relayed; else a healthy IP's.")] = None
    complaints: Annotated[Rate | None, meant("Per cent of delivered; the same.")] = None


class GrowthWeek(msgspec.Struct, frozen=True, kw_only=True):
    """On the last day of a week."""

    week: int
    begun: int
    active: int
    capacity: int
    """Recipients a day of all."""


class Growth(msgspec.Struct, frozen=True, kw_only=True):
    """Until all are ACTIVE, or for as long as is looked."""

    plan: str
    weeks: list[GrowthWeek]
    all_active_week: int | None


LOOKED_BEYOND = 728
"""Days after the last one began."""


class WhatIf:
    """Asks the engine's own rule."""

    def __init__(
        self, calendar: Callable[[], Awaitable[int]], admin: LedgerAdmin, warmup: Warmup
    ) -> None:
        self._calendar = calendar
        self._admin = admin
        self._warmup = warmup
        self._rule = rule_of(warmup)

    async def simulation(
        self, connection: Connection, asked: SimulationAsked, tenant: str | None
    ) -> Simulation:
        """`tenant`: who may only ask about its IPs. Raises RefusedError."""
        today = day_of(await self._calendar())
        plans = plans_of(await rows.stages(connection), self._warmup)
        healthy = self._rule.bounces.healthy, self._rule.complaints.healthy
        if asked.ip is None:
            start = Start(
                label="the IP", plan=_named(plans, asked.plan or DEFAULT_PLAN), today=today
            )
            own = healthy
        else:
            start, past = await self._from(connection, asked, tenant, plans, today)
            own = healthy if past is None else past
        bounces = own[0] if asked.bounces is None else asked.bounces / 100
        complaints = own[1] if asked.complaints is None else asked.complaints / 100
        assumed = Assumed(
            bounces=bounces,
            complaints=complaints,
            wanted=asked.a_day,
            cool_down=self._warmup.cool_down,
            parts=parts_of(asked, bounces, complaints),
        )
        found = simulate(start, self._rule, assumed, asked.days)
        active = next((d.day for d in found if d.state == "active"), None)
        paused = next((d.day for d in found if d.act == "pause"), None)
        return Simulation(
            ip=start.label if asked.ip else "",
            plan=start.plan.name,
            bounces=round(bounces * 100, 4),
            complaints=round(complaints * 100, 4),
            active_on=None if active is None else date_of(active),
            paused_on=None if paused is None else date_of(paused),
            days=[
                SimulatedDay(
                    date=date_of(d.day),
                    stage=d.stage,
                    state=d.state,
                    quota=d.quota,
                    sent=d.sent,
                    waiting=d.waiting,
                    waits_days=round(d.waiting / d.quota, 1) if d.quota else 0.0,
                    act=d.act,
                    sentence=d.sentence,
                    providers=list(d.providers),
                )
                for d in found
            ],
        )

    async def _from(
        self,
        connection: Connection,
        asked: SimulationAsked,
        tenant: str | None,
        plans: dict[str, Plan],
        today: int,
    ) -> tuple[Start, tuple[float, float] | None]:
        """(where the IP is, its own rates)."""
        address = normal_ip(asked.ip or "")
        found = await sources(connection, ips=[address], tenant=tenant)
        if not found:
            raise missing("IP", address)
        source = found[0]
        plan = plan_of(source, plans) if asked.plan is None else _named(plans, asked.plan)
        if plan is None or (asked.plan is None and not source.on_plan):
            raise RefusedError(
                f"IP {address} is not on a warm-up plan: say which with plan, or put it back with "
                f"`sendgate warmup resume {address} --reason …`"
            )
        if source.state not in ("warming", "active", "paused"):
            raise RefusedError(f"IP {address} is {source.state}: warm-up decides nothing about it")
        seen = (await seen_of(connection, self._admin, found, today)).get(source.name, NOTHING)
        days = seen.days.get("", ())
        past = sums(d for d in days if d.day > today - PAST)
        rates = None
        if past.relayed:
            rates = (past.bounced / past.relayed, past.complaints / max(1, past.delivered))
        same = asked.plan in (None, source.plan)
        start = Start(
            label=source.ip,
            plan=plan,
            today=today,
            stage=min(source.stage or 1, len(plan.stages)) if same else 1,
            # One that is paused by hand goes on when it is resumed: from here.
            state="active" if source.state == "active" and same else "warming",
            since=source.since_day if same else today,
            quota=quota_of(source, plan) if source.grown is not None and same else 0,
            days=tuple(days) if same else (),
        )
        return start, rates

    async def growth(self, connection: Connection, asked: GrowthAsked) -> Growth:
        """Raises RefusedError."""
        plans = plans_of(await rows.stages(connection), self._warmup)
        plan = _named(plans, asked.plan or DEFAULT_PLAN)
        bounces, complaints = self._rule.bounces.healthy, self._rule.complaints.healthy
        assumed = Assumed(
            bounces=bounces if asked.bounces is None else asked.bounces / 100,
            complaints=complaints if asked.complaints is None else asked.complaints / 100,
            cool_down=self._warmup.cool_down,
        )
        every = int(asked.every // 86_400)
        last = (asked.domains - 1) * every
        found = growth(
            plan,
            self._rule,
            assumed,
            ips=asked.domains,
            every=every,
            days=min(last + LOOKED_BEYOND, MOST_DAYS),
        )
        weeks = [
            GrowthWeek(week=at // 7 + 1, begun=one.begun, active=one.active, capacity=one.capacity)
            for at, one in enumerate(found)
            if at % 7 == 6
        ]
        whole = next((w.week for w in weeks if w.active == asked.domains), None)
        end = len(weeks) if whole is None else whole
        return Growth(plan=plan.name, weeks=weeks[:end], all_active_week=whole)


MOST_DAYS = 3_650
"""Ten years."""


def _named(plans: dict[str, Plan], name: str) -> Plan:
    found = plans.get(name)
    if found is None:
        known = ", ".join(sorted(plans))
        raise taken("plan", f"there is no warm-up plan {name}; known: {known}")
    return found
