"""/api/v2/accounting: how far PowerMTA's accounting has been read."""

from collections.abc import Awaitable, Callable

from control.accounting.status import StreamView
from control.api.route import Call, Route

Streams = Callable[[], Awaitable[list[StreamView]]]


class AccountingApi:
    """Asks `streams` each time."""

    def __init__(self, streams: Streams) -> None:
        self._streams = streams

    async def _list(self, _: Call) -> list[StreamView]:
        return await self._streams()

    def routes(self) -> list[Route]:
        """All of them."""
        what = "How far PowerMTA's accounting has been read"
        return [Route("GET", "/api/v2/accounting", what, self._list, list[StreamView])]
