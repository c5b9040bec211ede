"""/api/v2/statistics: what became of mail, in sums."""

from collections.abc import Awaitable, Callable

from control.api.listing import Listing
from control.api.route import Call, Route
from control.statistics.question import Question, StatisticsQuery, question
from control.statistics.row import StatisticsPage
from control.tenants.view import Known
from policy.limits import day_of

Answer = Callable[[Question], Awaitable[StatisticsPage]]
Now = Callable[[], Awaitable[int]]
"""Calendar milliseconds."""


class StatisticsApi:
    """`known`: whether a tenant is, or was lately; `most`: rows of one answer."""

    def __init__(self, answer: Answer, known: Known, now: Now, most: int) -> None:
        self._answer = answer
        self._known = known
        self._now = now
        self._most = most

    async def _sums(self, call: Call) -> StatisticsPage:
        wanted: StatisticsQuery = call.wanted
        await self._known(wanted.tenant)
        asked = question(wanted, day_of(await self._now()), self._most)
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
                wanted=StatisticsQuery,
                listing=Listing(
                    sorts=("by",), rows="rows", own={"by": "after"}, told={"by": "more"}
                ),
            ),
        ]
