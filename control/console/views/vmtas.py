"""VirtualMTAs: what became of the mail of each, by provider where that is asked for: the picture
that operators of PowerMTA know."""

from collections.abc import Mapping
from typing import Any

from control.console.page import Page
from control.console.views.period import STATISTICS, of_period, period, sums
from control.console.visit import Visit
from control.sources.ipview import IpView

BY = {"ip": "VirtualMTA", "ip,provider": "VirtualMTA and provider", "ip,day": "VirtualMTA and day"}
"""What a row may be of."""
PART = 100
NAMED = 1000
"""IPs of one look for their names."""


async def view(visit: Visit) -> Mapping[str, Any]:
    """Those that sent in the period, by IP."""
    of = await period(visit)
    by = visit.query.get("by", "")
    by = by if by in BY else "ip"
    only = {"provider": visit.query.get("provider")}
    asked = {**only, "with": "total,categories", "limit": PART, "after": visit.query.get("after")}
    found, after = await sums(visit, of, by, **asked)
    providers, _ = await sums(visit, of, "provider", limit=PART)
    return {
        **of_period(of),
        "by": by,
        "choices": BY,
        "filters": {"provider": visit.query.get("provider", "")},
        "found": found,
        "after": after,
        "providers": providers.rows,
        "names": await _names(visit, {str(row.ip) for row in found.rows} - {""}),
    }


async def _names(visit: Visit, ips: set[str]) -> dict[str, str]:
    """IP to its VirtualMTA; those that were removed have none."""
    named: dict[str, str] = {}
    after = ""
    while ips - named.keys():
        query = {"limit": NAMED, "after": after}
        part: list[IpView]
        part, after = await visit.listed("GET", "/api/v2/ips", query=query)
        named |= {one.ip: one.vmta for one in part if one.ip in ips}
        if not after:
            break
    return named


PAGE = Page(
    path="/virtualmtas",
    title="VirtualMTAs",
    menu="VirtualMTAs",
    template="vmtas.html",
    view=view,
    needs=STATISTICS,
)
