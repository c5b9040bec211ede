"""/api/v2/pools."""

import msgspec

from control.api.page import PAGE, page
from control.api.route import DRY, GONE, Call, Route, changed
from control.plan import rows
from control.plan.changed import Changed, Removed
from control.sources import pool, removal
from control.sources.pool import NewPool, PoolChange
from control.sources.poolview import PoolDetail, pool_detail, pool_details
from control.store.change import Act
from control.tenants.view import PoolView, must_exist, tenant_view


async def _pause(call: Call) -> Changed[PoolView]:
    return await _set_paused(call, True)


async def _resume(call: Call) -> Changed[PoolView]:
    return await _set_paused(call, False)


async def _set_paused(call: Call, paused: bool) -> Changed[PoolView]:
    name = call.path["pool"]

    async def act(a: Act) -> PoolView:
        tenant = await pool.set_paused(a, name, paused)
        view = await tenant_view(a.connection, tenant)
        return next(p for p in view.pools if p.name == name)

    return await changed(call, act)


async def _list(call: Call) -> list[PoolDetail]:
    tenant = call.query.get("tenant")
    async with call.core.view() as connection:
        await must_exist(connection, tenant)
        of = None if tenant is None else [tenant]
        wanted = await rows.pools(connection, of=of, page=page(call))
        found = await rows.of_tenants(connection, {p.tenant for p in wanted})
    return pool_details(msgspec.structs.replace(found, pools=wanted))


async def _show(call: Call) -> PoolDetail:
    async with call.core.view() as connection:
        return await pool_detail(connection, call.path["pool"], call.query.get("tenant"))


async def _add(call: Call) -> Changed[PoolDetail]:
    async def act(a: Act) -> PoolDetail:
        return await _detail(a, await pool.add(a, call.body))

    return await changed(call, act)


async def _set(call: Call) -> Changed[PoolDetail]:
    async def act(a: Act) -> PoolDetail:
        await pool.change(a, call.path["pool"], call.body)
        return await _detail(a, call.path["pool"])

    return await changed(call, act)


async def _remove(call: Call) -> Changed[Removed]:
    async def act(a: Act) -> Removed:
        return await removal.remove_pool(a, call.path["pool"], call.reason)

    return await changed(call, act)


async def _detail(a: Act, name: str) -> PoolDetail:
    return await pool_detail(a.connection, name)


_ONE = "/api/v2/pools/{pool}"
_TENANT = {"tenant": "only this tenant's"}

ROUTES = [
    Route("GET", "/api/v2/pools", "Pools", _list, list[PoolDetail], query=_TENANT | PAGE),
    Route(
        "POST",
        "/api/v2/pools",
        "Add a pool without IPs",
        _add,
        Changed[PoolDetail],
        body=NewPool,
        query=DRY,
        status=201,
    ),
    Route("GET", _ONE, "One pool", _show, PoolDetail, query=_TENANT),
    Route(
        "PATCH",
        _ONE,
        "Set its overflow pool, or make it the tenant's default",
        _set,
        Changed[PoolDetail],
        body=PoolChange,
        query=DRY,
    ),
    Route(
        "DELETE",
        _ONE,
        "Remove a pool that nothing uses",
        _remove,
        Changed[Removed],
        query=GONE,
    ),
    Route("POST", f"{_ONE}/pause", "Stop its mail", _pause, Changed[PoolView], query=DRY),
    Route("POST", f"{_ONE}/resume", "Go on with its mail", _resume, Changed[PoolView], query=DRY),
]
