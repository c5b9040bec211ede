"""Warm-up plans: stages, each with a day's quota and ceilings per provider.

Owns: the default plan and the arithmetic from a stage to limits. Not here: when an IP moves to
the next stage (control decides that on evidence), counting (the ledger).
Rule: an IP past its last stage keeps the last stage's quota; "no plan" is never unlimited.
Sources: the weeks are the operator's own (`WARMUP_WEEK1_QUOTA` … `WARMUP_WEEK6_QUOTA`);
the provider shares follow what warm-up services publish: no provider gets more than about
half of a cold IP's day, Microsoft less.
"""

import msgspec

from policy.model import Count, Name, Share

DEFAULT_WEEKS = (50, 200, 500, 1_500, 5_000, 10_000)

DEFAULT_PROVIDER_SHARES: dict[str, float] = {
    "gmail": 0.6,
    "microsoft": 0.4,
    "yahoo": 0.4,
    "apple": 0.4,
}


class Stage(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One step of a plan."""

    quota: Count
    ceilings: dict[str, Count] = {}


class Plan(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A named warm-up plan. Stages are counted from 1."""

    name: Name
    stages: tuple[Stage, ...]


def stage_of(quota: int, shares: dict[str, Share]) -> Stage:
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


def limits(plan: Plan, stage: int) -> Stage:
    """The limits of stage `stage` (from 1). Past the end: the last stage. Raises ValueError
    for a plan without stages or a stage below 1, which stops the generation."""
    if not plan.stages:
        raise ValueError(f"warm-up plan {plan.name} has no stages")
    if stage < 1:
        raise ValueError(f"warm-up plan {plan.name}: stage {stage} is below 1")
    return plan.stages[min(stage, len(plan.stages)) - 1]
