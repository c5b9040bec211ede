"""/api/v2/ips and /api/v2/quota, with the older paths of both."""

import logging

import msgspec

from control.api.page import listing, page
from control.api.route import DRY, FORCED, Call, Route, Thing, changed
from control.ledger.charged import Charged
from control.ledger.limits import limits_used
from control.ledger.opening import Opening
from control.plan.changed import Changed, Removed
from control.plan.publish import Publisher
from control.plan.view import Reader, View
from control.problem import RefusedError
from control.sources import ip, moving, removal
from control.sources.ip import IpChange
from control.sources.ipview import IpQuery, IpView, QuotaQuery, after, ip_page, ip_view, owners_page
from control.sources.rates import Rates
from control.sources.usage import UsageView, usage_views
from control.tenants.view import must_exist
from control.values.query import MOST
from policy.ledger.admin import LedgerAdmin
from policy.model import Window
from policy.plan import Generation
from settings.model import Warmup

log = logging.getLogger(__name__)

_TENANT = {"tenant": "only this tenant's"}
_IPS = {"limit": f"at most so many IPs (each has a row for all and one a provider); {MOST}"}


class IpsApi:
    """IPs: what was set, and what is used today."""

    def __init__(
        self,
        publisher: Publisher,
        view: View,
        opening: Opening,
        admin: LedgerAdmin,
        charged: Charged,
        warmup: Warmup,
    ) -> None:
        self._publisher = publisher
        self._view = view
        self._opening = opening
        self._admin = admin
        self._charged = charged
        self._warmup = warmup

    async def _list(self, call: Call) -> list[IpView]:
        tenant = call.query.get("tenant")
        async with self._view() as connection:
            await must_exist(connection, tenant)
            views = await ip_page(connection, self._warmup, tenant, page(call))
        closed = await self._opening.closed_ips()
        return [msgspec.structs.replace(v, closed=closed.get(v.ip, "")) for v in views]

    async def _one(self, call: Call) -> IpView:
        async with self._view() as connection:
            view = await self._read(call, connection)
        closed = await self._opening.closed_ips()
        view = msgspec.structs.replace(view, closed=closed.get(view.ip, ""))
        try:
            generation = await self._publisher.current()
            owners = {view.vmta: view.tenant}
            today = [] if generation is None else await self._usage(generation, owners)
        except RefusedError as error:
            # What was set must be readable all the same.
            log.warning("what %s used today is not shown: %s", view.ip, error)
            return msgspec.structs.replace(view, today_missing=error.apart().detail)
        return msgspec.structs.replace(view, today=today)

    async def _read(self, call: Call, connection: Reader) -> IpView:
        return await ip_view(connection, self._warmup, call.path["ip"])

    async def _change(self, call: Call) -> Changed[IpView]:
        address, warmup = call.path["ip"], self._warmup
        return await changed(
            self._publisher,
            call,
            lambda act: after(act, warmup, ip.change(act, address, call.body, warmup=warmup)),
        )

    async def _move(self, call: Call) -> Changed[IpView]:
        address, warmup = call.path["ip"], self._warmup
        return await changed(
            self._publisher,
            call,
            lambda act: after(act, warmup, moving.move_ip(act, address, call.body)),
        )

    async def _move_to_server(self, call: Call) -> Changed[IpView]:
        address, warmup, charged = call.path["ip"], self._warmup, self._charged
        return await changed(
            self._publisher,
            call,
            lambda act: after(
                act,
                warmup,
                moving.move_to_server(act, address, call.body, charged, force=call.force),
            ),
        )

    async def _remove(self, call: Call) -> Changed[Removed]:
        address, charged = call.path["ip"], self._charged
        return await changed(
            self._publisher,
            call,
            lambda act: removal.remove_ip(
                act, address, charged, force=call.force, reason=call.reason
            ),
        )

    async def _quota(self, call: Call) -> list[UsageView]:
        wanted: QuotaQuery = call.wanted
        tenant = call.query.get("tenant")
        async with self._view() as connection:
            await must_exist(connection, tenant)
            generation = await self._publisher.current(connection)
            if generation is None:
                return []
            owners = await owners_page(connection, generation, tenant, page(call))
        return wanted.kept(await self._usage(generation, owners))

    async def _usage(self, generation: Generation, owners: dict[str, str]) -> list[UsageView]:
        """By the generation in force: what gateways go by, not what was just typed. `owners`:
        VirtualMTA to tenant."""
        await self._opening.must_be_open()
        known = [generation.vmta[name] for name in owners if name in generation.vmta]
        now, counted = await self._admin.usage([v.ip for v in known])
        closed = await self._opening.closed_ips()
        admin = self._admin
        rates = Rates(generation, await limits_used(admin.client, admin.root, generation, known))
        views = []
        for vmta in known:
            owner = owners[vmta.name]
            window = _window(generation, owner)
            views += usage_views(
                vmta, owner, counted.get(vmta.ip), now, window, closed.get(vmta.ip, ""), rates
            )
        return views

    def routes(self) -> list[Route]:
        """All of them."""
        one, usage = "/api/v2/ips/{ip}", list[UsageView]
        thing = Thing(self._read, measured=frozenset({"today", "today_missing", "closed"}))
        today = "Use per IP and provider today"
        return [
            Route(
                "GET",
                "/api/v2/ips",
                "IPs",
                self._list,
                list[IpView],
                query=_TENANT,
                wanted=IpQuery,
                listing=listing("vmta", sort="vmta"),
            ),
            Route("GET", one, "One IP with today's use", self._one, IpView, thing=thing),
            Route(
                "PATCH",
                one,
                "Change an IP's quota, stage, state, burst, weight or ceilings",
                self._change,
                Changed[IpView],
                body=IpChange,
                query=DRY,
            ),
            Route(
                "DELETE",
                one,
                "Remove a retired IP; refused with what is in the way",
                self._remove,
                Changed[Removed],
                query=FORCED,
            ),
            Route(
                "POST",
                f"{one}/move",
                "Move an IP to another pool of its tenant",
                self._move,
                Changed[IpView],
                body=moving.IpMove,
                query=DRY,
            ),
            Route(
                "POST",
                f"{one}/server",
                "Move an IP that does not send to another PowerMTA server; refused with what is in "
                "the way",
                self._move_to_server,
                Changed[IpView],
                body=moving.IpServer,
                query=DRY | {"force": FORCED["force"]},
            ),
            Route(
                "GET",
                "/api/v2/quota",
                today,
                self._quota,
                usage,
                query=_TENANT | _IPS,
                wanted=QuotaQuery,
                listing=listing("vmta", sort="vmta"),
            ),
            Route("GET", "/api/v1/ips/{ip}", f"As {one}", self._one, IpView, thing=thing),
        ]


def _window(generation: Generation, tenant: str) -> Window | None:
    found = generation.tenant.get(tenant)
    return found.window if found else None
