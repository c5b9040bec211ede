"""Tenants as the API shows them: never a hash."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Literal

import msgspec

from control.plan.hours import hours_text
from control.plan.page import Page
from control.plan.rows import Rows, TenantRow, of_tenants, tenants
from control.plan.terms import Terms, terms_of
from control.problem import missing
from control.store.change import Act
from control.store.database import Connection
from control.store.reference import must
from control.values.query import FoundText
from control.values.wanted import meant, shows
from settings.statements import statements

_SQL = statements(__package__, "tenant")

Known = Callable[[str | None], Awaitable[None]]
"""`must_exist` outside of a view."""


class PoolView(msgspec.Struct, frozen=True):
    """A pool of the tenant."""

    name: str
    members: list[str]
    overflow: str | None
    paused: bool
    id: int = 0


@shows(Terms)
class TenantView(msgspec.Struct, frozen=True, kw_only=True):
    """A tenant and its terms."""

    id: int = 0
    name: str
    profile: str
    paused: bool
    leaving: bool = False
    """It is being removed and takes no mail; `tenant remove` goes on, `tenant resume` calls it
    off, and after control.leaving seconds it is put back by itself."""
    logins: list[str]
    networks: list[str]
    default_pool: str
    pools: list[PoolView]
    domains: list[str]
    hours: str = ""
    """Sending hours; empty: always."""
    zone: str = ""
    paused_campaigns: list[str] = []


class TenantQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Every one that is given must match."""

    state: Annotated[
        Literal["active", "paused", "leaving"] | None, meant("Only in this state.")
    ] = None
    containing: Annotated[FoundText | None, meant("Only with this in the name.")] = None


def tenant_views(rows: Rows) -> list[TenantView]:
    """Tenants, by name."""
    pools: dict[str, list[PoolView]] = {}
    for p in rows.pools:
        view = PoolView(p.name, p.members, p.overflow, p.paused, p.id)
        pools.setdefault(p.tenant, []).append(view)
    domains: dict[str, list[str]] = {}
    for d in rows.domains:
        domains.setdefault(d.tenant, []).append(d.domain)
    return [
        TenantView(
            **terms_of(t),
            id=t.id,
            name=t.name,
            paused=t.paused,
            leaving=t.leaving,
            logins=[lo.name for lo in t.logins],
            networks=t.networks,
            default_pool=t.default_pool,
            pools=pools.get(t.name, []),
            domains=domains.get(t.name, []),
            hours=_hours(t),
            zone=t.window_zone or "",
            paused_campaigns=t.paused_campaigns,
        )
        for t in rows.tenants
    ]


def _hours(row: TenantRow) -> str:
    if row.window_start is None or row.window_length is None:
        return ""
    return hours_text(row.window_start, row.window_length)


async def must_exist(connection: Connection, tenant: str | None) -> None:
    """Raises RefusedError for a tenant nobody knows; None asks for all."""
    if tenant is not None:
        await must(connection, "tenant", tenant)


async def must_be_known(connection: Connection, tenant: str | None) -> None:
    """As `must_exist`; of a tenant that is gone, mail that it left is enough: somebody has to look
    at it and to drop it."""
    if tenant is None or await connection.fetchval(_SQL["left_mail"], tenant):
        return
    await must(connection, "tenant", tenant)


async def tenant_view(connection: Connection, name: str) -> TenantView:
    """One tenant. Raises RefusedError."""
    for view in tenant_views(await of_tenants(connection, [name])):
        return view
    raise missing("tenant", name)


async def tenant_page(connection: Connection, only: str | None, page: Page) -> list[TenantView]:
    """A part of all tenants, or of the one."""
    of = None if only is None else [only]
    names = [t.name for t in await tenants(connection, of, page=page)]
    return tenant_views(await of_tenants(connection, names))


async def after(act: Act, change: Awaitable[str]) -> TenantView:
    """The tenant that a change names, as the change leaves it. Raises RefusedError."""
    return await tenant_view(act.connection, await change)
