"""/api/v2/alerts: what somebody should know of."""

from collections.abc import Awaitable, Callable

from control.alerts.alert import AlertView
from control.alerts.desk import AlertQuery, Alerts, Mute, MuteView
from control.alerts.sender import Delivered
from control.api.listing import Listing
from control.api.route import Call, Route

PATH = "/api/v2/alerts"

Listed = Callable[[AlertQuery], Awaitable[Alerts]]
Acknowledged = Callable[[str, int, str], Awaitable[AlertView]]
Muted = Callable[[str, Mute], Awaitable[MuteView]]
Tried = Callable[[], Awaitable[list[Delivered]]]


class AlertsApi:
    """Calls what it was given."""

    def __init__(self, listed: Listed, ack: Acknowledged, mute: Muted, test: Tried) -> None:
        self._listed = listed
        self._acknowledged = ack
        self._muted = mute
        self._tried = test

    async def _list(self, call: Call) -> Alerts:
        return await self._listed(call.wanted)

    async def _ack(self, call: Call) -> AlertView:
        text = call.path["alert"]
        number = int(text) if text.isascii() and text.isdigit() and len(text) < 19 else 0
        return await self._acknowledged(call.who, number, call.reason)

    async def _mute(self, call: Call) -> MuteView:
        return await self._muted(call.who, call.body)

    async def _test(self, _: Call) -> list[Delivered]:
        return await self._tried()

    def routes(self) -> list[Route]:
        """All of them."""
        return [
            Route(
                "GET",
                PATH,
                "What is wrong now, the latest first, and what is muted",
                self._list,
                Alerts,
                wanted=AlertQuery,
                listing=Listing(key=("id",), sorts=("-id",), rows="alerts", own={"-id": "before"}),
            ),
            Route(
                "POST",
                f"{PATH}/mute",
                "Tell nothing of a key for a while",
                self._mute,
                MuteView,
                body=Mute,
            ),
            Route(
                "POST",
                f"{PATH}/test",
                "Send a test by every way that is set, and say what became of each",
                self._test,
                list[Delivered],
            ),
            Route(
                "POST",
                f"{PATH}/{{alert}}/ack",
                "It is known: nothing more is told of it but its end",
                self._ack,
                AlertView,
                query={"reason": "for the audit log"},
            ),
        ]
