"""Warm-up plans: stages, each with a day's quota and ceilings per provider.

Owns: plans as such and the arithmetic from a stage to limits. Not here: when an IP moves to the
next stage (`policy.warmup.decision`), ready-made plans (`policy.warmup.ready`), counting (the
ledger).
Rule: an IP past its last stage keeps the last stage's quota; "no plan" is never unlimited.
Sources: the weeks are the operator's own (`WARMUP_WEEK1_QUOTA` … `WARMUP_WEEK6_QUOTA`);
the provider shares follow what warm-up services publish: no provider gets more than about
half of a cold IP's day, Microsoft less.
"""

from collections.abc import Mapping
from typing import Annotated, Literal

import msgspec

from policy.model import Count, Name, Share

DEFAULT_WEEKS = (50, 200, 500, 1_500, 5_000, 10_000)

DEFAULT_PROVIDER_SHARES: dict[str, float] = {
    "gmail": 0.6,
    "microsoft": 0.4,
    "yahoo": 0.4,
    "apple": 0.4,
}


MAX_GROWTH = 1.3
"""Most by which an IP may grow in a week once its plan has ended."""


class Stage(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One step of a plan."""

    quota: Count
    ceilings: dict[str, Count] = {}


class Plan(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A named warm-up plan. Stages are counted from 1."""

    name: Name
    stages: tuple[Stage, ...]
    days: Annotated[int, msgspec.Meta(ge=1, le=28)] = 7
    """Counted days of evidence before a step."""
    growth: Annotated[float, msgspec.Meta(ge=1, le=MAX_GROWTH)] = 1.0
    """What an IP past the last stage is multiplied by after each such window; 1: it stays."""
    breach: Literal["pause", "step_back"] = "pause"
    """What a rate over its limit does."""


def stage_of(quota: int, shares: Mapping[str, Share]) -> Stage:
    """A stage whose provider ceilings are shares of its quota, at least 1 where the quota is."""
    ceilings = {
        provider: max(1, round(quota * share)) if quota else 0
        for provider, share in shares.items()
        if share < 1.0
    }
    return Stage(quota=quota, ceilings=ceilings)


def default_plan(
    weeks: tuple[int, ...] = DEFAULT_WEEKS,
    shares: dict[str, Share] | None = None,
) -> Plan:
    """The plan every new IP starts with."""
    used = DEFAULT_PROVIDER_SHARES if shares is None else shares
    return Plan(name="default", stages=tuple(stage_of(week, used) for week in weeks))


def limits(plan: Plan, stage: int, providers: Mapping[str, int] | None = None) -> Stage:
    """The limits of stage `stage` (from 1). Past the end: the last stage. `providers`: the stages
    of those that evidence holds below the IP's; one above it counts as the IP's.

    Raises ValueError for a plan without stages or a stage below 1, which stops the generation."""
    found = _at(plan, stage)
    held = {}
    for provider, own in (providers or {}).items():
        if own < stage:
            lower = _at(plan, own)
            # Without a share of its own a provider may have the whole of its stage.
            held[provider] = lower.ceilings.get(provider, lower.quota)
    return Stage(quota=found.quota, ceilings=found.ceilings | held) if held else found


def _at(plan: Plan, stage: int) -> Stage:
    if not plan.stages:
        raise ValueError(f"warm-up plan {plan.name} has no stages")
    if stage < 1:
        raise ValueError(f"warm-up plan {plan.name}: stage {stage} is below 1")
    return plan.stages[min(stage, len(plan.stages)) - 1]


def problems(plan: Plan) -> list[str]:
    """Why a plan cannot be used, a sentence each; empty: it can."""
    if not plan.stages:
        return ["a plan needs at least one stage"]
    found = []
    before = 0
    for number, stage in enumerate(plan.stages, 1):
        if stage.quota == 0:
            found.append(f"stage {number}: 0 a day is no stage; pause the IP instead")
        elif stage.quota <= before:
            found.append(
                f"stage {number}: {stage.quota} a day is not above the {before} of stage "
                f"{number - 1}; stages rise"
            )
        before = max(before, stage.quota)
        for provider, ceiling in sorted(stage.ceilings.items()):
            if ceiling > stage.quota:
                found.append(
                    f"stage {number}: the ceiling of {provider} ({ceiling}) is above the day's "
                    f"quota ({stage.quota})"
                )
    return found
