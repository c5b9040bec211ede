"""/api/v2/domains."""

import msgspec

from control.api.page import PAGE, page
from control.api.route import DRY, FORCED, Call, Route, changed
from control.plan import rows
from control.plan.changed import Changed, Removed
from control.sources import domain, moving, removal
from control.sources.domain import NewDomain
from control.sources.domainview import DomainView, domain_changed, domain_view, domain_views
from control.store.change import Act
from control.tenants.view import must_exist
from policy.address import normal_domain

NOTHING_SIGNS = (
    "nothing signs with this DKIM key yet: control.pmta_keys is not set (the folder of the key "
    "files as PowerMTA sees it)"
)
_TENANT = {"tenant": "only this tenant's"}


async def _list(call: Call) -> list[DomainView]:
    tenant = call.query.get("tenant")
    async with call.core.view() as connection:
        await must_exist(connection, tenant)
        of = None if tenant is None else [tenant]
        wanted = await rows.domains(connection, of, page=page(call))
        found = await rows.of_tenants(connection, {d.tenant for d in wanted})
    return domain_views(msgspec.structs.replace(found, domains=wanted))


async def _one(call: Call) -> DomainView:
    asked = call.path["domain"]
    name = normal_domain(asked) or asked
    tenant = call.query.get("tenant")
    async with call.core.view() as connection:
        return domain_view(await rows.of_domain(connection, tenant, name), tenant, name)


async def _add(call: Call) -> Changed[DomainView]:
    core, new = call.core, call.body

    async def act(a: Act) -> DomainView:
        before = await rows.of_tenants(a.connection, [new.tenant])
        name = await domain.add(a, new, seal=core.seal, warmup=core.settings.warmup)
        if not core.settings.control.pmta_keys and name not in {d.domain for d in before.domains}:
            a.note(NOTHING_SIGNS)
        return domain_changed(
            before, await rows.of_tenants(a.connection, [new.tenant]), new.tenant, name
        )

    return await changed(call, act)


async def _move(call: Call) -> Changed[DomainView]:
    async def act(a: Act) -> DomainView:
        name = _name(call)
        before = await rows.of_domain(a.connection, call.query.get("tenant"), name)
        tenant = await moving.move_domain(a, call.query.get("tenant"), name, call.body)
        return domain_changed(before, await rows.of_tenants(a.connection, [tenant]), tenant, name)

    return await changed(call, act)


async def _remove(call: Call) -> Changed[Removed]:
    async def act(a: Act) -> Removed:
        tenant = call.query.get("tenant")
        return await removal.remove_domain(
            a, tenant, _name(call), force=call.force, reason=call.reason
        )

    return await changed(call, act)


def _name(call: Call) -> str:
    return normal_domain(call.path["domain"]) or call.path["domain"]


ROUTES = [
    Route(
        "GET", "/api/v2/domains", "Sending domains", _list, list[DomainView], query=_TENANT | PAGE
    ),
    Route(
        "POST",
        "/api/v2/domains",
        "Add a sending domain with DKIM key, IP, VirtualMTA and warm-up plan, or one more IP to it",
        _add,
        Changed[DomainView],
        body=NewDomain,
        query=DRY,
        status=201,
    ),
    Route(
        "GET",
        "/api/v2/domains/{domain}",
        "One sending domain with its DNS records",
        _one,
        DomainView,
        query=_TENANT,
    ),
    Route(
        "DELETE",
        "/api/v2/domains/{domain}",
        "Remove a sending domain and its DKIM key; its IPs stay",
        _remove,
        Changed[Removed],
        query=FORCED | _TENANT,
    ),
    Route(
        "POST",
        "/api/v2/domains/{domain}/move",
        "Let a sending domain use another pool of its tenant",
        _move,
        Changed[DomainView],
        body=moving.DomainMove,
        query=DRY | _TENANT,
    ),
]
