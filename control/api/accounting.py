"""/api/v2/accounting: how far PowerMTA's accounting has been read, and what could not be."""

from collections.abc import Awaitable, Callable

from control.accounting.inbox import InboxState
from control.accounting.setaside import Again, Rejected, Retried, SetAsidePage, SetAsideQuery
from control.accounting.status import StreamView
from control.api.listing import Listing
from control.api.route import Call, Route
from control.bypass.view import SHOWN, BypassView

Streams = Callable[[], Awaitable[list[StreamView]]]
State = Callable[[], Awaitable[InboxState]]
Bypassed = Callable[[int], Awaitable[list[BypassView]]]


_SOURCE = ("day", "server", "vmta", "ip", "login", "source", "job")


class AccountingApi:
    """Asks `streams`, `inbox` and `bypassed` (of so many days) each time."""

    def __init__(
        self, streams: Streams, inbox: State, rejected: Rejected, bypassed: Bypassed
    ) -> None:
        self._streams = streams
        self._state = inbox
        self._rejected = rejected
        self._bypassed = bypassed

    async def _list(self, _: Call) -> list[StreamView]:
        return await self._streams()

    async def _inbox(self, _: Call) -> InboxState:
        return await self._state()

    async def _page(self, call: Call) -> SetAsidePage:
        return await self._rejected.page(call.wanted)

    async def _again(self, call: Call) -> Retried:
        return await self._rejected.again(call.body.ids)

    async def _bypass(self, call: Call) -> list[BypassView]:
        return await self._bypassed(call.number("days", 2, 366, least=1))

    def routes(self) -> list[Route]:
        """All of them."""
        what = "How far PowerMTA's accounting has been read"
        rejected = "/api/v2/accounting/rejected"
        return [
            Route(
                "GET",
                "/api/v2/accounting",
                what,
                self._list,
                list[StreamView],
                listing=Listing(key=("server",), sorts=("server", "-server", "age", "-age")),
            ),
            Route(
                "GET",
                "/api/v2/accounting/inbox",
                "Posted batches that wait to be taken in",
                self._inbox,
                InboxState,
            ),
            Route(
                "GET",
                "/api/v2/accounting/bypass",
                "Mail on our VirtualMTAs that no gateway handed in, by day and source",
                self._bypass,
                list[BypassView],
                listing=Listing(key=_SOURCE, sorts=("-day", "day", "-recipients", "recipients")),
                query={"days": f"of so many days, with today, 1 to 366; 2. At most {SHOWN} rows"},
            ),
            Route(
                "GET",
                rejected,
                "Records that could not be taken in, the oldest first",
                self._page,
                SetAsidePage,
                wanted=SetAsideQuery,
                listing=Listing(key=("id",), sorts=("id",), rows="rejected", own={"id": "after"}),
            ),
            Route(
                "POST",
                f"{rejected}/again",
                "Take them in once more, after a mend",
                self._again,
                Retried,
                body=Again,
            ),
        ]
