"""Which days a page of sums is about, and sums as it asks for them."""

import datetime
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from control.console.visit import Visit
from control.statistics.row import StatisticsPage

STATISTICS = ("GET", "/api/v2/statistics")
SPANS = (1, 7, 30, 90)
"""Days up to today that are one click away."""
USUAL = 7


@dataclass(frozen=True)
class Period:
    """Days of UTC, both inclusive; empty: as the route has it, a week up to today."""

    first: str
    last: str
    days: int
    """One of `SPANS`; 0: it was said by its days."""

    @property
    def asked(self) -> dict[str, str]:
        """As the route takes them."""
        return {"from": self.first, "to": self.last}


async def period(visit: Visit) -> Period:
    """`days` of the query, or `from` and `to` of it. Raises RefusedError."""
    first, last, said = (visit.query.get(name, "") for name in ("from", "to", "days"))
    if (first or last) and not said:
        return Period(first, last, 0)
    days = next((one for one in SPANS if str(one) == said), USUAL)
    if days == USUAL:
        return Period("", "", USUAL)
    # Which day it is, the route says: the calendar is the ledger's.
    page: StatisticsPage = await visit.ask(*STATISTICS, query={"by": "day", "limit": 1})
    today = datetime.date.fromisoformat(page.last)
    return Period(str(today - datetime.timedelta(days=days - 1)), str(today), days)


async def sums(visit: Visit, of: Period, by: str, **asked: Any) -> tuple[StatisticsPage, str]:
    """A part of the sums of a period, and the `after` of the part behind."""
    return await visit.listed(*STATISTICS, query={**of.asked, "by": by, **asked})


def of_period(of: Period) -> Mapping[str, Any]:
    """What a page shows of it."""
    return {"period": of, "spans": SPANS}
