"""Ready-made plans beside the default one, each with where its shape comes from.

Owns: the arithmetic of rising stages. A stage of a plan that rises by the day is earned by one
counted day, not by seven: the limits of rates are the same.
"""

import math
from collections.abc import Callable, Mapping

import msgspec

from policy.model import Share
from policy.warmup.plan import DEFAULT_PROVIDER_SHARES, Plan, stage_of

START = 50
"""Where every plan begins: the first week of the default one."""
SES_DAYS, SES_TARGET = 45, 50_000
MOST_STAGES = 366


class Ready(msgspec.Struct, frozen=True):
    """A shape of a plan, made for a target."""

    title: str
    source: str
    """Where the shape comes from."""
    target: int
    """Recipients a day when nothing else is said."""
    days: int
    """Counted days a stage."""
    quotas: Callable[[int, int], tuple[int, ...]]
    """(first quota, target) to the quota of each stage."""


def doubling(start: int, target: int) -> tuple[int, ...]:
    """Twice as much each stage, up to the target."""
    return _rising(start, target, 2.0)


def by_thirty_percent(start: int, target: int) -> tuple[int, ...]:
    """1.3 times as much each stage, up to the target."""
    return _rising(start, target, 1.3)


def forty_five(start: int, target: int) -> tuple[int, ...]:
    """The target on day 45, by the same factor each day."""
    factor = (target / start) ** (1 / (SES_DAYS - 1))
    exact = (start * factor**day for day in range(SES_DAYS))
    return _strictly([round(quota) for quota in exact], target)


def _rising(start: int, target: int, factor: float) -> tuple[int, ...]:
    quotas = [start]
    while quotas[-1] < target and len(quotas) < MOST_STAGES:
        quotas.append(max(quotas[-1] + 1, math.floor(quotas[-1] * factor)))
    return _strictly(quotas, target)


def _strictly(quotas: list[int], target: int) -> tuple[int, ...]:
    """Each above the one before, none above the target."""
    found: list[int] = []
    for quota in quotas:
        capped = min(quota, target)
        if not found or capped > found[-1]:
            found.append(capped)
    return tuple(found)


READY: dict[str, Ready] = {
    "doubling": Ready(
        "twice as much each week until the target",
        "iPost's rule of thumb: double below 50,000 a day",
        10_000,
        7,
        doubling,
    ),
    "daily-30": Ready(
        "1.3 times as much each counted day until the target",
        "Mailtrap's automatic warm-up: 30 % more a day",
        10_000,
        1,
        by_thirty_percent,
    ),
    "ses-45": Ready(
        "50,000 a day within 45 days, a step each counted day",
        "https://aws.amazon.com/about-aws/whats-new/2017/03/"
        "amazon-ses-can-now-automatically-warm-up-your-dedicated-ip-addresses/",
        SES_TARGET,
        1,
        forty_five,
    ),
}


def ready_plan(
    name: str,
    *,
    target: int | None = None,
    start: int = START,
    shares: Mapping[str, Share] | None = None,
) -> Plan:
    """A ready-made plan. Raises ValueError for a name that there is not, and for a target that is
    not above the start."""
    shape = READY.get(name)
    if shape is None:
        raise ValueError(f"no ready-made plan {name!r}; known: {', '.join(sorted(READY))}")
    wanted = shape.target if target is None else target
    if not 0 < start < wanted:
        raise ValueError(f"target {wanted} is not above the start of {start} a day")
    used = DEFAULT_PROVIDER_SHARES if shares is None else shares
    stages = tuple(stage_of(quota, used) for quota in shape.quotas(start, wanted))
    return Plan(name=name, stages=stages, days=shape.days)
