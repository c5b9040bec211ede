"""The API: how programs ask it, and what of it who looks may ask."""

from collections.abc import Mapping
from itertools import groupby
from typing import Any

from control.api.permission import CLOSED, PERMISSIONS
from control.console.page import Page
from control.console.views.account import ME
from control.console.views.tokens import ADD
from control.console.visit import Visit

CALLED = {"read": "viewer"}
"""Roles that people know by another name."""


async def view(visit: Visit) -> Mapping[str, Any]:
    """Routes by what they are about."""
    rows = []
    for route in sorted(visit.within.routes, key=lambda one: (_about(one.path), one.path)):
        if not visit.may(route.method, route.path):
            continue
        needs = PERMISSIONS.get((route.method, route.path), CLOSED)
        role = CALLED.get(needs.role, needs.role)
        rows.append({"route": route, "role": role, "about": _about(route.path)})
    about = [(name, list(some)) for name, some in groupby(rows, key=lambda row: row["about"])]
    return {"about": about, "count": len(rows), "gives": visit.may(*ADD), "me": visit.holder}


def _about(path: str) -> str:
    """`/api/v2/ips/{ip}`: ips."""
    parts = [one for one in path.split("/") if one not in ("", "api", "v1", "v2")]
    return parts[0] if parts else path


PAGE = Page(
    path="/programs",
    title="API",
    menu="API",
    template="programs.html",
    view=view,
    needs=ME,
)
