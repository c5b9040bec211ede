"""VirtualMTAs: what became of the mail of each, by provider where that is asked for: the picture
that operators of PowerMTA know."""

import asyncio
from collections.abc import Mapping
from typing import Any

from control.console.drawn import each_day, mail_chart
from control.console.page import Page
from control.console.views.period import STATISTICS, of_period, period, sums
from control.console.visit import Visit
from control.sources.ipview import IpView

BY = {"ip": "VirtualMTA", "ip,provider": "VirtualMTA and provider", "ip,day": "VirtualMTA and day"}
"""What a row may be of."""
PART = 100
NAMED = 1000
"""VirtualMTAs whose names are looked up; where there are more, the IP stands for some. Names of
5,000 took four tenths of a second, and each has its name on its page."""


async def view(visit: Visit) -> Mapping[str, Any]:
    """Those that sent in the period, by IP."""
    of = await period(visit)
    by = visit.query.get("by", "")
    by = by if by in BY else "ip"
    only = {"provider": visit.query.get("provider")}
    asked = {**only, "with": "total,categories", "limit": PART, "after": visit.query.get("after")}
    (found, after), (providers, _), (days, _), names = await asyncio.gather(
        sums(visit, of, by, **asked),
        sums(visit, of, "provider", limit=PART),
        sums(visit, of, "day", **only),
        _names(visit),
    )
    each = each_day(days.rows, days.first, days.last)
    return {
        **of_period(of),
        "by": by,
        "choices": BY,
        "filters": {"provider": visit.query.get("provider", "")},
        "found": found,
        "after": after,
        "providers": providers.rows,
        "days": each,
        "chart": mail_chart(each),
        "names": names,
    }


async def _names(visit: Visit) -> dict[str, str]:
    """IP to its VirtualMTA."""
    found: list[IpView] = await visit.ask("GET", "/api/v2/ips", query={"limit": NAMED})
    return {one.ip: one.vmta for one in found}


PAGE = Page(
    path="/virtualmtas",
    title="VirtualMTAs",
    menu="VirtualMTAs",
    template="vmtas.html",
    view=view,
    needs=STATISTICS,
)
