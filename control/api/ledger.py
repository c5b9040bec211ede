"""/api/v2/ledger and /api/v2/clock."""

from typing import Annotated

import msgspec

from control.api.route import Call, Route
from control.ledger.clock import Clock, ClockMove, ClockView
from control.ledger.opening import Opening
from control.ledger.status import LedgerStatus
from control.plan.publish import Publisher
from control.problem import RefusedError
from control.values.reason import ReasonText
from control.values.wanted import meant


class OpenLedger(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An operator's opening of a ledger that lost its counts."""

    confirm: Annotated[
        Annotated[bool, msgspec.Meta(extra_json_schema={"const": True})],
        meant("Today's counts are gone: each IP may be given its day's quota once more."),
    ]
    reason: ReasonText = ""


class LedgerApi:
    """How the ledger stands, its opening, its time."""

    def __init__(self, opening: Opening, publisher: Publisher, clock: Clock) -> None:
        self._opening = opening
        self._publisher = publisher
        self._clock = clock

    async def _show(self, _: Call) -> LedgerStatus:
        return await self._opening.status()

    async def _open(self, call: Call) -> LedgerStatus:
        body: OpenLedger = call.body
        if not body.confirm:
            raise RefusedError(
                "confirm must be true: today's counts are gone", status=400, field="confirm"
            )
        status = await self._opening.open_again(call.who, body.reason)
        await self._publisher.reconcile(call.who)
        return status

    async def _time(self, _: Call) -> ClockView:
        return await self._clock.show()

    async def _move(self, call: Call) -> ClockView:
        return await self._clock.move(call.body)

    def routes(self) -> list[Route]:
        """All of them."""
        ledger, clock = "/api/v2/ledger", "/api/v2/clock"
        move = "Move calendar time forward (embedded stacks)"
        again = "Open a ledger that lost its counts"
        return [
            Route("GET", clock, "Calendar time", self._time, ClockView),
            Route("POST", clock, move, self._move, ClockView, body=ClockMove),
            Route("GET", ledger, "Whether the ledger is open", self._show, LedgerStatus),
            Route("POST", ledger, again, self._open, LedgerStatus, body=OpenLedger),
        ]
