"""/api/v2/days: days that are over, as they were consolidated."""

import datetime
import re
from collections.abc import Awaitable, Callable

from control.api.listing import Listing
from control.api.route import Call, Route
from control.consolidation.view import DayRow, DayView
from control.problem import bad
from control.values.part import Part, Slice
from control.values.query import MOST

PATH = "/api/v2/days"
_EPOCH = datetime.date(1970, 1, 1)
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")

Listed = Callable[[Part], Awaitable[Slice[DayView]]]
Rows = Callable[[int, str | None, int], Awaitable[list[DayRow]]]
Consolidate = Callable[[int | None], Awaitable[DayView]]


class ConsolidationApi:
    """Asks `listed`, `rows` (of a day since 1970, behind an IP) and `consolidate` each time."""

    def __init__(self, listed: Listed, rows: Rows, consolidate: Consolidate) -> None:
        self._listed = listed
        self._rows = rows
        self._consolidate = consolidate

    async def _list(self, call: Call) -> Slice[DayView]:
        return await self._listed(call.parted)

    async def _show(self, call: Call) -> list[DayRow]:
        limit = call.parted.limit + 1
        return await self._rows(day_in(call.path["day"]), call.query.get("after"), limit)

    async def _run(self, call: Call) -> DayView:
        text = call.query.get("day")
        return await self._consolidate(None if text is None else day_in(text))

    def routes(self) -> list[Route]:
        """All of them."""
        return [
            Route(
                "GET",
                PATH,
                "Days that are over: what the ledger counted, and what accounting says",
                self._list,
                list[DayView],
                listing=Listing(key=("day",), sorts=("-day", "day"), usual=31, shown=(20_514,)),
            ),
            Route(
                "GET",
                f"{PATH}/{{day}}",
                "One day by IP and provider",
                self._show,
                list[DayRow],
                query={"limit": f"how many IPs (each has a row a provider), 1 to {MOST}; {MOST}"},
                listing=Listing(key=("ip",), sorts=("ip",), own={"ip": "after"}),
            ),
            Route(
                "POST",
                f"{PATH}/consolidate",
                "Consolidate a day now; again it changes nothing",
                self._run,
                DayView,
                query={"day": "a date such as 2026-03-01; without it, yesterday"},
            ),
        ]


def day_in(text: str) -> int:
    """Of a date, days since 1970. Raises RefusedError."""
    try:
        if not _DATE.fullmatch(text):
            raise ValueError
        return (datetime.date.fromisoformat(text) - _EPOCH).days
    except ValueError:
        raise bad("day", f"{text!r} is not a date such as 2026-03-01") from None
