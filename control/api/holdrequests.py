"""/api/v2/hold/requests and /forget: asking the releasers, and watching what they do."""

from control.api.listing import Listing
from control.api.route import DRY, Call, Route
from control.held.filter import HoldFilter, HoldRequestQuery, some
from control.held.orders import Orders
from control.held.request import Forget, HoldOrder, order
from control.held.requestview import HoldAnswer, HoldRequest
from control.problem import bad, quoted
from control.tenants.view import Known

LONGEST_WAIT = 10
"""Seconds one question may stay open; commands ask again."""


class HoldRequestsApi:
    """Orders are rows; releasers do them in small steps."""

    def __init__(self, orders: Orders, known: Known) -> None:
        self._orders = orders
        self._known = known

    async def _order(self, call: Call) -> HoldAnswer:
        wanted = order(call.body, dry=call.dry)
        await self._known(wanted.tenant)
        return await self._orders.order(call.who, wanted, dry=call.dry, still=call.still)

    async def _forget(self, call: Call) -> HoldAnswer:
        wanted: Forget = call.body
        some(HoldFilter(tenant=wanted.tenant, recipient=wanted.recipient))
        await self._known(wanted.tenant)
        return await self._orders.forget(call.who, wanted, dry=call.dry, still=call.still)

    async def _list(self, call: Call) -> list[HoldRequest]:
        wanted: HoldRequestQuery = call.wanted
        await self._known(wanted.tenant)
        return await self._orders.listed(wanted.tenant, wanted.before or None, wanted.limit)

    async def _undo(self, call: Call) -> HoldRequest:
        tenant = call.query.get("tenant")
        await self._known(tenant)
        return await self._orders.undo(call.who, _number(call), tenant)

    async def _one(self, call: Call) -> HoldRequest:
        wait, seen = call.number("wait", 0, LONGEST_WAIT), call.number("seen", 0, 1 << 60)
        tenant = call.query.get("tenant")
        return await self._orders.one(_number(call), tenant, seen=seen, wait=wait)

    def routes(self) -> list[Route]:
        """All of them."""
        requests = "/api/v2/hold/requests"
        return [
            Route(
                "GET",
                requests,
                "What was asked of the releasers and how far it is, newest first",
                self._list,
                list[HoldRequest],
                wanted=HoldRequestQuery,
                listing=Listing(key=("id",), sorts=("-id",), own={"-id": "before"}),
            ),
            Route(
                "POST",
                requests,
                "Pause, resume, release, drop or settle held mail; a releaser does it in small "
                "steps",
                self._order,
                HoldAnswer,
                body=HoldOrder,
                query=DRY,
                status=202,
            ),
            Route(
                "GET",
                f"{requests}/{{request}}",
                "One request",
                self._one,
                HoldRequest,
                query={
                    "tenant": "only this tenant's",
                    "wait": f"seconds to wait for news, at most {LONGEST_WAIT}",
                    "seen": "`changed` as last seen: more than that is news",
                },
            ),
            Route(
                "POST",
                f"{requests}/{{request}}/undo",
                "Undo a drop or a release: what has not gone waits as it did",
                self._undo,
                HoldRequest,
                query={"tenant": "only this tenant's"},
                status=202,
            ),
            Route(
                "POST",
                "/api/v2/hold/forget",
                "Remove a recipient's waiting mail, and its address from the history",
                self._forget,
                HoldAnswer,
                body=Forget,
                query=DRY,
                status=202,
            ),
        ]


def _number(call: Call) -> int:
    text = call.path["request"]
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise bad("request", f"{quoted(text)} is not a number")
    return int(text)
