"""One VirtualMTA: what became of its mail by day, provider, campaign and category of bounces."""

import asyncio
from collections.abc import Mapping
from typing import Any

from control.console.drawn import each_day, mail_chart
from control.console.page import Page
from control.console.views.ip import ONE
from control.console.views.period import STATISTICS, of_period, period, sums
from control.console.visit import Visit
from control.warmup.view import WarmupView

PART = 100


async def view(visit: Visit) -> Mapping[str, Any]:
    """`ip` of the path."""
    warm: WarmupView = await visit.ask("GET", ONE, names={"ip": visit.names["ip"]})
    of = await period(visit)
    part: dict[str, Any] = {"ip": warm.ip, "limit": PART}
    (days, _), (providers, _), (campaigns, after) = await asyncio.gather(
        sums(visit, of, "day", ip=warm.ip),
        sums(visit, of, "provider", **part, **{"with": "total,categories"}),
        sums(visit, of, "campaign", **part, after=visit.query.get("after")),
    )
    each = each_day(days.rows, days.first, days.last)
    return {
        **of_period(of),
        "drawn": each,
        "chart": mail_chart(each),
        "title": warm.vmta,
        "warm": warm,
        "days": days.rows,
        "total": providers.total,
        "providers": providers.rows,
        "bounces": providers.categories,
        "campaigns": campaigns.rows,
        "after": after,
    }


PAGE = Page(
    path="/virtualmtas/{ip}",
    title="One VirtualMTA",
    template="vmta.html",
    view=view,
    needs=STATISTICS,
    under="/virtualmtas",
)
