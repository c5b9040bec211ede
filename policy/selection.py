"""Which VirtualMTA of a pool takes a message: the rule, as a plain function.

The ledger's Lua applies the same rule inside the atomic step, with an index so that it does not
loop over a pool; this form serves the memory twin and is what tests compare the Lua with.
Rule: among the members that fit every limit, the lowest share of allowance used, weights
respected, then the lowest IP as text; else the pool's overflow pool; else the denial that ends
first. The share counts whole strides (`policy.limits.stride`): an IP of a large quota takes up to
ten recipients in a row, never more than a thousandth of its quota; below 2,000 a day IPs take
turns. Limits are exact to the recipient: a stride is an order, and ends where a limit binds.
"""

import math
from collections.abc import Callable, Iterable

import msgspec

from policy.denial import Denied, Limit
from policy.limits import (
    PACE_SLACK,
    day_length,
    interval,
    next_day,
    open_time,
    pace_mark,
    paced,
    paced_until,
    share_used,
    wall_time,
)
from policy.model import UNLIMITED, Pool, VirtualMta, Window
from policy.overflow import chain
from policy.rolling import later


class Usage(msgspec.Struct):
    """What an IP has used today. `relayed` and `opening` by provider are under their totals."""

    relayed: int = 0
    opening: int = 0
    by_provider: dict[str, int] = {}
    opening_by_provider: dict[str, int] = {}
    tat: float = 0.0

    @property
    def used(self) -> int:
        return self.relayed + max(self.opening, 0)


Providers = tuple[tuple[str, int], ...]

Rated = Callable[[Pool | VirtualMta], Denied | None]
"""The limit of a minute or an hour that keeps a message from a pool, or from an IP."""


def _unrated(_: Pool | VirtualMta) -> None:
    return None


def fits(
    vmta: VirtualMta, usage: Usage, providers: Providers, now: int, window: Window | None
) -> Denied | None:
    """None when `vmta` may send these recipients now, else the limit that binds."""
    count = sum(n for _, n in providers)
    if vmta.daily != UNLIMITED and usage.used + count > vmta.daily:
        return Denied(Limit.IP_QUOTA, vmta.name, next_day(now), vmta.daily, usage.used)
    for provider, n in providers:
        ceiling = vmta.ceilings.get(provider)
        used = usage.by_provider.get(provider, 0) + max(
            usage.opening_by_provider.get(provider, 0), 0
        )
        if ceiling is not None and used + n > ceiling:
            subject = f"{vmta.name}/{provider}"
            return Denied(Limit.IP_PROVIDER, subject, next_day(now), ceiling, used)
    if vmta.daily != UNLIMITED and paced(vmta):
        step = interval(vmta.daily, max(usage.opening, 0), window)
        opened = float(open_time(window, now))
        usage.tat = pace_mark(usage.tat, opened, step, vmta.hourly_share, window)
        later = paced_until(usage.tat, opened, step, vmta.hourly_share, count, window)
        if later is not None:
            until = wall_time(window, later, now)
            return Denied(Limit.IP_PACE, vmta.name, until, vmta.daily, usage.used)
    return None


def charged_tat(usage: Usage, step: float, count: int, now: int, window: Window | None) -> float:
    """The pace mark after a charge."""
    return max(usage.tat, float(open_time(window, now))) + count * step


def pace_step(vmta: VirtualMta, usage: Usage, window: Window | None) -> float:
    """The interval a charge costs per recipient; 0 when unpaced."""
    if vmta.daily == UNLIMITED or not paced(vmta):
        return 0.0
    return interval(vmta.daily, max(usage.opening, 0), window)


