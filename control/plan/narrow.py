"""Limits of a minute or an hour that are narrower than what is to go: warnings, never errors."""

from collections.abc import Iterable

from policy.model import OFF, UNLIMITED, MailboxLimits, Rate, Tenant
from policy.plan import Generation

_A_DAY = {"minute": 1_440, "hour": 24}


def narrow(plan: Generation) -> list[str]:
    """A sentence for each limit that admits less in a day than the mailboxes' minimums below it, or
    than its IPs' quotas, where all of those are numbers. Pure."""
    found: list[str] = []
    for tenant in plan.tenants:
        ips = {name for pool in plan.pools if pool.tenant == tenant.name for name in pool.members}
        found += _said(f"tenant {tenant.name}", tenant.rate, _least([tenant]), _most(plan, ips))
        found += _mailboxes(tenant)
    everything = _most(plan, plan.vmta)
    found += _said("the whole gateway", plan.rate, _least(plan.tenants), everything)
    for pool in plan.pools:
        found += _said(f"pool {pool.name}", pool.rate, 0, _most(plan, pool.members))
    for vmta in plan.vmtas:
        found += _said(f"IP {vmta.ip}", vmta.rate, 0, _most(plan, [vmta.name]))
    return found


def _mailboxes(tenant: Tenant) -> list[str]:
    """One sentence for all of a tenant's: there may be a hundred thousand."""
    common = tenant.mailbox_default
    short = [] if _enough(common, common) else ["each without limits of its own"]
    for name, own in tenant.mailboxes.items():
        # What says nothing of either is as the tenant's.
        if (own.rate != OFF or own.daily_min is not None) and not _enough(own, common):
            short.append(name)
    if not short:
        return []
    more = f" and {len(short) - 1:,} more" if len(short) > 1 else ""
    what = "limits of a minute or an hour of mailboxes admit less in a day than their minimum"
    return [f"tenant {tenant.name}: {what}: {short[0]}{more}"]


def _enough(own: MailboxLimits, common: MailboxLimits) -> bool:
    least = (common.daily_min if own.daily_min is None else own.daily_min) or 0
    for span, times in _A_DAY.items():
        most = getattr(own.rate, span)
        most = getattr(common.rate, span) if most is None else most
        if most is not None and most * times < least:
            return False
    return True


def _least(tenants: Iterable[Tenant]) -> int:
    """Of mailboxes that were named; each takes the tenant's where it has none of its own, and no
    more is due of it than it may send."""
    found = 0
    for tenant in tenants:
        common = tenant.mailbox_default
        for own in tenant.mailboxes.values():
            least = (common.daily_min if own.daily_min is None else own.daily_min) or 0
            most = common.daily_max if own.daily_max is None else own.daily_max
            found += least if most is None else min(least, most)
    return found


def _most(plan: Generation, names: Iterable[str]) -> int | None:
    """Recipients a day; None: one has no bound."""
    quotas = [plan.vmta[name].daily for name in names if plan.vmta[name].state.sends]
    return None if UNLIMITED in quotas else sum(int(quota) for quota in quotas)


def _said(whose: str, rate: Rate, least: int, most: int | None) -> list[str]:
    found = []
    for span, times in _A_DAY.items():
        limit = getattr(rate, span)
        if limit is None:
            continue
        admits = f"the limit of {whose}, {limit:,} in any {span}, admits {limit * times:,} a day"
        if limit * times < least:
            found.append(f"{admits}: its mailboxes' minimums are {least:,}")
        elif most is not None and limit * times < most:
            found.append(f"{admits}: its IPs' quotas are {most:,}")
    return found
