"""/api/v2/powermta/import: a running PowerMTA's configuration becomes rows."""

from functools import partial

from control.api.route import DRY, Call, Route, changed
from control.plan.changed import Changed
from control.plan.publish import Publisher
from control.pmta.dkim import Seal
from control.takeover.asked import TakeoverAsked
from control.takeover.taking import TakeoverView, take
from settings.model import Warmup


class TakeoverApi:
    """Takes over what PowerMTA ran before. `signs`: PowerMTA is to sign by what is generated;
    `rollups`: domains are rolled up by their providers there."""

    def __init__(
        self, publisher: Publisher, seal: Seal, warmup: Warmup, *, signs: bool, rollups: bool
    ) -> None:
        self._publisher = publisher
        self._take = partial(take, seal=seal, warmup=warmup, signs=signs, rollups=rollups)

    async def _import(self, call: Call) -> Changed[TakeoverView]:
        return await changed(
            self._publisher, call, lambda act: self._take(act, call.body, dry=call.dry)
        )

    def routes(self) -> list[Route]:
        """All of them."""
        return [
            Route(
                "POST",
                "/api/v2/powermta/import",
                "Take over a running PowerMTA's configuration: what is understood, kept, refused",
                self._import,
                Changed[TakeoverView],
                secret=True,
                body=TakeoverAsked,
                query=DRY,
            )
        ]
