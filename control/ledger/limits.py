"""Limits of a minute and an hour that are set, and what they have used, as of a look.

Not here: those of mailboxes, which each mailbox's view has; there may be a hundred thousand.
"""

from collections.abc import Collection, Iterator
from typing import Any, Literal, NamedTuple, get_args

import msgspec

from policy.isotime import not_before
from policy.ledger.rates import NEVER, rates_used
from policy.model import OFF, Rate, VirtualMta
from policy.plan import Generation
from policy.rolling import SPANS

Level = Literal["gateway", "provider", "tenant", "pool", "ip"]
LEVELS: tuple[Level, ...] = get_args(Level)

SHOWN = 100
"""Of the fullest, in an answer."""


_Set = tuple[str, Rate, Level, str, str]
"""Scope, what is set, level, name, tenant."""


class Limit(NamedTuple):
    """One that is set."""

    level: Level
    name: str
    tenant: str
    """Empty: it is over all tenants."""
    span: str
    most: int
    used: int
    free: int
    """When one more fits, calendar milliseconds; 0: now; `NEVER`."""

    @property
    def fill(self) -> float:
        """Per cent; one of 0 is full."""
        return 100.0 * self.used / self.most if self.most else 100.0


class LimitView(msgspec.Struct, frozen=True, kw_only=True):
    """A limit, and what goes against it now, in recipients."""

    level: Level
    name: str
    """Of the provider, tenant, pool or IP; empty: the whole gateway."""
    tenant: str | None
    """Whose it is; null: it is over all tenants."""
    span: Literal["minute", "hour"]
    """Any 60 or any 3,600 seconds."""
    limit: int
    used: int
    fill: float
    """Per cent."""
    next: str | None
    """When one more fits, ISO time; null: now, or with a limit of 0 never."""


async def limits_used(
    client: Any, root: str, plan: Generation, of: Collection[VirtualMta] | None = None
) -> list[Limit]:
    """All that a plan has but for mailboxes'; `of`: those that IPs meet. Raises redis-py's
    errors."""
    asked = list(_set(plan) if of is None else _met(plan, of))
    found: list[Limit] = []
    used = await rates_used(client, root, [(scope, rate) for scope, rate, *_ in asked])
    for (_, rate, level, name, tenant), spans in zip(asked, used, strict=True):
        for (span, _), most, one in zip(SPANS, (rate.minute, rate.hour), spans, strict=True):
            if most is not None:
                found.append(Limit(level, name, tenant, span, most, one.used, one.free))
    return found


def fullest(limits: list[Limit], tenant: str | None) -> list[LimitView]:
    """The fullest first; of a tenant its own, for the others' say what other tenants send."""
    own = [one for one in limits if tenant in (None, one.tenant)]
    return [
        LimitView(
            level=one.level,
            name=one.name,
            tenant=one.tenant or None,
            span=one.span,  # type: ignore[arg-type]
            limit=one.most,
            used=one.used,
            fill=round(one.fill, 2),
            next=None if one.free in (0, NEVER) else not_before(one.free),
        )
        for one in sorted(own, key=lambda one: -one.fill)[:SHOWN]
    ]


def _met(plan: Generation, of: Collection[VirtualMta]) -> Iterator[_Set]:
    pools = {p.name: p for v in of for p in plan.pools_of.get(v.name, ())}
    met = {"ip": {v.ip for v in of}, "pool": pools.keys()}
    met["tenant"] = {p.tenant for p in pools.values()}
    return (one for one in _set(plan) if one[2] not in met or one[3] in met[one[2]])


def _set(plan: Generation) -> Iterator[_Set]:
    """By the plan's own index: an answer about one IP is not to look at five thousand."""
    tenants, pools, vmtas = plan.rated
    if plan.rate != OFF:
        yield "g", plan.rate, "gateway", "", ""
    for provider, rate in plan.provider_rates.items():
        if rate != OFF:
            yield f"d:{provider}", rate, "provider", provider, ""
    yield from ((f"t:{t.name}", t.rate, "tenant", t.name, t.name) for t in tenants)
    yield from ((f"p:{p.name}", p.rate, "pool", p.name, p.tenant) for p in pools)
    for v in vmtas:
        its = plan.pools_of.get(v.name)
        yield f"i:{v.ip}", v.rate, "ip", v.ip, its[-1].tenant if its else ""
