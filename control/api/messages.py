"""/api/v2/messages: what became of messages, by recipient."""

from control.api.hold import number
from control.api.route import Call, Route
from control.held.filter import address, message_id
from control.ledger.clock import moment
from control.messages.outcome import MessagePage
from control.messages.search import MessageFilter, search
from control.tenants.view import must_exist


async def _list(call: Call) -> MessagePage:
    query = call.query
    tenant, since = query.get("tenant"), query.get("since")
    await must_exist(call.core.pool, tenant)
    wanted = MessageFilter(
        to=address(query["to"], "to") if "to" in query else None,
        tenant=tenant,
        message=message_id(query["message"]) if "message" in query else None,
        since=None if since is None else round(moment(since, "since").timestamp() * 1000),
        before=number(call, "before", 0, 1 << 60) or None,
        limit=max(1, number(call, "limit", 100, 1000)),
    )
    return await search(call.core.pool, wanted, call.core.settings.log)


ROUTES = [
    Route(
        "GET",
        "/api/v2/messages",
        "What became of messages, newest first, and whether they wait",
        _list,
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
