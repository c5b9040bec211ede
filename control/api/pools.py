"""/api/v2/pools."""

from control.api.page import listing, page
from control.api.route import DRY, GONE, Call, Route, Thing, changed
from control.plan.changed import Changed, Removed
from control.plan.publish import Publisher
from control.plan.view import Reader, View
from control.sources import pool, removal
from control.sources.pool import NewPool, PoolChange
from control.sources.poolview import PoolDetail, PoolQuery, after, pool_detail, pool_page
from control.tenants.view import PoolView, must_exist

_TENANT = {"tenant": "only this tenant's"}


class PoolsApi:
    """Pools of all tenants."""

    def __init__(self, publisher: Publisher, view: View) -> None:
        self._publisher = publisher
        self._view = view

    async def _pause(self, call: Call) -> Changed[PoolView]:
        return await self._set_paused(call, True)

    async def _resume(self, call: Call) -> Changed[PoolView]:
        return await self._set_paused(call, False)

    async def _set_paused(self, call: Call, paused: bool) -> Changed[PoolView]:
        name = call.path["pool"]
        return await changed(self._publisher, call, lambda act: pool.shown(act, name, paused))

    async def _list(self, call: Call) -> list[PoolDetail]:
        tenant = call.query.get("tenant")
        async with self._view() as connection:
            await must_exist(connection, tenant)
            return await pool_page(connection, tenant, page(call))

    async def _show(self, call: Call) -> PoolDetail:
        async with self._view() as connection:
            return await self._read(call, connection)

    async def _read(self, call: Call, connection: Reader) -> PoolDetail:
        return await pool_detail(connection, call.path["pool"], call.query.get("tenant"))

    async def _add(self, call: Call) -> Changed[PoolDetail]:
        return await changed(
            self._publisher, call, lambda act: after(act, pool.add(act, call.body))
        )

    async def _set(self, call: Call) -> Changed[PoolDetail]:
        name = call.path["pool"]
        return await changed(
            self._publisher, call, lambda act: after(act, pool.change(act, name, call.body))
        )

    async def _remove(self, call: Call) -> Changed[Removed]:
        name, reason = call.path["pool"], call.reason
        return await changed(
            self._publisher, call, lambda act: removal.remove_pool(act, name, reason)
        )

    def routes(self) -> list[Route]:
        """All of them."""
        every, one, view = "/api/v2/pools", "/api/v2/pools/{pool}", Changed[PoolView]
        return [
            Route(
                "GET",
                every,
                "Pools",
                self._list,
                list[PoolDetail],
                query=_TENANT,
                wanted=PoolQuery,
                listing=listing("name"),
            ),
            Route(
                "POST",
                every,
                "Add a pool without IPs",
                self._add,
                Changed[PoolDetail],
                body=NewPool,
                query=DRY,
                status=201,
            ),
            Route(
                "GET",
                one,
                "One pool",
                self._show,
                PoolDetail,
                query=_TENANT,
                thing=Thing(self._read),
            ),
            Route(
                "PATCH",
                one,
                "Set its overflow pool, or make it the tenant's default",
                self._set,
                Changed[PoolDetail],
                body=PoolChange,
                query=DRY,
            ),
            Route(
                "DELETE",
                one,
                "Remove a pool that nothing uses",
                self._remove,
                Changed[Removed],
                query=GONE,
            ),
            Route("POST", f"{one}/pause", "Stop its mail", self._pause, view, query=DRY),
            Route("POST", f"{one}/resume", "Go on with its mail", self._resume, view, query=DRY),
        ]
