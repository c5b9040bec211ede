"""/api/v2/pools."""

from control.api.route import DRY, Call, Route, changed
from control.plan.changed import Changed
from control.plan.rows import read
from control.sources import pool
from control.store.change import Act
from control.tenants.view import PoolView, tenant_view


async def _pause(call: Call) -> Changed[PoolView]:
    return await _set_paused(call, True)


async def _resume(call: Call) -> Changed[PoolView]:
    return await _set_paused(call, False)


async def _set_paused(call: Call, paused: bool) -> Changed[PoolView]:
    name = call.path["pool"]

    async def act(a: Act) -> PoolView:
        tenant = await pool.set_paused(a, name, paused)
        view = tenant_view(await read(a.connection), tenant)
        return next(p for p in view.pools if p.name == name)

    return await changed(call, act)


_ONE = "/api/v2/pools/{pool}"

ROUTES = [
    Route("POST", f"{_ONE}/pause", "Stop its mail", _pause, Changed[PoolView], query=DRY),
    Route("POST", f"{_ONE}/resume", "Go on with its mail", _resume, Changed[PoolView], query=DRY),
]
