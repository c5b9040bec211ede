"""/api/v2/hold: what waits, when it will go, and what the sender's system is to be told."""

from control.api.route import Call, Route
from control.held.content import HeldContent
from control.held.event import HoldEvent
from control.held.filter import HoldFilter, checked, message_id
from control.held.forecast import HoldForecast
from control.held.held import OPEN, STATES, HeldDetail, HeldPage, HoldSummary
from control.held.look import Hold
from control.problem import bad
from control.tenants.view import Known

FILTERS = {
    "tenant": "only this tenant's",
    "campaign": "only of this campaign",
    "recipient": "only to this address",
    "reason": "only what waits for this reason",
    "message": "a message id, the id of one recipient's row, or an envelope id",
}
_STATE = {"state": f"of {', '.join(STATES)}, comma between; without: {', '.join(OPEN)}"}
_PAGE = {"limit": "at most so many, 1 to 1000; 100", "after": "the `after` of the page before"}
_OF = {"tenant": FILTERS["tenant"]}


class HoldApi:
    """Changes nothing; a look at content is audited."""

    def __init__(self, hold: Hold, known: Known) -> None:
        self._hold = hold
        self._known = known

    async def _tenant(self, call: Call) -> str | None:
        tenant = call.query.get("tenant")
        await self._known(tenant)
        return tenant

    async def _filters(self, call: Call) -> HoldFilter:
        found = checked(HoldFilter(**{name: call.query.get(name) for name in FILTERS}))
        await self._tenant(call)
        return found

    async def _summary(self, call: Call) -> HoldSummary:
        return await self._hold.summary(await self._filters(call), _states(call))

    async def _messages(self, call: Call) -> HeldPage:
        wanted, states = await self._filters(call), _states(call)
        limit = max(1, call.number("limit", 100, 1000))
        return await self._hold.messages(wanted, states, limit, call.query.get("after"))

    async def _one(self, call: Call) -> HeldDetail:
        return await self._hold.one(message_id(call.path["message"]), call.query.get("tenant"))

    async def _content(self, call: Call) -> HeldContent:
        part, tenant = call.query.get("part", "headers"), call.query.get("tenant")
        if part not in ("headers", "whole"):
            raise bad("part", f"{part!r} is neither headers nor whole")
        name, whole = call.path["message"], part == "whole"
        return await self._hold.content(
            name, tenant, whole=whole, who=call.who, reason=call.query.get("reason", "")
        )

    async def _forecast(self, call: Call) -> HoldForecast:
        return await self._hold.forecast(await self._tenant(call))

    async def _events(self, call: Call) -> list[HoldEvent]:
        tenant = await self._tenant(call)
        after = call.number("after", 0, 1 << 60)
        return await self._hold.events(after, tenant, max(1, call.number("limit", 100, 1000)))

    def routes(self) -> list[Route]:
        """All of them."""
        hold, query = "/api/v2/hold", FILTERS | _STATE
        told = {"after": "id of the last one seen", "limit": _PAGE["limit"], **_OF}
        return [
            Route("GET", hold, "What waits, counted", self._summary, HoldSummary, query=query),
            Route(
                "GET",
                f"{hold}/messages",
                "Held messages by arrival",
                self._messages,
                HeldPage,
                query=query | _PAGE,
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
                query=told,
            ),
        ]


def _states(call: Call) -> list[str]:
    given = call.query.get("state")
    if given is None:
        return list(OPEN)
    found = given.split(",")
    if wrong := [s for s in found if s not in STATES]:
        raise bad("state", f"{wrong[0]!r} is none of {', '.join(STATES)}")
    return found
