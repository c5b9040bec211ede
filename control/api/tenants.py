"""/api/v2/tenants."""

from collections.abc import Awaitable, Callable

import msgspec

from control.api.page import listing, page
from control.api.route import DRY, FORCED, Call, Route, Thing, answer, changed
from control.plan.changed import Changed, Removed
from control.plan.publish import Publisher
from control.plan.view import Reader, View
from control.tenants import tenant, terms
from control.tenants.leaving import Leaving
from control.tenants.tenant import NewPassword, NewTenant
from control.tenants.terms import TenantChange
from control.tenants.view import (
    TenantQuery,
    TenantView,
    after,
    must_exist,
    tenant_page,
    tenant_view,
)

Waiting = Callable[[str], Awaitable[list[str]]]
"""A sentence for each state in which mail of a tenant waits."""


class TenantsApi:
    """Tenants with their terms."""

    def __init__(
        self, publisher: Publisher, view: View, leaving: Leaving, waiting: Waiting
    ) -> None:
        self._publisher = publisher
        self._view = view
        self._leaving = leaving
        self._waiting = waiting

    async def _list(self, call: Call) -> list[TenantView]:
        only = call.query.get("tenant")
        async with self._view() as connection:
            await must_exist(connection, only)
            return await tenant_page(connection, only, page(call))

    async def _one(self, call: Call) -> TenantView:
        async with self._view() as connection:
            return await self._read(call, connection)

    async def _read(self, call: Call, connection: Reader) -> TenantView:
        return await tenant_view(connection, call.path["tenant"])

    async def _add(self, call: Call) -> Changed[TenantView]:
        return await changed(
            self._publisher, call, lambda act: after(act, tenant.add(act, call.body))
        )

    async def _pause(self, call: Call) -> Changed[TenantView]:
        return await self._set_paused(call, True)

    async def _resume(self, call: Call) -> Changed[TenantView]:
        return await self._set_paused(call, False)

    async def _set_paused(self, call: Call, paused: bool) -> Changed[TenantView]:
        name = call.path["tenant"]
        return await changed(
            self._publisher, call, lambda act: after(act, tenant.set_paused(act, name, paused))
        )

    async def _password(self, call: Call) -> Changed[TenantView]:
        name = call.path["tenant"]
        return await changed(
            self._publisher, call, lambda act: after(act, tenant.set_password(act, name, call.body))
        )

    async def _set(self, call: Call) -> Changed[TenantView]:
        name = call.path["tenant"]
        return await changed(
            self._publisher, call, lambda act: after(act, terms.change(act, name, call.body))
        )

    async def _remove(self, call: Call) -> Changed[Removed]:
        name = call.path["tenant"]
        done = answer(
            await self._leaving.remove(
                *(call.who, name, call.condition),
                force=call.force,
                reason=call.reason,
                dry=call.dry,
            )
        )
        if done.dry_run:
            return done
        # Gateways that did not run the new plan yet took mail of it all the same.
        return msgspec.structs.replace(done, notes=[*done.notes, *await self._waiting(name)])

    def routes(self) -> list[Route]:
        """All of them."""
        every, one = "/api/v2/tenants", "/api/v2/tenants/{tenant}"
        view = Changed[TenantView]
        return [
            Route(
                "GET",
                every,
                "All tenants",
                self._list,
                list[TenantView],
                query={"tenant": "only this one"},
                wanted=TenantQuery,
                listing=listing("name"),
            ),
            Route(
                "POST",
                every,
                "Add a tenant with its first login",
                self._add,
                view,
                body=NewTenant,
                query=DRY,
                status=201,
            ),
            Route("GET", one, "One tenant", self._one, TenantView, thing=Thing(self._read)),
            Route(
                "PATCH",
                one,
                "Change its senders, limits, sending hours, networks",
                self._set,
                view,
                body=TenantChange,
                query=DRY,
            ),
            Route(
                "DELETE",
                one,
                "Remove a paused tenant and all that is its own; refused with what is in the way",
                self._remove,
                Changed[Removed],
                query=FORCED,
            ),
            Route("POST", f"{one}/pause", "Stop its mail", self._pause, view, query=DRY),
            Route("POST", f"{one}/resume", "Go on with its mail", self._resume, view, query=DRY),
            Route(
                "POST",
                f"{one}/password",
                "Replace the password of a login",
                self._password,
                view,
                body=NewPassword,
                query=DRY,
            ),
        ]
