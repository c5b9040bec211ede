"""Pools as the API shows them."""

import msgspec

from control.plan.rows import Rows


class PoolDetail(msgspec.Struct, frozen=True, kw_only=True):
    """A pool with what is in it and what uses it."""

    id: int
    name: str
    tenant: str
    default: bool
    """Domains of the tenant that were not added use it."""
    ips: list[str]
    domains: list[str]
    overflow: str | None
    paused: bool


def pool_details(rows: Rows, tenant: str | None = None) -> list[PoolDetail]:
    """The pools of one tenant, or of all, by name."""
    defaults = {t.name: t.default_pool for t in rows.tenants}
    addresses = {v.name: v.ip for v in rows.vmtas}
    domains: dict[str, list[str]] = {}
    for row in rows.domains:
        domains.setdefault(row.pool, []).append(row.domain)
    return [
        PoolDetail(
            id=p.id,
            name=p.name,
            tenant=p.tenant,
            default=defaults.get(p.tenant) == p.name,
            ips=[addresses[name] for name in p.members],
            domains=domains.get(p.name, []),
            overflow=p.overflow,
            paused=p.paused,
        )
        for p in rows.pools
        if tenant in (None, p.tenant)
    ]
