"""Tenants as the API shows them: never a hash."""

import msgspec

from control.problem import missing
from control.store.rows import Rows


class PoolView(msgspec.Struct, frozen=True):
    """A pool of the tenant."""

    name: str
    members: list[str]
    overflow: str | None
    paused: bool


class TenantView(msgspec.Struct, frozen=True, kw_only=True):
    """A tenant."""

    name: str
    profile: str
    paused: bool
    logins: list[str]
    networks: list[str]
    default_pool: str
    pools: list[PoolView]
    domains: list[str]


def tenant_views(rows: Rows) -> list[TenantView]:
    """All tenants, by name."""
    return [
        TenantView(
            name=t.name,
            profile=t.profile,
            paused=t.paused,
            logins=[lo.name for lo in t.logins],
            networks=t.networks,
            default_pool=t.default_pool,
            pools=[
                PoolView(p.name, p.members, p.overflow, p.paused)
                for p in rows.pools
                if p.tenant == t.name
            ],
            domains=[d.domain for d in rows.domains if d.tenant == t.name],
        )
        for t in rows.tenants
    ]


def tenant_view(rows: Rows, name: str) -> TenantView:
    """One tenant. Raises RefusedError."""
    for view in tenant_views(rows):
        if view.name == name:
            return view
    raise missing("tenant", name)
