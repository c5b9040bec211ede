"""/api/v2/providers: whose mail a domain's is counted as, and why."""

from collections.abc import Awaitable, Callable

from control.api.listing import Listing
from control.api.route import Call, Route
from control.provider.view import ProviderQuery, ProviderView

One = Callable[[str], Awaitable[ProviderView]]
Page = Callable[[ProviderQuery], Awaitable[list[ProviderView]]]


class ProvidersApi:
    """Asks `one` (of a domain) and `page` (of those that were learnt)."""

    def __init__(self, one: One, page: Page) -> None:
        self._one = one
        self._page = page

    async def _show(self, call: Call) -> ProviderView:
        return await self._one(call.path["recipient"])

    async def _list(self, call: Call) -> list[ProviderView]:
        return await self._page(call.wanted)

    def routes(self) -> list[Route]:
        """All of them."""
        return [
            Route(
                "GET",
                "/api/v2/providers",
                "Hosted domains whose provider was learnt, by name",
                self._list,
                list[ProviderView],
                wanted=ProviderQuery,
                listing=Listing(key=("domain",), sorts=("domain",), own={"domain": "after"}),
            ),
            Route(
                "GET",
                "/api/v2/providers/{recipient}",
                "The provider of a recipient domain, and why",
                self._show,
                ProviderView,
            ),
        ]
