"""/api/v2/generation: the plan in force; /api/v2/plans: those that were."""

from control.api.listing import Listing
from control.api.route import DRY, Call, Route, Thing, answer, changed
from control.plan.changed import Changed
from control.plan.history import PlanAsked, PlanPage, PlanQuery, Plans, PlanView
from control.plan.inforce import (
    GenerationView,
    Nothing,
    again,
    generation_view,
    in_force,
    stored_view,
)
from control.plan.publish import Publisher
from control.plan.view import Reader
from control.problem import bad, quoted
from control.rollback.change import PlanBack, PlanBackView, go_back
from policy.ledger.admin import LedgerAdmin
from settings.model import Warmup


class PlanApi:
    """Shows them, and publishes the one in force again."""

    def __init__(
        self, publisher: Publisher, admin: LedgerAdmin, plans: Plans, warmup: Warmup
    ) -> None:
        self._publisher = publisher
        self._warmup = warmup
        self._admin = admin
        self._plans = plans

    async def _show(self, _: Call) -> GenerationView:
        return await generation_view(self._publisher, self._admin)

    async def _read(self, _: Call, connection: Reader) -> GenerationView:
        return stored_view(await in_force(self._publisher, connection))

    async def _publish(self, call: Call) -> Changed[Nothing]:
        # Whoever asks for it doubts what lies there: all of it is made and written again.
        return answer(await self._publisher.change(call.who, again, dry=call.dry, whole=True))

    async def _page(self, call: Call) -> PlanPage:
        return await self._plans.page(call.wanted)

    async def _one(self, call: Call) -> PlanView:
        return await self._plans.one(_number(call), call.wanted.against)

    async def _back(self, call: Call) -> Changed[PlanBackView]:
        publisher, number = self._publisher, _number(call)
        return await changed(
            publisher,
            call,
            lambda act: go_back(act, number, call.body, publisher=publisher, warmup=self._warmup),
        )

    def routes(self) -> list[Route]:
        """All of them."""
        path = "/api/v2/generation"
        return [
            Route(
                "GET",
                path,
                "The plan in force",
                self._show,
                GenerationView,
                thing=Thing(self._read, measured=frozenset({"ledger", "workers"})),
            ),
            Route("POST", path, "Publish again, whole", self._publish, Changed[Nothing], query=DRY),
            Route(
                "GET",
                "/api/v2/plans",
                "Plans that were published, who made each and why, newest first",
                self._page,
                PlanPage,
                wanted=PlanQuery,
                listing=Listing(
                    key=("number",),
                    sorts=("-number",),
                    rows="plans",
                    own={"-number": "before"},
                    told={"-number": "before"},
                ),
            ),
            Route(
                "GET",
                "/api/v2/plans/{plan}",
                "One of them, and what it changed against the one before, or any other",
                self._one,
                PlanView,
                wanted=PlanAsked,
            ),
            Route(
                "POST",
                "/api/v2/plans/{plan}/rollback",
                "Set again what it had: where mail goes and by which terms, never what an IP may "
                "send",
                self._back,
                Changed[PlanBackView],
                body=PlanBack,
                query=DRY,
            ),
        ]


def _number(call: Call) -> int:
    text = call.path["plan"]
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise bad("plan", f"{quoted(text)} is not the number of a plan")
    return int(text)
