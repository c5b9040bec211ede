"""What a rollback to an earlier plan sets again, and what it leaves; pure.

Rule: it says where mail goes and by which terms, never how much an IP may send or whether it may. A
plan of last week has last week's quotas, and was made before the pauses that a warm-up guard or an
operator made since: these stand in today's evidence, and so do the ledger's counts, which no plan
has. Ways in stay, too: a password that became known, or a network that was closed, must not let
anybody in again. What was added since stays, what was removed does not come back: its keys, its
mail and its place at PowerMTA are gone.
"""

from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from control.problem import counted
from policy.model import Pool, Tenant, VirtualMta
from policy.plan import Generation

Named = dict[str, Any]
"""Field of a change to the value it is to have."""


class Steps(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be set; each where it is otherwise now."""

    domains: dict[tuple[str, str], str] = {}
    """(Tenant, domain) to its pool."""
    joins: list[tuple[str, str, str]] = []
    """(Tenant, pool, VirtualMTA) that belong together again."""
    leaves: list[tuple[str, str]] = []
    """(Pool, VirtualMTA) that do not any more."""
    pools: dict[str, Named] = {}
    ips: dict[str, Named] = {}
    tenants: dict[str, Named] = {}
    stays: list[str] = []
    """Sentences: what is otherwise and is left as it is today."""

    @property
    def nothing(self) -> bool:
        """Whether all that may be set is so already."""
        return not (
            self.domains or self.joins or self.leaves or self.pools or self.ips or self.tenants
        )


_TERMS: dict[str, Callable[[Tenant], Any]] = {
    **{
        name: lambda t, name=name: getattr(t, name)  # type: ignore[misc]
        for name in (
            *("profile", "strict", "senders", "max_recipients", "mailbox", "unreadable_from"),
            *("suppressed", "mailbox_unknown", "mailbox_ramp", "mailbox_ramp_days", "weight"),
        )
    },
    "per_minute": lambda t: t.rate.minute,
    "mailbox_max": lambda t: t.mailbox_default.daily_max,
    "mailbox_minute": lambda t: t.mailbox_default.rate.minute,
    "mailbox_hour": lambda t: t.mailbox_default.rate.hour,
}
"""Terms of which a plan has what was said. Of others it may have what a setting says, and a number
in place of that would hide the setting from then on."""

_OTHER_TERMS: dict[str, Callable[[Tenant], Any]] = {
    "per_hour": lambda t: t.rate.hour,
    "hours": lambda t: None if t.window is None else (t.window.start, t.window.length),
    "hold": lambda t: t.hold,
    "duplicates": lambda t: t.duplicates,
    "mailbox_min": lambda t: t.mailbox_default.daily_min,
    "mailbox_spacing": lambda t: (t.mailbox_default.spacing, t.mailbox_default.spacing_max),
    "dsn": lambda t: t.dsn,
}

_POOL: dict[str, Callable[[Pool], Any]] = {
    "overflow": lambda p: p.overflow,
    "per_minute": lambda p: p.rate.minute,
    "per_hour": lambda p: p.rate.hour,
}
_IP: dict[str, Callable[[VirtualMta], Any]] = {
    "weight": lambda v: v.weight,
    "hourly_share": lambda v: v.hourly_share,
    "per_minute": lambda v: v.rate.minute,
    "per_hour": lambda v: v.rate.hour,
}


def decided(then: Generation, now: Generation) -> Steps:
    """From `now` towards `then`."""
    tenants = {
        name: (before, now.tenant[name])
        for name, before in then.tenant.items()
        if name in now.tenant and before.id == now.tenant[name].id
    }
    pools = {
        name: (before, now.pool[name])
        for name, before in then.pool.items()
        if name in now.pool and before.tenant == now.pool[name].tenant and before.tenant in tenants
    }
    vmtas = {
        name: (before, now.vmta[name])
        for name, before in then.vmta.items()
        if name in now.vmta and before.ip == now.vmta[name].ip
    }
    domains = {
        (name, domain): pool
        for name, (before, after) in tenants.items()
        for domain, pool in before.domains.items()
        if pool in pools and after.domains.get(domain, pool) != pool
    }
    joins, leaves = _members(pools, vmtas.keys())
    changed_pools = {
        name: _otherwise(_POOL, *two)
        for name, two in pools.items()
        # Where a pool overflowed into one that is gone, it overflows where it does now.
        if two[0].overflow is None or two[0].overflow in pools
    }
    return Steps(
        domains=domains,
        joins=joins,
        leaves=leaves,
        pools=_some(changed_pools),
        ips=_some({two[1].ip: _otherwise(_IP, *two) for two in vmtas.values()}),
        tenants=_some({name: _otherwise(_TERMS, *two) for name, two in tenants.items()}),
        stays=list(_stays(then, now, list(tenants.values()), list(pools.values()), vmtas)),
    )


def _otherwise(fields: dict[str, Callable[[Any], Any]], before: Any, after: Any) -> Named:
    """What `before` had, where it was another."""
    return {name: read(before) for name, read in fields.items() if read(before) != read(after)}


def _some(found: dict[str, Named]) -> dict[str, Named]:
    return {name: values for name, values in found.items() if values}


def _members(
    pools: dict[str, tuple[Pool, Pool]], known: Any
) -> tuple[list[tuple[str, str, str]], list[tuple[str, str]]]:
    joins, leaves = [], []
    for name, (before, after) in pools.items():
        was, is_ = set(before.members) & known, set(after.members) & known
        joins += [(before.tenant, name, vmta) for vmta in sorted(was - is_)]
        leaves += [(name, vmta) for vmta in sorted(is_ - was)]
    return joins, leaves


def _stays(
    then: Generation,
    now: Generation,
    tenants: list[tuple[Tenant, Tenant]],
    pools: list[tuple[Pool, Pool]],
    vmtas: dict[str, tuple[VirtualMta, VirtualMta]],
) -> Iterator[str]:
    limited = [
        after.ip
        for before, after in vmtas.values()
        if (before.state, before.daily, before.ceilings)
        != (after.state, after.daily, after.ceilings)
    ]
    if limited:
        yield (
            f"what may be sent, and what is paused: {counted(limited, 'IP')}, as warm-up or an "
            "operator left it (`sendgate ip set`, `sendgate warmup resume`)"
        )
    paused = [a.name for b, a in tenants if b.paused != a.paused]
    paused += [a.name for b, a in pools if b.paused != a.paused]
    paused += [a.name for b, a in tenants if b.paused_campaigns != a.paused_campaigns]
    if paused:
        yield f"pauses and what was resumed: {', '.join(dict.fromkeys(paused))}"
    if then.stopped != now.stopped:
        yield "whether all sending is stopped"
    ways = [a.name for b, a in tenants if (b.logins, b.networks) != (a.logins, a.networks)]
    if ways:
        yield f"logins, their passwords and networks: of {counted(ways, 'tenant')}"
    moved = [a.ip for b, a in vmtas.values() if (b.server, b.host_name) != (a.server, a.host_name)]
    if moved:
        yield f"server and host name: of {counted(moved, 'IP')}"
    if any(s != now.server.get(s.name) for s in then.servers):
        yield "addresses of PowerMTA servers"
    for field, read in _OTHER_TERMS.items():
        if named := [a.name for b, a in tenants if read(b) != read(a)]:
            yield f"{field}: of {counted(named, 'tenant')} (`sendgate tenant set`)"
    if boxes := [a.name for b, a in tenants if b.mailboxes != a.mailboxes]:
        yield f"limits of mailboxes: of {counted(boxes, 'tenant')}"
    old, new = _names(then), _names(now)
    for noun in old:
        if added := sorted(new[noun] - old[noun]):
            yield f"what was added since: {counted(added, noun)}"
        if gone := sorted(old[noun] - new[noun]):
            yield f"what was removed since, and does not come back: {counted(gone, noun)}"


def _names(plan: Generation) -> dict[str, set[str]]:
    return {
        "tenant": set(plan.tenant),
        "pool": set(plan.pool),
        "IP": {vmta.ip for vmta in plan.vmtas},
        "domain": {domain for tenant in plan.tenants for domain in tenant.domains},
    }
