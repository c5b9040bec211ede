"""Rows as values: what a generation is compiled from."""

from collections.abc import Collection
from typing import Any, Literal

import msgspec

from control.plan.page import WHOLE, Page
from control.plan.terms import Terms, with_terms
from control.store.database import Connection, fetch
from settings.statements import statements

_SQL = statements(__package__, "rows")
_TENANTS = with_terms(_SQL["tenants"])


class ServerRow(msgspec.Struct, frozen=True):
    """A PowerMTA server with its addresses in order."""

    name: str
    sessions: int
    addresses: list[dict[str, Any]]
    id: int = 0
    """The number beside the name; 0 before it is stored."""


class LoginRow(msgspec.Struct, frozen=True):
    """An SMTP login; `hash` and that of its `former` password are argon2id PHC strings."""

    name: str
    hash: str
    former: str | None = None
    until: int | None = None
    """When the former one ends, calendar milliseconds."""


class TenantRow(Terms, frozen=True, kw_only=True):
    """A tenant with its terms, logins and networks."""

    name: str
    paused: bool
    default_pool: str
    logins: list[LoginRow]
    networks: list[str]
    window_start: int | None = None
    window_length: int | None = None
    window_zone: str | None = None
    paused_campaigns: list[str] = msgspec.field(default_factory=list)
    leaving: bool = False
    """It is being removed: its plan has no way in."""
    id: int = 0
    keyed_by_id: bool = False


class PoolRow(msgspec.Struct, frozen=True):
    """A pool with the names of its VirtualMTAs."""

    name: str
    tenant: str
    overflow: str | None
    paused: bool
    members: list[str]
    id: int = 0
    per_minute: int | None = None
    per_hour: int | None = None


class VmtaRow(msgspec.Struct, frozen=True, kw_only=True):
    """A VirtualMTA as an operator set it up; its quota is still to be worked out."""

    name: str
    tenant: str
    ip: str
    host_name: str
    server: str
    state: str
    quota_source: str | None
    fixed_quota: int | None
    hourly_share: float
    weight: float
    plan: str | None
    stage: int | None
    ceilings: dict[str, int] | None
    grown: int | None = None
    """Its day's quota past the plan's last stage; None: that stage's."""
    held: dict[str, int] | None = None
    """Provider to the stage that evidence holds it at; 0: it is paused there."""
    created: float = 0.0
    """Unix seconds: the newest come last in what is published of a pool."""
    per_minute: int | None = None
    per_hour: int | None = None
    id: int = 0


class RotationRow(msgspec.Struct, frozen=True):
    """A DKIM key that is being replaced; times in calendar milliseconds."""

    selector: str
    """Of the other key: the new one until it signs, then the former one."""
    public: str
    began: int
    seen: int | None
    """Since when all resolvers show the new key."""
    switched: int | None
    """When the new key began to sign."""
    said: str


class DomainRow(msgspec.Struct, frozen=True):
    """A sending domain; the private key stays where it is."""

    tenant: str
    domain: str
    pool: str
    dkim_selector: str
    dkim_public: str
    first_domain: str = ""
    """The pool's first domain, whose name carries the SPF record of the pool."""
    id: int = 0
    rotation: RotationRow | None = None


class StageRow(msgspec.Struct, frozen=True):
    """A stage of a stored warm-up plan."""

    plan: str
    stage: int
    quota: int
    ceilings: dict[str, int]
    days: int = 7
    growth: float = 1.0
    breach: Literal["pause", "step_back"] = "pause"


class MailboxRow(msgspec.Struct, frozen=True):
    """Limits of one sender address; null takes the tenant's."""

    tenant: str
    address: str
    daily_max: int | None
    spacing: float | None
    daily_min: int | None = None
    id: int = 0
    spacing_max: float | None = None
    ramp: list[int] | None = None
    """Recipients a day by stage; empty: none."""
    ramp_from: str | None = None
    """ISO day; null: the day it sends first."""
    per_minute: int | None = None
    """Most recipients in any 60 seconds."""
    per_hour: int | None = None


class Rows(msgspec.Struct, frozen=True, kw_only=True):
    """Everything a generation is compiled from."""

    servers: list[ServerRow] = []
    tenants: list[TenantRow] = []
    pools: list[PoolRow] = []
    vmtas: list[VmtaRow] = []
    domains: list[DomainRow] = []
    stages: list[StageRow] = []
    mailboxes: list[MailboxRow] = []
    stopped: bool = False
    """Whether an operator stopped all sending."""


