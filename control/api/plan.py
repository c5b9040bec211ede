"""/api/v2/generation: the plan in force."""

from control.api.route import DRY, Call, Route, changed
from control.plan.changed import Changed
from control.plan.inforce import GenerationView, Nothing, again, generation_view
from control.plan.publish import Publisher
from policy.ledger.admin import LedgerAdmin


class PlanApi:
    """Shows it, and publishes it again."""

    def __init__(self, publisher: Publisher, admin: LedgerAdmin) -> None:
        self._publisher = publisher
        self._admin = admin

    async def _show(self, _: Call) -> GenerationView:
        return await generation_view(self._publisher, self._admin)

    async def _publish(self, call: Call) -> Changed[Nothing]:
        return await changed(self._publisher, call, again)

    def routes(self) -> list[Route]:
        """All of them."""
        path = "/api/v2/generation"
        return [
            Route("GET", path, "The plan in force", self._show, GenerationView),
            Route("POST", path, "Publish again", self._publish, Changed[Nothing], query=DRY),
        ]
