"""Mailboxes: which are behind what they should have sent by now, which are at their quota."""

from collections.abc import Mapping
from typing import Any, get_args
from urllib.parse import urlencode

from control.console.page import Action, Done, Page
from control.console.told import told, trying
from control.console.visit import Part, Visit
from control.mailboxes.importing import COLUMNS, Imported
from control.plan.changed import Changed
from control.problem import bad
from control.progress.standing import Status

QUOTA = "/api/warmup/quota"
IMPORT = "/api/v2/tenants/{tenant}/mailboxes/import"
PART = 100


async def view(visit: Visit) -> Mapping[str, Any]:
    """`status`: only those that stand so; `containing`: of one tenant, with limits of their own and
    this in their address."""
    status, containing = (visit.query.get(n, "").strip() for n in ("status", "containing"))
    query = {"status": status, "limit": PART, "after": visit.query.get("after")}
    return {
        "found": await visit.part("GET", QUOTA, query=query),
        "named": await _named(visit, containing),
        "filters": {
            "tenant": visit.query.get("tenant", ""),
            "status": status,
            "containing": containing,
        },
        "filtered": bool(status or containing or visit.query.get("tenant")),
        "statuses": get_args(Status),
        "tenant": visit.tenant or "",
        "columns": ", ".join(COLUMNS),
    }


async def _named(visit: Visit, containing: str) -> Part | None:
    if not containing:
        return None
    if visit.tenant is None:
        return Part(away="say of which tenant: addresses are looked for among those of one")
    return await visit.part(
        "GET",
        "/api/v2/tenants/{tenant}/mailboxes",
        names={"tenant": visit.tenant},
        query={"containing": containing, "limit": PART},
    )


async def take(visit: Visit) -> Done:
    """Limits of many, as CSV: all of them, or none. Tried first."""
    tenant = visit.form.get("tenant", "").strip() or visit.tenant or ""
    if not tenant:
        raise bad("tenant", "is missing: say whose mailboxes they are")
    done: Changed[Imported] = await visit.ask(
        *("POST", IMPORT),
        names={"tenant": tenant},
        query=trying(visit),
        body={"csv": visit.form.get("csv", "").replace("\r\n", "\n")},
    )
    one = done.view
    counts = ", ".join(f"{getattr(one, n):,} {n}" for n in ("added", "changed", "unchanged"))
    return told(
        done,
        f"Mailboxes of tenant {tenant}: {counts}.",
        f"Mailboxes of tenant {tenant}: {counts}.",
        to=f"/mailboxes?{urlencode({'tenant': tenant})}",
    )


PAGE = Page(
    path="/mailboxes",
    title="Mailboxes",
    menu="Mailboxes",
    template="mailboxes.html",
    view=view,
    needs=("GET", QUOTA),
    actions={"import": Action(("POST", IMPORT), take, "Take the list in", tried=True)},
)
