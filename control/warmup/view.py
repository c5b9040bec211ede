"""Warm-up of an IP as the API shows it: where it is, on what evidence, and what comes next."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated

import msgspec

from control.sources.ipview import IpQuery
from control.values.ip import IpText
from control.values.provider import ProviderText
from control.values.wanted import meant
from control.warmup.evidence import NOTHING, Seen
from control.warmup.judge import Judged
from control.warmup.source import Kept, Source, quota_of
from policy.isotime import instant, not_before
from policy.limits import DAY
from policy.model import Name
from policy.warmup.evidence import sums
from policy.warmup.plan import Plan

RATES_OF = 7
"""Days of the rates that are shown, the present one with them."""


class ProviderView(msgspec.Struct, frozen=True, kw_only=True):
    """A provider at an IP that is not where its IP is, or is about to be."""

    provider: str
    stage: int | None
    state: str
    pause_ends: str | None
    """Null: by hand, or there is none."""
    override: str
    next: str
    """What would be decided if the day ended now; empty: it goes where its IP goes."""


class WarmupQuery(IpQuery, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Every one that is given must match."""

    ip: Annotated[IpText | None, meant("Only this one.")] = None
    plan: Annotated[Name | None, meant("Only those on this plan.")] = None
    provider: Annotated[
        ProviderText | None,
        meant("Only those that are paused, or at a stage of their own, at this provider."),
    ] = None


class WarmupView(msgspec.Struct, frozen=True, kw_only=True):
    """Rates are per cent of the last seven days."""

    id: int
    ip: str
    vmta: str
    tenant: str
    state: str
    plan: str | None
    """Null: its quota is its own."""
    stage: int | None
    stages: int | None
    quota: int | None
    """Recipients a day; null: unlimited."""
    target: int | None
    """Of the plan's last stage."""
    since: str
    counted_days: int
    needed_days: int
    sent_7d: int
    bounce_rate_7d: float
    spam_rate_7d: float
    pause_ends: str | None
    override: str
    """What stands by hand; empty: nothing does."""
    override_ends: str | None
    act: str
    """What would be decided if the day ended now, and its sentence."""
    next: str
    providers: list[ProviderView]

    @property
    def phase(self) -> str:
        """As `phase_of`."""
        return phase_of(self.state, self.stage)


def phase_of(state: str, stage: int | None) -> str:
    """`week_1` … by the stage; `active` past the plan and for a quota of its own."""
    return "active" if stage is None or state == "active" else f"week_{stage}"


class PlanRow(msgspec.Struct, frozen=True, kw_only=True):
    """As callers of /api/v1/warmup/plans read it; rates in per cent."""

    id: int
    ip: str
    tenant: str
    phase: str
    current_daily_quota: int | None
    paused: bool
    bounce_rate_7d: float
    spam_rate_7d: float
    target: int | None


class PhaseView(msgspec.Struct, frozen=True, kw_only=True):
    """IPs in one phase."""

    phase: str
    ips: int
    daily_quota: int
    """Of all that are not paused."""


class Overview(msgspec.Struct, frozen=True, kw_only=True):
    """All IPs."""

    total_ips: int
    paused: int
    daily_quota: int
    """Recipients a day of all that are not paused and have a limit."""
    phases: list[PhaseView]


def view(
    source: Source,
    its: Sequence[Judged],
    kept: Mapping[str, Kept],
    seen: Seen | None,
    plan: Plan,
    now: int,
) -> WarmupView:
    """Of one IP. `its`: what was judged of it, as if the day ended now; `kept`: its rows, by
    provider."""
    own = next((one for one in its if not one.provider), None)
    row = kept.get("") or Kept(vmta=source.name, provider="")
    today = now // DAY
    days = (seen or NOTHING).days.get("", ())
    week = sums(d for d in days if today - RATES_OF < d.day <= today)
    on_plan = source.on_plan
    cool = row.cool_until if source.state == "paused" and row.since == source.since else None
    said = {one.provider: one.decision.sentence for one in its if one.provider}
    held = {
        provider: other
        for provider, other in kept.items()
        if provider and (other.paused or other.stage is not None or other.standing(now))
    }
    return WarmupView(
        id=source.id,
        ip=source.ip,
        vmta=source.name,
        tenant=source.tenant,
        state=source.state,
        plan=plan.name if on_plan else None,
        stage=source.stage if on_plan else None,
        stages=len(plan.stages) if on_plan else None,
        quota=None if source.quota_source == "unlimited" else quota_of(source, plan),
        target=plan.stages[-1].quota if on_plan else None,
        since=instant(source.since),
        counted_days=own.decision.counted.days if own is not None else 0,
        needed_days=plan.days,
        sent_7d=week.relayed,
        bounce_rate_7d=percent(week.bounced, week.relayed),
        spam_rate_7d=percent(week.complaints, week.delivered),
        pause_ends=_end(cool),
        override=row.standing(now),
        override_ends=not_before(row.override_until)
        if row.override_until is not None and row.standing(now)
        else None,
        act=own.decision.act if own is not None else "nothing",
        next=own.decision.sentence if own is not None else "",
        providers=[
            _provider(source, provider, held.get(provider), said.get(provider, ""), now)
            for provider in sorted({*held, *said})
        ],
    )


def _provider(source: Source, provider: str, row: Kept | None, said: str, now: int) -> ProviderView:
    stage = source.stage if row is None or row.stage is None else row.stage
    paused = row is not None and row.paused
    return ProviderView(
        provider=provider,
        stage=stage if source.on_plan else None,
        state="paused" if paused else "warming",
        pause_ends=_end(row.cool_until) if row is not None and paused else None,
        override="" if row is None else row.standing(now),
        next=said,
    )


def plan_row(of: WarmupView) -> PlanRow:
    """The older shape."""
    return PlanRow(
        id=of.id,
        ip=of.ip,
        tenant=of.tenant,
        phase=of.phase,
        current_daily_quota=of.quota,
        paused=of.state == "paused",
        bounce_rate_7d=of.bounce_rate_7d,
        spam_rate_7d=of.spam_rate_7d,
        target=of.target,
    )


def overview(of: Iterable[tuple[Source, Plan]]) -> Overview:
    """Sums of all: of what is set, so that no evidence is read for them."""
    known = [
        (
            source,
            source.stage if source.on_plan else None,
            None if source.quota_source == "unlimited" else quota_of(source, plan),
        )
        for source, plan in of
    ]
    phases: dict[tuple[bool, int, str], list[int]] = {}
    for source, stage, quota in known:
        phase = phase_of(source.state, stage)
        sends = 0 if source.state not in ("warming", "active") else quota or 0
        phases.setdefault((phase == "active", stage or 0, phase), []).append(sends)
    named: dict[str, list[int]] = {}
    for (*_, phase), found in sorted(phases.items()):
        named.setdefault(phase, []).extend(found)
    return Overview(
        total_ips=len(known),
        paused=sum(source.state == "paused" for source, *_ in known),
        daily_quota=sum(map(sum, named.values())),
        phases=[
            PhaseView(phase=phase, ips=len(found), daily_quota=sum(found))
            for phase, found in named.items()
        ],
    )


def percent(part: int, whole: int) -> float:
    """Of nothing 0."""
    return round(100 * part / whole, 4) if whole else 0.0


def _end(day: int | None) -> str | None:
    return None if day is None else instant(day * DAY)
