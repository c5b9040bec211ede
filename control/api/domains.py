"""/api/v2/domains."""

from control.api.page import listing, page
from control.api.route import DRY, FORCED, Call, Route, Thing, changed
from control.plan.changed import Changed, Removed
from control.plan.publish import Publisher
from control.plan.view import Reader, View
from control.pmta.dkim import Seal
from control.sources import moving, removal
from control.sources.domain import NewDomain
from control.sources.domainview import (
    DomainQuery,
    DomainView,
    added,
    domain_page,
    domain_shown,
    moved,
)
from control.tenants.view import must_exist
from policy.address import normal_domain
from settings.model import Settings

_TENANT = {"tenant": "only this tenant's"}


class DomainsApi:
    """Sending domains with the DNS records they need."""

    def __init__(self, publisher: Publisher, view: View, seal: Seal, settings: Settings) -> None:
        self._publisher = publisher
        self._view = view
        self._seal = seal
        self._warmup = settings.warmup
        self._signs = bool(settings.control.pmta_keys)

    async def _list(self, call: Call) -> list[DomainView]:
        tenant = call.query.get("tenant")
        async with self._view() as connection:
            await must_exist(connection, tenant)
            return await domain_page(connection, tenant, page(call))

    async def _one(self, call: Call) -> DomainView:
        async with self._view() as connection:
            return await self._read(call, connection)

    async def _read(self, call: Call, connection: Reader) -> DomainView:
        return await domain_shown(connection, call.query.get("tenant"), _name(call))

    async def _add(self, call: Call) -> Changed[DomainView]:
        return await changed(
            self._publisher,
            call,
            lambda act: added(
                act, call.body, seal=self._seal, warmup=self._warmup, signs=self._signs
            ),
        )

    async def _move(self, call: Call) -> Changed[DomainView]:
        tenant, name = call.query.get("tenant"), _name(call)
        return await changed(self._publisher, call, lambda act: moved(act, tenant, name, call.body))

    async def _remove(self, call: Call) -> Changed[Removed]:
        tenant, name = call.query.get("tenant"), _name(call)
        return await changed(
            self._publisher,
            call,
            lambda act: removal.remove_domain(
                act, tenant, name, force=call.force, reason=call.reason
            ),
        )

    def routes(self) -> list[Route]:
        """All of them."""
        every = "/api/v2/domains"
        return [
            Route(
                "GET",
                every,
                "Sending domains",
                self._list,
                list[DomainView],
                query=_TENANT,
                wanted=DomainQuery,
                listing=listing("tenant", "domain", sort="tenant"),
            ),
            Route(
                "POST",
                every,
                "Add a sending domain with DKIM key, IP, VirtualMTA and warm-up plan, or one more "
                "IP to it",
                self._add,
                Changed[DomainView],
                body=NewDomain,
                query=DRY,
                status=201,
            ),
            Route(
                "GET",
                f"{every}/{{domain}}",
                "One sending domain with its DNS records",
                self._one,
                DomainView,
                query=_TENANT,
                thing=Thing(self._read, measured=frozenset({"rotation.said"})),
            ),
            Route(
                "DELETE",
                f"{every}/{{domain}}",
                "Remove a sending domain and its DKIM key; its IPs stay",
                self._remove,
                Changed[Removed],
                query=FORCED | _TENANT,
            ),
            Route(
                "POST",
                f"{every}/{{domain}}/move",
                "Let a sending domain use another pool of its tenant",
                self._move,
                Changed[DomainView],
                body=moving.DomainMove,
                query=DRY | _TENANT,
            ),
        ]


def _name(call: Call) -> str:
    return normal_domain(call.path["domain"]) or call.path["domain"]
