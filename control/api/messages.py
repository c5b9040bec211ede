"""/api/v2/messages: what became of messages, by recipient."""

from control.api.route import Call, Route
from control.held.filter import address, message_id
from control.ledger.clock import moment
from control.messages.outcome import MessagePage
from control.messages.search import MessageFilter, Search
from control.tenants.view import Known


class MessagesApi:
    """What `search` finds."""

    def __init__(self, search: Search, known: Known) -> None:
        self._search = search
        self._known = known

    async def _list(self, call: Call) -> MessagePage:
        query = call.query
        tenant, since = query.get("tenant"), query.get("since")
        await self._known(tenant)
        wanted = MessageFilter(
            to=address(query["to"], "to") if "to" in query else None,
            tenant=tenant,
            message=message_id(query["message"]) if "message" in query else None,
            since=None if since is None else round(moment(since, "since").timestamp() * 1000),
            before=query.get("before") or None,
            limit=max(1, call.number("limit", 100, 1000)),
        )
        return await self._search(wanted)

    def routes(self) -> list[Route]:
        """The one."""
        return [
            Route(
                "GET",
                "/api/v2/messages",
                "What became of messages, newest first, and whether they wait",
                self._list,
                MessagePage,
                query={
                    "to": "only to this address",
                    "tenant": "only this tenant's",
                    "message": "a message id or an envelope id",
                    "since": "ISO time, UTC when it names no zone",
                    "before": "the `before` of the page before",
                    "limit": "at most so many, 1 to 1000; 100",
                },
            ),
        ]
