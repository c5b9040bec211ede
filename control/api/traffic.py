"""/api/v2/traffic: what goes through each IP now."""

from collections.abc import Awaitable, Callable

from control.api.route import Call, Route
from control.tenants.view import Known
from control.traffic.traffic import Traffic, TrafficQuery

PATH = "/api/v2/traffic"


class TrafficApi:
    """`known`: whether a tenant is."""

    def __init__(self, look: Callable[[TrafficQuery], Awaitable[Traffic]], known: Known) -> None:
        self._look = look
        self._known = known

    async def _traffic(self, call: Call) -> Traffic:
        wanted: TrafficQuery = call.wanted
        await self._known(wanted.tenant)
        return await self._look(wanted)

    def routes(self) -> list[Route]:
        """The one."""
        return [
            Route(
                "GET",
                PATH,
                "What goes through each IP now, and what they may still send today: as "
                "`sendgate top` shows it, to be asked once a second",
                self._traffic,
                Traffic,
                wanted=TrafficQuery,
            ),
        ]
