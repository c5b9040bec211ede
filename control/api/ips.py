"""/api/v2/ips and /api/v2/quota, with the older paths of both."""

import msgspec

from control.api.page import PAGE, page
from control.api.route import DRY, FORCED, Call, Route, changed
from control.ledger.status import closed_ips
from control.plan import rows
from control.plan.changed import Changed, Removed
from control.plan.rows import Rows
from control.problem import RefusedError
from control.sources import ip, moving, removal
from control.sources.ip import IpChange
from control.sources.ipview import IpView, ip_view, ip_views
from control.sources.usage import UsageView, usage_views
from control.store.change import Act
from control.tenants.view import must_exist
from policy.model import Window
from policy.plan import Generation

_TENANT = {"tenant": "only this tenant's"}


async def _list(call: Call) -> list[IpView]:
    tenant = call.query.get("tenant")
    async with call.core.view() as connection:
        await must_exist(connection, tenant)
        of = None if tenant is None else [tenant]
        vmtas = await rows.vmtas(connection, of=of, page=page(call))
        found = Rows(
            vmtas=vmtas,
            pools=await rows.pools(connection, of={v.tenant for v in vmtas}),
            stages=await rows.stages(connection),
        )
    closed = await closed_ips(call.core.pool, call.core.admin)
    views = ip_views(found, call.core.settings.warmup)
    return [msgspec.structs.replace(v, closed=closed.get(v.ip, "")) for v in views]


async def _one(call: Call) -> IpView:
    async with call.core.view() as connection:
        view = await ip_view(connection, call.core.settings.warmup, call.path["ip"])
    closed = await closed_ips(call.core.pool, call.core.admin)
    view = msgspec.structs.replace(view, closed=closed.get(view.ip, ""))
    try:
        today = await _usage(call, {view.vmta: view.tenant})
    except RefusedError as error:
        # What was set must be readable all the same.
        return msgspec.structs.replace(view, today_missing=error.title)
    return msgspec.structs.replace(view, today=today)


async def _change(call: Call) -> Changed[IpView]:
    async def act(a: Act) -> IpView:
        address = await ip.change(a, call.path["ip"], call.body, warmup=call.core.settings.warmup)
        return await ip_view(a.connection, call.core.settings.warmup, address)

    return await changed(call, act)


async def _move(call: Call) -> Changed[IpView]:
    async def act(a: Act) -> IpView:
        address = await moving.move_ip(a, call.path["ip"], call.body)
        return await ip_view(a.connection, call.core.settings.warmup, address)

    return await changed(call, act)


async def _remove(call: Call) -> Changed[Removed]:
    async def act(a: Act) -> Removed:
        return await removal.remove_ip(
            a, call.path["ip"], call.charged, force=call.force, reason=call.reason
        )

    return await changed(call, act)


async def _quota(call: Call) -> list[UsageView]:
    tenant = call.query.get("tenant")
    async with call.core.view() as connection:
        await must_exist(connection, tenant)
        found = await rows.vmtas(connection, of=None if tenant is None else [tenant])
    return await _usage(call, {v.name: v.tenant for v in found})


async def _usage(call: Call, owners: dict[str, str]) -> list[UsageView]:
    """By the generation in force: what gateways go by, not what was just typed. `owners`:
    VirtualMTA to tenant."""
    generation = await call.core.publisher.current()
    if generation is None:
        return []
    await call.core.opening.must_be_open()
    vmtas = [v for v in generation.vmtas if v.name in owners]
    now, counted = await call.core.admin.usage([v.ip for v in vmtas])
    closed = await closed_ips(call.core.pool, call.core.admin)
    views = []
    for vmta in vmtas:
        owner = owners[vmta.name]
        window = _window(generation, owner)
        views += usage_views(
            vmta, owner, counted.get(vmta.ip), now, window, closed.get(vmta.ip, "")
        )
    return views


def _window(generation: Generation, tenant: str) -> Window | None:
    found = generation.tenant.get(tenant)
    return found.window if found else None


ROUTES = [
    Route("GET", "/api/v2/ips", "IPs", _list, list[IpView], query=_TENANT | PAGE),
    Route("GET", "/api/v2/ips/{ip}", "One IP with today's use", _one, IpView),
    Route(
        "PATCH",
        "/api/v2/ips/{ip}",
        "Change an IP's quota, stage, state, burst, weight or ceilings",
        _change,
        Changed[IpView],
        body=IpChange,
        query=DRY,
    ),
    Route(
        "DELETE",
        "/api/v2/ips/{ip}",
        "Remove a retired IP; refused with what is in the way",
        _remove,
        Changed[Removed],
        query=FORCED,
    ),
    Route(
        "POST",
        "/api/v2/ips/{ip}/move",
        "Move an IP to another pool of its tenant",
        _move,
        Changed[IpView],
        body=moving.IpMove,
        query=DRY,
    ),
    Route(
        "GET",
        "/api/v2/quota",
        "Use per IP and provider today",
        _quota,
        list[UsageView],
        query=_TENANT,
    ),
    Route("GET", "/api/v1/ips/{ip}", "As /api/v2/ips/{ip}", _one, IpView),
    Route("GET", "/api/warmup/quota", "As /api/v2/quota", _quota, list[UsageView], query=_TENANT),
]
