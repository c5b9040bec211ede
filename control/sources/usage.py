"""Today's use of each IP and provider: pure, by the arithmetic the ledger itself uses."""

import math

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
    views = [_view(vmta, tenant, ALL, vmta.daily, usage.relayed, usage.opening, pace)]
    views += [
        _view(
            vmta,
            tenant,
            provider,
            vmta.ceilings.get(provider, UNLIMITED),
            usage.by_provider.get(provider, 0),
            usage.opening_by_provider.get(provider, 0),
            pace,
        )
        for provider in sorted(vmta.ceilings.keys() | seen)
    ]
    whole = views[0].left
    found = [
        _when(
            v, vmta, usage, now, window, whole,
            rates.left(vmta, tenant, "" if v.provider == ALL else v.provider) if rates else Left(),
        )
        for v in views
    ]  # fmt: skip
    return [msgspec.structs.replace(v, why=closed) for v in found] if closed else found


def _view(
    vmta: VirtualMta,
    tenant: str,
    provider: str,
    quota: int | Unlimited,
    relayed: int,
    opening: int,
    pace: int | Unlimited,
) -> UsageView:
    left = UNLIMITED if quota == UNLIMITED else max(0, quota - relayed - max(opening, 0))
    return UsageView(
        tenant=tenant,
        ip=vmta.ip,
        vmta=vmta.name,
        provider=provider,
        quota=quota,
        relayed=relayed,
        opening=opening,
        left=left,
        pace_now=pace,
        next_free="",
    )


def _when(
    view: UsageView,
    vmta: VirtualMta,
    usage: Usage,
    now: int,
    window: Window | None,
    whole: int | Unlimited,
    rated: Left,
) -> UsageView:
    """Adds when the next recipient may go, and narrows left and pace to what binds."""
    left = _least(view.left, whole)
    if not vmta.state.sends:
        return msgspec.structs.replace(
            view, left=left, pace_now=0, why=f"the IP is {vmta.state.value}"
        )
    provider = "" if view.provider == ALL else view.provider
    denied = later(fits(vmta, usage, ((provider, 1),), now, window), rated.denied)
    return msgspec.structs.replace(
        view,
        left=left,
        pace_now=_least(_least(view.pace_now, left), rated.now),
        next_free=not_before(denied.until) if denied and denied.until else "",
        why=denied.sentence() if denied else "",
    )


def _least(one: int | Unlimited, two: int | Unlimited) -> int | Unlimited:
    if one == UNLIMITED:
        return two
    return one if two == UNLIMITED else min(one, two)
