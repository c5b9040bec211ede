"""/api/v2/accounting: how far PowerMTA's accounting has been read."""

from control.accounting.status import StreamView, streams
from control.api.route import Call, Route


async def _streams(call: Call) -> list[StreamView]:
    core = call.core
    return await streams(core.pool, core.settings.accounting, await core.calendar())


ROUTES = [
    Route(
        "GET",
        "/api/v2/accounting",
        "How far PowerMTA's accounting has been read",
        _streams,
        list[StreamView],
    ),
]
