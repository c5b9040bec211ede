"""/api/v2/providers: whose mail a domain's is counted as, and why."""

from collections.abc import Awaitable, Callable

from control.api.route import Call, Route
from control.provider.view import AT_ONCE, ProviderView

One = Callable[[str], Awaitable[ProviderView]]
Page = Callable[[str, str | None, int], Awaitable[list[ProviderView]]]


class ProvidersApi:
    """Asks `one` (of a domain) and `page` (behind a domain, of a provider, at most so many)."""

    def __init__(self, one: One, page: Page) -> None:
        self._one = one
        self._page = page

    async def _show(self, call: Call) -> ProviderView:
        return await self._one(call.path["recipient"])

    async def _list(self, call: Call) -> list[ProviderView]:
        query = call.query
        most = call.number("limit", 100, AT_ONCE)
        return await self._page(query.get("after", ""), query.get("provider") or None, most)

    def routes(self) -> list[Route]:
        """All of them."""
        return [
            Route(
                "GET",
                "/api/v2/providers",
                "Hosted domains whose provider was learnt, by name",
                self._list,
                list[ProviderView],
                query={
                    "provider": "only of this one; `other` for those that are nobody's",
                    "after": "the last domain of the page before",
                    "limit": f"how many, at most {AT_ONCE}",
                },
            ),
            Route(
                "GET",
                "/api/v2/providers/{recipient}",
                "The provider of a recipient domain, and why",
                self._show,
                ProviderView,
            ),
        ]
