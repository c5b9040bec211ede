"""/api/v2/tenants."""

import msgspec

from control.api.page import PAGE, page
from control.api.route import DRY, FORCED, GONE, Call, Route, changed
from control.plan import rows
from control.plan.changed import Changed, Removed
from control.plan.rows import MailboxRow
from control.store.change import Act
from control.tenants import removal, tenant, terms
from control.tenants.tenant import NewPassword, NewTenant
from control.tenants.terms import MailboxChange, TenantChange
from control.tenants.view import TenantView, must_exist, tenant_view, tenant_views


async def _list(call: Call) -> list[TenantView]:
    one = call.query.get("tenant")
    async with call.core.view() as connection:
        of = None if one is None else [one]
        names = [t.name for t in await rows.tenants(connection, of, page=page(call))]
        return tenant_views(await rows.of_tenants(connection, names))


async def _one(call: Call) -> TenantView:
    async with call.core.view() as connection:
        return await tenant_view(connection, call.path["tenant"])


async def _add(call: Call) -> Changed[TenantView]:
    async def act(a: Act) -> TenantView:
        name = await tenant.add(a, call.body)
        return await tenant_view(a.connection, name)

    return await changed(call, act)


async def _pause(call: Call) -> Changed[TenantView]:
    return await _set_paused(call, True)


async def _resume(call: Call) -> Changed[TenantView]:
    return await _set_paused(call, False)


async def _set_paused(call: Call, paused: bool) -> Changed[TenantView]:
    async def act(a: Act) -> TenantView:
        name = await tenant.set_paused(a, call.path["tenant"], paused)
        return await tenant_view(a.connection, name)

    return await changed(call, act)


async def _password(call: Call) -> Changed[TenantView]:
    async def act(a: Act) -> TenantView:
        name = await tenant.set_password(a, call.path["tenant"], call.body)
        return await tenant_view(a.connection, name)

    return await changed(call, act)


async def _set(call: Call) -> Changed[TenantView]:
    async def act(a: Act) -> TenantView:
        name = await terms.change(a, call.path["tenant"], call.body)
        return await tenant_view(a.connection, name)

    return await changed(call, act)


async def _mailboxes(call: Call) -> list[MailboxRow]:
    tenant = call.path["tenant"]
    async with call.core.view() as connection:
        await must_exist(connection, tenant)
        return await rows.mailboxes(connection, tenant, page=page(call))


async def _put_mailbox(call: Call) -> Changed[MailboxRow]:
    async def act(a: Act) -> MailboxRow:
        return await terms.set_mailbox(a, call.path["tenant"], call.path["address"], call.body)

    return await changed(call, act)


async def _remove(call: Call) -> Changed[Removed]:
    async def act(a: Act) -> Removed:
        return await removal.remove_tenant(
            a, call.path["tenant"], call.charged, force=call.force, reason=call.reason
        )

    done = await changed(call, act)
    if done.dry_run:
        return done
    # Gateways that did not run the new plan yet took mail of it all the same.
    async with call.core.pool.acquire() as connection:
        late = await removal.held(connection, call.path["tenant"])
    return msgspec.structs.replace(done, notes=[*done.notes, *late])


async def _remove_mailbox(call: Call) -> Changed[Removed]:
    async def act(a: Act) -> Removed:
        return await removal.remove_mailbox(
            a, call.path["tenant"], call.path["address"], call.reason
        )

    return await changed(call, act)


_ONE = "/api/v2/tenants/{tenant}"

ROUTES = [
    Route(
        "GET",
        "/api/v2/tenants",
        "All tenants",
        _list,
        list[TenantView],
        query={"tenant": "only this one"} | PAGE,
    ),
    Route(
        "POST",
        "/api/v2/tenants",
        "Add a tenant with its first login",
        _add,
        Changed[TenantView],
        body=NewTenant,
        query=DRY,
        status=201,
    ),
    Route("GET", _ONE, "One tenant", _one, TenantView),
    Route(
        "PATCH",
        _ONE,
        "Change its senders, limits, sending hours, networks",
        _set,
        Changed[TenantView],
        body=TenantChange,
        query=DRY,
    ),
    Route(
        "GET",
        f"{_ONE}/mailboxes",
        "Mailboxes with limits of their own",
        _mailboxes,
        list[MailboxRow],
        query=PAGE,
    ),
    Route(
        "PUT",
        f"{_ONE}/mailboxes/{{address}}",
        "Limits of one mailbox, in place of the tenant's",
        _put_mailbox,
        Changed[MailboxRow],
        body=MailboxChange,
        query=DRY,
    ),
    Route(
        "DELETE",
        f"{_ONE}/mailboxes/{{address}}",
        "Let the tenant's limits hold for a mailbox again",
        _remove_mailbox,
        Changed[Removed],
        query=GONE,
    ),
    Route(
        "DELETE",
        _ONE,
        "Remove a paused tenant and all that is its own; refused with what is in the way",
        _remove,
        Changed[Removed],
        query=FORCED,
    ),
    Route("POST", f"{_ONE}/pause", "Stop its mail", _pause, Changed[TenantView], query=DRY),
    Route("POST", f"{_ONE}/resume", "Go on with its mail", _resume, Changed[TenantView], query=DRY),
    Route(
        "POST",
        f"{_ONE}/password",
        "Replace the password of a login",
        _password,
        Changed[TenantView],
        body=NewPassword,
        query=DRY,
    ),
]
