"""The next generation from the last one and the rows that were touched since.

Owns: which parts are made again. Not here: how a row becomes a part (`compile`), what was touched
(`touched`).
Rule: it equals the generation compiled from all rows. What a part is made of and is not a row of
its own is the settings, or a warm-up plan (everything is touched then), or the time: a tenant with
sending hours is made again each time.
"""

from collections.abc import Collection, Sequence
from typing import Protocol, TypeVar

import msgspec

from control.plan import rows
from control.plan.compile import (
    Compiled,
    TenantTerms,
    plan_problems,
    plans_of,
    pool_of,
    server_of,
    tenant_of,
    vmta_of,
)
from control.plan.mailbox import mailbox_limits
from control.plan.rows import Rows
from control.plan.touched import Touched
from control.store.database import Connection
from policy.model import IpState, MailboxLimits, Tenant, VirtualMta
from policy.plan import Generation


async def read_touched(connection: Connection, last: Generation, touched: Touched) -> Rows:
    """The rows that `increment` needs. Of a tenant with one domain touched all domains."""
    mailboxes = [
        row
        for tenant, addresses in touched.mailboxes.items()
        for row in await rows.mailboxes(connection, tenant, addresses)
    ]
    vmtas, pools, servers = touched.vmtas, touched.pools, touched.servers
    tenants, domains = _tenants(last, touched), touched.domains
    return Rows(
        servers=await rows.servers(connection, servers) if servers else [],
        tenants=await rows.tenants(connection, tenants) if tenants else [],
        pools=await rows.pools(connection, pools) if pools else [],
        vmtas=await rows.vmtas(connection, vmtas) if vmtas else [],
        domains=await rows.domains(connection, domains) if domains else [],
        stages=await rows.stages(connection) if vmtas else [],
        mailboxes=mailboxes,
        # A row of its own that each change reads: nobody notes it.
        stopped=await rows.stopped(connection),
    )


def increment(
    last: Generation, touched: Touched, found: Rows, terms: TenantTerms, *, number: int
) -> Compiled:
    """Pure. `found`: from `read_touched`."""
    problems: list[str] = []
    plans = plans_of(found.stages, terms.warmup)
    servers = [server_of(s, problems) for s in found.servers]
    vmtas = [vmta_of(v, plans, problems) for v in found.vmtas]
    pools = [pool_of(p) for p in found.pools]
    tenants = _made(last, touched, found, terms, problems)
    looked_at = [_fresh(tenant, touched.mailboxes.get(tenant.name, ())) for tenant in tenants]
    generation = msgspec.structs.replace(
        last,
        number=number,
        created=terms.created,
        servers=_replaced(last.servers, touched.servers, servers),
        vmtas=_replaced(last.vmtas, touched.vmtas, vmtas),
        pools=_replaced(last.pools, touched.pools, pools),
        tenants=_replaced(last.tenants, _tenants(last, touched), tenants),
        stopped=found.stopped,
    )
    problems += plan_problems(generation, [*servers, *vmtas, *pools, *looked_at])
    return Compiled(generation, problems)


def reaches_powermta(before: Generation, after: Generation, touched: Touched) -> bool:
    """Whether PowerMTA's configuration may differ: a pause is not in it."""
    return (
        bool(touched.domains)
        or any(_source(before, name) != _source(after, name) for name in touched.vmtas)
        or any(_shared(before, name) != _shared(after, name) for name in touched.pools)
    )


def _source(generation: Generation, name: str) -> VirtualMta | None:
    """What is written of it: where it stands, and of what its second wall is made."""
    found = generation.vmta.get(name)
    return None if found is None else msgspec.structs.replace(found, state=IpState.ACTIVE)


def _shared(generation: Generation, name: str) -> tuple[str, tuple[str, ...], str | None] | None:
    found = generation.pool.get(name)
    return None if found is None else (found.tenant, found.members, found.overflow)


def _tenants(last: Generation, touched: Touched) -> set[str]:
    """Those to be made again."""
    timed = {t.name for t in last.tenants if t.window is not None}
    return timed | touched.tenants | touched.domains | set(touched.mailboxes)


def _made(
    last: Generation, touched: Touched, found: Rows, terms: TenantTerms, problems: list[str]
) -> list[Tenant]:
    made = []
    for row in found.tenants:
        before = last.tenant.get(row.name)
        domains = {} if before is None else before.domains
        if row.name in touched.domains:
            domains = {d.domain: d.pool for d in found.domains if d.tenant == row.name}
        mailboxes = {} if before is None else before.mailboxes
        if addresses := touched.mailboxes.get(row.name):
            fresh = {m.address: mailbox_limits(m) for m in found.mailboxes if m.tenant == row.name}
            mailboxes = _limits(mailboxes, addresses, fresh)
        made.append(tenant_of(row, domains, mailboxes, terms, problems))
    return made


def _fresh(tenant: Tenant, touched: Collection[str]) -> Tenant:
    """With the mailboxes that were touched: all others were looked at when they were."""
    mailboxes = {name: tenant.mailboxes[name] for name in touched if name in tenant.mailboxes}
    return msgspec.structs.replace(tenant, mailboxes=mailboxes)


def _limits(
    before: dict[str, MailboxLimits], touched: set[str], fresh: dict[str, MailboxLimits]
) -> dict[str, MailboxLimits]:
    found = before | fresh
    for address in touched - set(fresh):
        found.pop(address, None)
    # One that was there keeps its place.
    if fresh.keys() <= before.keys():
        return found
    return {address: found[address] for address in sorted(found)}


class _Named(Protocol):
    @property
    def name(self) -> str: ...


N = TypeVar("N", bound=_Named)


def _replaced(before: Sequence[N], names: Collection[str], fresh: Sequence[N]) -> tuple[N, ...]:
    if not names:
        return tuple(before)
    kept = [item for item in before if item.name not in names]
    return tuple(sorted([*kept, *fresh], key=lambda item: item.name))