async def read(connection: Connection) -> Rows:
    """All rows of one transaction's view."""
    return Rows(
        servers=await servers(connection),
        tenants=await tenants(connection),
        pools=await pools(connection),
        vmtas=await vmtas(connection),
        domains=await domains(connection),
        stages=await stages(connection),
        mailboxes=await mailboxes(connection),
        stopped=await stopped(connection),
    )


Names = Collection[str] | None
"""None: all."""


async def stopped(connection: Connection) -> bool:
    """Whether an operator stopped all sending."""
    return bool(await connection.fetchval(_SQL["stopped"]))


async def servers(connection: Connection, names: Names = None) -> list[ServerRow]:
    """PowerMTA servers."""
    return await fetch(connection, ServerRow, _SQL["servers"], names)


async def tenants(
    connection: Connection, names: Names = None, *, page: Page = WHOLE
) -> list[TenantRow]:
    """Tenants. Their terms are taken as they are: what an older version allowed must not keep
    all rows from being read, and `compile` names the tenant."""
    given = (names, page.after, page.limit, page.containing, page.state)
    found = await connection.fetch(_TENANTS, *given)
    return [
        TenantRow(**{**record, "logins": [LoginRow(**login) for login in record["logins"]]})
        for record in found
    ]


async def pools(
    connection: Connection, names: Names = None, *, of: Names = None, page: Page = WHOLE
) -> list[PoolRow]:
    """Pools, `of` some tenants."""
    given = (names, of, page.after, page.limit, page.containing, page.state)
    return await fetch(connection, PoolRow, _SQL["pools"], *given)


async def vmtas(
    connection: Connection, names: Names = None, *, of: Names = None, page: Page = WHOLE
) -> list[VmtaRow]:
    """VirtualMTAs, `of` some tenants."""
    given = (names, of, page.after, page.limit, page.containing, page.state, page.domain)
    return await fetch(connection, VmtaRow, _SQL["vmtas"], *given, page.ip, page.pool)


async def domains(
    connection: Connection, of: Names = None, *, page: Page = WHOLE
) -> list[DomainRow]:
    """Domains of some tenants; a page begins after `TENANT/DOMAIN`."""
    tenant, domain = None, None
    if page.after is not None:
        tenant, _, domain = page.after.partition("/")
    given = (of, tenant, domain, page.limit, page.containing, page.ip)
    return await fetch(connection, DomainRow, _SQL["domains"], *given)


async def stages(connection: Connection) -> list[StageRow]:
    """Stages of the stored warm-up plans: few."""
    return await fetch(connection, StageRow, _SQL["stages"])


async def mailboxes(
    connection: Connection,
    tenant: str | None = None,
    addresses: Names = None,
    *,
    page: Page = WHOLE,
    containing: str | None = None,
) -> list[MailboxRow]:
    """Mailboxes with limits of their own, of a tenant; `containing`: those with it in them."""
    given = (tenant, addresses, page.after, page.limit, containing)
    return await fetch(connection, MailboxRow, _SQL["mailboxes"], *given)


async def selectors(connection: Connection, of: Names = None) -> dict[tuple[str, str], str]:
    """(Tenant, domain) to the selector of its DKIM key."""
    found = await connection.fetch(_SQL["selectors"], of)
    return {(row["tenant"], row["domain"]): row["dkim_selector"] for row in found}


async def vmta_by_ip(connection: Connection, ip: str) -> VmtaRow | None:
    """The VirtualMTA of an IP, its row locked; None when no tenant has it."""
    found = await fetch(connection, VmtaRow, _SQL["vmta_by_ip"], ip)
    return found[0] if found else None


async def of_tenants(connection: Connection, names: Names) -> Rows:
    """What some tenants have, but for their mailboxes: what a view of theirs is made from."""
    return Rows(
        tenants=await tenants(connection, names),
        pools=await pools(connection, of=names),
        vmtas=await vmtas(connection, of=names),
        domains=await domains(connection, names),
        stages=await stages(connection),
    )


async def of_domain(connection: Connection, tenant: str | None, domain: str) -> Rows:
    """What the tenant of a domain has; nothing, where there is no such domain."""
    owner = await connection.fetchval(_SQL["owner"], domain, tenant)
    return Rows() if owner is None else await of_tenants(connection, {owner})


async def of_ip(connection: Connection, address: str | None, name: str) -> Rows:
    """An IP, by its address or by the name of its VirtualMTA, with the pools of its tenant."""
    found = await fetch(connection, VmtaRow, _SQL["vmta_called"], address, name)
    return Rows(
        vmtas=found,
        pools=await pools(connection, of={v.tenant for v in found}),
        stages=await stages(connection),
    )
