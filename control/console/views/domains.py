"""Sending domains: whose they are, what carries them, and one more."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode

from control.console.page import Action, Done, Page
from control.console.told import told, trying
from control.console.visit import Visit
from control.plan.changed import Changed
from control.sources.domainview import DomainView

DOMAINS = "/api/v2/domains"
PART = 50
FIELDS = ("tenant", "domain", "ip", "pool", "host_name", "vmta", "server", "overflow")


async def view(visit: Visit) -> Mapping[str, Any]:
    """By tenant and name."""
    query = {"limit": PART, "after": visit.query.get("after")}
    found: list[DomainView]
    found, after = await visit.listed("GET", DOMAINS, query=query)
    return {"found": found, "after": after, "tenant": visit.tenant or ""}


async def add(visit: Visit) -> Done:
    """With key, IP, VirtualMTA and warm-up plan, or one more IP to it; tried first."""
    body = visit.given(*FIELDS)
    if quota := visit.form.get("quota", "").strip():
        body["quota"] = int(quota) if quota.isascii() and quota.isdigit() else quota
    done: Changed[DomainView] = await visit.ask("POST", DOMAINS, query=trying(visit), body=body)
    one = done.view
    carried = (
        f"{one.domain} of tenant {one.tenant}, pool {one.pool}, by {', '.join(one.vmtas[:20])}"
    )
    return told(
        done,
        f"It would be there: {carried}.",
        f"It is there: {carried}. Its DNS records come next.",
        to=path_of(one.tenant, one.domain),
    )


def path_of(tenant: str, domain: str) -> str:
    """Of its page."""
    return f"/domains/{quote(domain, safe='')}?{urlencode({'tenant': tenant})}"


PAGE = Page(
    path="/domains",
    title="Domains",
    menu="Domains",
    template="domains.html",
    view=view,
    needs=("GET", DOMAINS),
    actions={"add": Action(("POST", DOMAINS), add, "Add the domain", tried=True)},
)
