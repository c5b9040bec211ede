"""/api/v2/blocklists: which DNS blocklists have our IPs and sending domains."""

from control.api.listing import Listing
from control.api.route import Call, Route
from control.blocklists.view import BlocklistAnswer, BlocklistQuery, BlocklistViews, ZoneView

PATH = "/api/v2/blocklists"
_ZONES = Listing(key=("name",), sorts=("name", "-name"))


class BlocklistsApi:
    """Lists answers, and asks anew."""

    def __init__(self, views: BlocklistViews) -> None:
        self._views = views

    async def _list(self, call: Call) -> list[BlocklistAnswer]:
        return await self._views.page(call.wanted)

    async def _zones(self, _: Call) -> list[ZoneView]:
        return self._views.zones()

    async def _check(self, call: Call) -> list[BlocklistAnswer]:
        return await self._views.check(call.path["subject"].lower())

    def routes(self) -> list[Route]:
        """All of them."""
        return [
            Route(
                "GET",
                PATH,
                "What each DNS blocklist says of our IPs and sending domains",
                self._list,
                list[BlocklistAnswer],
                wanted=BlocklistQuery,
                listing=Listing(
                    key=("subject", "zone"),
                    sorts=("subject",),
                    own={"subject": "after"},
                    joint="@",
                ),
            ),
            Route(
                "GET",
                f"{PATH}/zones",
                "The lists that are asked",
                self._zones,
                list[ZoneView],
                listing=_ZONES,
            ),
            Route(
                "POST",
                f"{PATH}/{{subject}}/check",
                "Ask the lists about one IP or sending domain now",
                self._check,
                list[BlocklistAnswer],
            ),
        ]
