"""Tenants as the API shows them: never a hash."""

from collections.abc import Awaitable, Callable

import msgspec

from control.plan.hours import hours_text
from control.plan.rows import Page, Rows, TenantRow, of_tenants, tenants
from control.problem import missing
from control.store.change import Act
from control.store.database import Connection
from control.store.reference import must
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


class TenantView(msgspec.Struct, frozen=True, kw_only=True):
    """A tenant."""

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
    strict: bool = False
    senders: list[str] = []
    """Empty: every sender."""
    max_recipients: int = 100
    mailbox: str = "from"
    unreadable_from: str = "refuse"
    """A From: that names nobody for certain: `refuse`, or `shared` for the shared mailbox."""
    mailbox_max: int | None = None
    mailbox_spacing: float = 0.0
    per_minute: int | None = None
    per_hour: int | None = None
    hours: str = ""
    """Sending hours; empty: always."""
    zone: str = ""
    hold_messages: int | None = None
    """Most messages that may wait; null: the setting hold.messages."""
    hold_bytes: int | None = None
    """Most octets that may wait; null: hold.bytes."""
    hold_age: float | None = None
    """Seconds after which waiting mail expires; null: hold.age."""
    hold_past: str | None = None
    """Beyond a bound: `defer` or `accept`; null: hold.past_bound."""
    duplicates: str | None = None
    """What counts as the same message again; null: by the profile."""
    feedback_id: str | None = None
    list_unsubscribe: str | None = None
    dsn: bool | None = None
    """Whether late refusals are reported to MAIL FROM; null: by the profile."""
    paused_campaigns: list[str] = []


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
            id=t.id,
            name=t.name,
            profile=t.profile,
            paused=t.paused,
            leaving=t.leaving,
            logins=[lo.name for lo in t.logins],
            networks=t.networks,
            default_pool=t.default_pool,
            pools=pools.get(t.name, []),
            domains=domains.get(t.name, []),
            strict=t.strict,
            senders=t.senders,
            max_recipients=t.max_recipients,
            mailbox=t.mailbox,
            unreadable_from=t.unreadable_from,
            mailbox_max=t.mailbox_max,
            mailbox_spacing=t.mailbox_spacing,
            per_minute=t.rate_minute,
            per_hour=t.rate_hour,
            hours=_hours(t),
            zone=t.window_zone or "",
            hold_messages=t.hold_messages,
            hold_bytes=t.hold_bytes,
            hold_age=t.hold_age,
            hold_past=t.hold_past,
            duplicates=t.duplicates,
            feedback_id=t.feedback_id,
            list_unsubscribe=t.list_unsubscribe,
            dsn=t.dsn,
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
