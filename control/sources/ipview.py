"""IPs as the API shows them: what was set, what follows from it, what is used today."""

import ipaddress
from collections.abc import Awaitable
from typing import Annotated, Literal

import msgspec

from control.plan.compile import plans_of, stage_limits
from control.plan.page import Page
from control.plan.rows import Rows, VmtaRow, of_ip, pools, stages, vmtas
from control.problem import bad, missing, quoted
from control.sources.usage import ALL, UsageView
from control.store.change import Act
from control.store.database import Connection
from control.values.host import DomainText
from control.values.ip import IpText
from control.values.provider import known_provider
from control.values.query import FoundText
from control.values.wanted import meant
from policy.model import Name, Unlimited
from policy.plan import Generation
from policy.provider import PROVIDERS
from policy.warmup.plan import Plan
from settings.model import Warmup

State = Literal["new", "warming", "active", "paused", "retiring"]


class IpView(msgspec.Struct, frozen=True, kw_only=True):
    """An IP with its VirtualMTA."""

    id: int = 0
    ip: str
    vmta: str
    tenant: str
    host_name: str
    server: str
    state: str
    pools: list[str]
    quota_source: str | None
    quota: int | Unlimited | None
    """Recipients a day in force; null stops the generation."""
    plan: str | None
    stage: int | None
    stages: int | None
    ceilings: dict[str, int]
    hourly_share: float
    weight: float
    per_minute: int | None = None
    """Most recipients in any 60 seconds; null: no limit."""
    per_hour: int | None = None
    """The same in any 3,600."""
    closed: str = ""
    """Why it sends nothing more today although its quota is not used up."""
    today: list[UsageView] = []
    today_missing: str = ""
    """Why today's use is not known."""


class IpQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Every one that is given must match."""

    state: Annotated[State | None, meant("Only in this state.")] = None
    domain: Annotated[
        DomainText | None, meant("Only those that may carry this sending domain.")
    ] = None
    containing: Annotated[
        FoundText | None, meant("Only with this in the address, VirtualMTA or host name.")
    ] = None
    pool: Annotated[Name | None, meant("Only those in this pool.")] = None


_RowText = Annotated[str, msgspec.Meta(extra_json_schema={"enum": [ALL, *PROVIDERS]})]


class QuotaQuery(IpQuery, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Every one that is given must match."""

    ip: Annotated[IpText | None, meant("Only this one.")] = None
    provider: Annotated[
        _RowText | None,
        meant(f"Of each IP this provider's row, and the one of all ({ALL}: that one alone)."),
    ] = None

    def kept(self, rows: list[UsageView]) -> list[UsageView]:
        """Of the rows of IPs; the one of all stays always, so that each IP has one. Raises
        RefusedError."""
        if self.provider is None:
            return rows
        if self.provider != ALL:
            known_provider(self.provider)
        return [one for one in rows if one.provider in (ALL, self.provider)]


def ip_views(rows: Rows, warmup: Warmup) -> list[IpView]:
    """IPs without today's use."""
    plans = plans_of(rows.stages, warmup)
    its: dict[str, list[str]] = {}
    for pool in rows.pools:
        for member in pool.members:
            its.setdefault(member, []).append(pool.name)
    return [_view(v, its.get(v.name, []), plans) for v in rows.vmtas]


async def ip_page(
    connection: Connection, warmup: Warmup, tenant: str | None, page: Page
) -> list[IpView]:
    """A part of the IPs of one tenant, or of all, without today's use."""
    found = await vmtas(connection, of=None if tenant is None else [tenant], page=page)
    rows = Rows(
        vmtas=found,
        pools=await pools(connection, of={v.tenant for v in found}),
        stages=await stages(connection),
    )
    return ip_views(rows, warmup)


async def owners_page(
    connection: Connection, generation: Generation, tenant: str | None, page: Page
) -> dict[str, str]:
    """A part of the IPs that gateways know of: VirtualMTA to tenant. Filled up where rows are not
    in force yet, so that only the last part is short of its limit."""
    of = None if tenant is None else [tenant]
    found: dict[str, str] = {}
    after = page.after
    while True:
        left = None if page.limit is None else page.limit - len(found)
        rows = await vmtas(
            connection, of=of, page=msgspec.structs.replace(page, after=after, limit=left)
        )
        found |= {row.name: row.tenant for row in rows if row.name in generation.vmta}
        if left is None or len(rows) < left or len(found) == page.limit:
            return found
        after = rows[-1].name


async def ip_view(connection: Connection, warmup: Warmup, ip: str) -> IpView:
    """One IP, by address or VirtualMTA name. Raises RefusedError."""
    try:
        wanted = str(ipaddress.ip_address(ip))
    except ValueError:
        wanted = ""
    for view in ip_views(await of_ip(connection, wanted or None, ip), warmup):
        return view
    if not wanted:
        raise bad("ip", f"{quoted(ip)} is not an IP address (nor a VirtualMTA)")
    raise missing("IP", wanted)


async def after(act: Act, warmup: Warmup, change: Awaitable[str]) -> IpView:
    """The IP that a change names, as the change leaves it. Raises RefusedError."""
    return await ip_view(act.connection, warmup, await change)


def _view(row: VmtaRow, its: list[str], plans: dict[str, Plan]) -> IpView:
    limit = stage_limits(row, plans)
    on_plan = row.quota_source == "plan" and row.plan in plans
    return IpView(
        id=row.id,
        ip=row.ip,
        vmta=row.name,
        tenant=row.tenant,
        host_name=row.host_name,
        server=row.server,
        state=row.state,
        pools=its,
        quota_source=row.quota_source,
        quota=None if isinstance(limit, str) else limit[0],
        plan=row.plan if on_plan else None,
        stage=row.stage if on_plan else None,
        stages=len(plans[row.plan or ""].stages) if on_plan else None,
        ceilings={} if isinstance(limit, str) else limit[1],
        hourly_share=row.hourly_share,
        weight=row.weight,
        per_minute=row.per_minute,
        per_hour=row.per_hour,
    )
