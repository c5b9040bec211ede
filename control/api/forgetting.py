"""/api/v2/accounting/forgetting: how far addresses are out of what is kept of accounting."""

from control.accounting.forgetting import Forgetting, ForgettingView
from control.api.listing import Listing
from control.api.route import Call, Route
from control.problem import bad, quoted
from control.tenants.view import Known

LONGEST_WAIT = 10
"""Seconds one question may stay open; commands ask again."""


class ForgettingApi:
    """Asked by `POST /api/v2/hold/forget`."""

    def __init__(self, forgetting: Forgetting, known: Known) -> None:
        self._forgetting = forgetting
        self._known = known

    async def _list(self, call: Call) -> list[ForgettingView]:
        tenant = call.query.get("tenant")
        await self._known(tenant)
        before = call.number("before", 0, 1 << 60) or None
        return await self._forgetting.listed(tenant, before, call.parted.limit + 1)

    async def _one(self, call: Call) -> ForgettingView:
        text = call.path["request"]
        if not (text.isascii() and text.isdigit() and len(text) < 19):
            raise bad("request", f"{quoted(text)} is not a number")
        wait, seen = call.number("wait", 0, LONGEST_WAIT), call.number("seen", 0, 1 << 60)
        tenant = call.query.get("tenant")
        return await self._forgetting.one(int(text), tenant, seen=seen, wait=wait)

    def routes(self) -> list[Route]:
        """All of them."""
        path = "/api/v2/accounting/forgetting"
        return [
            Route(
                "GET",
                path,
                "Addresses that are taken out of accounting records and how far it is, newest "
                "first",
                self._list,
                list[ForgettingView],
                query={
                    "tenant": "only this tenant's",
                    "before": "id of the last one seen",
                },
                listing=Listing(key=("id",), sorts=("-id",), own={"-id": "before"}, usual=50),
            ),
            Route(
                "GET",
                f"{path}/{{request}}",
                "One of them",
                self._one,
                ForgettingView,
                query={
                    "tenant": "only this tenant's",
                    "wait": f"seconds to wait for news, at most {LONGEST_WAIT}",
                    "seen": "`looked` as last seen: more than that is news",
                },
            ),
        ]
