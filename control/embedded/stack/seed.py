"""Puts the demo's tenants into a control plane; what is there already stays as it is."""

from control.embedded.stack.demotenants import IPS, PASSWORDS, DemoIp
from control.parts import Parts
from control.plan.rows import of_tenants
from control.sources import domain, ip
from control.sources.domain import NewDomain
from control.sources.ip import IpChange
from control.store.change import Act
from control.tenants import tenant
from control.tenants.tenant import NewTenant

WHO = "sendgate demo"


async def seed(core: Parts) -> None:
    """All of them in one change, or none."""
    async with core.view() as connection:
        rows = await of_tenants(connection, list(PASSWORDS))
    tenants = {t.name for t in rows.tenants}
    domains = {(d.tenant, d.domain) for d in rows.domains}
    new_tenants = [name for name in PASSWORDS if name not in tenants]
    new_ips = [row for row in IPS if (row.tenant, row.domain) not in domains]

    async def act(a: Act) -> None:
        for name in new_tenants:
            await tenant.add(a, NewTenant(name=name, login=name, password=PASSWORDS[name]))
        for row in new_ips:
            await _add(core, a, row)

    if new_tenants or new_ips:
        await core.publisher.change(WHO, act)


async def _add(core: Parts, act: Act, row: DemoIp) -> None:
    new = NewDomain(
        tenant=row.tenant,
        domain=row.domain,
        ip=row.ip,
        pool=row.pool,
        quota=row.quota,
        hourly_share=row.burst,
        overflow=row.overflow,
    )
    await domain.add(act, new, seal=core.seal, warmup=core.settings.warmup)
    if row.ceilings:
        await ip.change(
            act, row.ip, IpChange(ceilings=row.ceilings, reason="demo"), warmup=core.settings.warmup
        )
