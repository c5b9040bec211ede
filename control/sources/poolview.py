"""Pools as the API shows them."""

from collections.abc import Awaitable
from typing import Annotated, Literal

import msgspec

from control.plan.page import Page
from control.plan.rows import Rows, of_tenants, pools
from control.problem import missing
from control.store.change import Act
from control.store.database import Connection
from control.values.query import FoundText
from control.values.wanted import meant


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
    per_minute: int | None = None
    """Most recipients its own IPs take in any 60 seconds; null: no limit."""
    per_hour: int | None = None
    """The same in any 3,600."""


class PoolQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Every one that is given must match."""

    state: Annotated[Literal["active", "paused"] | None, meant("Only in this state.")] = None
    containing: Annotated[FoundText | None, meant("Only with this in the name.")] = None


async def pool_detail(connection: Connection, name: str, tenant: str | None = None) -> PoolDetail:
    """One pool, of `tenant` where that is given. Raises RefusedError."""
    for row in await pools(connection, [name]):
        if tenant in (None, row.tenant):
            found = await of_tenants(connection, [row.tenant])
            return pool_details(msgspec.structs.replace(found, pools=[row]))[0]
    raise missing("pool", name)


def pool_details(rows: Rows) -> list[PoolDetail]:
    """Pools by name."""
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
            per_minute=p.per_minute,
            per_hour=p.per_hour,
        )
        for p in rows.pools
    ]


async def pool_page(connection: Connection, tenant: str | None, page: Page) -> list[PoolDetail]:
    """A part of the pools of one tenant, or of all."""
    wanted = await pools(connection, of=None if tenant is None else [tenant], page=page)
    found = await of_tenants(connection, {p.tenant for p in wanted})
    return pool_details(msgspec.structs.replace(found, pools=wanted))


async def after(act: Act, change: Awaitable[str]) -> PoolDetail:
    """The pool that a change names, as the change leaves it. Raises RefusedError."""
    return await pool_detail(act.connection, await change)
