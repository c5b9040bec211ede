"""/api/v2/warmup, and the older paths of it."""

from msgspec.structs import replace

from control.api.listing import Listing
from control.api.page import listing, page
from control.api.route import DRY, GONE, Call, Route, Thing, changed
from control.plan.changed import Changed, Removed, removed
from control.plan.page import WHOLE, Page
from control.plan.publish import Publisher
from control.plan.view import Reader, View
from control.pmta.dkim import Seal
from control.problem import missing
from control.tenants.view import must_exist
from control.values.ip import normal_ip
from control.values.provider import known_provider
from control.warmup import byhand, plans, taking
from control.warmup.byhand import HandAct
from control.warmup.decision import DecisionPage, DecisionQuery, decisions
from control.warmup.engine import Engine
from control.warmup.plans import NewPlan, PlanView, plan_views
from control.warmup.simulation import Simulation, SimulationAsked
from control.warmup.taking import TakenRows, TakenView
from control.warmup.view import Overview, PlanRow, WarmupQuery, WarmupView, plan_row
from control.warmup.whatif import Growth, GrowthAsked, WhatIf
from settings.model import Warmup

_TENANT = {"tenant": "only this tenant's"}


MEASURED = frozenset(
    {
        *("counted_days", "sent_7d", "bounce_rate_7d", "spam_rate_7d"),
        *("act", "next", "providers.next"),
    }
)
"""Evidence of an IP, and what would follow from it."""


