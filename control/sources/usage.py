"""Today's use of each IP and provider: pure, by the arithmetic the ledger itself uses."""

import math
from typing import NamedTuple

import msgspec

from control.sources.rates import Left, Rates
from policy.isotime import not_before
from policy.ledger.admin import IpUsage
from policy.limits import day_length, interval, open_time, pace_mark, paced
from policy.model import UNLIMITED, Unlimited, VirtualMta, Window
from policy.rolling import later
from policy.selection import Usage, fits

ALL = "*"


class UsageView(msgspec.Struct, frozen=True, kw_only=True):
    """One IP and one provider today (UTC), in recipients."""

    tenant: str
    ip: str
    vmta: str
    provider: str
    """`*`: all providers together."""
    quota: int | Unlimited
    relayed: int
    opening: int
    """Relayed on earlier days without a final record yet; counts against today."""
    left: int | Unlimited
    pace_now: int | Unlimited
    """How many may go at this moment, by quota, pace and limits of a minute and an hour."""
    next_free: str
    """When the next recipient may go; empty: now, or where `why` says so not before a change."""
    why: str = ""
    """The limit that binds, where `next_free` is later than now; or that the IP is closed."""


def to_usage(counted: IpUsage | None) -> Usage:
    """The ledger's counters as the selection rule reads them."""
    if counted is None:
        return Usage()
    return Usage(
        relayed=counted.relayed,
        opening=counted.opening,
        by_provider=counted.by_provider,
        opening_by_provider=counted.opening_by_provider,
        tat=counted.tat,
    )


def burst(vmta: VirtualMta, usage: Usage, now: int, window: Window | None) -> int | Unlimited:
    """Recipients the pace lets go at `now` (ledger milliseconds)."""
    if vmta.daily == UNLIMITED or not paced(vmta):
        return UNLIMITED
    step = interval(vmta.daily, max(usage.opening, 0), window)
    opened = float(open_time(window, now))
    tolerance = max(step, vmta.hourly_share * day_length(window))
    # Half a millisecond as in policy.limits: sums of intervals carry rounding.
    mark = pace_mark(usage.tat, opened, step, vmta.hourly_share, window)
    return max(0, math.floor((opened + tolerance + 0.5 - mark) / step))


def usage_views(
    vmta: VirtualMta,
    tenant: str,
    counted: IpUsage | None,
    now: int,
    window: Window | None = None,
    closed: str = "",
    rates: Rates | None = None,
) -> list[UsageView]:
    """The IP's row over all providers, then one for each that has a ceiling or a count. `closed`:
    why its quota only looks used up. `rates`: limits of a minute and an hour; None: there are
    none."""
    usage = to_usage(counted)
    seen = {p for p, n in (usage.by_provider | usage.opening_by_provider).items() if n}
    pace = burst(vmta, usage, now, window)
    whole = _left(vmta.daily, usage.relayed, usage.opening)
    of_all = _of_all(vmta, usage)
    each: list[_Row] = [
        (
            provider,
            vmta.ceilings.get(provider, UNLIMITED),
            usage.by_provider.get(provider, 0),
            usage.opening_by_provider.get(provider, 0),
        )
        for provider in sorted(vmta.ceilings.keys() | seen)
    ]
    found = []
    for provider, quota, relayed, opening in (of_all, *each):
        left = _least(_left(quota, relayed, opening), whole)
        free, next_free, why, _ = _when(vmta, tenant, provider, usage, now, window, rates)
        # Made once, whole: an answer has thousands.
        found.append(
            UsageView(
                tenant=tenant,
                ip=vmta.ip,
                vmta=vmta.name,
                provider=provider,
                quota=quota,
                relayed=relayed,
                opening=opening,
                left=left,
                pace_now=_least(_least(pace, left), free),
                next_free=next_free,
                why=closed or why,
            )
        )
    return found


_Row = tuple[str, int | Unlimited, int, int]
"""Provider, quota, relayed, opening."""


def _of_all(vmta: VirtualMta, usage: Usage) -> _Row:
    return ALL, vmta.daily, usage.relayed, usage.opening


class Standing(NamedTuple):
    """Where an IP stands today, all providers together: what `usage_views` says of them first, for
    who looks at thousands each second."""

    left: int | Unlimited
    pace_now: int | Unlimited
    next_free: str
    why: str
    cause: str
    """What binds, by its kind (`ip_quota`, `ip_pace`, `paused`); empty: nothing."""


def standing(
    vmta: VirtualMta,
    tenant: str,
    usage: Usage,
    now: int,
    window: Window | None = None,
    closed: str = "",
    rates: Rates | None = None,
) -> Standing:
    """Of one IP; parameters as of `usage_views`."""
    left = _left(vmta.daily, usage.relayed, usage.opening)
    free, next_free, why, cause = _when(vmta, tenant, ALL, usage, now, window, rates)
    pace = _least(_least(burst(vmta, usage, now, window), left), free)
    return Standing(left, pace, next_free, closed or why, "closed" if closed else cause)


def _left(quota: int | Unlimited, relayed: int, opening: int) -> int | Unlimited:
    return UNLIMITED if quota == UNLIMITED else max(0, quota - relayed - max(opening, 0))


def _when(
    vmta: VirtualMta,
    tenant: str,
    provider: str,
    usage: Usage,
    now: int,
    window: Window | None,
    rates: Rates | None,
) -> tuple[int | Unlimited, str, str, str]:
    """(what limits of a minute and an hour leave, when the next may go, what binds, its kind)."""
    if not vmta.state.sends:
        return 0, "", f"the IP is {vmta.state.value}", vmta.state.value
    of = "" if provider == ALL else provider
    rated = rates.left(vmta, tenant, of) if rates else Left()
    denied = later(fits(vmta, usage, ((of, 1),), now, window), rated.denied)
    if denied is None:
        return rated.now, "", "", ""
    next_free = not_before(denied.until) if denied.until else ""
    return rated.now, next_free, denied.sentence(), denied.limit.value


def _least(one: int | Unlimited, two: int | Unlimited) -> int | Unlimited:
    if one == UNLIMITED:
        return two
    return one if two == UNLIMITED else min(one, two)
