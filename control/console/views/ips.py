"""IPs and warm-up: where each is, how much of today is used, what comes next."""

import asyncio
from collections.abc import Mapping
from typing import Any

from control.console.page import Page
from control.console.visit import Visit
from control.sources.usage import ALL, UsageView
from control.warmup.view import WarmupView

WARMUP = "/api/v2/warmup"
PART = 50


async def view(visit: Visit) -> Mapping[str, Any]:
    """By name of the VirtualMTA."""
    query = {"limit": PART, "after": visit.query.get("after")}
    found: list[WarmupView]
    (found, after), use, overview = await asyncio.gather(
        visit.listed("GET", WARMUP, query=query),
        visit.part("GET", "/api/v2/quota", query=query),
        visit.soon("GET", "/api/v1/warmup"),
    )
    rows: list[UsageView] = use.found or []
    return {
        "found": found,
        "use": use,
        "today": {row.ip: row for row in rows if row.provider == ALL},
        "after": after,
        "overview": overview,
    }


PAGE = Page(
    path="/ips",
    title="IPs and warm-up",
    menu="IPs",
    template="ips.html",
    view=view,
    needs=("GET", WARMUP),
)
