"""/api/warmup/control: whether mail goes and warm-up decides, stop, start, once by hand."""

import msgspec

from control.api.route import DRY, Call, Route, Thing
from control.plan.changed import Changed
from control.plan.view import Reader
from control.stop.control import MEASURED, Control, ControlAct, ControlView, Settled

PATH = "/api/warmup/control"


class WarmupControlApi:
    """Asks `control` each time."""

    def __init__(self, control: Control) -> None:
        self._control = control

    async def _show(self, call: Call) -> ControlView:
        view = await self._control.view()
        # Who stopped it and why is the operators': words may name other tenants.
        alone = "tenant" in call.query
        return msgspec.structs.replace(view, stopped=None) if alone else view

    async def _read(self, _: Call, connection: Reader) -> Settled:
        return await self._control.settled(connection)

    async def _act(self, call: Call) -> Changed[ControlView]:
        return await self._control.act(call.who, call.body, dry=call.dry, still=call.still)

    def routes(self) -> list[Route]:
        """All of them."""
        return [
            Route(
                "GET",
                PATH,
                "Whether mail goes and warm-up decides",
                self._show,
                ControlView,
                query={"tenant": "as who sees this one alone"},
                thing=Thing(self._read, measured=MEASURED),
            ),
            Route(
                "POST",
                PATH,
                "Stop all sending while mail is held, start it again, or look once by hand",
                self._act,
                Changed[ControlView],
                body=ControlAct,
                query=DRY,
            ),
        ]