class WarmupApi:
    """What warm-up does, did and would do, and what people do to it."""

    def __init__(
        self,
        publisher: Publisher,
        view: View,
        engine: Engine,
        warmup: Warmup,
        what_if: WhatIf,
        seal: Seal,
    ) -> None:
        self._publisher = publisher
        self._view = view
        self._engine = engine
        self._warmup = warmup
        self._what_if = what_if
        self._seal = seal

    async def _views(self, call: Call, page: Page = WHOLE) -> list[WarmupView]:
        tenant = call.query.get("tenant")
        async with self._view() as connection:
            await must_exist(connection, tenant)
            return await self._engine.views(connection, tenant=tenant, page=page)

    async def _list(self, call: Call) -> list[WarmupView]:
        wanted: WarmupQuery = call.wanted
        provider = None if wanted.provider is None else known_provider(wanted.provider)
        return await self._views(call, replace(page(call), provider=provider))

    async def _overview(self, call: Call) -> Overview:
        tenant = call.query.get("tenant")
        async with self._view() as connection:
            await must_exist(connection, tenant)
            return await self._engine.overview(connection, tenant)

    async def _rows(self, call: Call) -> list[PlanRow]:
        return [plan_row(one) for one in await self._views(call)]

    async def _one(self, call: Call) -> WarmupView:
        async with self._view() as connection:
            await must_exist(connection, call.query.get("tenant"))
            return await self._read(call, connection)

    async def _read(self, call: Call, connection: Reader) -> WarmupView:
        address = normal_ip(call.path["ip"])
        tenant = call.query.get("tenant")
        for found in await self._engine.views(connection, tenant=tenant, page=Page(ip=address)):
            return found
        raise missing("IP", address)

    async def _decisions(self, call: Call) -> DecisionPage:
        wanted: DecisionQuery = call.wanted
        async with self._view() as connection:
            await must_exist(connection, wanted.tenant)
            return await decisions(connection, wanted)

    async def _do(self, call: Call) -> Changed[WarmupView]:
        address, body = call.path["ip"], call.body
        return await changed(
            self._publisher,
            call,
            lambda act: self._engine.after(act, byhand.do(act, address, body, warmup=self._warmup)),
        )

    async def _plans(self, _: Call) -> list[PlanView]:
        async with self._view() as connection:
            return await plan_views(connection, self._warmup)

    async def _plan(self, call: Call) -> PlanView:
        async with self._view() as connection:
            return await self._read_plan(call, connection)

    async def _read_plan(self, call: Call, connection: Reader) -> PlanView:
        name = call.path["name"]
        for found in await plan_views(connection, self._warmup):
            if found.name == name:
                return found
        raise missing("warm-up plan", name)

    async def _add_plan(self, call: Call) -> Changed[PlanView]:
        return await changed(
            self._publisher, call, lambda act: plans.add(act, call.body, warmup=self._warmup)
        )

    async def _remove_plan(self, call: Call) -> Changed[Removed]:
        name, reason = call.path["name"], call.reason
        return await changed(
            self._publisher,
            call,
            lambda act: removed("warm-up plan", plans.remove(act, name, reason)),
        )

    async def _import(self, call: Call) -> Changed[list[TakenView]]:
        seal, warmup = self._seal, self._warmup
        return await changed(
            self._publisher,
            call,
            lambda act: taking.take(act, call.body, seal=seal, warmup=warmup),
        )

    async def _simulation(self, call: Call) -> Simulation:
        async with self._view() as connection:
            return await self._what_if.simulation(connection, call.body, call.query.get("tenant"))

    async def _growth(self, call: Call) -> Growth:
        async with self._view() as connection:
            return await self._what_if.growth(connection, call.body)

    def routes(self) -> list[Route]:
        """All of them."""
        root = "/api/v2/warmup"
        return [
            Route(
                "GET",
                root,
                "Warm-up of each IP: stage, evidence, and what comes next",
                self._list,
                list[WarmupView],
                query=_TENANT,
                wanted=WarmupQuery,
                listing=listing("vmta", sort="vmta"),
            ),
            Route(
                "GET",
                f"{root}/decisions",
                "What was decided and why, the newest first",
                self._decisions,
                DecisionPage,
                wanted=DecisionQuery,
                listing=Listing(
                    key=("id",),
                    sorts=("-id",),
                    rows="decisions",
                    own={"-id": "before"},
                    told={"-id": "before"},
                ),
            ),
            Route(
                "GET",
                f"{root}/plans",
                "Warm-up plans with their stages",
                self._plans,
                list[PlanView],
                listing=Listing(key=("name",), sorts=("name", "-name")),
            ),
            Route(
                "POST",
                f"{root}/plans",
                "Store a warm-up plan",
                self._add_plan,
                Changed[PlanView],
                body=NewPlan,
                query=DRY,
            ),
            Route(
                "GET",
                f"{root}/plans/{{name}}",
                "One warm-up plan",
                self._plan,
                PlanView,
                thing=Thing(self._read_plan),
            ),
            Route(
                "DELETE",
                f"{root}/plans/{{name}}",
                "Remove a warm-up plan that no IP is on",
                self._remove_plan,
                Changed[Removed],
                query=GONE,
            ),
            Route(
                "GET",
                f"{root}/ips/{{ip}}",
                "Warm-up of one IP",
                self._one,
                WarmupView,
                thing=Thing(self._read, measured=MEASURED),
            ),
            Route(
                "POST",
                f"{root}/ips/{{ip}}",
                "Advance, pause, resume or keep an IP by hand, or cancel that",
                self._do,
                Changed[WarmupView],
                body=HandAct,
                query=DRY,
            ),
            Route(
                "POST",
                f"{root}/import",
                "Take over IPs that ran elsewhere, at their stage and day; all or none",
                self._import,
                Changed[list[TakenView]],
                body=TakenRows,
                query=DRY,
            ),
            Route(
                "POST",
                f"{root}/simulation",
                "Play warm-up forward over assumed traffic; changes nothing",
                self._simulation,
                Simulation,
                body=SimulationAsked,
                query=_TENANT,
            ),
            Route(
                "POST",
                f"{root}/growth",
                "What IPs that begin one after another may send, week by week; changes nothing",
                self._growth,
                Growth,
                body=GrowthAsked,
            ),
            Route(
                "GET",
                "/api/v1/warmup",
                "All IPs in sums, by phase",
                self._overview,
                Overview,
                query=_TENANT,
            ),
            Route(
                "GET",
                "/api/v1/warmup/plans",
                "Each IP's phase, quota and rates in per cent",
                self._rows,
                list[PlanRow],
                query=_TENANT,
            ),
        ]
