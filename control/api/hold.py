"""/api/v2/hold: what waits, when it will go, and what the sender's system is to be told."""

from control.api.listing import Listing
from control.api.route import Call, Route
from control.held.content import HeldContent
from control.held.event import HoldEvent
from control.held.filter import (
    HeldQuery,
    HoldEventQuery,
    HoldFilter,
    HoldQuery,
    checked,
    message_id,
)
from control.held.forecast import HoldForecast
from control.held.held import HeldDetail, HeldPage, HoldSummary
from control.held.look import Hold
from control.held.shortfall import HoldShortfall
from control.problem import bad, quoted
from control.tenants.view import Known

_OF = {"tenant": "only this tenant's"}


class HoldApi:
    """Changes nothing; a look at content is audited."""

    def __init__(self, hold: Hold, known: Known) -> None:
        self._hold = hold
        self._known = known

    async def _tenant(self, call: Call) -> str | None:
        tenant = call.query.get("tenant")
        await self._known(tenant)
        return tenant

    async def _filters(self, wanted: HoldQuery) -> HoldFilter:
        found = checked(wanted)
        await self._known(wanted.tenant)
        return found

    async def _summary(self, call: Call) -> HoldSummary:
        wanted: HoldQuery = call.wanted
        return await self._hold.summary(await self._filters(wanted), wanted.states)

    async def _messages(self, call: Call) -> HeldPage:
        wanted: HeldQuery = call.wanted
        filters = await self._filters(wanted)
        return await self._hold.messages(filters, wanted.states, wanted.limit, wanted.after)

    async def _one(self, call: Call) -> HeldDetail:
        return await self._hold.one(message_id(call.path["message"]), call.query.get("tenant"))

    async def _content(self, call: Call) -> HeldContent:
        part, tenant = call.query.get("part", "headers"), call.query.get("tenant")
        if part not in ("headers", "whole"):
            raise bad("part", f"{quoted(part)} is neither headers nor whole")
        name, whole = call.path["message"], part == "whole"
        return await self._hold.content(
            name, tenant, whole=whole, who=call.who, reason=call.query.get("reason", "")
        )

    async def _forecast(self, call: Call) -> HoldForecast:
        return await self._hold.forecast(await self._tenant(call))

    async def _shortfall(self, call: Call) -> HoldShortfall:
        return await self._hold.shortfall(await self._tenant(call))

    async def _events(self, call: Call) -> list[HoldEvent]:
        wanted: HoldEventQuery = call.wanted
        await self._known(wanted.tenant)
        return await self._hold.events(wanted.after, wanted.tenant, wanted.limit)

    def routes(self) -> list[Route]:
        """All of them."""
        hold = "/api/v2/hold"
        return [
            Route("GET", hold, "What waits, counted", self._summary, HoldSummary, wanted=HoldQuery),
            Route(
                "GET",
                f"{hold}/messages",
                "Held messages by arrival",
                self._messages,
                HeldPage,
                wanted=HeldQuery,
                listing=Listing(
                    sorts=("arrived",),
                    rows="messages",
                    own={"arrived": "after"},
                    told={"arrived": "after"},
                ),
            ),
            Route(
                "GET",
                f"{hold}/forecast",
                "When what waits will be gone, by pool and provider",
                self._forecast,
                HoldForecast,
                query=_OF,
            ),
            Route(
                "GET",
                f"{hold}/shortfall",
                "What mailboxes with mail waiting lack to their daily minimum, by day and pool",
                self._shortfall,
                HoldShortfall,
                query=_OF,
            ),
            Route(
                "GET",
                f"{hold}/messages/{{message}}",
                "One message",
                self._one,
                HeldDetail,
                query=_OF,
            ),
            Route(
                "GET",
                f"{hold}/messages/{{message}}/content",
                "The headers of a held message, or all of it; each look is audited",
                self._content,
                HeldContent,
                secret=True,
                written=True,
                query={
                    "part": "headers (without it), or whole",
                    "reason": "for the audit log",
                    **_OF,
                },
            ),
            Route(
                "GET",
                f"{hold}/events",
                "What the sender's system is to be told: soft or internal, never hard",
                self._events,
                list[HoldEvent],
                wanted=HoldEventQuery,
                listing=Listing(key=("id",), sorts=("id",), own={"id": "after"}),
            ),
        ]
