"""/api/v2/statistics: what became of mail, in sums."""

from collections.abc import Awaitable, Callable

from control.api.route import Call, Route
from control.statistics.question import KEYS, Question, question
from control.statistics.row import StatisticsPage
from control.tenants.view import Known
from policy.limits import day_of

Answer = Callable[[Question], Awaitable[StatisticsPage]]
Now = Callable[[], Awaitable[int]]
"""Calendar milliseconds."""

_OFFSET_MOST = 100_000_000


class StatisticsApi:
    """`known`: whether a tenant is, or was lately; `most`: rows of one answer."""

    def __init__(self, answer: Answer, known: Known, now: Now, most: int) -> None:
        self._answer = answer
        self._known = known
        self._now = now
        self._most = most

    async def _sums(self, call: Call) -> StatisticsPage:
        await self._known(call.query.get("tenant"))
        asked = question(
            call.query,
            day_of(await self._now()),
            limit=max(1, call.number("limit", min(1_000, self._most), self._most)),
            offset=call.number("offset", 0, _OFFSET_MOST),
        )
        return await self._answer(asked)

    def routes(self) -> list[Route]:
        """The one."""
        return [
            Route(
                "GET",
                "/api/v2/statistics",
                "What became of mail, by the day it was granted, at most seconds behind the record",
                self._sums,
                StatisticsPage,
                query={
                    "from": "the first day, such as 2026-03-01; six days before the last",
                    "to": "the last day; today",
                    "by": f"what rows are of, with commas between: {', '.join(KEYS)}; ip",
                    "tenant": "only this tenant's",
                    "ip": "only of this IP",
                    "campaign": "only this campaign",
                    "provider": "only to this provider",
                    "mailbox": "only of this mailbox",
                    "limit": f"at most so many rows, 1 to {self._most}; 1000",
                    "offset": "rows to pass over: the `more` of the page before",
                },
            ),
        ]
