"""/api/v2/messages: what became of messages, by recipient."""

from control.api.listing import Listing
from control.api.route import Call, Route
from control.messages.outcome import MessagePage
from control.messages.search import MessageQuery, Search, filter_of
from control.tenants.view import Known


class MessagesApi:
    """What `search` finds."""

    def __init__(self, search: Search, known: Known) -> None:
        self._search = search
        self._known = known

    async def _list(self, call: Call) -> MessagePage:
        wanted: MessageQuery = call.wanted
        await self._known(wanted.tenant)
        return await self._search(filter_of(wanted))

    def routes(self) -> list[Route]:
        """The one."""
        return [
            Route(
                "GET",
                "/api/v2/messages",
                "What became of messages, newest first, and whether they wait",
                self._list,
                MessagePage,
                wanted=MessageQuery,
                listing=Listing(
                    sorts=("-at",), rows="messages", own={"-at": "before"}, told={"-at": "before"}
                ),
            ),
        ]