def choose(
    pool: Pool,
    pools: dict[str, Pool],
    vmtas: dict[str, VirtualMta],
    usage_of: Callable[[str], Usage],
    providers: Providers,
    now: int,
    window: Window | None,
    away: Iterable[str] = (),
    broken: Iterable[str] = (),
    rated: Rated = _unrated,
) -> VirtualMta | Denied:
    """The VirtualMTA, or the denial among all candidates that ends first."""
    unusable_servers, unusable_vmtas = frozenset(away), frozenset(broken)
    denial: Denied | None = None
    for step in chain(pool, pools):
        found: tuple[float, str, VirtualMta] | None = None
        own = _pool_denial(step)
        full = None if step.paused else rated(step)
        if full is not None:
            own = full
        for name in () if step.paused or full is not None else step.members:
            vmta = vmtas[name]
            if not vmta.state.sends:
                continue
            if vmta.server in unusable_servers or name in unusable_vmtas:
                own = sooner(own, Denied(Limit.SERVER_AWAY, step.name, 0, 0, 0))
                continue
            usage = usage_of(vmta.ip)
            refusal = later(fits(vmta, usage, providers, now, window), rated(vmta))
            if refusal is not None:
                own = sooner(own, refusal)
                continue
            key = (share_used(usage.used, vmta.daily, vmta.weight), vmta.ip)
            if found is None or key < found[:2]:
                found = (*key, vmta)
        if found is not None:
            return found[2]
        denial = sooner(denial, own) if denial is not None else own
    assert denial is not None
    return denial


def _pool_denial(pool: Pool) -> Denied:
    limit = Limit.POOL_PAUSED if pool.paused else Limit.NO_IP
    return Denied(limit, pool.name, 0, 0, 0)


def sooner(one: Denied, two: Denied) -> Denied:
    """The denial that ends first. One that names a time beats one that cannot; among those
    without a time the more telling one stays."""
    if one.until and two.until:
        return min(one, two, key=lambda d: (d.until, d.subject))
    if one.until or two.until:
        return one if one.until else two
    return two if one.limit is Limit.NO_IP else one


def biggest_day(pool: Pool, pools: dict[str, Pool], vmtas: dict[str, VirtualMta]) -> int | None:
    """The most recipients one message of this pool can ever have; None is no bound."""
    largest = 0
    for step in chain(pool, pools):
        for name in step.members:
            daily = vmtas[name].daily
            if daily == UNLIMITED:
                return None
            largest = max(largest, int(daily))
    return largest


def room(
    pool: Pool,
    pools: dict[str, Pool],
    vmtas: dict[str, VirtualMta],
    usage_of: Callable[[str], Usage],
    provider: str,
    now: int,
    window: Window | None,
    away: Iterable[str] = (),
    broken: Iterable[str] = (),
    rate_room: Callable[[Pool | VirtualMta], float] = lambda _: math.inf,
) -> float:
    """Recipients of one provider that the pool's IPs, and its overflow's, may take now."""
    unusable_servers, unusable_vmtas = frozenset(away), frozenset(broken)
    total = 0.0
    for step in chain(pool, pools):
        own = 0.0
        for name in () if step.paused else step.members:
            vmta = vmtas[name]
            if (
                vmta.state.sends
                and vmta.server not in unusable_servers
                and name not in unusable_vmtas
            ):
                left = _room(vmta, usage_of(vmta.ip), provider, now, window)
                own += max(min(left, rate_room(vmta)), 0)
        if not step.paused:
            total += max(min(own, rate_room(step)), 0)
    return total


def _room(vmta: VirtualMta, usage: Usage, provider: str, now: int, window: Window | None) -> float:
    left = math.inf if vmta.daily == UNLIMITED else vmta.daily - usage.used
    ceiling = vmta.ceilings.get(provider)
    if ceiling is not None:
        opening = max(usage.opening_by_provider.get(provider, 0), 0)
        left = min(left, ceiling - usage.by_provider.get(provider, 0) - opening)
    if step := pace_step(vmta, usage, window):
        opened = open_time(window, now)
        tolerance = max(step, vmta.hourly_share * day_length(window))
        usage.tat = pace_mark(usage.tat, opened, step, vmta.hourly_share, window)
        left = min(left, (opened + tolerance + PACE_SLACK - usage.tat) // step)
    return max(left, 0)
